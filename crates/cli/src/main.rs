//! The `nonrecours` command.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use nonrecours_cli::{
    ask, attachments,
    check::{self, CheckedKind},
    collected, collector, demo, doctor, documents,
    everyday::{
        accounts::{self, Accounts},
        books,
        budgets::{self, Budgets},
        cash::{self, Cash},
        codes::{self, Codes},
        commitments::{self, Commitments},
        controls::{self, Controls},
        corrections::{self, Correction},
        funds::{self, Funds},
        notices::{self, Notices},
        recoveries::{self, Recoveries},
        reports::{self, Reports},
        retention,
        subjects::{self, Subjects},
        years::{self, Years},
    },
    export, import, issuer, payments, play, programme,
    state::{DEFAULT_STATE, State},
    suite::Addresses,
    treasury, up,
};
use nonrecours_host::doctor::DoctorOptions;
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
        /// Machines that it gives tokens for their secrets, JSON: `[{"id", "secret", "roles", "operator"}]`.
        #[arg(long)]
        machines: Option<PathBuf>,
    },
    /// Look at everything that the services of this environment stand on: settings, databases, rights, schemas, keys, clock,
    /// issuer, certificates, other services, feeds, disk. Say what is wrong and what to do; fail when something is.
    Doctor(DoctorOptions),
    /// Play the life of one convention, today, on a suite that trusts a development issuer, and recompute its books.
    Play {
        /// Address of conventions.
        #[arg(long, default_value = "https://localhost:50051")]
        conventions: String,
        /// Address of followup.
        #[arg(long, default_value = "https://localhost:50052")]
        followup: String,
        /// Address of payments.
        #[arg(long, default_value = "https://localhost:50053")]
        payments: String,
        /// Folder of the development issuer, with its keys.
        #[arg(long)]
        issuer_folder: PathBuf,
        /// Address under which the services know the issuer.
        #[arg(long)]
        issuer_url: String,
        /// Begin each step, once it is named, with the next line of standard input.
        #[arg(long)]
        by_line: bool,
    },
    /// Stand in for a collector and a trace viewer: keep spans in memory and show them as Jaeger's `/api/traces` does.
    Collector {
        /// Address that takes spans (OTLP by gRPC).
        #[arg(long, default_value = "0.0.0.0:4317")]
        otlp: SocketAddr,
        /// Address that shows them.
        #[arg(long, default_value = "0.0.0.0:16686")]
        viewer: SocketAddr,
    },
    /// Check on standard input what a trace viewer says of the trace of `play`. Fails unless it is one trace of all services.
    CheckTrace,
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
    /// Follow the commitments of operators (art. 4).
    #[command(subcommand)]
    Commitment(Commitments),
    /// Plan and realise the budget of a convention, and see how far the two are apart (art. 8).
    #[command(subcommand)]
    Budget(Budgets),
    /// See what was handed in, and write the accounts as a file (art. 8).
    #[command(subcommand)]
    Report(Reports),
    /// Give formal notice, and see it through (art. 7).
    #[command(subcommand)]
    Notice(Notices),
    /// Inspect, hear and decide (art. 8).
    #[command(subcommand)]
    Control(Controls),
    /// Enter, look at and approve the bank accounts of operators.
    #[command(subcommand)]
    Account(Accounts),
    /// Call funds with their supporting documents, and say where they are paid (art. 6).
    #[command(subcommand)]
    Funds(Funds),
    /// Claim back what was paid and not due, and follow the claim (titres de recette).
    #[command(subcommand)]
    Recoveries(Recoveries),
    /// See the cash position of a programme; record what the State pays.
    #[command(subcommand)]
    Cash(Cash),
    /// See and set what a programme pays under: its accountant's codes, or the account of its bank.
    #[command(subcommand)]
    Codes(Codes),
    /// Cancel or reduce an order that the accountant has taken in charge, on a slip of its own, and write its file.
    Correct(Correction),
    /// See what of a budget year must be ordered by 31 January, and close it.
    #[command(subcommand)]
    BudgetYear(Years),
    /// Enter and answer what persons ask of their own data (RGPD art. 15 to 21).
    #[command(subcommand)]
    SubjectRequest(Subjects),
    /// Show who has not been in contact for as long as an operator's records are kept; erase them with --apply.
    Retention {
        /// `operators/{operator}`.
        operator: String,
        /// Erase those who are shown, for good.
        #[arg(long)]
        apply: bool,
    },
    /// Show the indicators of a convention by public, and what it was to achieve.
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
    /// Show what instalments wait for: who is awaited, what stands in the way, by which rule, who can lift it.
    Why {
        /// `operators/{operator}`, a convention of it, one instalment, or `operators/-` for all.
        #[arg(default_value = "operators/-")]
        parent: String,
        /// Also those that are paid or cancelled.
        #[arg(long)]
        all: bool,
    },
    /// Show what was paid under a convention and what is due (état des sommes versées).
    Statement {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
    },
    /// Recompute the books from their entries and compare every figure. Fails when one differs.
    Verify {
        /// `operators/{operator}`, a convention of it, or `operators/-` for all.
        #[arg(default_value = "operators/-")]
        parent: String,
    },
    /// Write the books of a programme as CSV, in the columns of the fichier des écritures comptables.
    ExportLedger {
        /// `programmes/{programme}`.
        programme: String,
        /// First day of booking, e.g. 2026-01-01.
        #[arg(long)]
        from: String,
        /// Last day of booking.
        #[arg(long)]
        until: String,
        /// File to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Put ordered instalments into a numbered slip and write its file, for the accountant (PES V2) or the bank (SEPA).
    MakeSlip {
        /// `programmes/{programme}`.
        programme: String,
        /// Budget year.
        year: i32,
        /// `operators/{operator}/conventions/{convention}/instalments/{instalment}`, one or more.
        #[arg(required = true)]
        instalments: Vec<String>,
        /// Folder of the file.
        #[arg(long, default_value = ".")]
        folder: PathBuf,
    },
    /// Take a file that the accountant or the bank sent back (PES_ACQUIT, PES_Retour, pain.002, camt.053, camt.054).
    ImportReturn {
        /// `programmes/{programme}`.
        programme: String,
        /// The file.
        file: PathBuf,
    },
    /// Show what all operators of a programme did and spent in a budget year.
    RollUp {
        /// `programmes/{programme}`.
        programme: String,
        /// Budget year.
        year: i32,
    },
    /// Bring a file under a convention: PDF, PNG, JPEG, TIFF, ODT, ODS, DOCX or XLSX, at most 20 MiB.
    Attach {
        /// The file.
        file: PathBuf,
        /// `operators/{operator}/conventions/{convention}`, or the name of something under it.
        #[arg(long)]
        to: String,
        /// What it is for.
        #[arg(long, value_enum)]
        kind: attachments::Kind,
    },
    /// List the files of a convention.
    Attachments {
        /// `operators/{operator}/conventions/{convention}`, or the name of something under it.
        of: String,
    },
    /// Fetch a file of a convention.
    Fetch {
        /// `operators/{operator}/conventions/{convention}/attachments/{attachment}`.
        attachment: String,
        /// File to write; otherwise under its own name, in this folder.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Write a document of what is recorded, as PDF: the same again from the same data.
    Document {
        /// What it is about: `operators/{operator}/conventions/{convention}`, or the name of something under it.
        subject: String,
        /// Kind of the document.
        #[arg(long, value_enum)]
        kind: documents::Kind,
        /// File to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Import persons, rights, steps, sessions and notes from a workbook (.xlsx) or a CSV file. Fails when rows are refused.
    Import(import::ImportArgs),
    /// Write a table of indicators for the national follow-up tools, as CSV or, by the name of the file, as XLSX.
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
        /// File to write, .csv or .xlsx; otherwise the standard output.
        #[arg(long, visible_alias = "to")]
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
        Command::Doctor(options) => return Ok(doctor::run(options).await),
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
            machines,
        } => {
            issuer::run(issuer::IssuerOptions {
                folder,
                listen,
                url,
                machines,
            })
            .await
        }
        Command::Play {
            conventions,
            followup,
            payments,
            issuer_folder,
            issuer_url,
            by_line,
        } => {
            let authorities = Some(issuer_folder.join("authority.pem"));
            return play::run(play::PlayOptions {
                addresses: Addresses {
                    conventions,
                    followup,
                    payments,
                    authorities,
                },
                issuer_folder,
                issuer_url,
                by_line,
            })
            .await;
        }
        Command::Collector { otlp, viewer } => collector::run(otlp, viewer).await,
        Command::CheckTrace => collected::check(),
        Command::List => ask::list(&State::read(&cli.state)?).await,
        Command::Show { convention } => ask::show(&State::read(&cli.state)?, &convention).await,
        Command::Commitment(command) => {
            println!(
                "{}",
                commitments::run(&State::read(&cli.state)?, command).await?
            );
            Ok(())
        }
        Command::Budget(command) => {
            println!(
                "{}",
                budgets::run(&State::read(&cli.state)?, command).await?
            );
            Ok(())
        }
        Command::Report(command) => {
            println!(
                "{}",
                reports::run(&State::read(&cli.state)?, command).await?
            );
            Ok(())
        }
        Command::Retention { operator, apply } => {
            println!(
                "{}",
                retention::run(&State::read(&cli.state)?, &operator, apply).await?
            );
            Ok(())
        }
        Command::Notice(command) => {
            println!(
                "{}",
                notices::run(&State::read(&cli.state)?, command).await?
            );
            Ok(())
        }
        Command::Control(command) => {
            println!(
                "{}",
                controls::run(&State::read(&cli.state)?, command).await?
            );
            Ok(())
        }
        Command::Account(command) => {
            println!(
                "{}",
                accounts::run(&State::read(&cli.state)?, command).await?
            );
            Ok(())
        }
        Command::Funds(command) => {
            println!("{}", funds::run(&State::read(&cli.state)?, command).await?);
            Ok(())
        }
        Command::Recoveries(command) => {
            println!(
                "{}",
                recoveries::run(&State::read(&cli.state)?, command).await?
            );
            Ok(())
        }
        Command::SubjectRequest(command) => {
            println!(
                "{}",
                subjects::run(&State::read(&cli.state)?, command).await?
            );
            Ok(())
        }
        Command::Cash(command) => {
            println!("{}", cash::run(&State::read(&cli.state)?, command).await?);
            Ok(())
        }
        Command::Codes(command) => {
            println!("{}", codes::run(&State::read(&cli.state)?, command).await?);
            Ok(())
        }
        Command::Correct(command) => {
            let state = State::read(&cli.state)?;
            println!("{}", corrections::run(&state, command).await?);
            Ok(())
        }
        Command::BudgetYear(command) => {
            println!("{}", years::run(&State::read(&cli.state)?, command).await?);
            Ok(())
        }
        Command::Indicators { convention } => {
            ask::indicators(&State::read(&cli.state)?, &convention).await
        }
        Command::Agenda { parent, until } => {
            programme::agenda(&State::read(&cli.state)?, &parent, until.as_deref()).await
        }
        Command::Why { parent, all } => {
            payments::why(&State::read(&cli.state)?, &parent, all).await
        }
        Command::Statement { convention } => {
            payments::statement(&State::read(&cli.state)?, &convention).await
        }
        Command::Verify { parent } => {
            return payments::verify(&State::read(&cli.state)?, &parent).await;
        }
        Command::ExportLedger {
            programme,
            from,
            until,
            out,
        } => {
            let (state, days) = (State::read(&cli.state)?, (from.as_str(), until.as_str()));
            println!("{}", books::export(&state, &programme, days, &out).await?);
            Ok(())
        }
        Command::MakeSlip {
            programme,
            year,
            instalments,
            folder,
        } => {
            let state = State::read(&cli.state)?;
            treasury::make_slip(&state, &programme, year, &instalments, &folder).await
        }
        Command::ImportReturn { programme, file } => {
            treasury::import_return(&State::read(&cli.state)?, &programme, &file).await
        }
        Command::RollUp { programme, year } => {
            programme::roll_up(&State::read(&cli.state)?, &programme, year).await
        }
        Command::Attach { file, to, kind } => {
            attachments::attach(&State::read(&cli.state)?, &file, &to, kind).await
        }
        Command::Attachments { of } => attachments::list(&State::read(&cli.state)?, &of).await,
        Command::Fetch { attachment, out } => {
            let state = State::read(&cli.state)?;
            attachments::fetch(&state, &attachment, out.as_deref())
                .await
                .map(|_| ())
        }
        Command::Document { subject, kind, out } => {
            documents::write(&State::read(&cli.state)?, &subject, kind, &out)
                .await
                .map(|_| ())
        }
        Command::Import(args) => return import::command(args, &cli.state).await,
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
