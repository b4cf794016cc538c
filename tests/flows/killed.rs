//! A service killed in the middle of any step, and started again: the books end the same.

use std::time::Duration;

use nonrecours_cli::journey::{Journey, Step};

use crate::{
    PRIVATE, books,
    processes::{Processes, SERVICES},
};

/// Moments after the beginning of a step at which a service is killed, in turn: before the first call arrives, while
/// it is in hand, while its answer or its consequences are on their way.
const MOMENTS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(3),
    Duration::from_millis(8),
    Duration::from_millis(15),
    Duration::from_millis(40),
];

async fn journey_with(killed: Option<&'static str>) -> books::Books {
    let mut processes = Processes::start().await;
    let mut journey = Journey::new(processes.cast.clone(), None).unwrap();
    for (number, step) in Step::ALL.into_iter().enumerate() {
        let playing = journey.play(step);
        let report = match killed {
            None => playing.await,
            Some(service) => {
                let mut moment = tokio::time::interval(
                    MOMENTS[number % MOMENTS.len()].max(Duration::from_micros(1)),
                );
                moment.tick().await;
                let killing = async {
                    moment.tick().await;
                    processes.kill_and_restart(service).await;
                };
                tokio::join!(playing, killing).0
            }
        };
        if let Err(error) = report {
            panic!(
                "{step:?} with {killed:?} killed: {error:#}\n{}",
                processes.faults()
            );
        }
    }
    assert_eq!(processes.faults(), "", "with {killed:?} killed");
    let logged = processes.logged();
    assert!(
        logged.iter().any(|line| line.contains("CallInstalment")),
        "calls are logged"
    );
    for private in PRIVATE {
        let told = logged.iter().find(|line| line.contains(private));
        assert_eq!(told, None, "{private} is in a log");
    }
    let books = books::read(&processes.cast, &journey.facts).await;
    books.check();
    books
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_any_service_at_any_step_ends_in_the_same_books() {
    let undisturbed = journey_with(None).await;
    for service in SERVICES {
        assert_eq!(
            journey_with(Some(service)).await,
            undisturbed,
            "{service} was killed at every step"
        );
    }
}
