//! Erasing persons: what is left of them, what is told of it, and what brings nobody back.

use std::collections::BTreeMap;

use nonrecours_contracts::{
    feed::{
        Change, ListHistoryRequest, PullChangesRequest,
        change_feed_service_client::ChangeFeedServiceClient,
    },
    followup::{
        AcceptReceivedReferralRequest, CreateReferralRequest, EraseBeneficiaryRequest,
        ErasedRecord, Erasure, ErasureReason, GetBeneficiaryIdentityRequest, GetBeneficiaryRequest,
        GetErasureRequest, GetReceivedReferralRequest, ListErasuresRequest, ListNotesRequest,
        ReceivedReferral, RecordOutcome, ReleaseErasedReferenceRequest,
        beneficiary_identity_service_client::BeneficiaryIdentityServiceClient,
        beneficiary_service_client::BeneficiaryServiceClient,
        erasure_service_client::ErasureServiceClient, note_service_client::NoteServiceClient,
        received_referral_service_client::ReceivedReferralServiceClient,
        referral_service_client::ReferralServiceClient,
    },
};
use nonrecours_followup::{identity::rotation::rotate, vault::KeyRing};
use nonrecours_kernel::OperatorId;
use nonrecours_rpc::client::PeerChannel;
use nonrecours_testkit::request_id;
use prost::{Message as _, Name as _};
use sqlx::{AssertSqlSafe, PgPool};
use tonic::{Code, Status};

use crate::{rollup::differences, support::*};

use RecordOutcome::{Rejected, Stored};

pub fn erase_request(name: &str, reason: ErasureReason) -> EraseBeneficiaryRequest {
    EraseBeneficiaryRequest {
        name: name.to_owned(),
        reason: reason.into(),
        etag: String::new(),
        request_id: request_id(),
    }
}

fn client(suite: &Suite) -> ErasureServiceClient<PeerChannel> {
    let token = suite.tokens.manager(suite.convention.operator);
    ErasureServiceClient::new(suite.serving.channel(token))
}

pub async fn ask(suite: &Suite, request: EraseBeneficiaryRequest) -> Result<Erasure, Status> {
    Ok(client(suite).erase_beneficiary(request).await?.into_inner())
}

async fn erase(suite: &Suite, name: &str, reason: ErasureReason) -> Erasure {
    ask(suite, erase_request(name, reason)).await.unwrap()
}

async fn release(suite: &Suite, request: ReleaseErasedReferenceRequest) -> Result<Erasure, Status> {
    let released = client(suite).release_erased_reference(request).await?;
    Ok(released.into_inner())
}

fn releasing(suite: &Suite, reference: &str) -> ReleaseErasedReferenceRequest {
    ReleaseErasedReferenceRequest {
        parent: suite.convention.parent().to_string(),
        external_reference: reference.to_owned(),
        request_id: request_id(),
    }
}

/// What stands in the whole database, row by row, by table.
async fn dump(owner: &PgPool) -> BTreeMap<String, Vec<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let all = format!("SELECT one::text FROM {table} AS one");
        let texts = sqlx::query_scalar(AssertSqlSafe(all))
            .fetch_all(owner)
            .await
            .unwrap();
        rows.insert(table, texts);
    }
    rows
}

/// The tables in which a text stands, as it is or as the bytes of it.
fn where_stands(rows: &BTreeMap<String, Vec<String>>, text: &str) -> Vec<String> {
    let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let stands = |row: &String| row.contains(text) || row.contains(&bytes);
    rows.iter()
        .filter(|(_, rows)| rows.iter().any(stands))
        .map(|(table, _)| table.clone())
        .collect()
}

async fn figures(owner: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT kept::text FROM indicator_rollup AS kept WHERE persons_spotted + entitlements_followed <> 0 ORDER BY 1",
    )
    .fetch_all(owner)
    .await
    .unwrap()
}

const PLANTED: [&str; 6] = [
    "DOSSIER-7731",
    "DROIT-7731",
    "DEMARCHE-7731",
    "NOTE-7731",
    "Lefèvre-Planté",
    "Sa fille l'accompagne",
];

