//! The next step of an instalment, and what stands in its way: what, by which rule, and who can lift it.

use nonrecours_kernel::{BankAccountName, Blocker, BudgetYear, ConventionName, Money, Role, Text};

use super::{DocumentKind, Instalment, Kind, Stage};
use crate::payment_plan::{Cause, PaymentPlan};

/// The step that an instalment waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The operator's call for funds.
    Call,
    /// The certification of the service done.
    Certify,
    /// The order to pay.
    Order,
    /// The confirmation of the transfer.
    Confirm,
}

/// What stands in the way of the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle<'a> {
    /// A decision suspends the payments (art. 8).
    Suspended,
    /// The convention is terminated (art. 7 and 8).
    Terminated,
    /// With this instalment more would be paid than a decision leaves (art. 8).
    Reduced {
        /// What it leaves.
        due: Money,
    },
    /// The actions of a balance are not done (art. 6).
    ActionsNotCompleted,
    /// An earlier instalment is not paid.
    EarlierUnpaid(&'a Instalment, Next),
    /// It is cancelled itself.
    Cancelled(Cause),
    /// The last day of orders on its budget year has passed.
    YearClosed(BudgetYear),
    /// Something that justifies it is missing.
    DocumentMissing(&'a Instalment, DocumentKind),
    /// Nobody but who entered its account has looked at that.
    AccountNotApproved(&'a Instalment),
    /// Its account was superseded or revoked since the call.
    AccountChanged(&'a Instalment),
    /// A correction of its order waits for the accountant: so much would be taken off.
    CorrectionOpen(&'a Instalment, Money),
}

impl Next {
    /// What an instalment of this plan waits for; nothing once it is PAID or CANCELLED.
    pub fn of(instalment: &Instalment, plan: &PaymentPlan) -> Option<Self> {
        match instalment.state.stage() {
            Stage::Planned if instalment.kind == Kind::Advance && plan.advance_without_call => {
                Some(Self::Certify)
            }
            Stage::Planned => Some(Self::Call),
            Stage::Called => Some(Self::Certify),
            Stage::Certified => Some(Self::Order),
            Stage::Ordered => Some(Self::Confirm),
            Stage::Paid | Stage::Cancelled => None,
        }
    }

    /// Who makes it.
    pub const fn role(self) -> Role {
        match self {
            Self::Call => Role::OperatorManager,
            Self::Certify => Role::ProgrammeOfficer,
            Self::Order => Role::AuthorisingOfficer,
            Self::Confirm => Role::Accountant,
        }
    }

    /// The rule that asks for it.
    pub const fn basis(self) -> &'static str {
        match self {
            Self::Call => "convention, art. 6",
            Self::Certify => "décret n° 2012-1246, art. 31",
            Self::Order => "décret n° 2012-1246, art. 32",
            Self::Confirm => "décret n° 2012-1246, art. 33",
        }
    }

    /// What is waited for, as the end of a sentence.
    pub const fn awaited(self) -> (&'static str, &'static str) {
        match self {
            Self::Call => (
                "the operator's call for funds",
                "l'appel de fonds de l'opérateur",
            ),
            Self::Certify => (
                "the certification by a programme officer",
                "la certification du service fait par un chargé de programme",
            ),
            Self::Order => (
                "the order of the authorising officer",
                "le mandat de l'ordonnateur",
            ),
            Self::Confirm => (
                "the transfer confirmed by the accountant",
                "la confirmation du virement par le comptable",
            ),
        }
    }
}

impl Obstacle<'_> {
    /// What, for whoever wants to make the step.
    pub fn blocker(&self, convention: &ConventionName) -> Blocker {
        let of_convention = |reason, text: Text| Blocker {
            reason,
            subject: convention.to_string(),
            text,
        };
        match *self {
            Self::Suspended => of_convention(
                "CONVENTION_SUSPENDED",
                Text::new(
                    "A decision suspends the payments: the authorising officer decides when they go on.",
                    "Une décision suspend les paiements (art. 8) : ils reprennent sur décision de l'ordonnateur.",
                ),
            ),
            Self::Terminated => of_convention(
                "CONVENTION_TERMINATED",
                Text::new(
                    "The convention is terminated: nothing more is called, certified or ordered.",
                    "La convention est résiliée : aucune échéance n'est plus appelée, certifiée ni ordonnée.",
                ),
            ),
            Self::Reduced { due } => of_convention(
                "GRANT_REDUCED",
                Text::new(
                    format!(
                        "The grant is reduced to {due}: with this instalment more would be paid."
                    ),
                    format!(
                        "La subvention est réduite à {} (art. 8) : cette échéance la dépasserait avec les sommes déjà \
                         versées.",
                        due.french()
                    ),
                ),
            ),
            Self::ActionsNotCompleted => of_convention(
                "ACTIONS_NOT_COMPLETED",
                Text::new(
                    "The actions are not recorded as completed: the operator hands in its report, and the programme \
                     officer accepts it and records the completion.",
                    "Le solde est dû après réalisation des actions (art. 6) : l'opérateur remet son bilan, puis le \
                     chargé de programme l'accepte et constate l'achèvement des actions.",
                ),
            ),
            Self::EarlierUnpaid(earlier, next) => {
                let (position, kind) = (earlier.position, earlier.kind.french());
                let (en, fr) = next.awaited();
                Blocker::new(
                    "EARLIER_INSTALMENT_UNPAID",
                    earlier.name.to_string(),
                    format!("Instalment {position} is not paid: it waits for {en}."),
                    format!(
                        "L'échéance n° {position} ({kind}) n'est pas payée : elle attend {fr}."
                    ),
                )
            }
            Self::YearClosed(year) => of_convention(
                "BUDGET_YEAR_CLOSED",
                Text::new(
                    format!(
                        "The last day of orders on the budget year {year} has passed: the year is closed first, which carries \
                         the convention over."
                    ),
                    format!(
                        "Les mandats sur l'exercice {year} s'arrêtaient au 31 janvier : l'ordonnateur clôt l'exercice, ce qui \
                         reporte la convention sur le suivant."
                    ),
                ),
            ),
            Self::Cancelled(Cause::Amendment) => of_convention(
                "TERMS_AMENDED",
                Text::new(
                    "An amendment has left nothing of this instalment: see the other instalments of the plan.",
                    "Un avenant n'a rien laissé à cette échéance : reportez-vous aux autres échéances du plan.",
                ),
            ),
            Self::Cancelled(Cause::Decision) => of_convention(
                "GRANT_REDUCED",
                Text::new(
                    "A decision that reduces the grant has left nothing of this instalment.",
                    "La décision qui réduit la subvention (art. 8) n'a rien laissé à cette échéance.",
                ),
            ),
            Self::DocumentMissing(instalment, kind) => {
                let (en, fr) = kind.called();
                Blocker::new(
                    "DOCUMENT_MISSING",
                    instalment.name.to_string(),
                    format!("A supporting document is missing: {en}."),
                    format!(
                        "Il manque une pièce justificative : {fr}. Déposez le fichier sous la convention, puis joignez-le à \
                         l'échéance."
                    ),
                )
            }
            Self::AccountNotApproved(instalment) => Blocker::new(
                "ACCOUNT_NOT_APPROVED",
                account(instalment),
                "The account is not approved: another person than who entered it looks at its RIB and approves it.",
                "Le compte à payer n'est pas approuvé : une autre personne que celle qui l'a saisi vérifie le RIB et \
                 l'approuve.",
            ),
            Self::CorrectionOpen(instalment, amount) => Blocker::new(
                "CORRECTION_OPEN",
                instalment.name.to_string(),
                format!("A correction of the order by {amount} waits for the accountant's answer."),
                format!(
                    "Une correction du mandat, de {}, attend la réponse du comptable : le paiement en dépend.",
                    amount.french()
                ),
            ),
            Self::AccountChanged(instalment) => Blocker::new(
                "ACCOUNT_CHANGED",
                account(instalment),
                "The account was superseded or revoked since the call: say to which approved account it is paid.",
                "Le compte a été remplacé ou révoqué depuis l'appel de fonds : l'opérateur, ou le chargé de programme, \
                 indique le compte approuvé à payer.",
            ),
        }
    }

    /// The rule behind it.
    pub const fn basis(&self) -> &'static str {
        match self {
            Self::Suspended | Self::Reduced { .. } | Self::Cancelled(Cause::Decision) => {
                "convention, art. 8"
            }
            Self::Terminated => "convention, art. 7 et 8",
            Self::ActionsNotCompleted => "convention, art. 6 et 8",
            Self::EarlierUnpaid(..) => "convention, art. 6",
            Self::Cancelled(Cause::Amendment) => "avenant à la convention",
            Self::YearClosed(_) => "CGCT, art. L. 1612-11",
            Self::DocumentMissing(..) => "CGCT, art. D. 1617-19 et annexe I (décret n° 2016-33)",
            Self::CorrectionOpen(..) => "décret n° 2012-1246, art. 32 et 33",
            Self::AccountNotApproved(_) => "décret n° 2012-1246, art. 9",
            Self::AccountChanged(_) => "convention, art. 6 ; décret n° 2012-1246, art. 20",
        }
    }

    /// Whether it is about papers alone: the sum is due all the same.
    pub const fn is_formal(&self) -> bool {
        matches!(
            self,
            Self::DocumentMissing(..) | Self::AccountNotApproved(_) | Self::AccountChanged(_)
        )
    }

    /// Who has a part in lifting it; nobody: it is there to stay.
    pub fn lifted_by(&self) -> Vec<Role> {
        match self {
            Self::Suspended | Self::Reduced { .. } | Self::YearClosed(_) => {
                vec![Role::AuthorisingOfficer]
            }
            Self::ActionsNotCompleted => vec![Role::OperatorManager, Role::ProgrammeOfficer],
            Self::EarlierUnpaid(_, next) => vec![next.role()],
            Self::DocumentMissing(..) | Self::AccountChanged(_) => {
                vec![Role::OperatorManager, Role::ProgrammeOfficer]
            }
            Self::CorrectionOpen(..) => vec![Role::Accountant],
            Self::AccountNotApproved(_) => vec![Role::ProgrammeOfficer, Role::AuthorisingOfficer],
            Self::Terminated | Self::Cancelled(_) => Vec::new(),
        }
    }
}

/// The account of an instalment; the instalment itself when it was called before accounts were kept.
fn account(instalment: &Instalment) -> String {
    let operator = instalment.name.operator;
    let account = instalment.state.account().and_then(|to| to.account);
    match account {
        Some(bank_account) => BankAccountName {
            operator,
            bank_account,
        }
        .to_string(),
        None => instalment.name.to_string(),
    }
}
