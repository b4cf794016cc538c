//! What persons ask of their own data: the register, and what is done about it.

use nonrecours_contracts::followup::{
    CreateReferralRequest, CreateSubjectRequestRequest, ExportPersonalDataRequest,
    ExportPersonalDataResponse, ExtendSubjectRequestRequest, FulfilSubjectRequestRequest,
    GetReceivedReferralRequest, GetSubjectRequestRequest, IdentityCheck, LiftSubjectRequestRequest,
    ListBeneficiariesRequest, ListEntitlementsRequest, ListNotesRequest, ListReferralsRequest,
    ListRenewalsRequest, ListStepsRequest, ListSubjectRequestsRequest, RecordOutcome, RefusalBasis,
    RefuseSubjectRequestRequest, SubjectRequest, SubjectRequestState, SubjectRight,
    beneficiary_service_client::BeneficiaryServiceClient,
    entitlement_service_client::EntitlementServiceClient, note_service_client::NoteServiceClient,
    received_referral_service_client::ReceivedReferralServiceClient,
    referral_service_client::ReferralServiceClient, renewal_service_client::RenewalServiceClient,
    step_service_client::StepServiceClient,
    subject_request_service_client::SubjectRequestServiceClient,
};
use nonrecours_followup::{SERVICE, subject_request::sweep};
use nonrecours_rpc::{client::PeerChannel, details::Details};
use nonrecours_testkit::request_id;
use prost::Message as _;
use time::macros::datetime;
use tonic::{Code, Status};

use crate::support::*;

type Client = SubjectRequestServiceClient<PeerChannel>;

fn manager(suite: &Suite) -> Client {
    let token = suite.tokens.manager(suite.convention.operator);
    SubjectRequestServiceClient::new(suite.serving.channel(token))
}

/// A service that knows one person, of whom everything is held; the person's name.
async fn one_person() -> (Suite, String) {
    let suite = Suite::start().await;
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
        person("B2"),
    ];
    let name = suite.push(records).await.results[0].name.clone();
    (suite, name)
}

fn asks(suite: &Suite, person: &str, right: SubjectRight) -> CreateSubjectRequestRequest {
    CreateSubjectRequestRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: person.to_owned(),
        right: right.into(),
        identity_check: IdentityCheck::DocumentShown.into(),
        received_date: date(2025, 10, 6),
        request_id: request_id(),
    }
}

pub async fn received(suite: &Suite, person: &str, right: SubjectRight) -> SubjectRequest {
    let request = asks(suite, person, right);
    let mut agent = SubjectRequestServiceClient::new(suite.agent());
    let done = agent.create_subject_request(request).await;
    done.unwrap().into_inner()
}

async fn fulfil(suite: &Suite, request: &SubjectRequest) -> Result<SubjectRequest, Status> {
    let fulfil = FulfilSubjectRequestRequest {
        name: request.name.clone(),
        etag: request.etag.clone(),
        request_id: request_id(),
    };
    let done = manager(suite).fulfil_subject_request(fulfil).await?;
    Ok(done.into_inner())
}

async fn lift(suite: &Suite, request: &SubjectRequest) -> Result<SubjectRequest, Status> {
    let lift = LiftSubjectRequestRequest {
        name: request.name.clone(),
        etag: request.etag.clone(),
        request_id: request_id(),
    };
    let done = manager(suite).lift_subject_request(lift).await?;
    Ok(done.into_inner())
}

async fn refuse(
    suite: &Suite,
    request: &SubjectRequest,
    basis: RefusalBasis,
    reason: &str,
) -> Result<SubjectRequest, Status> {
    let refuse = RefuseSubjectRequestRequest {
        name: request.name.clone(),
        basis: basis.into(),
        reason: reason.to_owned(),
        etag: request.etag.clone(),
        request_id: request_id(),
    };
    let done = manager(suite).refuse_subject_request(refuse).await?;
    Ok(done.into_inner())
}

