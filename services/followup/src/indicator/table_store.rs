//! SQL of the tables: sums by row and month of one dimension, released or as they stand.

use nonrecours_kernel::{Money, OperatorId};
use nonrecours_pg::{All as _, Error, Tx};
use rust_decimal::Decimal;
use time::Date;

use super::{
    sums::{Months, Sums},
    table::{Breakdown, Row},
    thresholds::Thresholds,
};
use crate::record::damage;

/// Decimals of the squares.
const SQUARES_SCALE: u32 = 4;

/// What all operators counted for when the months of a year were released, by code of the breakdown: a person whom several
/// follow counts once, and by operator once in each.
pub async fn released(tx: &mut Tx, breakdown: Breakdown, year: i32) -> Result<Vec<Row>, Error> {
    let (first, next) = bounds(year)?;
    let rows = sqlx::query_as!(
        MonthRow,
        r#"SELECT CASE $1::text WHEN 'OPERATOR' THEN operator_id::text WHEN 'CONVENTION' THEN convention_id::text
                           ELSE code END AS "code!",
                  extract(month FROM month)::int AS "month!",
                  sum(persons_spotted)::bigint AS "persons_spotted!",
                  sum(persons_informed)::bigint AS "persons_informed!",
                  sum(persons_oriented)::bigint AS "persons_oriented!",
                  sum(persons_supported)::bigint AS "persons_supported!",
                  sum(persons_followed)::bigint AS "persons_followed!",
                  sum(persons_opened)::bigint AS "persons_opened!",
                  sum(persons_decided)::bigint AS "persons_decided!",
                  sum(persons_in_autonomy)::bigint AS "persons_in_autonomy!",
                  sum(persons_on_behalf)::bigint AS "persons_on_behalf!",
                  sum(persons_avoiding)::bigint AS "persons_avoiding!",
                  sum(persons_notified)::bigint AS "persons_notified!",
                  sum(persons_estimated)::bigint AS "persons_estimated!",
                  sum(entitlements_followed)::bigint AS "entitlements_followed!",
                  sum(entitlements_opened)::bigint AS "entitlements_opened!",
                  sum(entitlements_decided)::bigint AS "entitlements_decided!",
                  sum(decision_days)::bigint AS "decision_days!", sum(in_autonomy)::bigint AS "in_autonomy!",
                  sum(on_behalf)::bigint AS "on_behalf!",
                  sum(interruptions_avoided)::bigint AS "interruptions_avoided!",
                  sum(sessions_held)::bigint AS "sessions_held!", sum(persons_met)::bigint AS "persons_met!",
                  sum(amount_notified) AS "notified!", sum(amount_estimated) AS "estimated!",
                  sum(notified_squares) AS "notified_squares!", sum(estimated_squares) AS "estimated_squares!"
           FROM indicator_programme
           -- Each operator counts its persons, whoever else follows them.
           WHERE ($1 <> 'OPERATOR' OR operator_id IS NOT NULL) AND dimension = $2 AND month >= $3 AND month < $4
           GROUP BY 1, 2"#,
        breakdown.code(),
        dimension(breakdown),
        first,
        next
    )
    .all(tx.conn())
    .await?;
    collect(rows)
}

/// What one operator's records count for now. It has a few conventions a year: their sums are added up here, which takes
/// PostgreSQL four times as long as reading them.
pub async fn current(
    tx: &mut Tx,
    operator: OperatorId,
    breakdown: Breakdown,
    year: i32,
) -> Result<Vec<Row>, Error> {
    let (first, next) = bounds(year)?;
    let rows = sqlx::query_as!(
        MonthRow,
        r#"SELECT CASE $1::text WHEN 'OPERATOR' THEN operator_id::text WHEN 'CONVENTION' THEN convention_id::text
                           ELSE code END AS "code!",
                  extract(month FROM month)::int AS "month!",
                  persons_spotted, persons_informed, persons_oriented, persons_supported, persons_followed,
                  persons_opened, persons_decided, persons_in_autonomy, persons_on_behalf, persons_avoiding,
                  persons_notified, persons_estimated, entitlements_followed, entitlements_opened,
                  entitlements_decided, decision_days, in_autonomy, on_behalf, interruptions_avoided, sessions_held,
                  persons_met, amount_notified AS notified, amount_estimated AS estimated, notified_squares,
                  estimated_squares
           FROM indicator_rollup
           WHERE operator_id = $5 AND dimension = $2 AND month >= $3 AND month < $4"#,
        breakdown.code(),
        dimension(breakdown),
        first,
        next,
        operator.uuid()
    )
    .all(tx.conn())
    .await?;
    collect(rows)
}

