//! Whatever comes in: an answer, never a panic.

use nonrecours_pes::{Returns, validate, write};
use proptest::prelude::*;

use crate::fixtures::{ACQUIT, REFUSED, RETURN, advance, correction};

/// A change made to a file.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Cut(usize, usize),
    Double(usize, usize),
    Insert(usize, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let place = 0..4_000_usize;
    let length = 1..200_usize;
    let piece = prop::sample::select(vec![
        "<",
        ">",
        "/>",
        "&",
        "\"",
        "&#x0;",
        "<![CDATA[",
        "<!--",
        "-->",
        "<?",
        "<!DOCTYPE",
        "V=\"",
        "]]>",
        "\0",
        "<Piece>",
        "</Piece>",
        "<DetailPiece>",
        "é",
    ]);
    prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (place.clone(), length.clone()).prop_map(|(at, length)| Change::Cut(at, length)),
        (place.clone(), length).prop_map(|(at, length)| Change::Double(at, length)),
        (place, piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
    ]
}

fn changed(file: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut file = file.to_vec();
    for change in changes {
        let within = |at: usize| at % (file.len() + 1);
        match change {
            Change::Set(at, byte) => {
                let at = within(*at);
                if let Some(place) = file.get_mut(at) {
                    *place = *byte;
                }
            }
            Change::Cut(at, length) => {
                let from = within(*at);
                let to = (from + length).min(file.len());
                file.drain(from..to);
            }
            Change::Double(at, length) => {
                let from = within(*at);
                let to = (from + length).min(file.len());
                let again = file[from..to].to_vec();
                file.splice(to..to, again);
            }
            Change::Insert(at, piece) => {
                let at = within(*at);
                file.splice(at..at, piece.bytes());
            }
        }
    }
    file
}

/// Reads to the end: at most one fault, and nothing after it.
fn exhaust(file: &[u8]) {
    let mut faults = 0;
    for item in Returns::new(file) {
        assert_eq!(faults, 0, "something came after a fault");
        if let Err(fault) = item {
            faults += 1;
            assert!(fault.line >= 1);
            assert!(!fault.violation("file").text.fr.is_empty());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        exhaust(&bytes);
        prop_assert!(!validate(&bytes).is_empty());
    }

    #[test]
    fn returns_changed_at_random_are_answered(
        file in prop::sample::select(vec![ACQUIT, REFUSED, RETURN]),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        exhaust(&changed(file.as_bytes(), &changes));
    }

    #[test]
    fn flows_changed_at_random_are_judged(
        correct in any::<bool>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let flow = if correct { correction() } else { advance() };
        let file = write(&flow).unwrap().file;
        for violation in validate(&changed(&file, &changes)) {
            prop_assert!(violation.field.starts_with("PES_Aller"));
        }
    }

    /// What is written follows the rules whatever the texts are, or is refused.
    #[test]
    fn what_is_written_is_valid(object in ".{0,150}", label in ".{0,100}", name in ".{0,90}", holder in ".{0,50}") {
        let mut flow = advance();
        let piece = &mut flow.slips[0].pieces[0];
        piece.object = object;
        piece.lines[0].label = label;
        piece.lines[0].payee.name = name;
        piece.lines[0].payee.account.holder = holder;
        match write(&flow) {
            Ok(written) => prop_assert_eq!(validate(&written.file), []),
            Err(faults) => prop_assert!(!faults.is_empty()),
        }
    }

    /// An amount changed by hand anywhere is noticed: no file whose sums disagree passes.
    #[test]
    fn an_amount_changed_is_noticed(cents in 1..99_999_999_i64) {
        prop_assume!(cents != 920_000);
        let file = write(&advance()).unwrap().file;
        let text: String = file.into_iter().map(char::from).collect();
        let other = format!("{}.{:02}", cents / 100, cents % 100);
        for name in ["MtHT", "MtBordHT"] {
            let file = text.replace(&format!("<{name} V=\"9200.00\""), &format!("<{name} V=\"{other}\""));
            let bytes: Vec<u8> = file.chars().map(|c| c as u8).collect();
            let found = validate(&bytes);
            prop_assert!(found.iter().any(|violation| violation.reason == "SLIP_TOTAL"));
        }
    }
}