async fn extend(
    suite: &Suite,
    request: &SubjectRequest,
    reason: &str,
) -> Result<SubjectRequest, Status> {
    let extend = ExtendSubjectRequestRequest {
        name: request.name.clone(),
        reason: reason.to_owned(),
        etag: request.etag.clone(),
        request_id: request_id(),
    };
    let done = manager(suite).extend_subject_request(extend).await?;
    Ok(done.into_inner())
}

pub async fn export(
    suite: &Suite,
    request: &SubjectRequest,
) -> Result<ExportPersonalDataResponse, Status> {
    let name = request.name.clone();
    let mut client = manager(suite);
    let done = client.export_personal_data(ExportPersonalDataRequest {
        name,
        ..Default::default()
    });
    Ok(done.await?.into_inner())
}

fn reason(status: &Status) -> String {
    refusal(status).1
}

/// Reasons of the fields that are wrong.
fn fields(status: &Status) -> Vec<(String, String)> {
    assert_eq!(reason(status), "INVALID_REQUEST");
    let violations = Details::of(status).violations.into_iter();
    violations
        .map(|violation| (violation.field, violation.reason))
        .collect()
}

/// Kinds of the changes of requests so far.
async fn changes(suite: &Suite) -> Vec<String> {
    let changes = suite.changes().await.into_iter();
    changes
        .filter(|change| change.name.contains("/subjectRequests/"))
        .map(|change| change.kind)
        .collect()
}

