//! Written files: what they hold, and what is refused.

use std::path::PathBuf;

use nonrecours_kernel::{Money, Violation};
use nonrecours_pes::{Flow, MAX_VIOLATIONS, validate, write};
use time::macros::date;

use crate::fixtures::{advance, correction, piece};

/// Compares with the file kept beside the tests; `UPDATE_GOLDEN=1` writes it anew.
fn assert_golden(name: &str, flow: &Flow) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/golden")
        .join(name);
    let written = write(flow).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written.file).unwrap();
    }
    let kept = std::fs::read(&path).unwrap();
    assert!(
        written.file == kept,
        "{} is not what is written now",
        path.display()
    );
}

fn reasons(violations: &[Violation]) -> Vec<(&str, &str)> {
    let told = |violation: &Violation| violation.field.rsplit('/').next().unwrap().len();
    violations
        .iter()
        .map(|violation| {
            let from = violation.field.len() - told(violation);
            (&violation.field[from..], violation.reason.as_str())
        })
        .collect()
}

fn refused(flow: &Flow) -> Vec<Violation> {
    write(flow).unwrap_err()
}

fn as_text(flow: &Flow) -> String {
    let file = write(flow).unwrap().file;
    file.into_iter().map(char::from).collect()
}

/// The violations of the advance once its file is changed by hand.
fn after(from: &str, to: &str) -> Vec<Violation> {
    let text = as_text(&advance());
    assert!(text.contains(from), "{from} is not in the file");
    let bytes: Vec<u8> = text
        .replacen(from, to, 1)
        .chars()
        .map(|c| c as u8)
        .collect();
    validate(&bytes)
}

#[test]
fn the_dainville_advance_is_the_file_that_was_agreed() {
    assert_golden("dainville-acompte.xml", &advance());
}

#[test]
fn a_correction_slip_names_the_line_that_it_corrects() {
    assert_golden("dainville-annulation.xml", &correction());
}

#[test]
fn the_same_values_give_the_same_bytes() {
    assert_eq!(write(&advance()), write(&advance()));
}

#[test]
fn what_is_cut_is_told() {
    let written = write(&advance()).unwrap();
    let told: Vec<_> = written
        .warnings
        .iter()
        .map(|warning| (warning.field.as_str(), warning.reason))
        .collect();
    assert_eq!(
        told,
        [(
            "PES_Aller/PES_DepenseAller/Bordereau[1]/Piece[1]/LigneDePiece[1]/Tiers/CpteBancaire/TitCpte",
            "TRUNCATED"
        )]
    );
}

#[test]
fn a_long_name_goes_on_in_its_complement_and_a_longer_one_is_refused() {
    let mut flow = advance();
    let name = |flow: &mut Flow, name: &str| {
        flow.slips[0].pieces[0].lines[0].payee.name = name.to_owned();
    };
    name(
        &mut flow,
        "Association intercommunale pour l'accès aux droits sociaux",
    );
    let text = as_text(&flow);
    assert!(
        text.contains("<Nom V=\"Association intercommunale pour\"/>"),
        "{text}"
    );
    assert!(
        text.contains("<ComplNom V=\"l&apos;accès aux droits sociaux\"/>"),
        "{text}"
    );
    name(&mut flow, &"A".repeat(77));
    assert_eq!(reasons(&refused(&flow)), [("ComplNom", "LENGTH")]);
    name(&mut flow, &"A".repeat(76));
    assert!(write(&flow).is_ok());
}

#[test]
fn sums_and_counts_are_those_of_the_orders() {
    let mut flow = advance();
    let mut second = piece("2");
    second.lines[0].amount = Money::from_cents(1);
    flow.slips[0].pieces.push(second);
    let text = as_text(&flow);
    assert!(text.contains("<NbrPce V=\"2\"/>"));
    assert!(text.contains("<MtBordHT V=\"9200.01\"/>"));
}

#[test]
fn every_fault_is_told_at_once_with_its_place() {
    let mut flow = advance();
    flow.authority.posting_office = "62".to_owned();
    flow.authority.collectivity_code = "1234".to_owned();
    let second = piece("1");
    flow.slips[0].pieces.push(second);
    flow.slips[0].pieces[1].lines[0].nature = "65-73".to_owned();
    let found = refused(&flow);
    assert_eq!(
        reasons(&found),
        [
            ("IdPost", "DIGITS"),
            ("CodCol", "WORD"),
            ("Nature", "WORD"),
            ("Piece[2]", "PIECE_TWICE"),
        ]
    );
    let nature = "PES_Aller/PES_DepenseAller/Bordereau[1]/Piece[2]/LigneDePiece[1]/BlocLignePiece/InfoLignePce/Nature";
    assert_eq!(found[2].field, nature);
    assert!(
        found
            .iter()
            .all(|violation| violation.text.fr != violation.text.en)
    );
}

#[test]
fn what_cannot_be_written_is_refused_and_says_where() {
    let mut flow = advance();
    flow.slips[0].pieces[0].object = "acompte 漢".to_owned();
    let found = refused(&flow);
    assert_eq!(reasons(&found), [("Obj", "UNREPRESENTABLE")]);
    assert!(
        found[0].text.fr.contains("n° 9 (U+6F22)"),
        "{}",
        found[0].text.fr
    );
}

