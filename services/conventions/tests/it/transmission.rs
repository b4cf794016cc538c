//! The way of an act to the prefecture, and the day on which it becomes enforceable.

use nonrecours_contracts::conventions::{
    Act, CreateActRequest, EnforceabilityBasis, Party, Publicity, RecordActAcknowledgementRequest,
    RecordActPostingRequest, RecordActPublicationRequest, RecordActTransmissionFailureRequest,
    RecordActTransmissionRequest, TransmissionState,
};
use nonrecours_testkit::request_id;
use tonic::Status;

use crate::{
    requests::{
        CUA_ACT, DAINVILLE_ACT, NIR, act, date, pairs, precondition, reason, sign, violations,
    },
    world::World,
};

fn posting(name: &str, day: i32) -> RecordActPostingRequest {
    RecordActPostingRequest {
        name: name.to_owned(),
        posting_date: Some(date(2025, 10, day)),
        request_id: request_id(),
        ..RecordActPostingRequest::default()
    }
}

fn transmission(name: &str, day: i32) -> RecordActTransmissionRequest {
    RecordActTransmissionRequest {
        name: name.to_owned(),
        transmission_date: Some(date(2025, 10, day)),
        request_id: request_id(),
        ..RecordActTransmissionRequest::default()
    }
}

fn acknowledgement(name: &str, day: i32) -> RecordActAcknowledgementRequest {
    RecordActAcknowledgementRequest {
        name: name.to_owned(),
        acknowledgement_date: Some(date(2025, 10, day)),
        reference: "AR 062-20251006-17".to_owned(),
        request_id: request_id(),
        ..RecordActAcknowledgementRequest::default()
    }
}

fn failure(
    name: &str,
    outcome: TransmissionState,
    day: i32,
) -> RecordActTransmissionFailureRequest {
    RecordActTransmissionFailureRequest {
        name: name.to_owned(),
        outcome: outcome.into(),
        failure_date: Some(date(2025, 10, day)),
        reason: "pièce illisible".to_owned(),
        request_id: request_id(),
        ..RecordActTransmissionFailureRequest::default()
    }
}

/// An act of the commune that nobody has sent.
async fn unsent(world: &World) -> Act {
    let setting = world.setting(50_000_000).await;
    let parent = world.draft(&setting).await.name;
    let mut request = act(&parent, Party::Operator, DAINVILLE_ACT);
    request.act.as_mut().unwrap().transmission_date = None;
    let mut officer = world.acts(world.tokens.officer());
    officer.create_act(request).await.unwrap().into_inner()
}

fn etag_mismatch(outcome: Result<tonic::Response<Act>, Status>) {
    assert_eq!(reason(outcome), "ETAG_MISMATCH");
}