#[tokio::test]
async fn a_request_is_due_within_a_month_extended_once_and_decided_once() {
    let (suite, person) = one_person().await;
    let request = asks(&suite, &person, SubjectRight::Objection);
    let mut agent = SubjectRequestServiceClient::new(suite.agent());
    let first = agent.create_subject_request(request.clone()).await.unwrap();
    let entered = first.into_inner();
    assert_eq!(entered.state(), SubjectRequestState::Received);
    assert_eq!(entered.due_date, date(2025, 11, 6));
    let again = agent.create_subject_request(request.clone()).await.unwrap();
    assert_eq!(again.into_inner(), entered);

    let nir = extend(&suite, &entered, "Voir 1 85 02 62 263 001 42.").await;
    assert_eq!(
        fields(&nir.unwrap_err()),
        [("reason".to_owned(), "NIR_FORBIDDEN".to_owned())]
    );
    // The month has not passed: two more, told why.
    let extended = extend(&suite, &entered, "Dossier ancien, pièces aux archives.")
        .await
        .unwrap();
    assert_eq!(extended.state(), SubjectRequestState::Extended);
    assert_eq!(extended.due_date, date(2026, 1, 6));
    let stale = extend(&suite, &entered, "Encore.").await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_MISMATCH");
    let twice = extend(&suite, &extended, "Encore.").await.unwrap_err();
    assert_eq!(reason(&twice), "SUBJECT_REQUEST_EXTENDED");

    // Refused on the law that fits, for a reason.
    let unfit = refuse(&suite, &extended, RefusalBasis::DataAccurate, "Non.").await;
    assert_eq!(
        fields(&unfit.unwrap_err()),
        [("basis".to_owned(), "REFUSAL_BASIS_UNFIT".to_owned())]
    );
    let nir = refuse(
        &suite,
        &extended,
        RefusalBasis::LegalClaims,
        "Voir 1 85 02 62 263 001 42.",
    );
    assert_eq!(
        fields(&nir.await.unwrap_err()),
        [("reason".to_owned(), "NIR_FORBIDDEN".to_owned())]
    );
    let refused = refuse(
        &suite,
        &extended,
        RefusalBasis::LegalClaims,
        "Recours en cours.",
    )
    .await
    .unwrap();
    assert_eq!(refused.state(), SubjectRequestState::Refused);
    assert_eq!(refused.decided_date, date(2025, 10, 7));
    for again in [
        fulfil(&suite, &refused).await,
        extend(&suite, &refused, "x").await,
        refuse(&suite, &refused, RefusalBasis::LegalClaims, "x").await,
    ] {
        assert_eq!(reason(&again.unwrap_err()), "SUBJECT_REQUEST_DECIDED");
    }
    let name = refused.name.clone();
    let get = agent.get_subject_request(GetSubjectRequestRequest { name });
    assert_eq!(get.await.unwrap().into_inner(), refused);
    assert_eq!(
        changes(&suite).await,
        [
            "subject_request.received",
            "subject_request.extended",
            "subject_request.refused"
        ]
    );

    // Once the month has passed, it is too late to extend.
    let late = received(&suite, &person, SubjectRight::Access).await;
    suite.clock.set(datetime!(2025-11-07 00:00 +1));
    let status = extend(&suite, &late, "x").await.unwrap_err();
    assert_eq!(reason(&status), "SUBJECT_REQUEST_OVERDUE");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let (suite, person) = one_person().await;
    let mut agent = SubjectRequestServiceClient::new(suite.agent());
    let mut request = asks(&suite, &person, SubjectRight::Access);
    request.received_date = date(2025, 10, 8);
    request.right = 0;
    request.identity_check = 0;
    let status = agent.create_subject_request(request).await.unwrap_err();
    let faults = fields(&status);
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults.contains(&("received_date".to_owned(), "DATE_IN_FUTURE".to_owned())));

    let nobody = format!(
        "{}/beneficiaries/{}",
        suite.convention.parent(),
        uuid::Uuid::from_u128(9)
    );
    let unknown = asks(&suite, &nobody, SubjectRight::Access);
    let status = agent.create_subject_request(unknown).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_FOUND");
    let foreign = person.replace(
        &suite.convention.operator.to_string(),
        &operator(2).to_string(),
    );
    let foreign = asks(&suite, &foreign, SubjectRight::Access);
    let status = agent.create_subject_request(foreign).await.unwrap_err();
    assert_eq!(reason(&status), "OUT_OF_REACH");

    // Only who answers for the operator decides; another operator's sees nothing.
    let entered = received(&suite, &person, SubjectRight::Access).await;
    let name = entered.name.clone();
    let export = agent.export_personal_data(ExportPersonalDataRequest {
        name: name.clone(),
        ..Default::default()
    });
    assert_eq!(reason(&export.await.unwrap_err()), "ROLE_MISSING");
    let other = suite.serving.channel(suite.tokens.manager(operator(2)));
    let mut other = SubjectRequestServiceClient::new(other);
    let get = other.get_subject_request(GetSubjectRequestRequest { name });
    assert_eq!(reason(&get.await.unwrap_err()), "OUT_OF_REACH");
}

