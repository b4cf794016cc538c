//! What becomes of a correction by what a file says of it.

use nonrecours_kernel::{Money, Text};

use super::Correction;
use crate::{
    payment_difference::Cause,
    return_file::{self, Divergence, Statement},
    slip::{Order, Stage},
};

/// Hears what a file says of a correction: what it is after that, and what does not fit. It moves as an order does, but that it
/// is never paid, and that nothing undoes what was taken in charge.
pub fn hear(correction: &Correction, said: &Statement) -> (Correction, Option<Divergence>) {
    let of_payment = said.paid.map(|_| {
        diverges(
            correction,
            "A payment is stated for a correction of the order.",
            "Un paiement est annoncé pour une pièce qui corrige ce mandat.",
        )
    });
    let without_payment = Statement {
        paid: None,
        returned: None,
        ..said.clone()
    };
    let heard = return_file::hear(&as_order(correction), &without_payment);
    let undone = correction.acceptance.is_some() && heard.next.stage != Stage::TakenInCharge;
    if undone {
        let divergence = diverges(
            correction,
            "The correction of the order is said to be rejected; it was taken in charge.",
            "La pièce qui corrige ce mandat est dite rejetée alors qu'elle avait été prise en charge.",
        );
        return (correction.clone(), Some(divergence));
    }
    let next = Correction {
        stage: heard.next.stage,
        reason: heard.next.reason,
        ..correction.clone()
    };
    (next, of_payment.or(heard.divergence))
}

/// What does not fit, told of the order that is corrected.
pub(super) fn diverges(correction: &Correction, en: &'static str, fr: &'static str) -> Divergence {
    Divergence {
        cause: Cause::State,
        text: Text::new(en, fr),
        amount: Some(correction.amount),
        date: None,
        came_back: false,
    }
}

/// It as an order, of which files speak in the same words.
fn as_order(correction: &Correction) -> Order {
    let (instalment, attempt) = correction.order;
    Order {
        instalment,
        attempt,
        piece: correction.piece,
        amount: correction.amount,
        reduced: Money::ZERO,
        returned: Money::ZERO,
        stage: correction.stage,
        taken_in_charge: correction.acceptance.is_some(),
        reason: correction.reason.clone(),
        payment_date: None,
        return_date: None,
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{ConventionId, InstalmentId, InstalmentName, OperatorId};
    use nonrecours_pes::PieceState;
    use time::macros::{date, datetime};
    use uuid::Uuid;

    use super::*;
    use crate::{correction::Acceptance, return_file::Paid, slip::Reason};

    fn correction(stage: Stage) -> Correction {
        let instalment = InstalmentName {
            operator: OperatorId::from_uuid(Uuid::from_u128(1)),
            convention: ConventionId::from_uuid(Uuid::from_u128(2)),
            instalment: InstalmentId::from_uuid(Uuid::from_u128(3)),
        };
        Correction {
            order: (instalment, 1),
            round: 1,
            corrected_piece: 7,
            piece: 8,
            amount: Money::from_cents(20_000),
            cancels: false,
            motive: "Montant erroné".to_owned(),
            stage,
            reason: Reason::default(),
            caller: None,
            certifier: "c".to_owned(),
            issuer: "o".to_owned(),
            acceptance: (stage == Stage::TakenInCharge).then(|| Acceptance {
                actor: "a".to_owned(),
                time: datetime!(2025-11-03 10:00 UTC),
            }),
        }
    }

    fn said(state: PieceState) -> Statement {
        Statement {
            state: Some((state, Reason::default())),
            ..Statement::default()
        }
    }

    #[test]
    fn it_moves_as_an_order_does() {
        for (stage, state, next) in [
            (Stage::Transmitted, PieceState::Pending, Stage::Pending),
            (
                Stage::Pending,
                PieceState::TakenInCharge,
                Stage::TakenInCharge,
            ),
            (
                Stage::Acknowledged,
                PieceState::Settled,
                Stage::TakenInCharge,
            ),
            (Stage::Pending, PieceState::Rejected, Stage::Rejected),
            (
                Stage::TakenInCharge,
                PieceState::Pending,
                Stage::TakenInCharge,
            ),
        ] {
            let (heard, divergence) = hear(&correction(stage), &said(state));
            assert_eq!(
                (heard.stage, divergence),
                (next, None),
                "{stage:?} {state:?}"
            );
        }
    }

    #[test]
    fn what_was_taken_in_charge_is_not_undone() {
        let before = correction(Stage::TakenInCharge);
        let (after, divergence) = hear(&before, &said(PieceState::Rejected));
        assert_eq!(after, before);
        assert_eq!(divergence.unwrap().cause, Cause::State);
    }

    #[test]
    fn it_is_never_paid() {
        let paid = Statement {
            paid: Some(Paid {
                amount: Some(Money::from_cents(20_000)),
                date: date!(2025 - 11 - 03),
            }),
            ..said(PieceState::Settled)
        };
        let (after, divergence) = hear(&correction(Stage::Transmitted), &paid);
        assert_eq!(after.stage, Stage::TakenInCharge);
        assert_eq!(divergence.unwrap().amount, Some(Money::from_cents(20_000)));
    }
}
