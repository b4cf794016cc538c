//! Plans, and what is known of who is paid, in the database.

use nonrecours_kernel::{BudgetYear, ConventionId, ConventionName, Money, OperatorId};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{Measures, Payee, PaymentPlan, Period, Recovered};
use crate::instalment::store::{kind_code, kind_of};

/// Locks the plan of a convention until the end of the transaction: the root of everything below the convention.
/// False when there is none.
pub async fn lock(tx: &mut Tx, convention: &ConventionName) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT true AS "found!" FROM payment_plan WHERE operator_id = $1 AND convention_id = $2 FOR UPDATE"#,
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.unwrap_or(false))
}

/// The plan of a convention, with the sums that the ledger says were paid and recovered.
///
/// Not the query that locks: one that has waited for a lock reads the other tables as they were before it waited.
pub async fn get(tx: &mut Tx, convention: &ConventionName) -> Result<Option<PaymentPlan>, Error> {
    Ok(all(tx, std::slice::from_ref(convention)).await?.pop())
}

/// The plans of these conventions, in the order of the conventions' ids.
pub async fn all(tx: &mut Tx, conventions: &[ConventionName]) -> Result<Vec<PaymentPlan>, Error> {
    let (operators, conventions) = keys(conventions);
    sqlx::query_as!(
        Row,
        r#"SELECT plan.operator_id, plan.convention_id, convention_title, budget_year, carried_to, grant_amount,
                  term_kinds, term_amounts AS "term_amounts: Vec<Decimal>", advance_without_call, actions_completed,
                  suspended, terminated, due_amount, claimed_amount, period_start, period_end,
                  convention_revision, plan.revision, plan.create_time, plan.update_time,
                  booked.paid AS "paid_amount!", booked.claimed AS "claims_amount!", booked.received AS "received_amount!",
                  booked.written_off AS "written_off_amount!", booked.withdrawn AS "withdrawn_amount!"
           FROM UNNEST($1::uuid[], $2::uuid[]) AS wanted (operator_id, convention_id)
                JOIN payment_plan AS plan USING (operator_id, convention_id)
                CROSS JOIN LATERAL (
                    SELECT coalesce(sum(CASE WHEN credit = 'TREASURY' THEN entry.amount
                                             WHEN credit = 'OPERATOR_PAYABLE' AND debit = 'TREASURY'
                                             THEN -entry.amount END), 0) AS paid,
                           coalesce(sum(claim), 0) AS claimed,
                           coalesce(sum(claim) FILTER (WHERE cause = 'REPUBLICAN_COMMITMENT'), 0) AS withdrawn,
                           coalesce(sum(entry.amount) FILTER (WHERE debit = 'TREASURY' AND credit = 'OPERATOR_RECEIVABLE'),
                                    0) AS received,
                           coalesce(sum(entry.amount) FILTER (WHERE debit = 'UNCOLLECTIBLE'), 0) AS written_off
                    FROM ledger_entry AS entry
                         LEFT JOIN recovery USING (operator_id, convention_id, recovery_id)
                         CROSS JOIN LATERAL (
                             SELECT CASE WHEN credit = 'GRANT_RECOVERY' THEN entry.amount
                                         WHEN debit = 'GRANT_RECOVERY' THEN -entry.amount END AS claim) AS claims
                    WHERE entry.operator_id = plan.operator_id AND entry.convention_id = plan.convention_id) AS booked
           ORDER BY plan.convention_id"#,
        &operators,
        &conventions
    )
    .all(tx.conn())
    .await?
    .into_iter()
    .map(PaymentPlan::try_from)
    .collect()
}

