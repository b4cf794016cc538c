//! What was agreed beside what was achieved, and the cost of an opened right.

use nonrecours_contracts::{
    conventions::{Convention, ConventionState, Targets},
    feed::Change,
    followup::{
        AmountKind, Breakdown, ConventionTargets, EntitlementState, GetIndicatorsRequest, Grain,
        IndicatorRow, Indicators, QueryIndicatorsRequest, Record, amount, count,
        indicator_service_client::IndicatorServiceClient,
    },
};
use nonrecours_feed::Handler;
use nonrecours_followup::{follow::Conventions, indicator::release::release_due};
use nonrecours_kernel::{ConventionName, Scope};
use prost::{Message, Name};
use prost_types::Any;
use time::macros::datetime;

use crate::support::*;

/// After the lag of the fourth quarter of 2025.
const RELEASED: time::OffsetDateTime = datetime!(2026-01-17 06:00 +1);

/// A convention as the feed tells it: 11 500 € of 2025 for 120 persons spotted, 60 supported, 45 rights opened.
fn agreed(name: &ConventionName, revision: i64) -> Convention {
    Convention {
        name: name.to_string(),
        revision,
        state: ConventionState::InForce.into(),
        version: 1,
        budget_year: 2025,
        due_amount: euros(11_500, 0),
        targets: Some(Targets {
            persons_spotted: 120,
            persons_supported: 60,
            entitlements_opened: 45,
        }),
        ..Convention::default()
    }
}

async fn told(suite: &Suite, convention: &Convention) {
    let change = Change {
        snapshot: Some(Any {
            type_url: Convention::type_url(),
            value: convention.encode_to_vec(),
        }),
        ..Change::default()
    };
    let mut tx = suite
        .db
        .begin(&Scope::of_service("followup"))
        .await
        .unwrap();
    Conventions.apply(&mut tx, &change).await.unwrap();
    tx.commit().await.unwrap();
}

/// Persons spotted in a month with a right opened for each.
fn opened(prefix: &str, month: i32, number: usize) -> Vec<Record> {
    let records = (0..number).flat_map(|index| {
        let person = format!("{prefix}{month}-{index}");
        let right = right_with(&format!("E-{person}"), &person, |right| {
            right.state = EntitlementState::Opened.into();
            right.amount_kind = AmountKind::Notified.into();
            right.decided_date = date(2025, 10, 3);
        });
        let spotted = person_with(&person, |person| person.spotted_date = date(2025, month, 1));
        [spotted, right]
    });
    records.collect()
}

async fn table(
    suite: &Suite,
    token: String,
    parent: &str,
    breakdown: Breakdown,
    grain: Grain,
) -> Vec<IndicatorRow> {
    let request = QueryIndicatorsRequest {
        parent: parent.to_owned(),
        year: 2025,
        breakdown: breakdown.into(),
        grain: grain.into(),
        audience: 0,
    };
    let mut client = IndicatorServiceClient::new(suite.serving.channel(token));
    client
        .query_indicators(request)
        .await
        .unwrap()
        .into_inner()
        .rows
}

async fn counted(suite: &Suite) -> Indicators {
    let request = GetIndicatorsRequest {
        convention: suite.convention.to_string(),
    };
    let mut client = IndicatorServiceClient::new(suite.agent());
    client.get_indicators(request).await.unwrap().into_inner()
}

fn numbers(targets: &ConventionTargets) -> [i64; 3] {
    [
        targets.persons_spotted,
        targets.persons_supported,
        targets.entitlements_opened,
    ]
}

/// The cost of an opened right in cents; `Some(None)`: withheld.
fn cost(targets: &ConventionTargets) -> Option<Option<i64>> {
    match targets
        .cost_per_entitlement_opened
        .as_ref()?
        .figure
        .as_ref()?
    {
        amount::Figure::Value(value) => Some(Some(
            nonrecours_rpc::convert::money(Some(value)).unwrap().cents(),
        )),
        amount::Figure::Withheld(withheld) => {
            assert_eq!(withheld.threshold, 5);
            Some(None)
        }
    }
}

