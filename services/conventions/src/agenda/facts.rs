//! What an agenda goes by.

use nonrecours_kernel::{
    ActName, BudgetName, BudgetYear, CommitmentName, ConventionName, FormalNoticeName, HearingName,
    Money, OperatorName,
};
use time::Date;

use crate::{convention::party::Party, state_funding::domain::StateFunding};

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Conventions signed by both parties.
    pub conventions: Vec<ConventionFacts>,
    /// Acts that are not transmitted, or not published.
    pub acts: Vec<ActFacts>,
    /// What the State funds.
    pub fundings: Vec<StateFunding>,
    /// Formal notices sent whose end is not recorded, under conventions that run.
    pub notices: Vec<NoticeFacts>,
    /// Commitments that are not done, under conventions that run.
    pub commitments: Vec<CommitmentFacts>,
    /// Hearings convened whose outcome is not recorded.
    pub hearings: Vec<HearingFacts>,
    /// Deviation cases open, under conventions that run.
    pub cases: Vec<CaseFacts>,
    /// Associations with a convention, drafted or running, that have not signed the contrat d'engagement républicain.
    pub associations: Vec<AssociationFacts>,
}

/// What is known of a convention signed by both parties.
#[derive(Clone, Debug)]
pub struct ConventionFacts {
    /// Which.
    pub name: ConventionName,
    /// Title.
    pub title: String,
    /// Budget year.
    pub budget_year: BudgetYear,
    /// Day of the second signature.
    pub signature: Date,
    /// Its indicative end, while it is in force.
    pub indicative_end: Option<Date>,
    /// Day by which its report is due by the programme's calendar, else its indicative end.
    pub report_due: Date,
    /// Whether a report is handed in or accepted.
    pub reported: bool,
    /// Whether its operator owes a financial report.
    pub owes_accounts: bool,
    /// What is due to the operator in all.
    pub due: Money,
    /// Paid.
    pub paid: Money,
    /// Whether its grant is to be published by whoever asks, and is not.
    pub unpublished: bool,
}

/// What is known of an act.
#[derive(Clone, Debug)]
pub struct ActFacts {
    /// Which.
    pub name: ActName,
    /// Party it empowers.
    pub party: Party,
    /// Its number.
    pub act_id: String,
    /// Day of the decision.
    pub decision: Date,
    /// Whether it was transmitted.
    pub transmitted: bool,
    /// Whether it was published or notified.
    pub published: bool,
}

/// What is known of a formal notice.
#[derive(Clone, Debug)]
pub struct NoticeFacts {
    /// Which.
    pub name: FormalNoticeName,
    /// Title of the convention.
    pub title: String,
    /// Party that gave notice.
    pub party: Party,
    /// Day on which it was sent.
    pub sent: Date,
    /// Last day of its delay.
    pub deadline: Date,
}

/// What is known of a commitment.
#[derive(Clone, Debug)]
pub struct CommitmentFacts {
    /// Which.
    pub name: CommitmentName,
    /// As the convention words it.
    pub text: String,
    /// Day by which it is kept.
    pub due: Date,
    /// Day from which the operator is reminded of it.
    pub reminder: Date,
    /// Whether evidence awaits its validation.
    pub evidenced: bool,
}

/// What is known of a hearing.
#[derive(Clone, Debug)]
pub struct HearingFacts {
    /// Which.
    pub name: HearingName,
    /// Title of the convention.
    pub title: String,
    /// Day on which the operator is asked to come.
    pub convened: Date,
}

/// What is known of a deviation case.
#[derive(Clone, Debug)]
pub struct CaseFacts {
    /// Budget that deviates.
    pub budget: BudgetName,
    /// Title of the convention.
    pub title: String,
    /// Day on which it was opened.
    pub opened: Date,
}

/// What is known of an association.
#[derive(Clone, Debug)]
pub struct AssociationFacts {
    /// Which.
    pub name: OperatorName,
    /// Legal name.
    pub legal_name: String,
    /// Day on which the oldest of its open conventions was drafted.
    pub since: Date,
}
