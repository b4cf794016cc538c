//! Referrals: with consent, answered by who receives them, gone with the consent.

use nonrecours_contracts::followup::{
    AcceptReceivedReferralRequest, AcceptReferralRequest, CreateReferralRequest,
    GetReceivedReferralRequest, GetReferralRequest, Identity, ListReceivedReferralsRequest,
    ListReferralsRequest, ReceivedReferral, RecordOutcome, Referral, ReferralState,
    RefuseReceivedReferralRequest, RefuseReferralRequest, RevokeReferralRequest,
    received_referral_service_client::ReceivedReferralServiceClient,
    referral_service_client::ReferralServiceClient,
};
use nonrecours_kernel::OperatorId;
use nonrecours_rpc::{client::PeerChannel, details::Details};
use nonrecours_testkit::request_id;
use tonic::{Code, Status};

use crate::support::*;

use ReferralState::{Accepted, Proposed, Refused, Revoked};

/// A person, whose identity is known, of the convention's operator.
async fn suite() -> (Suite, String) {
    let suite = Suite::start().await;
    let answer = suite.push(vec![known("B1", |_| {})]).await;
    let name = answer.results[0].name.clone();
    (suite, name)
}

fn proposal(suite: &Suite, beneficiary: &str) -> CreateReferralRequest {
    CreateReferralRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: beneficiary.to_owned(),
        recipient: format!("operators/{}", operator(2)),
        partner: String::new(),
        right: "RSA".to_owned(),
        consent_date: date(2025, 10, 6),
        request_id: request_id(),
    }
}

fn sender(suite: &Suite) -> ReferralServiceClient<PeerChannel> {
    ReferralServiceClient::new(suite.agent())
}

fn recipient(suite: &Suite, of: OperatorId) -> ReceivedReferralServiceClient<PeerChannel> {
    ReceivedReferralServiceClient::new(suite.serving.channel(suite.tokens.agent(of)))
}

async fn propose(suite: &Suite, request: &CreateReferralRequest) -> Result<Referral, Status> {
    let answer = sender(suite).create_referral(request.clone()).await?;
    Ok(answer.into_inner())
}

/// The name under which the recipient knows a referral.
fn received_name(referral: &Referral) -> String {
    let (_, id) = referral.name.rsplit_once('/').unwrap();
    format!("{}/receivedReferrals/{id}", referral.recipient)
}

async fn received(suite: &Suite, name: &str) -> Result<ReceivedReferral, Status> {
    let request = GetReceivedReferralRequest {
        name: name.to_owned(),
    };
    let answer = recipient(suite, operator(2))
        .get_received_referral(request)
        .await?;
    Ok(answer.into_inner())
}

fn accept(name: &str, etag: &str) -> AcceptReceivedReferralRequest {
    AcceptReceivedReferralRequest {
        name: name.to_owned(),
        etag: etag.to_owned(),
        request_id: request_id(),
    }
}

fn revoke(name: &str, etag: &str) -> RevokeReferralRequest {
    RevokeReferralRequest {
        name: name.to_owned(),
        etag: etag.to_owned(),
        request_id: request_id(),
    }
}

