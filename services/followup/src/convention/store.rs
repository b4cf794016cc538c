//! SQL of conventions.

use nonrecours_kernel::{ConventionName, Id, Money, OperatorId};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{Convention, Terms};
use crate::record::damage;

/// Signed conventions of one budget year at most: a programme has a few hundred.
const MAX_SIGNED: i64 = 10_000;

/// Stores what was told, unless something as new is known in full.
pub async fn learn(tx: &mut Tx, convention: &Convention) -> Result<(), Error> {
    let now = tx.now();
    sqlx::query!(
        "INSERT INTO convention AS known (operator_id, convention_id, revision, in_force, update_time, signed,
                                          budget_year, due_amount, targets)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (operator_id, convention_id) DO UPDATE
         SET revision = excluded.revision, in_force = excluded.in_force, update_time = excluded.update_time,
             signed = excluded.signed, budget_year = excluded.budget_year, due_amount = excluded.due_amount,
             targets = excluded.targets
         WHERE known.revision < excluded.revision
            -- Told before its terms were kept.
            OR known.revision = excluded.revision AND known.signed IS NULL",
        convention.name.operator.uuid(),
        convention.name.convention.uuid(),
        convention.revision,
        convention.in_force,
        now,
        convention.terms.signed,
        convention.terms.budget_year,
        convention.terms.due.amount(),
        &convention.terms.targets
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether the convention is in force; `None` when it is unknown.
pub async fn in_force(tx: &mut Tx, name: &ConventionName) -> Result<Option<bool>, Error> {
    Ok(sqlx::query_scalar!(
        "SELECT in_force FROM convention WHERE operator_id = $1 AND convention_id = $2",
        name.operator.uuid(),
        name.convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Operators that have, or had, a convention, in the order of their ids.
pub async fn operators(tx: &mut Tx) -> Result<Vec<OperatorId>, Error> {
    let operators =
        sqlx::query_scalar!("SELECT DISTINCT operator_id FROM convention ORDER BY operator_id")
            .all(tx.conn())
            .await?;
    Ok(operators.into_iter().map(OperatorId::from_uuid).collect())
}

/// What was agreed in a convention; `None` when it is unknown, or was told before this was kept.
pub async fn terms(tx: &mut Tx, name: &ConventionName) -> Result<Option<Terms>, Error> {
    let row = sqlx::query_as!(
        TermsRow,
        r#"SELECT operator_id, convention_id, signed AS "signed!", budget_year AS "budget_year!",
                  due_amount AS "due_amount!", targets AS "targets!"
           FROM convention WHERE operator_id = $1 AND convention_id = $2 AND signed IS NOT NULL"#,
        name.operator.uuid(),
        name.convention.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(TermsRow::read).transpose()?.map(|(_, terms)| terms))
}

/// The conventions of a budget year that both parties have signed, in the order of their ids.
pub async fn signed(tx: &mut Tx, year: i32) -> Result<Vec<(ConventionName, Terms)>, Error> {
    let rows = sqlx::query_as!(
        TermsRow,
        r#"SELECT operator_id, convention_id, signed AS "signed!", budget_year AS "budget_year!",
                  due_amount AS "due_amount!", targets AS "targets!"
           FROM convention WHERE signed AND budget_year = $1::int ORDER BY operator_id, convention_id LIMIT $2"#,
        year,
        MAX_SIGNED
    )
    .all(tx.conn())
    .await?;
    rows.into_iter().map(TermsRow::read).collect()
}

struct TermsRow {
    operator_id: Uuid,
    convention_id: Uuid,
    signed: bool,
    budget_year: i16,
    due_amount: Decimal,
    targets: Vec<i32>,
}

impl TermsRow {
    fn read(self) -> Result<(ConventionName, Terms), Error> {
        let name = ConventionName {
            operator: Id::from_uuid(self.operator_id),
            convention: Id::from_uuid(self.convention_id),
        };
        let terms = Terms {
            signed: self.signed,
            budget_year: self.budget_year,
            due: Money::try_from(self.due_amount).map_err(damage)?,
            targets: self
                .targets
                .try_into()
                .map_err(|_| Error::Damaged(format!("the targets of {name}")))?,
        };
        Ok((name, terms))
    }
}
