//! `nonrecours up`: the suite, kept running until Ctrl-C.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use nonrecours_issuer::{DevIssuer, TokenSpec};
use nonrecours_kernel::{Clock, OperatorId, Role, SystemClock};
use time::Duration;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    journey::{Cast, Journey, Step},
    state::State,
    suite::{Databases, Suite, SuiteOptions},
};

/// How long the printed tokens live.
const TOKEN_TTL: Duration = Duration::days(30);

/// What `up` is told.
pub struct UpOptions {
    /// Where PostgreSQL keeps its data; `None`: gone at the end.
    pub data: Option<PathBuf>,
    /// Where PostgreSQL's programs are.
    pub postgres_programs: Option<PathBuf>,
    /// Ports of conventions, followup and payments.
    pub ports: [u16; 3],
    /// Where the addresses and tokens are written for the other commands.
    pub state: PathBuf,
}

/// Runs the suite until SIGINT or SIGTERM, or until a part of it fails.
pub async fn run(options: UpOptions) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("Démarrage de la suite…");
    let mut suite = Suite::start(SuiteOptions {
        databases: Databases::FromEnvironment,
        clock,
        data: options.data,
        postgres_programs: options.postgres_programs,
        ports: options.ports,
        certificates: false,
    })
    .await?;
    let ended = tokio::select! {
        ended = present(&suite, &options.state) => match ended {
            Ok(file) => {
                let ended = tokio::select! {
                    _ = interrupt.recv() => Ok(()),
                    _ = terminate.recv() => Ok(()),
                    error = suite.failed() => Err(error),
                };
                drop(file);
                ended
            }
            Err(error) => Err(error),
        },
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    println!("\nArrêt : les demandes en cours se terminent…");
    let stopped = suite.stop().await;
    ended.and(stopped)
}

/// Prepares an operator with its convention in force, writes the state file, and prints how to use the suite.
async fn present(suite: &Suite, path: &Path) -> anyhow::Result<crate::state::StateFile> {
    let cast = Cast {
        addresses: suite.addresses.clone(),
        issuer: Arc::clone(&suite.issuer),
        clock: Arc::clone(&suite.clock),
    };
    let (operator, convention) = prepare(cast).await?;
    let state = describe(suite, operator, &convention)?;
    let file = state.write(path)?;
    println!("\nLa suite répond :");
    println!("  conventions  {}", state.addresses.conventions);
    println!("  followup     {}", state.addresses.followup);
    println!("  payments     {}", state.addresses.payments);
    println!(
        "\nUn jeton par rôle, valable 30 jours (aussi dans {}) :",
        path.display()
    );
    for (role, token) in &state.tokens {
        println!("  {role}\n    {token}");
    }
    println!("\nLa convention de Dainville 2025 est en vigueur : {convention}");
    println!("\nÀ essayer dans un autre terminal :");
    // As this one was called, so that the lines can be copied.
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "nonrecours".to_owned());
    println!("  {program} list");
    println!("  {program} show {convention}");
    println!("  {program} indicators {convention}");
    println!("\nCtrl-C arrête tout.");
    Ok(file)
}

/// What the other commands need to know of a suite: addresses, and a token per role, those of the operator for its own.
pub fn describe(suite: &Suite, operator: OperatorId, convention: &str) -> anyhow::Result<State> {
    Ok(State {
        addresses: suite.addresses.clone(),
        convention: convention.to_owned(),
        tokens: tokens(&suite.issuer, operator)?,
        client: None,
    })
}

/// A token per role.
pub(crate) fn tokens(
    issuer: &DevIssuer,
    operator: OperatorId,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut tokens = BTreeMap::new();
    for role in Role::ALL {
        if role == Role::PeerService {
            continue;
        }
        let bound = matches!(role, Role::OperatorAgent | Role::OperatorManager);
        let token = issuer.token(&TokenSpec {
            operator: bound.then_some(operator),
            ttl: TOKEN_TTL,
            ..TokenSpec::new(format!("{}@nonrecours.example", role.as_str()), [role])
        })?;
        tokens.insert(role.as_str().to_owned(), token);
    }
    Ok(tokens)
}

/// Plays the first steps of the journey, today, unless the databases hold a convention already.
async fn prepare(cast: Cast) -> anyhow::Result<(OperatorId, String)> {
    if let Some(convention) = first_in_force(&cast).await? {
        let name: nonrecours_kernel::ConventionName = convention.parse()?;
        return Ok((name.operator, convention));
    }
    let mut journey = Journey::new(cast, None)?;
    for step in Step::ALL {
        journey.play(step).await?;
        if step == Step::OpenPlan {
            break;
        }
    }
    Ok((journey.operator()?, journey.facts.convention.clone()))
}

/// A convention that is in force already, in data kept from an earlier run.
async fn first_in_force(cast: &Cast) -> anyhow::Result<Option<String>> {
    use nonrecours_contracts::conventions::{ConventionState, ListConventionsRequest};
    let conventions = cast.officer()?.conventions();
    let request = ListConventionsRequest {
        parent: "operators/-".to_owned(),
        ..Default::default()
    };
    let page = crate::client::answered(|| {
        let (mut conventions, request) = (conventions.clone(), request.clone());
        async move { conventions.list_conventions(request).await }
    })
    .await?;
    Ok(page
        .conventions
        .into_iter()
        .find(|convention| convention.state() == ConventionState::InForce)
        .map(|convention| convention.name))
}
