//! Why a step of a bank account is refused, or an account for a payment.

use nonrecours_kernel::Text;

/// What is not done, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Approved already, or ended.
    NotEntered,
    /// Superseded or revoked.
    Ended,
    /// Not approved.
    NotApproved,
    /// The one who entered it cannot approve it.
    OwnEntry,
}

impl Refusal {
    /// Value of the contract's `ErrorReason`, without its prefix.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotEntered => "BANK_ACCOUNT_NOT_ENTERED",
            Self::Ended => "BANK_ACCOUNT_ENDED",
            Self::NotApproved => "BANK_ACCOUNT_NOT_APPROVED",
            Self::OwnEntry => "SEPARATION_OF_DUTIES",
        }
    }

    /// What to tell the caller.
    pub fn text(self) -> Text {
        match self {
            Self::NotEntered => Text::new(
                "The account does not wait for an approval: it is approved already, superseded or revoked.",
                "Ce compte n'attend pas d'approbation : il est déjà approuvé, remplacé ou révoqué.",
            ),
            Self::Ended => Text::new(
                "The account is superseded or revoked: enter the account to be paid on.",
                "Ce compte est remplacé ou révoqué : saisissez le compte à payer, avec son RIB.",
            ),
            Self::NotApproved => Text::new(
                "The account is not approved: have it approved first.",
                "Ce compte n'est pas approuvé : faites-le approuver d'abord par une autre personne que celle qui l'a saisi.",
            ),
            Self::OwnEntry => Text::new(
                "You have entered this account: another person must approve it.",
                "Vous avez saisi ce compte : une autre personne doit l'approuver (séparation des fonctions).",
            ),
        }
    }
}
