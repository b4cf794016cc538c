//! The journal of accesses: nothing about persons is told or changed without an entry, and no entry changes unseen.

use std::{collections::BTreeSet, time::Duration};

use nonrecours_contracts::{
    feed::{
        ListHistoryRequest, PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient,
    },
    followup::{
        AcceptReceivedReferralRequest, AcceptReferralRequest, Access, AccessKind,
        ApplyRetentionRequest, CreateLegalHoldRequest, CreateReferralRequest,
        CreateSubjectRequestRequest, EraseBeneficiaryRequest, ErasureReason,
        ExportPersonalDataRequest, ExtendSubjectRequestRequest, FulfilSubjectRequestRequest,
        GetBeneficiaryIdentityRequest, GetBeneficiaryMergeRequest, GetBeneficiaryRequest,
        GetEntitlementRequest, GetErasureRequest, GetLegalHoldRequest, GetNoteRequest,
        GetReceivedReferralRequest, GetReferralRequest, GetRenewalAlertRequest,
        GetRetentionNoticeRequest, GetStepRequest, GetSubjectRequestRequest, IdentityCheck,
        LiftLegalHoldRequest, LiftSubjectRequestRequest, ListAccessesRequest, ListAccessesResponse,
        ListBeneficiariesRequest, ListDuplicateCandidatesRequest, ListEntitlementsRequest,
        ListErasuresRequest, ListLegalHoldsRequest, ListNotesRequest, ListReceivedReferralsRequest,
        ListReferralsRequest, ListRenewalsRequest, ListStepsRequest, ListSubjectRequestsRequest,
        MergeBeneficiariesRequest, MergeReason, PreviewRetentionRequest, PushMode,
        PushRecordsOnceRequest, RefusalBasis, RefuseReceivedReferralRequest, RefuseReferralRequest,
        RefuseSubjectRequestRequest, ReleaseErasedReferenceRequest, RevokeReferralRequest,
        SubjectRight, UndoMergeRequest, access_service_client::AccessServiceClient,
        beneficiary_identity_service_client::BeneficiaryIdentityServiceClient,
        beneficiary_merge_service_client::BeneficiaryMergeServiceClient,
        beneficiary_service_client::BeneficiaryServiceClient,
        entitlement_service_client::EntitlementServiceClient,
        erasure_service_client::ErasureServiceClient,
        legal_hold_service_client::LegalHoldServiceClient, note_service_client::NoteServiceClient,
        push_service_client::PushServiceClient,
        received_referral_service_client::ReceivedReferralServiceClient,
        referral_service_client::ReferralServiceClient,
        renewal_service_client::RenewalServiceClient,
        retention_service_client::RetentionServiceClient, step_service_client::StepServiceClient,
        subject_request_service_client::SubjectRequestServiceClient,
    },
};
use nonrecours_followup::{
    SERVICE,
    journal::{
        chain::Anchor,
        keep,
        verify::{Fault, Report, verify},
    },
    renewal::sweep,
};
use nonrecours_kernel::{Clock as _, Scope};
use nonrecours_pg::Db;
use nonrecours_rpc::auth::journalled_table;
use nonrecours_testkit::request_id;
use prost_types::Timestamp;
use sqlx::{AssertSqlSafe, PgPool};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::support::*;

