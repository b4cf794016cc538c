//! Tokens of whatever comes: bounded, and never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use nonrecours_xmlflow::{
    Charset, Fault, MAX_DEPTH, MAX_TOKEN, MAX_VALUE, Problem, Scanner, Token,
};
use proptest::prelude::*;

fn read(file: &[u8]) -> Result<Vec<Token>, Fault> {
    let mut scanner = Scanner::new(file);
    let mut tokens = Vec::new();
    while let Some(token) = scanner.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

fn problem(file: &str) -> Problem {
    read(file.as_bytes()).unwrap_err().problem
}

/// The tokens in short: `+name`, with what it says; `-name`, with its text.
fn short(file: &[u8]) -> Vec<String> {
    let shown = |token| match token {
        Token::Open(open) => {
            let mark = if open.after_text { "~" } else { "" };
            let said = open.value.or(open.currency).unwrap_or_default();
            format!("{mark}+{}{said}", open.name)
        }
        Token::Close(close) => format!("-{}{}", close.name, close.text),
    };
    read(file).unwrap().into_iter().map(shown).collect()
}

#[test]
fn elements_come_with_what_they_say() {
    assert_eq!(
        short(b"<n:a xmlns:n='x'> <b V='1 &amp; 2'/>x<c Ccy='EUR'> y &amp; <!-- not --> z </c><![CDATA[<]]></n:a>\n"),
        ["+a", "+b1 & 2", "-b", "~+cEUR", "-cy &  z", "-a<"]
    );
    let named = |file: &str| match read(file.as_bytes()).unwrap().swap_remove(0) {
        Token::Open(open) => open.namespace,
        Token::Close(_) => None,
    };
    assert_eq!(named("<n:a xmlns='x' xmlns:n='y'/>"), Some("y".to_owned()));
    assert_eq!(named("<a xmlns='x' xmlns:n='y'/>"), Some("x".to_owned()));
}

#[test]
fn the_root_can_be_looked_at_first() {
    let mut scanner =
        Scanner::new("<?xml version='1.0' encoding='ISO-8859-15'?><a><b/></a>".as_bytes());
    assert_eq!(scanner.root().unwrap(), Some("a"));
    assert_eq!(scanner.root().unwrap(), Some("a"));
    assert_eq!(scanner.charset(), Charset::Latin9);
    let mut names = Vec::new();
    while let Some(token) = scanner.next().unwrap() {
        let path = scanner.path().join("/");
        names.push(match token {
            Token::Open(_) => format!("+{path}"),
            Token::Close(_) => format!("-{path}"),
        });
    }
    assert_eq!(names, ["+a", "+a/b", "-a/b", "-a"]);
    assert_eq!(
        Scanner::new("".as_bytes()).root().unwrap_err().problem,
        Problem::Truncated
    );
}

#[test]
fn every_character_set_reads_the_same() {
    let with = |declared: &str, text: &[u8]| {
        let head = format!("<?xml version='1.0' encoding='{declared}'?><a>");
        [head.as_bytes(), text, b"</a>"].concat()
    };
    for (declared, text) in [
        ("UTF-8", "é €".as_bytes()),
        ("ISO-8859-15", b"\xe9 \xa4"),
        ("iso-8859-1", b"\xe9 &#8364;"),
    ] {
        assert_eq!(short(&with(declared, text)), ["+a", "-aé €"], "{declared}");
    }
    let fault = read(&with("UTF-8", b"\xe9")).unwrap_err();
    assert_eq!(fault.problem, Problem::Encoding);
}

#[test]
fn what_is_too_much_or_none_of_it_is_refused() {
    for (file, wanted) in [
        (String::new(), Problem::Truncated),
        ("<a>".to_owned(), Problem::Truncated),
        ("x<a/>".to_owned(), Problem::Malformed),
        ("<a/>x".to_owned(), Problem::Malformed),
        ("<a/><a/>".to_owned(), Problem::Malformed),
        ("<a>&#1;</a>".to_owned(), Problem::Malformed),
        ("<a>&b;</a>".to_owned(), Problem::Entity),
        ("<!DOCTYPE a><a/>".to_owned(), Problem::Doctype),
        ("<a>".repeat(MAX_DEPTH + 1), Problem::TooDeep),
        (
            format!("<a>{}</a>", "é".repeat(MAX_VALUE + 1)),
            Problem::ValueTooLong,
        ),
        // Many small tokens make no longer value than one.
        (
            format!("<a>x{}</a>", "&#32;".repeat(MAX_TOKEN)),
            Problem::ValueTooLong,
        ),
        (
            format!("<a>{}</a>", "x".repeat(MAX_TOKEN)),
            Problem::TokenTooLong,
        ),
    ] {
        assert_eq!(problem(&file), wanted, "{}", &file[..file.len().min(60)]);
        assert!(!wanted.text().fr.is_empty() && !wanted.reason().is_empty());
    }
    assert!(read(format!("<a>{}</a>", "é".repeat(MAX_VALUE)).as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn any_markup(parts in prop::collection::vec("(<[a-zA-Z:]{1,9}|>|/>|</|&[a-z]{0,4};|\"|=| |[0-9.]{1,4}|<!--|-->|<!\\[CDATA\\[|\\]\\]>)", 0..60)) {
        let file = parts.concat();
        if let Ok(tokens) = read(file.as_bytes()) {
            // What is read whole opens as much as it closes.
            let opened = tokens.iter().filter(|token| matches!(token, Token::Open(_))).count();
            prop_assert_eq!(opened * 2, tokens.len());
        }
    }
}