/// A person with everything that can hang on one, referred to a second operator, which has accepted.
async fn followed(suite: &Suite) -> (String, String) {
    let answer = suite
        .push(vec![
            known("DOSSIER-7731", |_| {}),
            right("DROIT-7731", "DOSSIER-7731"),
            step("DEMARCHE-7731", "DOSSIER-7731"),
            note("NOTE-7731", "DOSSIER-7731", "Sa fille l'accompagne."),
        ])
        .await;
    assert_eq!(answer.stored, 4, "{answer:?}");
    let name = answer.results[0].name.clone();
    let proposal = CreateReferralRequest {
        parent: suite.convention.parent().to_string(),
        beneficiary: name.clone(),
        recipient: format!("operators/{}", operator(2)),
        partner: String::new(),
        right: "RSA".to_owned(),
        consent_date: date(2025, 10, 6),
        request_id: request_id(),
    };
    let mut sender = ReferralServiceClient::new(suite.agent());
    let referral = sender.create_referral(proposal).await.unwrap().into_inner();
    let (_, id) = referral.name.rsplit_once('/').unwrap();
    let received = format!("{}/receivedReferrals/{id}", referral.recipient);
    let accept = AcceptReceivedReferralRequest {
        name: received.clone(),
        etag: String::new(),
        request_id: request_id(),
    };
    let mut recipient = ReceivedReferralServiceClient::new(suite.agent_of(operator(2)));
    recipient.accept_received_referral(accept).await.unwrap();
    (name, received)
}

#[tokio::test]
async fn nothing_of_an_erased_person_is_left_in_any_table_but_sums() {
    let suite = Suite::start().await;
    let (name, received) = followed(&suite).await;
    suite
        .push(vec![person("B2"), right("E2", "B2"), session("S1")])
        .await;
    let before = figures(&suite.owner).await;
    let rows = dump(&suite.owner).await;
    for planted in &PLANTED[..4] {
        assert!(!where_stands(&rows, planted).is_empty(), "{planted}");
    }
    assert!(!rows["request_replay"].is_empty());

    let erasure = erase(&suite, &name, ErasureReason::SubjectRequest).await;
    assert_eq!(erasure.beneficiary, name);
    assert_eq!(erasure.reason(), ErasureReason::SubjectRequest);
    assert_eq!(
        (
            erasure.entitlements,
            erasure.steps,
            erasure.notes,
            erasure.referrals,
            erasure.revision
        ),
        (1, 1, 1, 1, 1)
    );
    let rows = dump(&suite.owner).await;
    for planted in PLANTED {
        assert_eq!(
            where_stands(&rows, planted),
            Vec::<String>::new(),
            "{planted}"
        );
    }
    // The id alone is known: where it says that it is gone, in the answer to the request that erased it, and in the journal
    // of who has had to do with it, which is kept for a time of its own.
    let (_, id) = name.rsplit_once('/').unwrap();
    assert_eq!(
        where_stands(&rows, id),
        ["access_entry", "erasure", "outbox", "request_replay"]
    );
    assert_eq!(rows["request_replay"].len(), 1);
    for table in [
        "person_key",
        "identity",
        "pseudonym",
        "note_text",
        "referral",
        "step",
        "note",
    ] {
        assert!(rows[table].is_empty(), "{table}");
    }

    assert_eq!(figures(&suite.owner).await, before);
    assert_eq!(differences(&suite.owner).await, 0);

    let request = GetBeneficiaryRequest { name: name.clone() };
    let mut beneficiaries = BeneficiaryServiceClient::new(suite.agent());
    let status = beneficiaries.get_beneficiary(request).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    let mut recipient = ReceivedReferralServiceClient::new(suite.agent_of(operator(2)));
    let request = GetReceivedReferralRequest { name: received };
    let status = recipient.get_received_referral(request).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
}

async fn pulled(suite: &Suite, of: OperatorId) -> Vec<Change> {
    let mut feed = ChangeFeedServiceClient::new(suite.agent_of(of));
    let (mut changes, mut cursor) = (Vec::new(), String::new());
    loop {
        let request = PullChangesRequest {
            cursor,
            page_size: 0,
            wait: Some(prost_types::Duration {
                seconds: 5,
                nanos: 0,
            }),
        };
        let page = feed.pull_changes(request).await.unwrap().into_inner();
        cursor = page.next_cursor;
        changes.extend(page.changes);
        // The last change that erasing makes.
        let last = changes.last().map(|change: &Change| change.kind.as_str());
        if matches!(last, Some("erasure.recorded" | "received_referral.erased")) {
            return changes;
        }
    }
}

