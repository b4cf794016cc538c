//! Inspections, hearings and decisions (art. 8).

use clap::{Subcommand, ValueEnum};
use nonrecours_contracts::conventions::{
    CloseInspectionRequest, CreateDecisionRequest, CreateHearingRequest, CreateInspectionRequest,
    Decision, DecisionKind, Hearing, HearingOutcome, Inspection, RecordHearingRequest,
};
use nonrecours_kernel::{Money, Role};
use nonrecours_rpc::convert::to_money;

use super::{ask, day_or_today, request_id};
use crate::{ask::client_as, state::State};

/// How a hearing ended.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Outcome {
    /// The operator was heard.
    Held,
    /// It refused to attend.
    Refused,
}

/// What is decided.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Measure {
    /// Lower the grant.
    Reduce,
    /// Suspend the payments.
    Suspend,
    /// Let them go on.
    Resume,
    /// Claim back.
    Recover,
    /// End the convention.
    Terminate,
}

/// What is done to control a convention. Days are e.g. 2025-10-15; left out, they are today.
#[derive(Clone, Debug, Subcommand)]
pub enum Controls {
    /// Open an inspection.
    Open {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
        /// What is inspected.
        #[arg(long)]
        subject: String,
        /// Day.
        #[arg(long)]
        on: Option<String>,
    },
    /// Close an inspection with its findings.
    Close {
        /// `operators/{operator}/conventions/{convention}/inspections/{inspection}`.
        name: String,
        /// What was found.
        #[arg(long)]
        findings: String,
        /// Day.
        #[arg(long)]
        on: Option<String>,
    },
    /// Ask the operator to come and be heard.
    Convene {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
        /// What it is heard about.
        #[arg(long)]
        subject: String,
        /// Day of the hearing.
        #[arg(long)]
        on: Option<String>,
        /// The inspection that led to it.
        #[arg(long, default_value = "")]
        inspection: String,
    },
    /// Record that the operator was heard, or refused to be.
    Hear {
        /// `operators/{operator}/conventions/{convention}/hearings/{hearing}`.
        name: String,
        /// Which of the two.
        #[arg(long, value_enum, default_value = "held")]
        outcome: Outcome,
        /// What was said, or how attendance was refused.
        #[arg(long)]
        minutes: String,
        /// Day.
        #[arg(long)]
        on: Option<String>,
    },
    /// Decide, as the authorising officer, once the operator was heard.
    Decide {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
        /// What.
        #[arg(value_enum)]
        measure: Measure,
        /// The hearing that went before.
        #[arg(long)]
        hearing: String,
        /// Motives.
        #[arg(long)]
        motives: String,
        /// Amount in euros, to reduce to or to claim back, e.g. 9200.00.
        #[arg(long)]
        amount: Option<String>,
        /// Day.
        #[arg(long)]
        on: Option<String>,
    },
}

/// Does it, and gives the name of what was written.
pub async fn run(state: &State, command: Controls) -> anyhow::Result<String> {
    let officer = client_as(state, Role::ProgrammeOfficer)?;
    Ok(match command {
        Controls::Open {
            convention,
            subject,
            on,
        } => {
            let request = CreateInspectionRequest {
                parent: convention,
                inspection: Some(Inspection {
                    subject,
                    open_date: Some(day_or_today(on.as_deref())?),
                    ..Inspection::default()
                }),
                request_id: request_id(),
            };
            ask!(officer.inspections(), create_inspection, request)?.name
        }
        Controls::Close { name, findings, on } => {
            let request = CloseInspectionRequest {
                name,
                findings,
                close_date: Some(day_or_today(on.as_deref())?),
                request_id: request_id(),
                ..CloseInspectionRequest::default()
            };
            ask!(officer.inspections(), close_inspection, request)?.name
        }
        Controls::Convene {
            convention,
            subject,
            on,
            inspection,
        } => {
            let request = CreateHearingRequest {
                parent: convention,
                hearing: Some(Hearing {
                    subject,
                    convened_date: Some(day_or_today(on.as_deref())?),
                    inspection,
                    ..Hearing::default()
                }),
                request_id: request_id(),
            };
            ask!(officer.hearings(), create_hearing, request)?.name
        }
        Controls::Hear {
            name,
            outcome,
            minutes,
            on,
        } => {
            let request = RecordHearingRequest {
                name,
                outcome: match outcome {
                    Outcome::Held => HearingOutcome::Held,
                    Outcome::Refused => HearingOutcome::Refused,
                }
                .into(),
                outcome_date: Some(day_or_today(on.as_deref())?),
                minutes,
                request_id: request_id(),
                ..RecordHearingRequest::default()
            };
            ask!(officer.hearings(), record_hearing, request)?.name
        }
        Controls::Decide {
            convention,
            measure,
            hearing,
            motives,
            amount,
            on,
        } => {
            let amount = amount
                .map(|amount| Money::parse(&amount))
                .transpose()
                .map_err(|invalid| anyhow::anyhow!("{}", invalid.text.fr))?;
            let request = CreateDecisionRequest {
                parent: convention,
                decision: Some(Decision {
                    kind: kind(measure).into(),
                    motives,
                    decision_date: Some(day_or_today(on.as_deref())?),
                    amount: amount.map(to_money),
                    hearing,
                    ..Decision::default()
                }),
                request_id: request_id(),
            };
            let deciding = client_as(state, Role::AuthorisingOfficer)?;
            ask!(deciding.decisions(), create_decision, request)?.name
        }
    })
}

const fn kind(measure: Measure) -> DecisionKind {
    match measure {
        Measure::Reduce => DecisionKind::Reduce,
        Measure::Suspend => DecisionKind::Suspend,
        Measure::Resume => DecisionKind::Resume,
        Measure::Recover => DecisionKind::Recover,
        Measure::Terminate => DecisionKind::Terminate,
    }
}
