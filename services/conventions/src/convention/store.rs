//! Conventions in the database: one row each.

use nonrecours_kernel::{
    ConventionName, Money, OperatorId, OperatorName, ProgrammeName, Siren, Siret, Text,
};
use nonrecours_pg::{self as pg, All as _, Tx};
use nonrecours_rpc::Failure;
use rust_decimal::Decimal;
use time::Date;
use uuid::Uuid;

use super::{
    domain::Convention,
    measures::Cause,
    party::{ByParty, Party},
    row::Row,
    signing::Circumstances,
    terms::{Signatory, Terms},
};
use crate::{
    act,
    error::Error,
    operator::domain::Category,
    programme::{
        self,
        domain::{Envelope, Weight},
    },
    stored::{budget_year, damaged, money, one_of, parse},
};

/// Reads rows of conventions. All columns are named for the sake of one, whose type the database does not tell.
macro_rules! rows {
    ($condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"SELECT operator_id, convention_id, programme_id, framework_convention_id, title, budget_year,
                      grant_amount, instalment_kinds, instalment_shares AS "instalment_shares: Vec<Decimal>",
                      instalment_conditions AS "instalment_conditions: Vec<Option<String>>",
                      instalment_due_dates AS "instalment_due_dates: Vec<Option<Date>>",
                      originals, renewed_from_id, advance_without_call, target_publics, objectives, commitment_codes, commitment_texts,
                      targets, indicative_end_date, authority_signatory_name, authority_signatory_capacity,
                      authority_decision_date, operator_signatory_name, operator_signatory_capacity,
                      operator_decision_date, state, authority_sign_time, authority_signed_by, operator_sign_time,
                      operator_signed_by, in_force_time, version, engaged_amount, accepted_report_id, completion_date, settle_time,
                      plan_revision, paid_amount, plan_settled, recovery_claimed_amount, recovered_amount,
                      recovery_written_off_amount, suspended, reduced_amount, recover_amount, open_disputes, termination_date,
                      termination_ground, termination_notice_id, termination_decision_id, termination_due_amount,
                      revision, create_time, update_time
               FROM convention "# + $condition,
            $($argument),+
        )
    };
}

/// Adds a draft. Refuses a second renewal of one convention.
pub async fn insert(tx: &mut Tx, convention: &Convention) -> Result<(), Error> {
    let terms = TermsColumns::of(&convention.terms);
    let inserted = sqlx::query!(
        "INSERT INTO convention (operator_id, convention_id, programme_id, framework_convention_id, title, budget_year,
             grant_amount, instalment_kinds, instalment_shares, advance_without_call, target_publics, objectives,
             commitment_codes, commitment_texts, indicative_end_date,
             authority_signatory_name, authority_signatory_capacity, authority_decision_date,
             operator_signatory_name, operator_signatory_capacity, operator_decision_date,
             state, plan_revision, paid_amount, plan_settled, revision, create_time, update_time,
             instalment_conditions, instalment_due_dates, originals, renewed_from_id, version, engaged_amount, targets)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                 'DRAFT', 0, 0, false, $22, $23, $24, $25, $26, $27, $28, 0, 0, $29)",
        convention.name.operator.uuid(),
        convention.name.convention.uuid(),
        terms.programme,
        terms.framework_convention,
        convention.terms.title,
        convention.terms.budget_year.get(),
        convention.terms.grant.amount(),
        &terms.instalment_kinds as &[&str],
        &terms.instalment_shares,
        convention.terms.advance_without_call,
        &convention.terms.target_publics,
        &convention.terms.objectives,
        &terms.commitment_codes as &[&str],
        &terms.commitment_texts as &[&str],
        convention.terms.indicative_end,
        terms.authority.map(|signatory| signatory.full_name.as_str()),
        terms.authority.map(|signatory| signatory.capacity.as_str()),
        terms.authority.and_then(|signatory| signatory.empowering_decision),
        terms.operator.map(|signatory| signatory.full_name.as_str()),
        terms.operator.map(|signatory| signatory.capacity.as_str()),
        terms.operator.and_then(|signatory| signatory.empowering_decision),
        convention.revision,
        convention.create_time,
        convention.update_time,
        &terms.instalment_conditions as &[Option<&str>],
        &terms.instalment_due_dates as &[Option<Date>],
        convention.terms.originals.get(),
        convention.renewed_from.map(|renewed| renewed.uuid()),
        &convention.terms.targets.numbers()
    )
    .execute(tx.conn())
    .await;
    match inserted.map_err(pg::Error::from) {
        Err(pg::Error::Duplicate { constraint }) if constraint == "convention_renewal_key" => {
            Err(Error::from(Failure::already_exists(
                "name",
                Text::new(
                    "The convention has its renewal already.",
                    "Cette convention a déjà son renouvellement : reprenez ce projet.",
                ),
            )))
        }
        inserted => Ok(inserted.map(|_| ())?),
    }
}

