//! SQL of the indicators: sums over the records of one convention, in one transaction that sees one instant.

use nonrecours_kernel::{ConventionName, Money};
use nonrecours_pg::{Error, Tx};
use rust_decimal::Decimal;

use super::domain::{Figures, Indicators, RightFigures, SessionFigures};
use crate::record::damage;

/// Counts under one convention. `tx` must see one instant throughout, as a read does.
pub async fn count(tx: &mut Tx, convention: &ConventionName) -> Result<Indicators, Error> {
    let mut publics = persons(tx, convention).await?;
    let total = publics.iter().position(|(public, _)| public.is_empty());
    let total = total
        .map(|place| publics.swap_remove(place).1)
        .unwrap_or_default();
    let rights = rights(tx, convention).await?;
    let sessions = sessions(tx, convention).await?;
    Ok(Indicators::new(total, publics, rights, sessions))
}

/// Figures by public, and those of all persons under the empty code: a person stands in the row of each of their
/// publics, and once in that of all.
async fn persons(
    tx: &mut Tx,
    convention: &ConventionName,
) -> Result<Vec<(String, Figures)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT part.public AS "public!",
                  count(*) AS "spotted!",
                  count(*) FILTER (WHERE person.state <> 'SPOTTED') AS "informed!",
                  count(*) FILTER (WHERE person.state = 'ORIENTED') AS "oriented!",
                  count(*) FILTER (WHERE person.state = 'IN_SUPPORT' OR person.closing_reason = 'RIGHTS_OPENED'
                                         OR claims.followed > 0) AS "supported!",
                  coalesce(sum(claims.followed), 0)::bigint AS "followed!",
                  coalesce(sum(claims.opened), 0)::bigint AS "opened!",
                  coalesce(sum(claims.notified), 0) AS "notified!",
                  coalesce(sum(claims.estimated), 0) AS "estimated!"
           FROM beneficiary AS person
           LEFT JOIN (
               SELECT beneficiary_id,
                      count(*) AS followed,
                      count(*) FILTER (WHERE state = 'OPENED') AS opened,
                      sum(yearly) FILTER (WHERE state = 'OPENED' AND amount_kind = 'NOTIFIED') AS notified,
                      sum(yearly) FILTER (WHERE state NOT IN ('OPENED', 'REFUSED', 'CONFIRMED_REFUSAL')
                                                AND amount_kind = 'ESTIMATED') AS estimated
               FROM (SELECT beneficiary_id, state, amount_kind,
                            CASE amount_unit WHEN 'MONTHLY' THEN 12 * amount ELSE amount END AS yearly
                     FROM entitlement WHERE operator_id = $1 AND convention_id = $2) AS claim
               GROUP BY beneficiary_id
           ) AS claims ON claims.beneficiary_id = person.beneficiary_id
           CROSS JOIN LATERAL unnest(array_prepend('', person.publics)) AS part (public)
           WHERE person.operator_id = $1 AND person.convention_id = $2
           GROUP BY part.public"#,
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let figures = Figures {
                persons_spotted: row.spotted,
                persons_informed: row.informed,
                persons_oriented: row.oriented,
                persons_supported: row.supported,
                entitlements_followed: row.followed,
                entitlements_opened: row.opened,
                yearly_amount_notified: money(row.notified)?,
                yearly_amount_estimated: money(row.estimated)?,
            };
            Ok((row.public, figures))
        })
        .collect()
}

async fn rights(tx: &mut Tx, convention: &ConventionName) -> Result<Vec<RightFigures>, Error> {
    let rows = sqlx::query!(
        r#"SELECT right_code AS "right!",
                  count(*) AS "followed!",
                  count(*) FILTER (WHERE state = 'OPENED') AS "opened!",
                  coalesce(sum(CASE amount_unit WHEN 'MONTHLY' THEN 12 * amount ELSE amount END)
                           FILTER (WHERE state = 'OPENED' AND amount_kind = 'NOTIFIED'), 0) AS "notified!"
           FROM entitlement WHERE operator_id = $1 AND convention_id = $2
           GROUP BY right_code"#,
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(RightFigures {
                right: row.right,
                followed: row.followed,
                opened: row.opened,
                yearly_amount_notified: money(row.notified)?,
            })
        })
        .collect()
}

async fn sessions(tx: &mut Tx, convention: &ConventionName) -> Result<SessionFigures, Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "held!", coalesce(sum(persons_met), 0)::bigint AS "met!"
           FROM session WHERE operator_id = $1 AND convention_id = $2"#,
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(SessionFigures {
        held: row.held,
        persons_met: row.met,
    })
}

/// A sum beyond what an amount can be would take tens of thousands of rights at their ceiling.
fn money(sum: Decimal) -> Result<Money, Error> {
    Money::try_from(sum).map_err(damage)
}
