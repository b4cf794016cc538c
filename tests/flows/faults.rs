//! Faults of the world around the services, as processes on a durable PostgreSQL: each strikes in the middle of steps of the
//! journey, whose clients send again what they are told to send again. What users meet is a refusal that says when to come
//! back; nothing is lost, nothing is done twice, and nobody has to help.

use std::{collections::BTreeSet, time::Duration};

use nonrecours_cli::{
    client::Client,
    journey::{Cast, Facts, Journey, Step},
};
use nonrecours_contracts::{
    conventions::ListProgrammesRequest, followup::ListBeneficiariesRequest,
    payments::ListLedgerEntriesRequest,
};
use nonrecours_kernel::OperatorName;
use nonrecours_rpc::details::Details;
use nonrecours_testkit::Link;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tonic::{Code, Request, Status};

use crate::{
    books, doubles,
    processes::{Layout, Processes, SERVICES},
    undisturbed,
};

/// Steps during which a fault strikes: a call for money with its papers, a push, and the last payment with its
/// consequences.
const STRUCK: [Step; 3] = [Step::CallAdvance, Step::PushRecords, Step::PayBalance];
/// The longest that a witness waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest time until a fault is noticed by all services, and until all serve again once it is over.
const LIMIT: Duration = Duration::from_secs(40);

/// How long a fault lasts once it was noticed: two seconds, or what `FAULT_SECONDS` says.
fn lasting() -> Duration {
    let given = std::env::var("FAULT_SECONDS").ok();
    let seconds = given.map_or(2, |given| given.parse().expect("a number of seconds"));
    Duration::from_secs(seconds)
}

/// Somebody who asks each service and takes the first answer for an answer.
struct Witness {
    auditor: Client,
    software: Client,
    operator: String,
    convention: String,
}

impl Witness {
    fn of(cast: &Cast, facts: &Facts) -> Self {
        let operator: OperatorName = facts.operator.parse().unwrap();
        Self {
            auditor: cast.auditor().unwrap(),
            software: cast.software(operator.operator).unwrap(),
            operator: facts.operator.clone(),
            convention: facts.convention.clone(),
        }
    }

    async fn ask(&self, service: &str) -> Result<(), Status> {
        fn patient<T>(message: T) -> Request<T> {
            let mut request = Request::new(message);
            request.set_timeout(PATIENCE);
            request
        }
        match service {
            "conventions" => {
                let request = patient(ListProgrammesRequest::default());
                let mut programmes = self.auditor.programmes();
                programmes.list_programmes(request).await.map(drop)
            }
            "followup" => {
                let request = patient(ListBeneficiariesRequest {
                    parent: self.operator.clone(),
                    ..Default::default()
                });
                let mut beneficiaries = self.software.beneficiaries();
                beneficiaries.list_beneficiaries(request).await.map(drop)
            }
            _ => {
                let request = patient(ListLedgerEntriesRequest {
                    parent: self.convention.clone(),
                    ..Default::default()
                });
                let mut ledger = self.auditor.ledger();
                ledger.list_ledger_entries(request).await.map(drop)
            }
        }
    }

