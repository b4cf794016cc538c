//! Somebody who knows everything told, how it was decided, and that nothing is negative, tries to learn what was not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod attacker;

use std::collections::HashSet;

use attacker::{Field, Ranges};
use nonrecours_disclosure::{
    Contribution, Kind, MONTHS, Period, QUARTERS, Release, Rules, Series, Table,
};
use proptest::prelude::*;

/// So small that every table can be tried.
const TINY: Rules = Rules::from_threshold(3);
/// Values tried for a month: above every true one by what a change needs.
const TRIED: u64 = 6;

fn series(months: &[u64]) -> Series {
    let mut year = [Contribution::default(); MONTHS];
    for (month, number) in year.iter_mut().zip(months) {
        *month = Contribution::count(*number);
    }
    Series::of_months(year)
}

fn release(rows: &[Series], closed: usize, within: &[&Release], rules: &Rules) -> Release {
    let table = Table {
        kind: Kind::Count,
        closed,
        rows,
        within,
    };
    table.release(rules).unwrap()
}

/// Tries every table that agrees with what is told of a quarter. Gives the sensitive figures that cannot be everything
/// below the threshold: row (the root last), period.
fn tried(rows: &[[u64; 3]]) -> Vec<(usize, Period)> {
    let truth: Vec<Series> = rows.iter().map(|row| series(row)).collect();
    let told = release(&truth, 1, &[], &TINY);
    let root = Series::sum(&truth);
    let possible: Vec<Vec<[u64; 3]>> = truth
        .iter()
        .zip(&told.rows)
        .map(|(row, shown)| {
            vectors(TRIED)
                .filter(|months| agrees(months, row, |period| shown.at(period)))
                .collect()
        })
        .collect();
    let mut learnt = Vec::new();
    for (row, figures) in truth.iter().enumerate() {
        let others = sums(
            possible
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != row),
        );
        let mut seen: [HashSet<u64>; 4] = Default::default();
        for months in &possible[row] {
            let completed = others
                .iter()
                .any(|other| agrees(&plus(months, other), &root, |period| told.root.at(period)));
            if completed {
                note(&mut seen, months);
            }
        }
        learnt.extend(
            unprotected(&seen, figures, |period| told.rows[row].at(period)).map(|p| (row, p)),
        );
    }
    let mut seen: [HashSet<u64>; 4] = Default::default();
    for months in sums(possible.iter().enumerate()) {
        if agrees(&months, &root, |period| told.root.at(period)) {
            note(&mut seen, &months);
        }
    }
    learnt
        .extend(unprotected(&seen, &root, |period| told.root.at(period)).map(|p| (rows.len(), p)));
    learnt
}

fn vectors(most: u64) -> impl Iterator<Item = [u64; 3]> {
    (0..=most).flat_map(move |a| (0..=most).flat_map(move |b| (0..=most).map(move |c| [a, b, c])))
}

fn plus(one: &[u64; 3], other: &[u64; 3]) -> [u64; 3] {
    [0, 1, 2].map(|month| one[month] + other[month])
}

fn agrees(months: &[u64; 3], truth: &Series, shown: impl Fn(Period) -> bool) -> bool {
    let same = |period, value| !shown(period) || truth.at(period).value == value;
    (0..3).all(|month| same(Period::Month(month), months[month]))
        && same(Period::Quarter(0), months.iter().sum())
}

fn sums<'a>(rows: impl Iterator<Item = (usize, &'a Vec<[u64; 3]>)>) -> HashSet<[u64; 3]> {
    rows.fold(HashSet::from([[0; 3]]), |sums, (_, possible)| {
        sums.iter()
            .flat_map(|sum| possible.iter().map(|months| plus(sum, months)))
            .collect()
    })
}

fn note(seen: &mut [HashSet<u64>; 4], months: &[u64; 3]) {
    for (seen, month) in seen.iter_mut().zip(months) {
        seen.insert(*month);
    }
    seen[3].insert(months.iter().sum());
}

