//! Authorising acts.

use nonrecours_contracts::conventions::{
    Act, CreateActRequest, GetActRequest, ListActsRequest, Party, RecordActPublicationRequest,
    RecordActTransmissionRequest,
};
use nonrecours_testkit::request_id;

use crate::{
    requests::{CUA_ACT, DAINVILLE_ACT, act, date, pairs, precondition, reason, violations},
    world::World,
};

#[tokio::test]
async fn an_act_is_recorded_with_what_its_number_says() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let parent = world.draft(&setting).await.name;
    let mut officer = world.acts(world.tokens.officer());
    let request = act(&parent, Party::Operator, DAINVILLE_ACT);
    let recorded = officer
        .create_act(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(recorded.decision_date, Some(date(2025, 9, 29)));
    assert_eq!(recorded.transmission_date, Some(date(2025, 10, 6)));
    assert_eq!(recorded.enforceable_date, None);
    assert_eq!(
        officer
            .create_act(request.clone())
            .await
            .unwrap()
            .into_inner(),
        recorded
    );
    // The convention changed once: its blank date was filled.
    assert_eq!(world.convention(&parent).await.revision, 2);
    let mut other = request;
    other.act.as_mut().unwrap().transmission_date = None;
    assert_eq!(reason(officer.create_act(other).await), "REQUEST_ID_REUSED");
    let second = act(&parent, Party::Operator, DAINVILLE_ACT);
    assert_eq!(reason(officer.create_act(second).await), "ALREADY_EXISTS");

    let council = world.act(&parent, Party::Authority, CUA_ACT).await;
    // Its date stood there already: the convention did not change.
    assert_eq!(world.convention(&parent).await.revision, 2);
    let get = GetActRequest {
        name: recorded.name.clone(),
    };
    assert_eq!(officer.get_act(get).await.unwrap().into_inner(), recorded);
    let list = |page_token| ListActsRequest {
        parent: parent.clone(),
        page_size: 1,
        page_token,
    };
    let page = officer
        .list_acts(list(String::new()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.acts, std::slice::from_ref(&recorded));
    let page = officer
        .list_acts(list(page.next_page_token))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.acts, [council]);
    assert_eq!(page.next_page_token, "");
    world.changes_until("act.recorded", &recorded.name).await;
}

#[tokio::test]
async fn an_act_of_another_body_or_another_day_is_refused() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let parent = world.draft(&setting).await.name;
    let mut officer = world.acts(world.tokens.officer());
    for (party, act_id, expected) in [
        (Party::Authority, DAINVILLE_ACT, "ACT_SIREN_MISMATCH"),
        (Party::Operator, CUA_ACT, "ACT_SIREN_MISMATCH"),
        (
            Party::Authority,
            "062-200033579-20250926-25C121-DE",
            "ACT_DATE_MISMATCH",
        ),
    ] {
        let outcome = officer.create_act(act(&parent, party, act_id)).await;
        assert_eq!(precondition(outcome), expected);
    }
    let missing = format!("{}/conventions/{}", setting.parent(), request_id());
    let outcome = officer
        .create_act(act(&missing, Party::Authority, CUA_ACT))
        .await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let listed = officer
        .list_acts(ListActsRequest {
            parent,
            ..ListActsRequest::default()
        })
        .await
        .unwrap();
    assert_eq!(listed.into_inner().acts, []);
}

#[tokio::test]
async fn everything_wrong_comes_at_once() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let parent = world.draft(&setting).await.name;
    let mut officer = world.acts(world.tokens.officer());
    let request = |given| CreateActRequest {
        parent: parent.clone(),
        act: Some(given),
        request_id: request_id(),
    };
    let outcome = officer
        .create_act(request(Act {
            party: 0,
            act_id: "062-216202631-20250929-25D045-DE".to_owned(),
            transmission_date: Some(date(2025, 2, 30)),
            ..Act::default()
        }))
        .await;
    assert_eq!(
        violations(outcome),
        pairs(&[
            ("act.party", "REQUIRED"),
            ("act.act_id", "ACT_ID_SIREN"),
            ("act.transmission_date", "DATE_INVALID"),
        ])
    );
    let outcome = officer
        .create_act(request(Act {
            party: Party::Operator.into(),
            act_id: DAINVILLE_ACT.to_owned(),
            transmission_date: Some(date(2025, 9, 28)),
            publication_date: Some(date(2025, 10, 8)),
            ..Act::default()
        }))
        .await;
    assert_eq!(
        violations(outcome),
        pairs(&[
            ("act.transmission_date", "ACT_DATES_OUT_OF_ORDER"),
            ("act.publication_date", "ACT_DATES_OUT_OF_ORDER"),
        ])
    );
    let tomorrow = act(&parent, Party::Operator, "062-216202630-20251008-25D046-DE");
    assert!(
        violations(officer.create_act(tomorrow).await)
            .contains(&("act.act_id".to_owned(), "DATE_IN_FUTURE".to_owned()))
    );
}

