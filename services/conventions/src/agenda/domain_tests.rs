use nonrecours_kernel::{BudgetYear, Money};
use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::convention::party::Party;

const ID: &str = "0198b2e6-c000-7abc-8def-0123456789ab";

fn convention(signature: Date) -> ConventionFacts {
    ConventionFacts {
        name: format!("operators/{ID}/conventions/{ID}").parse().unwrap(),
        title: "Convention 2025".into(),
        budget_year: BudgetYear::new(2025).unwrap(),
        signature,
        indicative_end: None,
        report_due: date!(2025 - 12 - 31),
        reported: false,
        owes_accounts: false,
        due: Money::from_cents(1_150_000),
        paid: Money::from_cents(920_000),
        unpublished: true,
    }
}

fn days(facts: &Facts, today: Date, until: Date) -> Vec<(Date, Kind, bool)> {
    let found = due(facts, today, until).into_iter();
    found.map(|it| (it.date, it.kind, it.overdue)).collect()
}

#[test]
fn a_convention_has_its_report_its_publication_and_its_budget_year() {
    // Signed at the end of November: three months later is the last day of February.
    let facts = Facts {
        conventions: vec![convention(date!(2025 - 11 - 30))],
        ..Facts::default()
    };
    let today = date!(2026 - 01 - 01);
    assert_eq!(
        days(&facts, today, date!(2026 - 12 - 31)),
        [
            (date!(2025 - 12 - 31), Kind::ActivityReport, true),
            (date!(2025 - 12 - 31), Kind::BudgetYearEnd, true),
            (date!(2026 - 01 - 31), Kind::LastPaymentOrder, false),
            (date!(2026 - 02 - 28), Kind::GrantPublication, false),
        ]
    );
    assert_eq!(days(&facts, today, date!(2025 - 12 - 30)), []);
    // On the day itself nothing is overdue yet.
    assert!(
        days(&facts, date!(2025 - 12 - 31), date!(2025 - 12 - 31))
            .iter()
            .all(|it| !it.2)
    );
    let done = Facts {
        conventions: vec![ConventionFacts {
            reported: true,
            unpublished: false,
            paid: Money::from_cents(1_150_000),
            ..convention(date!(2025 - 11 - 30))
        }],
        ..Facts::default()
    };
    assert_eq!(days(&done, today, Date::MAX), []);
}

#[test]
fn an_act_is_called_to_mind_until_it_is_transmitted_and_published() {
    let act = |transmitted, published| ActFacts {
        name: format!("operators/{ID}/conventions/{ID}/acts/{ID}")
            .parse()
            .unwrap(),
        party: Party::Operator,
        act_id: "062-216202630-20250929-25D045-DE".into(),
        decision: date!(2024 - 02 - 14),
        transmitted,
        published,
    };
    let of = |act| Facts {
        acts: vec![act],
        ..Facts::default()
    };
    let day = date!(2024 - 02 - 29);
    assert_eq!(
        days(&of(act(false, false)), day, day),
        [
            (day, Kind::ActTransmission, false),
            (day, Kind::ActPublication, false)
        ]
    );
    assert_eq!(
        days(&of(act(true, false)), day, day),
        [(day, Kind::ActPublication, false)]
    );
    assert_eq!(days(&of(act(true, true)), day, day), []);
}

#[test]
fn accounts_are_due_six_months_after_the_year_and_the_indicative_end_while_in_force() {
    let facts = |reported| Facts {
        conventions: vec![ConventionFacts {
            indicative_end: Some(date!(2025 - 12 - 31)),
            owes_accounts: true,
            unpublished: false,
            due: Money::ZERO,
            paid: Money::ZERO,
            reported,
            ..convention(date!(2025 - 11 - 30))
        }],
        ..Facts::default()
    };
    let day = date!(2026 - 06 - 30);
    assert_eq!(
        days(&facts(false), day, day),
        [
            (date!(2025 - 12 - 31), Kind::ActivityReport, true),
            (date!(2025 - 12 - 31), Kind::IndicativeEnd, true),
            (day, Kind::FinancialReport, false),
        ]
    );
    // Handed in, the report has its accounts with it.
    assert_eq!(
        days(&facts(true), day, day),
        [(date!(2025 - 12 - 31), Kind::IndicativeEnd, true)]
    );
}

