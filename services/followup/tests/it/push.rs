//! What becomes of pushed records.

use nonrecours_contracts::{
    feed::PullChangesRequest,
    followup::{
        EntitlementState, GetBeneficiaryRequest, GetEntitlementRequest, JourneyState,
        RecordOutcome, beneficiary_service_client::BeneficiaryServiceClient,
        entitlement_service_client::EntitlementServiceClient,
    },
};
use tonic::Code;

use crate::support::*;

use RecordOutcome::{Rejected, Stale, Stored, Superseded, Unchanged};

#[tokio::test]
async fn records_are_stored_and_announced() {
    let suite = Suite::start().await;
    let answer = suite
        .push(vec![
            person("B1"),
            right("E1", "B1"),
            session("S1"),
            right("E2", "B1"),
        ])
        .await;
    assert_eq!(answer.sequence, 1);
    assert_eq!(outcomes(&answer), [Stored; 4]);
    let references: Vec<&str> = answer
        .results
        .iter()
        .map(|result| result.external_reference.as_str())
        .collect();
    assert_eq!(references, ["B1", "E1", "S1", "E2"]);

    let changes = suite.changes().await;
    let mut announced: Vec<(&str, &str, i64)> = changes
        .iter()
        .map(|change| (change.name.as_str(), change.kind.as_str(), change.revision))
        .collect();
    let mut expected = vec![
        (answer.results[0].name.as_str(), "beneficiary.stored", 1),
        (answer.results[1].name.as_str(), "entitlement.stored", 1),
        (answer.results[2].name.as_str(), "session.stored", 1),
        (answer.results[3].name.as_str(), "entitlement.stored", 1),
    ];
    announced.sort_unstable();
    expected.sort_unstable();
    assert_eq!(announced, expected);
    assert!(
        changes
            .iter()
            .all(|change| change.actor == format!("agent-{}", suite.convention.operator))
    );

    let mut client = EntitlementServiceClient::new(suite.agent());
    let name = answer.results[1].name.clone();
    let stored = client
        .get_entitlement(GetEntitlementRequest { name })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stored.beneficiary, answer.results[0].name);
    assert_eq!(stored.convention, suite.convention.to_string());
    assert_eq!(
        (stored.state(), stored.amount),
        (EntitlementState::Filed, euros(600, 0))
    );
    assert_eq!(
        (stored.external_reference.as_str(), stored.filed_date),
        ("E1", date(2025, 10, 2))
    );
}

#[tokio::test]
async fn pushing_again_changes_nothing() {
    let suite = Suite::start().await;
    let records = || {
        vec![
            version(
                5,
                person_with("B1", |person| {
                    person.publics = vec!["SENIOR".into(), "HABITANT".into()]
                }),
            ),
            version(5, right("E1", "B1")),
            version(5, session("S1")),
        ]
    };
    let first = suite.push(records()).await;
    let changes = suite.changes().await;
    suite.clock.advance(time::Duration::days(1));
    let again = suite.push(records()).await;
    assert_eq!(outcomes(&again), [Unchanged; 3]);
    let names = |answer: &nonrecours_contracts::followup::PushRecordsResponse| -> Vec<String> {
        answer
            .results
            .iter()
            .map(|result| result.name.clone())
            .collect()
    };
    assert_eq!(names(&again), names(&first));
    // The order of publics says nothing, and neither does the spelling of a commune.
    let respelt = person_with("B1", |person| {
        person.publics = vec!["HABITANT".into(), "SENIOR".into(), "HABITANT".into()];
        person.commune_code = "62 263".into();
    });
    assert_eq!(
        outcomes(&suite.push(vec![version(5, respelt)]).await),
        [Unchanged]
    );
    assert_eq!(suite.changes().await, changes);
}

