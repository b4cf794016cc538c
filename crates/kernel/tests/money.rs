//! Laws of amounts and rates.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test says where"
)]

use nonrecours_kernel::{Money, Rate};
use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};

const MAX: i64 = 99_999_999_999_999;

fn money(value: &str) -> Money {
    Money::parse(value).unwrap()
}

fn rate(value: &str) -> Rate {
    Rate::parse(value).unwrap()
}

#[test]
fn what_falls_on_days_is_rounded_half_up() {
    let of = |cents, days, period| {
        let amount = Money::from_cents(cents).of_days(days, period);
        amount.map(Money::cents)
    };
    assert_eq!(of(920_000, 66, 87), Some(697_931));
    assert_eq!(of(1, 1, 2), Some(1));
    assert_eq!(of(1, 1, 3), Some(0));
    assert_eq!(of(920_000, 87, 87), Some(920_000));
    assert_eq!(of(920_000, 0, 87), Some(0));
    assert_eq!(
        of(Money::MAX.cents(), 3_652, 3_652),
        Some(Money::MAX.cents())
    );
    for (cents, days, period) in [(-1, 1, 2), (1, 3, 2), (1, 0, 0)] {
        assert_eq!(of(cents, days, period), None);
    }
}

#[test]
fn the_grant_of_the_convention_splits_into_its_two_payments() {
    let parts = money("11500")
        .allocate(&[rate("0.8"), rate("0.2")])
        .unwrap();
    assert_eq!(parts, [money("9200"), money("2300")]);
}

#[test]
fn an_odd_cent_goes_up_in_the_advance_and_the_balance_is_the_rest() {
    let odd = money("0.03").allocate(&[rate("0.5"), rate("0.5")]).unwrap();
    assert_eq!(odd, [money("0.02"), money("0.01")]);
    let parts = money("11500.03")
        .allocate(&[rate("0.8"), rate("0.2")])
        .unwrap();
    assert_eq!(parts, [money("9200.02"), money("2300.01")]);
}

#[test]
fn half_a_cent_goes_away_from_zero() {
    assert_eq!(money("0.01").share(rate("0.5")), money("0.01"));
    assert_eq!(money("-0.01").share(rate("0.5")), money("-0.01"));
    assert_eq!(money("0.01").share(rate("0.499999")), Money::ZERO);
}

#[test]
fn tiny_parts_never_take_more_than_there_is() {
    let quarters = [rate("0.5"), rate("0.5"), Rate::ZERO];
    assert_eq!(
        money("0.01").allocate(&quarters).unwrap(),
        [money("0.01"), Money::ZERO, Money::ZERO]
    );
    assert_eq!(
        money("-0.01").allocate(&quarters).unwrap(),
        [money("-0.01"), Money::ZERO, Money::ZERO]
    );
}

#[test]
fn rates_that_do_not_make_a_whole_are_refused() {
    for rates in [vec![], vec![rate("0.8")], vec![rate("0.8"), rate("0.3")]] {
        let refused = money("1").allocate(&rates).unwrap_err();
        assert_eq!(refused.reason, "RATES_TOTAL");
    }
    let many = vec![Rate::ZERO; nonrecours_kernel::money::MAX_SHARES + 1];
    assert_eq!(
        money("1").allocate(&many).unwrap_err().reason,
        "RATES_TOO_MANY"
    );
}

#[test]
fn each_refusal_has_its_reason() {
    for (value, reason) in [
        ("", "MONEY_FORMAT"),
        ("-", "MONEY_FORMAT"),
        ("9 200", "MONEY_FORMAT"),
        ("9200,00", "MONEY_FORMAT"),
        ("1e3", "MONEY_FORMAT"),
        ("1.", "MONEY_FORMAT"),
        ("0.001", "MONEY_SCALE"),
        ("1000000000000", "MONEY_RANGE"),
        ("-1000000000000", "MONEY_RANGE"),
        ("9999999999999999999999999999999999", "MONEY_RANGE"),
    ] {
        assert_eq!(Money::parse(value).unwrap_err().reason, reason, "{value}");
    }
    assert_eq!(money("9200.000"), money("9200"));
}

