//! Identities: who reads them, what is left of them in the database, and how keys change.

use std::{collections::BTreeSet, sync::Arc};

use nonrecours_contracts::{
    feed::{PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient},
    followup::{
        BeneficiaryIdentity, GetBeneficiaryIdentityRequest, Identity, Record, RecordOutcome,
        beneficiary_identity_service_client::BeneficiaryIdentityServiceClient, record::Content,
    },
};
use nonrecours_followup::{
    identity::rotation::{Rotated, Rotation, rotate},
    vault::KeyRing,
};
use nonrecours_rpc::audit::Audit;
use prost::Message as _;
use sqlx::AssertSqlSafe;
use tonic::{Code, Status};

use crate::support::*;

use RecordOutcome::{Rejected, Stale, Stored, Unchanged};

async fn ask(
    suite: &Suite,
    token: String,
    beneficiary: &str,
) -> Result<BeneficiaryIdentity, Status> {
    let mut client = BeneficiaryIdentityServiceClient::new(suite.serving.channel(token));
    let name = format!("{beneficiary}/identity");
    let request = GetBeneficiaryIdentityRequest { name };
    Ok(client.get_beneficiary_identity(request).await?.into_inner())
}

async fn read(suite: &Suite, beneficiary: &str) -> Result<BeneficiaryIdentity, Status> {
    let token = suite.tokens.agent(suite.convention.operator);
    ask(suite, token, beneficiary).await
}

/// The identity in a record.
fn sent(record: &Record) -> Identity {
    match &record.content {
        Some(Content::Beneficiary(content)) => content.identity.clone().unwrap(),
        _ => panic!("a person with an identity"),
    }
}

/// Pushes one record; what became of it, and its name.
async fn push(suite: &Suite, record: Record) -> (RecordOutcome, String) {
    let answer = suite.push(vec![record]).await;
    (outcomes(&answer)[0], answer.results[0].name.clone())
}