/// Rpcs entered without being held back by the layer: a stream, and the feed, whose contract is not of persons only.
const ENTERED_BESIDES: [&str; 3] = [
    "/nonrecours.followup.v1.PushService/PushRecords",
    "/nonrecours.feed.v1.ChangeFeedService/PullChanges",
    "/nonrecours.feed.v1.ChangeFeedService/ListHistory",
];
/// Longest wait for what runs elsewhere on the server to let entries be sealed, or changes be served.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every rpc about persons, called once at least.
async fn call_everything(suite: &Suite) {
    let parent = suite.convention.parent().to_string();
    let opened = right_with("E1", "B1", |right| {
        right.state = nonrecours_contracts::followup::EntitlementState::Opened.into();
        right.amount_kind = nonrecours_contracts::followup::AmountKind::Notified.into();
        right.decided_date = date(2025, 10, 3);
        right.renewal_date = date(2025, 11, 1);
    });
    let records = vec![
        known("B1", |_| {}),
        opened,
        step("T1", "B1"),
        note("N1", "B1", "Revient lundi."),
        session("S1"),
    ];
    let names: Vec<String> = suite
        .push(records)
        .await
        .results
        .into_iter()
        .map(|result| result.name)
        .collect();
    let [person, right, step, note, _] = names.as_slice() else {
        panic!("five records");
    };
    let agent = suite.agent();
    let once = PushRecordsOnceRequest {
        convention: suite.convention.to_string(),
        records: vec![session("S1")],
        ..Default::default()
    };
    let mut pushes = PushServiceClient::new(agent.clone());
    pushes.push_records_once(once).await.unwrap();

    let mut beneficiaries = BeneficiaryServiceClient::new(agent.clone());
    let name = person.clone();
    let get = beneficiaries.get_beneficiary(GetBeneficiaryRequest { name });
    get.await.unwrap();
    let list = ListBeneficiariesRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    beneficiaries.list_beneficiaries(list).await.unwrap();
    let mut identities = BeneficiaryIdentityServiceClient::new(agent.clone());
    let name = format!("{person}/identity");
    let get = identities.get_beneficiary_identity(GetBeneficiaryIdentityRequest { name });
    get.await.unwrap();
    let mut rights = EntitlementServiceClient::new(agent.clone());
    let name = right.clone();
    let get = rights.get_entitlement(GetEntitlementRequest { name });
    get.await.unwrap();
    let list = ListEntitlementsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    rights.list_entitlements(list).await.unwrap();
    let mut steps = StepServiceClient::new(agent.clone());
    let name = step.clone();
    steps.get_step(GetStepRequest { name }).await.unwrap();
    let list = ListStepsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    steps.list_steps(list).await.unwrap();
    let mut notes = NoteServiceClient::new(agent.clone());
    let name = note.clone();
    notes.get_note(GetNoteRequest { name }).await.unwrap();
    let list = ListNotesRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    notes.list_notes(list).await.unwrap();

    call_renewals(suite, &parent).await;
    call_referrals(suite, &parent, person).await;
    call_feed(suite, person).await;
    call_erasures(suite, &parent).await;
    call_retention_and_merges(suite, &parent).await;
    call_register(suite, &parent, person).await;
    let list = ListAccessesRequest {
        parent,
        ..Default::default()
    };
    accesses(suite, list).await.unwrap();
}

async fn call_renewals(suite: &Suite, parent: &str) {
    // The service's own watch may make the alert first: then there is nothing left to do, or both meet and one gives way.
    let _met = sweep::run(&suite.db, &suite.ids, SERVICE).await;
    let mut renewals = RenewalServiceClient::new(suite.agent());
    let list = ListRenewalsRequest {
        parent: parent.to_owned(),
        ..Default::default()
    };
    renewals.list_renewals(list).await.unwrap();
    let alert: Uuid = sqlx::query_scalar("SELECT alert_id FROM renewal_alert")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    let name = format!("{parent}/renewalAlerts/{alert}");
    let get = renewals.get_renewal_alert(GetRenewalAlertRequest { name });
    get.await.unwrap();
}

async fn call_referrals(suite: &Suite, parent: &str, person: &str) {
    let mut sent = ReferralServiceClient::new(suite.agent());
    let mut received =
        ReceivedReferralServiceClient::new(suite.agent_of(convention_name(2, 1).operator));
    let recipient = convention_name(2, 1).parent().to_string();
    let propose = |recipient: &str, partner: &str| CreateReferralRequest {
        parent: parent.to_owned(),
        beneficiary: person.to_owned(),
        recipient: recipient.to_owned(),
        partner: partner.to_owned(),
        consent_date: date(2025, 10, 6),
        request_id: request_id(),
        ..Default::default()
    };
    let mut ids = Vec::new();
    let to = recipient.as_str();
    for (recipient, partner) in [(to, ""), (to, ""), ("", "CAF"), ("", "CAF")] {
        let request = propose(recipient, partner);
        let first = sent.create_referral(request.clone()).await.unwrap();
        // Asked again, it is told again.
        let again = sent.create_referral(request).await.unwrap().into_inner();
        assert_eq!(first.into_inner(), again);
        ids.push(again.name.rsplit_once('/').unwrap().1.to_owned());
    }
    let made = |place: usize| format!("{parent}/referrals/{}", ids[place]);
    let got = |place: usize| format!("{recipient}/receivedReferrals/{}", ids[place]);
    let name = made(0);
    sent.get_referral(GetReferralRequest { name })
        .await
        .unwrap();
    let list = ListReferralsRequest {
        parent: parent.to_owned(),
        ..Default::default()
    };
    sent.list_referrals(list).await.unwrap();
    let accept = AcceptReceivedReferralRequest {
        name: got(0),
        request_id: request_id(),
        ..Default::default()
    };
    received.accept_received_referral(accept).await.unwrap();
    let refuse = RefuseReceivedReferralRequest {
        name: got(1),
        request_id: request_id(),
        ..Default::default()
    };
    received.refuse_received_referral(refuse).await.unwrap();
    let name = got(0);
    let get = received.get_received_referral(GetReceivedReferralRequest { name });
    assert!(get.await.unwrap().into_inner().identity.is_some());
    let list = ListReceivedReferralsRequest {
        parent: recipient.clone(),
        ..Default::default()
    };
    received.list_received_referrals(list).await.unwrap();
    let accept = AcceptReferralRequest {
        name: made(2),
        request_id: request_id(),
        ..Default::default()
    };
    sent.accept_referral(accept).await.unwrap();
    let refuse = RefuseReferralRequest {
        name: made(3),
        request_id: request_id(),
        ..Default::default()
    };
    sent.refuse_referral(refuse).await.unwrap();
    let revoke = RevokeReferralRequest {
        name: made(2),
        request_id: request_id(),
        ..Default::default()
    };
    sent.revoke_referral(revoke).await.unwrap();
}