#[test]
fn a_decimal_is_taken_whole_or_refused() {
    let taken = |mantissa, scale| Money::try_from(Decimal::new(mantissa, scale));
    assert_eq!(taken(9_200_000, 3).unwrap(), money("9200"));
    assert_eq!(taken(1, 3).unwrap_err().reason, "MONEY_SCALE");
    assert_eq!(
        Money::try_from(Decimal::MAX).unwrap_err().reason,
        "MONEY_RANGE"
    );
}

#[test]
fn the_wire_form_is_checked_field_by_field() {
    let read = |c, u, n| Money::from_units_nanos(c, u, n).map_err(|e| e.reason);
    assert_eq!(read("EUR", 9200, 0), Ok(money("9200")));
    assert_eq!(read("EUR", -1, -500_000_000), Ok(money("-1.50")));
    assert_eq!(read("EUR", 0, -10_000_000), Ok(money("-0.01")));
    assert_eq!(read("USD", 1, 0), Err("MONEY_CURRENCY"));
    assert_eq!(read("eur", 1, 0), Err("MONEY_CURRENCY"));
    assert_eq!(read("EUR", 1, -10_000_000), Err("MONEY_SIGN"));
    assert_eq!(read("EUR", -1, 10_000_000), Err("MONEY_SIGN"));
    assert_eq!(read("EUR", 1, 1_000_000_000), Err("MONEY_NANOS"));
    assert_eq!(read("EUR", 0, i32::MIN), Err("MONEY_NANOS"));
    assert_eq!(read("EUR", 1, 1), Err("MONEY_SCALE"));
    assert_eq!(read("EUR", 1_000_000_000_000, 0), Err("MONEY_RANGE"));
    assert_eq!(read("EUR", i64::MAX, 0), Err("MONEY_RANGE"));
    assert_eq!(read("EUR", i64::MIN, 0), Err("MONEY_RANGE"));
}

#[test]
fn amounts_are_written_as_in_france() {
    assert_eq!(money("9200").french(), "9\u{202f}200,00\u{a0}€");
    assert_eq!(money("0.05").french(), "0,05\u{a0}€");
    assert_eq!(money("-0.05").french(), "-0,05\u{a0}€");
    assert_eq!(money("999").french(), "999,00\u{a0}€");
    assert_eq!(
        money("-1234567.89").french(),
        "-1\u{202f}234\u{202f}567,89\u{a0}€"
    );
    assert_eq!(money("9200").to_string(), "9200.00");
    assert_eq!(money("-0.5").to_string(), "-0.50");
}

#[test]
fn sums_stop_at_the_range() {
    assert_eq!(Money::MAX.checked_add(Money::from_cents(1)), None);
    assert_eq!((-Money::MAX).checked_sub(Money::from_cents(1)), None);
    assert_eq!(Money::sum([Money::MAX, Money::MAX]), None);
    assert_eq!(Money::sum([]), Some(Money::ZERO));
    assert_eq!(
        Money::try_from_cents(i64::MIN).unwrap_err().reason,
        "MONEY_RANGE"
    );
}

#[test]
#[should_panic(expected = "NUMERIC(14,2)")]
fn a_constant_beyond_the_range_is_a_mistake_of_the_program() {
    let _ = Money::from_cents(i64::MAX);
}

/// Random weights, turned into rates that make exactly one.
fn whole_rates() -> impl Strategy<Value = Vec<Rate>> {
    proptest::collection::vec(0..=1_000_000_i64, 0..12).prop_map(|cuts| {
        let mut cuts = cuts;
        cuts.extend([0, 1_000_000]);
        cuts.sort_unstable();
        cuts.windows(2)
            .map(|pair| Rate::try_from(Decimal::new(pair[1] - pair[0], 6)).unwrap())
            .collect()
    })
}

