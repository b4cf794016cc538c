//! The XML of a file as tokens, within limits: what is read is bounded before it is looked at.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::escape::{resolve_xml_entity, unescape_with};
use quick_xml::events::{BytesDecl, BytesStart, Event};

use crate::fault::{Fault, Problem};

/// Deepest nesting of elements; flows of an accountant go to about 10, the schemas of ISO 20022 to about 20.
pub const MAX_DEPTH: usize = 40;
/// Longest tag, comment or stretch of text, in bytes.
pub const MAX_TOKEN: usize = 64 * 1024;
/// Most attributes of one element; the root declares about fifteen namespaces.
pub const MAX_ATTRIBUTES: usize = 40;
/// Longest value, in characters.
pub const MAX_VALUE: usize = 2_000;

/// One step through a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// An element begins.
    Open(Open),
    /// The innermost element ends.
    Close(Close),
}

/// The beginning of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its name, without a prefix.
    pub name: String,
    /// Its attribute `V`: the value, in flows of an accountant.
    pub value: Option<String>,
    /// Its attribute `Ccy`: the currency, in files of a bank.
    pub currency: Option<String>,
    /// The namespace that it declares for its own name.
    pub namespace: Option<String>,
    /// Whether text stands before it, directly in the element around.
    pub after_text: bool,
}

/// The end of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// Its name, without a prefix.
    pub name: String,
    /// The text directly in it, after the last element in it; trimmed.
    pub text: String,
}

/// Character sets that files come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, also where nothing is declared.
    Utf8,
    /// ISO-8859-1.
    Latin1,
    /// ISO-8859-15.
    Latin9,
}

/// Reads tokens. After a fault or the end of the file it is of no more use.
pub struct Scanner<R> {
    reader: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    path: Vec<String>,
    text: String,
    charset: Charset,
    /// The root, looked at and not given yet.
    root: Option<Token>,
    /// An element without an end of its own has begun.
    empty: bool,
    /// The innermost element has ended, and is still in the path.
    ended: bool,
    root_closed: bool,
}

impl<R: BufRead> Scanner<R> {
    /// Reads from the beginning of a file.
    pub fn new(source: R) -> Self {
        Self {
            reader: Reader::from_reader(Bounded {
                source,
                left: Cell::new(MAX_TOKEN),
                lines: 1,
                broken: false,
            }),
            buffer: Vec::new(),
            path: Vec::new(),
            text: String::new(),
            charset: Charset::Utf8,
            root: None,
            empty: false,
            ended: false,
            root_closed: false,
        }
    }

    /// The character set that the file declares.
    pub const fn charset(&self) -> Charset {
        self.charset
    }

    /// Names of the open elements, the root first; of the one that has just ended too, until the next token.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// A fault at the place reached.
    pub fn fault(&self, problem: Problem) -> Fault {
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

    /// The name of the root, which remains to be read; none when the file has none.
    pub fn root(&mut self) -> Result<Option<&str>, Fault> {
        if self.root.is_none() {
            self.root = self.next()?;
        }
        Ok(match &self.root {
            Some(Token::Open(open)) => Some(&open.name),
            _ => None,
        })
    }

    /// The next token; none at the end of a whole file.
    // Not an iterator: its path is read between two tokens.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Token>, Fault> {
        if let Some(root) = self.root.take() {
            return Ok(Some(root));
        }
        if std::mem::take(&mut self.ended) {
            self.path.pop();
            self.root_closed = self.path.is_empty();
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
        if std::mem::take(&mut self.empty) {
            return self.close();
        }
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
            Event::End(_) => self.close(),
            Event::Text(text) => self.read(&text),
            Event::CData(text) => self.read(&text),
            Event::GeneralRef(reference) => {
                let name = utf8(&reference)?;
                let value = unescape_with(&format!("&{name};"), resolve_xml_entity)
                    .map_err(|_| Problem::Entity)?
                    .into_owned();
                self.append(&value)
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
        let (mut value, mut currency, mut namespace) = (None, None, None);
        for (index, attribute) in start.attributes().enumerate() {
            if index >= MAX_ATTRIBUTES {
                return Err(Problem::TooManyAttributes);
            }
            let attribute = attribute.map_err(|_| Problem::Malformed)?;
            let read = if attribute.key.as_ref() == b"V" {
                &mut value
            } else if attribute.key.as_ref() == b"Ccy" {
                &mut currency
            } else if attribute.key.as_ref() == declaration.as_slice() {
                &mut namespace
            } else {
                continue;
            };
            *read = Some(self.value(&attribute.value)?);
        }
        let after_text = !std::mem::take(&mut self.text).trim().is_empty();
        self.path.push(name.clone());
        self.empty = empty;
        Ok(Step::Token(Token::Open(Open {
            name,
            value,
            currency,
            namespace,
            after_text,
        })))
    }

    fn close(&mut self) -> Result<Step, Problem> {
        let text = std::mem::take(&mut self.text).trim().to_owned();
        bounded(&text)?;
        self.ended = true;
        let name = self.path.last().cloned().unwrap_or_default();
        Ok(Step::Token(Token::Close(Close { name, text })))
    }

    /// A stretch of text.
    fn read(&mut self, raw: &[u8]) -> Result<Step, Problem> {
        // Between elements, most of it.
        if self.text.is_empty() && raw.iter().all(u8::is_ascii_whitespace) {
            return Ok(Step::Passed);
        }
        let text = self.decode(raw)?;
        self.append(&text)
    }

    fn append(&mut self, text: &str) -> Result<Step, Problem> {
        if self.path.is_empty() && !text.trim().is_empty() {
            return Err(Problem::Malformed);
        }
        uncontrolled(text)?;
        self.text.push_str(text);
        // What is at its end is counted then; until then no character has more bytes than four.
        if self.text.len() > MAX_VALUE * 4 {
            return Err(Problem::ValueTooLong);
        }
        Ok(Step::Passed)
    }

    fn value(&self, raw: &[u8]) -> Result<String, Problem> {
        let text = self.decode(raw)?;
        let value = unescape_with(&text, resolve_xml_entity).map_err(|_| Problem::Entity)?;
        uncontrolled(&value)?;
        bounded(&value)?;
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

/// Refuses a value that is too long.
fn bounded(value: &str) -> Result<(), Problem> {
    // Fewer bytes have no more characters.
    if value.len() > MAX_VALUE && value.chars().count() > MAX_VALUE {
        return Err(Problem::ValueTooLong);
    }
    Ok(())
}

/// Refuses characters that no text has.
fn uncontrolled(text: &str) -> Result<(), Problem> {
    let control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    if text.bytes().any(control) {
        return Err(Problem::Malformed);
    }
    Ok(())
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
