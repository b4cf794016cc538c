//! What keeps an instalment out of a slip, as people read it.

use nonrecours_kernel::{Blocker, BudgetYear, InstalmentName};

/// Not ordered, or paid.
pub(super) fn not_ordered(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "INSTALMENT_NOT_ORDERED",
        name.to_string(),
        "The payment is not ordered, or is paid already.",
        "Le paiement de cette échéance n'est pas ordonné, ou il est déjà fait : retirez-la du bordereau, ou faites-la \
         d'abord ordonner.",
    )
}

/// In another slip.
pub(super) fn in_slip(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "ORDER_IN_SLIP",
        name.to_string(),
        "The order is in a slip already.",
        "Ce mandat figure déjà dans un bordereau qui n'a pas été rejeté : retirez-le de celui-ci.",
    )
}

/// Of another programme.
pub(crate) fn other_programme(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "ORDER_OTHER_PROGRAMME",
        name.to_string(),
        "The convention is of another programme, or it is not known of which.",
        "Cette échéance relève d'un autre programme, ou son programme n'est pas encore connu : vérifiez la convention.",
    )
}

/// Of another budget year.
pub(crate) fn other_year(name: &InstalmentName, due: Option<BudgetYear>) -> Blocker {
    let (en, fr) = match due {
        Some(year) => (
            format!("The order goes on the budget year {year}."),
            format!(
                "Ce mandat s'impute aujourd'hui sur l'exercice {year} : changez l'exercice du bordereau."
            ),
        ),
        None => (
            "The budget year of the convention has not begun.".to_owned(),
            "L'exercice de cette convention n'est pas commencé : attendez le 1er janvier."
                .to_owned(),
        ),
    };
    Blocker::new("ORDER_OTHER_YEAR", name.to_string(), en, fr)
}

/// Payee not identified.
pub(super) fn unidentified(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "PAYEE_UNIDENTIFIED",
        name.to_string(),
        "SIRET and category of the payee are not known: save the operator again.",
        "Le SIRET et la catégorie du bénéficiaire ne sont pas connus ici : enregistrez à nouveau la fiche de l'opérateur.",
    )
}

/// No codes for the payee.
pub(super) fn codes_missing(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "POSTING_CODES_MISSING",
        name.to_string(),
        "The programme has no posting codes for payees of this category.",
        "Le programme n'a pas de codes d'imputation pour cette catégorie de bénéficiaire : l'ordonnateur les enregistre.",
    )
}

/// A difference waits.
pub(crate) fn difference_open(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "DIFFERENCE_OPEN",
        name.to_string(),
        "A difference stated by the accountant waits to be settled.",
        "Un écart relevé dans un retour du comptable attend d'être réglé : faites-le régler d'abord.",
    )
}

/// Its account ended.
pub(super) fn account_changed(name: &InstalmentName) -> Blocker {
    Blocker::new(
        "ACCOUNT_CHANGED",
        name.to_string(),
        "The account was superseded or revoked: say to which approved account it is paid.",
        "Le compte de ce mandat a été remplacé ou révoqué : indiquez le compte approuvé à payer, puis émettez le bordereau.",
    )
}
