//! PostgreSQL's own bench, from the folder of its programs.

use std::{fs, process::Command, time::Duration};

use crate::{report::quantile, stage::Stage};

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

/// Runs a script for so many seconds by so many clients, each on a connection of its own with prepared statements.
pub async fn run(stage: &Stage, script: &str, clients: usize, seconds: u64) -> Run {
    let folder = stage.folder().join("pgbench");
    // What an earlier run has logged is not of this one.
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("script.sql");
    fs::write(&file, script).unwrap();
    let mut command = Command::new(stage.binaries.join("pgbench"));
    command
        .args(["--no-vacuum", "--protocol=prepared", "--log"])
        .arg(format!("--log-prefix={}", folder.join("log").display()))
        .arg(format!("--file={}", file.display()))
        .arg(format!("--client={clients}"))
        .arg(format!("--jobs={}", clients.min(2)))
        .arg(format!("--time={seconds}"))
        .arg(&stage.urls.owner_url);
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