    /// Asks a service until it refuses; says with which code.
    async fn refused_by(&self, service: &str) -> Code {
        let asking = async {
            loop {
                if let Err(status) = self.ask(service).await {
                    return told(&status);
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let refused = timeout(LIMIT, asking).await;
        refused.unwrap_or_else(|_| panic!("{service} notices"))
    }

    /// Asks every service until each has refused.
    async fn refused(&self) -> BTreeSet<i32> {
        let [one, two, three] = SERVICES.map(|service| self.refused_by(service));
        let (one, two, three) = tokio::join!(one, two, three);
        [one, two, three].map(|code| code as i32).into()
    }

    /// Asks every service until each has answered; meanwhile they refuse as they should.
    async fn served(&self) {
        let asking = async {
            for service in SERVICES {
                while let Err(status) = self.ask(service).await {
                    told(&status);
                    sleep(Duration::from_millis(50)).await;
                }
            }
        };
        timeout(LIMIT, asking).await.expect("all serve again");
    }
}

/// A refusal that a fault of the world may bring: its code is one of three, and where the service itself says it, it says
/// when to come back.
fn told(status: &Status) -> Code {
    let details = Details::of(status);
    let code = status.code();
    assert!(
        matches!(
            code,
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted
        ),
        "{status:?}"
    );
    assert_eq!(
        details.retry.is_some(),
        !details.reason.is_empty(),
        "{status:?}"
    );
    code
}

/// Plays the journey with a fault during these steps, and compares what it leaves.
async fn journey(
    mut processes: Processes,
    steps: &[Step],
    mut fault: impl AsyncFnMut(&mut Processes, &Witness),
) -> Processes {
    let mut journey = Journey::new(processes.cast.clone(), None).unwrap();
    for step in Step::ALL {
        let played = if steps.contains(&step) {
            let witness = Witness::of(&processes.cast, &journey.facts);
            let striking = async {
                fault(&mut processes, &witness).await;
                witness.served().await;
            };
            tokio::join!(journey.play(step), striking).0
        } else {
            journey.play(step).await
        };
        if let Err(error) = played {
            panic!("{step:?}: {error:#}\n{}", processes.faults());
        }
    }
    assert_eq!(processes.faults(), "", "none of it is a fault of theirs");
    doubles::assert_none(&processes).await;
    let books = books::read(&processes.cast, &journey.facts).await;
    assert_eq!(&books, undisturbed::books().await);
    processes
}

/// A folder for a PostgreSQL that is to be started again on it, which its account can enter.
fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

/// All services, with ways between them, on a durable PostgreSQL in this folder.
fn durable(folder: &TempDir) -> Layout {
    Layout {
        proxied: true,
        data: Some(folder.path().join("postgres")),
        ..Layout::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_killed() {
    let folder = folder();
    let processes = Processes::lay_out(durable(&folder)).await;
    journey(processes, &STRUCK, async |processes, witness| {
        let home = processes.kill_postgres().await;
        witness.refused().await;
        sleep(lasting()).await;
        processes.restart_postgres(home).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_cut_off() {
    let folder = folder();
    let processes = Processes::lay_out(durable(&folder)).await;
    journey(processes, &STRUCK, async |processes, witness| {
        processes.ways().database.set(Link::Cut);
        let codes = witness.refused().await;
        assert_eq!(codes, [Code::Unavailable as i32].into());
        sleep(lasting()).await;
        processes.ways().database.set(Link::Open);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_silent() {
    let folder = folder();
    let processes = Processes::lay_out(Layout {
        settings: vec![("REQUEST_TIMEOUT_MS", "2000".to_owned())],
        ..durable(&folder)
    })
    .await;
    journey(processes, &STRUCK, async |processes, witness| {
        processes.ways().database.set(Link::Silent);
        let codes = witness.refused().await;
        // Whoever finds a session that has ended meanwhile is told so.
        let may = [Code::DeadlineExceeded as i32, Code::Unavailable as i32];
        assert!(codes.is_subset(&may.into()), "{codes:?}");
        assert!(
            codes.contains(&(Code::DeadlineExceeded as i32)),
            "{codes:?}"
        );
        sleep(lasting()).await;
        processes.ways().database.set(Link::Open);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_slow() {
    let folder = folder();
    let processes = Processes::lay_out(Layout {
        settings: vec![("REQUEST_TIMEOUT_MS", "2000".to_owned())],
        ..durable(&folder)
    })
    .await;
    journey(processes, &STRUCK, async |processes, witness| {
        // Slow, and all is answered.
        processes
            .ways()
            .database
            .set(Link::Slow(Duration::from_millis(20)));
        witness.served().await;
        // So slow that nothing is answered in time.
        processes
            .ways()
            .database
            .set(Link::Slow(Duration::from_millis(800)));
        let codes = witness.refused().await;
        assert_eq!(codes, [Code::DeadlineExceeded as i32].into());
        sleep(lasting()).await;
        processes.ways().database.set(Link::Open);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_services_are_cut_off_from_each_other() {
    let folder = folder();
    let processes = Processes::lay_out(durable(&folder)).await;
    let steps = [Step::OpenPlan, Step::Report, Step::PayBalance];
    let mut links = [Link::Cut, Link::Silent].into_iter().cycle();
    let processes = journey(processes, &steps, async |processes, witness| {
        let link = links.next().unwrap();
        for way in processes.ways().peers.values() {
            way.set(link);
        }
        // Each goes on by itself.
        for service in SERVICES {
            witness.ask(service).await.unwrap();
        }
        sleep(lasting()).await;
        for service in SERVICES {
            witness.ask(service).await.unwrap();
        }
        for way in processes.ways().peers.values() {
            way.set(Link::Open);
        }
    })
    .await;
    let logged = processes.logged();
    let missed = |line: &&String| line.contains("following a feed failed");
    assert!(logged.iter().filter(missed).count() >= SERVICES.len());
}

/// Many more requests at once than a service takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_overrun() {
    const TAKEN: usize = 8;
    const ASKED: usize = 10 * TAKEN;
    let processes = Processes::lay_out(Layout {
        proxied: true,
        settings: vec![("MAX_IN_FLIGHT", TAKEN.to_string())],
        ..Layout::default()
    })
    .await;
    let auditor = processes.cast.auditor().unwrap();
    let ask = async || {
        let mut programmes = auditor.programmes();
        let request = ListProgrammesRequest::default();
        programmes.list_programmes(request).await.map(drop)
    };
    let ready = async {
        while ask().await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LIMIT, ready).await.expect("it serves");
    // What is in hand stays in hand until most have asked.
    let database = &processes.ways().database;
    database.set(Link::Silent);
    let mut storm = tokio::task::JoinSet::new();
    for _ in 0..ASKED {
        let mut programmes = auditor.programmes();
        storm.spawn(async move {
            let request = ListProgrammesRequest::default();
            programmes.list_programmes(request).await.map(drop)
        });
    }
    let (mut shed, mut answered) = (0, 0);
    while let Some(asked) = storm.join_next().await {
        match asked.unwrap() {
            Ok(()) => answered += 1,
            Err(status) => {
                // On a slow machine the storm outlasts what a request waits for the database.
                if told(&status) == Code::ResourceExhausted {
                    assert_eq!(Details::of(&status).reason, "OVERLOADED");
                    shed += 1;
                }
            }
        }
        if shed == ASKED / 2 {
            database.set(Link::Open);
        }
    }
    assert!(shed >= ASKED / 2, "{shed} shed");
    assert!(answered > 0, "what it took, it answers");
    ask().await.expect("the next one is served at once");
    assert_eq!(processes.faults(), "");
}

/// Needs the right to mount a small file system.
#[cfg(feature = "full-disk")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_of_postgresql_is_full() {
    use std::{io::Write as _, process::Command};

    use nonrecours_contracts::conventions::CreateProgrammeRequest;

    /// The programme there is, as one more.
    async fn another_programme(officer: &Client) -> CreateProgrammeRequest {
        let request = ListProgrammesRequest::default();
        let page = officer.programmes().list_programmes(request).await;
        let mut programme = page.unwrap().into_inner().programmes.remove(0);
        programme.name.clear();
        let request_id = nonrecours_testkit::request_id();
        // No two have one name, over both faults.
        programme.display_name = format!("Programme {request_id}");
        CreateProgrammeRequest {
            programme: Some(programme),
            request_id,
        }
    }
    /// A file system of its own, unmounted at the end.
    struct SmallDisk(TempDir);
    impl Drop for SmallDisk {
        fn drop(&mut self) {
            let mut umount = Command::new("umount");
            umount.arg("--lazy").arg(self.0.path());
            assert!(umount.status().unwrap().success());
        }
    }
    let disk = folder();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=320m,mode=755", "nonrecours"]);
    let mounted = mount.arg(disk.path()).status().unwrap();
    assert!(mounted.success(), "only root may mount");
    let disk = SmallDisk(disk);

    let processes = Processes::lay_out(durable(&disk.0)).await;
    let ballast = disk.0.path().join("ballast");
    let steps = [Step::PushRecords, Step::PayBalance];
    journey(processes, &steps, async |processes, witness| {
        // The log of transactions has room to go on: a new segment, which the checkpoint begins to write.
        let url = processes.postgres().superuser_url("postgres");
        let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&url)
            .await
            .unwrap();
        for statement in ["SELECT pg_switch_wal()", "CHECKPOINT"] {
            sqlx::query(statement).execute(&mut admin).await.unwrap();
        }
        let mut file = std::fs::File::create(&ballast).unwrap();
        let piece = vec![1; 4096];
        while file.write_all(&piece).is_ok() {}
        drop(file);
        // Somebody writes until there is no room for it.
        let writing = async {
            let officer = processes.cast.officer().unwrap();
            loop {
                let request = another_programme(&officer).await;
                if let Err(status) = officer.programmes().create_programme(request).await {
                    return told(&status);
                }
            }
        };
        assert_eq!(timeout(LIMIT, writing).await.unwrap(), Code::Unavailable);
        sleep(lasting()).await;
        std::fs::remove_file(&ballast).unwrap();
        witness.served().await;
        let log = processes.postgres().home().join("server.log");
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.contains("No space left on device") && !log.contains("PANIC"));
    })
    .await;
}
