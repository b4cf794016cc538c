//! Whole lives of a convention and of an operator's records, over the three services, while everything around them fails as a
//! seed says: requests and answers are lost, batches come twice and out of order, services die before and after a commit,
//! the database restarts, followers start again from an earlier place, clocks move. After every step what must always hold is
//! looked at, and at the end that nothing is missing anywhere.
//!
//! A seed chooses what happens; the machine decides how long it takes. A seed that fails is printed with its steps, and
//! `script/simulate --from SEED --seeds 1` plays it again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a simulation that cannot go on must fail"
)]

#[path = "../flows/books.rs"]
mod books;
mod clock;
mod faults;
mod laws;
mod pushing;
mod run;
mod world;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

/// Seeds played unless `SIMULATION_SEEDS` says otherwise.
const SEEDS: u64 = 4;
/// The first one unless `SIMULATION_FROM` says otherwise.
const FROM: u64 = 1;
/// Seeds played at once, unless `SIMULATION_AT_ONCE` says otherwise.
const AT_ONCE: u64 = 2;

fn given(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |given| given.parse().expect("a number"))
}

#[test]
fn whatever_fails_nothing_is_lost_and_nothing_is_done_twice() {
    let from = given("SIMULATION_FROM", FROM);
    let seeds = given("SIMULATION_SEEDS", SEEDS);
    let end = from + seeds;
    let next = Arc::new(AtomicU64::new(from));
    let broken = Arc::new(AtomicUsize::new(0));
    let failed = Arc::new(Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..given("SIMULATION_AT_ONCE", AT_ONCE))
        .map(|_| {
            let (next, failed) = (Arc::clone(&next), Arc::clone(&failed));
            let broken = Arc::clone(&broken);
            thread::spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= end {
                        return;
                    }
                    match run::play(seed) {
                        Ok(played) => {
                            let (steps, commits) = (played.steps, played.broken);
                            println!("seed {seed}: {steps} steps, {commits} commits broken");
                            broken.fetch_add(commits, Ordering::SeqCst);
                        }
                        Err(story) => {
                            eprintln!(
                                "seed {seed} FAILED; again: script/simulate --from {seed} --seeds 1\n{story}"
                            );
                            failed.lock().unwrap().push(seed);
                        }
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let failed = failed.lock().unwrap();
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    // Faults that pass everything by would prove nothing; one seed alone may have none.
    let broken = broken.load(Ordering::SeqCst);
    assert!(broken > 0 || seeds < SEEDS, "no commit was broken");
}