fn unprotected(
    seen: &[HashSet<u64>; 4],
    truth: &Series,
    shown: impl Fn(Period) -> bool,
) -> impl Iterator<Item = Period> {
    let periods = Period::of_quarter(0).zip(seen);
    periods
        .filter(move |(period, seen)| {
            !shown(*period)
                && truth.at(*period).value < TINY.threshold
                && !(0..TINY.threshold).all(|value| seen.contains(&value))
        })
        .map(|(period, _)| period)
        .collect::<Vec<_>>()
        .into_iter()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_sensitive_figure_can_still_be_anything_small(
        rows in prop::collection::vec(prop::array::uniform3(0..5_u64), 1..4)
    ) {
        prop_assert_eq!(tried(&rows), vec![]);
    }
}

#[test]
fn the_attack_finds_what_a_careless_release_gives_away() {
    // With the sensitive figures alone withheld, 2 is what 7 + 2 lacks: the ranges see it.
    let rows = [series(&[7, 7, 7]), series(&[2, 2, 2])];
    let careless = |row: Option<usize>, _: Period| row != Some(1);
    let ranges = Ranges::of(&rows, 1, careless);
    assert_eq!(ranges.at(Some(1), Period::Month(0)), (2, 2));
}

fn tables() -> impl Strategy<Value = Vec<Series>> {
    let number = prop_oneof![5 => 0..5_u64, 3 => 5..16_u64, 2 => 16..60_u64];
    let row = prop::collection::vec(number, MONTHS).prop_map(|months| series(&months));
    prop::collection::vec(row, 2..7)
}

/// Thresholds for those who run a programme and for everybody: those the service has unless told otherwise, and others.
fn thresholds() -> impl Strategy<Value = (u64, u64)> {
    let others = (3..10_u64, 0..16_u64).prop_map(|(internal, more)| (internal, internal + more));
    prop_oneof![Just((5, 11)), others]
}