async fn count(suite: &Suite, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(count))
        .fetch_one(&suite.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_identity_is_read_by_its_operator_alone() {
    let suite = Suite::start().await;
    let record = known("B1", |_| {});
    let (outcome, name) = push(&suite, record.clone()).await;
    assert_eq!(outcome, Stored);
    let operator = suite.convention.operator;
    for token in [suite.tokens.agent(operator), suite.tokens.manager(operator)] {
        let held = ask(&suite, token, &name).await.unwrap();
        assert_eq!(held.identity, Some(sent(&record)));
        assert_eq!(held.name, format!("{name}/identity"));
        assert_eq!((held.revision, held.etag.is_empty()), (1, false));
        assert_eq!(held.create_time, held.update_time);
    }
    for token in [
        suite.tokens.agent(self::operator(2)),
        suite.tokens.manager(self::operator(2)),
    ] {
        let status = ask(&suite, token, &name).await.unwrap_err();
        let expected = (Code::PermissionDenied, "OUT_OF_REACH".to_owned());
        assert_eq!(refusal(&status), expected);
    }
    for token in [
        suite.tokens.officer(),
        suite.tokens.authorising_officer(),
        suite.tokens.accountant(),
        suite.tokens.auditor(),
        suite.tokens.peer("conventions"),
    ] {
        let status = ask(&suite, token, &name).await.unwrap_err();
        let expected = (Code::PermissionDenied, "ROLE_MISSING".to_owned());
        assert_eq!(refusal(&status), expected);
    }
    let (_, unknown) = push(&suite, person("B2")).await;
    let status = read(&suite, &unknown).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn an_identity_changes_with_its_record_and_only_then() {
    let suite = Suite::start().await;
    let at = |version, change: fn(&mut Identity)| self::version(version, known("B1", change));
    let (outcome, name) = push(&suite, at(5, |_| {})).await;
    assert_eq!(outcome, Stored);
    let changes = suite.changes().await;
    // The same again, in another spelling of the same.
    assert_eq!(push(&suite, at(5, |_| {})).await.0, Unchanged);
    let trimmed = at(5, |i| i.usual_name = " Quillacq ".into());
    assert_eq!(push(&suite, trimmed).await.0, Unchanged);
    // Not told: what is held stays.
    assert_eq!(push(&suite, version(5, person("B1"))).await.0, Unchanged);
    assert_eq!(suite.changes().await, changes);
    assert_eq!(read(&suite, &name).await.unwrap().revision, 1);

    // Another telephone, nothing else.
    suite.clock.advance(time::Duration::hours(1));
    let moved = at(5, |i| i.phone = "+33 6 39 98 56 78".into());
    assert_eq!(push(&suite, moved.clone()).await.0, Stored);
    let held = read(&suite, &name).await.unwrap();
    assert_eq!((held.identity, held.revision), (Some(sent(&moved)), 2));
    assert!(held.update_time.unwrap().seconds > held.create_time.unwrap().seconds);
    let last = suite.changes().await.pop().unwrap();
    assert_eq!((last.name.as_str(), last.revision), (name.as_str(), 2));
    // The record at a new version with the same identity: the identity has not changed.
    let newer = at(6, |i| i.phone = "+33 6 39 98 56 78".into());
    assert_eq!(push(&suite, newer).await.0, Stored);
    assert_eq!(read(&suite, &name).await.unwrap().revision, 2);

    // Late or wrong: nothing is written.
    assert_eq!(push(&suite, at(4, |i| i.phone.clear())).await.0, Stale);
    let wrong = at(7, |i| i.email = "@".into());
    assert_eq!(push(&suite, wrong).await.0, Rejected);
    assert_eq!(read(&suite, &name).await.unwrap().revision, 2);
}

#[tokio::test]
async fn an_empty_identity_erases_what_is_held() {
    let suite = Suite::start().await;
    let (_, name) = push(&suite, known("B1", |_| {})).await;
    let (_, other) = push(&suite, known("B2", |_| {})).await;
    let empty = || known("B1", |identity| *identity = Identity::default());
    assert_eq!(push(&suite, empty()).await.0, Stored);
    let status = read(&suite, &name).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    for table in ["identity", "person_key", "pseudonym"] {
        assert_eq!(count(&suite, table).await, 1, "{table}: that of the other");
    }
    assert_eq!(push(&suite, empty()).await.0, Unchanged);
    assert!(read(&suite, &other).await.is_ok());
    // Known again, under a new key.
    assert_eq!(push(&suite, known("B1", |_| {})).await.0, Stored);
    assert_eq!(read(&suite, &name).await.unwrap().revision, 1);
}

#[tokio::test]
async fn without_its_key_a_person_is_gone() {
    let suite = Suite::start().await;
    let (_, name) = push(&suite, known("B1", |_| {})).await;
    sqlx::query("DELETE FROM person_key")
        .execute(&suite.owner)
        .await
        .unwrap();
    let status = read(&suite, &name).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
    // The operator still knows the person, and says so.
    assert_eq!(push(&suite, known("B1", |_| {})).await.0, Stored);
    assert!(read(&suite, &name).await.is_ok());
}

#[tokio::test]
async fn what_is_sealed_opens_in_its_own_row_only() {
    let suite = Suite::start().await;
    let (_, name) = push(&suite, known("B1", |_| {})).await;
    let (_, other) = push(&suite, known("B2", |i| i.birth_name = "Autre".into())).await;
    let swap = "UPDATE identity AS one SET sealed = other.sealed FROM identity AS other
                WHERE one.beneficiary_id <> other.beneficiary_id";
    sqlx::query(swap).execute(&suite.owner).await.unwrap();
    let swap = "UPDATE person_key AS one SET wrapped = other.wrapped FROM person_key AS other
                WHERE one.beneficiary_id <> other.beneficiary_id";
    for _ in 0..2 {
        for name in [&name, &other] {
            let status = read(&suite, name).await.unwrap_err();
            assert_eq!(status.code(), Code::Internal);
        }
        // Then with the keys swapped too: somebody who moves whole persons around.
        sqlx::query(swap).execute(&suite.owner).await.unwrap();
    }
}

/// Everything that the database holds, as an administrator would print it.
async fn dump(suite: &Suite) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&suite.owner)
            .await
            .unwrap();
    assert!(tables.iter().any(|table| table == "outbox"));
    let mut dump = String::new();
    for table in tables {
        let rows = format!("SELECT t::text FROM \"{table}\" AS t");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows))
            .fetch_all(&suite.owner)
            .await
            .unwrap();
        dump.push_str(&rows.join("\n"));
    }
    dump
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn nothing_of_an_identity_stands_in_the_database_or_on_the_feed() {
    let suite = Suite::start().await;
    let record = known("B1", |_| {});
    push(&suite, record.clone()).await;
    push(&suite, note("N1", "B1", "Mme Quillacq revient lundi.")).await;
    let identity = sent(&record);
    let dump = dump(&suite).await.to_lowercase();
    // The dump shows what is there, also in bytes.
    assert!(dump.contains("62263") && dump.contains(&hex("62263")));
    for planted in [
        "Lefèvre",
        "Planté",
        "Zoé",
        "Ernestine",
        "Quillacq",
        "1980",
        "Bapaume",
        "39 98 12",
        "zoe.quillacq",
        "Trois",
        "lundi",
    ] {
        let planted = planted.to_lowercase();
        assert!(!dump.contains(&planted), "{planted}");
        assert!(!dump.contains(&hex(&planted)), "{planted} in bytes");
    }
    let birth_date = identity.birth_date.unwrap().encode_to_vec();
    let birth_date: String = birth_date
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(!dump.contains(&birth_date), "the birth date in bytes");

    let mut feed = ChangeFeedServiceClient::new(suite.agent());
    let request = PullChangesRequest {
        wait: Some(prost_types::Duration {
            seconds: 20,
            nanos: 0,
        }),
        ..PullChangesRequest::default()
    };
    let page = feed.pull_changes(request).await.unwrap().into_inner();
    assert_eq!(page.changes.len(), 2);
    let bytes = page.encode_to_vec();
    let note = "lundi".to_owned();
    for text in [
        identity.birth_name,
        identity.first_names,
        identity.email,
        note,
    ] {
        let text = text.as_bytes();
        assert!(!bytes.windows(text.len()).any(|window| window == text));
    }
}

