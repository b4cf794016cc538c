//! The service as its tables grow: time for each 100 000 records, its memory, and what a count takes behind them.

use std::time::{Duration, Instant};

use nonrecours_contracts::followup::{
    Breakdown, GetIndicatorsRequest, Grain, QueryIndicatorsRequest,
    indicator_service_client::IndicatorServiceClient,
};
use nonrecours_kernel::OperatorName;

use crate::{
    report::{Report, decimal, quantile, ratio},
    rows::Rows,
    stage::Stage,
    streams::push,
};

/// Records between two looks.
const STEP: usize = 100_000;
/// Counts asked for at each look.
const ASKED: usize = 300;
/// Looks at the end of which the median is told: a single one meets whatever else the machine does.
const LAST_LOOKS: usize = 5;

pub async fn grow(stage: &Stage, report: &mut Report, records: usize) {
    stage.clear().await;
    println!(
        "\n| records | s for the last 100 000 | memory of the service, MiB | count, ms p50 | p99 | table, ms p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|---|");
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    let (mut count_tails, mut table_tails) = (Vec::new(), Vec::new());
    for (series, step) in (0..records).step_by(STEP).enumerate() {
        let count = STEP.min(records - step);
        let mut taken = Duration::ZERO;
        // Made a part at a time, so that this process does not take the memory that the database needs.
        for part in 0..count / (STEP / 4) {
            let series = u32::try_from(4 * series + part).unwrap();
            let rows = Rows::new(series, STEP / 4);
            let messages = rows.messages(&stage.convention);
            let started = Instant::now();
            assert_eq!(push(stage.pushes(), messages).await, rows.count);
            taken += started.elapsed();
        }
        let mut counts = asked(stage, false).await;
        let mut tables = asked(stage, true).await;
        let last = (quantile(&mut counts, 990), quantile(&mut tables, 990));
        count_tails.push(last.0);
        table_tails.push(last.1);
        times.push(taken);
        memory.push(stage.service_memory());
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            step + count,
            decimal(taken.as_millis() / 10),
            stage.service_memory() / 1024,
            millis(quantile(&mut counts, 500)),
            millis(last.0),
            millis(quantile(&mut tables, 500)),
            millis(last.1),
        );
    }
    let (Some(first), Some(end)) = (times.first(), times.last()) else {
        return;
    };
    report.at_most(
        &format!("the last 100 000 of {records} / the first"),
        130,
        ratio(end.as_micros(), first.as_micros()),
        format!("{} and {} ms", end.as_millis(), first.as_millis()),
    );
    report.at_most(
        "memory of the service at the end / after the first 100 000",
        130,
        ratio(memory[memory.len() - 1].into(), memory[0].into()),
        format!(
            "{} and {} MiB",
            memory[memory.len() - 1] / 1024,
            memory[0] / 1024
        ),
    );
    report.at_most(
        &format!("GetIndicators behind {records} records, ms p99"),
        500,
        at_the_end(count_tails).as_micros() / 10,
        format!("{ASKED} calls, one at a time: median of the last {LAST_LOOKS} looks"),
    );
    report.at_most(
        &format!("QueryIndicators behind {records} records, ms p99"),
        500,
        at_the_end(table_tails).as_micros() / 10,
        format!("communes by month: median of the last {LAST_LOOKS} looks"),
    );
}

/// The median of the last looks.
fn at_the_end(mut looks: Vec<Duration>) -> Duration {
    let first = looks.len().saturating_sub(LAST_LOOKS);
    quantile(&mut looks[first..], 500)
}

fn millis(time: Duration) -> String {
    decimal(time.as_micros() / 10)
}

/// How long each count takes over gRPC: the figures of the convention, or the operator's table of communes by month.
async fn asked(stage: &Stage, table: bool) -> Vec<Duration> {
    let mut client = IndicatorServiceClient::new(stage.agent());
    let operator = stage.convention.operator;
    let mut times = Vec::with_capacity(ASKED);
    for round in 0..=ASKED {
        let started = Instant::now();
        if table {
            let request = QueryIndicatorsRequest {
                parent: OperatorName { operator }.to_string(),
                year: 2025,
                breakdown: Breakdown::Commune.into(),
                grain: Grain::Month.into(),
                ..QueryIndicatorsRequest::default()
            };
            let answer = client.query_indicators(request).await.unwrap().into_inner();
            assert!(!answer.rows.is_empty());
        } else {
            let request = GetIndicatorsRequest {
                convention: stage.convention.to_string(),
            };
            let answer = client.get_indicators(request).await.unwrap().into_inner();
            assert!(answer.total.is_some());
        }
        // The first one connects.
        if round > 0 {
            times.push(started.elapsed());
        }
    }
    times
}
