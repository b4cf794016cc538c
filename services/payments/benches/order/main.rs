//! A payment measured: what one transaction of the service costs beside its own statements. See the README beside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measure that cannot be made must fail"
)]

mod script;
mod stage;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use clap::Parser;
use nonrecours_contracts::payments::InstalmentState;
use nonrecours_testkit::bench::{
    pgbench::{self, Run, calls},
    report::{Report, decimal, median, ratio},
};

use crate::stage::Stage;

/// Callers at once, and clients of pgbench.
const IN_FLIGHT: usize = 8;
/// What the service is to reach, in hundredths of what pgbench does.
const GOAL: u128 = 70;

/// Measures a payment; prints one table.
#[derive(Parser)]
struct Arguments {
    /// Rounds, after one that is not counted.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of each side of a round.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Ordered instalments that each round has for each caller.
    #[arg(long, default_value_t = 4_000)]
    each: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let Arguments {
        rounds,
        seconds,
        each,
        ..
    } = Arguments::parse();
    let stage = Stage::set().await;
    stage.seed(IN_FLIGHT, 1).await;
    let script = stage.captured().await;
    println!(
        "{} statements a transaction:\n{script}",
        script.matches(";\n").count()
    );
    let mut runs = Vec::new();
    for round in 0..=rounds {
        stage.seed(IN_FLIGHT, each).await;
        let ours = confirmed(&stage, seconds).await;
        stage.seed(IN_FLIGHT, each).await;
        let theirs = pgbench::run(&stage.target(), &script, IN_FLIGHT, seconds).await;
        let paid = stage.paid().await;
        assert!(paid > 0, "pgbench has paid");
        println!(
            "  round {round}: {} and {} a second",
            ours.rate, theirs.rate
        );
        if round > 0 {
            runs.push((ours, theirs));
        }
    }
    let of = |pick: fn(&(Run, Run)) -> u128| median(runs.iter().map(pick).collect());
    let mut report = Report::default();
    report.at_least(
        "payment / its statements by pgbench, 8 in flight",
        GOAL,
        of(|(ours, theirs)| ratio(ours.rate, theirs.rate)),
        format!(
            "{} and {} payments/s; p99 {} and {} ms",
            of(|(ours, _)| ours.rate),
            of(|(_, theirs)| theirs.rate),
            decimal(of(|(ours, _)| ours.p99.as_micros()) / 10),
            decimal(of(|(_, theirs)| theirs.p99.as_micros()) / 10),
        ),
    );
    report.print();
    stage.strike().await;
}

/// Confirms instalments, one after the other, each once.
async fn confirmed(stage: &Stage, seconds: u64) -> Run {
    let next = Arc::new(AtomicUsize::new(0));
    let run = calls(IN_FLIGHT, seconds, || {
        let client = stage.instalments();
        let next = Arc::clone(&next);
        move || {
            let number = next.fetch_add(1, Ordering::Relaxed);
            // As pgbench counts: so many for each caller.
            let place = stage::place(number % IN_FLIGHT, number / IN_FLIGHT + 1);
            let mut client = client.clone();
            async move {
                let confirmed = client.confirm_instalment(stage::confirm(place)).await;
                let state = confirmed.unwrap().into_inner().state();
                assert_eq!(state, InstalmentState::Paid);
            }
        }
    })
    .await;
    let paid = usize::try_from(stage.paid().await).unwrap();
    assert_eq!(paid, next.load(Ordering::Relaxed), "each is paid once");
    run
}
