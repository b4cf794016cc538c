//! What each layer of a push costs: one more at a time, in turns, by one writer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nonrecours_contracts::followup::{PushRecordsOnceRequest, Record as Wire};
use nonrecours_followup::{
    beneficiary::{self, domain::Beneficiary},
    indicator::rollup::Keeper,
    journal,
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
    rows::{BATCH, Rows},
    stage::Stage,
    streams::push,
};

/// So many rows in batches to one by itself: a commit each takes its time.
const SINGLY: usize = 30;

/// What is added to a push, step by step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Weighed,
    Bare,
    Stored,
    Isolated,
    Validated,
    Announced,
    Counted,
    Journalled,
    Identified,
    Served,
    ServedIdentified,
}

impl Layer {
    const ALL: [(Self, &str); 11] = [
        (Self::Weighed, "reading and weighing alone, in memory"),
        (
            Self::Bare,
            "UNNEST into a table without constraint or index",
        ),
        (Self::Stored, "+ its constraints and indexes"),
        (
            Self::Isolated,
            "+ isolation: the application's role under row-level security",
        ),
        (Self::Validated, "+ validation against what is stored"),
        (Self::Announced, "+ change feed"),
        (Self::Counted, "+ roll-ups"),
        (
            Self::Journalled,
            "+ journal of accesses: the whole, in process",
        ),
        (Self::Identified, "+ encryption of identities"),
        (Self::Served, "the whole over gRPC"),
        (
            Self::ServedIdentified,
            "the whole over gRPC, with identities",
        ),
    ];

    /// Whether it is the one before and something more.
    fn adds(self) -> bool {
        (Self::Stored..=Self::Identified).contains(&self)
    }
}

/// Prints what a row costs, layer by layer: in batches as streams bring them, then each record by itself, in a transaction and
/// a call of its own.
pub async fn peel(stage: &Stage, rounds: usize, rows: usize) {
    stage.run("CREATE TABLE bare (LIKE beneficiary)").await;
    let owner = Db::connect(
        &DbOptions::new(&*stage.urls.owner_url),
        Arc::new(SystemClock),
    )
    .await
    .unwrap();
    let singly = rows.div_ceil(SINGLY);
    for (together, count, what) in [
        (BATCH, rows, "in batches of 1 000"),
        (1, singly, "one record a call, one call at a time"),
    ] {
        let bench = Peeling {
            stage,
            owner: &owner,
            together,
        };
        bench.print(rounds, count, what).await;
    }
    stage.run("DROP TABLE bare").await;
    owner.close().await;
}

/// Layers of batches of one size.
struct Peeling<'a> {
    stage: &'a Stage,
    owner: &'a Db,
    together: usize,
}

impl Peeling<'_> {
    async fn print(&self, rounds: usize, count: usize, what: &str) {
        let mut times = vec![Vec::new(); Layer::ALL.len()];
        for round in 0..=rounds {
            for ((layer, _), times) in Layer::ALL.into_iter().zip(&mut times) {
                self.stage.clear().await;
                self.stage.run("TRUNCATE bare").await;
                self.stage.settle().await;
                let time = self.measured(layer, Rows::new(0, count)).await;
                if round > 0 {
                    times.push(time);
                }
            }
        }
        println!("\n| layer, {what} | µs a row | more |\n|---|---|---|");
        let mut before = 0;
        for ((layer, name), times) in Layer::ALL.into_iter().zip(times) {
            let cost = each(count, median(times));
            let more = if layer.adds() {
                decimal(cost.saturating_sub(before))
            } else {
                String::new()
            };
            println!("| {name} | {} | {more} |", decimal(cost));
            before = cost;
        }
    }

    async fn measured(&self, layer: Layer, rows: Rows) -> Duration {
        let stage = self.stage;
        let rows = match layer {
            Layer::Identified | Layer::ServedIdentified => rows.identified(),
            _ => rows,
        };
        if layer >= Layer::Served {
            return self.served(rows).await;
        }
        let batches = rows.batches(self.together);
        let plans: Vec<Vec<Record<Beneficiary>>> = batches
            .iter()
            .map(|batch| planned(stage, batch).inserts)
            .collect();
        let scope = operators_scope(stage);
        let journalled = stage.db.clone().witnessed_by(journal::witness);
        let started = Instant::now();
        for (records, inserts) in batches.iter().zip(&plans) {
            match layer {
                Layer::Weighed => {
                    assert_eq!(planned(stage, records).inserts.len(), records.len());
                }
                Layer::Bare => bare(stage, inserts).await,
                Layer::Stored => deep(stage, self.owner, &scope, records, inserts, layer).await,
                Layer::Isolated | Layer::Validated | Layer::Announced | Layer::Counted => {
                    deep(stage, &stage.db, &scope, records, inserts, layer).await;
                }
                _ => whole(stage, &journalled, &scope, records).await,
            }
        }
        started.elapsed()
    }

    /// Over gRPC: as one stream, or by a call a record.
    async fn served(&self, rows: Rows) -> Duration {
        let stage = self.stage;
        if self.together > 1 {
            let (client, messages) = (stage.pushes(), rows.messages(&stage.convention));
            let started = Instant::now();
            assert_eq!(push(client, messages).await, rows.count);
            return started.elapsed();
        }
        let mut client = stage.pushes();
        let calls: Vec<PushRecordsOnceRequest> = rows
            .batches(1)
            .into_iter()
            .map(|records| PushRecordsOnceRequest {
                convention: stage.convention.to_string(),
                records,
                ..PushRecordsOnceRequest::default()
            })
            .collect();
        let started = Instant::now();
        for call in calls {
            let answer = client.push_records_once(call).await.unwrap();
            assert_eq!(answer.into_inner().stored, 1);
        }
        started.elapsed()
    }
}

/// A batch as the service stores it.
async fn whole(stage: &Stage, db: &Db, scope: &Scope, records: &[Wire]) {
    let ring = stage.vault.ring();
    let job = Job {
        db,
        ids: &stage.ids,
        ring: &ring,
        scope,
        convention: &stage.convention,
        rules: Rules::default(),
        records,
        sequence: 0,
        mark: None,
        traces: &Traces::new(),
    };
    let stored = job.store(&Turn::alone()).await;
    let answer = stored.map_err(nonrecours_rpc::Failure::from).unwrap();
    assert_eq!(answer.results.len(), records.len());
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

/// One batch of new persons as far as a layer; `inserts` are used when nothing is read.
async fn deep(
    stage: &Stage,
    db: &Db,
    scope: &Scope,
    records: &[Wire],
    inserts: &[Record<Beneficiary>],
    layer: Layer,
) {
    let under = &stage.convention;
    let mut tx = db.begin(scope).await.unwrap();
    if layer <= Layer::Isolated {
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
    if layer >= Layer::Counted {
        figures.beneficiaries(&mut tx, &plan).await.unwrap();
    }
    beneficiary::store::write(&mut tx, under, &plan.inserts)
        .await
        .unwrap();
    if layer >= Layer::Announced {
        let changes: Vec<Entry> = plan.inserts.iter().map(Beneficiary::entry).collect();
        tx.record_all(&changes).await.unwrap();
    }
    if layer >= Layer::Counted {
        figures.settle(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}
