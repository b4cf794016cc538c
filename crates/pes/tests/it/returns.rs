//! Files from the accountant: what is read of them, and what is refused.

use std::io::{self, BufReader, Read};

use nonrecours_kernel::Money;
use nonrecours_pes::{Anomaly, Item, PieceRef, PieceState, Returns, SlipRef, Verdict};
use nonrecours_xmlflow::{Fault, MAX_ATTRIBUTES, MAX_DEPTH, MAX_TOKEN, MAX_VALUE, Problem};
use time::macros::date;

use crate::fixtures::{ACQUIT, REFUSED, RETURN, year};

fn read(file: &str) -> Result<Vec<Item>, Fault> {
    Returns::new(file.as_bytes()).collect()
}

fn problem(file: &str) -> Problem {
    read(file).unwrap_err().problem
}

fn slip() -> SlipRef {
    SlipRef {
        budget_year: year(),
        number: "1".to_owned(),
    }
}

fn piece(id: &str) -> PieceRef {
    PieceRef {
        slip: slip(),
        id: id.to_owned(),
    }
}

fn anomaly(code: &str, text: &str) -> Anomaly {
    Anomaly {
        code: code.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn a_slip_received_is_accepted() {
    let mut returns = Returns::new(ACQUIT.as_bytes());
    let first = returns.next().unwrap().unwrap();
    assert_eq!(
        first,
        Item::Acknowledged {
            slip: Some(slip()),
            verdict: Verdict::Accepted
        }
    );
    let flow = returns.header().file_name.as_deref();
    assert_eq!(flow, Some("PESALR2_20003357900018_20251020_0001"));
    assert!(returns.next().is_none());
}

#[test]
fn what_is_wrong_comes_with_its_order_and_line() {
    assert_eq!(
        read(REFUSED).unwrap(),
        [
            Item::Anomalous {
                piece: piece("1"),
                line: None,
                anomaly: anomaly("5301", "Compte bancaire inconnu & clos"),
            },
            Item::Anomalous {
                piece: piece("2"),
                line: Some("1".to_owned()),
                anomaly: anomaly("5107", "Nature erronee"),
            },
            Item::Acknowledged {
                slip: Some(slip()),
                verdict: Verdict::Refused(None),
            },
            Item::Acknowledged {
                slip: None,
                verdict: Verdict::Refused(Some(anomaly("0012", "Flux deja recu"))),
            },
        ]
    );
}

#[test]
fn the_states_and_payments_of_orders_are_read() {
    let mut returns = Returns::new(RETURN.as_bytes());
    let items: Vec<_> = returns.by_ref().collect::<Result<_, _>>().unwrap();
    let state = |id: &str, state, remarks: &[(&str, &str)]| Item::Piece {
        piece: piece(id),
        state,
        remarks: remarks
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
    };
    let paid = |date, cents| Item::Paid {
        piece: piece("4"),
        line: Some("1".to_owned()),
        date,
        amount: Money::from_cents(cents),
    };
    assert_eq!(
        items,
        [
            state("1", PieceState::TakenInCharge, &[]),
            state(
                "2",
                PieceState::Pending,
                &[("Commentaire", "RIB illisible")]
            ),
            state(
                "3",
                PieceState::Rejected,
                &[("MotifRejet", "Pièce absente")]
            ),
            state("4", PieceState::Settled, &[]),
            paid(date!(2025 - 10 - 30), 900_000),
            paid(date!(2025 - 11 - 02), 20_000),
        ]
    );
    let header = returns.header();
    assert_eq!(header.posting_office.as_deref(), Some("062007"));
    assert_eq!(header.collectivity_code.as_deref(), Some("123"));
}

#[test]
fn character_sets_are_those_declared() {
    let remark = |declared: &str, bytes: &[u8]| -> Result<String, Fault> {
        let file = RETURN.replacen("ISO-8859-1", declared, 1);
        let (before, after) = file.split_once("RIB illisible").unwrap();
        let file = [before.as_bytes(), bytes, after.as_bytes()].concat();
        let items: Result<Vec<_>, _> = Returns::new(file.as_slice()).collect();
        let remarks = items?.into_iter().find_map(|item| match item {
            Item::Piece { remarks, .. } => remarks.into_iter().next(),
            _ => None,
        });
        Ok(remarks.unwrap().1)
    };
    assert_eq!(remark("ISO-8859-1", b"\xe9t\xe9 \xa4").unwrap(), "été ¤");
    assert_eq!(remark("ISO-8859-15", b"\xe9t\xe9 \xa4").unwrap(), "été €");
    assert_eq!(remark("UTF-8", "été €".as_bytes()).unwrap(), "été €");
    assert_eq!(
        remark("UTF-8", b"\xe9").unwrap_err().problem,
        Problem::Encoding
    );
    assert_eq!(
        remark("UTF-7", b"a").unwrap_err().problem,
        Problem::Encoding
    );
}

#[test]
fn a_fault_says_where_it_is() {
    let fault = read(&RETURN.replace("EtatPce V=\"04\"", "EtatPce V=\"03\"")).unwrap_err();
    assert_eq!(
        fault,
        Fault {
            line: 11,
            path: "PES_Retour/PES_DepenseRetour/Bordereau/Piece/BlocPiece/InfoPce/EtatPce"
                .to_owned(),
            problem: Problem::BadValue
        }
    );
    let violation = fault.violation("file");
    assert_eq!(
        (violation.field.as_str(), violation.reason.as_str()),
        ("file", "FLOW_VALUE")
    );
    assert!(violation.text.fr.starts_with("Ligne 11, PES_Retour/"));
}

#[test]
fn files_that_are_no_return_are_refused() {
    assert_eq!(problem(""), Problem::Truncated);
    assert_eq!(problem("a,b,c\n1,2,3\n"), Problem::Malformed);
    assert_eq!(problem("<PES_Aller/>"), Problem::Unknown);
    assert_eq!(problem("<PES_Retour/><PES_Retour/>"), Problem::Malformed);
    assert_eq!(problem("<PES_Retour></PES_ACQUIT>"), Problem::Malformed);
    assert_eq!(problem("<PES_Retour a='1' a='2'/>"), Problem::Malformed);
    let cut = RETURN.find("PaiementEmargement").unwrap();
    assert_eq!(problem(&RETURN[..cut]), Problem::Truncated);
}

#[test]
fn statements_without_what_they_are_about_are_refused() {
    for (file, gone) in [
        (ACQUIT, "<EtatAck V=\"1\"/>"),
        (ACQUIT, "<NumBord V=\"1\"/>"),
        (REFUSED, "<NumPiece V=\"1\"/>"),
        (RETURN, "<IdPce V=\"1\"/>"),
        (RETURN, "<Exer V=\"2025\"/>"),
        (RETURN, "<MtPay V=\"200.00\"/>"),
    ] {
        assert!(file.contains(gone), "{gone}");
        assert_eq!(
            problem(&file.replace(gone, "")),
            Problem::Incomplete,
            "{gone}"
        );
    }
    for (from, to) in [
        ("MtPay V=\"200.00\"", "MtPay V=\"200.001\""),
        ("DtePay V=\"2025-11-02\"", "DtePay V=\"02/11/2025\""),
        ("Exer V=\"2025\"", "Exer V=\"25\""),
        ("IdBord V=\"1\"", "IdBord V=\"0\""),
    ] {
        assert_eq!(
            problem(&RETURN.replace(from, to)),
            Problem::BadValue,
            "{to}"
        );
    }
}

#[test]
fn what_harms_a_reader_is_refused() {
    let inside = |content: &str| format!("<PES_Retour>{content}</PES_Retour>");
    assert_eq!(
        problem("<!DOCTYPE x [<!ENTITY a \"aaaa\">]><PES_Retour/>"),
        Problem::Doctype
    );
    assert_eq!(problem(&inside("<NomFic V=\"&a;\"/>")), Problem::Entity);
    assert_eq!(problem(&inside("&a;")), Problem::Entity);
    let deep = "<a>".repeat(MAX_DEPTH);
    assert_eq!(problem(&inside(&deep)), Problem::TooDeep);
    let attributes: String = (0..=MAX_ATTRIBUTES).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(
        problem(&inside(&format!("<a{attributes}/>"))),
        Problem::TooManyAttributes
    );
    let long = |length: usize| inside(&format!("<a V=\"{}\"/>", "x".repeat(length)));
    assert!(read(&long(MAX_VALUE)).is_ok());
    assert_eq!(problem(&long(MAX_VALUE + 1)), Problem::ValueTooLong);
    assert_eq!(problem(&long(MAX_TOKEN)), Problem::TokenTooLong);
    assert_eq!(
        problem(&inside(&"x".repeat(MAX_TOKEN + 1))),
        Problem::TokenTooLong
    );
    assert_eq!(
        problem(&inside(&format!("<!--{}-->", "x".repeat(MAX_TOKEN)))),
        Problem::TokenTooLong
    );
    assert_eq!(problem(&inside("<a V=\"&#1;\"/>")), Problem::Malformed);
}

/// Gives a file of a great many orders without ever holding it, and counts what it gave.
struct Endless {
    left: u32,
    next: io::Cursor<Vec<u8>>,
    given: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut count = self.next.read(into)?;
        if count == 0 && self.left > 0 {
            self.left -= 1;
            let padding = "observation ".repeat(50);
            let piece = if self.left == 0 {
                "</Bordereau></PES_Retour>".to_owned()
            } else {
                format!(
                    "<Piece><BlocPiece><IdPce V=\"{}\"/><EtatPce V=\"02\"/></BlocPiece>\n<Obs V=\"{padding}\"/></Piece>\n",
                    self.left
                )
            };
            self.next = io::Cursor::new(piece.into_bytes());
            count = self.next.read(into)?;
        }
        self.given += count;
        Ok(count)
    }
}

#[test]
fn a_file_of_fifty_megabytes_is_read_as_a_stream() {
    let pieces = 75_000;
    let mut source = Endless {
        left: pieces + 1,
        next: io::Cursor::new(
            b"<PES_Retour><Bordereau><Exer V=\"2025\"/><IdBord V=\"1\"/>".to_vec(),
        ),
        given: 0,
    };
    let mut read = 0;
    for item in Returns::new(BufReader::new(&mut source)) {
        assert!(matches!(
            item.unwrap(),
            Item::Piece {
                state: PieceState::TakenInCharge,
                ..
            }
        ));
        read += 1;
    }
    assert_eq!(read, pieces);
    assert!(source.given > 50_000_000, "{}", source.given);
}

#[test]
fn a_source_that_fails_is_told_apart() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the line is cut"))
        }
    }
    let source = ACQUIT.as_bytes()[..60].chain(Broken);
    let last = Returns::new(BufReader::new(source)).last().unwrap();
    assert_eq!(last.unwrap_err().problem, Problem::Source);
}
