//! Slips over gRPC.

use std::collections::{BTreeMap, HashMap};

use nonrecours_contracts::payments::{
    self as wire, ExportSlipRequest, GetSlipRequest, IssueCorrectionSlipRequest, IssueSlipRequest,
    ListSlipsRequest, ListSlipsResponse,
    slip_service_server::{SlipService, SlipServiceServer},
};
use nonrecours_kernel::{
    BudgetYear, ConventionName, IdSource, InstalmentName, Invalid, PostingCodesName, ProgrammeName,
    SlipName, Text, paris_date,
};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Failure, Page, field, open};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Candidate, NotIssued, Terms, ThirdParty, issue, orders, store};
use crate::{
    correction,
    error::{DOMAIN, Error},
    instalment::{self, Schedule},
    payment_difference, posting_codes,
};

/// The rpcs about slips.
pub struct Slips {
    db: Db,
    ids: IdSource,
}

impl Slips {
    /// Serves them over the service's database.
    pub fn server(db: Db, ids: IdSource) -> SlipServiceServer<Self> {
        SlipServiceServer::new(Self { db, ids })
    }

    async fn issue(&self, request: Request<IssueSlipRequest>) -> Result<wire::Slip, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        let scope = caller.scope();
        let mut check = Check::of(&request);
        let year = check.take("budget_year", BudgetYear::new(request.budget_year));
        let names = names(&mut check, &request.instalments);
        let (year, names) = check.finish(|| Some((year?, names?)))?;
        let mut tx = self.db.begin(&scope).await?;
        // The root of all slips of the year: whoever issues another waits here, and no number is given twice or lost.
        let register = store::lock_register(&mut tx, parent.programme, year).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let candidates = candidates(&mut tx, &names).await?;
        let codes = PostingCodesName {
            programme: parent.programme,
        };
        let codes = posting_codes::store::current(&mut tx, &codes).await?;
        let terms = Terms {
            name: SlipName {
                programme: parent.programme,
                slip: self.ids.next(),
            },
            budget_year: year,
            register,
            codes: codes.as_ref(),
            issuer: scope.actor(),
            now: tx.now(),
            today: paris_date(tx.now()),
        };
        let issued = issue(terms, &candidates).map_err(refused)?;
        store::insert(&mut tx, &issued).await?;
        let message = wire::Slip::from(&issued.slip);
        let change = Change {
            kind: "slip.issued",
            operator: None,
            name: &issued.slip.name.to_string(),
            revision: issued.slip.revision,
        };
        Ok(tx.finish(&request, change, message).await?)
    }

    async fn get(&self, request: Request<GetSlipRequest>) -> Result<wire::Slip, Error> {
        let (caller, request) = open(request)?;
        let name: SlipName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let slip = store::get(&mut tx, &name).await?;
        Ok(wire::Slip::from(
            &slip.ok_or_else(|| Failure::not_found(name))?,
        ))
    }

    async fn list(&self, request: Request<ListSlipsRequest>) -> Result<ListSlipsResponse, Error> {
        let (caller, request) = open(request)?;
        let parent: ProgrammeName = field("parent", &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(
            &["ListSlips", &parent.to_string()],
            request.page_size,
            &request.page_token,
        )?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let slips = store::list(&mut tx, &parent, page.after::<Uuid>()?, page.limit()).await?;
        let (slips, next_page_token) = page.cut(slips, |slip| slip.name.slip.to_string());
        Ok(ListSlipsResponse {
            slips: slips.iter().map(wire::Slip::from).collect(),
            next_page_token,
        })
    }

    async fn export(&self, request: Request<ExportSlipRequest>) -> Result<wire::SlipFile, Error> {
        let (caller, request) = open(request)?;
        let name: SlipName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let file = store::file(&mut tx, &name).await?;
        let (file_name, content) = file.ok_or_else(|| Failure::not_found(name))?;
        Ok(wire::SlipFile { file_name, content })
    }
}

/// Reads the names of the instalments, each once.
fn names(check: &mut Check, given: &[String]) -> Option<Vec<InstalmentName>> {
    let mut names = Vec::with_capacity(given.len());
    for (index, given) in given.iter().enumerate() {
        let path = format!("instalments[{index}]");
        match check.parse::<InstalmentName>(&path, given) {
            Some(name) if names.contains(&name) => check.refuse(&path, twice()),
            Some(name) => names.push(name),
            None => {}
        }
    }
    Some(names)
}

fn twice() -> Invalid {
    Invalid::new(
        "DUPLICATE",
        "the instalment stands twice",
        "Cette échéance figure deux fois : un mandat ne se met qu'une fois dans un bordereau.",
    )
}

/// Locks the plans of these instalments, in the order of their names so that two slips never wait for each other, and reads
/// what may stand in the way of each.
pub(crate) async fn candidates(
    tx: &mut Tx,
    names: &[InstalmentName],
) -> Result<Vec<Candidate>, Error> {
    let mut plans: BTreeMap<ConventionName, Option<Schedule>> =
        names.iter().map(|name| (name.parent(), None)).collect();
    let mut known: HashMap<ConventionName, (_, Option<ThirdParty>)> = HashMap::new();
    for (convention, plan) in &mut plans {
        *plan = instalment::store::lock(tx, convention).await?;
        if plan.is_some() {
            known.insert(*convention, store::known(tx, convention).await?);
        }
    }
    let mut last = orders::last(tx, names).await?;
    let open = payment_difference::store::open(tx, names).await?;
    names
        .iter()
        .map(|name| {
            let not_found = || Error::from(Failure::not_found(name));
            let plan = plans.get(&name.parent()).and_then(Option::as_ref);
            let schedule = plan.ok_or_else(not_found)?;
            let instalment = schedule.find(name.instalment).ok_or_else(not_found)?;
            let (programme, third_party) = known.get(&name.parent()).cloned().unwrap_or_default();
            Ok(Candidate {
                instalment: instalment.clone(),
                schedule: schedule.clone(),
                programme,
                third_party,
                last: last.remove(name),
                difference: open.contains(name),
            })
        })
        .collect()
}

fn refused(not_issued: NotIssued) -> Error {
    let failure = match not_issued {
        NotIssued::Blocked(blockers) => Failure::blocked(
            DOMAIN,
            "SLIP_BLOCKED",
            Text::new(
                "The slip cannot be issued; every blocker is listed.",
                "Le bordereau ne peut pas être émis : chaque obstacle est indiqué.",
            ),
            blockers,
        ),
        NotIssued::File(violations) => Failure::invalid(violations),
    };
    failure.into()
}

#[tonic::async_trait]
impl SlipService for Slips {
    async fn issue_slip(
        &self,
        request: Request<IssueSlipRequest>,
    ) -> Result<Response<wire::Slip>, Status> {
        Ok(Response::new(self.issue(request).await?))
    }

    async fn issue_correction_slip(
        &self,
        request: Request<IssueCorrectionSlipRequest>,
    ) -> Result<Response<wire::Slip>, Status> {
        let slip = correction::rpc::issue_slip(&self.db, &self.ids, request).await?;
        Ok(Response::new(slip))
    }

    async fn get_slip(
        &self,
        request: Request<GetSlipRequest>,
    ) -> Result<Response<wire::Slip>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_slips(
        &self,
        request: Request<ListSlipsRequest>,
    ) -> Result<Response<ListSlipsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }

    async fn export_slip(
        &self,
        request: Request<ExportSlipRequest>,
    ) -> Result<Response<wire::SlipFile>, Status> {
        Ok(Response::new(self.export(request).await?))
    }
}