#[tokio::test]
async fn a_change_makes_a_new_revision() {
    let suite = Suite::start().await;
    let first = suite
        .push(vec![person("B1"), right("E1", "B1"), session("S1")])
        .await;
    suite.clock.advance(time::Duration::hours(3));
    let closed = person_with("B1", |person| {
        person.state = JourneyState::Closed.into();
        person.closing_reason = nonrecours_contracts::followup::ClosingReason::RightsOpened.into();
        person.age_band = 0;
    });
    let opened = right_with("E1", "B1", |right| {
        right.state = EntitlementState::Opened.into();
        right.amount = euros(646, 52);
        right.amount_kind = nonrecours_contracts::followup::AmountKind::Notified.into();
        right.decided_date = date(2025, 10, 7);
        right.renewal_date = date(2026, 1, 1);
    });
    let busier = session_with("S1", |session| session.persons_met = 9);
    let answer = suite.push(vec![closed, opened, busier]).await;
    assert_eq!(outcomes(&answer), [Stored; 3]);

    let mut client = BeneficiaryServiceClient::new(suite.agent());
    let name = first.results[0].name.clone();
    let stored = client
        .get_beneficiary(GetBeneficiaryRequest { name })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (stored.state(), stored.age_band, stored.revision),
        (JourneyState::Closed, 0, 2)
    );
    assert_eq!(stored.etag, "2");
    assert_eq!(
        stored.update_time.unwrap().seconds - stored.create_time.unwrap().seconds,
        3 * 3600
    );
    let changes = suite.changes().await;
    assert_eq!(changes.len(), 6);
    let revisions: Vec<i64> = changes[3..].iter().map(|change| change.revision).collect();
    assert_eq!(revisions, [2, 2, 2]);
}

#[tokio::test]
async fn bad_records_do_not_keep_good_ones_out() {
    let suite = Suite::start().await;
    let answer = suite
        .push(vec![
            person("B1"),
            person_with("B2", |person| person.commune_code = "Dainville".into()),
            right("E1", "B1"),
            right_with("E2", "B1", |right| right.amount = euros(-5, 0)),
            session("S1"),
            session_with("S2", |session| session.held_date = date(2025, 10, 8)),
        ])
        .await;
    assert_eq!(
        outcomes(&answer),
        [Stored, Rejected, Stored, Rejected, Stored, Rejected]
    );
    assert_eq!(
        faults(&answer.results[1]),
        ["beneficiary.commune_code UNKNOWN_CODE"]
    );
    assert_eq!(
        faults(&answer.results[3]),
        ["entitlement.amount AMOUNT_INVALID"]
    );
    assert_eq!(
        faults(&answer.results[5]),
        ["session.held_date DATE_IN_FUTURE"]
    );
    assert_eq!(answer.results[1].name, "");
    assert_eq!(suite.changes().await.len(), 3);
}

#[tokio::test]
async fn an_older_version_never_overwrites_a_newer_one() {
    let suite = Suite::start().await;
    let spotted = || person_with("B1", |person| person.state = JourneyState::Spotted.into());
    let first = suite.push(vec![version(7, person("B1"))]).await;
    // An older state too: late, not wrong.
    let late = suite.push(vec![version(6, spotted())]).await;
    assert_eq!(outcomes(&late), [Stale]);
    assert_eq!(late.results[0].name, first.results[0].name);
    assert_eq!(
        outcomes(&suite.push(vec![version(7, person("B1"))]).await),
        [Unchanged]
    );
    assert_eq!(
        outcomes(&suite.push(vec![version(8, person("B1"))]).await),
        [Stored]
    );
    assert_eq!(suite.changes().await.len(), 2);
}

#[tokio::test]
async fn of_a_reference_given_twice_the_last_form_counts() {
    let suite = Suite::start().await;
    let senior = || person_with("B1", |person| person.publics = vec!["SENIOR".into()]);
    // The same reference of another kind is another record.
    let answer = suite
        .push(vec![
            person("B1"),
            right("B1", "B1"),
            senior(),
            session("B1"),
        ])
        .await;
    assert_eq!(outcomes(&answer), [Superseded, Stored, Stored, Stored]);
    assert_eq!(answer.results[0].name, answer.results[2].name);
    assert_eq!(outcomes(&suite.push(vec![senior()]).await), [Unchanged]);

    let bad = person_with("B1", |person| person.publics.clear());
    let answer = suite.push(vec![person("B1"), bad]).await;
    assert_eq!(outcomes(&answer), [Superseded, Rejected]);
    assert_eq!(answer.results[0].name, "");
    assert_eq!(outcomes(&suite.push(vec![senior()]).await), [Unchanged]);
}

