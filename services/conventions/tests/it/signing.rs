//! Signing: what blocks it, who may, and what it engages.

use nonrecours_contracts::{
    common::Blocker,
    conventions::{ConventionState, Envelope, OperatorCategory, Party, SignConventionRequest},
};
use nonrecours_rpc::details::Details;
use nonrecours_testkit::request_id;
use time::Duration;
use tonic::{Code, Status};

use crate::{
    requests::{
        CUA_ACT, DAINVILLE_ACT, act, convention, date, euros, operator, precondition, programme,
        reason, refused, sign, signatory,
    },
    world::World,
};

fn reasons(blockers: &[Blocker]) -> Vec<&str> {
    blockers
        .iter()
        .map(|blocker| blocker.reason.as_str())
        .collect()
}

/// The blockers of a refused signature.
fn blocked<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Details {
    let (code, details) = refused(outcome);
    assert_eq!(
        (code, details.reason.as_str()),
        (Code::FailedPrecondition, "SIGNING_BLOCKED")
    );
    details
}

/// The facts of the document, in their order.
#[tokio::test]
async fn the_convention_of_dainville_is_signed_once_nothing_blocks_it() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let draft = world.draft(&setting).await;
    let expected = ["ACT_MISSING", "ACT_MISSING", "EMPOWERING_DECISION_MISSING"];
    assert_eq!(reasons(&draft.signing_blockers), expected);
    let subjects: Vec<_> = draft
        .signing_blockers
        .iter()
        .map(|it| it.subject.as_str())
        .collect();
    assert_eq!(
        subjects,
        [
            "acts[PARTY_AUTHORITY]",
            "acts[PARTY_OPERATOR]",
            "signatories[PARTY_OPERATOR].empowering_decision_date"
        ]
    );
    // The refusal lists what the draft showed, in French.
    let refusal = blocked(world.sign(sign(&draft.name, Party::Operator)).await);
    assert_eq!(refusal.blocker_reasons(), expected);
    for (blocker, shown) in refusal.blockers.iter().zip(&draft.signing_blockers) {
        assert_eq!(blocker.description, shown.message_fr);
        assert_eq!(blocker.subject, shown.subject);
    }

    // Both acts are recorded as stamped; "Publié le" is blank.
    let council = world.act(&draft.name, Party::Authority, CUA_ACT).await;
    let commune = world.act(&draft.name, Party::Operator, DAINVILLE_ACT).await;
    let recorded = world.convention(&draft.name).await;
    assert_eq!(
        recorded.signatories[1].empowering_decision_date,
        Some(date(2025, 9, 29))
    );
    assert_eq!(recorded.revision, 2);
    assert_eq!(
        reasons(&recorded.signing_blockers),
        ["ACT_NOT_PUBLISHED", "ACT_NOT_PUBLISHED"]
    );
    world.publish(&council.name).await;
    let refusal = blocked(world.sign(sign(&draft.name, Party::Operator)).await);
    assert_eq!(refusal.blocker_reasons(), ["ACT_NOT_PUBLISHED"]);
    assert_eq!(refusal.blockers[0].subject, commune.name);
    assert_eq!(
        refusal.blockers[0].description,
        "L'acte 062-216202630-20250929-25D045-DE n'est pas publié : enregistrez sa date de publication (art. \
         L2131-1 du CGCT)."
    );
    let published = world.publish(&commune.name).await;
    assert_eq!(published.enforceable_date, Some(date(2025, 10, 7)));
    assert_eq!(
        reasons(&world.convention(&draft.name).await.signing_blockers),
        [""; 0]
    );

    let partly = world
        .sign(sign(&draft.name, Party::Operator))
        .await
        .unwrap();
    assert_eq!(partly.state(), ConventionState::PartlySigned);
    assert_eq!(partly.signatures.len(), 1);
    assert_eq!(partly.signatures[0].full_name, "Françoise ROSSIGNOL");
    assert_eq!(
        partly.signatures[0].signed_by,
        format!("manager-{}", setting.operator)
    );
    assert_eq!(
        world.programme(&setting.programme).await.envelopes[0].engaged_amount,
        Some(euros(0))
    );
    world.clock.advance(Duration::hours(2));
    let in_force = world
        .sign(sign(&draft.name, Party::Authority))
        .await
        .unwrap();
    assert_eq!(in_force.state(), ConventionState::InForce);
    assert_eq!(in_force.signatures.len(), 2);
    assert_eq!(in_force.signatures[0].full_name, "Frédéric LETURQUE");
    assert_eq!(in_force.in_force_time, in_force.signatures[0].sign_time);
    assert_eq!(world.convention(&draft.name).await, in_force);
    let envelope = world
        .programme(&setting.programme)
        .await
        .envelopes
        .remove(0);
    assert_eq!(envelope.engaged_amount, Some(euros(1_150_000)));

    let changes = world
        .changes_until("convention.in_force", &draft.name)
        .await;
    let told: Vec<_> = changes
        .iter()
        .filter(|change| change.name == draft.name)
        .map(|change| (change.kind.as_str(), change.revision))
        .collect();
    assert_eq!(
        told,
        [
            ("convention.drafted", 1),
            ("convention.updated", 2),
            ("convention.signed", 3),
            ("convention.in_force", 4)
        ]
    );
}

