//! Budgets over gRPC.

use nonrecours_contracts::{
    Mutation,
    conventions::{
        self as wire, CloseDeviationCaseRequest, GetBudgetRequest, PlanBudgetRequest,
        RecordRealisedBudgetRequest,
        budget_service_server::{BudgetService, BudgetServiceServer},
    },
};
use nonrecours_kernel::BudgetName;
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, etag, field, open};
use tonic::{Request, Response, Status};

use super::{
    domain::Budget,
    store,
    wire::{lines, message},
};
use crate::{convention, error::Error, programme, text::text};

/// The budget service.
pub struct Budgets {
    db: Db,
}

impl Budgets {
    /// Over the service's database.
    pub fn server(db: Db) -> BudgetServiceServer<Self> {
        BudgetServiceServer::new(Self { db })
    }

    async fn get(&self, request: Request<GetBudgetRequest>) -> Result<wire::Budget, Error> {
        let (caller, request) = open(request)?;
        let name: BudgetName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn plan(&self, request: Request<PlanBudgetRequest>) -> Result<wire::Budget, Error> {
        let (caller, request) = open(request)?;
        let name: BudgetName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let planned = lines(&mut check, "planned_lines", &request.planned_lines)
            .and_then(|lines| check.take("planned_lines", lines.balanced()));
        let planned = check.finish(|| planned)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let earlier = store::find(&mut tx, &name).await?;
        // Where there is none yet, an etag is that of nothing.
        etag::check(&request.etag, earlier.as_ref().map_or(0, |it| it.revision))?;
        let programme = convention.terms.framework_convention.parent();
        let programme = programme::store::get(&mut tx, &programme).await?;
        let threshold = programme.terms.deviation_rate;
        let budget = Budget::plan(earlier, &convention, planned, threshold, tx.now())?;
        if budget.revision == 1 {
            store::insert(&mut tx, &budget).await?;
        } else {
            store::update(&mut tx, &budget).await?;
        }
        finish(tx, &request, "budget.planned", &budget).await
    }

    async fn realise(
        &self,
        request: Request<RecordRealisedBudgetRequest>,
    ) -> Result<wire::Budget, Error> {
        let (caller, request) = open(request)?;
        let name: BudgetName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let realised = lines(&mut check, "realised_lines", &request.realised_lines)
            .and_then(|lines| check.take("realised_lines", lines.summable()));
        let realised = check.finish(|| realised)?;
        let mut tx = self.db.begin(&scope).await?;
        let convention = convention::store::lock(&mut tx, &name.parent()).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let budget = store::get(&mut tx, &name).await?;
        etag::check(&request.etag, budget.revision)?;
        let open_before = budget.open_case().is_some();
        let budget = budget.realise(&convention, realised, tx.now())?;
        store::update(&mut tx, &budget).await?;
        let kind = match (open_before, budget.open_case()) {
            (false, Some(_)) => "budget.deviation_opened",
            _ => "budget.realised",
        };
        finish(tx, &request, kind, &budget).await
    }

    async fn close_case(
        &self,
        request: Request<CloseDeviationCaseRequest>,
    ) -> Result<wire::Budget, Error> {
        let (caller, request) = open(request)?;
        let name: BudgetName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut check = Check::of(&request);
        let reason = check.take("reason", text(&request.reason));
        let reason = check.finish(|| reason)?;
        let mut tx = self.db.begin(&scope).await?;
        convention::store::lock(&mut tx, &name.parent()).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let budget = store::get(&mut tx, &name).await?;
        etag::check(&request.etag, budget.revision)?;
        let budget = budget.close_case(&caller.subject, reason, tx.now())?;
        store::update(&mut tx, &budget).await?;
        finish(tx, &request, "budget.deviation_closed", &budget).await
    }
}

#[tonic::async_trait]
impl BudgetService for Budgets {
    async fn get_budget(
        &self,
        request: Request<GetBudgetRequest>,
    ) -> Result<Response<wire::Budget>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn plan_budget(
        &self,
        request: Request<PlanBudgetRequest>,
    ) -> Result<Response<wire::Budget>, Status> {
        Ok(Response::new(self.plan(request).await?))
    }

    async fn record_realised_budget(
        &self,
        request: Request<RecordRealisedBudgetRequest>,
    ) -> Result<Response<wire::Budget>, Status> {
        Ok(Response::new(self.realise(request).await?))
    }

    async fn close_deviation_case(
        &self,
        request: Request<CloseDeviationCaseRequest>,
    ) -> Result<Response<wire::Budget>, Status> {
        Ok(Response::new(self.close_case(request).await?))
    }
}

async fn finish<Q: Mutation>(
    tx: Tx,
    request: &Q,
    kind: &'static str,
    budget: &Budget,
) -> Result<wire::Budget, Error> {
    let name = budget.name.to_string();
    let change = Change {
        kind,
        operator: Some(budget.name.operator),
        name: &name,
        revision: budget.revision,
    };
    Ok(tx.finish(request, change, message(budget)).await?)
}
