//! Budget years closed: around midnight between 31 January and 1 February, in Paris.

use nonrecours_contracts::payments::{
    BudgetYear, BudgetYearState, CloseBudgetYearRequest, GetBudgetYearRequest, InstalmentState,
    budget_year_service_client::BudgetYearServiceClient,
};
use nonrecours_kernel::ConventionName;
use nonrecours_rpc::{client::PeerChannel, convert::to_date, details::Details};
use nonrecours_testkit::request_id;
use time::macros::{date, datetime};
use tonic::Status;

use crate::{
    treasury::{Treasury, acquit, of_slip},
    world::{World, certify, confirm, euros, order, reason},
};

impl Treasury<'_> {
    fn years(&self, token: String) -> BudgetYearServiceClient<PeerChannel> {
        BudgetYearServiceClient::new(self.world.service.channel(token))
    }

    async fn year(&self, year: i32) -> BudgetYear {
        let request = GetBudgetYearRequest {
            name: format!("{}/budgetYears/{year}", self.programme),
        };
        let mut client = self.years(self.world.tokens.auditor());
        client.get_budget_year(request).await.unwrap().into_inner()
    }

    fn closing(&self, year: i32) -> CloseBudgetYearRequest {
        CloseBudgetYearRequest {
            name: format!("{}/budgetYears/{year}", self.programme),
            etag: String::new(),
            request_id: request_id(),
        }
    }

    async fn close_with(&self, request: CloseBudgetYearRequest) -> Result<BudgetYear, Status> {
        let mut client = self.years(self.world.tokens.authorising_officer());
        Ok(client.close_budget_year(request).await?.into_inner())
    }

    /// Closes a budget year as the authorising officer.
    pub async fn close(&self, year: i32) -> Result<BudgetYear, Status> {
        self.close_with(self.closing(year)).await
    }
}

fn blockers<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Vec<String> {
    let details = Details::of(&outcome.unwrap_err());
    let reasons = details.blocker_reasons();
    reasons.iter().map(|reason| (*reason).to_owned()).collect()
}

#[tokio::test]
async fn what_is_not_ordered_by_the_end_of_january_waits_for_the_closing() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let (early, late) = (treasury.agreed().await, treasury.agreed().await);
    for agreed in [&early, &late] {
        world.advance(&agreed.advance.name, 2).await;
    }
    world.clock.set(datetime!(2026-01-31 22:59:59 UTC));
    world.order(order(&early.advance.name)).await.unwrap();
    let slip = treasury.request(&[&early.advance.name]);
    let slip = treasury.issue(slip).await.unwrap();
    assert_eq!(slip.budget_year, 2025);
    let open = treasury.year(2025).await;
    assert_eq!(open.state(), BudgetYearState::Open);
    assert_eq!(open.last_order_date, Some(to_date(date!(2026 - 01 - 31))));
    // The order in the slip is with the accountant; the other advance and both balances are pending.
    assert_eq!(
        (open.pending_count, open.pending_amount.clone()),
        (3, Some(euros(1_380_000)))
    );
    let in_time: Vec<_> = open.pending.iter().map(|one| one.payable_in_time).collect();
    assert_eq!(in_time, [false, true, false]);
    assert_eq!(open.pending[1].instalment, late.advance.name);
    assert_eq!(open.pending[1].state(), InstalmentState::Certified);
    assert_eq!(reason(treasury.close(2025).await), "BUDGET_YEAR_OPEN");

    // Midnight in Paris.
    world.clock.set(datetime!(2026-01-31 23:00 UTC));
    let refused = world.order(order(&late.advance.name)).await;
    assert_eq!(blockers(refused), ["BUDGET_YEAR_CLOSED"]);
    // What is with the accountant is paid all the same.
    world
        .confirm(confirm(&early.advance.name, &world.clock))
        .await
        .unwrap();

    let request = treasury.closing(2025);
    let closed = treasury.close_with(request.clone()).await.unwrap();
    assert_eq!(closed.state(), BudgetYearState::Closed);
    assert_eq!(
        (closed.carried_count, closed.carried_amount.clone()),
        (3, Some(euros(1_380_000)))
    );
    assert_eq!((closed.pending_count, closed.pending.len()), (0, 0));
    assert_eq!(
        (closed.revision, closed.closer.as_str()),
        (1, "authorising-officer")
    );
    assert_eq!(treasury.close_with(request).await.unwrap(), closed);
    // Again: nothing is left to be carried over, nothing changes.
    assert_eq!(treasury.close(2025).await.unwrap(), closed);
    let stale = CloseBudgetYearRequest {
        etag: "0".to_owned(),
        ..treasury.closing(2025)
    };
    assert_eq!(reason(treasury.close_with(stale).await), "ETAG_MISMATCH");

    let plan = world.plan(&late.convention).await;
    assert_eq!((plan.budget_year, plan.charged_budget_year), (2025, 2026));
    world.order(order(&late.advance.name)).await.unwrap();
    let mut request = treasury.request(&[&late.advance.name]);
    request.budget_year = 2026;
    let slip = treasury.issue(request).await.unwrap();
    assert_eq!((slip.budget_year, slip.number), (2026, 1));
    // The year after is that of the pending balances.
    let next = treasury.year(2026).await;
    assert_eq!(next.pending_count, 2);
    let plan = format!("{}/paymentPlan", late.convention);
    world
        .changes_until("payment_plan.carried_over", &plan)
        .await;
    let year = format!("{}/budgetYears/2025", treasury.programme);
    world.changes_until("budget_year.closed", &year).await;
}