async fn call_erasures(suite: &Suite, parent: &str) {
    let name = suite.push(vec![person("B9")]).await.results[0].name.clone();
    let token = suite.tokens.manager(suite.convention.operator);
    let mut erasures = ErasureServiceClient::new(suite.serving.channel(token));
    let erase = EraseBeneficiaryRequest {
        name,
        reason: ErasureReason::SubjectRequest.into(),
        request_id: request_id(),
        ..Default::default()
    };
    let first = erasures.erase_beneficiary(erase.clone()).await.unwrap();
    let again = erasures.erase_beneficiary(erase).await.unwrap();
    let name = first.into_inner().name;
    assert_eq!(again.into_inner().name, name);
    let get = erasures.get_erasure(GetErasureRequest { name });
    get.await.unwrap();
    let list = ListErasuresRequest {
        parent: parent.to_owned(),
        ..Default::default()
    };
    erasures.list_erasures(list).await.unwrap();
    let release = ReleaseErasedReferenceRequest {
        parent: parent.to_owned(),
        external_reference: "B9".to_owned(),
        request_id: request_id(),
    };
    erasures.release_erased_reference(release).await.unwrap();
}

async fn call_retention_and_merges(suite: &Suite, parent: &str) {
    let token = suite.tokens.manager(suite.convention.operator);
    let channel = || suite.serving.channel(token.clone());
    let pair = vec![known("B7", |_| {}), known("B8", |_| {})];
    let answer = suite.push(pair).await;
    let mut holds = LegalHoldServiceClient::new(channel());
    let create = CreateLegalHoldRequest {
        parent: parent.to_owned(),
        beneficiary: answer.results[0].name.clone(),
        reason: "Recours.".to_owned(),
        request_id: request_id(),
    };
    let hold = holds.create_legal_hold(create).await.unwrap().into_inner();
    let name = hold.name.clone();
    let get = holds.get_legal_hold(GetLegalHoldRequest { name });
    get.await.unwrap();
    let list = ListLegalHoldsRequest {
        parent: parent.to_owned(),
        ..Default::default()
    };
    holds.list_legal_holds(list).await.unwrap();
    let lift = LiftLegalHoldRequest {
        name: hold.name,
        reason: "Jugement.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    holds.lift_legal_hold(lift).await.unwrap();

    let mut merges = BeneficiaryMergeServiceClient::new(channel());
    let list = ListDuplicateCandidatesRequest {
        parent: parent.to_owned(),
        ..Default::default()
    };
    merges.list_duplicate_candidates(list).await.unwrap();
    let merge = MergeBeneficiariesRequest {
        parent: parent.to_owned(),
        survivor: answer.results[0].name.clone(),
        duplicate: answer.results[1].name.clone(),
        reason: MergeReason::SamePseudonym.into(),
        request_id: request_id(),
        ..Default::default()
    };
    let merged = merges
        .merge_beneficiaries(merge)
        .await
        .unwrap()
        .into_inner();
    let name = merged.name.clone();
    let get = merges.get_beneficiary_merge(GetBeneficiaryMergeRequest { name });
    get.await.unwrap();
    let undo = UndoMergeRequest {
        name: merged.name,
        etag: String::new(),
        request_id: request_id(),
    };
    merges.undo_merge(undo).await.unwrap();

    let mut retention = RetentionServiceClient::new(channel());
    let preview = PreviewRetentionRequest {
        parent: parent.to_owned(),
        ..Default::default()
    };
    retention.preview_retention(preview).await.unwrap();
    let apply = ApplyRetentionRequest {
        parent: parent.to_owned(),
        max_persons: 0,
        request_id: request_id(),
    };
    retention.apply_retention(apply).await.unwrap();
    let now = suite.clock.now();
    suite
        .clock
        .set(time::macros::datetime!(2027-09-15 06:00 UTC));
    let ring = suite.vault.ring();
    nonrecours_followup::retention::sweep::run(&suite.db, &ring, &suite.ids, SERVICE)
        .await
        .unwrap();
    suite.clock.set(now);
    let notice: String = sqlx::query_scalar(
        "SELECT resource FROM outbox WHERE kind = 'retention_notice.raised' ORDER BY position LIMIT 1",
    )
    .fetch_one(&suite.owner)
    .await
    .unwrap();
    let get = retention.get_retention_notice(GetRetentionNoticeRequest { name: notice });
    get.await.unwrap();
}

async fn call_register(suite: &Suite, parent: &str, person: &str) {
    let token = suite.tokens.manager(suite.convention.operator);
    let mut register = SubjectRequestServiceClient::new(suite.serving.channel(token));
    let mut names = Vec::new();
    for right in [
        SubjectRight::Access,
        SubjectRight::Restriction,
        SubjectRight::Access,
    ] {
        let create = CreateSubjectRequestRequest {
            parent: parent.to_owned(),
            beneficiary: person.to_owned(),
            right: right.into(),
            identity_check: IdentityCheck::InPerson.into(),
            received_date: date(2025, 10, 6),
            request_id: request_id(),
        };
        let done = register.create_subject_request(create).await.unwrap();
        names.push(done.into_inner().name);
    }
    let extend = ExtendSubjectRequestRequest {
        name: names[0].clone(),
        reason: "Pièces aux archives.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    register.extend_subject_request(extend).await.unwrap();
    let name = names[0].clone();
    let export = register.export_personal_data(ExportPersonalDataRequest {
        name,
        ..Default::default()
    });
    export.await.unwrap();
    for name in &names[..2] {
        let fulfil = FulfilSubjectRequestRequest {
            name: name.clone(),
            etag: String::new(),
            request_id: request_id(),
        };
        register.fulfil_subject_request(fulfil).await.unwrap();
    }
    let lift = LiftSubjectRequestRequest {
        name: names[1].clone(),
        etag: String::new(),
        request_id: request_id(),
    };
    register.lift_subject_request(lift).await.unwrap();
    let refuse = RefuseSubjectRequestRequest {
        name: names[2].clone(),
        basis: RefusalBasis::UnfoundedOrExcessive.into(),
        reason: "Troisième demande du mois.".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    register.refuse_subject_request(refuse).await.unwrap();
    let name = names[2].clone();
    let get = register.get_subject_request(GetSubjectRequestRequest { name });
    get.await.unwrap();
    let list = ListSubjectRequestsRequest {
        parent: parent.to_owned(),
        ..Default::default()
    };
    register.list_subject_requests(list).await.unwrap();
}

async fn call_feed(suite: &Suite, person: &str) {
    let mut feed = ChangeFeedServiceClient::new(suite.agent());
    let history = ListHistoryRequest {
        name: person.to_owned(),
        ..Default::default()
    };
    feed.list_history(history).await.unwrap();
    let pull = async {
        loop {
            let request = PullChangesRequest {
                wait: Some(prost_types::Duration {
                    seconds: 1,
                    nanos: 0,
                }),
                ..Default::default()
            };
            let page = feed.pull_changes(request).await.unwrap().into_inner();
            if !page.changes.is_empty() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, pull).await.unwrap();
}

async fn accesses(
    suite: &Suite,
    request: ListAccessesRequest,
) -> Result<ListAccessesResponse, Status> {
    let manager = suite.tokens.manager(suite.convention.operator);
    let mut client = AccessServiceClient::new(suite.serving.channel(manager));
    Ok(client.list_accesses(request).await?.into_inner())
}

fn all(suite: &Suite) -> ListAccessesRequest {
    ListAccessesRequest {
        parent: suite.convention.parent().to_string(),
        ..Default::default()
    }
}

/// Accesses by the last part of their rpc.
async fn of_rpc(suite: &Suite, rpc: &str) -> Vec<Access> {
    let page = accesses(suite, all(suite)).await.unwrap();
    let of = |access: &Access| access.rpc.ends_with(&format!("/{rpc}"));
    page.accesses.into_iter().filter(of).collect()
}

#[tokio::test]
async fn every_rpc_about_persons_leaves_an_entry() {
    let suite = Suite::start().await;
    suite.learn(convention_name(2, 1), 1, true).await;
    call_everything(&suite).await;
    let entered: Vec<String> = sqlx::query_scalar("SELECT DISTINCT rpc FROM access_entry")
        .fetch_all(&suite.owner)
        .await
        .unwrap();
    let entered: BTreeSet<&str> = entered
        .iter()
        .map(String::as_str)
        .filter(|rpc| !rpc.is_empty())
        .collect();
    let expected: BTreeSet<&str> = journalled_table()
        .iter()
        .map(String::as_str)
        .chain(ENTERED_BESIDES)
        .collect();
    assert_eq!(
        entered, expected,
        "an rpc about persons that this test does not call, or that leaves no entry"
    );

    // Who, as what, for whom, and in which trace; never who the persons are.
    let entries: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT actor, roles, access_entry::text FROM access_entry WHERE rpc LIKE '%GetBeneficiaryIdentity'",
    )
    .fetch_all(&suite.owner)
    .await
    .unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].1, "operator_agent");
    assert!(entries[0].0.starts_with("agent"), "{}", entries[0].0);
    let everything: Vec<String> = sqlx::query_scalar("SELECT access_entry::text FROM access_entry")
        .fetch_all(&suite.owner)
        .await
        .unwrap();
    for word in [
        "Lefèvre", "Quillacq", "Zoé", "Bapaume", "06 39", "Revient", "B1",
    ] {
        let told = everything.iter().find(|entry| entry.contains(word));
        assert_eq!(told, None, "{word}");
    }

    // The other operator's reading of the identity stands in this one's journal, under the other's name.
    let received = of_rpc(&suite, "GetReceivedReferral").await;
    let [access] = received.as_slice() else {
        panic!("{received:?}");
    };
    assert_eq!(
        access.actor_operator,
        convention_name(2, 1).parent().to_string()
    );
    assert!(
        access
            .records
            .iter()
            .any(|name| name.ends_with("/identity")),
        "{access:?}"
    );
}

#[tokio::test]
async fn a_batch_is_one_entry_with_all_it_met() {
    let suite = Suite::start().await;
    let persons: Vec<_> = (0..120).map(|n| person(&format!("B{n}"))).collect();
    suite.push(persons.clone()).await;
    // Again: nothing changes, and yet it tells what is there.
    suite.push(persons.clone()).await;
    // A dry run tells of the stored ones too.
    let dry = PushRecordsOnceRequest {
        convention: suite.convention.to_string(),
        records: persons,
        mode: PushMode::Validate.into(),
        ..Default::default()
    };
    let mut client = PushServiceClient::new(suite.agent());
    client.push_records_once(dry).await.unwrap();
    let pushed = of_rpc(&suite, "PushRecords").await;
    let kinds: Vec<(AccessKind, i32, usize)> = pushed
        .iter()
        .chain(&of_rpc(&suite, "PushRecordsOnce").await)
        .map(|access| (access.kind(), access.record_count, access.records.len()))
        .collect();
    assert_eq!(
        kinds,
        [
            (AccessKind::Write, 120, 50),
            (AccessKind::Read, 120, 50),
            (AccessKind::Read, 120, 50),
        ]
    );
    let ids: i32 = sqlx::query_scalar(
        "SELECT min(cardinality(records)) FROM access_entry WHERE rpc LIKE '%/Push%'",
    )
    .fetch_one(&suite.owner)
    .await
    .unwrap();
    assert_eq!(ids, 120);
}

#[tokio::test]
async fn what_cannot_be_entered_is_neither_told_nor_changed() {
    let suite = Suite::start().await;
    let name = suite.push(vec![person("B1")]).await.results[0].name.clone();
    let app: String = sqlx::query_scalar("SELECT regexp_replace(current_user, '_owner$', '_app')")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    execute(
        &suite.owner,
        &format!("REVOKE INSERT ON access_entry FROM {app}"),
    )
    .await;
    let mut client = BeneficiaryServiceClient::new(suite.agent());
    let get = client.get_beneficiary(GetBeneficiaryRequest { name }).await;
    assert_eq!(
        refusal(&get.unwrap_err()),
        (Code::Internal, "INTERNAL".to_owned())
    );
    let push = suite
        .push_under(&suite.convention, vec![vec![person("B2")]])
        .await;
    assert_eq!(push.unwrap_err().code(), Code::Internal);
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM beneficiary")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    assert_eq!(stored, 1);
}

async fn execute(owner: &PgPool, statement: &str) {
    sqlx::query(AssertSqlSafe(statement))
        .execute(owner)
        .await
        .unwrap();
}

/// Seals until nothing waits: transactions of other tests on the same server hold the horizon back.
async fn seal_all(suite: &Suite) -> Report {
    let sealing = async {
        loop {
            // What fails is done again, as by the service's own pass.
            keep::seal(&suite.db, SERVICE).await.ok();
            let report = check(&suite.db, &[]).await;
            if report.waiting == 0 {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, sealing).await.unwrap()
}

async fn check(db: &Db, anchors: &[Anchor]) -> Report {
    let mut tx = db.read(&Scope::of_service(SERVICE)).await.unwrap();
    verify(&mut tx, anchors).await.unwrap()
}

/// Five sealed entries: one push, four reads.
async fn sealed() -> (Suite, Report) {
    let suite = Suite::start().await;
    let name = suite.push(vec![person("B1")]).await.results[0].name.clone();
    let mut client = BeneficiaryServiceClient::new(suite.agent());
    for _ in 0..4 {
        let name = name.clone();
        let get = client.get_beneficiary(GetBeneficiaryRequest { name });
        get.await.unwrap();
    }
    let report = seal_all(&suite).await;
    assert_eq!((report.fault, report.head.number), (None, 5));
    (suite, report)
}

/// What verification says once the owner of the database has done this.
async fn after(suite: &Suite, statements: &[&str], anchors: &[Anchor]) -> Option<Fault> {
    for statement in statements {
        execute(&suite.owner, statement).await;
    }
    check(&suite.db, anchors).await.fault
}

const THIRD: &str =
    "(era, xid, position) = (SELECT era, xid, position FROM access_link WHERE number = 3)";

#[tokio::test]
async fn an_altered_entry_is_named() {
    let (suite, _) = sealed().await;
    let alter = format!("UPDATE access_entry SET actor = 'someone else' WHERE {THIRD}");
    let fault = after(&suite, &[&alter], &[]).await;
    assert!(matches!(fault, Some(Fault::Altered(3, _))), "{fault:?}");
    let back = format!(
        "UPDATE access_entry SET actor = (SELECT max(actor) FROM access_entry WHERE actor <> 'someone else') WHERE {THIRD}"
    );
    assert_eq!(after(&suite, &[&back], &[]).await, None);
    let link = "UPDATE access_link SET link = sha256('x') WHERE number = 4";
    let fault = after(&suite, &[link], &[]).await;
    assert!(matches!(fault, Some(Fault::Altered(4, _))), "{fault:?}");
}

#[tokio::test]
async fn a_removed_entry_is_named() {
    let (suite, _) = sealed().await;
    let remove = format!("DELETE FROM access_entry WHERE {THIRD}");
    assert_eq!(
        after(&suite, &[&remove], &[]).await,
        Some(Fault::Removed(3))
    );
    let (suite, _) = sealed().await;
    let unlink = "DELETE FROM access_link WHERE number = 3";
    // With its link too, there is a gap in the numbers.
    assert_eq!(
        after(&suite, &[&remove, unlink], &[]).await,
        Some(Fault::Removed(3))
    );
}

#[tokio::test]
async fn an_inserted_entry_is_named() {
    let (suite, _) = sealed().await;
    let insert = format!(
        "INSERT INTO access_entry (operator_id, position, era, xid, actor, actor_operator, roles, rpc, kind, occur_time,
             traceparent, why, record_count, digest, collections, counts, records)
         OVERRIDING SYSTEM VALUE
         SELECT operator_id, -position, era, xid, actor, actor_operator, roles, rpc, kind, occur_time, traceparent, why,
                record_count, digest, collections, counts, records FROM access_entry WHERE {THIRD}"
    );
    let fault = after(&suite, &[&insert], &[]).await;
    assert!(
        matches!(fault, Some(Fault::Inserted(place)) if place.position < 0),
        "{fault:?}"
    );
}

#[tokio::test]
async fn reordered_entries_are_named() {
    let (suite, _) = sealed().await;
    // The push and the first read change places, each with all that it says.
    let swap = [
        "ALTER TABLE access_entry ALTER position DROP IDENTITY",
        "UPDATE access_entry SET position = -position WHERE (era, xid, position) IN
             (SELECT era, xid, position FROM access_link WHERE number IN (1, 2))",
        "UPDATE access_entry AS entry SET era = other.era, xid = other.xid, position = other.position
         FROM access_link AS own JOIN access_link AS other ON other.number = 3 - own.number
         WHERE own.position = -entry.position AND entry.position < 0",
    ];
    let fault = after(&suite, &swap, &[]).await;
    assert!(matches!(fault, Some(Fault::Altered(1, _))), "{fault:?}");

    let (suite, _) = sealed().await;
    let links = "UPDATE access_link SET number = CASE number WHEN 3 THEN 94 ELSE 93 END WHERE number IN (3, 4)";
    let fault = after(
        &suite,
        &[
            links,
            "UPDATE access_link SET number = number - 90 WHERE number > 90",
        ],
        &[],
    )
    .await;
    // The fourth stands where the third was: the third is in the way before it.
    assert!(matches!(fault, Some(Fault::Inserted(_))), "{fault:?}");

    let (suite, _) = sealed().await;
    let back = "UPDATE access_link SET era = 0 WHERE number = 3";
    assert_eq!(after(&suite, &[back], &[]).await, Some(Fault::Reordered(3)));
}

#[tokio::test]
async fn a_chain_cut_off_or_written_anew_is_found_by_an_anchor() {
    let (suite, report) = sealed().await;
    assert_eq!(check(&suite.db, &[report.head]).await.fault, None);
    let cut = [
        "DELETE FROM access_entry WHERE (era, xid, position) IN (SELECT era, xid, position FROM access_link
         WHERE number > 3)",
        "DELETE FROM access_link WHERE number > 3",
    ];
    // What is left is sound by itself.
    assert_eq!(after(&suite, &cut, &[]).await, None);
    assert_eq!(
        check(&suite.db, &[report.head]).await.fault,
        Some(Fault::Truncated(report.head))
    );

    // Sealed anew after an alteration, the chain is sound again, and another one.
    let third = seal_all(&suite).await.head;
    let anew = [
        "UPDATE access_entry SET why = 'x' WHERE position = (SELECT min(position) FROM access_entry)",
        "DELETE FROM access_link",
    ];
    assert_eq!(after(&suite, &anew, &[]).await, None);
    let again = seal_all(&suite).await;
    assert_eq!((again.fault, again.head.number), (None, 3));
    assert_eq!(
        check(&suite.db, &[third]).await.fault,
        Some(Fault::Replaced(third))
    );
}

#[tokio::test]
async fn the_application_changes_no_entry_and_removes_none_within_its_retention() {
    let (suite, _) = sealed().await;
    let app = suite.database.app().await;
    let mut connection = app.acquire().await.unwrap();
    for statement in [
        "UPDATE access_entry SET actor = 'x'",
        "UPDATE access_link SET number = 9",
        "UPDATE access_checkpoint SET number = 9",
        "DELETE FROM access_checkpoint",
        "TRUNCATE access_entry",
    ] {
        let refused = sqlx::query(statement).execute(&mut *connection).await;
        let error = refused.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code());
        assert_eq!(code.as_deref(), Some("42501"), "{statement}");
    }
    sqlx::query("SELECT set_config('nonrecours.operator', '*', false)")
        .execute(&mut *connection)
        .await
        .unwrap();
    for statement in ["DELETE FROM access_entry", "DELETE FROM access_link"] {
        let done = sqlx::query(statement)
            .execute(&mut *connection)
            .await
            .unwrap();
        assert_eq!(done.rows_affected(), 0, "{statement}");
    }
    drop(connection);

    // Less than six months is refused by the database itself.
    suite
        .clock
        .set(time::macros::datetime!(2026-03-20 12:00 +1));
    let refused = keep::purge(&suite.db, SERVICE, 5).await.unwrap_err();
    assert!(
        format!("{refused:?}").contains("access_checkpoint_retention"),
        "{refused:?}"
    );
}

