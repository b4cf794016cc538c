//! What each layer of a push costs: one more at a time, in turns, by one writer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nonrecours_contracts::followup::Record as Wire;
use nonrecours_followup::{
    beneficiary::{self, domain::Beneficiary},
    indicator::rollup::Keeper,
    local_aid::domain::Rights,
    push::{
        batch::{Job, Rules},
        ground::Ground,
        kind::{Kind, Traces},
        plan::Plan,
        read::Batch,
        turn::Turn,
    },
    record::Record,
};
use nonrecours_kernel::{Caller, Clock as _, Role, Scope, SystemClock, paris_date};
use nonrecours_pg::{Db, DbOptions, Entry};
use uuid::Uuid;

use crate::{
    report::{decimal, each, median},
    rows::Rows,
    stage::Stage,
    streams::push,
};

/// How far a batch goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Stored,
    Validated,
    Announced,
    Counted,
}

/// Prints what a row costs, layer by layer.
pub async fn peel(stage: &Stage, rounds: usize, count: usize) {
    stage.run("CREATE TABLE bare (LIKE beneficiary)").await;
    let owner = Db::connect(
        &DbOptions::new(&*stage.urls.owner_url),
        Arc::new(SystemClock),
    )
    .await
    .unwrap();
    let layers: [&str; 11] = [
        "reading and weighing alone, in memory",
        "UNNEST into a table without constraint or index",
        "+ its constraints and indexes",
        "+ isolation: the application's role under row-level security",
        "+ validation against what is stored",
        "+ change feed",
        "+ roll-ups",
        "the whole batch, in process",
        "+ encryption of identities",
        "the whole over gRPC",
        "the whole over gRPC, with identities",
    ];
    let mut times = vec![Vec::new(); layers.len()];
    for round in 0..=rounds {
        for (layer, times) in times.iter_mut().enumerate() {
            stage.clear().await;
            stage.run("TRUNCATE bare").await;
            stage.settle().await;
            let time = measured(stage, &owner, layer, Rows::new(0, count)).await;
            if round > 0 {
                times.push(time);
            }
        }
    }
    println!("\n| layer | µs a row | more |\n|---|---|---|");
    let mut before = 0;
    for (layer, (name, times)) in layers.iter().zip(times).enumerate() {
        let cost = each(count, median(times));
        let more = match layer {
            2..=6 | 8 => decimal(cost.saturating_sub(before)),
            _ => String::new(),
        };
        println!("| {name} | {} | {more} |", decimal(cost));
        before = cost;
    }
    stage.run("DROP TABLE bare").await;
    owner.close().await;
}

async fn measured(stage: &Stage, owner: &Db, layer: usize, rows: Rows) -> Duration {
    let rows = match layer {
        8 | 10 => rows.identified(),
        _ => rows,
    };
    if layer > 8 {
        let (client, messages) = (stage.pushes(), rows.messages(&stage.convention));
        let started = Instant::now();
        assert_eq!(push(client, messages).await, rows.count);
        return started.elapsed();
    }
    let batches = rows.batches();
    let plans: Vec<Vec<Record<Beneficiary>>> = batches
        .iter()
        .map(|batch| planned(stage, batch).inserts)
        .collect();
    let scope = operators_scope(stage);
    let started = Instant::now();
    for (records, inserts) in batches.iter().zip(&plans) {
        match layer {
            0 => assert_eq!(planned(stage, records).inserts.len(), records.len()),
            1 => bare(stage, inserts).await,
            2 => deep(stage, owner, &scope, records, inserts, Depth::Stored).await,
            3 => deep(stage, &stage.db, &scope, records, inserts, Depth::Stored).await,
            4 => deep(stage, &stage.db, &scope, records, inserts, Depth::Validated).await,
            5 => deep(stage, &stage.db, &scope, records, inserts, Depth::Announced).await,
            6 => deep(stage, &stage.db, &scope, records, inserts, Depth::Counted).await,
            _ => {
                let ring = stage.vault.ring();
                let job = Job {
                    db: &stage.db,
                    ids: &stage.ids,
                    ring: &ring,
                    scope: &scope,
                    convention: &stage.convention,
                    rules: Rules::default(),
                    records,
                    sequence: 0,
                    mark: None,
                    traces: &Traces::new(),
                };
                let stored = job.store(&Turn::alone()).await;
                let answer = stored.map_err(nonrecours_rpc::Failure::from).unwrap();
                let results = answer.results;
                assert_eq!(results.len(), records.len());
            }
        }
    }
    started.elapsed()
}