#[tokio::test]
async fn the_feed_tells_what_is_gone_and_why_and_shows_it_no_more() {
    let suite = Suite::start().await;
    let (name, received) = followed(&suite).await;
    let erasure = erase(&suite, &name, ErasureReason::Objection).await;

    let changes = pulled(&suite, suite.convention.operator).await;
    let (told, before): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| {
        change.kind.ends_with(".erased") || change.kind.starts_with("erasure.")
    });
    let kinds: Vec<(&str, i64)> = told
        .iter()
        .map(|change| (change.kind.as_str(), change.revision))
        .collect();
    assert_eq!(
        kinds,
        [
            ("entitlement.erased", 2),
            ("step.erased", 2),
            ("note.erased", 2),
            ("referral.erased", 3),
            ("beneficiary.erased", 2),
            ("erasure.recorded", 1),
        ]
    );
    for change in &told {
        assert_eq!(change.why, "opposition de la personne");
    }
    for change in &told[..5] {
        let snapshot = change.snapshot.as_ref().unwrap();
        assert_eq!(snapshot.type_url, ErasedRecord::type_url());
        let tombstone = ErasedRecord::decode(snapshot.value.as_slice()).unwrap();
        assert_eq!(tombstone.name, change.name);
        assert_eq!(tombstone.reason(), ErasureReason::Objection);
        assert_eq!(tombstone.erase_time, erasure.create_time);
    }
    assert_eq!(before.len(), 6);
    for change in before {
        // Who did what and when stays, what it was does not.
        assert_eq!((&change.snapshot, change.why.as_str()), (&None, ""));
        assert!(!change.actor.is_empty());
    }
    let history = ListHistoryRequest {
        name: name.clone(),
        ..ListHistoryRequest::default()
    };
    let mut feed = ChangeFeedServiceClient::new(suite.agent());
    let history = feed.list_history(history).await.unwrap().into_inner();
    let labels: Vec<&str> = history
        .changes
        .iter()
        .map(|change| change.label_fr.as_str())
        .collect();
    assert_eq!(
        labels,
        [
            "personne accompagnée : fiche enregistrée",
            "personne accompagnée effacée"
        ]
    );

    // The operator that received a referral is told that it is gone, and no more.
    let changes = pulled(&suite, operator(2)).await;
    let (last, before) = changes.split_last().unwrap();
    assert_eq!((last.name.as_str(), last.revision), (received.as_str(), 3));
    assert_eq!(last.why, "");
    let shown = ReceivedReferral::decode(last.snapshot.as_ref().unwrap().value.as_slice()).unwrap();
    assert_eq!(
        (shown.right.as_str(), shown.sender.as_str(), shown.identity),
        ("", "", None)
    );
    assert!(before.iter().all(|change| change.snapshot.is_none()));
}

#[tokio::test]
async fn an_erasure_is_done_once_by_the_manager_of_what_was_read() {
    let suite = Suite::start().await;
    let (name, _) = followed(&suite).await;
    let mut request = erase_request(&name, ErasureReason::SubjectRequest);
    for (token, expected) in [
        (
            suite.tokens.agent(suite.convention.operator),
            "ROLE_MISSING",
        ),
        (suite.tokens.officer(), "ROLE_MISSING"),
        (suite.tokens.manager(operator(2)), "OUT_OF_REACH"),
    ] {
        let mut client = ErasureServiceClient::new(suite.serving.channel(token));
        let status = client.erase_beneficiary(request.clone()).await.unwrap_err();
        assert_eq!(
            refusal(&status),
            (Code::PermissionDenied, expected.to_owned())
        );
    }
    let stale = EraseBeneficiaryRequest {
        etag: "7".to_owned(),
        ..request.clone()
    };
    let status = ask(&suite, stale).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::Aborted, "ETAG_MISMATCH".to_owned())
    );
    let without_reason = EraseBeneficiaryRequest {
        reason: 0,
        ..request.clone()
    };
    let status = ask(&suite, without_reason).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::InvalidArgument, "INVALID_REQUEST".to_owned())
    );

    request.etag = "1".to_owned();
    let erasure = ask(&suite, request.clone()).await.unwrap();
    let changes = suite.changes().await.len();
    assert_eq!(ask(&suite, request.clone()).await.unwrap(), erasure);
    assert_eq!(suite.changes().await.len(), changes);
    request.request_id = request_id();
    let status = ask(&suite, request).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));

    let get = GetErasureRequest {
        name: erasure.name.clone(),
    };
    let mut agent = ErasureServiceClient::new(suite.agent());
    let read = agent.get_erasure(get).await.unwrap().into_inner();
    assert_eq!(read, erasure);
    let list = ListErasuresRequest {
        parent: suite.convention.parent().to_string(),
        ..ListErasuresRequest::default()
    };
    let listed = agent.list_erasures(list).await.unwrap().into_inner();
    assert_eq!(listed.erasures, [erasure]);
}

