//! The history of a convention: who, when, what, why; nothing of it is lost or changed.

use nonrecours_contracts::{
    conventions::{ActivityReport, Convention, ReturnActivityReportRequest},
    feed::{Change, ListHistoryRequest},
};
use nonrecours_testkit::request_id;

use crate::world::World;

async fn history(world: &World, name: &str) -> Vec<Change> {
    let mut client = world.feed(world.tokens.auditor());
    let request = ListHistoryRequest {
        name: name.to_owned(),
        ..ListHistoryRequest::default()
    };
    client
        .list_history(request)
        .await
        .unwrap()
        .into_inner()
        .changes
}

#[tokio::test]
async fn every_change_of_a_convention_is_there_in_order_and_stays_as_it_was() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    let report = world.submitted(&name).await;
    let before = history(&world, &name).await;
    let request = ReturnActivityReportRequest {
        name: report.name.clone(),
        correction: "Précisez les dépenses de personnel.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut reports = world.reports(world.tokens.officer());
    reports.return_activity_report(request).await.unwrap();
    let after = history(&world, &name).await;

    let steps: Vec<_> = after
        .iter()
        .map(|it| (it.kind.as_str(), it.label_fr.as_str(), it.why.as_str()))
        .collect();
    assert_eq!(
        steps,
        [
            ("convention.drafted", "projet de convention rédigé", ""),
            ("act.recorded", "acte enregistré", ""),
            ("act.published", "acte publié", ""),
            ("convention.updated", "convention mise à jour", ""),
            ("act.recorded", "acte enregistré", ""),
            ("act.published", "acte publié", ""),
            ("convention.signed", "signature d'une partie", ""),
            ("convention.in_force", "seconde signature : en vigueur", ""),
            ("activity_report.drafted", "bilan établi", ""),
            ("activity_report.submitted", "bilan remis", ""),
            (
                "activity_report.returned",
                "bilan à corriger",
                "Précisez les dépenses de personnel."
            ),
        ]
    );
    // What was there is there, byte for byte: each step with who took it, and the whole resource as it left it.
    assert_eq!(after[..before.len()], before);
    assert!(
        after
            .iter()
            .all(|it| !it.actor.is_empty() && it.occur_time.is_some())
    );
    assert_ne!(after[6].actor, after[7].actor);
    let conventions: Vec<Convention> = after
        .iter()
        .filter(|it| it.name == name)
        .map(|it| it.snapshot.as_ref().unwrap().to_msg().unwrap())
        .collect();
    let revisions: Vec<_> = conventions.iter().map(|it| it.revision).collect();
    assert_eq!(revisions, [1, 2, 3, 4]);
    assert_eq!(conventions.last(), Some(&world.convention(&name).await));
    let last: ActivityReport = after[10].snapshot.as_ref().unwrap().to_msg().unwrap();
    assert_eq!(last, world.report(&report.name).await);
}
