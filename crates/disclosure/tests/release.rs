//! What is told of small tables, seen by eye, and what holds of every table.
#![allow(clippy::unwrap_used, reason = "tests")]

use nonrecours_disclosure::{
    Contribution, Kind, MAX_ROWS, MONTHS, Period, Release, Rules, Series, Table, TooManyRows,
};
use proptest::prelude::*;

const PUBLIC: Rules = Rules::from_threshold(11);
const INTERNAL: Rules = Rules::from_threshold(5);

fn series(months: &[u64]) -> Series {
    let mut year = [Contribution::default(); MONTHS];
    for (month, number) in year.iter_mut().zip(months) {
        *month = Contribution::count(*number);
    }
    Series::of_months(year)
}

fn counts(rows: &[Series], closed: usize, within: &[&Release], rules: &Rules) -> Release {
    let table = Table {
        kind: Kind::Count,
        closed,
        rows,
        within,
    };
    table.release(rules).unwrap()
}

/// Which months of the first quarter, and the quarter, are told: `1` told, `.` withheld.
fn quarter(shown: impl Fn(Period) -> bool) -> String {
    Period::of_quarter(0)
        .map(|period| if shown(period) { '1' } else { '.' })
        .collect()
}

#[test]
fn a_small_commune_takes_the_next_smallest_with_it() {
    let rows = [
        series(&[40, 40, 40]),
        series(&[12, 15, 13]),
        series(&[3, 3, 3]),
    ];
    let release = counts(&rows, 1, &[], &PUBLIC);
    assert_eq!(quarter(|period| release.root.at(period)), "1111");
    assert_eq!(quarter(|period| release.rows[0].at(period)), "1111");
    assert_eq!(quarter(|period| release.rows[1].at(period)), "....");
    assert_eq!(quarter(|period| release.rows[2].at(period)), "....");
    // For those who run the programme, a commune of 9 in a quarter is told, of 3 in a month is not.
    let release = counts(&rows, 1, &[], &INTERNAL);
    assert_eq!(quarter(|period| release.rows[2].at(period)), "...1");
    assert_eq!(quarter(|period| release.rows[1].at(period)), "...1");
}

#[test]
fn a_small_month_takes_another_with_it_when_the_quarter_is_told() {
    let rows = [series(&[30, 2, 20])];
    let release = counts(&rows, 1, &[], &PUBLIC);
    // 20 and 2 lie in 22 together; 30 is told.
    assert_eq!(quarter(|period| release.root.at(period)), "1..1");
    // The only row is its root.
    assert_eq!(release.rows, [release.root]);
}

#[test]
fn an_empty_commune_is_withheld_like_a_small_one() {
    let rows = [series(&[20, 20, 20]), series(&[]), series(&[15, 15, 15])];
    let release = counts(&rows, 1, &[], &PUBLIC);
    assert_eq!(quarter(|period| release.rows[1].at(period)), "....");
    assert_eq!(quarter(|period| release.rows[0].at(period)), "1111");
    assert_eq!(quarter(|period| release.rows[2].at(period)), "....");
}

#[test]
fn nothing_is_told_of_a_territory_of_a_few_nor_of_an_open_quarter() {
    let rows = [series(&[2, 1, 1]), series(&[0, 3, 3])];
    let release = counts(&rows, 4, &[], &PUBLIC);
    assert!(Period::all().all(|period| !release.root.at(period)));
    let rows = [series(&[50; MONTHS]), series(&[60; MONTHS])];
    let release = counts(&rows, 2, &[], &PUBLIC);
    for period in Period::all() {
        assert_eq!(
            release.rows[0].at(period),
            period.is_closed(2),
            "{period:?}"
        );
    }
    assert!(!release.root.at(Period::Year));
}

