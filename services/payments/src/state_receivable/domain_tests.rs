//! Whatever is claimed, received and reversed, in any order: no more comes than is due, and the books say so.

use nonrecours_kernel::{ProgrammeId, StateFundingId};
use proptest::prelude::*;
use time::{
    Duration,
    macros::{date, datetime},
};
use uuid::Uuid;

use super::*;
use crate::ledger_entry::Account;

const NOW: OffsetDateTime = datetime!(2025-10-07 08:00 UTC);

fn claim(revision: i64, cents: [i64; 2], report_sent: Option<Date>) -> Claim {
    let part = |cents, expected| Part {
        amount: Money::from_cents(cents),
        expected,
    };
    Claim {
        name: StateReceivableName {
            programme: ProgrammeId::from_uuid(Uuid::from_u128(1)),
            state_receivable: StateFundingId::from_uuid(Uuid::from_u128(2)),
        },
        revision,
        terms: Terms {
            budget_year: BudgetYear::new(2025).unwrap(),
            agreement_reference: "C-2025-17".to_owned(),
            advance: part(cents[0], date!(2025 - 03 - 31)),
            balance: part(cents[1], date!(2026 - 06 - 30)),
        },
        report_sent,
    }
}

fn step(time: OffsetDateTime) -> Step {
    Step {
        actor: "accountant".to_owned(),
        actor_name: String::new(),
        time,
    }
}

fn receive(cents: i64, date: Date, reference: u8) -> Command {
    Command::Receive {
        amount: Money::from_cents(cents),
        date,
        reference: format!("AC-{reference}"),
        evidence: Evidence {
            file_name: "avis.pdf".to_owned(),
            digest: Digest::of(&[reference]),
        },
    }
}

#[derive(Clone, Debug)]
enum Happening {
    Receive(i64, i64, u8),
    Reverse(u8),
    Told(i64, bool),
    Days(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (1..1_500_i64, -400..40_i64, 0..6_u8)
            .prop_map(|(cents, day, reference)| Happening::Receive(cents, day, reference)),
        (0..6_u8).prop_map(Happening::Reverse),
        (1..9_i64, any::<bool>()).prop_map(|(revision, sent)| Happening::Told(revision, sent)),
        (0..60_i64).prop_map(Happening::Days),
    ]
}

/// Balance of an account.
fn balance(books: &[Entry], account: Account) -> i64 {
    let moved = |entry: &Entry| {
        let sign = i64::from(entry.movement.debit() == account)
            - i64::from(entry.movement.credit() == account);
        sign * entry.amount.cents()
    };
    books.iter().map(moved).sum()
}

proptest! {
    /// Whatever is told and asked, in whatever order, twice or too late: the books balance, each figure is what they say,
    /// and never more has come than is due.
    #[test]
    fn what_the_state_owes_is_conserved(
        advance in 0..1_000_i64,
        balance_of in 1..1_000_i64,
        sent_at_once: bool,
        happenings in prop::collection::vec(happening(), 0..60),
    ) {
        let mut now = NOW;
        let told = |revision, sent: bool| claim(revision, [advance, balance_of], sent.then_some(date!(2025 - 10 - 01)));
        let (mut receivable, entry) = told(1, sent_at_once).open(now).unwrap();
        let mut books: Vec<_> = entry.into_iter().collect();
        for happening in happenings {
            let before = receivable.clone();
            match happening {
                Happening::Days(days) => now += Duration::days(days),
                Happening::Told(revision, sent) => match receivable.learn(&told(revision, sent), now).unwrap() {
                    Learned::Stale => {}
                    Learned::Seen(next) => receivable = next,
                    Learned::Due(next, entry) => {
                        prop_assert_eq!(next.revision, before.revision + 1);
                        receivable = next;
                        books.push(entry);
                    }
                },
                Happening::Receive(cents, day, reference) => {
                    let date = paris_date(now) + Duration::days(day);
                    if let Ok(Some((next, entry))) = receivable.take(receive(cents, date, reference), step(now)) {
                        receivable = next;
                        books.push(entry);
                    }
                }
                Happening::Reverse(reference) => {
                    let command = Command::Reverse { reference: format!("AC-{reference}"), reason: "erreur".to_owned() };
                    if let Ok(Some((next, entry))) = receivable.take(command, step(now)) {
                        receivable = next;
                        books.push(entry);
                    }
                }
            }
            prop_assert!(receivable.revision >= before.revision);
            prop_assert!(before.report_sent.is_none() || receivable.report_sent.is_some());
            let (due, received) = (receivable.due().cents(), receivable.received().cents());
            prop_assert_eq!(receivable.booked, Booked { due: receivable.due(), received: receivable.received() });
            prop_assert!(0 <= received && received <= due && due <= receivable.terms.grant().cents());
            prop_assert_eq!(balance(&books, Account::StateGrant), -due);
            prop_assert_eq!(balance(&books, Account::Treasury), received);
            prop_assert_eq!(balance(&books, Account::StateReceivable), receivable.outstanding().cents());
            prop_assert_eq!(Account::ALL.map(|account| balance(&books, account)).iter().sum::<i64>(), 0);
            let parts = receivable.received_by_part();
            prop_assert_eq!(Money::sum(parts), Some(receivable.received()));
            for ((kind, part), received) in receivable.terms.parts().into_iter().zip(parts) {
                prop_assert!(received <= part.amount);
                prop_assert!(receivable.is_due(kind) || received.is_zero());
            }
        }
    }
}

#[test]
fn each_refusal_has_its_cause() {
    let (receivable, entry) = claim(1, [800, 200], None).open(NOW).unwrap();
    assert_eq!(entry.map(|entry| entry.amount.cents()), Some(800));
    let take = |receivable: &StateReceivable, command| receivable.take(command, step(NOW));
    let day = date!(2025 - 10 - 06);
    let exceeded = take(&receivable, receive(801, day, 1));
    assert_eq!(exceeded, Err(Refusal::Exceeded(Money::from_cents(800))));
    for day in [date!(2024 - 12 - 31), date!(2025 - 10 - 08)] {
        let refused = take(&receivable, receive(1, day, 1));
        assert!(matches!(refused, Err(Refusal::DateOutOfRange { .. })));
    }
    let (received, _) = take(&receivable, receive(500, day, 1)).unwrap().unwrap();
    assert_eq!(take(&received, receive(500, day, 1)), Ok(None));
    assert_eq!(take(&received, receive(300, day, 1)), Err(Refusal::Known));
    let reverse = |reference: &str| Command::Reverse {
        reference: reference.to_owned(),
        reason: "erreur".to_owned(),
    };
    assert_eq!(take(&received, reverse("AC-2")), Err(Refusal::Unknown));
    let (mut reversed, _) = take(&received, reverse("AC-1")).unwrap().unwrap();
    assert_eq!(take(&reversed, reverse("AC-1")), Err(Refusal::Unknown));
    // A reference that was taken back is free again.
    (reversed, _) = take(&reversed, receive(300, day, 1)).unwrap().unwrap();
    assert_eq!(reversed.received().cents(), 300);
    while reversed.receipts.len() < MAX_RECEIPTS {
        let place = u8::try_from(reversed.receipts.len()).unwrap();
        (reversed, _) = take(&reversed, receive(1, day, place)).unwrap().unwrap();
    }
    assert_eq!(take(&reversed, receive(1, day, 200)), Err(Refusal::Full));
    let other = claim(2, [700, 300], None);
    assert_eq!(receivable.learn(&other, NOW), Err(Mismatch::Terms));
    assert_eq!(claim(1, [0, 0], None).open(NOW), Err(Mismatch::Terms));
}