/// What the feed of an operator tells of referrals.
async fn told(suite: &Suite, of: OperatorId) -> Vec<(String, String, i64, String)> {
    sqlx::query_as(
        "SELECT kind, resource, revision, actor FROM outbox
         WHERE operator_id = $1 AND kind LIKE '%referral.%' ORDER BY position",
    )
    .bind(of.uuid())
    .fetch_all(&suite.owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_person_goes_on_to_another_operator_who_learns_who_they_are_once_it_accepts() {
    let (suite, person) = suite().await;
    let request = proposal(&suite, &person);
    let referral = propose(&suite, &request).await.unwrap();
    assert_eq!((referral.state(), referral.revision), (Proposed, 1));
    assert_eq!(
        (referral.beneficiary.as_str(), referral.right.as_str()),
        (person.as_str(), "RSA")
    );
    assert_eq!(propose(&suite, &request).await.unwrap(), referral);

    let name = received_name(&referral);
    let seen = received(&suite, &name).await.unwrap();
    assert_eq!((seen.state(), seen.identity), (Proposed, None));
    assert_eq!(seen.sender, suite.convention.parent().to_string());
    assert_eq!(seen.consent_date, date(2025, 10, 6));

    suite.clock.advance(time::Duration::hours(1));
    let request = accept(&name, &seen.etag);
    let mut client = recipient(&suite, operator(2));
    let accepted = client
        .accept_received_referral(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((accepted.state(), accepted.revision), (Accepted, 2));
    // What is kept for a request sent again, and told on feeds, says nothing of who they are.
    assert_eq!(accepted.identity, None);
    let again = client.accept_received_referral(request).await.unwrap();
    assert_eq!(again.into_inner(), accepted);
    let seen = received(&suite, &name).await.unwrap();
    let identity: Identity = seen.identity.unwrap();
    assert_eq!(identity.usual_name, "Quillacq");
    // A list shows no identity.
    let list = ListReceivedReferralsRequest {
        parent: format!("operators/{}", operator(2)),
        ..Default::default()
    };
    let listed = client
        .list_received_referrals(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.received_referrals, [accepted]);

    let get = GetReferralRequest {
        name: referral.name.clone(),
    };
    let made = sender(&suite).get_referral(get).await.unwrap().into_inner();
    assert_eq!(made.state(), Accepted);
    assert_ne!(made.update_time, made.create_time);

    // Each side is told of both steps, by the name it knows, with who made them.
    let (own, other) = (suite.convention.operator, operator(2));
    let expected = |kind: &str, name: &str| {
        vec![
            (
                format!("{kind}.proposed"),
                name.to_owned(),
                1,
                format!("agent-{own}"),
            ),
            (
                format!("{kind}.accepted"),
                name.to_owned(),
                2,
                format!("agent-{other}"),
            ),
        ]
    };
    assert_eq!(
        told(&suite, own).await,
        expected("referral", &referral.name)
    );
    assert_eq!(
        told(&suite, other).await,
        expected("received_referral", &name)
    );
    let planted: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM outbox WHERE position('Quillacq'::bytea IN snapshot) > 0)
              + (SELECT count(*) FROM request_replay WHERE position('Quillacq'::bytea IN response) > 0)",
    )
    .fetch_one(&suite.owner)
    .await
    .unwrap();
    assert_eq!(planted, 0);
}

#[tokio::test]
async fn consent_taken_back_takes_everything_back() {
    let (suite, person) = suite().await;
    let referral = propose(&suite, &proposal(&suite, &person)).await.unwrap();
    let name = received_name(&referral);
    let mut client = recipient(&suite, operator(2));
    client
        .accept_received_referral(accept(&name, ""))
        .await
        .unwrap();
    assert!(received(&suite, &name).await.unwrap().identity.is_some());

    let stale = sender(&suite)
        .revoke_referral(revoke(&referral.name, &referral.etag))
        .await;
    let expected = (Code::Aborted, "ETAG_MISMATCH".to_owned());
    assert_eq!(refusal(&stale.unwrap_err()), expected);
    let request = revoke(&referral.name, "2");
    let revoked = sender(&suite)
        .revoke_referral(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((revoked.state(), revoked.revision), (Revoked, 3));
    let again = sender(&suite)
        .revoke_referral(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, revoked);

    let status = received(&suite, &name).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    let list = ListReceivedReferralsRequest {
        parent: format!("operators/{}", operator(2)),
        ..Default::default()
    };
    let listed = client
        .list_received_referrals(list)
        .await
        .unwrap()
        .into_inner();
    assert!(listed.received_referrals.is_empty());
    let last = told(&suite, operator(2)).await.pop().unwrap();
    assert_eq!((last.0.as_str(), last.2), ("received_referral.revoked", 3));

    let status = client
        .accept_received_referral(accept(&name, ""))
        .await
        .unwrap_err();
    let expected = (Code::FailedPrecondition, "REFERRAL_NOT_PROPOSED".to_owned());
    assert_eq!(refusal(&status), expected);
    let status = sender(&suite)
        .revoke_referral(revoke(&referral.name, ""))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::FailedPrecondition, "REFERRAL_ENDED".to_owned())
    );
}