#[tokio::test]
async fn the_database_keeps_identities_apart_by_operator() {
    let suite = Suite::start().await;
    push(&suite, known("B1", |_| {})).await;
    let app = suite.database.app().await;
    for (scope, visible) in [
        (suite.convention.operator.to_string(), 1_i64),
        ("*".to_owned(), 1),
        (operator(2).to_string(), 0),
    ] {
        for table in ["identity", "person_key", "pseudonym"] {
            let mut tx = app.begin().await.unwrap();
            sqlx::query("SELECT set_config('nonrecours.operator', $1, true)")
                .bind(&scope)
                .execute(&mut *tx)
                .await
                .unwrap();
            let count = format!("SELECT count(*) FROM {table}");
            let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            assert_eq!(count, visible, "{table} as {scope}");
        }
    }
}

fn keys(identity: &[u8], pseudonym: &[u8]) -> KeyRing {
    KeyRing::parse(&ring(identity, pseudonym)).unwrap()
}

/// Distinct persons of the whole programme, counted under one key; whoever has no pseudonym counts.
async fn distinct(suite: &Suite, key_id: &str) -> i64 {
    sqlx::query_scalar(
        "SELECT count(DISTINCT coalesce(encode(p.pseudonym, 'hex'), b.beneficiary_id::text))
         FROM beneficiary AS b LEFT JOIN pseudonym AS p
              ON p.operator_id = b.operator_id AND p.beneficiary_id = b.beneficiary_id AND p.key_id = $1",
    )
    .bind(key_id)
    .fetch_one(&suite.owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn keys_change_while_the_service_serves() {
    let suite = Suite::start().await;
    let mut names = BTreeSet::new();
    for reference in ["B1", "B2", "B3"] {
        names.insert(push(&suite, known(reference, |_| {})).await.1);
    }
    // A second key is known everywhere before it wraps: nothing changes.
    std::fs::write(&suite.keys_file, ring(&[1, 2], &[1])).unwrap();
    suite.vault.reload();
    assert_eq!(
        rotate(&suite.db, &suite.vault.ring()).await.unwrap(),
        Rotated::default()
    );
    // Then it wraps, from the first push on; the others follow.
    std::fs::write(&suite.keys_file, ring(&[2, 1], &[1])).unwrap();
    suite.vault.reload();
    let rotated = rotate(&suite.db, &suite.vault.ring()).await.unwrap();
    assert_eq!(
        (rotated.rewrapped, rotated.pseudonymised, rotated.retired),
        (3, 0, 0)
    );
    let again = rotate(&suite.db, &suite.vault.ring()).await.unwrap();
    assert_eq!(again, Rotated::default());
    let wrapped: Vec<String> = sqlx::query_scalar("SELECT DISTINCT key_id FROM person_key")
        .fetch_all(&suite.owner)
        .await
        .unwrap();
    assert_eq!(wrapped, ["k2"]);
    // A service that has not read the new ring says that it is not ready for it, and loses nothing.
    for name in &names {
        let status = read(&suite, name).await.unwrap_err();
        assert_eq!(
            refusal(&status),
            (Code::Unavailable, "UNAVAILABLE".to_owned())
        );
    }
    let status = suite
        .push_under(&suite.convention, vec![vec![known("B1", |_| {})]])
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&status),
        (Code::Unavailable, "UNAVAILABLE".to_owned())
    );
    // A ring that cannot be read is passed over.
    std::fs::write(&suite.keys_file, "{").unwrap();
    suite.vault.reload();
    assert_eq!(suite.vault.ring().wraps_with(), "k2");
    // Retiring the first key: started again with the second alone, the service reads everything.
    let suite = suite.restarted(&ring(&[2], &[1])).await;
    for name in &names {
        assert_eq!(read(&suite, name).await.unwrap().revision, 1);
    }
    assert_eq!(push(&suite, known("B1", |_| {})).await.0, Unchanged);
}

