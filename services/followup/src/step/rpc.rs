//! Steps on the wire.

use nonrecours_contracts::followup::{
    GetStepRequest, ListStepsRequest, ListStepsResponse, Step as Wire, StepContent,
    step_service_server::{StepService, StepServiceServer},
};
use nonrecours_kernel::{BeneficiaryName, EntitlementName, OperatorName, StepName};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{date, to_date, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{self, Act, Step},
    store,
};
use crate::{
    entitlement::domain::SupportMode,
    error::Error,
    record::{Faults, Record, in_future},
    session::domain::Channel,
};

/// Reads a pushed content, apart from whose it is and which right it serves; notes every fault. `today` is the day in
/// Paris.
pub fn read(content: &StepContent, today: Date, faults: &mut Faults) -> Option<Act> {
    let step_date = faults.take("step.step_date", date(content.step_date.as_ref()));
    if step_date.is_some_and(|day| day > today) {
        faults.refuse("step.step_date", in_future());
    }
    let mode = faults.need("step.mode", SupportMode::from_wire(content.mode));
    let channel = faults.need("step.channel", Channel::from_wire(content.channel));
    let day = step_date.unwrap_or(today);
    let partner = domain::partner(&content.partner, day, faults);
    let minutes = faults.take("step.minutes", domain::minutes(content.minutes));
    Some(Act {
        step_date: step_date?,
        mode: mode?,
        channel: channel?,
        partner,
        renewal: content.renewal,
        minutes: minutes?,
    })
}

impl From<&Record<Step>> for Wire {
    fn from(record: &Record<Step>) -> Self {
        let Step {
            beneficiary,
            entitlement,
            act,
        } = &record.content;
        let operator = record.convention.operator;
        let beneficiary = BeneficiaryName {
            operator,
            beneficiary: *beneficiary,
        };
        let entitlement = entitlement.map(|entitlement| EntitlementName {
            operator,
            entitlement,
        });
        Self {
            name: record.name(),
            external_reference: record.reference.to_string(),
            beneficiary: beneficiary.to_string(),
            convention: record.convention.to_string(),
            entitlement: entitlement
                .map(|entitlement| entitlement.to_string())
                .unwrap_or_default(),
            step_date: Some(to_date(act.step_date)),
            mode: act.mode.to_wire(),
            channel: act.channel.to_wire(),
            partner: act.partner.clone().unwrap_or_default(),
            renewal: act.renewal,
            minutes: act.minutes,
            version: record.version,
            revision: record.revision,
            create_time: Some(to_timestamp(record.create_time)),
            update_time: Some(to_timestamp(record.update_time)),
            etag: etag::of(record.revision),
        }
    }
}

/// Reads steps, for the operator itself.
pub struct Steps {
    db: Db,
}

impl Steps {
    /// The rpcs over the service's database.
    pub fn server(db: Db) -> StepServiceServer<Self> {
        StepServiceServer::new(Self { db })
    }

    async fn get(&self, request: Request<GetStepRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: StepName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let record = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        Ok(tx.tell([record.name()], Wire::from(&record)).await?)
    }

    async fn list(&self, request: Request<ListStepsRequest>) -> Result<ListStepsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListSteps", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let records = store::list(&mut tx, parent.operator, after, page.limit()).await?;
        let (records, next_page_token) = page.cut(records, |record| record.id.to_string());
        let answer = ListStepsResponse {
            steps: records.iter().map(Wire::from).collect(),
            next_page_token,
        };
        Ok(tx.tell(records.iter().map(Record::name), answer).await?)
    }
}

#[tonic::async_trait]
impl StepService for Steps {
    async fn get_step(&self, request: Request<GetStepRequest>) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_steps(
        &self,
        request: Request<ListStepsRequest>,
    ) -> Result<Response<ListStepsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
