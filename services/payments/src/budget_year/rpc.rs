//! Budget years over gRPC.

use nonrecours_contracts::payments::{
    BudgetYear as Wire, CloseBudgetYearRequest, GetBudgetYearRequest,
    budget_year_service_server::{BudgetYearService, BudgetYearServiceServer},
};
use nonrecours_kernel::{
    BudgetYear, BudgetYearName, ConventionName, Money, Text, french_date, paris_date,
};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Failure, etag, field, open};
use time::Date;
use tonic::{Code, Request, Response, Status};

use super::{BudgetYearView, store, wire::budget_year};
use crate::{
    error::{DOMAIN, Error},
    payment_plan, slip,
};

/// The rpcs about budget years.
pub struct BudgetYears {
    db: Db,
}

impl BudgetYears {
    /// Serves them over the service's database.
    pub fn server(db: Db) -> BudgetYearServiceServer<Self> {
        BudgetYearServiceServer::new(Self { db })
    }

    async fn get(&self, request: Request<GetBudgetYearRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BudgetYearName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let view = store::get(&mut tx, &name).await?;
        Ok(budget_year(&view, paris_date(tx.now())))
    }

    async fn close(&self, request: Request<CloseBudgetYearRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BudgetYearName = field("name", &request.name)?;
        let mut check = Check::of(&request);
        let next = BudgetYear::new(i32::from(name.year.get()) + 1);
        let next = check.take("name", next);
        let next = check.finish(|| next)?;
        let scope = caller.scope();
        let mut tx = self.db.begin(&scope).await?;
        // The root of all that is numbered in the year: no slip is issued on it meanwhile.
        slip::store::lock_register(&mut tx, name.programme.programme, name.year).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let view = store::get(&mut tx, &name).await?;
        let revision = view.closing.as_ref().map_or(0, |closing| closing.revision);
        etag::check(&request.etag, revision)?;
        let (now, today) = (tx.now(), paris_date(tx.now()));
        if view.is_open(today) {
            return Err(still_open(&view).into());
        }
        let mut carried = (0_i32, Money::ZERO);
        for (convention, count, amount) in store::to_carry(&mut tx, &name).await? {
            carry(&mut tx, &convention, next).await?;
            let sum = carried.1.checked_add(amount);
            carried = (
                carried.0.saturating_add(count),
                sum.ok_or_else(|| Failure::bug("what is carried over is beyond all amounts"))?,
            );
        }
        let closed = view.close(carried, scope.actor(), now);
        if let Some(closing) = &closed {
            store::close(&mut tx, &name, closing).await?;
        }
        let message = budget_year(&store::get(&mut tx, &name).await?, today);
        if closed.is_none() {
            return Ok(tx.answer(&request, message).await?);
        }
        let change = Change {
            kind: "budget_year.closed",
            operator: None,
            name: &name.to_string(),
            revision: message.revision,
        };
        Ok(tx.finish(&request, change, message).await?)
    }
}

/// Carries a plan over, and tells of it.
async fn carry(tx: &mut Tx, convention: &ConventionName, year: BudgetYear) -> Result<(), Error> {
    payment_plan::store::lock(tx, convention).await?;
    let gone = || Failure::bug("an instalment without its plan");
    let plan = payment_plan::store::get(tx, convention).await?;
    let plan = plan.ok_or_else(gone)?.carry_over(year, tx.now());
    payment_plan::store::update(tx, &plan).await?;
    let entry = payment_plan::rpc::entry("payment_plan.carried_over", &plan);
    Ok(tx.record_all(&[entry]).await?)
}

fn still_open(view: &BudgetYearView) -> Failure {
    let last = view.last_day().unwrap_or(Date::MAX);
    Failure::new(
        Code::FailedPrecondition,
        DOMAIN,
        "BUDGET_YEAR_OPEN",
        Text::new(
            format!("Orders go on this budget year until {last}."),
            format!(
                "Des mandats peuvent encore être émis sur cet exercice jusqu'au {} : il se clôt ensuite.",
                french_date(last)
            ),
        ),
    )
}

#[tonic::async_trait]
impl BudgetYearService for BudgetYears {
    async fn get_budget_year(
        &self,
        request: Request<GetBudgetYearRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn close_budget_year(
        &self,
        request: Request<CloseBudgetYearRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.close(request).await?))
    }
}