#[tokio::test]
async fn a_mistake_counts_no_more_and_leaves_no_sums() {
    let suite = Suite::start().await;
    suite.push(vec![person("B2"), right("E2", "B2")]).await;
    let before = figures(&suite.owner).await;
    let (name, _) = followed(&suite).await;
    assert_ne!(figures(&suite.owner).await, before);
    erase(&suite, &name, ErasureReason::Mistake).await;
    assert_eq!(figures(&suite.owner).await, before);
    assert_eq!(differences(&suite.owner).await, 0);
    let residue: i64 = sqlx::query_scalar("SELECT count(*) FROM indicator_residue")
        .fetch_one(&suite.owner)
        .await
        .unwrap();
    assert_eq!(residue, 0);
}

#[tokio::test]
async fn an_erased_reference_brings_nobody_back_until_it_is_released() {
    let suite = Suite::start().await;
    let (name, _) = followed(&suite).await;
    let status = release(&suite, releasing(&suite, "DOSSIER-7731"))
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    let erasure = erase(&suite, &name, ErasureReason::SubjectRequest).await;

    let records = || {
        vec![
            known("DOSSIER-7731", |_| {}),
            right("DROIT-7731", "DOSSIER-7731"),
            step("DEMARCHE-7731", "DOSSIER-7731"),
            note("NOTE-7731", "DOSSIER-7731", "Revient lundi."),
            person("B2"),
        ]
    };
    let answer = suite.push(records()).await;
    assert_eq!(
        outcomes(&answer),
        [Rejected, Rejected, Rejected, Rejected, Stored]
    );
    let told: Vec<Vec<String>> = answer.results.iter().map(faults).collect();
    assert_eq!(
        told,
        [
            vec!["external_reference BENEFICIARY_ERASED".to_owned()],
            vec!["entitlement.beneficiary_reference BENEFICIARY_ERASED".to_owned()],
            vec!["step.beneficiary_reference BENEFICIARY_ERASED".to_owned()],
            vec!["note.beneficiary_reference BENEFICIARY_ERASED".to_owned()],
            vec![],
        ]
    );
    // Also under another key of the ring, once the first one is gone.
    for ring_of in [ring(&[2, 1], &[1]), ring(&[2], &[1])] {
        rotate(&suite.db, &KeyRing::parse(&ring_of).unwrap())
            .await
            .unwrap();
    }
    let suite = suite.restarted(&ring(&[2], &[1])).await;
    assert_eq!(outcomes(&suite.push(records()).await)[0], Rejected);

    // Another operator's person of the same reference is another person.
    let other = convention_name(2, 1);
    suite.learn(other, 1, true).await;
    let answers = suite.push_under(&other, vec![records()]).await.unwrap();
    assert_eq!(answers[0].stored, 5);

    suite.clock.advance(time::Duration::hours(1));
    let request = releasing(&suite, "DOSSIER-7731");
    let released = release(&suite, request.clone()).await.unwrap();
    assert_eq!(
        (released.name.as_str(), released.revision),
        (erasure.name.as_str(), 2)
    );
    assert_eq!(release(&suite, request).await.unwrap(), released);
    let last = suite.changes().await.pop().unwrap();
    assert_eq!(last.kind, "erasure.reference_released");
    let answer = suite.push(records()).await;
    assert_eq!(answer.rejected, 0, "{answer:?}");
    assert_ne!(answer.results[0].name, name);
    let status = release(&suite, releasing(&suite, " ")).await.unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::InvalidArgument, "INVALID_REQUEST".to_owned())
    );
    // Erased again, under the reference used anew.
    erase(&suite, &answer.results[0].name, ErasureReason::Mistake).await;
    assert_eq!(outcomes(&suite.push(records()).await)[0], Rejected);
}

