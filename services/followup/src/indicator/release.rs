//! Releasing quarters: what the programme's roles are given is what stood in the roll-ups on the day of the release, and
//! never moves again. Otherwise somebody who asks every day would see persons come one by one.

use nonrecours_kernel::{Scope, paris_date};
use nonrecours_pg::{All as _, Db, Error};
use time::{Date, Duration};

use super::thresholds::Thresholds;

/// How long after a quarter's end it is released: operators have this long to push what belongs into it.
pub const RELEASE_LAG: Duration = Duration::days(15);
/// Quarters released in one sweep at most; the others follow in the next.
const MAX_QUARTERS: usize = 8;

/// Releases every quarter that is due and was not released, the earliest first: under `thresholds` when it is the first of its
/// year, else under those of the first, since a year under two of them would give away what either withholds. Persons whom several operators follow are
/// one by their pseudonyms under the key `counts_with`. Gives how many.
pub async fn release_due(
    db: &Db,
    thresholds: Thresholds,
    counts_with: &str,
    service: &'static str,
) -> Result<usize, Error> {
    let mut tx = db.begin(&Scope::of_service(service)).await?;
    let (now, today) = (tx.now(), paris_date(tx.now()));
    let first = sqlx::query_scalar!(r#"SELECT min(month) AS "first" FROM indicator_rollup"#)
        .fetch_one(tx.conn())
        .await?;
    let Some(first) = first else {
        return Ok(0);
    };
    let known = sqlx::query!("SELECT budget_year, quarter FROM indicator_release_quarter")
        .all(tx.conn())
        .await?;
    let is_known = |(year, quarter, _): &(i32, i32, Span)| {
        known
            .iter()
            .any(|known| (known.budget_year, known.quarter) == (*year, *quarter))
    };
    let mut released = 0;
    let due = due(first, today).filter(|quarter| !is_known(quarter));
    for (year, quarter, span) in due.take(MAX_QUARTERS) {
        // Another instance that is about to release it is waited for, and then has done it.
        let mine = sqlx::query!(
            "INSERT INTO indicator_release_quarter
                 (budget_year, quarter, release_time, internal_threshold, public_threshold)
             SELECT $1, $2, $3, coalesce(first.internal_threshold, $4), coalesce(first.public_threshold, $5)
             FROM (VALUES (1)) AS turn (first)
             LEFT JOIN indicator_release_quarter AS first ON first.budget_year = $1 AND first.quarter = turn.first
             ON CONFLICT DO NOTHING",
            year,
            quarter,
            now,
            thresholds.internal,
            thresholds.public
        )
        .execute(tx.conn())
        .await?;
        if mine.rows_affected() == 0 {
            continue;
        }
        // One statement, hence one sight of the records.
        sqlx::query!(
            "WITH copied AS (
             INSERT INTO indicator_release
                 (operator_id, convention_id, dimension, code, month, persons_spotted, persons_informed,
                 persons_oriented, persons_supported, persons_followed, persons_opened, persons_decided,
                 persons_in_autonomy, persons_on_behalf, persons_avoiding, persons_notified, persons_estimated,
                 entitlements_followed, entitlements_opened, entitlements_decided, decision_days, in_autonomy,
                 on_behalf, interruptions_avoided, sessions_held, persons_met, amount_notified, amount_estimated,
                 notified_squares, estimated_squares)
             SELECT operator_id, convention_id, dimension, code, month, persons_spotted, persons_informed,
             persons_oriented, persons_supported, persons_followed, persons_opened, persons_decided,
             persons_in_autonomy, persons_on_behalf, persons_avoiding, persons_notified, persons_estimated,
             entitlements_followed, entitlements_opened, entitlements_decided, decision_days, in_autonomy, on_behalf,
             interruptions_avoided, sessions_held, persons_met, amount_notified, amount_estimated, notified_squares,
             estimated_squares
             FROM indicator_rollup
             WHERE month >= $1 AND month < $2 AND persons_spotted + entitlements_followed + sessions_held > 0
             ),
             -- What records of one person make of their sum: those there are, and those that were erased meanwhile.
             moved AS (
                 SELECT * FROM indicator_shared($3, NULL, NULL, NULL)
                 UNION ALL
                 SELECT dimension, code, month, persons_spotted, persons_informed, persons_oriented, persons_supported,
                        persons_followed, persons_opened, persons_decided, persons_in_autonomy, persons_on_behalf,
                        persons_avoiding, persons_notified, persons_estimated, notified_squares, estimated_squares
                 FROM indicator_residue_shared
             )
             INSERT INTO indicator_release_shared
                 (dimension, code, month,
                  persons_spotted, persons_informed, persons_oriented, persons_supported, persons_followed,
                  persons_opened, persons_decided, persons_in_autonomy, persons_on_behalf, persons_avoiding,
                  persons_notified, persons_estimated, notified_squares, estimated_squares)
             SELECT dimension, code, month,
                    sum(persons_spotted), sum(persons_informed), sum(persons_oriented), sum(persons_supported),
                    sum(persons_followed), sum(persons_opened), sum(persons_decided), sum(persons_in_autonomy),
                    sum(persons_on_behalf), sum(persons_avoiding), sum(persons_notified), sum(persons_estimated),
                    sum(notified_squares), sum(estimated_squares)
             FROM moved
             WHERE month >= $1 AND month < $2
             GROUP BY dimension, code, month",
            span.first,
            span.next,
            counts_with
        )
        .execute(tx.conn())
        .await?;
        released += 1;
    }
    tx.commit().await?;
    Ok(released)
}

/// Days of a quarter: from the first, before the next quarter's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: Date,
    next: Date,
}

/// The quarters from the first of a day's year on, that are due for release by a day.
fn due(from: Date, today: Date) -> impl Iterator<Item = (i32, i32, Span)> {
    (from.year()..=today.year())
        .flat_map(|year| (1..=4).map(move |quarter| (year, quarter)))
        .filter_map(|(year, quarter)| Some((year, quarter, Span::of(year, quarter)?)))
        .take_while(move |(.., span)| span.next + RELEASE_LAG <= today)
}

impl Span {
    fn of(year: i32, quarter: i32) -> Option<Self> {
        let start = |months: i32| {
            let month = u8::try_from(months % 12 + 1).ok()?.try_into().ok()?;
            Date::from_calendar_date(year + months / 12, month, 1).ok()
        };
        Some(Self {
            first: start(3 * (quarter - 1))?,
            next: start(3 * quarter)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_quarter_is_due_when_its_lag_is_over() {
        let due = |today| -> Vec<(i32, i32)> {
            due(date!(2025 - 08 - 01), today)
                .map(|(year, quarter, _)| (year, quarter))
                .collect()
        };
        assert_eq!(due(date!(2025 - 10 - 15)), [(2025, 1), (2025, 2)]);
        assert_eq!(
            due(date!(2025 - 10 - 16)),
            [(2025, 1), (2025, 2), (2025, 3)]
        );
        assert_eq!(due(date!(2026 - 01 - 15)).len(), 3);
        assert_eq!(due(date!(2026 - 01 - 16)).last(), Some(&(2025, 4)));
        assert_eq!(due(date!(2025 - 01 - 01)), []);
    }

    #[test]
    fn a_quarter_has_its_days() {
        let span = Span::of(2025, 4).unwrap();
        assert_eq!(
            (span.first, span.next),
            (date!(2025 - 10 - 01), date!(2026 - 01 - 01))
        );
    }
}
