//! Renewals on the wire.

use std::{fmt, str::FromStr};

use nonrecours_contracts::followup::{
    GetRenewalAlertRequest, ListRenewalsRequest, ListRenewalsResponse, Renewal as WireRenewal,
    RenewalAlert as Wire,
    renewal_service_server::{RenewalService, RenewalServiceServer},
};
use nonrecours_kernel::{
    BeneficiaryName, EntitlementName, Invalid, OperatorName, RenewalAlertName, paris_date,
    parse_date,
};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{to_date, to_timestamp},
    etag, field, open,
};
use time::{Date, Duration};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{ALERT_AHEAD, Renewal, RenewalAlert},
    store,
};
use crate::error::Error;

impl From<&RenewalAlert> for Wire {
    fn from(alert: &RenewalAlert) -> Self {
        Self {
            name: alert.name().to_string(),
            entitlement: EntitlementName {
                operator: alert.operator,
                entitlement: alert.entitlement,
            }
            .to_string(),
            renewal_date: Some(to_date(alert.renewal_date)),
            state: alert.state.to_wire(),
            settled_date: alert.settled_date.map(to_date),
            revision: alert.revision,
            create_time: Some(to_timestamp(alert.create_time)),
            update_time: Some(to_timestamp(alert.update_time)),
            etag: etag::of(alert.revision),
        }
    }
}

/// Reads renewals, for the operator itself.
pub struct Renewals {
    db: Db,
}

impl Renewals {
    /// The rpcs over the service's database.
    pub fn server(db: Db) -> RenewalServiceServer<Self> {
        RenewalServiceServer::new(Self { db })
    }

    async fn list(
        &self,
        request: Request<ListRenewalsRequest>,
    ) -> Result<ListRenewalsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let ahead = match request.within_days {
            0 => ALERT_AHEAD,
            days => Duration::days(days.into()),
        };
        let query = [
            "ListRenewals",
            &parent.to_string(),
            &ahead.whole_days().to_string(),
        ];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after: Option<Place> = page.after()?;
        let mut tx = self.db.disclose(&scope).await?;
        let today = paris_date(tx.now());
        let renewals = store::list(
            &mut tx,
            parent.operator,
            today + ahead,
            after.map(|place| (place.date, place.entitlement)),
            page.limit(),
        )
        .await?;
        let (renewals, next_page_token) = page.cut(renewals, |renewal| {
            Place {
                date: renewal.renewal_date,
                entitlement: renewal.entitlement.uuid(),
            }
            .to_string()
        });
        let renewals: Vec<WireRenewal> = renewals
            .into_iter()
            .map(|renewal| listed(renewal, today))
            .collect();
        let told: Vec<String> = renewals
            .iter()
            .flat_map(|renewal| [renewal.entitlement.clone(), renewal.beneficiary.clone()])
            .collect();
        let answer = ListRenewalsResponse {
            renewals,
            next_page_token,
        };
        Ok(tx.tell(told, answer).await?)
    }

    async fn get(&self, request: Request<GetRenewalAlertRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: RenewalAlertName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let mut tx = self.db.disclose(&scope).await?;
        let alert = store::get(&mut tx, &name)
            .await?
            .ok_or_else(|| Failure::not_found(name))?;
        Ok(tx.tell([name.to_string()], Wire::from(&alert)).await?)
    }
}

#[tonic::async_trait]
impl RenewalService for Renewals {
    async fn list_renewals(
        &self,
        request: Request<ListRenewalsRequest>,
    ) -> Result<Response<ListRenewalsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn get_renewal_alert(
        &self,
        request: Request<GetRenewalAlertRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }
}

fn listed(renewal: Renewal, today: Date) -> WireRenewal {
    let operator = renewal.operator;
    let days_left = (renewal.renewal_date - today).whole_days();
    WireRenewal {
        entitlement: EntitlementName {
            operator,
            entitlement: renewal.entitlement,
        }
        .to_string(),
        external_reference: renewal.reference,
        beneficiary: BeneficiaryName {
            operator,
            beneficiary: renewal.beneficiary,
        }
        .to_string(),
        right: renewal.right,
        renewal_date: Some(to_date(renewal.renewal_date)),
        // Dates lie within a few thousand years of each other.
        days_left: i32::try_from(days_left).unwrap_or(i32::MIN),
        filed_again: renewal.is_filed,
    }
}

/// Where a page ends: the list is by date, then by right.
struct Place {
    date: Date,
    entitlement: Uuid,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.date, self.entitlement)
    }
}

impl FromStr for Place {
    type Err = Invalid;

    fn from_str(value: &str) -> Result<Self, Invalid> {
        let parts = value.split_once('_');
        let place = parts.and_then(|(date, entitlement)| {
            Some(Self {
                date: parse_date(date).ok()?,
                entitlement: entitlement.parse().ok()?,
            })
        });
        place.ok_or_else(crate::codes::unknown)
    }
}
