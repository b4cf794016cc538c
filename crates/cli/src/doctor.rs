//! `nonrecours doctor`: the services whose databases the environment names, looked at one after the other.

use std::{ffi::OsString, process::ExitCode, sync::Arc};

use clap::{
    Args, Parser,
    error::{ContextKind, ContextValue},
};
use nonrecours_host::doctor::{self, DoctorOptions, Finding, Level, Surroundings};
use nonrecours_kernel::SystemClock;

/// The settings of a service, from its environment alone.
#[derive(Parser)]
struct Of<C: Args> {
    #[command(flatten)]
    config: C,
}

/// Looks, prints, and succeeds when there is no fault.
pub async fn run(options: DoctorOptions) -> ExitCode {
    let around = Surroundings::new(Arc::new(SystemClock), options);
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut findings = Vec::new();
    if set("CONVENTIONS_DATABASE_URL") {
        findings.extend(match settings("conventions") {
            Ok(config) => nonrecours_conventions::doctor::examine(config, around.clone()).await,
            Err(finding) => vec![finding],
        });
    }
    if set("FOLLOWUP_DATABASE_URL") {
        findings.extend(match settings("followup") {
            Ok(config) => nonrecours_followup::doctor::examine(config, around.clone()).await,
            Err(finding) => vec![finding],
        });
    }
    if set("PAYMENTS_DATABASE_URL") {
        findings.extend(match settings("payments") {
            Ok(config) => nonrecours_payments::doctor::examine(config, around.clone()).await,
            Err(finding) => vec![finding],
        });
    }
    if findings.is_empty() {
        findings.push(fault(
            "nonrecours",
            "aucun service : ni CONVENTIONS_DATABASE_URL, ni FOLLOWUP_DATABASE_URL, ni \
             PAYMENTS_DATABASE_URL n'est donnée"
                .to_owned(),
        ));
    }
    let (report, is_well) = doctor::report(&findings);
    print!("{report}");
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn settings<C: Args>(service: &'static str) -> Result<C, Finding> {
    // No argument of the command line is meant for a service.
    let read = Of::<C>::try_parse_from([OsString::from(service)]);
    read.map(|of| of.config).map_err(|error| {
        let named = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(names)) => names.join(", "),
            Some(ContextValue::String(name)) => name.clone(),
            _ => error.kind().to_string(),
        };
        fault(service, format!("manquants ou mal écrits : {named}"))
    })
}

fn fault(service: &'static str, says: String) -> Finding {
    Finding {
        service,
        subject: "réglages",
        level: Level::Fault,
        says,
        advice: "Lancez cette commande avec l'environnement du service ; `--help` du service et \
                 deploy/README.md disent chaque réglage."
            .to_owned(),
    }
}
