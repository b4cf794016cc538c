//! `nonrecours issuer`: the development issuer as a program of its own, for the containers.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use nonrecours_issuer::{DEFAULT_TTL, DevAuthority, DevIssuer, Machine, TokenSpec};
use nonrecours_kernel::{Role, SystemClock};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::suite::AUDIENCE;

/// Services that show a token and a certificate to their peers.
const PEERS: [&str; 3] = ["conventions", "followup", "payments"];

/// Where the issuer listens and leaves its files.
pub struct IssuerOptions {
    /// Folder of `jwks.json`, `tokens/<role>`, `peers/<service>`, `authority.pem` and `certificates/<service>`; and of the two
    /// keys that sign, which outlive a restart.
    pub folder: PathBuf,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Address under which others reach it: the claim `iss`.
    pub url: String,
    /// Machines that it gives tokens for their secrets: a list of [`Machine`] in JSON.
    pub machines: Option<PathBuf>,
}

/// Serves until SIGTERM or SIGINT. Tokens and certificates are written anew at half their life; the keys are written last, so that who
/// finds them finds the rest too.
pub async fn run(options: IssuerOptions) -> anyhow::Result<()> {
    let machines: Vec<Machine> = match &options.machines {
        Some(path) => {
            let text = fs::read_to_string(path).context("the file of the machines")?;
            serde_json::from_str(&text).context("the file of the machines")?
        }
        None => Vec::new(),
    };
    fs::create_dir_all(&options.folder)?;
    let issuer = signing(&options.folder, &options.url)?;
    let issuer = Arc::new(issuer.with_machines(machines));
    let keys = options.folder.join("jwks.json");
    if keys.exists() {
        fs::remove_file(&keys).context("the keys of an earlier run")?;
    }
    let authority =
        DevAuthority::kept(&options.folder.join("authority.key"), Arc::new(SystemClock))?;
    authority.write(&options.folder.join("authority.pem"))?;
    write_certificates(&authority, &options.folder)?;
    write_tokens(&issuer, &options.folder)?;
    issuer.write_jwks(&keys)?;

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(options.listen).await?;
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(
        Arc::clone(&issuer).serve_tokens(listener, shutdown.clone().cancelled_owned()),
    );
    let mut renewal = tokio::time::interval(DEFAULT_TTL.unsigned_abs() / 2);
    renewal.tick().await;
    loop {
        tokio::select! {
            _ = renewal.tick() => {
                write_certificates(&authority, &options.folder)?;
                write_tokens(&issuer, &options.folder)?;
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    shutdown.cancel();
    Ok(serving.await??)
}

/// The issuer whose key is kept in a folder.
pub(crate) fn signing(folder: &Path, url: &str) -> anyhow::Result<DevIssuer> {
    let key = folder.join("issuer.key");
    Ok(DevIssuer::kept(&key, url, AUDIENCE, Arc::new(SystemClock))?)
}

/// A certificate for each service, under its own name and as it is reached on this machine.
fn write_certificates(authority: &DevAuthority, folder: &Path) -> anyhow::Result<()> {
    for service in PEERS {
        let names = [service, "localhost"];
        authority.sign(&folder.join("certificates"), service, &names, DEFAULT_TTL)?;
    }
    Ok(())
}

fn write_tokens(issuer: &DevIssuer, folder: &Path) -> anyhow::Result<()> {
    let of_programme = Role::ALL.into_iter().filter(|role| {
        // The roles of an operator need its id, known once it is registered: the page of tokens gives those.
        !matches!(
            role,
            Role::OperatorAgent | Role::OperatorManager | Role::PeerService
        )
    });
    for role in of_programme {
        let subject = format!("{}@nonrecours.example", role.as_str());
        let token = issuer.token(&TokenSpec::new(subject, [role]))?;
        write(&folder.join("tokens"), role.as_str(), &token)?;
    }
    for service in PEERS {
        let subject = format!("service:{service}");
        let token = issuer.token(&TokenSpec::new(subject, [Role::PeerService]))?;
        write(&folder.join("peers"), service, &token)?;
    }
    Ok(())
}

/// Writes a token at once for whoever reads it: never half of one.
fn write(folder: &Path, name: &str, token: &str) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let partial = folder.join(format!(".{name}"));
    fs::write(&partial, token)?;
    fs::rename(&partial, folder.join(name))?;
    Ok(())
}
