//! Framework conventions.

use nonrecours_contracts::conventions::{
    CreateFrameworkConventionRequest, FrameworkConvention, GetFrameworkConventionRequest,
    ListFrameworkConventionsRequest,
};
use nonrecours_testkit::request_id;

use crate::{
    requests::{date, framework, pairs, programme, reason, violations},
    world::World,
};

#[tokio::test]
async fn a_framework_convention_is_recorded_read_and_listed() {
    let world = World::start().await;
    let mut programmes = world.programmes(world.tokens.officer());
    let parent = programmes
        .create_programme(programme(1))
        .await
        .unwrap()
        .into_inner()
        .name;
    let mut officer = world.frameworks(world.tokens.officer());
    let request = framework(&parent);
    let recorded = officer
        .create_framework_convention(request.clone())
        .await
        .unwrap();
    let recorded = recorded.into_inner();
    assert!(
        recorded
            .name
            .starts_with(&format!("{parent}/frameworkConventions/"))
    );
    assert_eq!(recorded.vote_date, Some(date(2025, 9, 25)));
    let again = officer
        .create_framework_convention(request.clone())
        .await
        .unwrap();
    assert_eq!(again.into_inner(), recorded);
    let mut other = request;
    other.framework_convention.as_mut().unwrap().title = "Autre".to_owned();
    let outcome = officer.create_framework_convention(other).await;
    assert_eq!(reason(outcome), "REQUEST_ID_REUSED");

    let get = GetFrameworkConventionRequest {
        name: recorded.name.clone(),
    };
    let read = officer
        .get_framework_convention(get)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(read, recorded);
    let second = officer
        .create_framework_convention(framework(&parent))
        .await
        .unwrap();
    let list = |page_token| ListFrameworkConventionsRequest {
        parent: parent.clone(),
        page_size: 1,
        page_token,
    };
    let page = officer
        .list_framework_conventions(list(String::new()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.framework_conventions, std::slice::from_ref(&recorded));
    let page = officer
        .list_framework_conventions(list(page.next_page_token))
        .await
        .unwrap();
    let page = page.into_inner();
    assert_eq!(page.framework_conventions, [second.into_inner()]);
    assert_eq!(page.next_page_token, "");
    world
        .changes_until("framework_convention.created", &recorded.name)
        .await;
}

#[tokio::test]
async fn a_vote_in_the_future_and_a_missing_programme_are_refused() {
    let world = World::start().await;
    let mut officer = world.frameworks(world.tokens.officer());
    let parent = format!("programmes/{}", request_id());
    let outcome = officer
        .create_framework_convention(framework(&parent))
        .await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let request = CreateFrameworkConventionRequest {
        framework_convention: Some(FrameworkConvention {
            vote_date: Some(date(2025, 10, 8)),
            ..FrameworkConvention::default()
        }),
        ..framework(&parent)
    };
    assert_eq!(
        violations(officer.create_framework_convention(request).await),
        pairs(&[
            ("framework_convention.title", "REQUIRED"),
            ("framework_convention.vote_date", "DATE_IN_FUTURE"),
        ])
    );
    let name = format!("{parent}/frameworkConventions/{}", request_id());
    let outcome = officer
        .get_framework_convention(GetFrameworkConventionRequest { name })
        .await;
    assert_eq!(reason(outcome), "NOT_FOUND");
}
