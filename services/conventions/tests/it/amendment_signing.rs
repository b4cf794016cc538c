//! Amendments: authorised by acts of their own, and signed.

use nonrecours_contracts::conventions::{Amendment, AmendmentState, Party, SignAmendmentRequest};
use nonrecours_testkit::request_id;
use tonic::Code;

use crate::{
    amending::{CUA_AMENDING, DAINVILLE_AMENDING, blockers, draft, grant, sign, update, withdraw},
    requests::{
        CUA_ACT, DAINVILLE_ACT, act, date, pairs, precondition, reason, refused, signatory,
        violations,
    },
    world::World,
};

#[tokio::test]
async fn an_amendment_has_acts_of_its_own() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let drafted = world.amend(draft(&parent, grant(1_300_000))).await.unwrap();
    let mut officer = world.acts(world.tokens.officer());
    let of = |party, act_id| {
        let mut request = act(&parent, party, act_id);
        drafted
            .name
            .clone_into(&mut request.act.as_mut().unwrap().amendment);
        request
    };
    // The convention's own acts are fixed, those of the amendment are asked for.
    let outcome = officer
        .create_act(act(&parent, Party::Operator, DAINVILLE_ACT))
        .await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_DRAFT");
    let outcome = officer.create_act(of(Party::Operator, CUA_AMENDING)).await;
    assert_eq!(precondition(outcome), "ACT_SIREN_MISMATCH");
    let outcome = officer.create_act(of(Party::Authority, CUA_ACT)).await;
    assert_eq!(precondition(outcome), "ACT_DATE_MISMATCH");
    let mut elsewhere = of(Party::Authority, CUA_AMENDING);
    elsewhere.act.as_mut().unwrap().amendment = format!(
        "{}/conventions/{}/amendments/{}",
        setting.parent(),
        request_id(),
        request_id()
    );
    assert_eq!(reason(officer.create_act(elsewhere).await), "NOT_FOUND");
    let mut unreadable = of(Party::Authority, CUA_AMENDING);
    unreadable.act.as_mut().unwrap().amendment = "amendments/1".to_owned();
    assert_eq!(
        violations(officer.create_act(unreadable).await),
        pairs(&[("act.amendment", "RESOURCE_NAME_INVALID")])
    );
    let recorded = officer
        .create_act(of(Party::Operator, DAINVILLE_AMENDING))
        .await;
    let recorded = recorded.unwrap().into_inner();
    let outcome = officer
        .create_act(of(Party::Operator, DAINVILLE_AMENDING))
        .await;
    assert_eq!(reason(outcome), "ALREADY_EXISTS");
    // It has filled the blank date, and stands apart from those of the convention.
    let filled = world.amendment(&drafted.name).await;
    let decision = filled.signatories[1].empowering_decision_date;
    assert_eq!(decision, Some(date(2025, 10, 2)));
    assert_eq!(blockers(&filled), ["ACT_MISSING", "ACT_NOT_PUBLISHED"]);
    assert_eq!(recorded.amendment, drafted.name);
    let another_day = update(
        Amendment {
            name: drafted.name.clone(),
            signatories: vec![signatory(Party::Operator, Some(date(2025, 10, 3)))],
            ..Amendment::default()
        },
        &["signatories"],
    );
    let outcome = world
        .amendments(world.tokens.officer())
        .update_amendment(another_day)
        .await;
    assert_eq!(precondition(outcome), "ACT_DATE_MISMATCH");
}

#[tokio::test]
async fn each_party_signs_once_and_a_signed_amendment_is_fixed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let name = world
        .amend(draft(&parent, grant(1_300_000)))
        .await
        .unwrap()
        .name;
    let (_, details) = refused(world.sign_amendment(sign(&name, Party::Operator)).await);
    assert_eq!(details.reason, "SIGNING_BLOCKED");
    assert_eq!(
        details.blocker_reasons(),
        ["ACT_MISSING", "ACT_MISSING", "EMPOWERING_DECISION_MISSING"]
    );
    world.authorise(&parent, &name).await;
    let stale = SignAmendmentRequest {
        etag: "1".to_owned(),
        ..sign(&name, Party::Operator)
    };
    assert_eq!(reason(world.sign_amendment(stale).await), "ETAG_MISMATCH");
    let mut manager = world.amendments(world.tokens.manager(setting.operator));
    let outcome = manager.sign_amendment(sign(&name, Party::Authority)).await;
    let (code, details) = refused(outcome);
    assert_eq!(
        (code, details.reason.as_str()),
        (Code::PermissionDenied, "PARTY_NOT_ALLOWED")
    );
    let request = sign(&name, Party::Operator);
    let partly = world.sign_amendment(request.clone()).await.unwrap();
    assert_eq!(partly.state(), AmendmentState::PartlySigned);
    assert_eq!(partly.signatures.len(), 1);
    assert_eq!(world.sign_amendment(request).await.unwrap(), partly);
    let outcome = world.sign_amendment(sign(&name, Party::Operator)).await;
    assert_eq!(precondition(outcome), "ALREADY_SIGNED");
    assert_eq!(world.convention(&parent).await.version, 1);
    let mut officer = world.amendments(world.tokens.officer());
    let change = update(
        Amendment {
            name: name.clone(),
            title: "Trop tard".to_owned(),
            ..Amendment::default()
        },
        &["title"],
    );
    let outcome = officer.update_amendment(change.clone()).await;
    assert_eq!(precondition(outcome), "AMENDMENT_NOT_DRAFT");

    let signed = world
        .sign_amendment(sign(&name, Party::Authority))
        .await
        .unwrap();
    assert_eq!(signed.state(), AmendmentState::InForce);
    assert_eq!(signed.version, format!("{parent}/versions/2"));
    assert_eq!(signed.changes, []);
    assert_eq!(world.amendment(&name).await, signed);
    for party in [Party::Operator, Party::Authority] {
        let outcome = world.sign_amendment(sign(&name, party)).await;
        assert_eq!(precondition(outcome), "AMENDMENT_NOT_OPEN");
    }
    let outcome = officer.withdraw_amendment(withdraw(&name)).await;
    assert_eq!(precondition(outcome), "AMENDMENT_NOT_OPEN");
    let told = world.changes_until("amendment.in_force", &name).await;
    let amended = told
        .iter()
        .find(|change| change.kind == "convention.amended")
        .unwrap();
    assert_eq!(
        (amended.name.as_str(), amended.why.as_str()),
        (parent.as_str(), "Davantage de permanences.")
    );
}
