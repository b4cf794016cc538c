//! `nonrecours play`: the journey, today, on a suite that runs elsewhere and trusts a development issuer. What
//! `deploy/try-containers` plays while it kills the containers.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use nonrecours_kernel::SystemClock;
use nonrecours_rpc::telemetry::context::traceparent;
use tracing::Instrument as _;

use crate::{
    demo::ROOT_SPAN,
    issuer,
    journey::{Cast, Journey, Step},
    payments,
    state::State,
    suite::Addresses,
    up::tokens,
};

/// Which suite to play on.
pub struct PlayOptions {
    /// Where it listens.
    pub addresses: Addresses,
    /// Folder of its development issuer (`nonrecours issuer`), for the keys.
    pub issuer_folder: PathBuf,
    /// Address under which the services know the issuer.
    pub issuer_url: String,
    /// Whether each step waits for a line on standard input.
    pub by_line: bool,
}

/// Plays every step, saying each before it begins, then recomputes the books. Fails when a step or a figure is not as it should.
pub async fn run(options: PlayOptions) -> anyhow::Result<ExitCode> {
    let issuer = issuer::signing(&options.issuer_folder, &options.issuer_url)?;
    let cast = Cast {
        addresses: options.addresses,
        issuer: Arc::new(issuer),
        clock: Arc::new(SystemClock),
    };
    let mut journey = Journey::new(cast.clone(), None)?;
    let root = tracing::info_span!("journey", otel.name = ROOT_SPAN);
    async {
        // `00-<trace>-<span>-<flags>` (W3C).
        let context = traceparent().context("telemetry runs")?;
        println!("trace {}", context.split('-').nth(1).unwrap_or_default());
        for (number, step) in Step::ALL.into_iter().enumerate() {
            println!("{:>2}. {}", number + 1, step.title());
            if options.by_line {
                tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
                    .await??;
            }
            for line in journey.play(step).await?.lines {
                println!("      {line}");
            }
        }
        anyhow::Ok(())
    }
    .instrument(root)
    .await?;
    let state = State {
        addresses: cast.addresses,
        convention: journey.facts.convention.clone(),
        tokens: tokens(&cast.issuer, journey.operator()?)?,
        client: None,
    };
    payments::verify(&state, "operators/-").await
}