#[tokio::test]
async fn a_right_refers_to_a_person_stored_or_earlier_in_the_batch() {
    let suite = Suite::start().await;
    let nobody = "entitlement.beneficiary_reference BENEFICIARY_UNKNOWN";
    let bad = person_with("B2", |person| person.publics.clear());
    let answer = suite
        .push(vec![
            right("E1", "B1"),
            person("B1"),
            bad,
            right("E2", "B2"),
            right("E3", "B1"),
        ])
        .await;
    assert_eq!(
        outcomes(&answer),
        [Rejected, Stored, Rejected, Rejected, Stored]
    );
    assert_eq!(faults(&answer.results[0]), [nobody]);
    assert_eq!(faults(&answer.results[3]), [nobody]);
    // Stored by now: its place in the batch no longer counts, nor does a rejected change of it.
    let bad = person_with("B1", |person| person.publics.clear());
    let answer = suite
        .push(vec![right("E1", "B1"), bad, right("E4", "B1")])
        .await;
    assert_eq!(outcomes(&answer), [Stored, Rejected, Stored]);
    // Known from the first of two forms on.
    let answer = suite
        .push(vec![person("B3"), right("E5", "B3"), person("B3")])
        .await;
    assert_eq!(outcomes(&answer), [Superseded, Stored, Stored]);
    // What can be nobody's reference is nobody's, and does not reach the database.
    let answer = suite.push(vec![right("E6", "B\0")]).await;
    assert_eq!(faults(&answer.results[0]), [nobody]);
}

#[tokio::test]
async fn states_only_go_forward() {
    let suite = Suite::start().await;
    suite.push(vec![person("B1"), right("E1", "B1")]).await;
    let answer = suite
        .push(vec![
            person_with("B1", |person| person.state = JourneyState::Informed.into()),
            right_with("E1", "B1", |right| {
                right.state = EntitlementState::Prepared.into()
            }),
        ])
        .await;
    assert_eq!(
        faults(&answer.results[0]),
        ["beneficiary.state TRANSITION_ILLEGAL"]
    );
    assert_eq!(
        faults(&answer.results[1]),
        ["entitlement.state TRANSITION_ILLEGAL"]
    );
    assert_eq!(suite.changes().await.len(), 2);
}

#[tokio::test]
async fn a_reference_belongs_to_one_convention() {
    let suite = Suite::start().await;
    let other = convention_name(1, 2);
    suite.learn(other, 1, true).await;
    suite
        .push(vec![person("B1"), right("E1", "B1"), session("S1")])
        .await;
    let records = vec![person("B1"), right("E1", "B1"), session("S1")];
    let answers = suite.push_under(&other, vec![records]).await.unwrap();
    assert_eq!(
        faults(&answers[0].results[0]),
        ["external_reference OTHER_CONVENTION"]
    );
    assert_eq!(
        faults(&answers[0].results[1]),
        [
            "entitlement.beneficiary_reference OTHER_CONVENTION",
            "external_reference OTHER_CONVENTION"
        ]
    );
    assert_eq!(
        faults(&answers[0].results[2]),
        ["external_reference OTHER_CONVENTION"]
    );
    // Another operator's references are its own.
    let elsewhere = convention_name(2, 1);
    suite.learn(elsewhere, 1, true).await;
    let records = vec![person("B1"), right("E1", "B1"), session("S1")];
    let answers = suite.push_under(&elsewhere, vec![records]).await.unwrap();
    assert_eq!(outcomes(&answers[0]), [Stored; 3]);
}

#[tokio::test]
async fn a_lost_answer_is_had_by_pushing_again() {
    let suite = Suite::start().await;
    let records = || vec![person("B1"), right("E1", "B1"), session("S1")];
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let mut client =
        nonrecours_contracts::followup::push_service_client::PushServiceClient::new(suite.agent());
    sender.send(opening(&suite.convention)).await.unwrap();
    sender.send(batch(1, records())).await.unwrap();
    let receiver = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let answers = client.push_records(receiver).await.unwrap();
    // The batch is durable once its changes can be read; the answer to it is never read.
    let mut feed =
        nonrecours_contracts::feed::change_feed_service_client::ChangeFeedServiceClient::new(
            suite.agent(),
        );
    let request = PullChangesRequest {
        wait: Some(prost_types::Duration {
            seconds: 20,
            nanos: 0,
        }),
        ..PullChangesRequest::default()
    };
    assert_eq!(
        feed.pull_changes(request)
            .await
            .unwrap()
            .into_inner()
            .changes
            .len(),
        3
    );
    drop((answers, sender));

    let answer = suite.push(records()).await;
    assert_eq!(outcomes(&answer), [Unchanged; 3]);
    assert_eq!(suite.changes().await.len(), 3);
}

#[tokio::test]
async fn only_a_convention_in_force_takes_records() {
    let suite = Suite::start().await;
    let unknown = convention_name(1, 9);
    let status = suite
        .push_under(&unknown, vec![vec![person("B1")]])
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));

    suite.learn(suite.convention, 2, false).await;
    let status = suite
        .push_under(&suite.convention, vec![vec![person("B1")]])
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&status),
        (
            Code::FailedPrecondition,
            "CONVENTION_NOT_IN_FORCE".to_owned()
        )
    );
    assert_eq!(suite.changes().await, []);
}
