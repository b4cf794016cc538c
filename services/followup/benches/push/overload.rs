//! Ten times as many callers as the service takes: how much of its best it still does, how long that takes, and how soon it is
//! itself again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use nonrecours_contracts::followup::{
    PushRecordsOnceRequest, push_service_client::PushServiceClient,
};
use nonrecours_rpc::{ServerConfig, client::PeerChannel, details::Details};

use crate::{
    pgbench::Run,
    report::{Report, decimal, ratio},
    rows::Rows,
    stage::Stage,
};

/// Programs that call, each on a connection of its own: as many in the calm as in the storm, since what one program sends at
/// once is stored together.
const PROGRAMS: usize = 128;
/// Callers of each program among whose numbers the best is looked for; the last is what an instance takes at once.
const CALM: [usize; 3] = [1, 2, 4];
/// How many times that come in the storm.
const TIMES: usize = 10;
/// Longest pause of a caller that is refused again and again: as `nonrecours import` pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Goals: of the best, in hundredths; and the slowest of a hundred answers in the storm, hundredths of a second.
const KEPT: u128 = 80;
const SLOWEST: u128 = 200;

/// What callers met.
#[derive(Default)]
struct Met {
    times: Vec<Duration>,
    refused: usize,
}

pub async fn storm(stage: &Stage, report: &mut Report, seconds: u64) {
    let limit = Duration::from_secs(seconds);
    stage.clear().await;
    let numbers = Arc::new(AtomicUsize::new(0));
    let (mut best, mut at) = (0, 0);
    for each in CALM {
        let callers = PROGRAMS * each;
        let (run, refused) = calls(stage, &numbers, callers, limit).await;
        assert_eq!(refused, 0, "{callers} are as many as it takes");
        println!("  {callers} callers: {} calls/s", run.rate);
        if run.rate > best {
            (best, at) = (run.rate, callers);
        }
    }
    let callers = TIMES * ServerConfig::default().max_in_flight;
    let (storm, refused) = calls(stage, &numbers, callers, limit).await;
    // The very next second.
    let (after, _) = calls(stage, &numbers, at, Duration::from_secs(1)).await;
    let of_best = |what: &str, run: &Run| {
        (
            format!("{what} / the best, at {at} callers"),
            ratio(run.rate, best),
            format!("{} and {best} calls/s", run.rate),
        )
    };
    let (what, measured, beside) = of_best(&format!("answered while {callers} call"), &storm);
    let beside = format!(
        "{beside}, {} refused a second",
        refused as u128 / u128::from(seconds)
    );
    report.at_least(&what, KEPT, measured, beside);
    report.at_most(
        &format!("answered while {callers} call: p99, s"),
        SLOWEST,
        storm.p99.as_millis() / 10,
        format!("{} ms", decimal(storm.p99.as_micros() / 10)),
    );
    let (what, measured, beside) = of_best("the second after", &after);
    report.at_least(&what, KEPT, measured, beside);
}

/// So many callers, each of which pushes a person and then the next one; who is refused comes back when it was told to, and
/// twice as late each further time.
async fn calls(
    stage: &Stage,
    numbers: &Arc<AtomicUsize>,
    callers: usize,
    limit: Duration,
) -> (Run, usize) {
    let mut running = tokio::task::JoinSet::new();
    let convention = stage.convention.to_string();
    let before = stage.count("beneficiary").await;
    let started = Instant::now();
    for program in 0..PROGRAMS {
        let client = stage.pushes_of(program);
        for _ in 0..callers / PROGRAMS {
            let (client, convention) = (client.clone(), convention.clone());
            running.spawn(call(
                client,
                convention,
                Arc::clone(numbers),
                started + limit,
            ));
        }
    }
    let mut all = Met::default();
    while let Some(met) = running.join_next().await {
        let met = met.unwrap();
        all.times.extend(met.times);
        all.refused += met.refused;
    }
    let stored = usize::try_from(stage.count("beneficiary").await - before).unwrap();
    assert_eq!(
        stored,
        all.times.len(),
        "what was answered is stored, and nothing else"
    );
    (Run::of(all.times, started.elapsed()), all.refused)
}

/// One caller, until its time is over.
async fn call(
    mut client: PushServiceClient<PeerChannel>,
    convention: String,
    numbers: Arc<AtomicUsize>,
    until: Instant,
) -> Met {
    let mut met = Met::default();
    while Instant::now() < until {
        let request = PushRecordsOnceRequest {
            convention: convention.clone(),
            records: vec![Rows::new(8, 1).record(numbers.fetch_add(1, Ordering::Relaxed))],
            ..PushRecordsOnceRequest::default()
        };
        let mut pause = Duration::ZERO;
        while Instant::now() < until {
            let called = Instant::now();
            let Err(status) = client.push_records_once(request.clone()).await else {
                met.times.push(called.elapsed());
                break;
            };
            met.refused += 1;
            let details = Details::of(&status);
            assert_eq!(details.reason, "OVERLOADED", "{status:?}");
            let told = details.retry.expect("it says when to come back");
            pause = (pause * 2).clamp(told, LONGEST_PAUSE);
            tokio::time::sleep(pause.min(until.saturating_duration_since(called))).await;
        }
    }
    met
}
