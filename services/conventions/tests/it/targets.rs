//! Targets: agreed with the terms, amended with them, and kept in their versions.

use nonrecours_contracts::conventions::{
    Amendment, Convention, GetConventionVersionRequest, Party, Targets, UpdateConventionRequest,
};
use nonrecours_testkit::request_id;
use prost_types::FieldMask;

use crate::{
    amending::draft,
    requests::{CUA_ACT, DAINVILLE_ACT, convention, pairs, precondition, sign, violations},
    world::World,
};

fn targets(
    persons_spotted: i32,
    persons_supported: i32,
    entitlements_opened: i32,
) -> Option<Targets> {
    Some(Targets {
        persons_spotted,
        persons_supported,
        entitlements_opened,
    })
}

fn update(given: Convention) -> UpdateConventionRequest {
    UpdateConventionRequest {
        convention: Some(given),
        update_mask: Some(FieldMask {
            paths: vec!["targets".to_owned()],
        }),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn targets_are_agreed_amended_and_kept_in_every_version() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let mut officer = world.conventions(world.tokens.officer());
    let mut request = convention(&setting.parent(), &setting.framework);
    request.convention.as_mut().unwrap().targets = targets(50, 60, 0);
    let outcome = officer.create_convention(request.clone()).await;
    assert_eq!(
        violations(outcome),
        pairs(&[("convention.targets", "TARGETS_CONTRADICTORY")])
    );
    request.convention.as_mut().unwrap().targets = targets(-1, 0, 1_000_001);
    let outcome = officer.create_convention(request.clone()).await;
    assert_eq!(
        violations(outcome),
        pairs(&[
            ("convention.targets.persons_spotted", "TOO_SMALL"),
            ("convention.targets.entitlements_opened", "TOO_LARGE"),
        ])
    );
    request.convention.as_mut().unwrap().targets = None;
    let created = officer
        .create_convention(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(created.targets, None);
    let given = Convention {
        targets: targets(120, 60, 0),
        ..created
    };
    let name = given.name.clone();
    let updated = officer
        .update_convention(update(given))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(updated.targets, targets(120, 60, 0));

    for (party, act_id) in [
        (Party::Authority, CUA_ACT),
        (Party::Operator, DAINVILLE_ACT),
    ] {
        let act = world.act(&name, party, act_id).await;
        world.publish(&act.name).await;
    }
    world.sign(sign(&name, Party::Operator)).await.unwrap();
    let signed = world.sign(sign(&name, Party::Authority)).await.unwrap();
    assert_eq!(signed.targets, targets(120, 60, 0));
    // The feed carries them.
    let changes = world.changes_until("convention.in_force", &name).await;
    let snapshot = changes.last().unwrap().snapshot.as_ref().unwrap();
    let told: Convention = snapshot.to_msg().unwrap();
    assert_eq!((told.targets, told.version), (targets(120, 60, 0), 1));

    let amended = Amendment {
        targets: targets(150, 0, 45),
        ..Amendment::default()
    };
    assert_eq!(
        world.amended(&name, amended).await.targets,
        targets(150, 0, 45)
    );
    let mut versions = world.versions(world.tokens.auditor());
    let version = |number| GetConventionVersionRequest {
        name: format!("{name}/versions/{number}"),
    };
    let first = versions
        .get_convention_version(version(1))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.targets, targets(120, 60, 0));
    let second = versions
        .get_convention_version(version(2))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(second.targets, targets(150, 0, 45));
    let told: Vec<_> = second
        .changes
        .iter()
        .map(|it| (it.field.as_str(), it.sentence_fr.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                "targets.persons_spotted",
                "L'objectif chiffré passe de 120 personnes repérées à 150 personnes repérées."
            ),
            (
                "targets.persons_supported",
                "L'objectif chiffré de 60 personnes accompagnées est retiré."
            ),
            (
                "targets.entitlements_opened",
                "Un objectif chiffré s'ajoute : 45 droits ouverts."
            ),
        ]
    );

    // Another amendment leaves them, and one may take them all away.
    let title = Amendment {
        title: "Convention de partenariat 2025, suite".to_owned(),
        ..Amendment::default()
    };
    assert_eq!(
        world.amended(&name, title).await.targets,
        targets(150, 0, 45)
    );
    let none = Amendment {
        targets: targets(0, 0, 0),
        ..Amendment::default()
    };
    assert_eq!(world.amended(&name, none).await.targets, None);
}

#[tokio::test]
async fn what_the_actions_were_to_achieve_is_not_amended_once_they_are_done() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    let request = || {
        draft(
            &name,
            Amendment {
                targets: targets(10, 0, 0),
                ..Amendment::default()
            },
        )
    };
    let mut contradictory = request();
    contradictory.amendment.as_mut().unwrap().targets = targets(10, 11, 0);
    let outcome = world.amend(contradictory).await;
    assert_eq!(
        violations(outcome),
        pairs(&[("amendment.targets", "TARGETS_CONTRADICTORY")])
    );
    let report = world.submitted(&name).await;
    world.accept(&report.name).await;
    world.complete(&name).await.unwrap();
    assert_eq!(
        precondition(world.amend(request()).await),
        "ACTIONS_COMPLETED"
    );
}
