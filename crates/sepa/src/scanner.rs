//! The XML of a bank's file as elements with their text, within limits: what is read is bounded before it is looked at.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::escape::{resolve_xml_entity, unescape_with};
use quick_xml::events::{BytesStart, Event};

use crate::fault::{Fault, Problem};

/// Deepest nesting of elements; the schemas go to about 20.
pub const MAX_DEPTH: usize = 40;
/// Longest tag, comment or stretch of text, in bytes.
pub const MAX_TOKEN: usize = 64 * 1024;
/// Longest value, in characters; the schemas allow 500 at most where something is read.
pub const MAX_TEXT: usize = 2_000;

/// One step through a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// An element begins: the namespace that it declares, and its currency.
    Open {
        /// `xmlns` of the root.
        namespace: Option<String>,
        /// Attribute `Ccy`.
        currency: Option<String>,
    },
    /// The innermost element ends, with the text directly in it, trimmed.
    Close(String),
}

/// Reads tokens. After a fault or the end of the file it is of no more use.
pub(crate) struct Scanner<R> {
    reader: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    path: Vec<String>,
    text: String,
    pending_close: bool,
    root_closed: bool,
}

impl<R: BufRead> Scanner<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            reader: Reader::from_reader(Bounded {
                source,
                left: Cell::new(MAX_TOKEN),
                position: 0,
                broken: false,
            }),
            buffer: Vec::new(),
            path: Vec::new(),
            text: String::new(),
            pending_close: false,
            root_closed: false,
        }
    }

    /// Names of the open elements, the root first; of the one that has just ended too, until the next step.
    pub(crate) fn path(&self) -> &[String] {
        &self.path
    }

    /// A fault at the place reached.
    pub(crate) fn fault(&self, problem: Problem) -> Fault {
        Fault {
            position: self.reader.get_ref().position,
            path: self.path.join("/"),
            problem,
        }
    }

    /// The next token; none at the end of a whole file.
    pub(crate) fn next(&mut self) -> Result<Option<Token>, Fault> {
        loop {
            match self.step().map_err(|problem| self.fault(problem))? {
                Step::Token(token) => return Ok(Some(token)),
                Step::Passed => {}
                Step::End => return Ok(None),
            }
        }
    }

    fn step(&mut self) -> Result<Step, Problem> {
        if std::mem::take(&mut self.pending_close) {
            return Ok(Step::Token(Token::Close(String::new())));
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
            Event::End(_) => {
                let text = std::mem::take(&mut self.text).trim().to_owned();
                Ok(Step::Token(Token::Close(text)))
            }
            Event::Text(text) => self.read(&text),
            Event::CData(text) => self.read(&text),
            Event::GeneralRef(reference) => {
                let name = std::str::from_utf8(&reference).map_err(|_| Problem::Malformed)?;
                let value = unescape_with(&format!("&{name};"), resolve_xml_entity)
                    .map_err(|_| Problem::Entity)?
                    .into_owned();
                self.read(value.as_bytes())
            }
            Event::Comment(_) | Event::PI(_) => Ok(Step::Passed),
            Event::Decl(declaration) => match declaration.encoding() {
                Some(Ok(encoding)) if !encoding.eq_ignore_ascii_case(b"UTF-8") => {
                    Err(Problem::Malformed)
                }
                Some(Err(_)) => Err(Problem::Malformed),
                _ => Ok(Step::Passed),
            },
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
        let name = utf8(start.name().local_name().as_ref())?.to_owned();
        let (mut namespace, mut currency) = (None, None);
        // A tag is bounded, and so are its attributes.
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| Problem::Malformed)?;
            let key = attribute.key.as_ref();
            let read = if key == b"Ccy" {
                &mut currency
            } else if key == b"xmlns" || (self.path.is_empty() && key.starts_with(b"xmlns:")) {
                &mut namespace
            } else {
                continue;
            };
            *read = Some(utf8(&attribute.value)?.to_owned());
        }
        self.text.clear();
        self.path.push(name);
        self.pending_close = empty;
        Ok(Step::Token(Token::Open {
            namespace,
            currency,
        }))
    }

    /// Leaves the element that has just ended.
    pub(crate) fn leave(&mut self) {
        self.path.pop();
        self.root_closed = self.path.is_empty();
    }

    fn read(&mut self, raw: &[u8]) -> Result<Step, Problem> {
        let text = utf8(raw)?;
        if self.path.is_empty() && !text.trim().is_empty() {
            return Err(Problem::Malformed);
        }
        self.text.push_str(text);
        // Fewer bytes have no more characters.
        if self.text.len() > MAX_TEXT && self.text.trim().chars().count() > MAX_TEXT {
            return Err(Problem::TextTooLong);
        }
        Ok(Step::Passed)
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

fn utf8(raw: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(raw).map_err(|_| Problem::Malformed)
}

/// A source that gives at most so many bytes for one token, and counts them.
struct Bounded<R> {
    source: R,
    left: Cell<usize>,
    position: u64,
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
        self.position += count as u64;
        self.left.set(self.left.get().saturating_sub(count));
        self.source.consume(count);
    }
}
