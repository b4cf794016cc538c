//! A convention's row, and what it says in the domain.

use nonrecours_kernel::{ConventionName, FrameworkConventionName, Id};
use nonrecours_pg::Error;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    domain::{Completion, Convention, Execution, Plan, Signature, State},
    measures::{Cause, Ground, Measures, Termination},
    party::{ByParty, Party},
    terms::{Commitment, InstalmentKind, Instalments, Originals, Signatory, Terms},
};
use crate::stored::{budget_year, damaged, money, one_of};

/// The columns, by their names.
pub(super) struct Row {
    pub(super) operator_id: Uuid,
    pub(super) convention_id: Uuid,
    pub(super) programme_id: Uuid,
    pub(super) framework_convention_id: Uuid,
    pub(super) title: String,
    pub(super) budget_year: i16,
    pub(super) grant_amount: Decimal,
    pub(super) instalment_kinds: Vec<String>,
    pub(super) instalment_shares: Vec<Decimal>,
    pub(super) instalment_conditions: Vec<Option<String>>,
    pub(super) instalment_due_dates: Vec<Option<Date>>,
    pub(super) advance_without_call: bool,
    pub(super) originals: i16,
    pub(super) renewed_from_id: Option<Uuid>,
    pub(super) target_publics: Vec<String>,
    pub(super) objectives: Vec<String>,
    pub(super) commitment_codes: Vec<String>,
    pub(super) commitment_texts: Vec<String>,
    pub(super) indicative_end_date: Date,
    pub(super) authority_signatory_name: Option<String>,
    pub(super) authority_signatory_capacity: Option<String>,
    pub(super) authority_decision_date: Option<Date>,
    pub(super) operator_signatory_name: Option<String>,
    pub(super) operator_signatory_capacity: Option<String>,
    pub(super) operator_decision_date: Option<Date>,
    pub(super) state: String,
    pub(super) authority_sign_time: Option<OffsetDateTime>,
    pub(super) authority_signed_by: Option<String>,
    pub(super) operator_sign_time: Option<OffsetDateTime>,
    pub(super) operator_signed_by: Option<String>,
    pub(super) in_force_time: Option<OffsetDateTime>,
    pub(super) accepted_report_id: Option<Uuid>,
    pub(super) completion_date: Option<Date>,
    pub(super) settle_time: Option<OffsetDateTime>,
    pub(super) plan_revision: i64,
    pub(super) paid_amount: Decimal,
    pub(super) plan_settled: bool,
    pub(super) suspended: bool,
    pub(super) reduced_amount: Option<Decimal>,
    pub(super) recover_amount: Decimal,
    pub(super) open_disputes: i32,
    pub(super) termination_date: Option<Date>,
    pub(super) termination_ground: Option<String>,
    pub(super) termination_notice_id: Option<Uuid>,
    pub(super) termination_decision_id: Option<Uuid>,
    pub(super) termination_due_amount: Option<Decimal>,
    pub(super) revision: i64,
    pub(super) create_time: OffsetDateTime,
    pub(super) update_time: OffsetDateTime,
}

impl TryFrom<Row> for Convention {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            name: ConventionName {
                operator: Id::from_uuid(row.operator_id),
                convention: Id::from_uuid(row.convention_id),
            },
            renewed_from: row.renewed_from_id.map(Id::from_uuid),
            state: state(&row)?,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
            terms: terms(row)?,
        })
    }
}