#[test]
fn a_commitment_is_called_to_mind_until_it_is_due_or_evidenced() {
    let of = |evidenced| Facts {
        commitments: vec![CommitmentFacts {
            name: format!("operators/{ID}/conventions/{ID}/commitments/{ID}")
                .parse()
                .unwrap(),
            text: "Tenir les permanences.".into(),
            due: date!(2024 - 03 - 30),
            reminder: date!(2024 - 02 - 29),
            evidenced,
        }],
        ..Facts::default()
    };
    let (reminder, due) = (date!(2024 - 02 - 29), date!(2024 - 03 - 30));
    assert_eq!(
        days(&of(false), date!(2024 - 02 - 29), due),
        [
            (reminder, Kind::CommitmentReminder, false),
            (due, Kind::Commitment, false)
        ]
    );
    // On the day itself it is due, and there is nothing left to remind of.
    assert_eq!(days(&of(false), due, due), [(due, Kind::Commitment, false)]);
    assert_eq!(
        days(&of(true), reminder, Date::MAX),
        [(due, Kind::Commitment, false)]
    );
    let late = due + Duration::DAY;
    assert_eq!(days(&of(true), late, late), [(due, Kind::Commitment, true)]);
}

#[test]
fn notices_hearings_cases_and_associations_have_their_days() {
    let title = || "Convention 2025".to_owned();
    let facts = Facts {
        notices: vec![NoticeFacts {
            name: format!("operators/{ID}/conventions/{ID}/formalNotices/{ID}")
                .parse()
                .unwrap(),
            title: title(),
            party: Party::Authority,
            sent: date!(2025 - 10 - 15),
            deadline: date!(2025 - 10 - 30),
        }],
        hearings: vec![HearingFacts {
            name: format!("operators/{ID}/conventions/{ID}/hearings/{ID}")
                .parse()
                .unwrap(),
            title: title(),
            convened: date!(2025 - 11 - 03),
        }],
        cases: vec![CaseFacts {
            budget: format!("operators/{ID}/conventions/{ID}/budget")
                .parse()
                .unwrap(),
            title: title(),
            opened: date!(2025 - 10 - 05),
        }],
        associations: vec![AssociationFacts {
            name: format!("operators/{ID}").parse().unwrap(),
            legal_name: "Les Passerelles".into(),
            since: date!(2025 - 12 - 20),
        }],
        ..Facts::default()
    };
    assert_eq!(
        days(&facts, date!(2025 - 11 - 01), Date::MAX),
        [
            (date!(2025 - 10 - 30), Kind::FormalNotice, true),
            (date!(2025 - 11 - 03), Kind::Hearing, false),
            (date!(2025 - 11 - 04), Kind::DeviationCase, false),
            (date!(2026 - 01 - 04), Kind::RepublicanCommitment, false),
        ]
    );
}

proptest! {
    /// Looking further shows more, never less, in order; what is overdue is what lies before today.
    #[test]
    fn a_longer_agenda_begins_as_the_shorter_one(
        offsets in prop::collection::vec(0..800_i64, 0..10),
        (today, until, more) in (0..800_i64, 0..800_i64, 0..400_i64),
    ) {
        let day = |days| date!(2025 - 01 - 01) + Duration::days(days);
        let facts = Facts {
            conventions: offsets.into_iter().map(|days| convention(day(days))).collect(),
            ..Facts::default()
        };
        let (short, long) = (
            due(&facts, day(today), day(until)),
            due(&facts, day(today), day(until + more)),
        );
        prop_assert_eq!(&long[..short.len()], short.as_slice());
        prop_assert!(long.is_sorted_by_key(|it| it.date));
        prop_assert!(long.iter().all(|it| it.overdue == (it.date < day(today))));
    }
}
