use nonrecours_contracts::followup::{AmountUnit, EntitlementState, JourneyState, record::Content};
use nonrecours_kernel::Money;
use nonrecours_rpc::convert::{date as wire_date, money};
use time::macros::date;

use super::*;
use crate::import::layout::Layout;

fn row(sheet: &str, cells: &[(&str, Cell)]) -> Result<Record, Vec<Fault>> {
    let layout = Layout::standard().unwrap();
    let sheet = &layout.sheets[layout.sheet(sheet).unwrap()];
    let headings: Vec<String> = sheet.columns.iter().map(|it| it.heading.clone()).collect();
    let bound = Bound::to(sheet, headings.clone()).unwrap();
    let mut row = vec![Cell::Empty; headings.len()];
    for (heading, cell) in cells {
        let place = headings.iter().position(|known| known == heading).unwrap();
        row[place] = cell.clone();
    }
    read(sheet, &bound, &row)
}

fn said(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

#[test]
fn a_person_is_read_as_people_write() {
    let read = row(
        "Personnes",
        &[
            ("Référence", said("P-1")),
            ("Nom de naissance", said("Lefèvre")),
            ("Téléphone", Cell::Number(Decimal::from(612_345_678))),
            ("Commune", Cell::Number(Decimal::from(1004))),
            ("Public cible", said("séniors ; HABITANT")),
            ("Public cible (2)", said("Séniors")),
            ("Date de repérage", Cell::Number(Decimal::from(45_936))),
            ("Étape du parcours", said("en accompagnement")),
        ],
    )
    .unwrap();
    assert_eq!(read.external_reference, "P-1");
    let Some(Content::Beneficiary(person)) = read.content else {
        panic!("no person")
    };
    assert_eq!(person.publics, ["SENIOR", "HABITANT"]);
    assert_eq!(person.commune_code, "01004");
    assert_eq!(person.state(), JourneyState::InSupport);
    assert_eq!(
        wire_date(person.spotted_date.as_ref()).unwrap(),
        date!(2025 - 10 - 06)
    );
    let identity = person.identity.unwrap();
    assert_eq!(
        (identity.birth_name.as_str(), identity.phone.as_str()),
        ("Lefèvre", "0612345678")
    );
}

#[test]
fn an_identity_nobody_filled_in_is_left_as_it_is() {
    let read = row("Personnes", &[("Référence", said("P-1"))]).unwrap();
    let Some(Content::Beneficiary(person)) = read.content else {
        panic!("no person")
    };
    assert_eq!(person.identity, None);
}

#[test]
fn amounts_and_dates_are_read_in_every_usual_form() {
    for (written, cents) in [
        (said("1 234,50 €"), 123_450),
        (said("1.234,5"), 123_450),
        (said("184.5"), 18_450),
        (said("1\u{202f}200 EUR"), 120_000),
        (Cell::Number(Decimal::new(1845, 1)), 18_450),
    ] {
        let read = row(
            "Droits",
            &[("Référence", said("D")), ("Montant", written.clone())],
        )
        .unwrap();
        let Some(Content::Entitlement(right)) = read.content else {
            panic!("no right")
        };
        assert_eq!(
            money(right.amount.as_ref()).unwrap(),
            Money::from_cents(cents),
            "{written:?}"
        );
    }
    for written in [
        "6/10/2025",
        "06/10/2025 00:00:00",
        "2025-10-06",
        "2025-10-06T00:00:00",
        "06.10.2025",
    ] {
        assert_eq!(
            super::date(&said(written)).unwrap(),
            date!(2025 - 10 - 06),
            "{written}"
        );
    }
    for wrong in ["31/02/2025", "06/10/25", "octobre", "10/2025"] {
        assert_eq!(
            super::date(&said(wrong)).unwrap_err().reason,
            "DATE_FORMAT",
            "{wrong}"
        );
    }
}

#[test]
fn every_fault_of_a_row_is_told_with_its_column() {
    let faults = row(
        "Droits",
        &[
            ("État du droit", said("en cours")),
            ("Montant", said("beaucoup")),
            ("Le montant est versé", said("par mois")),
            ("Date de dépôt", said("hier")),
            ("Droit", Cell::Error("#REF!".to_owned())),
            (
                "Raison du non-recours",
                said("x".repeat(MAX_TEXT + 1).as_str()),
            ),
        ],
    )
    .unwrap_err();
    let told: Vec<_> = faults
        .iter()
        .map(|it| (it.heading.as_str(), it.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("Droit", "FORMULA_ERROR"),
            ("État du droit", "UNKNOWN_CODE"),
            ("Montant", "MONEY_FORMAT"),
            ("Date de dépôt", "DATE_FORMAT"),
            ("Raison du non-recours", "TEXT_TOO_LONG"),
        ]
    );
    assert!(
        faults[1].sentence.contains("Demande déposée"),
        "{}",
        faults[1].sentence
    );
}

#[test]
fn a_social_security_number_is_found_in_any_cell_and_not_repeated() {
    let nir = "1 85 02 62 263 001 48";
    for cell in [
        said(nir),
        Cell::Number(Decimal::from(1_850_262_263_001_i64)),
    ] {
        for heading in ["Référence", "Nom d'usage", "Téléphone"] {
            let faults = row("Personnes", &[(heading, cell.clone())]).unwrap_err();
            assert_eq!(faults[0].reason, "NIR_FORBIDDEN");
            assert!(
                !faults[0].sentence.contains("263"),
                "{}",
                faults[0].sentence
            );
        }
    }
}

#[test]
fn lists_take_labels_and_codes() {
    for (state, unit) in [
        ("Droit ouvert", "Par an"),
        ("OPENED", "annual"),
        ("droit  OUVERT", "par an"),
    ] {
        let cells = [
            ("État du droit", said(state)),
            ("Le montant est versé", said(unit)),
        ];
        let read = row("Droits", &cells).unwrap();
        let Some(Content::Entitlement(right)) = read.content else {
            panic!("no right")
        };
        assert_eq!(
            (right.state(), right.amount_unit()),
            (EntitlementState::Opened, AmountUnit::Annual)
        );
    }
    let local = row(
        "Droits",
        &[("Droit", said("local:200033579:aide-mobilite"))],
    )
    .unwrap();
    let Some(Content::Entitlement(right)) = local.content else {
        panic!("no right")
    };
    assert_eq!(right.right, "local:200033579:aide-mobilite");
}
