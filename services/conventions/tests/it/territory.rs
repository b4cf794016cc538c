//! A convention with an operator from outside the programme's territory: remarked upon, not refused.

use nonrecours_contracts::conventions::{
    ChangeTerritoryRequest, ListConventionsRequest, OperatorCategory,
};
use nonrecours_testkit::request_id;
use time::macros::datetime;

use crate::{
    requests::{DAINVILLE, date, operator},
    world::{Setting, World},
};

async fn warned(world: &World, convention: &str) -> Vec<String> {
    let warnings = world.convention(convention).await.warnings;
    assert!(warnings.iter().all(|it| !it.message_fr.is_empty()));
    warnings.into_iter().map(|it| it.reason).collect()
}

async fn change(world: &World, setting: &Setting, day: i32, entering: &[&str], leaving: &[&str]) {
    let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    let request = ChangeTerritoryRequest {
        name: setting.programme.clone(),
        effective_date: Some(date(2025, 10, day)),
        entering: codes(entering),
        leaving: codes(leaving),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut officer = world.programmes(world.tokens.officer());
    officer.change_territory(request).await.unwrap();
}

#[tokio::test]
async fn a_draft_is_judged_today_and_a_signed_convention_on_the_day_of_its_signature() {
    let world = World::start().await;
    let mut lille = operator(DAINVILLE, OperatorCategory::Commune);
    if let Some(lille) = &mut lille.operator {
        lille.insee_code = "59350".to_owned();
    }
    let outside = world.setting_of(50_000_000, lille).await;
    let draft = world.draft(&outside).await.name;
    assert_eq!(warned(&world, &draft).await, ["COMMUNE_OUTSIDE_TERRITORY"]);
    // In the list too.
    let mut auditor = world.conventions(world.tokens.auditor());
    let list = ListConventionsRequest {
        parent: outside.parent(),
        ..ListConventionsRequest::default()
    };
    let list = auditor.list_conventions(list).await.unwrap().into_inner();
    assert_eq!(list.conventions[0].warnings.len(), 1);
    change(&world, &outside, 10, &["59350"], &[]).await;
    assert_eq!(warned(&world, &draft).await, ["COMMUNE_OUTSIDE_TERRITORY"]);
    world.clock.set(datetime!(2025-10-10 08:00 UTC));
    assert_eq!(warned(&world, &draft).await, [""; 0]);

    let signed = world.in_force(&outside).await.name;
    change(&world, &outside, 20, &[], &["59350"]).await;
    world.clock.set(datetime!(2025-10-21 08:00 UTC));
    assert_eq!(warned(&world, &draft).await, ["COMMUNE_OUTSIDE_TERRITORY"]);
    assert_eq!(warned(&world, &signed).await, [""; 0]);
}