#[tokio::test]
async fn transmission_and_publication_are_recorded_once_and_in_order() {
    let world = World::start().await;
    let setting = world.setting(1).await;
    let parent = world.draft(&setting).await.name;
    let mut officer = world.acts(world.tokens.officer());
    let mut blank = act(&parent, Party::Operator, DAINVILLE_ACT);
    blank.act.as_mut().unwrap().transmission_date = None;
    let name = officer.create_act(blank).await.unwrap().into_inner().name;

    let transmission = |month, day, etag: &str| RecordActTransmissionRequest {
        name: name.clone(),
        transmission_date: Some(date(2025, month, day)),
        etag: etag.to_owned(),
        request_id: request_id(),
    };
    for (month, day) in [(9, 28), (10, 8)] {
        let outcome = officer
            .record_act_transmission(transmission(month, day, ""))
            .await;
        assert_eq!(precondition(outcome), "ACT_DATES_OUT_OF_ORDER");
    }
    let good = transmission(10, 6, "1");
    let sent = officer
        .record_act_transmission(good.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (sent.transmission_date, sent.etag.as_str()),
        (Some(date(2025, 10, 6)), "2")
    );
    let again = officer
        .record_act_transmission(good.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, sent);
    let mut other = good;
    other.transmission_date = Some(date(2025, 10, 5));
    assert_eq!(
        reason(officer.record_act_transmission(other).await),
        "REQUEST_ID_REUSED"
    );
    let outcome = officer
        .record_act_transmission(transmission(10, 6, "1"))
        .await;
    assert_eq!(reason(outcome), "ETAG_MISMATCH");
    let outcome = officer
        .record_act_transmission(transmission(10, 6, "2"))
        .await;
    assert_eq!(precondition(outcome), "ALREADY_TRANSMITTED");

    let publication = |month, day, etag: &str| RecordActPublicationRequest {
        name: name.clone(),
        publication_date: Some(date(2025, month, day)),
        etag: etag.to_owned(),
        request_id: request_id(),
        ..RecordActPublicationRequest::default()
    };
    for (month, day) in [(9, 28), (10, 8)] {
        let outcome = officer
            .record_act_publication(publication(month, day, ""))
            .await;
        assert_eq!(precondition(outcome), "ACT_DATES_OUT_OF_ORDER");
    }
    let outcome = officer
        .record_act_publication(publication(10, 1, "1"))
        .await;
    assert_eq!(reason(outcome), "ETAG_MISMATCH");
    let good = publication(10, 1, "2");
    let published = officer
        .record_act_publication(good.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(published.enforceable_date, Some(date(2025, 10, 6)));
    let again = officer
        .record_act_publication(good.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, published);
    let mut other = good;
    other.publication_date = None;
    assert_eq!(
        violations(officer.record_act_publication(other.clone()).await),
        pairs(&[("publication_date", "REQUIRED")])
    );
    other.publication_date = Some(date(2025, 10, 2));
    assert_eq!(
        reason(officer.record_act_publication(other).await),
        "REQUEST_ID_REUSED"
    );
    let outcome = officer.record_act_publication(publication(10, 1, "")).await;
    assert_eq!(precondition(outcome), "ALREADY_PUBLISHED");
    let changes = world.changes_until("act.published", &name).await;
    let told: Vec<_> = changes
        .iter()
        .filter(|it| it.name == name)
        .map(|it| it.kind.as_str())
        .collect();
    assert_eq!(told, ["act.recorded", "act.transmitted", "act.published"]);

    let mut missing = transmission(10, 6, "");
    missing.name = format!("{parent}/acts/{}", request_id());
    assert_eq!(
        reason(officer.record_act_transmission(missing).await),
        "NOT_FOUND"
    );
}