/// Amounts of a month: of nobody, of few, of many, with one of them who has more or less of it.
fn amounts() -> impl Strategy<Value = Vec<Series>> {
    let month =
        (0..100_000_u64, 1..30_u64, 0..=100_u64).prop_map(|(value, contributors, share)| {
            let least = value.div_ceil(contributors);
            Contribution {
                value,
                contributors: contributors * u64::from(value > 0),
                largest: least + (value - least) * share / 100 * u64::from(contributors > 1),
            }
        });
    let month = prop_oneof![1 => Just(Contribution::default()), 4 => month];
    let row = prop::collection::vec(month, MONTHS)
        .prop_map(|months| Series::of_months(months.try_into().unwrap()));
    prop::collection::vec(row, 2..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Differences of months and quarters, of communes and the territory, over and over: no range gets narrow.
    #[test]
    fn ranges_of_a_year_stay_wide(rows in tables(), closed in 1..=QUARTERS, (few, more) in thresholds()) {
        let internal = release(&rows, closed, &[], &Rules::from_threshold(few));
        let public = release(&rows, closed, &[&internal], &Rules::from_threshold(more));
        for (told, threshold) in [(&internal, few), (&public, more)] {
            let shown = |row: Option<usize>, period| row.map_or(&told.root, |row| &told.rows[row]).at(period);
            let ranges = Ranges::of(&rows, closed, shown);
            for (row, figures) in rows.iter().enumerate() {
                for period in Period::all().filter(|period| period.is_closed(closed)) {
                    if figures.at(period).value < threshold {
                        let (low, high) = ranges.at(Some(row), period);
                        prop_assert!(low == 0 && high >= threshold - 1, "{:?} of row {}: {}..{}", period, row, low, high);
                    }
                }
            }
        }
    }

    /// The same with amounts: one that few have, or one of them nearly alone, is never told, nor can anybody come nearer to
    /// it than what the others may have of it.
    #[test]
    fn ranges_of_amounts_stay_wide(rows in amounts(), closed in 1..=QUARTERS, (few, more) in thresholds()) {
        let amounts = |within: &[&Release], rules: &Rules| {
            let table = Table { kind: Kind::Amount, closed, rows: &rows, within };
            table.release(rules).unwrap()
        };
        let (few, more) = (Rules::from_threshold(few), Rules::from_threshold(more));
        let internal = amounts(&[], &few);
        let public = amounts(&[&internal], &more);
        for (told, rules) in [(&internal, few), (&public, more)] {
            let shown = |row: Option<usize>, period| row.map_or(&told.root, |row| &told.rows[row]).at(period);
            let ranges = Ranges::of(&rows, closed, shown);
            let root = Series::sum(&rows);
            let figures = rows.iter().enumerate().map(|(row, figures)| (Some(row), figures)).chain([(None, &root)]);
            for (row, figures) in figures {
                for period in Period::all().filter(|period| period.is_closed(closed)) {
                    let figure = figures.at(period);
                    let dominated = figure.largest * 100 > figure.value * 85;
                    if figure.contributors >= rules.threshold && !dominated { continue; }
                    prop_assert!(!shown(row, period), "{:?} of row {:?} is told", period, row);
                    let (low, high) = ranges.at(row, period);
                    let others = (figure.value * 15).div_ceil(100);
                    prop_assert!(
                        low + others <= figure.value && (figure.value > 0 || high > 0),
                        "{:?} of row {:?}: {} is in {}..{}", period, row, figure.value, low, high
                    );
                }
            }
        }
    }

    /// Two tables of the same persons, by commune and by operator, with every period and both audiences: the equations of
    /// all answers together determine no sensitive figure.
    #[test]
    fn no_sum_of_answers_is_a_sensitive_figure(
        persons in prop::collection::vec(0..7_u64, 3 * 4 * MONTHS), closed in 1..=QUARTERS, (few, more) in thresholds()
    ) {
        let person = |commune: usize, operator: usize, month: usize| (commune * 3 + operator) * MONTHS + month;
        let months_of = |cells: &dyn Fn(usize) -> Vec<usize>| -> Series {
            let months: Vec<u64> = (0..MONTHS).map(|month| cells(month).iter().map(|cell| persons[*cell]).sum()).collect();
            series(&months)
        };
        let by_commune = |commune: usize| move |month: usize| (0..3).map(|operator| person(commune, operator, month)).collect::<Vec<_>>();
        let by_operator = |operator: usize| move |month: usize| (0..4).map(|commune| person(commune, operator, month)).collect::<Vec<_>>();
        let communes: Vec<Series> = (0..4).map(|commune| months_of(&by_commune(commune))).collect();
        let operators: Vec<Series> = (0..3).map(|operator| months_of(&by_operator(operator))).collect();

        for (threshold, is_public) in [(few, false), (more, true)] {
            let tell = |rows: &[Series]| {
                let internal = release(rows, closed, &[], &Rules::from_threshold(few));
                if is_public { release(rows, closed, &[&internal], &Rules::from_threshold(more)) } else { internal }
            };
            let (told_communes, told_operators) = (tell(&communes), tell(&operators));
            prop_assert_eq!(told_communes.root, told_operators.root);
            let mut equations = Field::new(persons.len());
            let mut secrets = Vec::new();
            for period in Period::all().filter(|period| period.is_closed(closed)) {
                let months: Vec<usize> = (0..MONTHS).filter(|month| within(*month, period)).collect();
                let all = |cells: &dyn Fn(usize) -> Vec<usize>| months.iter().flat_map(|month| cells(*month)).collect::<Vec<_>>();
                for (commune, row) in communes.iter().enumerate() {
                    let cells = all(&by_commune(commune));
                    if told_communes.rows[commune].at(period) { equations.learn(&cells); }
                    else if row.at(period).value < threshold { secrets.push(cells); }
                }
                for (operator, row) in operators.iter().enumerate() {
                    let cells = all(&by_operator(operator));
                    if told_operators.rows[operator].at(period) { equations.learn(&cells); }
                    else if row.at(period).value < threshold { secrets.push(cells); }
                }
                if told_communes.root.at(period) {
                    equations.learn(&all(&|month| (0..4).flat_map(|commune| by_commune(commune)(month)).collect()));
                }
            }
            for secret in secrets {
                prop_assert!(!equations.determines(&secret));
            }
        }
    }
}

fn within(month: usize, period: Period) -> bool {
    match period {
        Period::Month(own) => month == own,
        Period::Quarter(quarter) => month / 3 == quarter,
        Period::Year => true,
    }
}
