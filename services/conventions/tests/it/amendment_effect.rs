//! What an amendment in force changes: terms, envelope, settlement, and whatever reads the grant.

use nonrecours_contracts::conventions::{
    Amendment, ConventionState, DecisionKind, ExportGrantsRequest, GetOperatorRequest,
    GetProgrammeReportRequest, OperatorCategory, Party, RenewConventionRequest,
};
use nonrecours_testkit::request_id;

use crate::{
    amending::{CUA_AMENDING, draft, grant, sign, update, withdraw},
    ending::{close_dispute, decision, dispute, held},
    requests::{CUA_ACT, act, date, euros, operator, precondition, reason, refused, signatory},
    world::World,
};

#[tokio::test]
async fn the_terms_and_the_envelope_follow() {
    let world = World::start().await;
    let setting = world.setting(1_400_000).await;
    let before = world.in_force(&setting).await;
    let name = before.name.clone();
    assert_eq!(before.version, 1);
    let amended = world
        .amended(
            &name,
            Amendment {
                title: "Convention 2025, avenant n° 1".to_owned(),
                advance_without_call: Some(true),
                target_publics: vec!["SENIOR".to_owned()],
                objectives: vec!["Informer.".to_owned()],
                indicative_end_date: Some(date(2026, 6, 30)),
                ..grant(1_300_000)
            },
        )
        .await;
    assert_eq!(amended.version, 2);
    assert_eq!(amended.revision, before.revision + 1);
    assert_eq!(amended.state(), ConventionState::InForce);
    assert_eq!(amended.title, "Convention 2025, avenant n° 1");
    assert_eq!(amended.grant_amount, Some(euros(1_300_000)));
    assert_eq!(amended.due_amount, Some(euros(1_300_000)));
    assert_eq!(amended.grant_amount_in_words, "treize mille euros");
    let amounts: Vec<_> = amended
        .instalment_terms
        .iter()
        .map(|it| it.amount.clone())
        .collect();
    assert_eq!(amounts, [Some(euros(1_040_000)), Some(euros(260_000))]);
    assert!(amended.advance_without_call);
    assert_eq!(amended.target_publics, ["SENIOR"]);
    assert_eq!(amended.objectives, ["Informer."]);
    assert_eq!(amended.indicative_end_date, Some(date(2026, 6, 30)));
    // What an amendment never touches, and who signed the convention.
    assert_eq!(amended.framework_convention, before.framework_convention);
    assert_eq!(amended.signatories, before.signatories);
    assert_eq!(amended.signatures, before.signatures);
    assert_eq!(world.engaged(&setting).await, Some(euros(1_300_000)));

    // Beyond the envelope: the increase alone counts.
    let more = world.amend(draft(&name, grant(1_400_001))).await.unwrap();
    assert!(
        more.signing_blockers
            .iter()
            .any(|blocker| blocker.reason == "ENVELOPE_EXCEEDED")
    );
    let mut officer = world.amendments(world.tokens.officer());
    officer
        .withdraw_amendment(withdraw(&more.name))
        .await
        .unwrap();

    // The draft of the next year has the terms in force.
    let request = RenewConventionRequest {
        name: name.clone(),
        framework_convention: setting.framework.clone(),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut officer = world.conventions(world.tokens.officer());
    let renewed = officer
        .renew_convention(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(renewed.grant_amount, Some(euros(1_300_000)));
    assert_eq!(renewed.indicative_end_date, Some(date(2027, 6, 30)));
    assert_eq!(renewed.version, 0);
}

#[tokio::test]
async fn a_decrease_releases_the_envelope_but_for_what_is_paid() {
    let world = World::start().await;
    let setting = world.setting(1_150_000).await;
    let name = world.in_force(&setting).await.name;
    world.report_plan(&name, 5, 920_000, "payment_plan.paid");
    world.changes_until("convention.paid", &name).await;
    let first = world.amended(&name, grant(1_000_000)).await;
    assert_eq!(first.version, 2);
    assert_eq!(world.engaged(&setting).await, Some(euros(1_000_000)));
    let less = world
        .amend(draft(&name, grant(900_000)))
        .await
        .unwrap()
        .name;
    // The acts of the first are not those of the second.
    let (_, details) = refused(world.sign_amendment(sign(&less, Party::Operator)).await);
    assert!(details.blocker_reasons().contains(&"ACT_MISSING"));
    world.authorise(&name, &less).await;
    for party in [Party::Authority, Party::Operator] {
        world.sign_amendment(sign(&less, party)).await.unwrap();
    }
    let below = world.convention(&name).await;
    assert_eq!((below.version, below.due_amount), (3, Some(euros(900_000))));
    assert_eq!(below.paid_amount, Some(euros(920_000)));
    assert_eq!(world.engaged(&setting).await, Some(euros(920_000)));
}

#[tokio::test]
async fn once_the_actions_are_done_only_the_money_changes_and_the_new_grant_settles() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let name = world.in_force(&setting).await.name;
    let later = Amendment {
        indicative_end_date: Some(date(2026, 6, 30)),
        ..Amendment::default()
    };
    let early = world.amend(draft(&name, later.clone())).await.unwrap().name;
    world.authorise(&name, &early).await;
    let report = world.submitted(&name).await;
    world.accept(&report.name).await;
    world.complete(&name).await.unwrap();
    // Drafted before, and too late now; it can be given up.
    let outcome = world.sign_amendment(sign(&early, Party::Operator)).await;
    assert_eq!(precondition(outcome), "ACTIONS_COMPLETED");
    let mut officer = world.amendments(world.tokens.officer());
    officer.withdraw_amendment(withdraw(&early)).await.unwrap();
    let outcome = world.amend(draft(&name, later)).await;
    assert_eq!(precondition(outcome), "ACTIONS_COMPLETED");

    let amended = world.amended(&name, grant(1_300_000)).await;
    assert_eq!(amended.state(), ConventionState::Completed);
    // Everything is paid of the grant of before: that is not everything any more.
    world.report_plan_of(&name, 5, 1_150_000, 1_150_000);
    world.changes_until("convention.paid", &name).await;
    assert_eq!(
        world.convention(&name).await.state(),
        ConventionState::Completed
    );
    world.report_plan_of(&name, 6, 1_300_000, 1_300_000);
    world.changes_until("convention.settled", &name).await;
    assert_eq!(world.engaged(&setting).await, Some(euros(1_300_000)));
    let outcome = world.amend(draft(&name, grant(1_400_000))).await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_RUNNING");
}

#[tokio::test]
async fn a_dispute_may_end_by_an_amendment_and_a_reduction_outlives_a_larger_grant() {
    let world = World::start().await;
    let setting = world.setting(1_150_000).await;
    let name = world.in_force(&setting).await.name;
    let opened = world
        .disputes(world.tokens.officer())
        .create_dispute(dispute(&name, Party::Authority))
        .await
        .unwrap()
        .into_inner();
    let heard = held(&world, &name).await;
    let mut reduce = decision(&name, DecisionKind::Reduce, &heard);
    reduce.decision.as_mut().unwrap().amount = Some(euros(1_000_000));
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    decisions.create_decision(reduce).await.unwrap();
    assert_eq!(world.engaged(&setting).await, Some(euros(1_000_000)));
    // The reduction holds: nothing more is due, so nothing more is engaged, beyond the envelope though the grant is.
    let larger = world.amended(&name, grant(1_200_000)).await;
    assert_eq!(larger.reduced_amount, Some(euros(1_000_000)));
    assert_eq!(larger.due_amount, Some(euros(1_000_000)));
    assert_eq!(larger.open_disputes, 1);
    assert_eq!(world.engaged(&setting).await, Some(euros(1_000_000)));
    // Both agree on less than it: it has no object left.
    let agreed = world
        .amend(draft(&name, grant(950_000)))
        .await
        .unwrap()
        .name;
    world.authorise(&name, &agreed).await;
    for party in [Party::Operator, Party::Authority] {
        world.sign_amendment(sign(&agreed, party)).await.unwrap();
    }
    let smaller = world.convention(&name).await;
    assert_eq!(smaller.reduced_amount, None);
    assert_eq!(smaller.due_amount, Some(euros(950_000)));
    world
        .disputes(world.tokens.officer())
        .close_dispute(close_dispute(&opened.name))
        .await
        .unwrap();
    // Terminated between draft and signature.
    let late = world
        .amend(draft(&name, grant(960_000)))
        .await
        .unwrap()
        .name;
    world.authorise(&name, &late).await;
    let terminate = decision(&name, DecisionKind::Terminate, &heard);
    decisions.create_decision(terminate).await.unwrap();
    let outcome = world.sign_amendment(sign(&late, Party::Operator)).await;
    assert_eq!(precondition(outcome), "CONVENTION_NOT_RUNNING");
}

#[tokio::test]
async fn whatever_reads_the_grant_reads_the_one_in_force() {
    let world = World::start().await;
    let mut private = operator("732 829 320 00074", OperatorCategory::OtherPrivate);
    private.operator.as_mut().unwrap().legal_name = "Les Passerelles".to_owned();
    let setting = world.setting_of(50_000_000, private).await;
    let name = world.signed_by_association(&setting).await.name;
    let duties = async || {
        let request = GetOperatorRequest {
            name: setting.parent(),
        };
        let mut operators = world.operators(world.tokens.auditor());
        let operator = operators.get_operator(request).await.unwrap().into_inner();
        let reasons = operator.duties.into_iter().map(|duty| duty.reason);
        reasons.collect::<Vec<_>>()
    };
    assert!(!duties().await.contains(&"CONVENTION_REQUIRED".to_owned()));
    let amendment = world.amend(draft(&name, grant(2_400_000))).await.unwrap();
    // The operator is of private law: it needs no act, but a decision that empowers its signatory.
    let signatories = vec![
        signatory(Party::Authority, Some(date(2025, 10, 1))),
        signatory(Party::Operator, Some(date(2025, 10, 2))),
    ];
    let update = update(
        Amendment {
            name: amendment.name.clone(),
            signatories,
            ..Amendment::default()
        },
        &["signatories"],
    );
    world
        .amendments(world.tokens.officer())
        .update_amendment(update)
        .await
        .unwrap();
    let mut act = act(&name, Party::Authority, CUA_AMENDING);
    amendment
        .name
        .clone_into(&mut act.act.as_mut().unwrap().amendment);
    let act = world.acts(world.tokens.officer()).create_act(act).await;
    world.publish(&act.unwrap().into_inner().name).await;
    for party in [Party::Operator, Party::Authority] {
        world
            .sign_amendment(sign(&amendment.name, party))
            .await
            .unwrap();
    }
    assert!(duties().await.contains(&"CONVENTION_REQUIRED".to_owned()));

    let heard = held(&world, &name).await;
    let mut reduce = decision(&name, DecisionKind::Reduce, &heard);
    reduce.decision.as_mut().unwrap().amount = Some(euros(2_300_000));
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    let file = async || {
        let request = ExportGrantsRequest {
            programme: setting.programme.clone(),
            budget_year: 2025,
        };
        let mut auditor = world.open_data(world.tokens.auditor());
        let file = auditor.export_grants(request).await.unwrap().into_inner();
        String::from_utf8(file.content).unwrap()
    };
    let granted = async || {
        let request = GetProgrammeReportRequest {
            programme: setting.programme.clone(),
            budget_year: 2025,
        };
        let mut auditor = world.roll_ups(world.tokens.auditor());
        let report = auditor.get_programme_report(request).await.unwrap();
        report.into_inner().total.unwrap().grant_amount
    };
    assert!(file().await.contains(",24000.00,"));
    assert_eq!(granted().await, Some(euros(2_400_000)));
    decisions.create_decision(reduce).await.unwrap();
    assert!(file().await.contains(",23000.00,"));
    assert_eq!(granted().await, Some(euros(2_300_000)));
    assert!(!duties().await.contains(&"CONVENTION_REQUIRED".to_owned()));
    // One row: the acts of the amendment are not those of the convention.
    assert_eq!(file().await.matches(CUA_ACT).count(), 1);
    assert_eq!(
        reason(world.amend(draft("x", grant(1))).await),
        "INVALID_REQUEST"
    );
}