/// A page of the conventions that have a plan, in the order of their ids: this one, or those of an operator, or all of the
/// scope.
pub async fn names(
    tx: &mut Tx,
    operator: Option<OperatorId>,
    convention: Option<ConventionName>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ConventionName>, Error> {
    let rows = sqlx::query!(
        "SELECT operator_id, convention_id
         FROM payment_plan
         WHERE ($1::uuid IS NULL OR operator_id = $1) AND ($2::uuid IS NULL OR convention_id = $2)
           AND ($3::uuid IS NULL OR convention_id > $3)
         ORDER BY convention_id
         LIMIT $4",
        operator.map(|operator| operator.uuid()),
        convention.map(|name| name.convention.uuid()),
        after,
        limit
    )
    .all(tx.conn())
    .await?;
    let name = rows.into_iter().map(|row| ConventionName {
        operator: OperatorId::from_uuid(row.operator_id),
        convention: ConventionId::from_uuid(row.convention_id),
    });
    Ok(name.collect())
}

/// The ids of conventions, as the arrays of a query.
pub(crate) fn keys(conventions: &[ConventionName]) -> (Vec<Uuid>, Vec<Uuid>) {
    let ids = |name: &ConventionName| (name.operator.uuid(), name.convention.uuid());
    conventions.iter().map(ids).unzip()
}

/// A page of plans in the order of their conventions' ids; all operators of the scope when none is given.
pub async fn list(
    tx: &mut Tx,
    operator: Option<OperatorId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<PaymentPlan>, Error> {
    let conventions = names(tx, operator, None, after, limit).await?;
    all(tx, &conventions).await
}

/// Writes a new plan.
pub async fn insert(tx: &mut Tx, plan: &PaymentPlan) -> Result<(), Error> {
    let (kinds, amounts) = terms(plan);
    sqlx::query!(
        "INSERT INTO payment_plan (operator_id, convention_id, convention_title, budget_year, grant_amount,
                                   advance_without_call, actions_completed, convention_revision, revision, create_time,
                                   update_time, suspended, terminated, due_amount, claimed_amount, term_kinds,
                                   term_amounts, period_start, period_end, terminated_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                 CASE WHEN $13::boolean THEN $11::timestamptz END)",
        plan.convention.operator.uuid(),
        plan.convention.convention.uuid(),
        plan.title,
        plan.budget_year.get(),
        plan.grant.amount(),
        plan.advance_without_call,
        plan.actions_completed,
        plan.convention_revision,
        plan.revision,
        plan.create_time,
        plan.update_time,
        plan.measures.suspended,
        plan.measures.terminated,
        plan.measures.due.map(|due| due.amount()),
        plan.measures.claimed.amount(),
        &kinds as &[&str],
        &amounts,
        plan.period.map(|period| period.first),
        plan.period.map(|period| period.last)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes what may change of a locked plan.
pub async fn update(tx: &mut Tx, plan: &PaymentPlan) -> Result<(), Error> {
    let (kinds, amounts) = terms(plan);
    sqlx::query!(
        "UPDATE payment_plan
         SET convention_title = $3, actions_completed = $4, convention_revision = $5, revision = $6, update_time = $7,
             suspended = $8, terminated = $9, due_amount = $10, claimed_amount = $11, grant_amount = $12,
             advance_without_call = $13, term_kinds = $14, term_amounts = $15, period_start = $16, period_end = $17,
             carried_to = $18, terminated_time = CASE WHEN $9 THEN coalesce(terminated_time, $7) END
         WHERE operator_id = $1 AND convention_id = $2",
        plan.convention.operator.uuid(),
        plan.convention.convention.uuid(),
        plan.title,
        plan.actions_completed,
        plan.convention_revision,
        plan.revision,
        plan.update_time,
        plan.measures.suspended,
        plan.measures.terminated,
        plan.measures.due.map(|due| due.amount()),
        plan.measures.claimed.amount(),
        plan.grant.amount(),
        plan.advance_without_call,
        &kinds as &[&str],
        &amounts,
        plan.period.map(|period| period.first),
        plan.period.map(|period| period.last),
        plan.carried_to.map(BudgetYear::get)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The terms of a plan as its columns hold them.
fn terms(plan: &PaymentPlan) -> (Vec<&'static str>, Vec<Decimal>) {
    let terms = plan.terms.iter();
    terms
        .map(|(kind, amount)| (kind_code(*kind), amount.amount()))
        .unzip()
}

/// What is known of an operator; always there once it has a plan.
pub async fn payee(tx: &mut Tx, operator: OperatorId) -> Result<Payee, Error> {
    let payee = payees(tx, &[operator]).await?.pop();
    payee.ok_or_else(|| Error::Damaged(format!("operator {operator} has a plan and is not known")))
}

/// What is known of these operators.
pub async fn payees(tx: &mut Tx, operators: &[OperatorId]) -> Result<Vec<Payee>, Error> {
    let ids: Vec<Uuid> = operators.iter().map(|operator| operator.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT operator_id, legal_name, siren, is_public FROM operator WHERE operator_id = ANY($1)",
        &ids
    )
    .all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let operator = OperatorId::from_uuid(row.operator_id);
            let damaged = |_| Error::Damaged(format!("the SIREN of operator {operator}"));
            Ok(Payee {
                operator,
                legal_name: row.legal_name,
                siren: row.siren.parse().map_err(damaged)?,
                is_public: row.is_public,
            })
        })
        .collect()
}

/// Writes what a revision of the operator says, unless a newer one was written before.
pub async fn learn_payee(tx: &mut Tx, payee: &Payee, revision: i64) -> Result<(), Error> {
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO operator (operator_id, legal_name, siren, is_public, revision, update_time)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (operator_id) DO UPDATE
         SET legal_name = excluded.legal_name, siren = excluded.siren, is_public = excluded.is_public,
             revision = excluded.revision, update_time = excluded.update_time
         WHERE operator.revision < excluded.revision",
        payee.operator.uuid(),
        payee.legal_name,
        payee.siren.to_string(),
        payee.is_public,
        revision,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A row as it is read.
struct Row {
    operator_id: Uuid,
    convention_id: Uuid,
    convention_title: String,
    budget_year: i16,
    carried_to: Option<i16>,
    grant_amount: Decimal,
    term_kinds: Vec<String>,
    term_amounts: Vec<Decimal>,
    advance_without_call: bool,
    actions_completed: bool,
    suspended: bool,
    terminated: bool,
    due_amount: Option<Decimal>,
    claimed_amount: Decimal,
    convention_revision: i64,
    revision: i64,
    create_time: OffsetDateTime,
    update_time: OffsetDateTime,
    period_start: Option<Date>,
    period_end: Option<Date>,
    paid_amount: Decimal,
    claims_amount: Decimal,
    received_amount: Decimal,
    written_off_amount: Decimal,
    withdrawn_amount: Decimal,
}

impl TryFrom<Row> for PaymentPlan {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let convention = ConventionName {
            operator: OperatorId::from_uuid(row.operator_id),
            convention: ConventionId::from_uuid(row.convention_id),
        };
        let damaged = |_| Error::Damaged(format!("the payment plan of {convention}"));
        Ok(Self {
            convention,
            title: row.convention_title,
            budget_year: BudgetYear::try_from(row.budget_year).map_err(damaged)?,
            carried_to: row
                .carried_to
                .map(BudgetYear::try_from)
                .transpose()
                .map_err(damaged)?,
            grant: Money::try_from(row.grant_amount).map_err(damaged)?,
            terms: row
                .term_kinds
                .iter()
                .zip(row.term_amounts)
                .map(|(kind, amount)| Some((kind_of(kind)?, Money::try_from(amount).ok()?)))
                .collect::<Option<_>>()
                .ok_or_else(|| Error::Damaged(format!("the terms of {convention}")))?,
            paid: Money::try_from(row.paid_amount).map_err(damaged)?,
            advance_without_call: row.advance_without_call,
            actions_completed: row.actions_completed,
            measures: Measures {
                suspended: row.suspended,
                terminated: row.terminated,
                due: row
                    .due_amount
                    .map(Money::try_from)
                    .transpose()
                    .map_err(damaged)?,
                claimed: Money::try_from(row.claimed_amount).map_err(damaged)?,
            },
            period: row
                .period_start
                .zip(row.period_end)
                .map(|(first, last)| Period { first, last }),
            recovered: Recovered {
                claimed: Money::try_from(row.claims_amount).map_err(damaged)?,
                received: Money::try_from(row.received_amount).map_err(damaged)?,
                written_off: Money::try_from(row.written_off_amount).map_err(damaged)?,
                withdrawn: Money::try_from(row.withdrawn_amount).map_err(damaged)?,
            },
            convention_revision: row.convention_revision,
            revision: row.revision,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}
