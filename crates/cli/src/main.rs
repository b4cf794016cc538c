//! The `nonrecours` command.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use nonrecours_cli::{
    ask,
    check::{self, CheckedKind},
    demo, export, issuer, programme,
    state::{DEFAULT_STATE, State},
    up,
};
use nonrecours_rpc::telemetry::{self, LogFormat, SpanCapture, TelemetryConfig};

/// The suite against non-take-up of social rights: run it, try it, ask it.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// Folder of PostgreSQL's programs (initdb, postgres); otherwise Debian's folder, then PATH.
    #[arg(long, env = "NONRECOURS_PG_BIN", global = true)]
    postgres_programs: Option<PathBuf>,
    /// File that a running suite leaves for the other commands.
    #[arg(long, env = "NONRECOURS_STATE", default_value = DEFAULT_STATE, global = true)]
    state: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play the life of one convention on a suite of its own, and print it.
    Demo,
    /// Run the whole suite until Ctrl-C.
    Up {
        /// Keep the data in this folder; otherwise it is gone at the end.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Ports of conventions, followup and payments; 0: any free one.
        #[arg(long, num_args = 3, default_values_t = [50051, 50052, 50053])]
        ports: Vec<u16>,
    },
    /// Run the development issuer alone, for the containers. Gives tokens to whoever asks: never beside real data.
    Issuer {
        /// Folder for the public keys and the tokens.
        #[arg(long)]
        folder: PathBuf,
        /// Address to listen on.
        #[arg(long)]
        listen: SocketAddr,
        /// Address under which the services know it.
        #[arg(long)]
        url: String,
    },
    /// List the conventions.
    List,
    /// Show a convention: its state, what blocks it, its life line, its ledger.
    Show {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
    },
    /// Check identifiers on standard input, a value a line, without any server. Fails when one is wrong.
    Check {
        /// What the values are meant to be.
        kind: CheckedKind,
    },
    /// Show the indicators of a convention by public.
    Indicators {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
    },
    /// Show what is due for a programme or an operator, overdue things first.
    Agenda {
        /// `programmes/{programme}` or `operators/{operator}`.
        parent: String,
        /// Last day looked at, e.g. 2026-01-31; otherwise three months from today.
        #[arg(long)]
        until: Option<String>,
    },
    /// Show what all operators of a programme did and spent in a budget year.
    RollUp {
        /// `programmes/{programme}`.
        programme: String,
        /// Budget year.
        year: i32,
    },
    /// Write a table of indicators for the national follow-up tools, as CSV.
    Export {
        /// Civil year.
        year: i32,
        /// What its rows are.
        #[arg(long, value_enum, default_value_t = export::Rows::Commune)]
        rows: export::Rows,
        /// What its periods are.
        #[arg(long, value_enum, default_value_t = export::Periods::Quarter)]
        periods: export::Periods,
        /// As it may be published; otherwise for those who run the programme.
        #[arg(long, conflicts_with = "own")]
        public: bool,
        /// The operator's own figures, exact; otherwise the territory's.
        #[arg(long)]
        own: bool,
        /// Columns and what fills them (`column,source`); otherwise those of examples/export/national-v1.csv.
        #[arg(long)]
        mapping: Option<PathBuf>,
        /// File to write; otherwise the standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Write the grants of a budget year as the open data file (SCDL "subventions").
    OpenData {
        /// `programmes/{programme}`.
        programme: String,
        /// Budget year.
        year: i32,
        /// File to write; otherwise the standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let capture = SpanCapture::default();
    let log = match cli.command {
        Command::Up { .. } if std::env::var_os("RUST_LOG").is_some() => LogFormat::Text,
        _ => LogFormat::None,
    };
    let telemetry = telemetry::init(TelemetryConfig {
        service: "nonrecours",
        log,
        capture: matches!(cli.command, Command::Demo).then(|| capture.clone()),
    });
    let telemetry = match telemetry {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("télémétrie : {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = run(cli, &capture).await;
    telemetry.shutdown().await;
    result.unwrap_or_else(|error| {
        eprintln!("échec : {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(cli: Cli, capture: &SpanCapture) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Check { kind } => return check::run(kind),
        Command::Demo => demo::run(cli.postgres_programs, capture).await,
        Command::Up { data, ports } => {
            let ports = <[u16; 3]>::try_from(ports)
                .map_err(|_| anyhow::anyhow!("--ports takes three numbers"))?;
            up::run(up::UpOptions {
                data,
                postgres_programs: cli.postgres_programs,
                ports,
                state: cli.state,
            })
            .await
        }
        Command::Issuer {
            folder,
            listen,
            url,
        } => {
            issuer::run(issuer::IssuerOptions {
                folder,
                listen,
                url,
            })
            .await
        }
        Command::List => ask::list(&State::read(&cli.state)?).await,
        Command::Show { convention } => ask::show(&State::read(&cli.state)?, &convention).await,
        Command::Indicators { convention } => {
            ask::indicators(&State::read(&cli.state)?, &convention).await
        }
        Command::Agenda { parent, until } => {
            programme::agenda(&State::read(&cli.state)?, &parent, until.as_deref()).await
        }
        Command::RollUp { programme, year } => {
            programme::roll_up(&State::read(&cli.state)?, &programme, year).await
        }
        Command::Export {
            year,
            rows,
            periods,
            public,
            own,
            mapping,
            out,
        } => {
            let asked = export::Export {
                year,
                rows,
                periods,
                public,
                own,
                mapping: mapping.as_deref(),
            };
            export::run(&State::read(&cli.state)?, asked, out.as_deref()).await
        }
        Command::OpenData {
            programme,
            year,
            out,
        } => {
            programme::open_data(&State::read(&cli.state)?, &programme, year, out.as_deref()).await
        }
    }?;
    Ok(ExitCode::SUCCESS)
}