#[tokio::test]
async fn who_asks_for_access_receives_everything_that_is_held() {
    let (suite, person) = one_person().await;
    let request = received(&suite, &person, SubjectRight::Access).await;
    let early = fulfil(&suite, &request).await.unwrap_err();
    assert_eq!(
        refusal(&early),
        (Code::FailedPrecondition, "EXPORT_MISSING".to_owned())
    );

    let data = export(&suite, &request).await.unwrap();
    assert_eq!(data.beneficiary.as_ref().unwrap().name, person);
    assert_eq!(data.identity.as_ref().unwrap().birth_place, "Bapaume");
    let counts = [
        data.entitlements.len(),
        data.steps.len(),
        data.notes.len(),
        data.subject_requests.len(),
    ];
    assert_eq!(counts, [1, 1, 1, 1]);
    assert_eq!(data.notes[0].text, "Revient lundi.");
    // Whose eyes have seen them: the push at least.
    assert!(
        data.accesses
            .iter()
            .any(|access| access.rpc.ends_with("/PushRecords")),
        "{:?}",
        data.accesses
    );
    let json: serde_json::Value = serde_json::from_slice(&data.json).unwrap();
    assert_eq!(json["identity"]["birthPlace"], "Bapaume");
    assert_eq!(json["notes"][0]["text"], "Revient lundi.");
    assert_eq!(json["beneficiary"]["name"], person.as_str());

    let done = fulfil(&suite, &request).await.unwrap();
    assert_eq!(done.state(), SubjectRequestState::Fulfilled);
    let again = export(&suite, &done).await.unwrap_err();
    assert_eq!(reason(&again), "SUBJECT_REQUEST_DECIDED");
    let other = received(&suite, &person, SubjectRight::Restriction).await;
    let status = export(&suite, &other).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_AN_ACCESS_REQUEST");

    // The export says in the journal what it was for.
    let why: String =
        sqlx::query_scalar("SELECT why FROM access_entry WHERE rpc LIKE '%/ExportPersonalData'")
            .fetch_one(&suite.owner)
            .await
            .unwrap();
    assert_eq!(why, format!("art. 15 : {}", request.name));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_whole_however_much_there_is_and_done_at_its_last_page() {
    const STEPS: usize = 5_400;
    let (suite, person) = one_person().await;
    let steps: Vec<_> = (0..STEPS)
        .map(|number| step(&format!("M{number}"), "B1"))
        .collect();
    let batches = steps.chunks(1_000).map(<[_]>::to_vec).collect();
    let answers = suite.push_under(&suite.convention, batches).await.unwrap();
    assert_eq!(
        answers.iter().map(|answer| answer.stored).sum::<i32>(),
        5_400
    );
    // More accesses than one page tells.
    let get = || nonrecours_contracts::followup::GetBeneficiaryRequest {
        name: person.clone(),
    };
    let mut agent = BeneficiaryServiceClient::new(suite.agent());
    for _ in 0..250 {
        agent.get_beneficiary(get()).await.unwrap();
    }
    let request = received(&suite, &person, SubjectRight::Access).await;

    let mut client = manager(&suite);
    let mut ask = ExportPersonalDataRequest {
        name: request.name.clone(),
        page_size: 1_000,
        ..Default::default()
    };
    let (mut whole, mut pages) = (ExportPersonalDataResponse::default(), 0);
    let mut json_steps = 0;
    loop {
        let page = client
            .export_personal_data(ask.clone())
            .await
            .unwrap()
            .into_inner();
        let records = page.entitlements.len()
            + page.steps.len()
            + page.notes.len()
            + page.referrals.len()
            + page.subject_requests.len()
            + page.accesses.len();
        assert!(records <= 200, "{records}");
        assert!(page.encoded_len() < 4 * 1024 * 1024);
        assert_eq!(page.beneficiary.is_some(), pages == 0);
        assert_eq!(page.identity.is_some(), pages == 0);
        let json: serde_json::Value = serde_json::from_slice(&page.json).unwrap();
        json_steps += json["steps"].as_array().map_or(0, Vec::len);
        pages += 1;
        whole.merge(&*page.encode_to_vec()).unwrap();
        ask.page_token.clone_from(&page.next_page_token);
        if page.next_page_token.is_empty() {
            break;
        }
        // Not done before the last page.
        if pages == 3 {
            let early = fulfil(&suite, &request).await.unwrap_err();
            assert_eq!(reason(&early), "EXPORT_MISSING");
            let other = ExportPersonalDataRequest {
                name: received(&suite, &person, SubjectRight::Access).await.name,
                ..ask.clone()
            };
            let status = client.export_personal_data(other).await.unwrap_err();
            assert_eq!(reason(&status), "PAGE_TOKEN_INVALID");
        }
    }
    assert!(pages > 28, "{pages}");
    assert_eq!(json_steps, STEPS + 1);
    let names: std::collections::BTreeSet<&str> =
        whole.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!((names.len(), whole.steps.len()), (STEPS + 1, STEPS + 1));
    assert_eq!((whole.entitlements.len(), whole.notes.len()), (1, 1));
    // Every page left its entry; every record is in one of them.
    let entries: Vec<(i32, String)> = sqlx::query_as(
        "SELECT record_count, why FROM access_entry WHERE rpc LIKE '%/ExportPersonalData' ORDER BY position",
    )
    .fetch_all(&suite.owner)
    .await
    .unwrap();
    assert_eq!(entries.len(), pages);
    assert!(
        entries
            .iter()
            .all(|(_, why)| *why == format!("art. 15 : {}", request.name))
    );
    let met: i32 = entries.iter().map(|(count, _)| count).sum();
    // The person each time; once the identity, the request, a right, a note and the steps.
    assert_eq!(usize::try_from(met).unwrap(), pages + 1 + 1 + 2 + STEPS + 1);
    assert_eq!(
        fulfil(&suite, &request).await.unwrap().state(),
        SubjectRequestState::Fulfilled
    );
}

#[tokio::test]
async fn a_rectification_is_a_change_of_the_records() {
    let (suite, person) = one_person().await;
    let request = received(&suite, &person, SubjectRight::Rectification).await;
    let early = fulfil(&suite, &request).await.unwrap_err();
    assert_eq!(reason(&early), "RECTIFICATION_MISSING");
    suite.clock.set(datetime!(2025-10-08 09:00 +2));
    suite
        .push(vec![known("B1", |identity| {
            "Arras".clone_into(&mut identity.birth_place);
        })])
        .await;
    let done = fulfil(&suite, &request).await.unwrap();
    assert_eq!(done.state(), SubjectRequestState::Fulfilled);
    let lifted = lift(&suite, &done).await.unwrap_err();
    assert_eq!(reason(&lifted), "LIMIT_NOT_IN_EFFECT");
}

#[tokio::test]
async fn an_erasure_erases_and_the_register_remembers_that_it_was_asked() {
    let (suite, person) = one_person().await;
    let request = received(&suite, &person, SubjectRight::Erasure).await;
    let earlier = received(&suite, &person, SubjectRight::Erasure).await;
    let done = fulfil(&suite, &request).await.unwrap();
    assert_eq!(done.state(), SubjectRequestState::Fulfilled);
    let get = nonrecours_contracts::followup::GetBeneficiaryRequest {
        name: person.clone(),
    };
    let mut client = BeneficiaryServiceClient::new(suite.agent());
    let status = client.get_beneficiary(get).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_FOUND");
    let why: Vec<String> = sqlx::query_scalar("SELECT reason FROM erasure")
        .fetch_all(&suite.owner)
        .await
        .unwrap();
    assert_eq!(why, ["SUBJECT_REQUEST"]);

    // Asked twice, it is done once, and answered twice.
    let done = fulfil(&suite, &earlier).await.unwrap();
    assert_eq!(done.state(), SubjectRequestState::Fulfilled);
    let name = request.name.clone();
    let get = manager(&suite)
        .get_subject_request(GetSubjectRequestRequest { name })
        .await;
    assert_eq!(get.unwrap().into_inner().beneficiary, person);
}

/// How many rows about persons each list shows.
async fn listed(suite: &Suite) -> [usize; 6] {
    let parent = suite.convention.parent().to_string();
    let channel = suite.agent();
    let list = ListBeneficiariesRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let mut client = BeneficiaryServiceClient::new(channel.clone());
    let persons = client.list_beneficiaries(list).await.unwrap().into_inner();
    let list = ListEntitlementsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let mut client = EntitlementServiceClient::new(channel.clone());
    let rights = client.list_entitlements(list).await.unwrap().into_inner();
    let list = ListStepsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let mut client = StepServiceClient::new(channel.clone());
    let steps = client.list_steps(list).await.unwrap().into_inner();
    let list = ListNotesRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let mut client = NoteServiceClient::new(channel.clone());
    let notes = client.list_notes(list).await.unwrap().into_inner();
    let list = ListReferralsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let mut client = ReferralServiceClient::new(channel.clone());
    let referrals = client.list_referrals(list).await.unwrap().into_inner();
    let list = ListRenewalsRequest {
        parent,
        ..Default::default()
    };
    let mut client = RenewalServiceClient::new(channel);
    let renewals = client.list_renewals(list).await.unwrap().into_inner();
    [
        persons.beneficiaries.len(),
        rights.entitlements.len(),
        steps.steps.len(),
        notes.notes.len(),
        referrals.referrals.len(),
        renewals.renewals.len(),
    ]
}

#[tokio::test]
async fn restricted_records_are_stored_and_nothing_else_until_the_restriction_is_lifted() {
    let (suite, person) = one_person().await;
    let recipient = convention_name(2, 1);
    suite.learn(recipient, 1, true).await;
    let propose = || CreateReferralRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: person.clone(),
        recipient: recipient.parent().to_string(),
        consent_date: date(2025, 10, 6),
        request_id: request_id(),
        ..Default::default()
    };
    let mut referrals = ReferralServiceClient::new(suite.agent());
    let made = referrals.create_referral(propose()).await.unwrap();
    let id = made
        .into_inner()
        .name
        .rsplit_once('/')
        .unwrap()
        .1
        .to_owned();
    let name = format!("{}/receivedReferrals/{id}", recipient.parent());
    let mut theirs = ReceivedReferralServiceClient::new(suite.agent_of(recipient.operator));
    let accept = nonrecours_contracts::followup::AcceptReceivedReferralRequest {
        name: name.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    theirs.accept_received_referral(accept).await.unwrap();
    assert_eq!(listed(&suite).await, [2, 1, 1, 1, 1, 1]);

    let request = received(&suite, &person, SubjectRight::Restriction).await;
    let fulfilled = fulfil(&suite, &request).await.unwrap();
    assert_eq!(listed(&suite).await, [1, 0, 0, 0, 0, 0]);
    let get = theirs.get_received_referral(GetReceivedReferralRequest { name: name.clone() });
    assert_eq!(reason(&get.await.unwrap_err()), "PROCESSING_LIMITED");
    let status = referrals.create_referral(propose()).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::FailedPrecondition, "PROCESSING_LIMITED".to_owned())
    );

    // Nothing about the person is written; others of the batch are.
    let records = vec![
        person_with("B1", |person| "62041".clone_into(&mut person.commune_code)),
        right("E2", "B1"),
        step("T2", "B1"),
        note("N2", "B1", "x"),
        version(1, self::person("B2")),
    ];
    let answer = suite.push(records.clone()).await;
    let of: Vec<Vec<String>> = answer.results.iter().map(faults).collect();
    assert_eq!(
        of,
        [
            vec!["external_reference PROCESSING_LIMITED".to_owned()],
            vec!["entitlement.beneficiary_reference PROCESSING_LIMITED".to_owned()],
            vec!["step.beneficiary_reference PROCESSING_LIMITED".to_owned()],
            vec!["note.beneficiary_reference PROCESSING_LIMITED".to_owned()],
            vec![],
        ]
    );
    // The person still receives their data.
    let access = received(&suite, &person, SubjectRight::Access).await;
    assert_eq!(export(&suite, &access).await.unwrap().notes.len(), 1);

    // A second limit outlasts the first.
    let second = received(&suite, &person, SubjectRight::Restriction).await;
    let second = fulfil(&suite, &second).await.unwrap();
    let lifted = lift(&suite, &fulfilled).await.unwrap();
    assert_eq!(lifted.lifted_date, date(2025, 10, 7));
    assert_eq!(listed(&suite).await, [1, 0, 0, 0, 0, 0]);
    lift(&suite, &second).await.unwrap();
    assert_eq!(listed(&suite).await, [2, 1, 1, 1, 1, 1]);
    let again = lift(&suite, &lifted).await.unwrap_err();
    assert_eq!(reason(&again), "LIMIT_NOT_IN_EFFECT");
    let answer = suite.push(records).await;
    assert!(
        outcomes(&answer)
            .iter()
            .all(|outcome| *outcome != RecordOutcome::Rejected),
        "{answer:?}"
    );
}