#[tokio::test]
async fn a_rotation_comes_back_to_what_was_held_or_sealed_meanwhile() {
    let suite = Suite::start().await;
    for reference in ["B1", "B2", "B3"] {
        push(&suite, known(reference, |_| {})).await;
    }
    let both = keys(&[2, 1], &[1, 2]);
    let mut held = suite.owner.begin().await.unwrap();
    let hold = "SELECT 1 FROM person_key JOIN identity USING (operator_id, beneficiary_id) LIMIT 1 FOR UPDATE";
    sqlx::query(hold).execute(&mut *held).await.unwrap();
    let rotated = rotate(&suite.db, &both).await.unwrap();
    assert_eq!((rotated.rewrapped, rotated.pseudonymised), (2, 2));
    assert!(rotated.is_behind);
    held.commit().await.unwrap();
    let rotated = rotate(&suite.db, &both).await.unwrap();
    assert_eq!((rotated.rewrapped, rotated.pseudonymised), (1, 1));
    assert!(!rotated.is_behind);

    // An instance that has not read the ring seals under the older key after that: the next look finds it.
    std::fs::write(&suite.keys_file, ring(&[2, 1], &[1, 2])).unwrap();
    suite.vault.reload();
    let audit = Audit::new(Arc::new(suite.clock.clone()));
    let mut rotation = Rotation::new(suite.db.clone(), suite.vault.clone(), audit);
    rotation.catch_up().await;
    push(&suite, known("B4", |_| {})).await;
    let wrapped = async || -> Vec<String> {
        sqlx::query_scalar("SELECT DISTINCT key_id FROM person_key ORDER BY key_id")
            .fetch_all(&suite.owner)
            .await
            .unwrap()
    };
    assert_eq!(wrapped().await, ["k1", "k2"]);
    rotation.catch_up().await;
    assert_eq!(wrapped().await, ["k2"]);
}

#[tokio::test]
async fn other_keys_are_noted_without_the_keys() {
    let suite = Suite::start().await;
    push(&suite, known("B1", |_| {})).await;
    let audit = Audit::new(Arc::new(suite.clock.clone()));
    let mut rotation = Rotation::new(suite.db.clone(), suite.vault.clone(), audit.clone());
    let mut causes = async |keys: Option<&str>| -> Vec<String> {
        if let Some(keys) = keys {
            std::fs::write(&suite.keys_file, keys).unwrap();
        }
        suite.vault.reload();
        rotation.catch_up().await;
        let noted = audit.take().into_iter();
        noted.map(|counted| counted.event.cause).collect()
    };
    // What it starts with is no change, nor is the same file again.
    assert!(causes(None).await.is_empty());
    assert!(causes(None).await.is_empty());
    let announced = causes(Some(&ring(&[1, 2], &[1]))).await;
    let said = "identity k1, identity k2, pseudonym p1; 0 wrapped anew, 0 given a pseudonym, 0 pseudonyms removed";
    assert_eq!(announced, [said]);
    let wrapping = causes(Some(&ring(&[2, 1], &[1, 2]))).await;
    let said = "identity k2, identity k1, pseudonym p1, pseudonym p2; \
                1 wrapped anew, 1 given a pseudonym, 0 pseudonyms removed";
    assert_eq!(wrapping, [said]);

    // A service that finds work to do when it starts tells of it, in the chain that it keeps.
    let suite = suite.restarted(&ring(&[3, 2], &[1])).await;
    let suite = suite.restarted(&ring(&[3, 2], &[1])).await;
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT cause FROM security_event WHERE kind = 'KEY_RING_CHANGED'")
            .fetch_all(&suite.owner)
            .await
            .unwrap();
    let said = "identity k3, identity k2, pseudonym p1; 1 wrapped anew, 0 given a pseudonym, 1 pseudonyms removed";
    assert_eq!(kept, [said]);
}

