//! From how many persons on the programme is told a figure: a setting, which a year keeps once its first quarter is released.

use nonrecours_contracts::followup::{Audience, Breakdown, Grain, QueryIndicatorsRequest, count};
use nonrecours_followup::indicator::thresholds::Thresholds;
use time::macros::datetime;

use crate::{
    support::*,
    tables::{ask, persons, release, request},
};

/// After the lag of the fourth quarter of 2025.
const YEAR_RELEASED: time::OffsetDateTime = datetime!(2026-01-16 06:00 +1);
/// After that of the first quarter of 2026.
const NEXT_RELEASED: time::OffsetDateTime = datetime!(2026-04-16 06:00 +2);

/// How many persons were spotted in a quarter, or the threshold for which it is not told.
async fn quarter(suite: &Suite, year: i32, quarter: i32, audience: Audience) -> Result<i64, i32> {
    let request = QueryIndicatorsRequest {
        year,
        audience: audience.into(),
        ..request("operators/-", Breakdown::Total, Grain::Quarter)
    };
    let table = ask(suite, suite.tokens.officer(), request).await.unwrap();
    let row = table.rows.iter().find(|row| row.quarter == quarter);
    let figure = row.and_then(|row| row.persons_spotted?.figure);
    match figure.expect("a figure of a released quarter") {
        count::Figure::Value(value) => Ok(value),
        count::Figure::Withheld(withheld) => Err(withheld.threshold),
    }
}

/// Four persons in each month: the same in all, so that none is withheld for the sake of another.
async fn spotted(suite: &Suite, prefix: &str, months: std::ops::RangeInclusive<i32>) {
    let persons = months.flat_map(|month| persons(prefix, "62041", month, 4));
    assert_eq!(suite.push(persons.collect()).await.rejected, 0);
}

#[tokio::test]
async fn a_year_keeps_the_thresholds_its_first_quarter_was_released_under() {
    let other = Thresholds {
        internal: 3,
        public: 20,
    };
    let suite = Suite::start().await.restarted_under(other).await;
    spotted(&suite, "A", 7..=9).await;
    suite.clock.set(crate::tables::RELEASED);
    assert_eq!(release(&suite).await, 3);
    let third = [(Audience::Internal, Ok(12)), (Audience::Public, Err(20))];
    for (audience, expected) in third {
        assert_eq!(quarter(&suite, 2025, 3, audience).await, expected);
    }

    // What is set for the next year changes nothing in this one, neither in what was released nor in what is.
    let suite = suite.restarted_under(Thresholds::DEFAULT).await;
    suite.clock.set(datetime!(2025-12-31 12:00 +1));
    spotted(&suite, "B", 10..=12).await;
    suite.clock.set(YEAR_RELEASED);
    assert_eq!(release(&suite).await, 4);
    for (audience, expected) in third {
        assert_eq!(quarter(&suite, 2025, 3, audience).await, expected);
        assert_eq!(quarter(&suite, 2025, 4, audience).await, expected);
    }

    suite.clock.set(NEXT_RELEASED);
    assert_eq!(release(&suite).await, 5);
    for (audience, threshold) in [(Audience::Internal, 5), (Audience::Public, 11)] {
        let figure = quarter(&suite, 2026, 1, audience).await;
        assert_eq!(figure, Err(threshold), "of nobody");
    }
}
