//! Instalments of any split, originals, dates a year later.

use proptest::prelude::*;
use time::macros::date;

use super::*;

fn instalments(terms: &[(InstalmentKind, &str)]) -> Result<Instalments, Invalid> {
    Instalments::new(
        terms
            .iter()
            .map(|(kind, share)| (kind.clone(), Rate::parse(share).unwrap()))
            .collect(),
    )
}

fn interim(due: Option<Date>) -> InstalmentKind {
    InstalmentKind::Interim {
        condition: "Compte rendu à mi-parcours.".to_owned(),
        due,
    }
}

#[test]
fn a_year_later_is_the_same_day_or_the_28th_of_february() {
    assert_eq!(year_later(date!(2025 - 12 - 31)), date!(2026 - 12 - 31));
    assert_eq!(year_later(date!(2028 - 02 - 29)), date!(2029 - 02 - 28));
    assert_eq!(year_later(date!(2027 - 02 - 28)), date!(2028 - 02 - 28));
}

#[test]
fn there_is_an_original_for_each_party() {
    let number = |given| Originals::new(given).map(Originals::get);
    assert_eq!((number(0), number(2), number(20)), (Ok(3), Ok(2), Ok(20)));
    for given in [-1, 1, 21, i32::MAX] {
        assert_eq!(number(given).unwrap_err().reason, "ORIGINALS_RANGE");
    }
}

#[test]
fn one_balance_last_and_shares_of_one() {
    use InstalmentKind::{Advance, Balance};
    let reason = |terms: &[_]| instalments(terms).unwrap_err().reason;
    assert_eq!(reason(&[]), "BALANCE_NOT_LAST");
    assert_eq!(reason(&[(Advance, "1")]), "BALANCE_NOT_LAST");
    assert_eq!(
        reason(&[(Balance, "0.2"), (Advance, "0.8")]),
        "BALANCE_NOT_LAST"
    );
    assert_eq!(
        reason(&[(Balance, "0.5"), (Balance, "0.5")]),
        "BALANCE_NOT_LAST"
    );
    assert_eq!(reason(&[(Advance, "0"), (Balance, "1")]), "SHARE_ZERO");
    assert_eq!(reason(&[(Advance, "0.8"), (Balance, "0.3")]), "RATES_TOTAL");
    assert_eq!(
        reason(&[(Advance, "0.5"), (Advance, "0.3"), (Balance, "0.2")]),
        "ADVANCE_NOT_FIRST"
    );
    assert_eq!(
        reason(&[(interim(None), "0.5"), (Advance, "0.3"), (Balance, "0.2")]),
        "ADVANCE_NOT_FIRST"
    );
    let (early, late) = (date!(2025 - 03 - 01), date!(2025 - 09 - 01));
    assert_eq!(
        reason(&[
            (interim(Some(late)), "0.5"),
            (interim(Some(early)), "0.3"),
            (Balance, "0.2")
        ]),
        "DUE_DATES_OUT_OF_ORDER"
    );
    let both = instalments(&[(Advance, "0.8"), (Balance, "0.2")]).unwrap();
    assert_eq!(
        both.amounts(Money::from_cents(1_150_000)),
        [Money::from_cents(920_000), Money::from_cents(230_000)]
    );
}

proptest! {
    #[test]
    fn the_instalments_of_any_split_add_up_to_the_grant(
        cents in 1..10_000_000_i64,
        advance: bool,
        weights in prop::collection::vec(1..1_000_i64, 1..=12),
    ) {
        // Shares in millionths that follow the weights; the last one is what is missing to 1.
        let total: i64 = weights.iter().sum();
        let mut shares: Vec<i64> = weights.iter().map(|weight| weight * 1_000_000 / total).collect();
        let first: i64 = shares.iter().rev().skip(1).sum();
        *shares.last_mut().unwrap() = 1_000_000 - first;
        prop_assume!(shares.iter().all(|share| *share > 0));
        let last = shares.len() - 1;
        let terms: Vec<_> = shares.iter().enumerate().map(|(index, share)| {
            let kind = match index {
                _ if index == last => InstalmentKind::Balance,
                0 if advance => InstalmentKind::Advance,
                _ => interim(None),
            };
            let share = format!("{}.{:06}", share / 1_000_000, share % 1_000_000);
            (kind, Rate::parse(&share).unwrap())
        }).collect();
        let split = Instalments::new(terms).unwrap();
        let grant = Money::from_cents(cents);
        let amounts = split.amounts(grant);
        prop_assert_eq!(amounts.len(), weights.len());
        prop_assert!(amounts.iter().all(|amount| !amount.is_negative()));
        prop_assert_eq!(Money::sum(amounts), Some(grant));
    }
}