/// One convention. Refuses one that does not exist.
pub async fn get(tx: &mut Tx, name: &ConventionName) -> Result<Convention, Error> {
    let row = rows!(
        "WHERE operator_id = $1 AND convention_id = $2",
        name.operator.uuid(),
        name.convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Locks one convention, the root of what hangs under it, and reads it.
pub async fn lock(tx: &mut Tx, name: &ConventionName) -> Result<Convention, Error> {
    let row = rows!(
        "WHERE operator_id = $1 AND convention_id = $2 FOR UPDATE",
        name.operator.uuid(),
        name.convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.ok_or_else(|| Failure::not_found(name))?.try_into()?)
}

/// Conventions after one, oldest first; `only` narrows to one operator.
pub async fn list(
    tx: &mut Tx,
    only: Option<OperatorId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Convention>, Error> {
    let rows = rows!(
        "WHERE ($1::uuid IS NULL OR operator_id = $1) AND ($2::uuid IS NULL OR convention_id > $2)
         ORDER BY convention_id LIMIT $3",
        only.map(OperatorId::uuid),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(Convention::try_from)
        .collect::<Result<_, _>>()?)
}

/// Writes the terms of a locked draft.
pub async fn update_terms(tx: &mut Tx, convention: &Convention) -> Result<(), Error> {
    let terms = TermsColumns::of(&convention.terms);
    sqlx::query!(
        "UPDATE convention
         SET programme_id = $3, framework_convention_id = $4, title = $5, budget_year = $6, grant_amount = $7,
             instalment_kinds = $8, instalment_shares = $9, advance_without_call = $10, target_publics = $11,
             objectives = $12, commitment_codes = $13, commitment_texts = $14, indicative_end_date = $15,
             authority_signatory_name = $16, authority_signatory_capacity = $17, authority_decision_date = $18,
             operator_signatory_name = $19, operator_signatory_capacity = $20, operator_decision_date = $21,
             revision = $22, update_time = $23, instalment_conditions = $24, instalment_due_dates = $25,
             originals = $26, targets = $27
         WHERE operator_id = $1 AND convention_id = $2 AND state = 'DRAFT'",
        convention.name.operator.uuid(),
        convention.name.convention.uuid(),
        terms.programme,
        terms.framework_convention,
        convention.terms.title,
        convention.terms.budget_year.get(),
        convention.terms.grant.amount(),
        &terms.instalment_kinds as &[&str],
        &terms.instalment_shares,
        convention.terms.advance_without_call,
        &convention.terms.target_publics,
        &convention.terms.objectives,
        &terms.commitment_codes as &[&str],
        &terms.commitment_texts as &[&str],
        convention.terms.indicative_end,
        terms.authority.map(|signatory| signatory.full_name.as_str()),
        terms.authority.map(|signatory| signatory.capacity.as_str()),
        terms.authority.and_then(|signatory| signatory.empowering_decision),
        terms.operator.map(|signatory| signatory.full_name.as_str()),
        terms.operator.map(|signatory| signatory.capacity.as_str()),
        terms.operator.and_then(|signatory| signatory.empowering_decision),
        convention.revision,
        convention.update_time,
        &terms.instalment_conditions as &[Option<&str>],
        &terms.instalment_due_dates as &[Option<Date>],
        convention.terms.originals.get(),
        &convention.terms.targets.numbers()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes the terms that an amendment brings into force, after the state that goes with them.
pub async fn update_amended_terms(tx: &mut Tx, convention: &Convention) -> Result<(), Error> {
    let terms = TermsColumns::of(&convention.terms);
    sqlx::query!(
        "UPDATE convention
         SET title = $3, grant_amount = $4, instalment_kinds = $5, instalment_shares = $6, instalment_conditions = $7,
             instalment_due_dates = $8, advance_without_call = $9, target_publics = $10, objectives = $11,
             commitment_codes = $12, commitment_texts = $13, indicative_end_date = $14, targets = $15
         WHERE operator_id = $1 AND convention_id = $2 AND state IN ('IN_FORCE', 'COMPLETED')",
        convention.name.operator.uuid(),
        convention.name.convention.uuid(),
        convention.terms.title,
        convention.terms.grant.amount(),
        &terms.instalment_kinds as &[&str],
        &terms.instalment_shares,
        &terms.instalment_conditions as &[Option<&str>],
        &terms.instalment_due_dates as &[Option<Date>],
        convention.terms.advance_without_call,
        &convention.terms.target_publics,
        &convention.terms.objectives,
        &terms.commitment_codes as &[&str],
        &terms.commitment_texts as &[&str],
        convention.terms.indicative_end,
        &convention.terms.targets.numbers()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes the state of a locked convention after a step, with all that goes with it, and moves on its envelope what it
/// held before the step.
pub async fn advance(tx: &mut Tx, before: Weight, convention: &Convention) -> Result<(), Error> {
    let terms = &convention.terms;
    let (programme, year) = (terms.framework_convention.parent(), terms.budget_year);
    let after = convention.weight();
    let held = programme::store::shift_envelope(tx, &programme, year, before, after).await?;
    update_state(tx, convention, held).await
}

async fn update_state(tx: &mut Tx, convention: &Convention, held: Money) -> Result<(), Error> {
    let execution = convention.execution();
    let (authority, operator) = (
        convention.signature(Party::Authority),
        convention.signature(Party::Operator),
    );
    let plan = execution
        .map(|execution| execution.plan)
        .unwrap_or_default();
    let measures = execution
        .map(|execution| execution.measures)
        .unwrap_or_default();
    let termination = convention.state.termination();
    let (notice, decision) = match termination.map(|termination| termination.cause) {
        Some(Cause::Notice(notice, _)) => (Some(notice.uuid()), None),
        Some(Cause::Decision(decision)) => (None, Some(decision.uuid())),
        None => (None, None),
    };
    sqlx::query!(
        "UPDATE convention
         SET state = $3, authority_sign_time = $4, authority_signed_by = $5, operator_sign_time = $6,
             operator_signed_by = $7, in_force_time = $8, accepted_report_id = $9, completion_date = $10,
             settle_time = $11, plan_revision = $12, paid_amount = $13, plan_settled = $14, revision = $15,
             update_time = $16, suspended = $17, reduced_amount = $18, recover_amount = $19, open_disputes = $20,
             termination_date = $21, termination_ground = $22, termination_notice_id = $23,
             termination_decision_id = $24, termination_due_amount = $25, version = $26,
             engaged_amount = $27, recovery_claimed_amount = $28, recovered_amount = $29,
             recovery_written_off_amount = $30
         WHERE operator_id = $1 AND convention_id = $2",
        convention.name.operator.uuid(),
        convention.name.convention.uuid(),
        convention.state.as_str(),
        authority.map(|signature| signature.time),
        authority.map(|signature| signature.by.as_str()),
        operator.map(|signature| signature.time),
        operator.map(|signature| signature.by.as_str()),
        execution.map(|execution| execution.since),
        convention.state.report().map(|report| report.uuid()),
        convention.state.completion_date(),
        convention.state.settle_time(),
        plan.revision,
        plan.paid.amount(),
        plan.settled,
        convention.revision,
        convention.update_time,
        measures.suspended,
        measures.reduced.map(|amount| amount.amount()),
        measures.claimed.amount(),
        measures.open_disputes,
        termination.map(|termination| termination.date),
        termination.map(|termination| termination.cause.ground()),
        notice,
        decision,
        termination.map(|termination| termination.due.amount()),
        convention.version(),
        held.amount(),
        plan.recovered.claimed.amount(),
        plan.recovered.received.amount(),
        plan.recovered.written_off.amount()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What the signature of each convention depends on, in their order.
pub async fn circumstances(
    tx: &mut Tx,
    conventions: &[ConventionName],
) -> Result<Vec<Circumstances>, Error> {
    let acts = act::store::of_conventions(tx, conventions).await?;
    let operators: Vec<Uuid> = conventions
        .iter()
        .map(|name| name.operator.uuid())
        .collect();
    let ids: Vec<Uuid> = conventions
        .iter()
        .map(|name| name.convention.uuid())
        .collect();
    let rows = sqlx::query!(
        r#"SELECT operator.category, operator.republican_commitment_date, convention.budget_year, envelope.voted_amount AS "voted_amount?",
                  envelope.engaged_amount AS "engaged_amount?", envelope.paid_amount AS "paid_amount?"
           FROM UNNEST($1::uuid[], $2::uuid[]) WITH ORDINALITY AS wanted (operator_id, convention_id, place)
           JOIN convention USING (operator_id, convention_id)
           JOIN operator USING (operator_id)
           LEFT JOIN envelope USING (programme_id, budget_year)
           ORDER BY wanted.place"#,
        &operators,
        &ids
    )
    .all(tx.conn())
    .await?;
    if rows.len() != acts.len() {
        return Err(Error::from(damaged("a convention without its operator")));
    }
    rows.into_iter()
        .zip(acts)
        .map(|(row, acts)| {
            let category = one_of(&Category::ALL, Category::as_str, &row.category)?;
            let envelope = match (row.voted_amount, row.engaged_amount, row.paid_amount) {
                (Some(voted), Some(engaged), Some(paid)) => Some(Envelope {
                    budget_year: budget_year(row.budget_year)?,
                    voted: money(voted)?,
                    engaged: money(engaged)?,
                    paid: money(paid)?,
                }),
                _ => None,
            };
            Ok(Circumstances {
                operator_is_public: category.is_public(),
                lacks_republican_commitment: category.signs_republican_commitment()
                    && row.republican_commitment_date.is_none(),
                acts,
                envelope,
            })
        })
        .collect::<Result<_, pg::Error>>()
        .map_err(Error::from)
}

/// What the signature of one convention depends on.
pub async fn circumstances_of(tx: &mut Tx, name: &ConventionName) -> Result<Circumstances, Error> {
    let mut circumstances = circumstances(tx, &[*name]).await?;
    Ok(circumstances.pop().ok_or_else(|| damaged(name))?)
}

/// The bodies whose acts empower the parties of a convention under a programme.
pub async fn sirens(
    tx: &mut Tx,
    programme: &ProgrammeName,
    operator: &OperatorName,
) -> Result<ByParty<Siren>, Error> {
    let row = sqlx::query!(
        "SELECT programme.authority_siret, operator.siret FROM programme, operator
         WHERE programme.programme_id = $1 AND operator.operator_id = $2",
        programme.programme.uuid(),
        operator.operator.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(ByParty {
        authority: parse::<Siret>(&row.authority_siret)?.siren(),
        operator: parse::<Siret>(&row.siret)?.siren(),
    })
}

/// Terms as they are stored.
struct TermsColumns<'a> {
    programme: Uuid,
    framework_convention: Uuid,
    instalment_kinds: Vec<&'static str>,
    instalment_shares: Vec<Decimal>,
    instalment_conditions: Vec<Option<&'a str>>,
    instalment_due_dates: Vec<Option<Date>>,
    commitment_codes: Vec<&'a str>,
    commitment_texts: Vec<&'a str>,
    authority: Option<&'a Signatory>,
    operator: Option<&'a Signatory>,
}

impl<'a> TermsColumns<'a> {
    fn of(terms: &'a Terms) -> Self {
        let instalments = terms.instalments.terms();
        let commitments = &terms.commitments;
        Self {
            programme: terms.framework_convention.programme.uuid(),
            framework_convention: terms.framework_convention.framework_convention.uuid(),
            instalment_kinds: instalments.iter().map(|(kind, _)| kind.as_str()).collect(),
            instalment_conditions: instalments
                .iter()
                .map(|(kind, _)| kind.condition())
                .collect(),
            instalment_due_dates: instalments.iter().map(|(kind, _)| kind.due()).collect(),
            instalment_shares: instalments.iter().map(|(_, share)| share.value()).collect(),
            commitment_codes: commitments.iter().map(|it| it.code.as_str()).collect(),
            commitment_texts: commitments.iter().map(|it| it.text.as_str()).collect(),
            authority: terms.signatories.authority.as_ref(),
            operator: terms.signatories.operator.as_ref(),
        }
    }
}
