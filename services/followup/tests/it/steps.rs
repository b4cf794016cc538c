//! Acts of support.

use nonrecours_contracts::followup::{
    AmountKind, EntitlementState, GetEntitlementRequest, GetStepRequest, ListStepsRequest,
    RecordOutcome, Step, entitlement_service_client::EntitlementServiceClient,
    step_service_client::StepServiceClient,
};
use tonic::Code;

use crate::support::*;

use RecordOutcome::{Rejected, Stale, Stored, Superseded, Unchanged};

async fn read(suite: &Suite, name: &str) -> Step {
    let request = GetStepRequest {
        name: name.to_owned(),
    };
    let mut client = StepServiceClient::new(suite.agent());
    client.get_step(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_step_is_stored_read_and_announced() {
    let suite = Suite::start().await;
    let renewal = step_with("P1", "B1", |step| {
        step.entitlement_reference = "E1".into();
        step.renewal = true;
    });
    // The right and the person come in the same batch.
    let batch = vec![
        person("B1"),
        right("E1", "B1"),
        renewal.clone(),
        step("P2", "B1"),
    ];
    let answer = suite.push(batch).await;
    assert_eq!(outcomes(&answer), [Stored; 4]);
    let stored = read(&suite, &answer.results[2].name).await;
    assert_eq!(stored.beneficiary, answer.results[0].name);
    assert_eq!(stored.entitlement, answer.results[1].name);
    assert_eq!(stored.convention, suite.convention.to_string());
    assert_eq!(
        (stored.renewal, stored.minutes, stored.partner.as_str()),
        (true, 45, "CAF")
    );
    assert_eq!((stored.step_date, stored.revision), (date(2025, 10, 3), 1));
    let other = read(&suite, &answer.results[3].name).await;
    assert_eq!((other.entitlement.as_str(), other.renewal), ("", false));

    let changes = suite.changes().await;
    let steps = changes
        .iter()
        .filter(|change| change.kind == "step.stored")
        .count();
    assert_eq!(steps, 2);
    assert_eq!(
        outcomes(&suite.push(vec![renewal.clone()]).await),
        [Unchanged]
    );
    assert_eq!(suite.changes().await, changes);

    suite.clock.advance(time::Duration::hours(1));
    let corrected = step_with("P1", "B1", |step| step.minutes = 50);
    let answer = suite.push(vec![version(2, corrected)]).await;
    assert_eq!(outcomes(&answer), [Stored]);
    let stored = read(&suite, &answer.results[0].name).await;
    assert_eq!(
        (stored.revision, stored.version, stored.minutes),
        (2, 2, 50)
    );
    assert_eq!((stored.entitlement.as_str(), stored.renewal), ("", false));
    assert_ne!(stored.create_time, stored.update_time);
    assert_eq!(
        outcomes(&suite.push(vec![version(1, renewal)]).await),
        [Stale]
    );
}

#[tokio::test]
async fn a_step_serves_a_right_of_its_own_person_known_before_it() {
    let suite = Suite::start().await;
    let serving = |reference, person, right: &str| {
        let right = right.to_owned();
        step_with(reference, person, move |step| {
            step.entitlement_reference = right
        })
    };
    let answer = suite
        .push(vec![
            person("B1"),
            person("B2"),
            serving("P1", "B1", "E1"),
            right("E1", "B1"),
            serving("P2", "B2", "E1"),
            serving("P3", "B1", "E1"),
            // Known from its first place in the batch on, though it counts in its last form.
            right("E1", "B1"),
        ])
        .await;
    // P1 comes before the right.
    assert_eq!(
        outcomes(&answer),
        [
            Stored, Stored, Rejected, Superseded, Rejected, Stored, Stored
        ]
    );
    assert_eq!(
        faults(&answer.results[2]),
        ["step.entitlement_reference ENTITLEMENT_UNKNOWN"]
    );
    assert_eq!(
        faults(&answer.results[4]),
        ["step.entitlement_reference ENTITLEMENT_OF_ANOTHER"]
    );
}

#[tokio::test]
async fn steps_are_listed_for_their_operator_alone() {
    let suite = Suite::start().await;
    let steps = (0..3).map(|number| step(&format!("P{number}"), "B1"));
    let batch = std::iter::once(person("B1")).chain(steps).collect();
    let answer = suite.push(batch).await;
    let parent = suite.convention.parent().to_string();
    let mut client = StepServiceClient::new(suite.agent());
    let mut listed = Vec::new();
    let mut page_token = String::new();
    for expected in [2, 1] {
        let request = ListStepsRequest {
            parent: parent.clone(),
            page_size: 2,
            page_token,
        };
        let page = client.list_steps(request).await.unwrap().into_inner();
        assert_eq!(page.steps.len(), expected);
        listed.extend(page.steps.into_iter().map(|step| step.external_reference));
        page_token = page.next_page_token;
    }
    assert_eq!(listed, ["P0", "P1", "P2"]);
    assert!(page_token.is_empty());

    let name = answer.results[1].name.clone();
    for (token, reason) in [
        (suite.tokens.agent(operator(2)), "OUT_OF_REACH"),
        (suite.tokens.officer(), "ROLE_MISSING"),
    ] {
        let mut client = StepServiceClient::new(suite.serving.channel(token));
        let get = GetStepRequest { name: name.clone() };
        let status = client.get_step(get).await.unwrap_err();
        assert_eq!(
            refusal(&status),
            (Code::PermissionDenied, reason.to_owned())
        );
        let list = ListStepsRequest {
            parent: parent.clone(),
            ..Default::default()
        };
        let status = client.list_steps(list).await.unwrap_err();
        assert_eq!(
            refusal(&status),
            (Code::PermissionDenied, reason.to_owned())
        );
    }
    let unknown = name.replace("steps/0", "steps/1");
    let status = client
        .get_step(GetStepRequest { name: unknown })
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn an_opened_right_has_a_start() {
    let suite = Suite::start().await;
    let opened = right_with("E1", "B1", |right| {
        right.state = EntitlementState::Opened.into();
        right.amount_kind = AmountKind::Notified.into();
        right.decided_date = date(2025, 10, 6);
        // Back to before the filing, as many rights are.
        right.start_date = date(2025, 9, 1);
        right.renewal_date = date(2026, 1, 1);
    });
    let answer = suite.push(vec![person("B1"), opened.clone()]).await;
    assert_eq!(outcomes(&answer), [Stored; 2]);
    let name = answer.results[1].name.clone();
    let mut client = EntitlementServiceClient::new(suite.agent());
    let stored = client
        .get_entitlement(GetEntitlementRequest { name })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stored.start_date, date(2025, 9, 1));
    assert_eq!(outcomes(&suite.push(vec![opened]).await), [Unchanged]);
}
