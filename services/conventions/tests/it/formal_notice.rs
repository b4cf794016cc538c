//! Formal notices (art. 7).

use nonrecours_contracts::conventions::{
    ApplyFormalNoticeRequest, ConventionState, FormalNoticeState, Party, Programme,
    RemedyFormalNoticeRequest, TerminationGround, UpdateProgrammeRequest,
    WithdrawFormalNoticeRequest,
};
use nonrecours_testkit::request_id;
use prost_types::FieldMask;
use time::{Duration, macros::datetime};
use tonic::Code;

use crate::{
    ending::notice,
    requests::{date, euros, precondition, reason, refused},
    world::World,
};

fn apply(name: &str) -> ApplyFormalNoticeRequest {
    ApplyFormalNoticeRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn withdraw(name: &str) -> WithdrawFormalNoticeRequest {
    WithdrawFormalNoticeRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn remedy(name: &str, day: i32) -> RemedyFormalNoticeRequest {
    RemedyFormalNoticeRequest {
        name: name.to_owned(),
        remedy_date: Some(date(2025, 10, day)),
        etag: String::new(),
        request_id: request_id(),
    }
}

#[tokio::test]
async fn a_notice_ends_the_convention_once_its_delay_has_run_out() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    world.report_plan(&parent, 5, 920_000, "payment_plan.paid");
    world.changes_until("convention.paid", &parent).await;
    let mut officer = world.formal_notices(world.tokens.officer());
    let outcome = officer.create_formal_notice(notice(&parent, Party::Authority));
    assert_eq!(precondition(outcome.await), "DATE_OUT_OF_RANGE");
    world.clock.set(datetime!(2025-10-16 10:00 UTC));
    let request = notice(&parent, Party::Authority);
    let sent = officer.create_formal_notice(request.clone()).await;
    let sent = sent.unwrap().into_inner();
    assert_eq!(sent.state(), FormalNoticeState::Sent);
    assert_eq!(sent.remedy_deadline, Some(date(2025, 10, 30)));
    assert_eq!(sent.applicable_date, Some(date(2025, 10, 31)));
    let again = officer.create_formal_notice(request.clone()).await;
    assert_eq!(again.unwrap().into_inner(), sent);
    let mut other = request;
    other.formal_notice.as_mut().unwrap().motives = "Autre".to_owned();
    let outcome = officer.create_formal_notice(other).await;
    assert_eq!(reason(outcome), "REQUEST_ID_REUSED");

    // The last second of the fifteenth day in Paris, in winter time since the 26th; then the next one.
    world.clock.set(datetime!(2025-10-30 22:59:59 UTC));
    let (code, details) = refused(officer.apply_formal_notice(apply(&sent.name)).await);
    assert_eq!(
        (code, details.reason.as_str()),
        (Code::FailedPrecondition, "NOTICE_DELAY_RUNNING")
    );
    assert!(details.french.contains("30/10/2025"), "{}", details.french);
    world.clock.advance(Duration::SECOND);
    let stale = ApplyFormalNoticeRequest {
        etag: "7".to_owned(),
        ..apply(&sent.name)
    };
    let outcome = officer.apply_formal_notice(stale).await;
    assert_eq!(reason(outcome), "ETAG_MISMATCH");
    let request = ApplyFormalNoticeRequest {
        etag: sent.etag,
        ..apply(&sent.name)
    };
    let effective = officer.apply_formal_notice(request.clone()).await;
    let effective = effective.unwrap().into_inner();
    assert_eq!(effective.state(), FormalNoticeState::Effective);
    assert_eq!(effective.close_date, Some(date(2025, 10, 31)));
    let again = officer.apply_formal_notice(request).await;
    assert_eq!(again.unwrap().into_inner(), effective);

    let terminated = world.convention(&parent).await;
    assert_eq!(terminated.state(), ConventionState::Terminated);
    assert_eq!(terminated.termination_date, Some(date(2025, 10, 31)));
    assert_eq!(terminated.termination_ground(), TerminationGround::Breach);
    assert_eq!(terminated.termination_cause, sent.name);
    assert_eq!(terminated.due_amount, Some(euros(0)));
    world.changes_until("convention.terminated", &parent).await;
    world
        .changes_until("formal_notice.effective", &sent.name)
        .await;

    // The operator still accounts for what it did: the report counts again what is due.
    let report = world.submitted(&parent).await;
    world.accept(&report.name).await;
    let accounted = world.convention(&parent).await;
    assert_eq!(accounted.state(), ConventionState::Terminated);
    assert_eq!(accounted.due_amount, Some(euros(1_130_000)));
    assert_eq!(accounted.accepted_report, report.name);
    // Nothing else goes on, but what was ordered may still be paid.
    assert_eq!(
        precondition(world.complete(&parent).await),
        "CONVENTION_NOT_IN_FORCE"
    );
    let outcome = officer.create_formal_notice(notice(&parent, Party::Authority));
    assert_eq!(precondition(outcome.await), "CONVENTION_NOT_RUNNING");
    world.report_plan(&parent, 9, 1_150_000, "payment_plan.paid");
    let paid = |change: &nonrecours_contracts::feed::Change| {
        change.kind == "convention.paid" && change.revision > accounted.revision
    };
    world.changes_to(paid).await;
    let paid = world.convention(&parent).await;
    assert_eq!(paid.state(), ConventionState::Terminated);
    assert_eq!(paid.paid_amount, Some(euros(1_150_000)));
}

#[tokio::test]
async fn a_notice_is_remedied_or_withdrawn_once_by_the_party_that_gave_it() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    world.clock.set(datetime!(2025-10-16 10:00 UTC));
    let mut officer = world.formal_notices(world.tokens.officer());
    let mut manager = world.formal_notices(world.tokens.manager(setting.operator));
    for (client, party) in [
        (&mut officer, Party::Operator),
        (&mut manager, Party::Authority),
    ] {
        let outcome = client.create_formal_notice(notice(&parent, party)).await;
        let (code, details) = refused(outcome);
        assert_eq!(code, Code::PermissionDenied);
        assert_eq!(details.reason, "PARTY_NOT_YOURS");
    }
    let given = manager.create_formal_notice(notice(&parent, Party::Operator));
    let given = given.await.unwrap().into_inner().name;
    assert_eq!(
        reason(officer.withdraw_formal_notice(withdraw(&given)).await),
        "PARTY_NOT_YOURS"
    );
    assert_eq!(
        reason(officer.remedy_formal_notice(remedy(&given, 16)).await),
        "PARTY_NOT_YOURS"
    );
    assert_eq!(
        reason(officer.apply_formal_notice(apply(&given)).await),
        "PARTY_NOT_YOURS"
    );
    for day in [14, 17] {
        let outcome = manager.remedy_formal_notice(remedy(&given, day)).await;
        assert_eq!(precondition(outcome), "DATE_OUT_OF_RANGE");
    }
    let remedied = manager.remedy_formal_notice(remedy(&given, 16)).await;
    let remedied = remedied.unwrap().into_inner();
    assert_eq!(remedied.state(), FormalNoticeState::Remedied);
    assert_eq!(remedied.close_date, Some(date(2025, 10, 16)));
    let second = manager.create_formal_notice(notice(&parent, Party::Operator));
    let second = second.await.unwrap().into_inner().name;
    let withdrawn = manager.withdraw_formal_notice(withdraw(&second)).await;
    let withdrawn = withdrawn.unwrap().into_inner();
    assert_eq!(withdrawn.state(), FormalNoticeState::Withdrawn);

    world.clock.advance(Duration::days(60));
    for name in [&given, &second] {
        let outcome = manager.apply_formal_notice(apply(name)).await;
        assert_eq!(precondition(outcome), "NOTICE_NOT_PENDING");
        let outcome = manager.withdraw_formal_notice(withdraw(name)).await;
        assert_eq!(precondition(outcome), "NOTICE_NOT_PENDING");
        let outcome = manager.remedy_formal_notice(remedy(name, 16)).await;
        assert_eq!(precondition(outcome), "NOTICE_NOT_PENDING");
    }
    let convention = world.convention(&parent).await;
    assert_eq!(convention.state(), ConventionState::InForce);
}

