//! Beneficiaries on the wire.

use nonrecours_contracts::followup::{
    Beneficiary as Wire, BeneficiaryContent, GetBeneficiaryRequest, ListBeneficiariesRequest,
    ListBeneficiariesResponse,
    beneficiary_service_server::{BeneficiaryService, BeneficiaryServiceServer},
};
use nonrecours_kernel::{BeneficiaryName, InseeCode, Invalid, OperatorName};
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
    domain::{AgeBand, Beneficiary, ClosingReason, Journey, JourneyState, Publics},
    store,
};
use crate::{
    codes,
    error::Error,
    record::{Faults, Record, in_future, required},
};

/// Reads a pushed content; notes every fault. `today` is the day in Paris. Gives the state apart, since it can be judged
/// when the rest is wrong.
pub fn read(
    content: &BeneficiaryContent,
    today: Date,
    faults: &mut Faults,
) -> (Option<JourneyState>, Option<Beneficiary>) {
    let spotted_date = faults.take(
        "beneficiary.spotted_date",
        date(content.spotted_date.as_ref()),
    );
    if spotted_date.is_some_and(|spotted| spotted > today) {
        faults.refuse("beneficiary.spotted_date", in_future());
    }
    let day = spotted_date.unwrap_or(today);
    let publics = Publics::read(&content.publics, day, "beneficiary.publics", faults);
    let commune = faults.take("beneficiary.commune_code", residence(&content.commune_code));
    let age_band = faults.take("beneficiary.age_band", AgeBand::from_wire(content.age_band));
    let state = faults.need("beneficiary.state", JourneyState::from_wire(content.state));
    let reason = faults.take(
        "beneficiary.closing_reason",
        ClosingReason::from_wire(content.closing_reason),
    );
    let journey = state.zip(reason).and_then(|(state, reason)| {
        faults.take("beneficiary.closing_reason", Journey::new(state, reason))
    });
    let beneficiary = || {
        Some(Beneficiary {
            publics: publics?,
            commune: commune?,
            age_band: age_band?,
            journey: journey?,
            spotted_date: spotted_date?,
        })
    };
    (state, beneficiary())
}

/// Any commune: persons from outside the territory are met too.
fn residence(code: &str) -> Result<InseeCode, Invalid> {
    if code.is_empty() {
        return Err(required());
    }
    code.parse().map_err(|invalid: Invalid| Invalid {
        reason: codes::unknown().reason,
        ..invalid
    })
}

impl From<&Record<Beneficiary>> for Wire {
    fn from(record: &Record<Beneficiary>) -> Self {
        let content = &record.content;
        Self {
            name: record.name(),
            external_reference: record.reference.to_string(),
            convention: record.convention.into(),
            publics: content.publics.codes().map(str::to_owned).collect(),
            commune_code: content.commune.to_string(),
            age_band: content.age_band.map(AgeBand::to_wire).unwrap_or_default(),
            state: content.journey.state().to_wire(),
            closing_reason: content
                .journey
                .closing_reason()
                .map(ClosingReason::to_wire)
                .unwrap_or_default(),
            spotted_date: Some(to_date(content.spotted_date)),
            version: record.version,
            revision: record.revision,
            create_time: Some(to_timestamp(record.create_time)),
            update_time: Some(to_timestamp(record.update_time)),
            etag: etag::of(record.revision),
        }
    }
}

/// Reads beneficiaries, for the operator itself.
pub struct Beneficiaries {
    db: Db,
}

impl Beneficiaries {
    /// The rpcs over the service's database.
    pub fn server(db: Db) -> BeneficiaryServiceServer<Self> {
        BeneficiaryServiceServer::new(Self { db })
    }

    async fn get(&self, request: Request<GetBeneficiaryRequest>) -> Result<Wire, Error> {
        let (caller, request) = open(request)?;
        let name: BeneficiaryName = field("name", &request.name)?;
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
        request: Request<ListBeneficiariesRequest>,
    ) -> Result<ListBeneficiariesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        Check::of(&request).finish(|| Some(()))?;
        let query = ["ListBeneficiaries", &parent.to_string()];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<Uuid>()?;
        let mut tx = self.db.disclose(&scope).await?;
        let records = store::list(&mut tx, parent.operator, after, page.limit()).await?;
        let (records, next_page_token) = page.cut(records, |record| record.id.to_string());
        let answer = ListBeneficiariesResponse {
            beneficiaries: records.iter().map(Wire::from).collect(),
            next_page_token,
        };
        Ok(tx.tell(records.iter().map(Record::name), answer).await?)
    }
}

#[tonic::async_trait]
impl BeneficiaryService for Beneficiaries {
    async fn get_beneficiary(
        &self,
        request: Request<GetBeneficiaryRequest>,
    ) -> Result<Response<Wire>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_beneficiaries(
        &self,
        request: Request<ListBeneficiariesRequest>,
    ) -> Result<Response<ListBeneficiariesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}
