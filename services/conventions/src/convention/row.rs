//! A convention's row, and what it says in the domain.

use nonrecours_kernel::{ConventionName, FrameworkConventionName, Id};
use nonrecours_pg::Error;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    domain::{Completion, Convention, Execution, Plan, Recovered, Signature, State},
    measures::{Cause, Ground, Measures, Termination},
    party::{ByParty, Party},
    targets::Targets,
    terms::{Commitment, InstalmentKind, Instalments, Originals, Signatory, Terms},
};
use crate::stored::{budget_year, damaged, money, one_of};

/// A row of terms, with what else stands in it: all columns by their names.
macro_rules! row_of_terms {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)*
            pub(crate) programme_id: Uuid,
            pub(crate) framework_convention_id: Uuid,
            pub(crate) title: String,
            pub(crate) budget_year: i16,
            pub(crate) grant_amount: Decimal,
            pub(crate) instalment_kinds: Vec<String>,
            pub(crate) instalment_shares: Vec<Decimal>,
            pub(crate) instalment_conditions: Vec<Option<String>>,
            pub(crate) instalment_due_dates: Vec<Option<Date>>,
            pub(crate) advance_without_call: bool,
            pub(crate) originals: i16,
            pub(crate) target_publics: Vec<String>,
            pub(crate) objectives: Vec<String>,
            pub(crate) commitment_codes: Vec<String>,
            pub(crate) commitment_texts: Vec<String>,
            pub(crate) targets: Vec<i32>,
            pub(crate) indicative_end_date: Date,
            pub(crate) authority_signatory_name: Option<String>,
            pub(crate) authority_signatory_capacity: Option<String>,
            pub(crate) authority_decision_date: Option<Date>,
            pub(crate) operator_signatory_name: Option<String>,
            pub(crate) operator_signatory_capacity: Option<String>,
            pub(crate) operator_decision_date: Option<Date>,
        }

        impl $name {
            /// The terms in the row.
            pub(crate) fn terms(self) -> Result<$crate::convention::terms::Terms, nonrecours_pg::Error> {
                $crate::convention::row::terms($crate::convention::row::TermsRow {
                    programme_id: self.programme_id,
                    framework_convention_id: self.framework_convention_id,
                    title: self.title,
                    budget_year: self.budget_year,
                    grant_amount: self.grant_amount,
                    instalment_kinds: self.instalment_kinds,
                    instalment_shares: self.instalment_shares,
                    instalment_conditions: self.instalment_conditions,
                    instalment_due_dates: self.instalment_due_dates,
                    advance_without_call: self.advance_without_call,
                    originals: self.originals,
                    target_publics: self.target_publics,
                    objectives: self.objectives,
                    commitment_codes: self.commitment_codes,
                    commitment_texts: self.commitment_texts,
                    targets: self.targets,
                    indicative_end_date: self.indicative_end_date,
                    authority_signatory_name: self.authority_signatory_name,
                    authority_signatory_capacity: self.authority_signatory_capacity,
                    authority_decision_date: self.authority_decision_date,
                    operator_signatory_name: self.operator_signatory_name,
                    operator_signatory_capacity: self.operator_signatory_capacity,
                    operator_decision_date: self.operator_decision_date,
                })
            }
        }
    };
}
pub(crate) use row_of_terms;

/// The columns of terms.
pub(crate) struct TermsRow {
    pub(crate) programme_id: Uuid,
    pub(crate) framework_convention_id: Uuid,
    pub(crate) title: String,
    pub(crate) budget_year: i16,
    pub(crate) grant_amount: Decimal,
    pub(crate) instalment_kinds: Vec<String>,
    pub(crate) instalment_shares: Vec<Decimal>,
    pub(crate) instalment_conditions: Vec<Option<String>>,
    pub(crate) instalment_due_dates: Vec<Option<Date>>,
    pub(crate) advance_without_call: bool,
    pub(crate) originals: i16,
    pub(crate) target_publics: Vec<String>,
    pub(crate) objectives: Vec<String>,
    pub(crate) commitment_codes: Vec<String>,
    pub(crate) commitment_texts: Vec<String>,
    pub(crate) targets: Vec<i32>,
    pub(crate) indicative_end_date: Date,
    pub(crate) authority_signatory_name: Option<String>,
    pub(crate) authority_signatory_capacity: Option<String>,
    pub(crate) authority_decision_date: Option<Date>,
    pub(crate) operator_signatory_name: Option<String>,
    pub(crate) operator_signatory_capacity: Option<String>,
    pub(crate) operator_decision_date: Option<Date>,
}

