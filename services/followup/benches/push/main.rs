//! The push path measured: against PostgreSQL's own tools, layer by layer, and as it grows. See the README beside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measure that cannot be made must fail"
)]

mod layers;
mod overload;
mod rows;
mod scale;
mod stage;
mod streams;
mod unary;

use clap::{Parser, ValueEnum};

use nonrecours_testkit::bench::{pgbench, report};

use crate::{report::Report, stage::Stage};

/// Measures the push path; prints one table.
#[derive(Parser)]
struct Arguments {
    /// What to measure; all of it unless told otherwise.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Rounds of each pair, after one that is not counted.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Records of a round of streams.
    #[arg(long, default_value_t = 30_000)]
    rows: usize,
    /// Seconds of a round of unary calls.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Records that the service grows to.
    #[arg(long, default_value_t = 200_000)]
    scale: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the bench.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Streams,
    Unary,
    Page,
    Layers,
    Scale,
    Overload,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let stage = Stage::set().await;
    let mut report = Report::default();
    if wanted(Part::Streams) {
        println!(
            "streams, {} rows, {} rounds",
            arguments.rows, arguments.rounds
        );
        streams::compare(&stage, &mut report, arguments.rounds, arguments.rows).await;
    }
    if wanted(Part::Unary) {
        println!(
            "unary, {} s, {} rounds",
            arguments.seconds, arguments.rounds
        );
        unary::creates(&stage, &mut report, arguments.rounds, arguments.seconds).await;
    }
    if wanted(Part::Page) {
        println!("page, {} s, {} rounds", arguments.seconds, arguments.rounds);
        unary::pages(&stage, &mut report, arguments.rounds, arguments.seconds).await;
    }
    if wanted(Part::Layers) {
        layers::peel(&stage, arguments.rounds, arguments.rows).await;
    }
    if wanted(Part::Scale) {
        scale::grow(&stage, &mut report, arguments.scale).await;
    }
    if wanted(Part::Overload) {
        println!("overload, {} s", arguments.seconds);
        overload::storm(&stage, &mut report, arguments.seconds).await;
    }
    report.print();
    stage.strike().await;
}