#[tokio::test]
async fn the_programmes_own_delay_and_threshold_hold() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let update = UpdateProgrammeRequest {
        programme: Some(Programme {
            name: setting.programme.clone(),
            deviation_rate: "0.25".to_owned(),
            notice_days: 30,
            ..Programme::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["deviation_rate".to_owned(), "notice_days".to_owned()],
        }),
        request_id: request_id(),
    };
    let mut programmes = world.programmes(world.tokens.officer());
    programmes.update_programme(update).await.unwrap();

    let draft = world.draft(&setting).await.name;
    let budget = crate::budget::planned_as_the_document(&world, &draft).await;
    assert_eq!(budget.deviation_threshold, "0.25");

    let parent = world.in_force(&setting).await.name;
    world.clock.set(datetime!(2025-10-16 10:00 UTC));
    let mut officer = world.formal_notices(world.tokens.officer());
    let sent = officer
        .create_formal_notice(notice(&parent, Party::Authority))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(sent.remedy_deadline, Some(date(2025, 11, 14)));
    // The fifteen days of the document are not enough here.
    world.clock.set(datetime!(2025-10-31 10:00 UTC));
    let refusal = officer.apply_formal_notice(apply(&sent.name)).await;
    assert_eq!(precondition(refusal), "NOTICE_DELAY_RUNNING");
    world.clock.set(datetime!(2025-11-15 10:00 UTC));
    officer
        .apply_formal_notice(apply(&sent.name))
        .await
        .unwrap();
}
