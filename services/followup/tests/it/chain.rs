//! The chain of the journal: no entry changes, goes or comes unseen, and it goes on when the first ones are purged.

use std::process::Command;

use nonrecours_contracts::followup::{
    GetBeneficiaryRequest, beneficiary_service_client::BeneficiaryServiceClient,
};
use nonrecours_followup::{
    SERVICE,
    journal::{
        chain::Anchor,
        keep,
        verify::{Fault, Report, verify},
    },
};
use nonrecours_kernel::Scope;
use nonrecours_pg::Db;

use crate::support::*;

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

/// `verify-journal` on the suite's database: whether it succeeds, and what it says.
fn verify_journal(database_url: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_nonrecours-followup"))
        .arg("verify-journal")
        .args(arguments)
        .env_clear()
        .env("FOLLOWUP_DATABASE_URL", database_url)
        .output()
        .unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn the_command_succeeds_on_an_intact_chain_and_names_the_fault_of_another() {
    let (suite, report) = sealed().await;
    let url = suite.database.app_url();
    let head = report.head.to_string();
    let intact = verify_journal(url, &["--anchor", &head]);
    let said = format!(
        "Journal des accès intact : 5 entrées scellées vérifiées, 0 en attente de scellement.\n\
         Dernier repère vérifié, à conserver ailleurs : {head}\n"
    );
    assert_eq!(intact, (Some(0), said));

    // The anchor of another chain, be this one intact in itself.
    let (_, digest) = head.split_once(':').unwrap();
    let other = format!("4:{digest}");
    let (code, said) = verify_journal(url, &["--anchor", &other]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("JOURNAL ALTÉRÉ : "), "{said}");

    let alter = format!("UPDATE access_entry SET actor = 'someone else' WHERE {THIRD}");
    execute(&suite.owner, &alter).await;
    let (code, said) = verify_journal(url, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("JOURNAL ALTÉRÉ : l'entrée 3 "), "{said}");

    let nowhere = url.replacen("@", "@nowhere.invalid:1/", 1);
    let (code, said) = verify_journal(&nowhere, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("le journal n'a pas pu être lu"), "{said}");
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
