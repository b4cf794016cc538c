//! Entitlements on the wire.

use nonrecours_contracts::followup::{
    Entitlement as Wire, EntitlementContent, GetEntitlementRequest, ListEntitlementsRequest,
    ListEntitlementsResponse,
    entitlement_service_server::{EntitlementService, EntitlementServiceServer},
};
use nonrecours_kernel::{BeneficiaryName, EntitlementName, Invalid, OperatorName};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{money, optional_date, to_date, to_money, to_timestamp},
    etag, field, open,
};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{AmountKind, AmountUnit, Claim, Draft, Entitlement, EntitlementState, SupportMode},
    store,
};
use crate::{
    error::Error,
    local_aid::domain::Rights,
    record::{Faults, Record},
};

/// Reads a pushed content, apart from whose it is; notes every fault. `today` is the day in Paris. Gives the state apart,
/// since it can be judged when the rest is wrong.
pub fn read(
    content: &EntitlementContent,
    rights: &Rights,
    today: Date,
    faults: &mut Faults,
) -> (Option<EntitlementState>, Option<Claim>) {
    let amount = content.amount.as_ref().map(|amount| {
        money(Some(amount)).map_err(|invalid| Invalid {
            reason: "AMOUNT_INVALID",
            ..invalid
        })
    });
    let amount = faults
        .take("entitlement.amount", amount.transpose())
        .flatten();
    let state = faults
        .take(
            "entitlement.state",
            EntitlementState::from_wire(content.state),
        )
        .flatten();
    let kind = faults.take(
        "entitlement.amount_kind",
        AmountKind::from_wire(content.amount_kind),
    );
    let unit = faults.take(
        "entitlement.amount_unit",
        AmountUnit::from_wire(content.amount_unit),
    );
    let filed = faults.take(
        "entitlement.filed_date",
        optional_date(content.filed_date.as_ref()),
    );
    let decided = faults.take(
        "entitlement.decided_date",
        optional_date(content.decided_date.as_ref()),
    );
    let renewal = faults.take(
        "entitlement.renewal_date",
        optional_date(content.renewal_date.as_ref()),
    );
    let start = faults.take(
        "entitlement.start_date",
        optional_date(content.start_date.as_ref()),
    );
    let mode = faults.take(
        "entitlement.support_mode",
        SupportMode::from_wire(content.support_mode),
    );
    let draft = Draft {
        right: content.right.clone(),
        state,
        amount,
        amount_kind: kind.flatten(),
        amount_unit: unit.flatten(),
        filed_date: filed.flatten(),
        decided_date: decided.flatten(),
        renewal_date: renewal.flatten(),
        start_date: start.flatten(),
        support_mode: mode.flatten(),
        non_take_up_reason: content.non_take_up_reason.clone(),
    };
    (state, draft.check(rights, today, faults))
}

impl From<&Record<Entitlement>> for Wire {
    fn from(record: &Record<Entitlement>) -> Self {
        let Entitlement { beneficiary, claim } = &record.content;
        let beneficiary = BeneficiaryName {
            operator: record.convention.operator,
            beneficiary: *beneficiary,
        };
        let amount = claim.amount;
        Self {
            name: record.name(),
            external_reference: record.reference.to_string(),
            beneficiary: beneficiary.to_string(),
            convention: record.convention.to_string(),
            right: claim.right.clone(),
            state: claim.state.to_wire(),
            amount: amount.map(|amount| to_money(amount.value)),
            amount_kind: amount
                .map(|amount| amount.kind.to_wire())
                .unwrap_or_default(),
            amount_unit: amount
                .map(|amount| amount.unit.to_wire())
                .unwrap_or_default(),
            filed_date: claim.filed_date.map(to_date),
            decided_date: claim.decided_date.map(to_date),
            renewal_date: claim.renewal_date.map(to_date),
            support_mode: claim
                .support_mode
                .map(SupportMode::to_wire)
                .unwrap_or_default(),
            non_take_up_reason: claim.non_take_up_reason.clone().unwrap_or_default(),
            version: record.version,
            revision: record.revision,
            create_time: Some(to_timestamp(record.create_time)),
            update_time: Some(to_timestamp(record.update_time)),
            etag: etag::of(record.revision),
            start_date: claim.start_date.map(to_date),
        }
    }
}

/// Reads entitlements, for the operator itself.
pub struct Entitlements {
    db: Db,
}

impl Entitlements {
    /// The rpcs over the service's database.
    pub fn server(db: Db) -> EntitlementServiceServer<Self> {
        EntitlementServiceServer::new(Self { db })
    }

    async fn get(&self, request: Request<GetEntitlementRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: EntitlementName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let record = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        Ok(tx.tell([record.name()], Wire::from(&record)).await?)
    }

    async fn list(
        &self,
        request: Request<ListEntitlementsRequest>,
    ) -> Result<ListEntitlementsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListEntitlements", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let records = store::list(&mut tx, parent.operator, after, page.limit()).await?;
        let (records, next_page_token) = page.cut(records, |record| record.id.to_string());
        let answer = ListEntitlementsResponse {
            entitlements: records.iter().map(Wire::from).collect(),
            next_page_token,
        };
        Ok(tx.tell(records.iter().map(Record::name), answer).await?)
    }
}

#[tonic::async_trait]
impl EntitlementService for Entitlements {
    async fn get_entitlement(
        &self,
        request: Request<GetEntitlementRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_entitlements(
        &self,
        request: Request<ListEntitlementsRequest>,
    ) -> Result<Response<ListEntitlementsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
