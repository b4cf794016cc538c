//! Every rpc about persons, called.

use nonrecours_contracts::{
    feed::{
        ListHistoryRequest, PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient,
    },
    followup::{
        AcceptReceivedReferralRequest, AcceptReferralRequest, ApplyRetentionRequest,
        CreateLegalHoldRequest, CreateReferralRequest, CreateSubjectRequestRequest,
        EraseBeneficiaryRequest, ErasureReason, ExportPersonalDataRequest,
        ExtendSubjectRequestRequest, FulfilSubjectRequestRequest, GetBeneficiaryIdentityRequest,
        GetBeneficiaryMergeRequest, GetBeneficiaryRequest, GetEntitlementRequest,
        GetErasureRequest, GetLegalHoldRequest, GetNoteRequest, GetReceivedReferralRequest,
        GetReferralRequest, GetRenewalAlertRequest, GetRetentionNoticeRequest, GetStepRequest,
        GetSubjectRequestRequest, IdentityCheck, LiftLegalHoldRequest, LiftSubjectRequestRequest,
        ListAccessesRequest, ListBeneficiariesRequest, ListDuplicateCandidatesRequest,
        ListEntitlementsRequest, ListErasuresRequest, ListLegalHoldsRequest, ListNotesRequest,
        ListReceivedReferralsRequest, ListReferralsRequest, ListRenewalsRequest, ListStepsRequest,
        ListSubjectRequestsRequest, MergeBeneficiariesRequest, MergeReason,
        PreviewRetentionRequest, PushRecordsOnceRequest, RefusalBasis,
        RefuseReceivedReferralRequest, RefuseReferralRequest, RefuseSubjectRequestRequest,
        ReleaseErasedReferenceRequest, RevokeReferralRequest, SubjectRight, UndoMergeRequest,
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
use nonrecours_followup::{SERVICE, renewal::sweep};
use nonrecours_kernel::Clock as _;
use nonrecours_testkit::request_id;
use uuid::Uuid;

use crate::{journal::accesses, support::*};

/// Every rpc about persons, called once at least.
pub async fn call_everything(suite: &Suite) {
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
