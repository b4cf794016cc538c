//! The convention of the next budget year, drafted from the last.

use nonrecours_contracts::conventions::{
    Convention, ConventionState, InstalmentKind, InstalmentTerm, Party, RenewConventionRequest,
};
use nonrecours_testkit::request_id;

use crate::{
    requests::{
        CUA_ACT, DAINVILLE_ACT, convention, date, framework, pairs, precondition, reason, sign,
        term, violations,
    },
    world::World,
};

fn renew(name: &str, framework: &str) -> RenewConventionRequest {
    RenewConventionRequest {
        name: name.to_owned(),
        framework_convention: framework.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn a_convention_in_force_is_renewed_once_as_a_draft_of_the_next_year() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let mut officer = world.conventions(world.tokens.officer());
    let mut request = convention(&setting.parent(), &setting.framework);
    request.convention.as_mut().unwrap().instalment_terms = vec![
        InstalmentTerm {
            condition: "Compte rendu.".to_owned(),
            due_date: Some(date(2025, 11, 30)),
            ..term(InstalmentKind::Interim, "0.5")
        },
        term(InstalmentKind::Balance, "0.5"),
    ];
    let name = officer.create_convention(request).await.unwrap();
    let name = name.into_inner().name;
    let outcome = officer
        .renew_convention(renew(&name, &setting.framework))
        .await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_RENEWABLE");
    for (party, act_id) in [
        (Party::Authority, CUA_ACT),
        (Party::Operator, DAINVILLE_ACT),
    ] {
        let act = world.act(&name, party, act_id).await;
        world.publish(&act.name).await;
    }
    world.sign(sign(&name, Party::Operator)).await.unwrap();
    let last = world.sign(sign(&name, Party::Authority)).await.unwrap();

    let mut frameworks = world.frameworks(world.tokens.officer());
    let next = frameworks
        .create_framework_convention(framework(&setting.programme))
        .await;
    let next = next.unwrap().into_inner().name;
    let stale = RenewConventionRequest {
        etag: "1".to_owned(),
        ..renew(&name, &next)
    };
    assert_eq!(
        reason(officer.renew_convention(stale).await),
        "ETAG_MISMATCH"
    );
    let good = RenewConventionRequest {
        etag: last.etag.clone(),
        ..renew(&name, &next)
    };
    let renewal = officer.renew_convention(good.clone()).await.unwrap();
    let renewal = renewal.into_inner();
    let mut signatories = last.signatories.clone();
    for signatory in &mut signatories {
        signatory.empowering_decision_date = None;
    }
    let mut terms = last.instalment_terms.clone();
    terms[0].due_date = Some(date(2026, 11, 30));
    assert_eq!(
        renewal,
        Convention {
            name: renewal.name.clone(),
            framework_convention: next.clone(),
            title: "Convention de partenariat 2026".to_owned(),
            budget_year: 2026,
            instalment_terms: terms,
            indicative_end_date: Some(date(2026, 12, 31)),
            signatories,
            state: ConventionState::Draft.into(),
            signatures: Vec::new(),
            signing_blockers: renewal.signing_blockers.clone(),
            in_force_time: None,
            revision: 1,
            version: 0,
            create_time: renewal.create_time,
            update_time: renewal.create_time,
            etag: "1".to_owned(),
            renewed_from: name.clone(),
            ..last.clone()
        }
    );
    let reasons: Vec<_> = renewal
        .signing_blockers
        .iter()
        .map(|blocker| blocker.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "ACT_MISSING",
            "EMPOWERING_DECISION_MISSING",
            "ACT_MISSING",
            "EMPOWERING_DECISION_MISSING",
            "ENVELOPE_MISSING"
        ]
    );
    assert_eq!(world.convention(&name).await, last);
    assert_eq!(world.convention(&renewal.name).await, renewal);
    world
        .changes_until("convention.drafted", &renewal.name)
        .await;

    let again = officer.renew_convention(good.clone()).await.unwrap();
    assert_eq!(again.into_inner(), renewal);
    let reused = RenewConventionRequest {
        framework_convention: setting.framework.clone(),
        ..good
    };
    assert_eq!(
        reason(officer.renew_convention(reused).await),
        "REQUEST_ID_REUSED"
    );
    let outcome = officer.renew_convention(renew(&name, &next)).await;
    assert_eq!(reason(outcome), "ALREADY_EXISTS");
}

#[tokio::test]
async fn what_is_not_there_is_not_renewed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    let mut officer = world.conventions(world.tokens.officer());
    let faulty = RenewConventionRequest {
        framework_convention: "programmes/1".to_owned(),
        request_id: "1".to_owned(),
        ..renew(&name, "")
    };
    let mut found = violations(officer.renew_convention(faulty).await);
    found.sort();
    assert_eq!(
        found,
        pairs(&[
            ("framework_convention", "RESOURCE_NAME_INVALID"),
            ("request_id", "UUID_INVALID")
        ])
    );
    let missing = format!("{}/conventions/{}", setting.parent(), request_id());
    let outcome = officer
        .renew_convention(renew(&missing, &setting.framework))
        .await;
    assert_eq!(reason(outcome), "NOT_FOUND");
    let missing = format!(
        "{}/frameworkConventions/{}",
        setting.programme,
        request_id()
    );
    let outcome = officer.renew_convention(renew(&name, &missing)).await;
    assert_eq!(reason(outcome), "NOT_FOUND");
}