#[test]
fn a_year_tells_of_a_commune_too_small_for_a_quarter() {
    let rows = [
        series(&[40; MONTHS]),
        series(&[2; MONTHS]),
        series(&[2; MONTHS]),
    ];
    let release = counts(&rows, 4, &[], &PUBLIC);
    for row in 1..=2 {
        assert!(release.rows[row].at(Period::Year));
        assert!(!release.rows[row].at(Period::Quarter(0)));
    }
    assert!(release.rows[0].at(Period::Year));
}

#[test]
fn one_large_amount_is_withheld_with_another_although_many_share_it() {
    let amount = |value, contributors, largest| {
        let month = Contribution {
            value,
            contributors,
            largest,
        };
        Series::of_months([month; MONTHS])
    };
    let rows = [
        amount(100_000, 20, 90_000),
        amount(50_000, 20, 5_000),
        amount(60_000, 20, 5_000),
    ];
    let table = Table {
        kind: Kind::Amount,
        closed: 1,
        rows: &rows,
        within: &[],
    };
    let release = table.release(&INTERNAL).unwrap();
    let told: Vec<bool> = release
        .rows
        .iter()
        .map(|row| row.at(Period::Month(0)))
        .collect();
    assert_eq!(told, [false, false, true]);
    assert!(release.root.at(Period::Month(0)));
}

#[test]
fn a_table_is_limited() {
    let rows = vec![series(&[20]); MAX_ROWS + 1];
    let table = Table {
        kind: Kind::Count,
        closed: 1,
        rows: &rows,
        within: &[],
    };
    assert_eq!(table.release(&PUBLIC), Err(TooManyRows));
}

#[test]
fn a_territory_of_communes_is_decided_at_once() {
    // 46 communes, most of them small, over a year: the work is bounded, whatever the pattern.
    let rows: Vec<Series> = (0..46_u64)
        .map(|row| {
            let months: Vec<u64> = (0..12)
                .map(|month| (row * row + 7 * month) % (1 + row % 17))
                .collect();
            series(&months)
        })
        .collect();
    let release = counts(&rows, 4, &[], &PUBLIC);
    assert!(release.rows.iter().any(|row| row.at(Period::Year)));
    assert!(release.rows.iter().any(|row| !row.at(Period::Year)));
}

fn tables() -> impl Strategy<Value = Vec<Series>> {
    let number = prop_oneof![4 => 0..5_u64, 3 => 5..16_u64, 2 => 16..60_u64];
    let row = prop::collection::vec(number, MONTHS).prop_map(|months| series(&months));
    prop::collection::vec(row, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A quarter is told of at its close as it is told of ever after.
    #[test]
    fn later_quarters_change_nothing_of_earlier_ones(rows in tables()) {
        let last = counts(&rows, 4, &[], &INTERNAL);
        for closed in 0..4 {
            let early = counts(&rows, closed, &[], &INTERNAL);
            for period in Period::all().filter(|period| period.is_closed(closed)) {
                prop_assert_eq!(early.root.at(period), last.root.at(period));
                for (early, last) in early.rows.iter().zip(&last.rows) {
                    prop_assert_eq!(early.at(period), last.at(period));
                }
            }
        }
    }

    /// Nothing small is told, nothing without its root, and the public learns no more than the programme.
    #[test]
    fn releases_are_nested(rows in tables()) {
        let internal = counts(&rows, 4, &[], &INTERNAL);
        let public = counts(&rows, 4, &[&internal], &PUBLIC);
        for (release, threshold) in [(&internal, 5), (&public, 11)] {
            for period in Period::all() {
                prop_assert!(!release.root.at(period) || Series::sum(&rows).at(period).value >= threshold);
                for (shown, row) in release.rows.iter().zip(&rows) {
                    prop_assert!(!shown.at(period) || row.at(period).value >= threshold);
                    prop_assert!(!shown.at(period) || release.root.at(period));
                }
            }
        }
        for period in Period::all() {
            prop_assert!(!public.root.at(period) || internal.root.at(period));
            for (public, internal) in public.rows.iter().zip(&internal.rows) {
                prop_assert!(!public.at(period) || internal.at(period));
            }
        }
    }
}
