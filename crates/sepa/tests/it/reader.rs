//! What banks say, read.

use std::io::{BufReader, Read};

use nonrecours_kernel::Money;
use nonrecours_sepa::{Direction, Entry, FileKind, Item, Reader, Reason, Status, StatusOf};
use nonrecours_xmlflow::{Fault, MAX_ITEMS, Problem};
use time::macros::date;

use crate::xsd::Schema;

const STATUS: &str = include_str!("samples/pain.002.xml");
const STATEMENT: &str = include_str!("samples/camt.053.xml");
const NOTIFICATION: &str = include_str!("samples/camt.054.xml");

pub fn read(file: &[u8]) -> Result<(Option<FileKind>, Vec<Item>), Fault> {
    let mut reader = Reader::new(file);
    let mut items = Vec::new();
    while let Some(item) = reader.next_item()? {
        items.push(item);
    }
    Ok((reader.kind(), items))
}

fn problem(file: &str) -> Problem {
    read(file.as_bytes()).unwrap_err().problem
}

fn reason(code: &str, text: &str) -> Reason {
    Reason {
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn the_samples_are_what_the_schemas_want() {
    for (xsd, sample) in [
        (include_str!("schemas/camt.053.001.08.xsd"), STATEMENT),
        (include_str!("schemas/camt.054.001.08.xsd"), NOTIFICATION),
    ] {
        assert_eq!(Schema::read(xsd).faults(sample), Vec::<String>::new());
    }
}

#[test]
fn a_status_report_says_what_becomes_of_each_transfer() {
    let (kind, items) = read(STATUS.as_bytes()).unwrap();
    assert_eq!(kind, Some(FileKind::StatusReport));
    let status = |of, code: &str, reason| {
        Item::Status(Status {
            of,
            code: code.to_owned(),
            reason,
        })
    };
    assert_eq!(
        items,
        [
            status(
                StatusOf::File("FONDATION-2025-0001".to_owned()),
                "PART",
                Reason::default()
            ),
            status(
                StatusOf::Transfer("0199bd7845807686bdcfb5b611a38419".to_owned()),
                "ACSC",
                Reason::default()
            ),
            status(
                StatusOf::Transfer("SECOND".to_owned()),
                "RJCT",
                reason("AC04", "Compte clôturé & soldé")
            ),
        ]
    );
    let Item::Status(last) = &items[2] else {
        panic!("a status");
    };
    assert!(last.rejected());
}

#[test]
fn a_payment_refused_as_a_whole_is_told_by_its_own_id() {
    let refused = "<OrgnlPmtInfAndSts><OrgnlPmtInfId>FONDATION-2025-0002</OrgnlPmtInfId><PmtInfSts>RJCT</PmtInfSts>\
                   <StsRsnInf><Rsn><Cd>AM04</Cd></Rsn></StsRsnInf></OrgnlPmtInfAndSts></CstmrPmtStsRpt>";
    let file = STATUS.replace("</CstmrPmtStsRpt>", refused);
    let (_, items) = read(file.as_bytes()).unwrap();
    assert_eq!(items.len(), 4);
    let Item::Status(last) = &items[3] else {
        panic!("a status");
    };
    assert_eq!(last.of, StatusOf::File("FONDATION-2025-0002".to_owned()));
    assert_eq!((last.rejected(), &last.reason), (true, &reason("AM04", "")));
}

#[test]
fn a_movement_that_names_a_transfer_has_its_day() {
    let undated = NOTIFICATION.replace("<BookgDt><Dt>2025-10-08</Dt></BookgDt>", "");
    assert_eq!(problem(&undated), Problem::Incomplete);
    let nameless = undated.replace("0199bd7845807686bdcfb5b611a38419", "NOTPROVIDED");
    assert_eq!(read(nameless.as_bytes()).unwrap().1.len(), 1);
    let valued = undated.replace("<BkTxCd>", "<ValDt><Dt>2025-10-09</Dt></ValDt><BkTxCd>");
    let Item::Entry(entry) = read(valued.as_bytes()).unwrap().1.remove(0) else {
        panic!("an entry");
    };
    assert_eq!(entry.booking_date, Some(date!(2025 - 10 - 09)));
}

#[test]
fn a_statement_gives_its_movements_one_by_one() {
    let (kind, items) = read(STATEMENT.as_bytes()).unwrap();
    assert_eq!(kind, Some(FileKind::Statement));
    let entry = |id: &str, cents, direction, booked, returned| {
        Item::Entry(Entry {
            account: "FR1420041010050500013M02606".to_owned(),
            end_to_end_id: id.to_owned(),
            amount: Money::from_cents(cents),
            direction,
            booked,
            booking_date: Some(date!(2025 - 10 - 08)),
            returned,
        })
    };
    assert_eq!(
        items,
        [
            // Two transfers booked in one sum.
            entry(
                "0199bd7845807686bdcfb5b611a38419",
                920_000,
                Direction::Debit,
                true,
                Reason::default()
            ),
            entry("SECOND", 1, Direction::Debit, true, Reason::default()),
            // One that came back.
            entry("SECOND", 1, Direction::Credit, true, reason("AC04", "")),
            // Of no interest: no reference, then one that is only announced.
            entry("", 12_345, Direction::Debit, true, Reason::default()),
            entry("LATER", 50_000, Direction::Debit, false, Reason::default()),
        ]
    );
}

#[test]
fn a_notification_reads_like_a_statement() {
    let (kind, items) = read(NOTIFICATION.as_bytes()).unwrap();
    assert_eq!(kind, Some(FileKind::Notification));
    assert_eq!(items.len(), 1);
    let Item::Entry(entry) = &items[0] else {
        panic!("an entry");
    };
    assert_eq!(entry.amount, Money::from_cents(920_000));
    // Older versions, with the code of the status directly in it, read the same.
    let older = NOTIFICATION
        .replace("camt.054.001.08", "camt.054.001.02")
        .replace("<Sts><Cd>BOOK</Cd></Sts>", "<Sts>BOOK</Sts>");
    assert_eq!(read(older.as_bytes()).unwrap().1, items);
    // And one whose names have a prefix.
    let prefixed = NOTIFICATION.replace("</", "</n:").replace("</n:", "\u{0}");
    let prefixed = prefixed
        .replace("<", "<n:")
        .replace("<n:?", "<?")
        .replace('\u{0}', "</n:");
    let prefixed = prefixed.replace("xmlns=", "xmlns:n=");
    assert_eq!(read(prefixed.as_bytes()).unwrap().1, items);
}

#[test]
fn what_cannot_be_read_is_refused_for_its_reason() {
    let head = "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.054.001.08\"><BkToCstmrDbtCdtNtfctn>";
    let deep = format!("{head}{}", "<a>".repeat(50));
    let long = format!("{head}<a>{}</a>", "x".repeat(3_000));
    let tag = format!("{head}<a {}/>", "x".repeat(70_000));
    for (file, wanted) in [
        ("", Problem::Truncated),
        (head, Problem::Truncated),
        ("<Document/>", Problem::Unknown),
        (
            "<Autre xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.054.001.08\"/>",
            Problem::Unknown,
        ),
        (
            "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\"><CstmrCdtTrfInitn/></Document>",
            Problem::Unknown,
        ),
        (
            "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.054.001.08\"></Document>",
            Problem::Unknown,
        ),
        ("<!DOCTYPE a [<!ENTITY b \"c\">]><a/>", Problem::Doctype),
        (
            "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>",
            Problem::Encoding,
        ),
        (&format!("{head}&autre;"), Problem::Entity),
        (&format!("{head}</Document>"), Problem::Malformed),
        (deep.as_str(), Problem::TooDeep),
        (long.as_str(), Problem::ValueTooLong),
        (tag.as_str(), Problem::TokenTooLong),
        (
            &NOTIFICATION.replace("9200.00", "9200.001"),
            Problem::BadValue,
        ),
        (&NOTIFICATION.replace("9200.00", "-1"), Problem::BadValue),
        (
            &NOTIFICATION.replace("\"EUR\"", "\"USD\""),
            Problem::BadValue,
        ),
        (&NOTIFICATION.replace("DBIT", "OUT"), Problem::BadValue),
        (
            &NOTIFICATION.replace("2025-10-08", "2025-13-08"),
            Problem::BadValue,
        ),
    ] {
        assert_eq!(problem(file), wanted, "{}", &file[..file.len().min(120)]);
        assert!(!wanted.text().fr.is_empty() && !wanted.reason().is_empty());
    }
    let zeros = NOTIFICATION.replace("9200.00", "9200.00000");
    assert!(read(zeros.as_bytes()).is_ok());
}

/// A file that is made as it is read.
struct Endless {
    head: &'static [u8],
    one: &'static [u8],
    left: u64,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.head.is_empty() {
            if self.left == 0 {
                return Ok(0);
            }
            let count = (self.one.len() - self.at).min(into.len());
            into[..count].copy_from_slice(&self.one[self.at..self.at + count]);
            self.at += count;
            if self.at == self.one.len() {
                self.at = 0;
                self.left -= 1;
            }
            return Ok(count);
        }
        let count = self.head.len().min(into.len());
        into[..count].copy_from_slice(&self.head[..count]);
        self.head = &self.head[count..];
        Ok(count)
    }
}

fn endless(entries: u64) -> Reader<BufReader<Endless>> {
    Reader::new(BufReader::new(Endless {
        head: b"<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><Stmt>",
        one: b"<Ntry><Amt Ccy=\"EUR\">1</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts></Ntry>\n",
        left: entries,
        at: 0,
    }))
}

#[test]
fn a_file_of_any_size_is_read_within_bounds() {
    // Some 45 MB, of which one entry is in memory at a time.
    let mut reader = endless(MAX_ITEMS as u64 + 1);
    for _ in 0..MAX_ITEMS {
        assert!(reader.next_item().unwrap().is_some());
    }
    assert_eq!(
        reader.next_item().unwrap_err().problem,
        Problem::TooManyItems
    );
    let mut cut = endless(2);
    assert!(cut.next_item().unwrap().is_some() && cut.next_item().unwrap().is_some());
    assert_eq!(cut.next_item().unwrap_err().problem, Problem::Truncated);
}