#[tokio::test]
async fn a_recipient_may_refuse_and_never_learns_who_it_was() {
    let (suite, person) = suite().await;
    let referral = propose(&suite, &proposal(&suite, &person)).await.unwrap();
    let name = received_name(&referral);
    let refuse = |etag: &str| RefuseReceivedReferralRequest {
        name: name.clone(),
        etag: etag.to_owned(),
        request_id: request_id(),
    };
    let mut client = recipient(&suite, operator(2));
    let stale = client
        .refuse_received_referral(refuse("9"))
        .await
        .unwrap_err();
    assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    let request = refuse("1");
    let refused = client
        .refuse_received_referral(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(refused.state(), Refused);
    let again = client
        .refuse_received_referral(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, refused);
    assert_eq!(received(&suite, &name).await.unwrap().identity, None);
    let status = client
        .accept_received_referral(accept(&name, ""))
        .await
        .unwrap_err();
    let expected = (Code::FailedPrecondition, "REFERRAL_NOT_PROPOSED".to_owned());
    assert_eq!(refusal(&status), expected);
}

#[tokio::test]
async fn a_partners_answer_is_recorded_by_the_operator_and_no_other_answer_is() {
    let (suite, person) = suite().await;
    let to_partner = || CreateReferralRequest {
        recipient: String::new(),
        partner: "CAF".to_owned(),
        request_id: request_id(),
        ..proposal(&suite, &person)
    };
    let accepting = |name: &str| AcceptReferralRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    let refusing = |name: &str| RefuseReferralRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut client = sender(&suite);
    let first = propose(&suite, &to_partner()).await.unwrap();
    assert_eq!(
        (first.partner.as_str(), first.recipient.as_str()),
        ("CAF", "")
    );
    let stale = AcceptReferralRequest {
        etag: "9".to_owned(),
        ..accepting(&first.name)
    };
    let stale = client.accept_referral(stale).await.unwrap_err();
    assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    let request = accepting(&first.name);
    let accepted = client
        .accept_referral(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(accepted.state(), Accepted);
    let again = client.accept_referral(request).await.unwrap().into_inner();
    assert_eq!(again, accepted);
    let second = propose(&suite, &to_partner()).await.unwrap();
    let request = refusing(&second.name);
    let refused = client
        .refuse_referral(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(refused.state(), Refused);
    let again = client.refuse_referral(request).await.unwrap().into_inner();
    assert_eq!(again, refused);
    let status = client
        .accept_referral(accepting(&second.name))
        .await
        .unwrap_err();
    let expected = (Code::FailedPrecondition, "REFERRAL_NOT_PROPOSED".to_owned());
    assert_eq!(refusal(&status), expected);

    let to_operator = propose(&suite, &proposal(&suite, &person)).await.unwrap();
    let status = client
        .accept_referral(accepting(&to_operator.name))
        .await
        .unwrap_err();
    let expected = (Code::FailedPrecondition, "ANSWERED_BY_RECIPIENT".to_owned());
    assert_eq!(refusal(&status), expected);
    let status = client
        .refuse_referral(refusing(&to_operator.name))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), expected);

    let mut listed = Vec::new();
    let mut page_token = String::new();
    for expected in [2, 1] {
        let request = ListReferralsRequest {
            parent: suite.convention.parent().to_string(),
            page_size: 2,
            page_token,
        };
        let page = client.list_referrals(request).await.unwrap().into_inner();
        assert_eq!(page.referrals.len(), expected);
        listed.extend(page.referrals.into_iter().map(|referral| referral.name));
        page_token = page.next_page_token;
    }
    assert_eq!(listed, [first.name, second.name, to_operator.name]);
    assert!(page_token.is_empty());
}

#[tokio::test]
async fn nobody_else_sees_or_answers_a_referral() {
    let (suite, person) = suite().await;
    let referral = propose(&suite, &proposal(&suite, &person)).await.unwrap();
    let name = received_name(&referral);
    let out_of_reach = (Code::PermissionDenied, "OUT_OF_REACH".to_owned());
    for stranger in [operator(3), suite.convention.operator] {
        let mut client = recipient(&suite, stranger);
        let get = GetReceivedReferralRequest { name: name.clone() };
        let status = client.get_received_referral(get).await.unwrap_err();
        assert_eq!(refusal(&status), out_of_reach);
        let status = client
            .accept_received_referral(accept(&name, ""))
            .await
            .unwrap_err();
        assert_eq!(refusal(&status), out_of_reach);
    }
    // Under a name of one's own: it is not there.
    let (_, id) = referral.name.rsplit_once('/').unwrap();
    let own = format!("operators/{}/receivedReferrals/{id}", operator(3));
    let mut client = recipient(&suite, operator(3));
    let not_found = (Code::NotFound, "NOT_FOUND".to_owned());
    let get = GetReceivedReferralRequest { name: own.clone() };
    let status = client.get_received_referral(get).await.unwrap_err();
    assert_eq!(refusal(&status), not_found);
    let status = client
        .accept_received_referral(accept(&own, ""))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), not_found);
    let made = format!("operators/{}/referrals/{id}", operator(3));
    let channel = suite.serving.channel(suite.tokens.agent(operator(3)));
    let mut client = ReferralServiceClient::new(channel);
    let status = client.revoke_referral(revoke(&made, "")).await.unwrap_err();
    assert_eq!(refusal(&status), not_found);
    let status = client
        .revoke_referral(revoke(&referral.name, ""))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), out_of_reach);
    // Somebody else's person is not referred by oneself.
    let request = CreateReferralRequest {
        parent: format!("operators/{}", operator(3)),
        ..proposal(&suite, &person)
    };
    let status = client.create_referral(request).await.unwrap_err();
    assert_eq!(refusal(&status), out_of_reach);
    let mut client = ReferralServiceClient::new(suite.serving.channel(suite.tokens.auditor()));
    let get = GetReferralRequest {
        name: referral.name.clone(),
    };
    let status = client.get_referral(get).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::PermissionDenied, "ROLE_MISSING".to_owned())
    );

    // In the database: the recipient reads the row while it stands, and writes nothing.
    let app = suite.database.app().await;
    let as_recipient = async |statement: &'static str| {
        let mut tx = app.begin().await.unwrap();
        sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
            .bind(operator(2).to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(statement)
            .execute(&mut *tx)
            .await
            .unwrap()
            .rows_affected()
    };
    assert_eq!(as_recipient("SELECT FROM referral").await, 1);
    assert_eq!(
        as_recipient("UPDATE referral SET state = 'ACCEPTED'").await,
        0
    );
    sender(&suite)
        .revoke_referral(revoke(&referral.name, ""))
        .await
        .unwrap();
    assert_eq!(as_recipient("SELECT FROM referral").await, 0);
}

