//! Plans over gRPC.

use nonrecours_contracts::payments::{
    GetPaymentPlanRequest, GetStatementOfPaymentsRequest, InstalmentKind, ListPaymentPlansRequest,
    ListPaymentPlansResponse, PaymentPlan as Wire, PaymentPlanState, PaymentTerm, StatementLine,
    StatementOfPayments,
    payment_plan_service_server::{PaymentPlanService, PaymentPlanServiceServer},
};
use nonrecours_kernel::{Money, OperatorName, PaymentPlanName, paris_date};
use nonrecours_pg::{Change, Db, Entry};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{to_date, to_money, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};

use super::{Mismatch, PaymentPlan, State, statement::Statement, store};
use crate::{
    error::Error,
    instalment::{self, Instalment, Kind, Paid, Schedule},
};

/// Parent of a list over every operator that the caller may see.
const EVERY_OPERATOR: &str = "operators/-";

/// The rpcs about plans.
pub struct PaymentPlans {
    db: Db,
}

impl PaymentPlans {
    /// Serves them over the service's database.
    pub fn server(db: Db) -> PaymentPlanServiceServer<Self> {
        PaymentPlanServiceServer::new(Self { db })
    }

    async fn get(&self, request: Request<GetPaymentPlanRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: PaymentPlanName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut tx = self.db.read(&scope).await?;
        let plan = store::get(&mut tx, &name.parent())
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        Ok(plan.into())
    }

    async fn statement(
        &self,
        request: Request<GetStatementOfPaymentsRequest>,
    ) -> Result<StatementOfPayments, Error> {
        let (caller, request) = open(request)?;
        let name: PaymentPlanName = field("name", &request.name)?;
        let scope = caller.reach(name.operator())?;
        let mut tx = self.db.read(&scope).await?;
        let schedule = instalment::store::schedule(&mut tx, &name.parent())
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        Ok(stated(&schedule, paris_date(tx.now()))?)
    }

    async fn list(
        &self,
        request: Request<ListPaymentPlansRequest>,
    ) -> Result<ListPaymentPlansResponse, Error> {
        let (caller, request) = open(request)?;
        let scope = match request.parent.as_str() {
            EVERY_OPERATOR => caller.scope(),
            parent => caller.reach(field::<OperatorName>("parent", parent)?.operator())?,
        };
        Check::of(&request).finish(|| Some(()))?;
        let of = scope.operator().map_or_else(
            || EVERY_OPERATOR.to_owned(),
            |operator| operator.to_string(),
        );
        let page = Page::read(
            &["ListPaymentPlans", &of],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let plans = store::list(&mut tx, scope.operator(), page.after()?, page.limit()).await?;
        let (plans, next_page_token) =
            page.cut(plans, |plan| plan.convention.convention.to_string());
        Ok(ListPaymentPlansResponse {
            payment_plans: plans.into_iter().map(Wire::from).collect(),
            next_page_token,
        })
    }
}

/// The change of a plan.
pub(crate) fn entry(kind: &'static str, plan: &PaymentPlan) -> Entry {
    let change = Change {
        kind,
        operator: Some(plan.convention.operator),
        name: &plan.name().to_string(),
        revision: plan.revision,
    };
    Entry::new(change, &Wire::from(plan.clone()))
}

/// The statement of a plan as its readers see it.
pub(crate) fn stated(schedule: &Schedule, today: Date) -> Result<StatementOfPayments, Mismatch> {
    let statement = Statement::of(schedule)?;
    let (plan, text) = (&schedule.plan, statement.text());
    let line = |(one, paid): &(&Instalment, &Paid)| StatementLine {
        instalment: one.name.to_string(),
        kind: InstalmentKind::from(one.kind).into(),
        position: i32::from(one.position),
        amount: Some(to_money(one.amount)),
        transfer_date: Some(to_date(paid.transfer_date)),
        order: Some(instalment::wire::step(&paid.ordered.order)),
    };
    Ok(StatementOfPayments {
        payment_plan: plan.name().to_string(),
        convention_title: plan.title.clone(),
        operator_legal_name: schedule.payee.legal_name.clone(),
        budget_year: i32::from(plan.budget_year.get()),
        statement_date: Some(to_date(today)),
        grant_amount: Some(to_money(plan.grant)),
        payments: statement.payments.iter().map(line).collect(),
        paid_amount: Some(to_money(plan.paid)),
        due_amount: Some(to_money(statement.due)),
        remaining_amount: Some(to_money(statement.remaining)),
        to_recover_amount: Some(to_money(statement.to_recover)),
        sentence_fr: text.fr.into_owned(),
        sentence_en: text.en.into_owned(),
    })
}

impl From<PaymentPlan> for Wire {
    fn from(plan: PaymentPlan) -> Self {
        let state = match plan.state() {
            State::Open => PaymentPlanState::Open,
            State::Settled => PaymentPlanState::Settled,
        };
        let (due, to_recover) = (plan.due(), plan.to_recover());
        let charged = plan.charged_year();
        let term = |&(kind, amount): &(Kind, Money)| PaymentTerm {
            kind: InstalmentKind::from(kind).into(),
            amount: Some(to_money(amount)),
        };
        Self {
            name: plan.name().to_string(),
            convention: plan.convention.to_string(),
            convention_title: plan.title,
            budget_year: i32::from(plan.budget_year.get()),
            grant_amount: Some(to_money(plan.grant)),
            paid_amount: Some(to_money(plan.paid)),
            state: state.into(),
            convention_revision: plan.convention_revision,
            actions_completed: plan.actions_completed,
            revision: plan.revision,
            create_time: Some(to_timestamp(plan.create_time)),
            update_time: Some(to_timestamp(plan.update_time)),
            etag: etag::of(plan.revision),
            suspended: plan.measures.suspended,
            terminated: plan.measures.terminated,
            due_amount: Some(to_money(due)),
            to_recover_amount: Some(to_money(to_recover)),
            claimed_amount: Some(to_money(plan.recovered.claimed)),
            recovered_amount: Some(to_money(plan.recovered.received)),
            written_off_amount: Some(to_money(plan.recovered.written_off)),
            period_start_date: plan.period.map(|period| to_date(period.first)),
            period_end_date: plan.period.map(|period| to_date(period.last)),
            charged_budget_year: i32::from(charged.get()),
            terms: plan.terms.iter().map(term).collect(),
        }
    }
}

#[tonic::async_trait]
impl PaymentPlanService for PaymentPlans {
    async fn get_payment_plan(
        &self,
        request: Request<GetPaymentPlanRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn get_statement_of_payments(
        &self,
        request: Request<GetStatementOfPaymentsRequest>,
    ) -> Result<Response<StatementOfPayments>, Status> {
        Ok(Response::new(self.statement(request).await?))
    }

    async fn list_payment_plans(
        &self,
        request: Request<ListPaymentPlansRequest>,
    ) -> Result<Response<ListPaymentPlansResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
