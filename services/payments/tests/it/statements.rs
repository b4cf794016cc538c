//! How many statements a request costs: counted on the wire, between the service and its database.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use nonrecours_contracts::payments::{
    ExplainInstalmentsRequest, ListPaymentPlansRequest,
    explanation_service_client::ExplanationServiceClient,
    payment_plan_service_client::PaymentPlanServiceClient,
};
use nonrecours_testkit::Serving;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::world::World;

/// How often a request is counted.
const ATTEMPTS: usize = 5;

/// Passes the wire protocol of PostgreSQL on, and counts what is executed.
struct Counter {
    executed: Arc<AtomicUsize>,
    url: String,
}

impl Counter {
    /// Listens in front of the database of this URL.
    async fn before(url: &str) -> Self {
        let (rest, path) = url.rsplit_once('/').unwrap();
        let (credentials, server) = rest.rsplit_once('@').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let executed = Arc::new(AtomicUsize::new(0));
        let (server, counted) = (server.to_owned(), Arc::clone(&executed));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let database = TcpStream::connect(&server).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_database, to_database) = database.into_split();
                tokio::spawn(count(from_client, to_database, Arc::clone(&counted)));
                tokio::spawn(pass(from_database, to_client));
            }
        });
        Self {
            executed,
            url: format!("{credentials}@{here}/{path}"),
        }
    }

    /// What this gives, and how many statements it costs: the fewest of some attempts, for what the service does of its own
    /// now and then is counted too.
    async fn of(&self, mut done: impl AsyncFnMut() -> usize) -> (usize, usize) {
        let mut fewest = (0, usize::MAX);
        for _ in 0..ATTEMPTS {
            let before = self.executed.load(Ordering::Relaxed);
            let given = done().await;
            let cost = self.executed.load(Ordering::Relaxed) - before;
            fewest = (given, cost.min(fewest.1));
        }
        fewest
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // Ends with either side.
    drop(tokio::io::copy(&mut from, &mut to).await);
}

/// Messages of a client: the first without a type, then a type, a length and what it holds.
async fn count(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, executed: Arc<AtomicUsize>) {
    let mut first = true;
    loop {
        let mut head = Vec::new();
        if !first {
            let Ok(kind) = from.read_u8().await else {
                return;
            };
            // Execute of the extended protocol, Query of the simple one.
            if matches!(kind, b'E' | b'Q') {
                executed.fetch_add(1, Ordering::Relaxed);
            }
            head.push(kind);
        }
        first = false;
        let Ok(length) = from.read_u32().await else {
            return;
        };
        head.extend_from_slice(&length.to_be_bytes());
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        if from.read_exact(&mut body).await.is_err() {
            return;
        }
        head.append(&mut body);
        if to.write_all(&head).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_hundred_instalments_cost_as_many_statements_as_two() {
    let world = World::start().await;
    let operator = world.operator();
    let mut names = Vec::new();
    for _ in 0..50 {
        let convention = world.convention(operator);
        world.tell(&convention);
        names.push(convention.name);
    }
    let last = format!("{}/paymentPlan", names[49]);
    world.changes_until("payment_plan.opened", &last).await;
    let first = world.schedule(&names[0].parse().unwrap()).await[0]
        .name
        .clone();
    world.advance(&first, 4).await;

    let counter = Counter::before(world.db.app_url()).await;
    let service: Serving = world.instance_on(&counter.url).await;
    let token = || world.tokens.auditor();
    let mut explanations = ExplanationServiceClient::new(service.channel(token()));
    let mut explain = async |page_size| {
        let request = ExplainInstalmentsRequest {
            parent: operator.to_string(),
            page_size,
            ..Default::default()
        };
        let page = explanations.explain_instalments(request).await.unwrap();
        page.into_inner().explanations.len()
    };
    // The first opens a connection.
    explain(2).await;
    let (found, few) = counter.of(async || explain(2).await).await;
    assert_eq!(found, 2);
    let (found, many) = counter.of(async || explain(100).await).await;
    assert_eq!(found, 100);
    // What the instance does beside, as it starts, may be counted with the few.
    assert!(
        many <= few,
        "{many} statements of a page of 100, {few} of one of 2"
    );
    // Those of begin and commit, of the page, its schedules and its histories.
    assert!((5..=20).contains(&few), "{few}");

    let mut plans = PaymentPlanServiceClient::new(service.channel(token()));
    let mut list = async |page_size| {
        let request = ListPaymentPlansRequest {
            parent: operator.to_string(),
            page_size,
            ..Default::default()
        };
        let page = plans.list_payment_plans(request).await.unwrap();
        page.into_inner().payment_plans.len()
    };
    let (found, few) = counter.of(async || list(1).await).await;
    assert_eq!(found, 1);
    let (found, many) = counter.of(async || list(50).await).await;
    assert_eq!(found, 50);
    assert!(
        many <= few,
        "{many} statements of a list of 50, {few} of one of 1"
    );
    service.stop().await;
}