#[tokio::test]
async fn a_wrong_proposal_is_told_all_its_faults() {
    let (suite, person) = suite().await;
    let wrong = CreateReferralRequest {
        recipient: suite.convention.parent().to_string(),
        right: "RMI".to_owned(),
        consent_date: date(2025, 10, 8),
        ..proposal(&suite, &person)
    };
    let status = propose(&suite, &wrong).await.unwrap_err();
    let mut faults: Vec<String> = Details::of(&status)
        .violations
        .iter()
        .map(|violation| format!("{} {}", violation.field, violation.reason))
        .collect();
    faults.sort();
    assert_eq!(
        faults,
        [
            "consent_date DATE_IN_FUTURE",
            "recipient RECIPIENT_INVALID",
            "right UNKNOWN_CODE"
        ]
    );
    let reused = proposal(&suite, &person);
    propose(&suite, &reused).await.unwrap();
    let other = CreateReferralRequest {
        right: String::new(),
        ..reused
    };
    let status = propose(&suite, &other).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned())
    );
    let unknown = proposal(
        &suite,
        &person.replace("beneficiaries/0", "beneficiaries/1"),
    );
    let status = propose(&suite, &unknown).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    // Without identity, an accepted referral simply shows none.
    let answer = suite.push(vec![self::person("B2")]).await;
    assert_eq!(outcomes(&answer), [RecordOutcome::Stored]);
    let referral = propose(&suite, &proposal(&suite, &answer.results[0].name))
        .await
        .unwrap();
    let name = received_name(&referral);
    recipient(&suite, operator(2))
        .accept_received_referral(accept(&name, ""))
        .await
        .unwrap();
    let seen = received(&suite, &name).await.unwrap();
    assert_eq!((seen.state(), seen.identity), (Accepted, None));
}
