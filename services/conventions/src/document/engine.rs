//! The typesetting program: a process of its own for each document, without network, files or environment.

use std::{
    env,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    sync::Semaphore,
    time::timeout,
};

use crate::refusal::Refusal;

/// Documents typeset at once; others wait for their turn, as long as their requests may.
const MAX_RUNS: usize = 2;
/// Longest time for one document.
const MAX_RUN: Duration = Duration::from_secs(20);
/// Largest document, bytes.
const MAX_PDF: u64 = 16 * 1024 * 1024;
/// What is read of the program's complaints, bytes.
const MAX_TOLD: u64 = 4096;
/// Name of the program.
const PROGRAM: &str = "nonrecours-typeset";

/// Runs the typesetting program.
pub struct Engine {
    program: Option<PathBuf>,
    turns: Semaphore,
}

impl Engine {
    /// With this program; otherwise the one beside our own, otherwise that of PATH.
    pub fn new(program: Option<PathBuf>) -> Self {
        Self {
            program: program.or_else(found),
            turns: Semaphore::new(MAX_RUNS),
        }
    }

    /// Typesets a job. Dropped, it kills the program.
    pub async fn typeset(&self, job: &str) -> Result<Bytes, Refusal> {
        let program = self
            .program
            .as_deref()
            .ok_or(Refusal::DocumentEngineMissing)?;
        // The semaphore is never closed.
        let _turn = self
            .turns
            .acquire()
            .await
            .map_err(|_| failed("no more turns"))?;
        timeout(MAX_RUN, run(program, job))
            .await
            .unwrap_or_else(|_| Err(failed("it takes too long")))
    }
}

fn found() -> Option<PathBuf> {
    let beside = env::current_exe()
        .ok()
        .map(|own| own.with_file_name(PROGRAM));
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&path).map(|folder| folder.join(PROGRAM));
    beside.into_iter().chain(installed).find(|it| it.is_file())
}

async fn run(program: &Path, job: &str) -> Result<Bytes, Refusal> {
    let spawned = Command::new(program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Refusal::DocumentEngineMissing,
        _ => failed(&error.to_string()),
    })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that ends before it has read its job says why by its status.
            _ = stdin.write_all(job.as_bytes()).await;
        }
    };
    let ((), pdf, told) = tokio::join!(feed, read(stdout, MAX_PDF + 1), read(stderr, MAX_TOLD));
    let status = child
        .wait()
        .await
        .map_err(|error| failed(&error.to_string()))?;
    if u64::try_from(pdf.len()).unwrap_or(u64::MAX) > MAX_PDF {
        return Err(failed("its document is too large"));
    }
    if !status.success() {
        return Err(failed(&format!(
            "{status}: {}",
            String::from_utf8_lossy(&told)
        )));
    }
    Ok(pdf.into())
}

/// Reads to the end or to the limit; then the pipe is closed, and who writes on ends.
async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What could not be read is missed by the status of the program, which ends on it.
        _ = pipe.take(limit).read_to_end(&mut bytes).await;
    }
    bytes
}

fn failed(cause: &str) -> Refusal {
    tracing::error!(cause, "no document was typeset");
    Refusal::DocumentEngineFailed
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    /// A program that does what these lines of shell say.
    fn program(folder: &Path, script: &str) -> Engine {
        let path = folder.join("program");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Engine::new(Some(path))
    }

    #[tokio::test]
    async fn a_program_gets_its_job_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let engine = program(folder.path(), "/bin/cat; /bin/pwd; /usr/bin/env");
        let job = "x".repeat(1_000_000);
        let answer = engine.typeset(&job).await.unwrap();
        let rest = std::str::from_utf8(&answer).unwrap().strip_prefix(&job);
        let mut lines = rest.unwrap().lines();
        assert_eq!(lines.next(), Some("/"));
        // What the shell itself sets.
        assert!(lines.all(|it| {
            ["PWD=", "OLDPWD=", "_="]
                .iter()
                .any(|own| it.starts_with(own))
        }));
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        for script in [
            "echo half; exit 1",
            "kill -9 $$",
            // Reads nothing of its job, and writes for ever.
            "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
        ] {
            let engine = program(folder.path(), script);
            let job = "x".repeat(1_000_000);
            let outcome = engine.typeset(&job).await;
            assert_eq!(outcome, Err(Refusal::DocumentEngineFailed), "{script}");
        }
        let missing = Engine::new(Some(folder.path().join("missing")));
        let outcome = missing.typeset("{}").await;
        assert_eq!(outcome, Err(Refusal::DocumentEngineMissing));
        let nowhere = Engine {
            program: None,
            turns: Semaphore::new(MAX_RUNS),
        };
        let outcome = nowhere.typeset("{}").await;
        assert_eq!(outcome, Err(Refusal::DocumentEngineMissing));
    }

    #[tokio::test]
    async fn a_program_whose_request_is_gone_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        // Whoever reads the pipe learns that the program runs, then, at its end, that it is gone.
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let script = format!("exec 3> {}; echo >&3; while :; do :; done", pipe.display());
        let engine = program(folder.path(), &script);
        let (begun, begins) = tokio::sync::oneshot::channel();
        let watched = tokio::task::spawn_blocking(move || {
            let mut pipe = fs::File::open(pipe)?;
            let mut line = [0];
            std::io::Read::read_exact(&mut pipe, &mut line)?;
            _ = begun.send(());
            std::io::Read::read_to_end(&mut pipe, &mut Vec::new())
        });
        tokio::select! {
            outcome = engine.typeset("{}") => panic!("it ends: {outcome:?}"),
            begun = begins => begun.unwrap(),
        }
        let rest = timeout(MAX_RUN, watched).await.expect("it is killed");
        assert_eq!(rest.unwrap().unwrap(), 0);
    }
}
