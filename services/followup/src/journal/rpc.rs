//! The journal of accesses on the wire.

use nonrecours_contracts::followup::{
    Access as Wire, AccessKind, ListAccessesRequest, ListAccessesResponse,
    access_service_server::{AccessService, AccessServiceServer},
};
use nonrecours_kernel::{BeneficiaryName, Invalid, OperatorId, OperatorName};
use nonrecours_pg::Db;
use nonrecours_rpc::{
    Check, Page,
    convert::{optional_timestamp, to_timestamp},
    field, open,
};
use tonic::{Request, Response, Status};

use super::{
    chain::Entry,
    store::{self, Filter},
};
use crate::error::Error;

/// Records named in an access at most; all are counted.
pub const MAX_NAMES: usize = 50;

/// Reads the journal, for those who answer for the operator.
pub struct Accesses {
    db: Db,
}

impl Accesses {
    /// The rpc over the service's database.
    pub fn server(db: Db) -> AccessServiceServer<Self> {
        AccessServiceServer::new(Self { db })
    }

    async fn list(
        &self,
        request: Request<ListAccessesRequest>,
    ) -> Result<ListAccessesResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: OperatorName = field("parent", &request.parent)?;
        let scope = caller.reach(parent.operator)?;
        let mut check = Check::of(&request);
        let person = match request.beneficiary.as_str() {
            "" => Some(None),
            name => check
                .parse::<BeneficiaryName>("beneficiary", name)
                .map(Some),
        };
        let from = check.take(
            "start_time",
            optional_timestamp(request.start_time.as_ref()),
        );
        let before = check.take("end_time", optional_timestamp(request.end_time.as_ref()));
        if let (Some(Some(from)), Some(Some(before))) = (from, before)
            && before <= from
        {
            check.refuse("end_time", empty_period());
        }
        let (person, from, before) = check.finish(|| Some((person?, from?, before?)))?;
        if let Some(person) = person {
            caller.reach(person.operator)?;
        }
        let query = [
            "ListAccesses",
            &request.parent,
            &request.beneficiary,
            &format!("{from:?} {before:?}"),
        ];
        let page = Page::read(&query, request.page_size, &request.page_token)?;
        let after = page.after::<i64>()?.unwrap_or_default();
        let filter = Filter {
            person: person.map(|person| person.beneficiary),
            from,
            before,
        };
        let mut tx = self.db.disclose(&scope).await?;
        let entries = store::list(&mut tx, parent.operator, filter, after, page.limit()).await?;
        let (entries, next_page_token) =
            page.cut(entries, |entry| entry.place.position.to_string());
        let answer = ListAccessesResponse {
            accesses: entries.iter().map(Wire::from).collect(),
            next_page_token,
        };
        Ok(tx
            .tell(person.map(|person| person.to_string()), answer)
            .await?)
    }
}

fn empty_period() -> Invalid {
    Invalid::new(
        "PERIOD_EMPTY",
        "the period must end after it begins",
        "la période demandée se termine avant d'avoir commencé : corrigez l'une des deux bornes",
    )
}

#[tonic::async_trait]
impl AccessService for Accesses {
    async fn list_accesses(
        &self,
        request: Request<ListAccessesRequest>,
    ) -> Result<Response<ListAccessesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}

impl From<&Entry> for Wire {
    fn from(entry: &Entry) -> Self {
        let kind = match entry.kind.as_str() {
            "WRITE" => AccessKind::Write,
            _ => AccessKind::Read,
        };
        let operator = |operator| OperatorName {
            operator: OperatorId::from_uuid(operator),
        };
        Self {
            actor: entry.actor.clone(),
            actor_operator: entry
                .actor_operator
                .map(|of| operator(of).to_string())
                .unwrap_or_default(),
            roles: entry
                .roles
                .split_terminator(',')
                .map(str::to_owned)
                .collect(),
            rpc: entry.rpc.clone(),
            kind: kind.into(),
            occur_time: Some(to_timestamp(entry.occur_time)),
            records: entry.names(MAX_NAMES),
            record_count: entry.record_count,
            traceparent: entry.traceparent.clone(),
            why: entry.why.clone(),
        }
    }
}