#[tokio::test]
async fn an_order_rejected_after_the_closing_is_carried_over_by_closing_again() {
    let world = World::start().await;
    let treasury = Treasury::open(&world).await;
    let name = treasury.ordered().await;
    let slip = treasury.issue(treasury.request(&[&name])).await.unwrap();
    world.clock.set(datetime!(2026-02-02 09:00 UTC));
    let convention: ConventionName = name
        .rsplit_once("/instalments/")
        .unwrap()
        .0
        .parse()
        .unwrap();
    // The balance is carried over, and the plan with it.
    let closed = treasury.close(2025).await.unwrap();
    assert_eq!(closed.carried_count, 1);
    let file = acquit(&slip.file_name, &of_slip(slip.number, 2, ""));
    treasury.import(&file).await.unwrap();
    // Rejected now: the plan is carried over already.
    let mut request = treasury.request(&[&name]);
    request.budget_year = 2026;
    let again = treasury.issue(request).await.unwrap();
    assert_eq!((again.budget_year, again.orders[0].piece), (2026, 1));
    assert_eq!(world.plan(&convention).await.charged_budget_year, 2026);

    // A convention that was late: learned, certified and ordered after the closing.
    let late = treasury.agreed().await;
    world.advance(&late.advance.name, 1).await;
    world.certify(certify(&late.advance.name)).await.unwrap();
    let refused = world.order(order(&late.advance.name)).await;
    assert_eq!(reason(refused), "PAYMENT_BLOCKED");
    let more = treasury.close(2025).await.unwrap();
    assert_eq!((more.revision, more.carried_count), (2, 3));
    world.order(order(&late.advance.name)).await.unwrap();
}

#[tokio::test]
async fn a_budget_year_is_named_by_its_year() {
    let world = World::start().await;
    let treasury = Treasury::bare(&world);
    let nothing = treasury.year(2031).await;
    assert_eq!((nothing.pending_count, nothing.revision), (0, 0));
    for wrong in ["x", "1999", "02025"] {
        let request = GetBudgetYearRequest {
            name: format!("{}/budgetYears/{wrong}", treasury.programme),
        };
        let outcome = treasury
            .years(world.tokens.auditor())
            .get_budget_year(request)
            .await;
        assert_eq!(reason(outcome), "INVALID_REQUEST");
    }
    let last = treasury.close(2100).await;
    assert_eq!(reason(last), "INVALID_REQUEST");
}