fn planned(stage: &Stage, records: &[Wire]) -> Plan<Beneficiary> {
    let now = SystemClock.now();
    let batch = Batch::read(records, &Rights::default(), paris_date(now));
    Plan::make(
        &stage.convention,
        now,
        &stage.ids,
        None,
        batch.beneficiaries,
    )
}

fn operators_scope(stage: &Stage) -> Scope {
    let operator = stage.convention.operator;
    let caller = Caller::new("bench", "Bench", [Role::OperatorAgent], Some(operator)).unwrap();
    caller.reach(operator).unwrap()
}

async fn bare(stage: &Stage, records: &[Record<Beneficiary>]) {
    let ids: Vec<Uuid> = records.iter().map(|record| record.id.uuid()).collect();
    let texts = |of: fn(&Record<Beneficiary>) -> String| records.iter().map(of).collect::<Vec<_>>();
    let dates: Vec<_> = records
        .iter()
        .map(|record| record.content.spotted_date)
        .collect();
    sqlx::query(
        "INSERT INTO bare (operator_id, convention_id, beneficiary_id, external_reference, publics, commune_code, state,
                           spotted_date, version, revision, create_time, update_time)
         SELECT $1, $2, id, reference, string_to_array(publics, ','), commune, state, spotted, 1, 1, $3, $3
         FROM UNNEST($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::date[])
              AS new (id, reference, publics, commune, state, spotted)",
    )
    .bind(stage.convention.operator.uuid())
    .bind(stage.convention.convention.uuid())
    .bind(SystemClock.now())
    .bind(ids)
    .bind(texts(|record| record.reference.to_string()))
    .bind(texts(|record| record.content.publics.joined()))
    .bind(texts(|record| record.content.commune.to_string()))
    .bind(texts(|record| record.content.journey.state().code().to_owned()))
    .bind(dates)
    .execute(&stage.owner)
    .await
    .unwrap();
}

/// One batch of new persons as far as a depth; `inserts` are used when nothing is read.
async fn deep(
    stage: &Stage,
    db: &Db,
    scope: &Scope,
    records: &[Wire],
    inserts: &[Record<Beneficiary>],
    depth: Depth,
) {
    let under = &stage.convention;
    let mut tx = db.begin(scope).await.unwrap();
    if depth == Depth::Stored {
        beneficiary::store::write(&mut tx, under, inserts)
            .await
            .unwrap();
        return tx.commit().await.unwrap();
    }
    let ground = Ground::hold(&mut tx, under).await.unwrap();
    assert_eq!(ground.in_force, Some(true));
    let batch = Batch::read(records, &Rights::default(), paris_date(tx.now()));
    let references: Vec<&str> = batch
        .beneficiaries
        .iter()
        .map(|candidate| candidate.reference.as_ref().unwrap().as_str())
        .collect();
    let stored = beneficiary::store::find(&mut tx, under.operator, &references)
        .await
        .unwrap();
    let plan = Plan::make(under, tx.now(), &stage.ids, stored, batch.beneficiaries);
    let mut figures = Keeper::new(under.operator);
    if depth >= Depth::Counted {
        figures.beneficiaries(&mut tx, &plan).await.unwrap();
    }
    beneficiary::store::write(&mut tx, under, &plan.inserts)
        .await
        .unwrap();
    if depth >= Depth::Announced {
        let changes: Vec<Entry> = plan.inserts.iter().map(Beneficiary::entry).collect();
        tx.record_all(&changes).await.unwrap();
    }
    if depth >= Depth::Counted {
        figures.settle(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}
