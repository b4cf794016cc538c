//! Programmes over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, CreateProgrammeRequest, GetProgrammeRequest, ListProgrammesRequest,
    ListProgrammesResponse,
    programme_service_server::{ProgrammeService, ProgrammeServiceServer},
};
use nonrecours_kernel::{BudgetYear, IdSource, ProgrammeName};
use nonrecours_pg::{Change, Db};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{money, to_money, to_timestamp},
    etag, field, open,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Envelope, Programme, Terms},
    store,
};
use crate::{
    error::Error,
    text::{duplicate, positive, text},
};

/// The programme service.
pub struct Programmes {
    db: Db,
    ids: IdSource,
}

impl Programmes {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> ProgrammeServiceServer<Self> {
        ProgrammeServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateProgrammeRequest>,
    ) -> Result<wire::Programme, Error> {
        let (caller, request) = open(request)?;
        let scope = caller.scope();
        let (terms, envelopes) = command(&request)?;
        let mut tx = self.db.begin(&scope).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let programme = Programme {
            name: ProgrammeName {
                programme: self.ids.next(),
            },
            terms,
            envelopes,
            revision: 1,
            create_time: tx.now(),
            update_time: tx.now(),
        };
        if let Err(refusal) = store::insert(&mut tx, &programme).await {
            // The same request twice at once: the second meets the first one's key, and has its answer.
            drop(tx);
            let mut tx = self.db.read(&scope).await?;
            return match tx.replay(&request).await? {
                Some(earlier) => Ok(earlier),
                None => Err(refusal),
            };
        }
        let name = programme.name.to_string();
        let change = Change {
            kind: "programme.created",
            operator: None,
            name: &name,
            revision: programme.revision,
        };
        Ok(tx.finish(&request, change, message(&programme)).await?)
    }

    async fn get(&self, request: Request<GetProgrammeRequest>) -> Result<wire::Programme, Error> {
        let (caller, request) = open(request)?;
        let name: ProgrammeName = field("name", &request.name)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        Ok(message(&store::get(&mut tx, &name).await?))
    }

    async fn list(
        &self,
        request: Request<ListProgrammesRequest>,
    ) -> Result<ListProgrammesResponse, Error> {
        let (caller, request) = open(request)?;
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(&["ListProgrammes"], request.page_size, &request.page_token)?;
        let mut tx = self.db.read(&caller.scope()).await?;
        let rows = store::list(&mut tx, page.after::<Uuid>()?, page.limit()).await?;
        let (rows, next_page_token) =
            page.cut(rows, |programme| programme.name.programme.to_string());
        Ok(ListProgrammesResponse {
            programmes: rows.iter().map(message).collect(),
            next_page_token,
        })
    }
}

#[tonic::async_trait]
impl ProgrammeService for Programmes {
    async fn create_programme(
        &self,
        request: Request<CreateProgrammeRequest>,
    ) -> Result<Response<wire::Programme>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn get_programme(
        &self,
        request: Request<GetProgrammeRequest>,
    ) -> Result<Response<wire::Programme>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_programmes(
        &self,
        request: Request<ListProgrammesRequest>,
    ) -> Result<Response<ListProgrammesResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}

fn command(request: &CreateProgrammeRequest) -> Result<(Terms, Vec<Envelope>), Failure> {
    let mut check = Check::of(request);
    let command = request.programme.as_ref().and_then(|programme| {
        let terms = terms(&mut check, programme);
        let envelopes = envelopes(&mut check, &programme.envelopes);
        Some((terms?, envelopes?))
    });
    check.finish(|| command)
}

fn terms(check: &mut Check, programme: &wire::Programme) -> Option<Terms> {
    let display_name = check.take("programme.display_name", text(&programme.display_name));
    let authority_name = check.take("programme.authority_name", text(&programme.authority_name));
    let authority_siret = check.parse("programme.authority_siret", &programme.authority_siret);
    let mut commune_codes = Vec::new();
    for (index, code) in programme.commune_codes.iter().enumerate() {
        let path = format!("programme.commune_codes[{index}]");
        match check.parse(&path, code) {
            Some(code) if commune_codes.contains(&code) => check.refuse(&path, duplicate()),
            code => commune_codes.extend(code),
        }
    }
    Some(Terms {
        display_name: display_name?,
        authority_name: authority_name?,
        authority_siret: authority_siret?,
        commune_codes,
    })
}

fn envelopes(check: &mut Check, given: &[wire::Envelope]) -> Option<Vec<Envelope>> {
    let mut envelopes: Vec<Option<Envelope>> = Vec::new();
    for (index, envelope) in given.iter().enumerate() {
        let path = |name| format!("programme.envelopes[{index}].{name}");
        let year = check.take(&path("budget_year"), BudgetYear::new(envelope.budget_year));
        let voted = check.take(
            &path("voted_amount"),
            money(envelope.voted_amount.as_ref()).and_then(positive),
        );
        if year.is_some()
            && envelopes
                .iter()
                .flatten()
                .any(|it| Some(it.budget_year) == year)
        {
            check.refuse(&path("budget_year"), duplicate());
        }
        envelopes.push(
            year.zip(voted)
                .map(|(year, voted)| Envelope::voted(year, voted)),
        );
    }
    let mut envelopes: Vec<Envelope> = envelopes.into_iter().collect::<Option<_>>()?;
    envelopes.sort_by_key(|envelope| envelope.budget_year);
    Some(envelopes)
}

fn message(programme: &Programme) -> wire::Programme {
    let terms = &programme.terms;
    wire::Programme {
        name: programme.name.to_string(),
        display_name: terms.display_name.clone(),
        authority_name: terms.authority_name.clone(),
        authority_siret: terms.authority_siret.to_string(),
        commune_codes: terms
            .commune_codes
            .iter()
            .map(ToString::to_string)
            .collect(),
        envelopes: programme
            .envelopes
            .iter()
            .map(|envelope| wire::Envelope {
                budget_year: i32::from(envelope.budget_year.get()),
                voted_amount: Some(to_money(envelope.voted)),
                engaged_amount: Some(to_money(envelope.engaged)),
                paid_amount: Some(to_money(envelope.paid)),
            })
            .collect(),
        create_time: Some(to_timestamp(programme.create_time)),
        update_time: Some(to_timestamp(programme.update_time)),
        etag: etag::of(programme.revision),
    }
}
