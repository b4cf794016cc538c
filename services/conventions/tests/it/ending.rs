//! Requests about the end of a convention, and what all of their resources have in common.

use nonrecours_contracts::conventions::{
    ApplyFormalNoticeRequest, CloseDisputeRequest, CloseInspectionRequest, CreateDecisionRequest,
    CreateDisputeRequest, CreateFormalNoticeRequest, CreateHearingRequest, CreateInspectionRequest,
    Decision, DecisionKind, Dispute, FormalNotice, FormalNoticeGround, GetDecisionRequest,
    GetDisputeRequest, GetFormalNoticeRequest, GetHearingRequest, GetInspectionRequest, Hearing,
    HearingOutcome, Inspection, ListDecisionsRequest, ListDisputesRequest,
    ListFormalNoticesRequest, ListHearingsRequest, ListInspectionsRequest, Party,
    RecordHearingRequest,
};
use nonrecours_testkit::request_id;
use sqlx::{AssertSqlSafe, Row as _};
use time::macros::datetime;

use crate::{
    requests::{NIR, date, pairs, reason, violations},
    world::World,
};

pub fn notice(parent: &str, party: Party) -> CreateFormalNoticeRequest {
    CreateFormalNoticeRequest {
        parent: parent.to_owned(),
        formal_notice: Some(FormalNotice {
            party: party.into(),
            ground: FormalNoticeGround::Breach.into(),
            motives: "Aucune permanence n'a été tenue.".to_owned(),
            letter_reference: "1A 204 567 8901 2".to_owned(),
            sent_date: Some(date(2025, 10, 15)),
            ..FormalNotice::default()
        }),
        request_id: request_id(),
    }
}

pub fn inspection(parent: &str) -> CreateInspectionRequest {
    CreateInspectionRequest {
        parent: parent.to_owned(),
        inspection: Some(Inspection {
            subject: "Pièces justificatives des permanences".to_owned(),
            open_date: Some(date(2025, 10, 7)),
            ..Inspection::default()
        }),
        request_id: request_id(),
    }
}

pub fn close_inspection(name: &str) -> CloseInspectionRequest {
    CloseInspectionRequest {
        name: name.to_owned(),
        findings: "Trois permanences sur douze sont justifiées.".to_owned(),
        close_date: Some(date(2025, 10, 7)),
        etag: String::new(),
        request_id: request_id(),
    }
}

pub fn hearing(parent: &str, inspection: &str) -> CreateHearingRequest {
    CreateHearingRequest {
        parent: parent.to_owned(),
        hearing: Some(Hearing {
            subject: "Suites du contrôle".to_owned(),
            convened_date: Some(date(2025, 10, 20)),
            inspection: inspection.to_owned(),
            ..Hearing::default()
        }),
        request_id: request_id(),
    }
}

