//! Two instances of each service on one database: clients and peers meet now one, now the other; those that follow are
//! killed in the middle, and the others take over.

use nonrecours_cli::journey::{Journey, Step};
use sqlx::{Connection as _, PgConnection};

use crate::{
    books, doubles,
    processes::{Layout, Processes, SERVICES},
    undisturbed,
};

/// What an instance logs when it takes the lead.
const FOLLOWS: &str = "this instance follows the feed";
/// Sessions that hold a lead, in one database.
const LEADS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
async fn leads(processes: &Processes, service: &str) -> i64 {
    let mut connection = PgConnection::connect(&processes.postgres().superuser_url(service))
        .await
        .unwrap();
    sqlx::query_scalar(LEADS)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

/// Instances of each service that have taken the lead so far.
fn followed(processes: &Processes, service: &str) -> Vec<usize> {
    let logged = |number: &usize| processes.logged_by(service, *number).contains(FOLLOWS);
    (0..2).filter(logged).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_of_each_service_end_in_the_same_books_though_those_that_follow_are_killed() {
    let mut processes = Processes::lay_out(Layout {
        further: 1,
        proxied: true,
        ..Layout::default()
    })
    .await;
    let mut journey = Journey::new(processes.cast.clone(), None).unwrap();
    for step in Step::ALL {
        if step == Step::PayAdvance {
            // In the middle: the plan is open, the payment is not known in `conventions` yet.
            for service in SERVICES {
                assert_eq!(leads(&processes, service).await, 1, "{service}");
                let [active] = followed(&processes, service)[..] else {
                    panic!("one instance of {service} has followed");
                };
                processes.kill_instance(service, active).await;
            }
        }
        if let Err(error) = journey.play(step).await {
            panic!("{step:?}: {error:#}\n{}", processes.faults());
        }
    }
    assert_eq!(processes.faults(), "");
    for service in SERVICES {
        assert_eq!(leads(&processes, service).await, 1, "{service}");
        let followed = followed(&processes, service);
        assert_eq!(followed, [0, 1], "{service}: the other has taken over");
    }
    doubles::assert_none(&processes).await;
    let books = books::read(&processes.cast, &journey.facts).await;
    assert_eq!(&books, undisturbed::books().await);
}
