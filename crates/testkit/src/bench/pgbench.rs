//! PostgreSQL's own bench, from the folder of its programs.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::report::quantile;

/// Where a script runs.
pub struct Target<'a> {
    /// Folder of PostgreSQL's programs.
    pub binaries: &'a Path,
    /// A folder of its own, emptied before each run.
    pub folder: &'a Path,
    /// The database, under the role that runs it.
    pub url: &'a str,
}

/// What a run of calls gave.
pub struct Run {
    /// Calls a second.
    pub rate: u128,
    /// What 99 of 100 took at most.
    pub p99: Duration,
}

impl Run {
    /// From the time that each call took, of callers that never pause.
    pub fn of(mut times: Vec<Duration>, within: Duration) -> Self {
        Self {
            rate: times.len() as u128 * 1_000_000 / within.as_micros().max(1),
            p99: quantile(&mut times, 990),
        }
    }
}

/// Runs a script for so many seconds by so many clients, each on a connection of its own with prepared statements. A script
/// that counts does so in `i`, which is 0 for each client at first.
pub async fn run(target: &Target<'_>, script: &str, clients: usize, seconds: u64) -> Run {
    let folder = target.folder.join("pgbench");
    // What an earlier run has logged is not of this one.
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("script.sql");
    fs::write(&file, script).unwrap();
    let mut command = Command::new(target.binaries.join("pgbench"));
    command
        .args(["--no-vacuum", "--protocol=prepared", "--log"])
        .arg("--define=i=0")
        .arg(format!("--log-prefix={}", folder.join("log").display()))
        .arg(format!("--file={}", file.display()))
        .arg(format!("--client={clients}"))
        .arg(format!("--jobs={}", clients.min(2)))
        .arg(format!("--time={seconds}"))
        .arg(target.url);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut times = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            continue;
        }
        // A line a transaction; its third word is the time in microseconds.
        for line in fs::read_to_string(path).unwrap().lines() {
            let time = line.split(' ').nth(2).unwrap().parse().unwrap();
            times.push(Duration::from_micros(time));
        }
    }
    Run::of(times, Duration::from_secs(seconds))
}

/// So many callers, each of which calls again as soon as it is answered; all with what one of them has.
pub async fn calls<C, F>(in_flight: usize, seconds: u64, caller: impl FnOnce() -> C) -> Run
where
    C: FnMut() -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let limit = Duration::from_secs(seconds);
    let mut caller = caller();
    // The connection is there before the clock starts.
    caller().await;
    let started = Instant::now();
    let running: Vec<_> = (0..in_flight)
        .map(|_| {
            let mut caller = caller.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                while started.elapsed() < limit {
                    let called = Instant::now();
                    caller().await;
                    times.push(called.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for caller in running {
        times.extend(caller.await.unwrap());
    }
    Run::of(times, started.elapsed())
}