pub fn record(name: &str, outcome: HearingOutcome) -> RecordHearingRequest {
    RecordHearingRequest {
        name: name.to_owned(),
        outcome: outcome.into(),
        outcome_date: Some(date(2025, 10, 7)),
        minutes: "Le maire a présenté ses observations.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

pub fn decision(parent: &str, kind: DecisionKind, hearing: &str) -> CreateDecisionRequest {
    CreateDecisionRequest {
        parent: parent.to_owned(),
        decision: Some(Decision {
            kind: kind.into(),
            motives: "Actions réalisées au quart.".to_owned(),
            decision_date: Some(date(2025, 10, 7)),
            hearing: hearing.to_owned(),
            ..Decision::default()
        }),
        request_id: request_id(),
    }
}

pub fn dispute(parent: &str, party: Party) -> CreateDisputeRequest {
    CreateDisputeRequest {
        parent: parent.to_owned(),
        dispute: Some(Dispute {
            party: party.into(),
            subject: "Désaccord sur les permanences annulées.".to_owned(),
            open_date: Some(date(2025, 10, 7)),
            ..Dispute::default()
        }),
        request_id: request_id(),
    }
}

pub fn close_dispute(name: &str) -> CloseDisputeRequest {
    CloseDisputeRequest {
        name: name.to_owned(),
        outcome: "Accord signé des deux parties.".to_owned(),
        close_date: Some(date(2025, 10, 7)),
        etag: String::new(),
        request_id: request_id(),
    }
}

/// A hearing that was held.
pub async fn held(world: &World, parent: &str) -> String {
    let mut officer = world.hearings(world.tokens.officer());
    let hearing = officer.create_hearing(hearing(parent, "")).await;
    let name = hearing.unwrap().into_inner().name;
    let outcome = record(&name, HearingOutcome::Held);
    officer.record_hearing(outcome).await.unwrap();
    name
}

/// Ends a convention by a formal notice whose delay has run out.
pub async fn terminate(world: &World, notice: &str) {
    let request = ApplyFormalNoticeRequest {
        name: notice.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut officer = world.formal_notices(world.tokens.officer());
    officer.apply_formal_notice(request).await.unwrap();
}

/// Gives notice on a convention in force, and ends it on 31 October.
pub async fn terminated(world: &World, convention: &str) {
    world.clock.set(datetime!(2025-10-16 10:00 UTC));
    let mut officer = world.formal_notices(world.tokens.officer());
    let notice = officer.create_formal_notice(notice(convention, Party::Authority));
    let notice = notice.await.unwrap().into_inner();
    world.clock.set(datetime!(2025-10-31 10:00 UTC));
    terminate(world, &notice.name).await;
}

#[tokio::test]
async fn nothing_is_opened_under_a_convention_that_is_not_signed() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.draft(&setting).await.name;
    let officer = world.tokens.officer();
    let mut notices = world.formal_notices(officer.clone());
    let outcome = notices.create_formal_notice(notice(&parent, Party::Authority));
    assert_eq!(reason(outcome.await), "CONVENTION_NOT_RUNNING");
    let mut inspections = world.inspections(officer.clone());
    let outcome = inspections.create_inspection(inspection(&parent)).await;
    assert_eq!(reason(outcome), "CONVENTION_NOT_SIGNED");
    let mut hearings = world.hearings(officer.clone());
    let outcome = hearings.create_hearing(hearing(&parent, "")).await;
    assert_eq!(reason(outcome), "CONVENTION_NOT_SIGNED");
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    let outcome = decisions.create_decision(decision(&parent, DecisionKind::Suspend, ""));
    assert_eq!(reason(outcome.await), "CONVENTION_NOT_SIGNED");
    let mut disputes = world.disputes(officer);
    let outcome = disputes.create_dispute(dispute(&parent, Party::Authority));
    assert_eq!(reason(outcome.await), "CONVENTION_NOT_SIGNED");
}

#[tokio::test]
async fn every_fault_is_told_at_once_and_no_social_security_number_is_taken_in() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let officer = world.tokens.officer();
    let mut request = notice(&parent, Party::Authority);
    let given = request.formal_notice.as_mut().unwrap();
    given.motives = format!("Assuré {NIR}");
    given.sent_date = None;
    given.letter_reference = " ".to_owned();
    let mut notices = world.formal_notices(officer.clone());
    assert_eq!(
        violations(notices.create_formal_notice(request).await),
        pairs(&[
            ("formal_notice.sent_date", "REQUIRED"),
            ("formal_notice.motives", "NIR_FORBIDDEN"),
            ("formal_notice.letter_reference", "REQUIRED"),
        ])
    );
    let mut inspections = world.inspections(officer.clone());
    let name = inspections.create_inspection(inspection(&parent)).await;
    let mut close = close_inspection(&name.unwrap().into_inner().name);
    close.findings = NIR.to_owned();
    assert_eq!(
        violations(inspections.close_inspection(close).await),
        pairs(&[("findings", "NIR_FORBIDDEN")])
    );
    let mut request = hearing(&parent, "inspections/1");
    request.hearing.as_mut().unwrap().subject = NIR.to_owned();
    let mut hearings = world.hearings(officer.clone());
    assert_eq!(
        violations(hearings.create_hearing(request).await),
        pairs(&[
            ("hearing.subject", "NIR_FORBIDDEN"),
            ("hearing.inspection", "RESOURCE_NAME_INVALID"),
        ])
    );
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    let mut request = decision(&parent, DecisionKind::Reduce, "");
    assert_eq!(
        violations(decisions.create_decision(request.clone()).await),
        pairs(&[("decision.amount", "REQUIRED")])
    );
    let given = request.decision.as_mut().unwrap();
    given.kind = DecisionKind::Suspend.into();
    given.amount = Some(crate::requests::euros(1));
    given.motives = NIR.to_owned();
    assert_eq!(
        violations(decisions.create_decision(request).await),
        pairs(&[
            ("decision.amount", "AMOUNT_UNEXPECTED"),
            ("decision.motives", "NIR_FORBIDDEN"),
        ])
    );
    let mut request = dispute(&parent, Party::Authority);
    request.dispute.as_mut().unwrap().subject = NIR.to_owned();
    let mut disputes = world.disputes(officer);
    assert_eq!(
        violations(disputes.create_dispute(request).await),
        pairs(&[("dispute.subject", "NIR_FORBIDDEN")])
    );
}

#[tokio::test]
async fn an_operator_reads_its_own_and_the_database_shows_it_no_other() {
    let world = World::start().await;
    let setting = world.setting(50_000_000).await;
    let parent = world.in_force(&setting).await.name;
    let officer = world.tokens.officer();
    world.clock.advance(time::Duration::days(8));
    let mut notices = world.formal_notices(officer.clone());
    let given = notices.create_formal_notice(notice(&parent, Party::Authority));
    let given = given.await.unwrap().into_inner();
    let mut inspections = world.inspections(officer.clone());
    let opened = inspections.create_inspection(inspection(&parent)).await;
    let opened = opened.unwrap().into_inner();
    let heard = held(&world, &parent).await;
    let mut decisions = world.decisions(world.tokens.authorising_officer());
    let decided = decisions.create_decision(decision(&parent, DecisionKind::Suspend, &heard));
    let decided = decided.await.unwrap().into_inner();
    let mut disputes = world.disputes(officer);
    let disputed = disputes.create_dispute(dispute(&parent, Party::Authority));
    let disputed = disputed.await.unwrap().into_inner();

    let own = world.tokens.agent(setting.operator);
    macro_rules! read {
        ($client:ident, $get:ident, $list:ident, $get_request:ident, $list_request:ident, $items:ident, $name:expr) => {{
            let mut client = world.$client(own.clone());
            let name = $name.clone();
            let one = client
                .$get($get_request { name })
                .await
                .unwrap()
                .into_inner();
            let request = $list_request {
                parent: parent.clone(),
                ..$list_request::default()
            };
            let page = client.$list(request.clone()).await.unwrap().into_inner();
            assert_eq!(page.$items, [one]);
            let other = world
                .tokens
                .agent("0198b2e6-c000-7abc-8def-0123456789ff".parse().unwrap());
            let mut stranger = world.$client(other);
            assert_eq!(reason(stranger.$list(request).await), "OUT_OF_REACH");
        }};
    }
    read!(
        formal_notices,
        get_formal_notice,
        list_formal_notices,
        GetFormalNoticeRequest,
        ListFormalNoticesRequest,
        formal_notices,
        given.name
    );
    read!(
        inspections,
        get_inspection,
        list_inspections,
        GetInspectionRequest,
        ListInspectionsRequest,
        inspections,
        opened.name
    );
    read!(
        hearings,
        get_hearing,
        list_hearings,
        GetHearingRequest,
        ListHearingsRequest,
        hearings,
        heard
    );
    read!(
        decisions,
        get_decision,
        list_decisions,
        GetDecisionRequest,
        ListDecisionsRequest,
        decisions,
        decided.name
    );
    read!(
        disputes,
        get_dispute,
        list_disputes,
        GetDisputeRequest,
        ListDisputesRequest,
        disputes,
        disputed.name
    );

    let app = world.db.app().await;
    for (operator, seen) in [
        (setting.operator.to_string(), 1_i64),
        ("0198b2e6-c000-7abc-8def-0123456789ff".to_owned(), 0),
    ] {
        let mut tx = app.begin().await.unwrap();
        sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
            .bind(&operator)
            .execute(&mut *tx)
            .await
            .unwrap();
        for table in [
            "formal_notice",
            "inspection",
            "hearing",
            "decision",
            "dispute",
        ] {
            let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            let row = sqlx::query(sql).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(row.get::<i64, _>(0), seen, "{table}");
        }
    }
    // Legal records are neither deleted nor rewritten.
    for sql in [
        "DELETE FROM formal_notice",
        "DELETE FROM inspection",
        "DELETE FROM hearing",
        "DELETE FROM decision",
        "DELETE FROM dispute",
        "UPDATE decision SET motives = 'x'",
        "UPDATE formal_notice SET sent_date = sent_date",
        "UPDATE hearing SET subject = 'x'",
    ] {
        let error = sqlx::query(AssertSqlSafe(sql))
            .execute(&app)
            .await
            .unwrap_err();
        let code = error
            .into_database_error()
            .unwrap()
            .code()
            .unwrap()
            .into_owned();
        assert_eq!(code, "42501", "{sql}");
    }
}
