//! The XML of a flow as tokens, within limits: what is read is bounded before it is looked at.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::escape::{resolve_xml_entity, unescape_with};
use quick_xml::events::{BytesDecl, BytesStart, Event};

use crate::fault::{Fault, Problem};

/// Deepest nesting of elements.
pub const MAX_DEPTH: usize = 32;
/// Longest tag, comment or stretch of text, in bytes.
pub const MAX_TOKEN: usize = 64 * 1024;
/// Most attributes of one element; the root declares about fifteen namespaces.
pub const MAX_ATTRIBUTES: usize = 40;
/// Longest value, in characters.
pub const MAX_VALUE: usize = 2_000;

/// One step through a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// An element begins.
    Open(Open),
    /// The innermost element ends; its name.
    Close(String),
    /// Text that is not blank, of which flows have none.
    Text,
}

/// The beginning of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// Its name, without a prefix.
    pub name: String,
    /// Its attribute `V`.
    pub value: Option<String>,
    /// The namespace that it declares for its own name.
    pub namespace: Option<String>,
}

/// Character sets that flows come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Latin1,
    Latin9,
}

/// Reads tokens. After a fault or the end of the file it is of no more use.
pub(crate) struct Scanner<R> {
    reader: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    path: Vec<String>,
    charset: Charset,
    empty: bool,
    root_closed: bool,
}

impl<R: BufRead> Scanner<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            reader: Reader::from_reader(Bounded {
                source,
                left: Cell::new(MAX_TOKEN),
                lines: 1,
                broken: false,
            }),
            buffer: Vec::new(),
            path: Vec::new(),
            charset: Charset::Utf8,
            empty: false,
            root_closed: false,
        }
    }

    /// The character set that the file declares.
    pub(crate) const fn charset(&self) -> Charset {
        self.charset
    }

    /// Names of the open elements, the root first.
    pub(crate) fn path(&self) -> &[String] {
        &self.path
    }

    /// A fault at the place reached.
    pub(crate) fn fault(&self, problem: Problem) -> Fault {
        let path = if self.path.is_empty() {
            "/".to_owned()
        } else {
            self.path.join("/")
        };
        Fault {
            line: self.reader.get_ref().lines,
            path,
            problem,
        }
    }

    /// The next token; none at the end of a whole file.
    pub(crate) fn next(&mut self) -> Result<Option<Token>, Fault> {
        if self.empty {
            self.empty = false;
            return Ok(Some(self.close()));
        }
        loop {
            match self.step().map_err(|problem| self.fault(problem))? {
                Step::Token(token) => return Ok(Some(token)),
                Step::Passed => {}
                Step::End => return Ok(None),
            }
        }
    }

    fn step(&mut self) -> Result<Step, Problem> {
        self.buffer.clear();
        self.reader.get_ref().left.set(MAX_TOKEN);
        // The event borrows the buffer: taken out, so that the rest of the scanner stays usable.
        let mut buffer = std::mem::take(&mut self.buffer);
        let step = match self.reader.read_event_into(&mut buffer) {
            Ok(event) => self.take(event),
            Err(error) => Err(self.broken(&error)),
        };
        self.buffer = buffer;
        step
    }

    fn take(&mut self, event: Event<'_>) -> Result<Step, Problem> {
        match event {
            Event::Start(start) => self.open(&start, false),
            Event::Empty(start) => self.open(&start, true),
            Event::End(_) => Ok(Step::Token(self.close())),
            Event::Text(text) if text.iter().all(u8::is_ascii_whitespace) => Ok(Step::Passed),
            Event::Text(_) | Event::CData(_) => Ok(Step::Token(Token::Text)),
            Event::GeneralRef(reference) => {
                let known = reference.starts_with(b"#")
                    || std::str::from_utf8(&reference)
                        .is_ok_and(|name| resolve_xml_entity(name).is_some());
                if known {
                    Ok(Step::Token(Token::Text))
                } else {
                    Err(Problem::Entity)
                }
            }
            Event::Comment(_) | Event::PI(_) => Ok(Step::Passed),
            Event::Decl(declaration) => {
                self.charset = charset(&declaration)?;
                Ok(Step::Passed)
            }
            Event::DocType(_) => Err(Problem::Doctype),
            Event::Eof if self.root_closed => Ok(Step::End),
            Event::Eof => Err(Problem::Truncated),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>, empty: bool) -> Result<Step, Problem> {
        if self.root_closed {
            return Err(Problem::Malformed);
        }
        if self.path.len() >= MAX_DEPTH {
            return Err(Problem::TooDeep);
        }
        let qualified = start.name();
        let name = self.decode(qualified.local_name().as_ref())?;
        let prefix = qualified.prefix();
        let declaration = prefix.as_ref().map_or_else(
            || b"xmlns".to_vec(),
            |prefix| [b"xmlns:".as_slice(), prefix.as_ref()].concat(),
        );
        let (mut value, mut namespace) = (None, None);
        for (index, attribute) in start.attributes().enumerate() {
            if index >= MAX_ATTRIBUTES {
                return Err(Problem::TooManyAttributes);
            }
            let attribute = attribute.map_err(|_| Problem::Malformed)?;
            let read = if attribute.key.as_ref() == b"V" {
                &mut value
            } else if attribute.key.as_ref() == declaration.as_slice() {
                &mut namespace
            } else {
                continue;
            };
            *read = Some(self.value(&attribute.value)?);
        }
        self.path.push(name.clone());
        self.empty = empty;
        Ok(Step::Token(Token::Open(Open {
            name,
            value,
            namespace,
        })))
    }

    fn close(&mut self) -> Token {
        let name = self.path.pop().unwrap_or_default();
        self.root_closed = self.path.is_empty();
        Token::Close(name)
    }

    fn value(&self, raw: &[u8]) -> Result<String, Problem> {
        let text = self.decode(raw)?;
        let value = unescape_with(&text, resolve_xml_entity).map_err(|_| Problem::Entity)?;
        // Fewer bytes have no more characters.
        if value.len() > MAX_VALUE && value.chars().count() > MAX_VALUE {
            return Err(Problem::ValueTooLong);
        }
        let control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
        if value.bytes().any(control) {
            return Err(Problem::Malformed);
        }
        Ok(value.into_owned())
    }

    fn decode(&self, raw: &[u8]) -> Result<String, Problem> {
        match self.charset {
            // Most of a flow is ASCII, the same in all three.
            _ if raw.is_ascii() => utf8(raw),
            Charset::Utf8 => utf8(raw),
            Charset::Latin1 => Ok(raw.iter().map(|byte| char::from(*byte)).collect()),
            Charset::Latin9 => Ok(raw.iter().map(|byte| latin9(*byte)).collect()),
        }
    }

    fn broken(&self, error: &quick_xml::Error) -> Problem {
        match error {
            quick_xml::Error::Io(_) if self.reader.get_ref().broken => Problem::Source,
            quick_xml::Error::Io(_) => Problem::TokenTooLong,
            quick_xml::Error::Syntax(_) => Problem::Truncated,
            _ => Problem::Malformed,
        }
    }
}

