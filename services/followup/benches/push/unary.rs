//! Unary calls against pgbench, in turns.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use nonrecours_contracts::followup::{
    ListBeneficiariesRequest, PushRecordsOnceRequest,
    beneficiary_service_client::BeneficiaryServiceClient,
};
use nonrecours_kernel::OperatorName;

use crate::{
    pgbench::{self, Run, calls},
    report::{Report, decimal, median, ratio},
    rows::Rows,
    stage::Stage,
    streams::push,
};

/// Calls in flight, and the goal of each in hundredths of what pgbench does.
const IN_FLIGHT: [(usize, u128); 3] = [(1, 60), (8, 75), (32, 100)];
/// Goal for the slow ones, in hundredths of those of pgbench.
const P99: u128 = 200;
/// Calls for a page in flight, and clients of pgbench.
const READERS: usize = 8;
/// Records among which pages are read.
const LISTED: usize = 20_000;

/// One-row creates against a one-row upsert into the same table.
pub async fn creates(stage: &Stage, report: &mut Report, rounds: usize, seconds: u64) {
    let numbers = Arc::new(AtomicUsize::new(0));
    for (in_flight, goal) in IN_FLIGHT {
        let mut runs = Vec::new();
        for round in 0..=rounds {
            stage.clear().await;
            let ours = calls(in_flight, seconds, || {
                let (client, numbers) = (stage.pushes(), Arc::clone(&numbers));
                let convention = stage.convention.to_string();
                move || {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    let request = PushRecordsOnceRequest {
                        convention: convention.clone(),
                        records: vec![Rows::new(9, 1).record(number)],
                        ..PushRecordsOnceRequest::default()
                    };
                    let mut client = client.clone();
                    async move {
                        let answer = client.push_records_once(request).await.unwrap();
                        assert_eq!(answer.into_inner().stored, 1);
                    }
                }
            })
            .await;
            stage.clear().await;
            let theirs =
                pgbench::run(&stage.target(), &upsert(stage, round), in_flight, seconds).await;
            if round > 0 {
                runs.push((ours, theirs));
            }
        }
        let what = format!("unary create / one-row upsert, {in_flight} in flight");
        told(report, &what, goal, Some(P99), &runs);
    }
}

/// Pages of 100 against the query that they rest on.
pub async fn pages(stage: &Stage, report: &mut Report, rounds: usize, seconds: u64) {
    stage.clear().await;
    let messages = Rows::new(1, LISTED).messages(&stage.convention);
    assert_eq!(push(stage.pushes(), messages).await, LISTED);
    stage.run("VACUUM ANALYZE beneficiary").await;
    let operator = stage.convention.operator;
    let parent = OperatorName { operator }.to_string();
    let mut runs = Vec::new();
    for round in 0..=rounds {
        let ours = calls(READERS, seconds, || {
            let client = BeneficiaryServiceClient::new(stage.agent());
            let parent = parent.clone();
            move || {
                let request = ListBeneficiariesRequest {
                    parent: parent.clone(),
                    page_size: 100,
                    ..ListBeneficiariesRequest::default()
                };
                let mut client = client.clone();
                async move {
                    let page = client.list_beneficiaries(request).await.unwrap();
                    assert_eq!(page.into_inner().beneficiaries.len(), 100);
                }
            }
        })
        .await;
        // One row more than the page, as the service asks: to know whether there is a next one.
        let script = format!(
            "SELECT operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band,
                    state, closing_reason, spotted_date, version, revision, create_time, update_time
             FROM beneficiary
             WHERE operator_id = '{}' AND beneficiary_id > '00000000-0000-0000-0000-000000000000'
             ORDER BY beneficiary_id LIMIT 101;",
            operator.uuid()
        );
        let theirs = pgbench::run(&stage.target(), &script, READERS, seconds).await;
        if round > 0 {
            runs.push((ours, theirs));
        }
    }
    told(report, "page of 100 / the same query", 50, None, &runs);
}

fn told(report: &mut Report, what: &str, goal: u128, p99_goal: Option<u128>, runs: &[(Run, Run)]) {
    let of = |pick: fn(&(Run, Run)) -> u128| median(runs.iter().map(pick).collect());
    let (ours, theirs) = (of(|(ours, _)| ours.rate), of(|(_, theirs)| theirs.rate));
    report.at_least(
        what,
        goal,
        of(|(ours, theirs)| ratio(ours.rate, theirs.rate)),
        format!("{ours} and {theirs} calls/s"),
    );
    let millis = |p99: u128| decimal(p99 / 10);
    let (ours, theirs) = (
        of(|(ours, _)| ours.p99.as_micros()),
        of(|(_, theirs)| theirs.p99.as_micros()),
    );
    if let Some(goal) = p99_goal {
        report.at_most(
            &format!("{what}: p99"),
            goal,
            of(|(ours, theirs)| ratio(ours.p99.as_micros(), theirs.p99.as_micros())),
            format!("{} and {} ms", millis(ours), millis(theirs)),
        );
    }
}

/// A person a transaction, under a reference of their own.
fn upsert(stage: &Stage, round: usize) -> String {
    format!(
        "\\set number random(1, 2000000000)
INSERT INTO beneficiary (operator_id, beneficiary_id, convention_id, external_reference, publics, commune_code, age_band,
                         state, closing_reason, spotted_date, version, revision, create_time, update_time)
VALUES ('{}', gen_random_uuid(), '{}', 'P{round}-' || :client_id || '-' || :number, '{{SENIOR}}', '62263', NULL,
        'SPOTTED', NULL, '2025-10-01', 1, 1, '2025-10-07', '2025-10-07')
ON CONFLICT (operator_id, external_reference) DO UPDATE
SET publics = excluded.publics, commune_code = excluded.commune_code, state = excluded.state,
    version = excluded.version, revision = beneficiary.revision + 1, update_time = excluded.update_time
WHERE (beneficiary.publics, beneficiary.commune_code, beneficiary.state, beneficiary.version)
      IS DISTINCT FROM (excluded.publics, excluded.commune_code, excluded.state, excluded.version);
",
        stage.convention.operator.uuid(),
        stage.convention.convention.uuid()
    )
}
