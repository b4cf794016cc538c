//! `nonrecours demo`: the journey on a suite of its own, printed, and what it left behind.

use std::sync::Arc;

use anyhow::Context as _;
use nonrecours_kernel::{Clock, french_date, paris_date};
use nonrecours_rpc::telemetry::SpanCapture;
use owo_colors::{OwoColorize as _, Stream};
use tracing::Instrument as _;

use crate::{
    journey::{Cast, Journey, Step, StoryClock},
    print,
    suite::{Databases, Suite, SuiteOptions},
    trace_tree::TraceTree,
};

/// Name of the span that the whole journey runs in.
pub const ROOT_SPAN: &str = "la vie d'une convention";

/// Plays the journey and prints it. The suite's clock is turned to the days of 2025; its data is gone afterwards,
/// unless databases are set in the environment.
pub async fn run(
    postgres_programs: Option<std::path::PathBuf>,
    capture: &SpanCapture,
) -> anyhow::Result<()> {
    let story = StoryClock::default();
    let clock: Arc<dyn Clock> = Arc::new(story.clone());
    println!("Démarrage : PostgreSQL privé, trois bases, trois services sur la boucle locale…");
    let suite = Suite::start(SuiteOptions {
        databases: Databases::FromEnvironment,
        clock: Arc::clone(&clock),
        data: None,
        postgres_programs,
        ports: [0; 3],
        certificates: false,
    })
    .await?;
    println!(
        "conventions {} · followup {} · payments {}\n",
        suite.addresses.conventions, suite.addresses.followup, suite.addresses.payments
    );
    let cast = Cast {
        addresses: suite.addresses.clone(),
        issuer: Arc::clone(&suite.issuer),
        clock,
    };
    let played = play(cast, story, capture).await;
    // Whatever happened, nothing is left running.
    let stopped = suite.stop().await;
    played.and(stopped)
}

async fn play(cast: Cast, story: StoryClock, capture: &SpanCapture) -> anyhow::Result<()> {
    let mut journey = Journey::new(cast.clone(), Some(story))?;
    let root = tracing::info_span!("journey", otel.name = ROOT_SPAN);
    async {
        for (number, step) in Step::ALL.into_iter().enumerate() {
            let report = journey.play(step).await?;
            let day = french_date(paris_date(report.time));
            println!(
                "{} {}",
                format!("{:>2}. {day}", number + 1)
                    .if_supports_color(Stream::Stdout, |text| text.dimmed()),
                report
                    .title
                    .if_supports_color(Stream::Stdout, |text| text.bold())
            );
            for line in &report.lines {
                println!("      {line}");
            }
        }
        anyhow::Ok(())
    }
    .instrument(root.clone())
    .await?;
    drop(root);

    let auditor = cast.auditor()?;
    let convention = &journey.facts.convention;
    println!(
        "\nLa ligne de vie de la convention\n{}",
        print::life_line(&auditor, convention).await?
    );
    println!(
        "\nLe grand livre\n{}",
        print::ledger(&auditor, convention).await?
    );
    println!(
        "\nLes indicateurs par public\n{}",
        print::indicators(&cast.manager(journey.operator()?)?, convention).await?
    );

    let spans = capture.spans();
    let tree = TraceTree::of_root(&spans, ROOT_SPAN).context("the trace of the journey")?;
    println!(
        "\nUne seule trace, à travers les trois services et leurs flux\n{}",
        tree.draw()
    );
    let summary = tree.summary();
    println!(
        "trace {} : {} spans, services {}, {} changements suivis par les flux",
        summary.trace,
        summary.spans,
        summary.services.join(", "),
        summary.applied_changes
    );
    anyhow::ensure!(
        summary.services == ["conventions", "followup", "payments"] && summary.orphans == 0,
        "the trace does not hold together: {summary:?}"
    );
    Ok(())
}
