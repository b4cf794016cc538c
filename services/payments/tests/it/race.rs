//! Several at once: the money moves once.
//!
//! The requests meet at a gate, the rows they need, held from outside until every one of them waits in the database:
//! whatever each has read before, it has read too early to know of the others.

use std::time::Duration;

use nonrecours_contracts::payments::{
    Account, Instalment, InstalmentState, instalment_service_client::InstalmentServiceClient,
};
use nonrecours_kernel::Role;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tonic::Status;

use crate::world::{World, call, confirm, euros, reason};

/// How many do the same thing at once.
const AT_ONCE: usize = 6;
/// How often the gate is looked at, and for how long: less than a request waits for a lock.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS: usize = 200;

/// Holds the plan and the instalments of this test's database.
struct Gate {
    owner: PgPool,
    held: Transaction<'static, Postgres>,
}

impl Gate {
    async fn close(world: &World) -> Self {
        let owner = world.db.owner().await;
        let mut held = owner.begin().await.unwrap();
        lock(&mut held, "SELECT FROM payment_plan FOR UPDATE").await;
        lock(&mut held, "SELECT FROM instalment FOR UPDATE").await;
        Self { owner, held }
    }

    /// Opens when all wait.
    async fn open(self) {
        for _ in 0..LOOKS {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
                 WHERE NOT granted AND datname = current_database()",
            )
            .fetch_one(&self.owner)
            .await
            .unwrap();
            if usize::try_from(waiting).unwrap() == AT_ONCE {
                self.held.rollback().await.unwrap();
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("not all requests came to wait");
    }
}

async fn lock(connection: &mut PgConnection, sql: &'static str) {
    sqlx::query(sql).execute(connection).await.unwrap();
}

/// What became of requests that all met at the gate.
async fn at_once<F>(
    world: &World,
    requests: impl Iterator<Item = F>,
) -> Vec<Result<Instalment, Status>>
where
    F: Future<Output = Result<Instalment, Status>> + Send + 'static,
{
    let gate = Gate::close(world).await;
    let tasks: Vec<_> = requests.map(tokio::spawn).collect();
    gate.open().await;
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn the_same_request_many_times_at_once_is_done_once() {
    let world = World::start().await;
    let other = world.instance().await;
    let agreed = world.agreed().await;
    let request = call(&agreed.advance.name);
    let token = world.tokens.manager(agreed.operator);
    let requests = (0..AT_ONCE).map(|index| {
        let service = if index % 2 == 0 {
            &world.service
        } else {
            &other
        };
        let mut client = InstalmentServiceClient::new(service.channel(token.clone()));
        let request = request.clone();
        async move { Ok(client.call_instalment(request).await?.into_inner()) }
    });
    let outcomes = at_once(&world, requests).await;
    let stored = world.instalment(&agreed.advance.name).await;
    assert_eq!(stored.revision, 2);
    for outcome in outcomes {
        assert_eq!(outcome.unwrap(), stored);
    }
}

#[tokio::test]
async fn of_several_accountants_confirming_at_once_one_pays() {
    let world = World::start().await;
    let agreed = world.agreed().await;
    world.advance(&agreed.advance.name, 3).await;
    let requests = (0..AT_ONCE).map(|index| {
        let subject = format!("accountant-{index}");
        let token = world.tokens.token(&subject, &[Role::Accountant], None);
        let mut client = world.instalments(token);
        let request = confirm(&agreed.advance.name, &world.clock);
        async move { Ok(client.confirm_instalment(request).await?.into_inner()) }
    });
    let outcomes = at_once(&world, requests).await;
    let (paid, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(paid.len(), 1);
    for outcome in refused {
        assert_eq!(reason(outcome), "INSTALMENT_NOT_ORDERED");
    }
    let stored = world.instalment(&agreed.advance.name).await;
    assert_eq!(stored.state(), InstalmentState::Paid);
    assert_eq!(paid.into_iter().next().unwrap().unwrap(), stored);
    let payments: Vec<_> = world
        .entries(&agreed.convention)
        .await
        .into_iter()
        .filter(|entry| entry.credit() == Account::Treasury)
        .map(|entry| entry.amount.unwrap())
        .collect();
    assert_eq!(payments, [euros(920_000)]);
    let plan = world.plan(&agreed.convention).await;
    assert_eq!((plan.paid_amount, plan.revision), (Some(euros(920_000)), 2));
}

#[tokio::test]
async fn two_instances_that_follow_open_each_plan_once() {
    let world = World::start().await;
    let _other = world.instance().await;
    let operator = world.operator();
    let conventions: Vec<_> = (0..AT_ONCE).map(|_| world.convention(operator)).collect();
    for convention in conventions.iter().chain(&conventions) {
        world.tell(convention);
    }
    let last = format!("{}/paymentPlan", conventions.last().unwrap().name);
    let changes = world.changes_until("payment_plan.opened", &last).await;
    let opened = changes
        .iter()
        .filter(|change| change.kind == "payment_plan.opened");
    assert_eq!(opened.count(), AT_ONCE);
    for convention in &conventions {
        let name = convention.name.parse().unwrap();
        assert_eq!(world.schedule(&name).await.len(), 2);
    }
}
