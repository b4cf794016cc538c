//! The first push of a territory falls into the minute before PostgreSQL knows anything of its tables: what it reads then
//! grows with what is pushed, and not with its square (ADR 0032).

use nonrecours_contracts::followup::{
    PushRecordsOnceRequest, Record, push_service_client::PushServiceClient,
};

use crate::support::*;

/// Batches of a push, each of so many persons, with a right and a step of each.
const BATCHES: usize = 6;
const PERSONS: usize = 200;
/// Rows that may be read by an index for each person, over all pushes: keys, and what a person counts for.
const READS: i64 = 150;

#[derive(Clone, Copy)]
enum Way {
    Stream,
    Unary,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_into_empty_tables_reads_rows_by_their_keys() {
    reads_by_key(Way::Stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unary_pushes_into_empty_tables_read_rows_by_their_keys() {
    reads_by_key(Way::Unary).await;
}

async fn reads_by_key(way: Way) {
    let suite = Suite::start().await;
    // Nobody analyses them meanwhile: a plan that was made for empty tables is kept.
    for table in ["beneficiary", "entitlement", "step"] {
        let statement = format!("ALTER TABLE {table} SET (autovacuum_enabled = false)");
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&suite.owner);
        done.await.unwrap();
    }
    // New, the same again, and changed.
    for version in [1, 1, 2] {
        let batches: Vec<Vec<Record>> = (0..BATCHES).map(|batch| records(batch, version)).collect();
        match way {
            Way::Stream => {
                let answers = suite.push_under(&suite.convention, batches).await.unwrap();
                assert!(answers.iter().all(|answer| answer.rejected == 0));
            }
            Way::Unary => {
                let mut client = PushServiceClient::new(suite.agent());
                for records in batches {
                    let request = PushRecordsOnceRequest {
                        convention: suite.convention.to_string(),
                        records,
                        ..PushRecordsOnceRequest::default()
                    };
                    let answer = client.push_records_once(request).await.unwrap();
                    assert_eq!(answer.into_inner().rejected, 0);
                }
            }
        }
    }
    // A session tells what it has read when it ends.
    suite.serving.stop().await;
    let pushed = i64::try_from(BATCHES * PERSONS).unwrap();
    let read = loop {
        let (written, read): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT sum(n_tup_ins) FROM pg_stat_user_tables
                     WHERE relname IN ('beneficiary', 'entitlement', 'step'))::bigint,
                    (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes
                     WHERE relname IN ('beneficiary', 'entitlement', 'step'))::bigint
             FROM pg_stat_clear_snapshot()",
        )
        .fetch_one(&suite.owner)
        .await
        .unwrap();
        if written >= 3 * pushed {
            break read;
        }
        tokio::task::yield_now().await;
    };
    let by_index: Vec<(String, i64)> = sqlx::query_as(
        "SELECT indexrelname::text, idx_tup_read FROM pg_stat_user_indexes WHERE idx_tup_read > 0 ORDER BY 2 DESC",
    )
    .fetch_all(&suite.owner)
    .await
    .unwrap();
    assert!(
        read <= READS * pushed,
        "{read} for {pushed} persons: {by_index:?}"
    );
}

fn records(batch: usize, version: i64) -> Vec<Record> {
    let of = |number: usize| {
        let (person_reference, right_reference) = (format!("P{number}"), format!("R{number}"));
        let step = step_with(&format!("S{number}"), &person_reference, |step| {
            step.entitlement_reference.clone_from(&right_reference);
        });
        let own = [
            person(&person_reference),
            right(&right_reference, &person_reference),
            step,
        ];
        own.map(|record| Record { version, ..record })
    };
    (batch * PERSONS..(batch + 1) * PERSONS)
        .flat_map(of)
        .collect()
}