#[tokio::test]
async fn one_person_of_two_operators_is_one_in_the_programme_whatever_key_is_changed() {
    let suite = Suite::start().await;
    let other = convention_name(2, 1);
    suite.learn(other, 1, true).await;
    push(&suite, known("B1", |_| {})).await;
    push(&suite, person("B2")).await;
    push(&suite, known("B3", |i| i.birth_place = String::new())).await;
    let spelt = known("X9", |i| {
        i.birth_name = "LEFEVRE PLANTE".into();
        i.first_names = "Zoé".into();
        i.usual_name = String::new();
    });
    suite.push_under(&other, vec![vec![spelt]]).await.unwrap();
    // Four records: one person twice, one without identity, one whose birth place is not known.
    assert_eq!(distinct(&suite, "p1").await, 3);
    assert_eq!(count(&suite, "pseudonym").await, 2);

    // A second key: counted under the first until it is taken out of the ring, under the second from then on.
    let both = keys(&[1], &[2, 1]);
    assert_eq!(both.counts_with(), "p1");
    let rotated = rotate(&suite.db, &both).await.unwrap();
    assert_eq!((rotated.pseudonymised, rotated.retired), (2, 0));
    for key in ["p1", "p2"] {
        assert_eq!(distinct(&suite, key).await, 3, "{key}");
    }
    let second = keys(&[1], &[2]);
    assert_eq!(second.counts_with(), "p2");
    let rotated = rotate(&suite.db, &second).await.unwrap();
    assert_eq!((rotated.pseudonymised, rotated.retired), (0, 2));
    assert_eq!(distinct(&suite, "p2").await, 3);
    assert_eq!(
        rotate(&suite.db, &second).await.unwrap(),
        Rotated::default()
    );
    // Even in one leap, nobody is lost.
    let third = keys(&[1], &[3]);
    let rotated = rotate(&suite.db, &third).await.unwrap();
    assert_eq!((rotated.pseudonymised, rotated.retired), (2, 2));
    assert_eq!(distinct(&suite, "p3").await, 3);
}

#[tokio::test]
async fn a_corrected_identity_is_another_person() {
    let suite = Suite::start().await;
    push(&suite, known("B1", |_| {})).await;
    push(&suite, known("B2", |_| {})).await;
    assert_eq!(distinct(&suite, "p1").await, 1);
    push(&suite, known("B2", |i| i.birth_date = date(1981, 1, 31))).await;
    assert_eq!(distinct(&suite, "p1").await, 2);
    push(&suite, known("B2", |i| i.birth_date = None)).await;
    assert_eq!(distinct(&suite, "p1").await, 2);
    assert_eq!(count(&suite, "pseudonym").await, 1);
    push(&suite, known("B2", |_| {})).await;
    assert_eq!(distinct(&suite, "p1").await, 1);
}

#[tokio::test]
async fn batches_of_many_persons_are_rotated_batch_by_batch() {
    let suite = Suite::start().await;
    let persons = 1_001;
    let records: Vec<Record> = (0..persons)
        .map(|number| {
            known(&format!("B{number}"), |i| {
                i.birth_name = format!("Nom {number}")
            })
        })
        .collect();
    let batches = records.chunks(1_000).map(<[Record]>::to_vec).collect();
    suite.push_under(&suite.convention, batches).await.unwrap();
    let rotated = rotate(&suite.db, &keys(&[2, 1], &[2, 1])).await.unwrap();
    assert_eq!(
        (rotated.rewrapped, rotated.pseudonymised),
        (persons, persons)
    );
}