#[tokio::test]
async fn an_act_is_posted_transmitted_and_acknowledged() {
    let world = World::start().await;
    let sent = unsent(&world).await;
    let name = sent.name.as_str();
    let mut officer = world.acts(world.tokens.officer());
    assert_eq!(sent.transmission_state(), TransmissionState::ToTransmit);
    let outcome = officer
        .record_act_acknowledgement(acknowledgement(name, 7))
        .await;
    assert_eq!(precondition(outcome), "ACT_TRANSMISSION_OUT_OF_ORDER");

    let outcome = officer.record_act_posting(posting(name, 8)).await;
    assert_eq!(precondition(outcome), "ACT_DATES_OUT_OF_ORDER");
    let good = posting(name, 3);
    let posted = officer.record_act_posting(good.clone()).await.unwrap();
    let posted = posted.into_inner();
    assert_eq!(posted.transmission_state(), TransmissionState::Posted);
    assert_eq!(posted.posting_date, Some(date(2025, 10, 3)));
    let again = officer.record_act_posting(good.clone()).await.unwrap();
    assert_eq!(again.into_inner(), posted);
    let mut other = good;
    other.posting_date = Some(date(2025, 10, 4));
    let outcome = officer.record_act_posting(other.clone()).await;
    assert_eq!(reason(outcome), "REQUEST_ID_REUSED");
    let outcome = officer.record_act_posting(posting(name, 4)).await;
    assert_eq!(precondition(outcome), "ACT_TRANSMISSION_OUT_OF_ORDER");
    other.request_id = request_id();
    other.etag = "1".to_owned();
    etag_mismatch(officer.record_act_posting(other).await);

    // Not before it was handed over.
    let outcome = officer.record_act_transmission(transmission(name, 2)).await;
    assert_eq!(precondition(outcome), "ACT_DATES_OUT_OF_ORDER");
    officer
        .record_act_transmission(transmission(name, 6))
        .await
        .unwrap();
    let outcome = officer.record_act_posting(posting(name, 6)).await;
    assert_eq!(precondition(outcome), "ALREADY_TRANSMITTED");

    let outcome = officer
        .record_act_acknowledgement(acknowledgement(name, 5))
        .await;
    assert_eq!(precondition(outcome), "ACT_DATES_OUT_OF_ORDER");
    let faulty = RecordActAcknowledgementRequest {
        acknowledgement_date: None,
        reference: NIR.to_owned(),
        ..acknowledgement(name, 7)
    };
    assert_eq!(
        violations(officer.record_act_acknowledgement(faulty).await),
        pairs(&[
            ("acknowledgement_date", "REQUIRED"),
            ("reference", "NIR_FORBIDDEN")
        ])
    );
    let mut stale = acknowledgement(name, 7);
    stale.etag = "2".to_owned();
    etag_mismatch(officer.record_act_acknowledgement(stale).await);
    let good = acknowledgement(name, 7);
    let acknowledged = officer.record_act_acknowledgement(good.clone()).await;
    let acknowledged = acknowledged.unwrap().into_inner();
    assert_eq!(
        acknowledged.transmission_state(),
        TransmissionState::Acknowledged
    );
    assert_eq!(
        (acknowledged.posting_date, acknowledged.transmission_date),
        (Some(date(2025, 10, 3)), Some(date(2025, 10, 6)))
    );
    assert_eq!(acknowledged.acknowledgement_date, Some(date(2025, 10, 7)));
    let again = officer.record_act_acknowledgement(good).await.unwrap();
    assert_eq!(again.into_inner(), acknowledged);
    let outcome = officer
        .record_act_acknowledgement(acknowledgement(name, 7))
        .await;
    assert_eq!(precondition(outcome), "ACT_TRANSMISSION_OUT_OF_ORDER");
    let outcome = officer
        .record_act_transmission_failure(failure(name, TransmissionState::Refused, 7))
        .await;
    assert_eq!(precondition(outcome), "ACT_TRANSMISSION_OUT_OF_ORDER");

    let changes = world.changes_until("act.acknowledged", name).await;
    let told: Vec<_> = changes
        .iter()
        .filter(|change| change.name == name)
        .map(|change| change.kind.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "act.recorded",
            "act.posted",
            "act.transmitted",
            "act.acknowledged"
        ]
    );
}