#[tokio::test]
async fn every_other_blocker_is_given_too() {
    let world = World::start().await;
    let setting = world.setting(1_149_999).await;
    let mut officer = world.conventions(world.tokens.officer());
    let mut request = convention(&setting.parent(), &setting.framework);
    request.convention.as_mut().unwrap().signatories.clear();
    let bare = officer
        .create_convention(request)
        .await
        .unwrap()
        .into_inner();
    let mut untransmitted = act(&bare.name, Party::Operator, DAINVILLE_ACT);
    untransmitted.act.as_mut().unwrap().transmission_date = None;
    let mut acts = world.acts(world.tokens.officer());
    acts.create_act(untransmitted).await.unwrap();
    assert_eq!(
        blocked(world.sign(sign(&bare.name, Party::Authority)).await).blocker_reasons(),
        [
            "ACT_MISSING",
            "SIGNATORY_MISSING",
            "ACT_NOT_TRANSMITTED",
            "ACT_NOT_PUBLISHED",
            "SIGNATORY_MISSING",
            "ENVELOPE_EXCEEDED"
        ]
    );

    let mut other_year = convention(&setting.parent(), &setting.framework);
    let given = other_year.convention.as_mut().unwrap();
    given.budget_year = 2024;
    let other_year = officer
        .create_convention(other_year)
        .await
        .unwrap()
        .into_inner();
    assert!(reasons(&other_year.signing_blockers).contains(&"ENVELOPE_MISSING"));
}

#[tokio::test]
async fn an_act_is_not_enforceable_before_its_day_even_when_the_clock_is_put_back() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let ready = world.ready(&setting).await;
    // Midnight in Paris has not come, though it has in UTC+3.
    world
        .clock
        .set(nonrecours_testkit::START - Duration::hours(10));
    let refusal = blocked(world.sign(sign(&ready.name, Party::Operator)).await);
    let expected = ["ACT_NOT_YET_ENFORCEABLE", "ACT_NOT_YET_ENFORCEABLE"];
    assert_eq!(refusal.blocker_reasons(), expected);
    world.clock.advance(Duration::hours(1));
    assert!(world.sign(sign(&ready.name, Party::Operator)).await.is_ok());
}

#[tokio::test]
async fn an_association_signs_on_its_own_decision() {
    let world = World::start().await;
    let mut association = operator("77567227200017", OperatorCategory::Association);
    let terms = association.operator.as_mut().unwrap();
    terms.republican_commitment_date = Some(date(2025, 9, 1));
    let setting = world.setting_of(50_000_000, association).await;
    let mut officer = world.conventions(world.tokens.officer());
    let mut request = convention(&setting.parent(), &setting.framework);
    let given = request.convention.as_mut().unwrap();
    given.signatories[1] = signatory(Party::Operator, Some(date(2025, 9, 30)));
    let draft = officer
        .create_convention(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reasons(&draft.signing_blockers), ["ACT_MISSING"]);
    let act = world.act(&draft.name, Party::Authority, CUA_ACT).await;
    world.publish(&act.name).await;
    world
        .sign(sign(&draft.name, Party::Authority))
        .await
        .unwrap();
    let signed = world
        .sign(sign(&draft.name, Party::Operator))
        .await
        .unwrap();
    assert_eq!(signed.state(), ConventionState::InForce);
}