/// How often it is tried to purge.
const PURGES: usize = 1000;

/// Purges until so many links are gone in all: a pass of the service's own may have the chain, or come first.
async fn purged(suite: &Suite, links: i64) {
    for _ in 0..PURGES {
        keep::purge(&suite.db, SERVICE, 12).await.unwrap();
        let gone: Option<i64> = sqlx::query_scalar("SELECT max(number) FROM access_checkpoint")
            .fetch_one(&suite.owner)
            .await
            .unwrap();
        if gone == Some(links) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{links} links are not purged");
}

#[tokio::test]
async fn entries_go_after_their_retention_and_the_chain_goes_on() {
    let (suite, early) = sealed().await;
    assert_eq!(keep::purge(&suite.db, SERVICE, 12).await.unwrap(), 0);
    suite
        .clock
        .set(time::macros::datetime!(2026-06-01 12:00 +2));
    suite.push(vec![person("B2")]).await;
    let before = seal_all(&suite).await;
    suite
        .clock
        .set(time::macros::datetime!(2026-10-06 23:00 +2));
    assert_eq!(keep::purge(&suite.db, SERVICE, 12).await.unwrap(), 0);
    suite
        .clock
        .set(time::macros::datetime!(2026-10-08 09:00 +2));
    purged(&suite, 5).await;
    let report = check(&suite.db, &[early.head, before.head]).await;
    assert_eq!((report.fault, report.start), (None, early.head));
    assert_eq!(report.head, before.head);

    // Also when nothing is left but the checkpoint.
    suite
        .clock
        .set(time::macros::datetime!(2027-10-08 09:00 +2));
    purged(&suite, 6).await;
    suite.push(vec![person("B3")]).await;
    let report = seal_all(&suite).await;
    assert_eq!((report.fault, report.start), (None, before.head));
    assert_eq!(report.head.number, before.head.number + 1);
    let outdated = check(&suite.db, &[early.head]).await;
    assert_eq!(
        (outdated.fault, outdated.outdated),
        (None, vec![early.head])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_entered_while_others_seal_is_sealed_once() {
    let suite = Suite::start().await;
    let name = suite.push(vec![person("B1")]).await.results[0].name.clone();
    let readers = (0..4).map(|_| {
        let mut client = BeneficiaryServiceClient::new(suite.agent());
        let name = name.clone();
        tokio::spawn(async move {
            for _ in 0..15 {
                let name = name.clone();
                let get = client.get_beneficiary(GetBeneficiaryRequest { name });
                get.await.unwrap();
            }
        })
    });
    let sealers = (0..2).map(|_| {
        let db = suite.db.clone();
        tokio::spawn(async move {
            for _ in 0..15 {
                keep::seal(&db, SERVICE).await.ok();
                tokio::task::yield_now().await;
            }
        })
    });
    for task in readers.chain(sealers).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let report = seal_all(&suite).await;
    assert_eq!((report.fault, report.head.number), (None, 61));
}

#[tokio::test]
async fn those_who_answer_for_the_operator_list_accesses_by_person_and_time() {
    let suite = Suite::start().await;
    let records = vec![
        person("B1"),
        person("B2"),
        note("N1", "B1", "Revient lundi."),
    ];
    let names: Vec<String> = suite
        .push(records)
        .await
        .results
        .into_iter()
        .map(|result| result.name)
        .collect();
    suite
        .clock
        .set(time::macros::datetime!(2025-10-08 09:00 +2));
    let mut notes = NoteServiceClient::new(suite.agent());
    let name = names[2].clone();
    notes.get_note(GetNoteRequest { name }).await.unwrap();
    let mut beneficiaries = BeneficiaryServiceClient::new(suite.agent());
    let name = names[1].clone();
    let get = beneficiaries.get_beneficiary(GetBeneficiaryRequest { name });
    get.await.unwrap();

    let rpcs = |page: &ListAccessesResponse| -> Vec<String> {
        let accesses = page.accesses.iter();
        accesses
            .map(|access| access.rpc.rsplit_once('/').unwrap().1.to_owned())
            .collect()
    };
    // The note is about the person, whose name the reader never gave.
    let mut request = all(&suite);
    request.beneficiary = names[0].clone();
    let page = accesses(&suite, request).await.unwrap();
    assert_eq!(rpcs(&page), ["PushRecords", "GetNote"]);
    assert_eq!(page.accesses[1].records, [names[2].clone()]);
    assert_eq!(page.accesses[1].roles, ["operator_agent"]);

    // From the second day on; asking is an access too.
    let second_day = Timestamp {
        seconds: time::macros::datetime!(2025-10-08 00:00 +2).unix_timestamp(),
        nanos: 0,
    };
    let mut request = all(&suite);
    request.start_time = Some(second_day);
    request.page_size = 2;
    let first = accesses(&suite, request.clone()).await.unwrap();
    assert_eq!(rpcs(&first), ["GetNote", "GetBeneficiary"]);
    request.page_token = first.next_page_token.clone();
    let second = accesses(&suite, request.clone()).await.unwrap();
    assert_eq!(rpcs(&second), ["ListAccesses", "ListAccesses"]);
    assert_eq!(second.accesses[0].records, [names[0].clone()]);
    let mut before = all(&suite);
    before.end_time = Some(second_day);
    assert_eq!(
        rpcs(&accesses(&suite, before.clone()).await.unwrap()),
        ["PushRecords"]
    );

    // A token of another question, periods that are none, instants that are none, other people's names.
    request.end_time = request.start_time;
    request.page_token = String::new();
    let status = accesses(&suite, request.clone()).await.unwrap_err();
    let violations = nonrecours_rpc::details::Details::of(&status).violations;
    assert_eq!(violations[0].reason, "PERIOD_EMPTY");
    request.end_time = Some(Timestamp {
        seconds: i64::MAX,
        nanos: 0,
    });
    let status = accesses(&suite, request).await.unwrap_err();
    let violations = nonrecours_rpc::details::Details::of(&status).violations;
    assert_eq!(violations[0].reason, "TIMESTAMP_INVALID");
    before.page_token = first.next_page_token;
    let status = accesses(&suite, before).await.unwrap_err();
    assert_eq!(refusal(&status).1, "PAGE_TOKEN_INVALID");
    let mut foreign = all(&suite);
    foreign.beneficiary = names[0].replace(
        &suite.convention.operator.to_string(),
        &operator(2).to_string(),
    );
    let status = accesses(&suite, foreign).await.unwrap_err();
    assert_eq!(refusal(&status).1, "OUT_OF_REACH");

    // An agent does not watch their colleagues; another operator's manager sees nothing of this one.
    let mut agent = AccessServiceClient::new(suite.agent());
    let status = agent.list_accesses(all(&suite)).await.unwrap_err();
    assert_eq!(refusal(&status).1, "ROLE_MISSING");
    let other = suite.serving.channel(suite.tokens.manager(operator(2)));
    let status = AccessServiceClient::new(other)
        .list_accesses(all(&suite))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status).1, "OUT_OF_REACH");
}