#[tokio::test]
async fn who_objects_is_not_recognised_over_operators_any_more() {
    let (suite, person) = one_person().await;
    let pseudonyms = || async {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM pseudonym")
            .fetch_one(&suite.owner)
            .await
            .unwrap();
        count
    };
    assert_eq!(pseudonyms().await, 1);
    let request = received(&suite, &person, SubjectRight::Objection).await;
    let fulfilled = fulfil(&suite, &request).await.unwrap();
    assert_eq!(pseudonyms().await, 0);
    assert_eq!(listed(&suite).await, [1, 0, 0, 0, 0, 0]);
    let answer = suite.push(vec![known("B1", |_| {})]).await;
    assert_eq!(
        faults(&answer.results[0]),
        ["external_reference PROCESSING_LIMITED"]
    );

    // Taken back: recognised again from the next identity on.
    lift(&suite, &fulfilled).await.unwrap();
    let changed = known("B1", |identity| identity.phone.clear());
    assert_eq!(suite.push(vec![changed]).await.stored, 1);
    assert_eq!(pseudonyms().await, 1);
}

#[tokio::test]
async fn due_dates_that_come_up_are_told_and_overdue_requests_are_listed() {
    let (suite, person) = one_person().await;
    let first = received(&suite, &person, SubjectRight::Access).await;
    let second = received(&suite, &person, SubjectRight::Rectification).await;
    let list = |open_only, overdue_only, page_size, page_token| ListSubjectRequestsRequest {
        parent: suite.convention.parent().to_string(),
        page_size,
        page_token,
        open_only,
        overdue_only,
    };
    let mut client = manager(&suite);
    let all = client
        .list_subject_requests(list(false, false, 1, String::new()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(all.subject_requests, std::slice::from_ref(&first));
    let rest = client
        .list_subject_requests(list(false, false, 1, all.next_page_token.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(rest.subject_requests, std::slice::from_ref(&second));
    let status = client
        .list_subject_requests(list(true, false, 1, all.next_page_token))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "PAGE_TOKEN_INVALID");

    // A week before, not a day more; once, whoever's pass it is.
    suite.clock.set(datetime!(2025-10-29 23:00 +1));
    assert_eq!(sweep::run(&suite.db, SERVICE).await.unwrap(), 0);
    suite.clock.set(datetime!(2025-10-30 00:00 +1));
    sweep::run(&suite.db, SERVICE).await.unwrap();
    assert_eq!(sweep::run(&suite.db, SERVICE).await.unwrap(), 0);
    let told = changes(&suite).await;
    let due = told.iter().filter(|kind| *kind == "subject_request.due");
    assert_eq!(due.count(), 2);

    let name = second.name.clone();
    let get = client.get_subject_request(GetSubjectRequestRequest { name });
    let current = get.await.unwrap().into_inner();
    refuse(&suite, &current, RefusalBasis::DataAccurate, "Exact.")
        .await
        .unwrap();
    let overdue = list(false, true, 0, String::new());
    suite.clock.set(datetime!(2025-11-06 23:00 +1));
    let none = client.list_subject_requests(overdue.clone()).await.unwrap();
    assert_eq!(none.into_inner().subject_requests, []);
    suite.clock.set(datetime!(2025-11-07 00:00 +1));
    let one = client
        .list_subject_requests(overdue)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(one.subject_requests.len(), 1);
    assert_eq!(one.subject_requests[0].name, first.name);
    let open = client
        .list_subject_requests(list(true, false, 0, String::new()))
        .await
        .unwrap();
    assert_eq!(open.into_inner().subject_requests.len(), 1);
}