#[test]
fn a_slip_has_orders_an_order_has_lines_and_a_flow_has_slips() {
    let mut flow = advance();
    flow.slips[0].pieces[0].lines.clear();
    let found = refused(&flow);
    assert_eq!(
        reasons(&found),
        [
            ("MtBordHT", "AMOUNT"),
            ("LigneDePiece", "MISSING"),
            ("Bordereau[1]", "SLIP_TOTAL")
        ]
    );
    flow.slips.clear();
    assert_eq!(reasons(&refused(&flow)), [("Bordereau", "MISSING")]);
}

#[test]
fn a_total_beyond_what_an_amount_holds_is_refused() {
    let mut flow = advance();
    flow.slips[0].pieces.push(piece("2"));
    for piece in &mut flow.slips[0].pieces {
        piece.lines[0].amount = Money::MAX;
    }
    assert_eq!(reasons(&refused(&flow)), [("MtBordHT", "MONEY_RANGE")]);
}

#[test]
fn orders_go_on_a_budget_year_until_the_end_of_january() {
    let mut flow = advance();
    for (day, accepted) in [
        (date!(2025 - 01 - 01), true),
        (date!(2024 - 12 - 31), false),
        (date!(2025 - 12 - 31), true),
        (date!(2026 - 01 - 31), true),
        (date!(2026 - 02 - 01), false),
    ] {
        flow.slips[0].date = day;
        assert_eq!(write(&flow).is_ok(), accepted, "{day}");
    }
}

#[test]
fn a_correction_corrects_and_an_ordinary_slip_does_not() {
    let mut flow = correction();
    let corrected = flow.slips[0].pieces[0].lines[0].corrects.take();
    assert_eq!(
        reasons(&refused(&flow)),
        [("LigneDePiece[1]", "CORRECTED_LINE")]
    );
    let mut flow = advance();
    flow.slips[0].pieces[0].lines[0].corrects = corrected;
    assert_eq!(
        reasons(&refused(&flow)),
        [("LigneDePiece[1]", "CORRECTED_LINE")]
    );
}

#[test]
fn numbers_are_used_once() {
    let mut flow = advance();
    let mut twin = flow.slips[0].clone();
    twin.pieces[0].id = "2".to_owned();
    flow.slips.push(twin);
    assert_eq!(reasons(&refused(&flow)), [("Bordereau[2]", "SLIP_TWICE")]);
}

#[test]
fn a_file_changed_by_hand_breaks_a_rule() {
    let rules = [
        ("ISO-8859-1", "UTF-16", ("PES_Aller", "XML_ENCODING")),
        ("Rev0/aller", "Rev1/aller", ("PES_Aller", "ROOT")),
        ("<Version V=\"2\"/>", "", ("Version", "MISSING")),
        (
            "<TypFic V=\"PESALR2\"/>",
            "<TypFic V=\"PESALR1\"/>",
            ("TypFic", "CODE"),
        ),
        (
            "<DteStr V=\"2025-10-20\"/>",
            "<DteStr V=\"2025-02-30\"/>",
            ("DteStr", "DATE_NOT_REAL"),
        ),
        (
            "<IdColl V=\"20003357900018\"",
            "<IdColl V=\"20003357900019\"",
            ("IdColl", "SIRET_CHECKSUM"),
        ),
        ("<IdVer V=\"2\"/>", "<IdVer/>", ("IdVer", "VALUE")),
        (
            "<IdVer V=\"2\"/>",
            "<IdVer V=\"2\"/><IdVer V=\"2\"/>",
            ("IdVer", "REPEATED"),
        ),
        (
            "<IdVer V=\"2\"/>",
            "<Other V=\"2\"/><IdVer V=\"2\"/>",
            ("Other", "UNEXPECTED"),
        ),
        (
            "<IdVer V=\"2\"/>",
            "<IdVer V=\"2\"><Deep><Deeper/></Deep></IdVer>",
            ("Deep", "UNEXPECTED"),
        ),
        (
            "<IdVer V=\"2\"/>",
            "<IdVer V=\"2\">two</IdVer>",
            ("IdVer", "TEXT"),
        ),
        (
            "<NbrPce V=\"1\"/>",
            "<NbrPce V=\"2\"/>",
            ("Bordereau[1]", "PIECE_COUNT"),
        ),
        (
            "<MtHT V=\"9200.00\"/>",
            "<MtHT V=\"9200.01\"/>",
            ("Bordereau[1]", "SLIP_TOTAL"),
        ),
        (
            "<TypPce V=\"01\"/>",
            "<TypPce V=\"02\"/>",
            ("Piece[1]", "PIECE_KIND"),
        ),
        (
            "<IBAN V=\"FR90",
            "<IBAN V=\"FR91",
            ("IBAN", "IBAN_CHECKSUM"),
        ),
        (
            "<CatTiers V=\"23\"/>",
            "<CatTiers V=\"99\"/>",
            ("CatTiers", "CODE"),
        ),
        ("</Piece>", "", ("PES_Aller", "XML_MALFORMED")),
    ];
    for (from, to, (place, reason)) in rules {
        let found = after(from, to);
        let told = reasons(&found);
        assert!(told.contains(&(place, reason)), "{from} -> {to}: {told:?}");
    }
    let order = after(
        "<NatIdTiers V=\"01\"/>",
        "<Nom V=\"A\"/><NatIdTiers V=\"01\"/>",
    );
    assert!(
        reasons(&order).contains(&("NatIdTiers", "ORDER")),
        "{order:?}"
    );
}

#[test]
fn faults_beyond_the_limit_are_not_told() {
    let strange = "<X/>".repeat(MAX_VIOLATIONS + 1);
    let found = after("<Enveloppe>", &format!("{strange}<Enveloppe>"));
    assert_eq!(found.len(), MAX_VIOLATIONS);
}