#[tokio::test]
async fn each_party_signs_for_itself_and_once() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.ready(&setting).await.name;
    let mut manager = world.conventions(world.tokens.manager(setting.operator));
    let mut ordering = world.conventions(world.tokens.authorising_officer());
    for outcome in [
        manager.sign_convention(sign(&name, Party::Authority)).await,
        ordering.sign_convention(sign(&name, Party::Operator)).await,
    ] {
        let (code, details) = refused(outcome);
        assert_eq!(
            (code, details.reason.as_str()),
            (Code::PermissionDenied, "PARTY_NOT_ALLOWED")
        );
        assert_eq!(details.domain, "conventions.nonrecours");
    }
    let nobody = SignConventionRequest {
        party: 0,
        ..sign(&name, Party::Operator)
    };
    assert_eq!(
        reason(manager.sign_convention(nobody).await),
        "INVALID_REQUEST"
    );
    let mut officer = world.conventions(world.tokens.officer());
    let outcome = officer.sign_convention(sign(&name, Party::Authority)).await;
    assert_eq!(reason(outcome), "ROLE_MISSING");

    let ready = world.convention(&name).await;
    let request = SignConventionRequest {
        etag: ready.etag.clone(),
        ..sign(&name, Party::Operator)
    };
    let signed = world.sign(request.clone()).await.unwrap();
    assert_eq!(world.sign(request.clone()).await.unwrap(), signed);
    let other = SignConventionRequest {
        etag: String::new(),
        ..request.clone()
    };
    assert_eq!(reason(world.sign(other).await), "REQUEST_ID_REUSED");
    let stale = SignConventionRequest {
        request_id: request_id(),
        ..request
    };
    assert_eq!(reason(world.sign(stale).await), "ETAG_MISMATCH");
    assert_eq!(
        precondition(world.sign(sign(&name, Party::Operator)).await),
        "ALREADY_SIGNED"
    );
    world.sign(sign(&name, Party::Authority)).await.unwrap();
    for party in [Party::Operator, Party::Authority] {
        assert_eq!(
            precondition(world.sign(sign(&name, party)).await),
            "CONVENTION_NOT_DRAFT"
        );
    }
    let missing = format!("{}/conventions/{}", setting.parent(), request_id());
    assert_eq!(
        reason(world.sign(sign(&missing, Party::Operator)).await),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn a_grant_is_charged_to_its_own_budget_year() {
    let world = World::start().await;
    let mut request = programme(1_150_000);
    request
        .programme
        .as_mut()
        .unwrap()
        .envelopes
        .push(Envelope {
            budget_year: 2026,
            voted_amount: Some(euros(9_999_999)),
            ..Envelope::default()
        });
    let mut programmes = world.programmes(world.tokens.officer());
    let parent = programmes
        .create_programme(request)
        .await
        .unwrap()
        .into_inner()
        .name;
    let mut setting = world.setting(1).await;
    let framework = crate::requests::framework(&parent);
    let mut frameworks = world.frameworks(world.tokens.officer());
    let framework = frameworks
        .create_framework_convention(framework)
        .await
        .unwrap();
    setting.framework = framework.into_inner().name;
    world.in_force(&setting).await;
    let envelopes = world.programme(&parent).await.envelopes;
    let engaged: Vec<_> = envelopes
        .iter()
        .map(|it| it.engaged_amount.clone())
        .collect();
    assert_eq!(engaged, [Some(euros(1_150_000)), Some(euros(0))]);
    let second = world.draft(&setting).await;
    assert!(reasons(&second.signing_blockers).contains(&"ENVELOPE_EXCEEDED"));
}
