//! SQL of the indicators: sums of the roll-ups, never of records.

use nonrecours_kernel::{ConventionName, Money};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;

use super::domain::{Figures, Indicators, RightFigures, SessionFigures};
use crate::record::damage;

/// Counts under one convention: all months of its totals, publics and rights.
pub async fn count(tx: &mut Tx, convention: &ConventionName) -> Result<Indicators, Error> {
    let rows = sqlx::query!(
        r#"SELECT dimension, code,
                  sum(persons_spotted)::bigint AS "spotted!", sum(persons_informed)::bigint AS "informed!",
                  sum(persons_oriented)::bigint AS "oriented!", sum(persons_supported)::bigint AS "supported!",
                  sum(entitlements_followed)::bigint AS "followed!", sum(entitlements_opened)::bigint AS "opened!",
                  sum(sessions_held)::bigint AS "held!", sum(persons_met)::bigint AS "met!",
                  sum(amount_notified) AS "notified!", sum(amount_estimated) AS "estimated!"
           FROM indicator_rollup
           WHERE operator_id = $1 AND convention_id = $2 AND dimension IN ('TOTAL', 'PUBLIC', 'RIGHT')
           GROUP BY dimension, code"#,
        convention.operator.uuid(),
        convention.convention.uuid()
    )
    .all(tx.conn())
    .await?;
    let mut total = Figures::default();
    let mut sessions = SessionFigures::default();
    let (mut publics, mut rights) = (Vec::new(), Vec::new());
    for row in rows {
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
        match row.dimension.as_str() {
            "TOTAL" => {
                total = figures;
                sessions = SessionFigures {
                    held: row.held,
                    persons_met: row.met,
                };
            }
            // What no record counts for any more leaves a row of zeros.
            "PUBLIC" if figures.persons_spotted > 0 => publics.push((row.code, figures)),
            "RIGHT" if figures.entitlements_followed > 0 => rights.push(RightFigures {
                right: row.code,
                followed: figures.entitlements_followed,
                opened: figures.entitlements_opened,
                yearly_amount_notified: figures.yearly_amount_notified,
            }),
            _ => {}
        }
    }
    Ok(Indicators::new(total, publics, rights, sessions))
}

/// A sum beyond what an amount can be would take tens of thousands of rights at their ceiling.
fn money(sum: Decimal) -> Result<Money, Error> {
    Money::try_from(sum).map_err(damage)
}