proptest! {
    #[test]
    fn parts_always_add_up_and_never_change_sign(cents in -MAX..=MAX, rates in whole_rates()) {
        let amount = Money::from_cents(cents);
        let parts = amount.allocate(&rates).unwrap();
        prop_assert_eq!(parts.len(), rates.len());
        prop_assert_eq!(Money::sum(parts.iter().copied()), Some(amount));
        prop_assert!(parts.iter().all(|p| p.is_zero() || p.is_negative() == amount.is_negative()));
    }

    #[test]
    fn small_amounts_split_as_safely(cents in -50_i64..=50, rates in whole_rates()) {
        let amount = Money::from_cents(cents);
        let parts = amount.allocate(&rates).unwrap();
        prop_assert_eq!(Money::sum(parts.iter().copied()), Some(amount));
        prop_assert!(parts.iter().all(|p| p.is_zero() || p.is_negative() == amount.is_negative()));
    }

    #[test]
    fn a_share_is_the_decimal_product_rounded(cents in -MAX..=MAX, millionths in 0..=1_000_000_i64) {
        let rate = Rate::try_from(Decimal::new(millionths, 6)).unwrap();
        let amount = Money::from_cents(cents);
        let expected = (amount.amount() * rate.value())
            .round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        prop_assert_eq!(amount.share(rate).amount(), expected);
    }

    #[test]
    fn every_form_roundtrips(cents in -MAX..=MAX) {
        let amount = Money::from_cents(cents);
        prop_assert_eq!(Money::parse(&amount.to_string()).unwrap(), amount);
        prop_assert_eq!(Money::try_from(amount.amount()).unwrap(), amount);
        let (units, nanos) = amount.to_units_nanos();
        prop_assert_eq!(Money::from_units_nanos("EUR", units, nanos).unwrap(), amount);
        prop_assert_eq!(-(-amount), amount);
    }

    #[test]
    fn subtraction_undoes_addition(a in -MAX..=MAX, b in -MAX..=MAX) {
        let (a, b) = (Money::from_cents(a), Money::from_cents(b));
        if let Some(sum) = a.checked_add(b) {
            prop_assert_eq!(sum.checked_sub(b), Some(a));
        }
        prop_assert_eq!(a.checked_add(b), b.checked_add(a));
    }
}

#[test]
fn weights_share_an_amount_and_the_last_takes_what_remains() {
    let cents =
        |parts: &[i64]| -> Vec<Money> { parts.iter().copied().map(Money::from_cents).collect() };
    let shared =
        |amount: i64, weights: &[i64]| Money::from_cents(amount).apportion(&cents(weights));
    assert_eq!(shared(1_000, &[450, 300]), Some(cents(&[600, 400])));
    assert_eq!(shared(100, &[1, 1, 1]), Some(cents(&[33, 33, 34])));
    // Half a cent goes up, as long as there is one.
    assert_eq!(shared(1, &[1, 1]), Some(cents(&[1, 0])));
    assert_eq!(shared(0, &[7, 3]), Some(cents(&[0, 0])));
    assert_eq!(shared(5, &[]), None);
    assert_eq!(shared(5, &[1, 0]), None);
    assert_eq!(shared(5, &[1, -1]), None);
    assert_eq!(shared(-5, &[1]), None);
}

proptest! {
    #[test]
    fn weights_share_exactly(cents in 0..=MAX, weights in proptest::collection::vec(1..=MAX, 1..12)) {
        let weights: Vec<_> = weights.into_iter().map(Money::from_cents).collect();
        let amount = Money::from_cents(cents);
        let parts = amount.apportion(&weights).unwrap();
        prop_assert_eq!(parts.len(), weights.len());
        prop_assert_eq!(Money::sum(parts.iter().copied()), Some(amount));
        prop_assert!(parts.iter().all(|part| !part.is_negative()));
        // As they are, when they make up the amount.
        if let Some(total) = Money::sum(weights.iter().copied()) {
            prop_assert_eq!(total.apportion(&weights), Some(weights));
        }
    }
}
