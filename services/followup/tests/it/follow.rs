//! What the service learns from the feed of `conventions`.

use std::time::Duration;

use nonrecours_contracts::{
    conventions::{Convention, ConventionState, Operator},
    feed::Change,
    followup::{GetIndicatorsRequest, indicator_service_client::IndicatorServiceClient},
};
use nonrecours_feed::Handler;
use nonrecours_followup::{convention::store, follow::Conventions};
use nonrecours_kernel::{ConventionName, Scope};
use prost::{Message, Name};
use prost_types::Any;
use tonic::Code;

use crate::support::*;

fn told(name: &ConventionName, revision: i64, state: ConventionState) -> Convention {
    Convention {
        name: name.to_string(),
        revision,
        state: state.into(),
        ..Convention::default()
    }
}

fn change<M: Message + Name>(snapshot: &M) -> Change {
    Change {
        snapshot: Some(Any {
            type_url: M::type_url(),
            value: snapshot.encode_to_vec(),
        }),
        ..Change::default()
    }
}

/// Applies one change, and says whether the convention is then known to be in force.
async fn apply(suite: &Suite, name: &ConventionName, change: &Change) -> Option<bool> {
    let mut tx = suite
        .db
        .begin(&Scope::of_service("followup"))
        .await
        .unwrap();
    Conventions.apply(&mut tx, change).await.unwrap();
    let in_force = store::in_force(&mut tx, name).await.unwrap();
    tx.commit().await.unwrap();
    in_force
}

#[tokio::test]
async fn only_what_is_newer_counts() {
    let suite = Suite::start().await;
    let name = convention_name(3, 1);
    for (revision, state, in_force) in [
        (1, ConventionState::Draft, false),
        (4, ConventionState::InForce, true),
        (4, ConventionState::Draft, true),
        (2, ConventionState::PartlySigned, true),
        (6, ConventionState::Completed, false),
        (5, ConventionState::InForce, false),
        (7, ConventionState::Settled, false),
    ] {
        let change = change(&told(&name, revision, state));
        assert_eq!(
            apply(&suite, &name, &change).await,
            Some(in_force),
            "{revision} {state:?}"
        );
    }
}

#[tokio::test]
async fn other_resources_of_the_feed_are_passed_over() {
    let suite = Suite::start().await;
    let name = convention_name(3, 1);
    let operator = Operator {
        name: name.parent().to_string(),
        ..Operator::default()
    };
    assert_eq!(apply(&suite, &name, &change(&operator)).await, None);
}

#[tokio::test]
async fn a_change_that_cannot_be_read_is_not_skipped() {
    let suite = Suite::start().await;
    let mut tx = suite
        .db
        .begin(&Scope::of_service("followup"))
        .await
        .unwrap();
    let nameless = change(&Convention::default());
    assert!(Conventions.apply(&mut tx, &nameless).await.is_err());
    let mut damaged = nameless;
    if let Some(snapshot) = &mut damaged.snapshot {
        snapshot.value = vec![0xff];
    }
    assert!(Conventions.apply(&mut tx, &damaged).await.is_err());
}

#[tokio::test]
async fn a_convention_of_the_feed_takes_records_once_in_force() {
    let suite = Suite::start().await;
    let name = convention_name(4, 1);
    let feed = &suite.conventions;
    feed.push(
        &name.to_string(),
        1,
        "convention.created",
        &told(&name, 1, ConventionState::Draft),
    );
    known(&suite, &name).await;
    let status = suite
        .push_under(&name, vec![vec![person("B1")]])
        .await
        .unwrap_err();
    assert_eq!(refusal(&status).1, "CONVENTION_NOT_IN_FORCE");

    let next = convention_name(4, 2);
    feed.push(
        &name.to_string(),
        2,
        "convention.signed",
        &told(&name, 2, ConventionState::InForce),
    );
    feed.push(
        &next.to_string(),
        1,
        "convention.created",
        &told(&next, 1, ConventionState::Draft),
    );
    // The feed is applied in its order: with the later change, the earlier is known.
    known(&suite, &next).await;
    let answers = suite
        .push_under(&name, vec![vec![person("B1")]])
        .await
        .unwrap();
    assert_eq!(answers[0].stored, 1);
}

/// Waits until a convention is known, for ten seconds at most.
async fn known(suite: &Suite, name: &ConventionName) {
    let mut client =
        IndicatorServiceClient::new(suite.serving.channel(suite.tokens.peer("conventions")));
    let waiting = async {
        loop {
            let request = GetIndicatorsRequest {
                convention: name.to_string(),
            };
            match client.get_indicators(request).await {
                Ok(_) => return,
                Err(status) => assert_eq!(status.code(), Code::NotFound),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("the feed is followed");
}
