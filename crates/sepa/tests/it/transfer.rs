//! Transfers written, held against the schema of ISO 20022.

use nonrecours_kernel::Money;
use nonrecours_sepa::{Account, Order, Transfer, end_to_end_id, latin, write};
use proptest::prelude::*;
use time::macros::{date, datetime};

use crate::xsd::Schema;

const SCHEMA: &str = include_str!("schemas/pain.001.001.09.xsd");
const GOLDEN: &str = include_str!("golden/fondation.xml");

pub fn order() -> Order {
    let account = |name: &str, iban: &str, bic: &str| Account {
        name: name.to_owned(),
        iban: iban.parse().unwrap(),
        bic: bic.parse().unwrap(),
    };
    let creditor = || {
        account(
            "Commune de Dainville",
            "FR903000100152D620000000041",
            "BDFEFRPPCCT",
        )
    };
    Order {
        message_id: "FONDATION-2025-0001".to_owned(),
        create_time: datetime!(2025-10-07 11:00 +2),
        debtor: account(
            "Fondation « Bien-être & Œuvres »",
            "FR1420041010050500013M02606",
            "PSSTFRPPLIL",
        ),
        execution_date: date!(2025 - 10 - 08),
        transfers: vec![
            Transfer {
                end_to_end_id: end_to_end_id(&"0199bd78-4580-7686-bdcf-b5b611a38419"),
                amount: Money::from_cents(920_000),
                creditor: creditor(),
                remittance: "Convention de partenariat 2025 – acompte (80 %)".to_owned(),
            },
            Transfer {
                end_to_end_id: "SECOND".to_owned(),
                amount: Money::from_cents(1),
                creditor: creditor(),
                remittance: String::new(),
            },
        ],
    }
}

fn faults(order: &Order) -> Vec<String> {
    let file = String::from_utf8(write(order).unwrap().file).unwrap();
    Schema::read(SCHEMA).faults(&file)
}

#[test]
fn the_file_is_what_the_schema_wants_to_the_byte() {
    let file = String::from_utf8(write(&order()).unwrap().file).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/fondation.xml");
        std::fs::write(path, &file).unwrap();
        return;
    }
    assert_eq!(file, GOLDEN);
    assert_eq!(Schema::read(SCHEMA).faults(&file), Vec::<String>::new());
    assert!(file.contains("<NbOfTxs>2</NbOfTxs><CtrlSum>9200.01</CtrlSum>"));
    assert!(file.contains("<CreDtTm>2025-10-07T09:00:00Z</CreDtTm>"));
    assert!(file.contains("Bien-etre + OEuvres"));
    assert!(file.contains("<Ustrd>Convention de partenariat 2025 - acompte (80 .)</Ustrd>"));
}

#[test]
fn the_schema_finds_what_is_wrong() {
    let file = String::from_utf8(write(&order()).unwrap().file).unwrap();
    let schema = Schema::read(SCHEMA);
    for (from, to) in [
        ("<PmtMtd>TRF</PmtMtd>", ""),
        ("<PmtMtd>TRF</PmtMtd>", "<PmtMtd>CASH</PmtMtd>"),
        ("Ccy=\"EUR\"", ""),
        ("Ccy=\"EUR\"", "Ccy=\"euro\""),
        (">9200.00<", ">9 200<"),
        (">9200.00<", ">9200.000001<"),
        (
            "<MsgId>FONDATION-2025-0001<",
            "<MsgId>FONDATION-2025-0001-FONDATION-2025-0001<",
        ),
        ("<IBAN>FR90", "<IBAN>fr90"),
        ("<Dt>2025-10-08</Dt>", "<Dt>8/10/2025</Dt>"),
        (
            "<Dt>2025-10-08</Dt>",
            "<Dt>2025-10-08</Dt><DtTm>2025-10-08T09:00:00Z</DtTm>",
        ),
        ("<ChrgBr>", "<Autre>x</Autre><ChrgBr>"),
        ("pain.001.001.09\"", "pain.001.001.03\""),
    ] {
        assert!(file.contains(from), "{from}");
        let broken = file.replacen(from, to, 1);
        assert_ne!(schema.faults(&broken), Vec::<String>::new(), "{to}");
    }
}

#[test]
fn every_fault_of_an_order_is_told_at_once() {
    let mut order = order();
    order.message_id = "É".to_owned();
    order.debtor.name = "…".to_owned();
    order.transfers[1].end_to_end_id = order.transfers[0].end_to_end_id.clone();
    order.transfers[1].amount = Money::ZERO;
    let found = write(&order).unwrap_err();
    let fields: Vec<_> = found
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "message_id",
            "debtor.name",
            "transfers[1].end_to_end_id",
            "transfers[1].amount"
        ]
    );
    order.transfers.clear();
    assert!(write(&order).is_err());
}

#[test]
fn what_is_cut_is_told() {
    let mut order = order();
    assert_eq!(write(&order).unwrap().warnings, []);
    order.debtor.name = "F".repeat(71);
    order.transfers[1].remittance = "é".repeat(141);
    let written = write(&order).unwrap();
    let told = |field: &str| {
        let mut warnings = written.warnings.iter();
        warnings.any(|warning| (warning.field.as_str(), warning.reason) == (field, "TRUNCATED"))
    };
    assert_eq!(written.warnings.len(), 2);
    assert!(told("debtor.name") && told("transfers[1].remittance"));
}

#[test]
fn texts_are_spelt_with_what_banks_read() {
    assert_eq!(latin("  Cœur d’Été — n° 5/ ", 70), "Coeur d'Ete - n. 5");
    assert_eq!(latin("//a//b/", 70), "a/b");
    assert_eq!(latin("abcdef", 3), "abc");
    assert_eq!(latin("12 € & <tout>", 70), "12 EUR + .tout.");
    assert_eq!(latin("e\u{301}", 70), "e");
}

proptest! {
    #[test]
    fn whatever_the_texts_the_file_keeps_to_the_schema(name in ".{0,90}", remittance in ".{0,200}", cents in 1_i64..999_999_999_999) {
        let mut order = order();
        order.transfers[0].creditor.name = format!("x{name}");
        order.transfers[0].remittance = remittance;
        order.transfers[0].amount = Money::from_cents(cents);
        prop_assert_eq!(faults(&order), Vec::<String>::new());
    }
}
