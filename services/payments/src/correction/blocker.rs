//! What keeps an order from being corrected, as people read it.

use nonrecours_kernel::{Blocker, BudgetYear, InstalmentName, Money};

use crate::slip::{Order, Stage};

/// Not taken in charge: why depends on where it is.
pub(super) fn not_in_charge(name: &InstalmentName, last: Option<&Order>) -> Blocker {
    let fr = match last.map(|order| order.stage) {
        None => {
            "Cette échéance n'a pas de mandat chez le comptable : il n'y a rien à corriger par un bordereau."
        }
        Some(Stage::FlowRejected | Stage::Rejected) => {
            "Ce mandat a été rejeté par le comptable : il n'y a rien à annuler, il peut être émis de nouveau."
        }
        Some(Stage::Cancelled) => "Ce mandat est déjà annulé.",
        Some(_) => {
            "Ce mandat n'est pas encore pris en charge : demandez son rejet au comptable, ou attendez la prise en charge."
        }
    };
    Blocker::new(
        "ORDER_NOT_IN_CHARGE",
        name.to_string(),
        "The order is not taken in charge by the accountant.",
        fr,
    )
}

/// Paid.
pub(super) fn paid(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "ORDER_PAID",
        name.to_string(),
        "The order is paid: what was not due is claimed back by a recovery.",
        "Ce mandat est payé : ce qui n'était pas dû se réclame par un titre de recette, non par une annulation.",
    )
}

/// At a bank.
pub(super) fn by_bank(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "ORDER_BY_BANK",
        name.to_string(),
        "The order is at a bank, which takes no corrections: recall the transfer there.",
        "Ce virement est à la banque, qui ne connaît pas de bordereau d'annulation : demandez-lui son rappel.",
    )
}

/// One waits already.
pub(super) fn open(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "CORRECTION_OPEN",
        name.to_string(),
        "A correction of the order waits for the accountant's answer.",
        "Une correction de ce mandat attend déjà la réponse du comptable.",
    )
}

/// Nothing would be left.
pub(super) fn too_high(name: &InstalmentName, left: Money) -> Blocker {
    Blocker::new(
        "REDUCTION_TOO_HIGH",
        name.to_string(),
        format!("The reduction must stay below what remains of the order, {left}: or cancel it."),
        format!(
            "La réduction doit rester inférieure à ce qui reste du mandat, {} : sinon, annulez-le.",
            left.french()
        ),
    )
}

/// Posted under other codes.
pub(super) fn other_codes(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "ORDER_OTHER_CODES",
        name.to_string(),
        "The order was posted under another version of the codes: correct it in a slip of its own.",
        "Ce mandat a été émis sous une autre version des codes d'imputation : corrigez-le dans un bordereau à part.",
    )
}

/// Its year is closed.
pub(super) fn year_closed(name: &InstalmentName, year: BudgetYear) -> Blocker {
    Blocker::new(
        "BUDGET_YEAR_CLOSED",
        name.to_string(),
        format!(
            "The last day of orders on the budget year {year} has passed: claim the sum back once it is paid."
        ),
        format!(
            "L'exercice {year} est clos depuis le 31 janvier : un mandat de cet exercice ne se corrige plus. Une fois payé, ce \
             qui n'était pas dû se réclame par un titre de recette."
        ),
    )
}

/// Who called or certified it corrects it.
pub(super) fn duties(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "SEPARATION_OF_DUTIES",
        name.to_string(),
        "Who called or certified a payment does not correct its order.",
        "Vous avez appelé ou certifié cette échéance : une autre personne doit en corriger le mandat.",
    )
}