/// What of a year is released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// How many of its quarters, from the first on.
    pub quarters: usize,
    /// Under what: those of its first quarter.
    pub thresholds: Thresholds,
}

/// What of a year is released so far.
pub async fn released_quarters(tx: &mut Tx, year: i32) -> Result<Released, Error> {
    let quarters = sqlx::query!(
        "SELECT quarter, internal_threshold, public_threshold FROM indicator_release_quarter
         WHERE budget_year = $1 ORDER BY quarter",
        year
    )
    .all(tx.conn())
    .await?;
    let in_turn = quarters
        .iter()
        .zip(1..)
        .take_while(|(row, turn)| row.quarter == *turn);
    let thresholds = quarters.first().map(|first| Thresholds {
        internal: first.internal_threshold,
        public: first.public_threshold,
    });
    Ok(Released {
        quarters: in_turn.count(),
        thresholds: thresholds.unwrap_or_default(),
    })
}

/// The dimension of the roll-ups in which a breakdown is found.
fn dimension(breakdown: Breakdown) -> &'static str {
    match breakdown {
        Breakdown::Total | Breakdown::Operator | Breakdown::Convention => Breakdown::Total.code(),
        _ => breakdown.code(),
    }
}

fn bounds(year: i32) -> Result<(Date, Date), Error> {
    let january = |year| Date::from_ordinal_date(year, 1);
    january(year)
        .and_then(|first| Ok((first, january(year + 1)?)))
        .map_err(|error| Error::Damaged(error.to_string()))
}

fn collect(rows: Vec<MonthRow>) -> Result<Vec<Row>, Error> {
    let mut collected: std::collections::BTreeMap<String, Months> = Default::default();
    for row in rows {
        let place = usize::try_from(row.month - 1).unwrap_or(usize::MAX);
        let code = row.code.clone();
        let sums = Sums::try_from(row)?;
        if let Some(month) = collected.entry(code).or_default().get_mut(place) {
            *month = month.and(sums);
        }
    }
    let rows = collected
        .into_iter()
        .map(|(code, months)| Row { code, months });
    Ok(rows.collect())
}

struct MonthRow {
    code: String,
    month: i32,
    persons_spotted: i64,
    persons_informed: i64,
    persons_oriented: i64,
    persons_supported: i64,
    persons_followed: i64,
    persons_opened: i64,
    persons_decided: i64,
    persons_in_autonomy: i64,
    persons_on_behalf: i64,
    persons_avoiding: i64,
    persons_notified: i64,
    persons_estimated: i64,
    entitlements_followed: i64,
    entitlements_opened: i64,
    entitlements_decided: i64,
    decision_days: i64,
    in_autonomy: i64,
    on_behalf: i64,
    interruptions_avoided: i64,
    sessions_held: i64,
    persons_met: i64,
    notified: Decimal,
    estimated: Decimal,
    notified_squares: Decimal,
    estimated_squares: Decimal,
}

impl TryFrom<MonthRow> for Sums {
    type Error = Error;

    fn try_from(row: MonthRow) -> Result<Self, Error> {
        Ok(Self {
            persons_spotted: row.persons_spotted,
            persons_informed: row.persons_informed,
            persons_oriented: row.persons_oriented,
            persons_supported: row.persons_supported,
            persons_followed: row.persons_followed,
            persons_opened: row.persons_opened,
            persons_decided: row.persons_decided,
            persons_in_autonomy: row.persons_in_autonomy,
            persons_on_behalf: row.persons_on_behalf,
            persons_avoiding: row.persons_avoiding,
            persons_notified: row.persons_notified,
            persons_estimated: row.persons_estimated,
            entitlements_followed: row.entitlements_followed,
            entitlements_opened: row.entitlements_opened,
            entitlements_decided: row.entitlements_decided,
            decision_days: row.decision_days,
            in_autonomy: row.in_autonomy,
            on_behalf: row.on_behalf,
            interruptions_avoided: row.interruptions_avoided,
            sessions_held: row.sessions_held,
            persons_met: row.persons_met,
            notified_cents: cents(row.notified)?,
            estimated_cents: cents(row.estimated)?,
            notified_squares: squares(row.notified_squares),
            estimated_squares: squares(row.estimated_squares),
        })
    }
}

fn cents(amount: Decimal) -> Result<i64, Error> {
    Ok(Money::try_from(amount).map_err(damage)?.cents())
}

/// Squares of cents: ten-thousandths of squares of euros.
fn squares(mut sum: Decimal) -> i128 {
    sum.rescale(SQUARES_SCALE);
    sum.mantissa()
}