#[tokio::test]
async fn a_refused_act_blocks_the_signature_until_it_is_sent_again() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.draft(&setting).await.name;
    let council = world.act(&parent, Party::Authority, CUA_ACT).await;
    world.publish(&council.name).await;
    let commune = world.act(&parent, Party::Operator, DAINVILLE_ACT).await;
    let published = world.publish(&commune.name).await;
    assert!(published.enforceability.is_some());
    let name = commune.name.as_str();
    let mut officer = world.acts(world.tokens.officer());

    let faulty = RecordActTransmissionFailureRequest {
        outcome: TransmissionState::Acknowledged.into(),
        failure_date: None,
        reason: NIR.to_owned(),
        ..failure(name, TransmissionState::Refused, 7)
    };
    let found = violations(officer.record_act_transmission_failure(faulty).await);
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["outcome", "failure_date", "reason"]);
    let outcome = officer
        .record_act_transmission_failure(failure(name, TransmissionState::Refused, 5))
        .await;
    assert_eq!(precondition(outcome), "ACT_DATES_OUT_OF_ORDER");
    let mut stale = failure(name, TransmissionState::Refused, 7);
    stale.etag = "1".to_owned();
    etag_mismatch(officer.record_act_transmission_failure(stale).await);
    let good = failure(name, TransmissionState::Refused, 7);
    let refused = officer
        .record_act_transmission_failure(good.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(refused.transmission_state(), TransmissionState::Refused);
    assert_eq!(
        (refused.failure_date, refused.failure_reason.as_str()),
        (Some(date(2025, 10, 7)), "pièce illisible")
    );
    assert_eq!(
        (refused.enforceability, refused.enforceable_date),
        (None, None)
    );
    let again = officer.record_act_transmission_failure(good).await.unwrap();
    assert_eq!(again.into_inner().etag, refused.etag);

    let blockers = world.convention(&parent).await.signing_blockers;
    let [blocker] = blockers.as_slice() else {
        panic!("{blockers:?}");
    };
    assert_eq!(
        (blocker.reason.as_str(), blocker.subject.as_str()),
        ("ACT_TRANSMISSION_FAILED", name)
    );
    let outcome = world.sign(sign(&parent, Party::Operator)).await;
    assert_eq!(reason(outcome), "SIGNING_BLOCKED");

    let sent = officer.record_act_posting(posting(name, 7)).await.unwrap();
    assert_eq!(sent.into_inner().failure_date, None);
    let lost = officer
        .record_act_transmission_failure(failure(name, TransmissionState::Error, 7))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(lost.transmission_state(), TransmissionState::Error);
    officer
        .record_act_transmission(transmission(name, 7))
        .await
        .unwrap();
    world.sign(sign(&parent, Party::Operator)).await.unwrap();
    world.changes_until("act.transmission_failed", name).await;
}

#[tokio::test]
async fn enforceability_says_what_decided_and_what_proves_it() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let mut officer = world.acts(world.tokens.officer());
    let record = |parent: &str, day, publicity: Publicity, reference: &str| {
        let mut request = act(parent, Party::Operator, DAINVILLE_ACT);
        let given = request.act.as_mut().unwrap();
        given.publication_date = Some(date(2025, 10, day));
        given.set_publicity(publicity);
        given.publication_reference = reference.to_owned();
        request
    };
    for (day, publicity, reference, expected) in [
        (
            1,
            Publicity::Publication,
            "RAA 40",
            (6, EnforceabilityBasis::Transmission, DAINVILLE_ACT),
        ),
        (
            6,
            Publicity::Unspecified,
            "RAA 41",
            (6, EnforceabilityBasis::Publication, "RAA 41"),
        ),
        (
            7,
            Publicity::Notification,
            "",
            (7, EnforceabilityBasis::Notification, ""),
        ),
    ] {
        let parent = world.draft(&setting).await.name;
        let recorded = officer
            .create_act(record(&parent, day, publicity, reference))
            .await
            .unwrap()
            .into_inner();
        let found = recorded.enforceability.unwrap();
        assert_eq!(found.date, recorded.enforceable_date);
        assert_eq!(
            (found.date, found.decided_by(), found.proof.as_str()),
            (Some(date(2025, 10, expected.0)), expected.1, expected.2)
        );
    }

    // What says how it was published says nothing without the day; and recorded later, both say the same.
    let parent = world.draft(&setting).await.name;
    let mut dayless = record(&parent, 1, Publicity::Notification, NIR);
    dayless.act.as_mut().unwrap().publication_date = None;
    assert_eq!(
        violations(officer.create_act(dayless).await),
        pairs(&[
            ("act.publication_reference", "NIR_FORBIDDEN"),
            ("act.publication_date", "REQUIRED")
        ])
    );
    let later = world.act(&parent, Party::Operator, DAINVILLE_ACT).await;
    let notified = officer
        .record_act_publication(RecordActPublicationRequest {
            name: later.name,
            publication_date: Some(date(2025, 10, 7)),
            publicity: Publicity::Notification.into(),
            reference: "LRAR 1A 205".to_owned(),
            request_id: request_id(),
            ..RecordActPublicationRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(notified.publicity(), Publicity::Notification);
    assert_eq!(notified.enforceability.unwrap().proof, "LRAR 1A 205");
    let missing = CreateActRequest::default();
    assert_eq!(reason(officer.create_act(missing).await), "INVALID_REQUEST");
}