#[tokio::test]
async fn a_backup_of_before_cannot_be_read_without_the_keys() {
    let suite = Suite::start().await;
    let (name, _) = followed(&suite).await;
    // Long backups leave the persons' keys out.
    for table in ["beneficiary", "identity", "note", "note_text"] {
        let copy = format!("CREATE TABLE backup_{table} AS TABLE {table}");
        sqlx::query(AssertSqlSafe(copy))
            .execute(&suite.owner)
            .await
            .unwrap();
    }
    let rows = dump(&suite.owner).await;
    for planted in ["Lefèvre-Planté", "Quillacq", "Sa fille l'accompagne"] {
        assert_eq!(where_stands(&rows, planted), Vec::<String>::new());
    }
    erase(&suite, &name, ErasureReason::SubjectRequest).await;
    for table in ["beneficiary", "identity", "note", "note_text"] {
        let restore = format!("INSERT INTO {table} TABLE backup_{table}");
        sqlx::query(AssertSqlSafe(restore))
            .execute(&suite.owner)
            .await
            .unwrap();
    }
    // The record is back, who it was is not, nor what was noted.
    let mut identities = BeneficiaryIdentityServiceClient::new(suite.agent());
    let request = GetBeneficiaryIdentityRequest {
        name: format!("{name}/identity"),
    };
    let status = identities
        .get_beneficiary_identity(request.clone())
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    let mut notes = NoteServiceClient::new(suite.agent());
    let list = ListNotesRequest {
        parent: suite.convention.parent().to_string(),
        ..ListNotesRequest::default()
    };
    let listed = notes.list_notes(list).await.unwrap().into_inner().notes;
    assert_eq!((listed.len(), listed[0].text.as_str()), (1, ""));

    // Nor under the key of somebody else, put in the place of the lost one.
    suite.push(vec![known("B9", |_| {})]).await;
    let forge = "UPDATE person_key SET beneficiary_id = $1";
    let (_, id) = name.rsplit_once('/').unwrap();
    sqlx::query(forge)
        .bind(id.parse::<uuid::Uuid>().unwrap())
        .execute(&suite.owner)
        .await
        .unwrap();
    let status = identities
        .get_beneficiary_identity(request)
        .await
        .unwrap_err();
    assert_eq!(refusal(&status), (Code::Internal, "INTERNAL".to_owned()));
}

#[tokio::test]
async fn a_person_erased_while_streams_write_about_them_leaves_nothing_behind() {
    let suite = Suite::start().await;
    let answer = suite.push(vec![known("B1", |_| {})]).await;
    let name = answer.results[0].name.clone();
    let streams = ["W", "X", "Y"].map(|stream| {
        let suite = &suite;
        async move {
            for round in 0..6 {
                let reference = |number: usize| format!("{stream}{round}-{number}");
                let mut records = vec![known("B1", |identity| {
                    identity.phone = format!("06 00 00 00 1{round}");
                })];
                for number in 0..8 {
                    records.push(right(&reference(number), "B1"));
                    records.push(step(&reference(number), "B1"));
                    records.push(note(&reference(number), "B1", "Revient lundi."));
                }
                match suite.push_under(&suite.convention, vec![records]).await {
                    // Whole or not at all: about the person, or refused for being about one who is gone.
                    Ok(answers) => assert!([0, 25].contains(&answers[0].rejected)),
                    Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
                }
            }
        }
    });
    let erasing = async {
        loop {
            match ask(&suite, erase_request(&name, ErasureReason::SubjectRequest)).await {
                Ok(_) => return,
                Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
            }
        }
    };
    tokio::join!(futures_util::future::join_all(streams), erasing);
    let rows = dump(&suite.owner).await;
    for table in [
        "beneficiary",
        "entitlement",
        "step",
        "note",
        "note_text",
        "identity",
        "person_key",
    ] {
        assert!(rows[table].is_empty(), "{table}");
    }
    assert_eq!(differences(&suite.owner).await, 0);
}

#[tokio::test]
async fn the_database_lets_nobody_erase_for_another_operator() {
    let suite = Suite::start().await;
    followed(&suite).await;
    let app = suite.database.app().await;
    for statement in [
        "DELETE FROM beneficiary",
        "DELETE FROM entitlement",
        "DELETE FROM note",
        "UPDATE outbox SET snapshot = ''",
        "DELETE FROM erased_reference",
    ] {
        let mut tx = app.begin().await.unwrap();
        sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
            .bind(operator(3).to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        let done = sqlx::query(statement).execute(&mut *tx).await.unwrap();
        assert_eq!(done.rows_affected(), 0, "{statement}");
    }
    // What a history says that happened is altered by nobody.
    for statement in [
        "DELETE FROM outbox",
        "UPDATE outbox SET kind = 'x'",
        "UPDATE erasure SET reason = 'MISTAKE'",
        "DELETE FROM erasure",
        "DELETE FROM indicator_residue",
        "DELETE FROM session",
    ] {
        let refused = sqlx::query(statement).execute(&app).await.unwrap_err();
        let code = refused.as_database_error().and_then(|error| error.code());
        assert_eq!(code.as_deref(), Some("42501"), "{statement}");
    }
}