enum Step {
    Token(Token),
    Passed,
    End,
}

fn charset(declaration: &BytesDecl<'_>) -> Result<Charset, Problem> {
    let Some(declared) = declaration.encoding() else {
        return Ok(Charset::Utf8);
    };
    let declared = declared.map_err(|_| Problem::Malformed)?;
    match declared.to_ascii_uppercase().as_slice() {
        b"ISO-8859-1" => Ok(Charset::Latin1),
        b"ISO-8859-15" => Ok(Charset::Latin9),
        b"UTF-8" => Ok(Charset::Utf8),
        _ => Err(Problem::Encoding),
    }
}

fn utf8(raw: &[u8]) -> Result<String, Problem> {
    let text = std::str::from_utf8(raw).map_err(|_| Problem::Encoding)?;
    Ok(text.to_owned())
}

/// ISO-8859-15: ISO-8859-1 but for eight characters.
fn latin9(byte: u8) -> char {
    match byte {
        0xa4 => '€',
        0xa6 => 'Š',
        0xa8 => 'š',
        0xb4 => 'Ž',
        0xb8 => 'ž',
        0xbc => 'Œ',
        0xbd => 'œ',
        0xbe => 'Ÿ',
        other => char::from(other),
    }
}

/// A source that gives at most so many bytes for one token, and counts its lines.
struct Bounded<R> {
    source: R,
    left: Cell<usize>,
    lines: u64,
    broken: bool,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(into.len());
        into[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("a token is too long"));
        }
        match self.source.fill_buf() {
            Ok(available) => Ok(&available[..available.len().min(left)]),
            Err(error) => {
                // Interrupted reads are tried again by the caller.
                self.broken = error.kind() != io::ErrorKind::Interrupted;
                Err(error)
            }
        }
    }

    fn consume(&mut self, count: usize) {
        if let Ok(available) = self.source.fill_buf() {
            let lines = available.iter().take(count).filter(|byte| **byte == b'\n');
            self.lines += lines.count() as u64;
        }
        self.left.set(self.left.get().saturating_sub(count));
        self.source.consume(count);
    }
}