row_of_terms! {
    /// A convention.
    Row {
        operator_id: Uuid,
        convention_id: Uuid,
        renewed_from_id: Option<Uuid>,
        state: String,
        authority_sign_time: Option<OffsetDateTime>,
        authority_signed_by: Option<String>,
        operator_sign_time: Option<OffsetDateTime>,
        operator_signed_by: Option<String>,
        in_force_time: Option<OffsetDateTime>,
        version: i32,
        engaged_amount: Decimal,
        accepted_report_id: Option<Uuid>,
        completion_date: Option<Date>,
        settle_time: Option<OffsetDateTime>,
        plan_revision: i64,
        paid_amount: Decimal,
        plan_settled: bool,
        recovery_claimed_amount: Decimal,
        recovered_amount: Decimal,
        recovery_written_off_amount: Decimal,
        suspended: bool,
        reduced_amount: Option<Decimal>,
        recover_amount: Decimal,
        open_disputes: i32,
        termination_date: Option<Date>,
        termination_ground: Option<String>,
        termination_notice_id: Option<Uuid>,
        termination_decision_id: Option<Uuid>,
        termination_due_amount: Option<Decimal>,
        revision: i64,
        create_time: OffsetDateTime,
        update_time: OffsetDateTime,
    }
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
            terms: row.terms()?,
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
        version: row.version,
        engaged: money(row.engaged_amount)?,
        plan: Plan {
            revision: row.plan_revision,
            paid: money(row.paid_amount)?,
            settled: row.plan_settled,
            recovered: Recovered {
                claimed: money(row.recovery_claimed_amount)?,
                received: money(row.recovered_amount)?,
                written_off: money(row.recovery_written_off_amount)?,
            },
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

/// What the columns say.
pub(crate) fn terms(row: TermsRow) -> Result<Terms, Error> {
    let commitments = row.commitment_codes.into_iter().zip(row.commitment_texts);
    Ok(Terms {
        framework_convention: FrameworkConventionName {
            programme: Id::from_uuid(row.programme_id),
            framework_convention: Id::from_uuid(row.framework_convention_id),
        },
        title: row.title,
        budget_year: budget_year(row.budget_year)?,
        grant: money(row.grant_amount)?,
        instalments: instalments(
            row.instalment_kinds,
            row.instalment_shares,
            row.instalment_conditions,
            row.instalment_due_dates,
        )?,
        advance_without_call: row.advance_without_call,
        originals: Originals::new(i32::from(row.originals)).map_err(damaged)?,
        target_publics: row.target_publics,
        objectives: row.objectives,
        commitments: commitments
            .map(|(code, text)| Commitment { code, text })
            .collect(),
        targets: targets(&row.targets)?,
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

/// Targets from their column.
pub(crate) fn targets(numbers: &[i32]) -> Result<Targets, Error> {
    match *numbers {
        [spotted, supported, opened] => Targets::new(spotted, supported, opened).map_err(damaged),
        _ => Err(damaged("targets")),
    }
}

/// Instalments from their columns, one entry each.
pub(crate) fn instalments(
    kinds: Vec<String>,
    shares: Vec<Decimal>,
    conditions: Vec<Option<String>>,
    due_dates: Vec<Option<Date>>,
) -> Result<Instalments, Error> {
    let instalments = kinds
        .into_iter()
        .zip(shares)
        .zip(conditions)
        .zip(due_dates)
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
    Instalments::new(instalments).map_err(damaged)
}

/// A signatory from its columns.
pub(crate) fn signatory(
    name: Option<String>,
    capacity: Option<String>,
    decision: Option<Date>,
) -> Option<Signatory> {
    Some(Signatory {
        full_name: name?,
        capacity: capacity?,
        empowering_decision: decision,
    })
}