fn state(row: &Row) -> Result<State, Error> {
    let name = row.state.as_str();
    let signature = |time: Option<OffsetDateTime>, by: &Option<String>| {
        Some(Signature {
            time: time?,
            by: by.clone()?,
        })
    };
    let authority = signature(row.authority_sign_time, &row.authority_signed_by);
    let operator = signature(row.operator_sign_time, &row.operator_signed_by);
    let (authority, operator) = match (name, authority, operator) {
        ("DRAFT", None, None) => return Ok(State::Draft),
        ("PARTLY_SIGNED", Some(signature), None) => {
            return Ok(State::PartlySigned {
                party: Party::Authority,
                signature,
            });
        }
        ("PARTLY_SIGNED", None, Some(signature)) => {
            return Ok(State::PartlySigned {
                party: Party::Operator,
                signature,
            });
        }
        (_, Some(authority), Some(operator)) => (authority, operator),
        _ => {
            return Err(damaged(format_args!(
                "the signatures of a convention in state {name}"
            )));
        }
    };
    let execution = Execution {
        signatures: ByParty {
            authority,
            operator,
        },
        since: row
            .in_force_time
            .ok_or_else(|| damaged("a signed convention that is not in force"))?,
        plan: Plan {
            revision: row.plan_revision,
            paid: money(row.paid_amount)?,
            settled: row.plan_settled,
        },
        measures: Measures {
            suspended: row.suspended,
            reduced: row.reduced_amount.map(money).transpose()?,
            claimed: money(row.recover_amount)?,
            open_disputes: row.open_disputes,
        },
    };
    if name == "TERMINATED" {
        return Ok(State::Terminated {
            execution,
            accepted_report: row.accepted_report_id.map(Id::from_uuid),
            completed: row.completion_date,
            termination: termination(row)?,
        });
    }
    let report = row.accepted_report_id.map(Id::from_uuid);
    let completion = report
        .zip(row.completion_date)
        .map(|(report, date)| Completion { report, date });
    match (name, completion, row.settle_time) {
        ("IN_FORCE", None, None) => Ok(State::InForce {
            execution,
            accepted_report: report,
        }),
        ("COMPLETED", Some(completion), None) => Ok(State::Completed {
            execution,
            completion,
        }),
        ("SETTLED", Some(completion), Some(settled)) => Ok(State::Settled {
            execution,
            completion,
            settled,
        }),
        _ => Err(damaged(format_args!("a convention in state {name}"))),
    }
}

fn termination(row: &Row) -> Result<Termination, Error> {
    let incomplete = || damaged("a termination without its data");
    let cause = match (row.termination_notice_id, row.termination_decision_id) {
        (Some(notice), None) => {
            let ground = row.termination_ground.as_deref().unwrap_or_default();
            let ground = one_of(&Ground::ALL, Ground::as_str, ground)?;
            Cause::Notice(Id::from_uuid(notice), ground)
        }
        (None, Some(decision)) => Cause::Decision(Id::from_uuid(decision)),
        _ => return Err(incomplete()),
    };
    Ok(Termination {
        date: row.termination_date.ok_or_else(incomplete)?,
        cause,
        due: money(row.termination_due_amount.ok_or_else(incomplete)?)?,
    })
}

fn terms(row: Row) -> Result<Terms, Error> {
    let instalments = row
        .instalment_kinds
        .iter()
        .zip(row.instalment_shares)
        .zip(row.instalment_conditions)
        .zip(row.instalment_due_dates)
        .map(|(((kind, share), condition), due)| {
            let kind = match (kind.as_str(), condition) {
                ("ADVANCE", None) => InstalmentKind::Advance,
                ("INTERIM", Some(condition)) => InstalmentKind::Interim { condition, due },
                ("BALANCE", None) => InstalmentKind::Balance,
                _ => return Err(damaged(format_args!("an instalment of kind {kind}"))),
            };
            Ok((kind, share.try_into().map_err(damaged)?))
        })
        .collect::<Result<_, Error>>()?;
    let commitments = row.commitment_codes.into_iter().zip(row.commitment_texts);
    let signatory = |name: Option<String>, capacity: Option<String>, decision| {
        Some(Signatory {
            full_name: name?,
            capacity: capacity?,
            empowering_decision: decision,
        })
    };
    Ok(Terms {
        framework_convention: FrameworkConventionName {
            programme: Id::from_uuid(row.programme_id),
            framework_convention: Id::from_uuid(row.framework_convention_id),
        },
        title: row.title,
        budget_year: budget_year(row.budget_year)?,
        grant: money(row.grant_amount)?,
        instalments: Instalments::new(instalments).map_err(damaged)?,
        advance_without_call: row.advance_without_call,
        originals: Originals::new(i32::from(row.originals)).map_err(damaged)?,
        target_publics: row.target_publics,
        objectives: row.objectives,
        commitments: commitments
            .map(|(code, text)| Commitment { code, text })
            .collect(),
        indicative_end: row.indicative_end_date,
        signatories: ByParty {
            authority: signatory(
                row.authority_signatory_name,
                row.authority_signatory_capacity,
                row.authority_decision_date,
            ),
            operator: signatory(
                row.operator_signatory_name,
                row.operator_signatory_capacity,
                row.operator_decision_date,
            ),
        },
    })
}
