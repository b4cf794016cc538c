//! Why a step of an instalment is refused.

use nonrecours_kernel::{Blocker, Invalid, Text, french_date};
use time::Date;

use super::{
    document::MAX_DOCUMENTS,
    state::{Duty, Stage},
};

/// A step that is not made, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Called already.
    NotPlanned(Stage),
    /// Not called, or certified already.
    NotCalled(Stage),
    /// Not certified, or ordered already.
    NotCertified(Stage),
    /// Not ordered, or paid already.
    NotOrdered(Stage),
    /// Something stands in the way of the call: all of it.
    CallBlocked(Vec<Blocker>),
    /// Something stands in the way of paying what was called: all of it.
    PaymentBlocked(Vec<Blocker>),
    /// It is cancelled; this is why.
    Cancelled(Vec<Blocker>),
    /// The caller has made this step already.
    SeparationOfDuties(Duty),
    /// The transfer lies outside these days, both included.
    TransferDateOutOfRange {
        /// Day of the order.
        first: Date,
        /// Today.
        last: Date,
    },
    /// An advance certified without a call needs its RIB.
    BankAccountMissing,
    /// The RIB of the call holds: another one is not accepted.
    BankAccountUnexpected,
    /// It has as many documents as it may have.
    TooManyDocuments,
    /// Its order is at the accountant's.
    RedirectionTooLate,
}

impl Refusal {
    /// Value of the contract's `ErrorReason`, without its prefix; for the two about the RIB, reason of the field.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotPlanned(_) => "INSTALMENT_NOT_PLANNED",
            Self::NotCalled(_) => "INSTALMENT_NOT_CALLED",
            Self::NotCertified(_) => "INSTALMENT_NOT_CERTIFIED",
            Self::NotOrdered(_) => "INSTALMENT_NOT_ORDERED",
            Self::CallBlocked(_) => "CALL_BLOCKED",
            Self::PaymentBlocked(_) => "PAYMENT_BLOCKED",
            Self::Cancelled(_) => "INSTALMENT_CANCELLED",
            Self::SeparationOfDuties(_) => "SEPARATION_OF_DUTIES",
            Self::TransferDateOutOfRange { .. } => "TRANSFER_DATE_OUT_OF_RANGE",
            Self::BankAccountMissing => "REQUIRED",
            Self::BankAccountUnexpected => "BANK_ACCOUNT_UNEXPECTED",
            Self::TooManyDocuments => "TOO_MANY_DOCUMENTS",
            Self::RedirectionTooLate => "REDIRECTION_TOO_LATE",
        }
    }

    /// What to tell the caller.
    pub fn text(&self) -> Text {
        match self {
            Self::NotPlanned(_) => Text::new(
                "The instalment was called already.",
                "Cette échéance a déjà été appelée ou certifiée : il n'y a rien à refaire.",
            ),
            Self::NotCalled(Stage::Planned) => Text::new(
                "The operator has not called this instalment.",
                "Cette échéance n'est pas appelée : l'opérateur doit d'abord adresser son appel de \
                 fonds et son RIB.",
            ),
            Self::NotCalled(_) => Text::new(
                "The instalment is certified already.",
                "Le service fait de cette échéance est déjà certifié : il n'y a rien à refaire.",
            ),
            Self::NotCertified(Stage::Planned | Stage::Called) => Text::new(
                "The instalment is not certified.",
                "Le service fait de cette échéance n'est pas certifié : un chargé de programme doit \
                 d'abord le certifier.",
            ),
            Self::NotCertified(_) => Text::new(
                "The payment is ordered already.",
                "Le paiement de cette échéance est déjà ordonné : il n'y a rien à refaire.",
            ),
            Self::NotOrdered(Stage::Paid) => Text::new(
                "The instalment is paid already.",
                "Cette échéance est déjà payée : ne refaites pas le virement.",
            ),
            Self::NotOrdered(_) => Text::new(
                "The payment is not ordered.",
                "Le paiement de cette échéance n'est pas ordonné : l'ordonnateur doit d'abord émettre \
                 le mandat.",
            ),
            Self::CallBlocked(_) => Text::new(
                "The instalment cannot be called yet; every blocker is listed.",
                "Cette échéance ne peut pas encore être appelée : chaque obstacle est indiqué.",
            ),
            Self::PaymentBlocked(_) => Text::new(
                "The instalment can be neither certified nor ordered; every blocker is listed.",
                "Cette échéance ne peut être ni certifiée ni ordonnée : chaque obstacle est indiqué.",
            ),
            Self::Cancelled(_) => Text::new(
                "The instalment is cancelled: nothing more happens to it.",
                "Cette échéance est annulée : elle ne donnera lieu à aucun paiement.",
            ),
            Self::SeparationOfDuties(duty) => Text::new(
                format!(
                    "You have made the {} of this instalment: another person must make this step.",
                    duty.english()
                ),
                format!(
                    "Vous avez déjà {} : cette étape revient à une autre personne (séparation des \
                     fonctions).",
                    duty.french()
                ),
            ),
            Self::TransferDateOutOfRange { first, last } => Text::new(
                format!(
                    "The transfer date must lie between {first} (the order) and {last} (today)."
                ),
                format!(
                    "La date du virement doit être comprise entre le {} (jour du mandat) et le {} \
                     (aujourd'hui).",
                    french_date(*first),
                    french_date(*last)
                ),
            ),
            Self::BankAccountMissing => Text::new(
                "this advance was not called: its bank account is needed",
                "Cette avance n'a pas été appelée : joignez le RIB de l'opérateur.",
            ),
            Self::BankAccountUnexpected => Text::new(
                "the bank account of the call holds: leave this field out",
                "Le RIB joint à l'appel de fonds fait foi : n'en indiquez pas d'autre.",
            ),
            Self::TooManyDocuments => Text::new(
                format!("An instalment has at most {MAX_DOCUMENTS} supporting documents."),
                format!(
                    "Une échéance a au plus {MAX_DOCUMENTS} pièces justificatives : réunissez-en plusieurs dans un même \
                     fichier."
                ),
            ),
            Self::RedirectionTooLate => Text::new(
                "The order is in a slip that was not rejected: the accountant pays to the account written there.",
                "Ce mandat est chez le comptable, qui paie sur le compte inscrit au bordereau : demandez-lui de le rejeter, \
                 puis changez le compte.",
            ),
        }
    }

    /// The same as the fault of a field.
    pub fn invalid(&self) -> Invalid {
        Invalid {
            reason: self.reason(),
            text: self.text(),
        }
    }
}

impl Duty {
    fn english(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Certification => "certification",
            Self::Order => "order",
            Self::Confirmation => "confirmation",
        }
    }

    fn french(self) -> &'static str {
        match self {
            Self::Call => "appelé les fonds de cette échéance",
            Self::Certification => "certifié le service fait de cette échéance",
            Self::Order => "ordonné le paiement de cette échéance",
            Self::Confirmation => "confirmé le virement de cette échéance",
        }
    }
}
