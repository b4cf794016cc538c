//! Whatever files say of an order, in any order and any number of times.

use nonrecours_kernel::{ConventionId, InstalmentId, InstalmentName, Money, OperatorId};
use nonrecours_pes::PieceState;
use proptest::prelude::*;
use time::{Date, macros::date};
use uuid::Uuid;

use super::{Heard, Paid, Returned, Statement, hear};
use crate::slip::{Order, Reason, Stage};

const ORDERED: Money = Money::from_cents(920_000);
const DAY: Date = date!(2025 - 11 - 03);

fn transmitted() -> Order {
    Order {
        instalment: InstalmentName {
            operator: OperatorId::from_uuid(Uuid::from_u128(1)),
            convention: ConventionId::from_uuid(Uuid::from_u128(2)),
            instalment: InstalmentId::from_uuid(Uuid::from_u128(3)),
        },
        attempt: 1,
        piece: 7,
        amount: ORDERED,
        reduced: Money::ZERO,
        returned: Money::ZERO,
        stage: Stage::Transmitted,
        taken_in_charge: false,
        reason: Reason::default(),
        payment_date: None,
        return_date: None,
    }
}

fn reason() -> Reason {
    Reason {
        code: "5301".to_owned(),
        text: "Compte inconnu".to_owned(),
    }
}

fn statement() -> impl Strategy<Value = Statement> {
    let verdict = prop::option::of(prop_oneof![Just(Ok(())), Just(Err(reason()))]);
    let state = prop::option::of(
        prop::sample::select(vec![
            PieceState::Pending,
            PieceState::TakenInCharge,
            PieceState::Rejected,
            PieceState::Settled,
        ])
        .prop_map(|state| (state, reason())),
    );
    let amounts = vec![Some(ORDERED), Some(Money::from_cents(1)), None];
    let returned =
        prop::option::of(
            prop::sample::select(amounts.clone()).prop_map(|amount| Returned {
                amount,
                date: DAY,
                reason: reason(),
            }),
        );
    let paid = prop::option::of(
        prop::sample::select(amounts).prop_map(|amount| Paid { amount, date: DAY }),
    );
    let anomaly = prop::option::of(Just(reason()));
    (verdict, anomaly, state, paid, returned).prop_map(
        |(verdict, anomaly, state, paid, returned)| Statement {
            verdict,
            anomaly,
            state,
            paid,
            returned,
        },
    )
}

/// The order after a statement, its payment confirmed.
fn after(heard: Heard) -> Order {
    match heard.paid {
        Some(day) => heard.next.pay(day),
        None => heard.next,
    }
}

proptest! {
    #[test]
    fn an_order_never_goes_back_and_ends_once(said in prop::collection::vec(statement(), 1..12)) {
        let mut order = transmitted();
        for statement in said {
            let heard = hear(&order, &statement);
            let diverges = heard.divergence.is_some();
            let ended = order.stage.rejected() || order.stage == Stage::Paid;
            let next = after(heard);
            // Money that comes back undoes a payment, and nothing else does.
            let undone = order.stage == Stage::Paid && next.return_date.is_some();
            prop_assert!(undone || next.stage >= order.stage);
            prop_assert!(undone || !ended || next == order, "{order:?} -> {next:?}");
            prop_assert!(order.return_date.is_none() || next == order);
            prop_assert!(next.return_date.is_none() || (next.stage == Stage::Rejected && next.taken_in_charge));
            prop_assert!(!order.taken_in_charge || next.taken_in_charge);
            // What the table's constraints hold as well.
            prop_assert_eq!(next.payment_date.is_some(), next.stage == Stage::Paid);
            prop_assert!(next.taken_in_charge || !matches!(next.stage, Stage::TakenInCharge | Stage::Paid));
            prop_assert!(!next.taken_in_charge || next.stage >= Stage::TakenInCharge);
            // Another amount is never accepted in silence.
            if let Some(paid) = statement.paid {
                let known = next.stage == Stage::Paid || next.return_date.is_some();
                prop_assert!((known && paid.amount == Some(ORDERED)) || diverges);
            }
            if let Some(returned) = &statement.returned {
                let back = next.return_date.is_some() && returned.amount == Some(ORDERED);
                prop_assert!(back || diverges);
            }
            order = next;
        }
    }

    #[test]
    fn what_is_said_twice_does_nothing_more(before in prop::collection::vec(statement(), 0..4), said in statement()) {
        let mut order = transmitted();
        for statement in before {
            order = after(hear(&order, &statement));
        }
        let once = after(hear(&order, &said));
        prop_assert_eq!(after(hear(&once, &said)), once);
    }
}

#[test]
fn a_rejection_keeps_the_number_only_before_the_order_was_taken_in_charge() {
    let rejected = Statement {
        state: Some((PieceState::Rejected, reason())),
        ..Statement::default()
    };
    let before = after(hear(&transmitted(), &rejected));
    assert_eq!(
        (before.stage, before.keeps_number()),
        (Stage::Rejected, true)
    );
    let charged = Statement {
        state: Some((PieceState::TakenInCharge, Reason::default())),
        ..Statement::default()
    };
    let charged = after(hear(&transmitted(), &charged));
    let after_it = after(hear(&charged, &rejected));
    assert_eq!(
        (after_it.stage, after_it.keeps_number()),
        (Stage::Rejected, false)
    );
    assert_eq!(after_it.reason, reason());
}