#[tokio::test]
async fn an_operator_sees_its_targets_beside_its_figures() {
    let suite = Suite::start().await;
    // Nothing is agreed before both have signed, and a convention that is gone back to is not told twice.
    let draft = Convention {
        version: 0,
        ..agreed(&suite.convention, 2)
    };
    told(&suite, &draft).await;
    assert_eq!(counted(&suite).await.targets, None);
    told(&suite, &agreed(&suite.convention, 3)).await;
    told(&suite, &draft).await;
    let targets = counted(&suite).await.targets.unwrap();
    assert_eq!((numbers(&targets), cost(&targets)), ([120, 60, 45], None));

    assert_eq!(suite.push(opened("P", 10, 3)).await.rejected, 0);
    let targets = counted(&suite).await.targets.unwrap();
    // 11 500 € for three rights: 3 833.333… €.
    assert_eq!(cost(&targets), Some(Some(383_333)));
    assert_eq!(targets.due_amount, euros(11_500, 0));

    // A second convention of the year, under which nothing is recorded yet, and one of another year.
    let second = convention_name(1, 2);
    told(&suite, &agreed(&second, 1)).await;
    let other_year = Convention {
        budget_year: 2026,
        ..agreed(&convention_name(1, 3), 1)
    };
    told(&suite, &other_year).await;
    let own = suite.convention.parent().to_string();
    let token = || suite.tokens.agent(suite.convention.operator);
    let rows = table(&suite, token(), &own, Breakdown::Convention, Grain::Year).await;
    let codes: Vec<&str> = rows.iter().map(|row| row.code.as_str()).collect();
    assert_eq!(codes, [suite.convention.to_string(), second.to_string()]);
    let costs: Vec<_> = rows
        .iter()
        .map(|row| cost(row.targets.as_ref().unwrap()))
        .collect();
    assert_eq!(costs, [Some(Some(383_333)), None]);
    let rows = table(&suite, token(), &own, Breakdown::Total, Grain::Year).await;
    let total = rows[0].targets.as_ref().unwrap();
    assert_eq!(
        (numbers(total), cost(total)),
        ([240, 120, 90], Some(Some(766_667)))
    );
    // Targets are of a year, and of conventions.
    for (breakdown, grain) in [
        (Breakdown::Total, Grain::Quarter),
        (Breakdown::Commune, Grain::Year),
    ] {
        let rows = table(&suite, token(), &own, breakdown, grain).await;
        assert!(!rows.is_empty() && rows.iter().all(|row| row.targets.is_none()));
    }
}

#[tokio::test]
async fn a_cost_never_tells_of_a_number_that_is_withheld() {
    let suite = Suite::start().await;
    told(&suite, &agreed(&suite.convention, 2)).await;
    // Enough persons in every quarter for the year to be told.
    for month in [2, 5, 8, 10] {
        assert_eq!(suite.push(opened("A", month, 12)).await.rejected, 0);
    }
    for (operator, number) in [(2, 9), (3, 2), (4, 3)] {
        let name = convention_name(operator, 1);
        told(&suite, &agreed(&name, 1)).await;
        suite
            .push_under(&name, vec![opened("B", 10, number)])
            .await
            .unwrap();
    }
    suite.clock.set(RELEASED);
    let ring = suite.vault.ring();
    release_due(&suite.db, suite.thresholds, ring.counts_with(), "followup")
        .await
        .unwrap();

    let officer = || suite.tokens.officer();
    let rows = table(
        &suite,
        officer(),
        "operators/-",
        Breakdown::Total,
        Grain::Year,
    )
    .await;
    let total = rows[0].targets.as_ref().unwrap();
    // 46 000 € for 62 rights.
    assert_eq!(
        (numbers(total), cost(total)),
        ([480, 240, 180], Some(Some(74_194)))
    );
    let rows = table(
        &suite,
        officer(),
        "operators/-",
        Breakdown::Operator,
        Grain::Year,
    )
    .await;
    assert_eq!(rows.len(), 4);
    let mut withheld = 0;
    for row in &rows {
        let targets = row.targets.as_ref().unwrap();
        assert_eq!(numbers(targets), [120, 60, 45]);
        let told = match row
            .entitlements_opened
            .as_ref()
            .unwrap()
            .figure
            .as_ref()
            .unwrap()
        {
            count::Figure::Value(opened) => Some((2 * 1_150_000 + opened) / (2 * opened)),
            count::Figure::Withheld(_) => None,
        };
        assert_eq!(cost(targets), Some(told), "{row:?}");
        withheld += usize::from(told.is_none());
    }
    assert!(withheld >= 2, "{rows:?}");
}
