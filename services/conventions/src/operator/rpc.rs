//! Operators over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, CreateOperatorRequest, GetOperatorRequest, ListOperatorsRequest,
    ListOperatorsResponse, UpdateOperatorRequest,
    operator_service_server::{OperatorService, OperatorServiceServer},
};
use nonrecours_kernel::{IdSource, OperatorName, paris_date};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{Check, Failure, Page, etag, field, open};
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Changes, Operator, Terms},
    store,
    wire::{INPUT_FIELDS, changes, shown},
};
use crate::{
    error::Error,
    mask::{refuse_others, touched},
};

/// The operator service.
pub struct Operators {
    db: Db,
    ids: IdSource,
}

impl Operators {
    /// Over the service's database.
    pub fn server(db: Db, ids: IdSource) -> OperatorServiceServer<Self> {
        OperatorServiceServer::new(Self { db, ids })
    }

    async fn create(
        &self,
        request: Request<CreateOperatorRequest>,
    ) -> Result<wire::Operator, Error> {
        let (caller, request) = open(request)?;
        let scope = caller.scope();
        let terms = command(&request, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&scope).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        let operator = Operator {
            name: OperatorName {
                operator: self.ids.next(),
            },
            terms,
            revision: 1,
            create_time: tx.now(),
            update_time: tx.now(),
        };
        if let Err(refusal) = store::insert(&mut tx, &operator).await {
            // The same request twice at once: the second meets the first one's key, and has its answer.
            drop(tx);
            let mut tx = self.db.read(&scope).await?;
            return match tx.replay(&request).await? {
                Some(earlier) => Ok(earlier),
                None => Err(refusal),
            };
        }
        let name = operator.name.to_string();
        let change = Change {
            kind: "operator.registered",
            operator: Some(operator.name.operator),
            name: &name,
            revision: operator.revision,
        };
        let message = one(&mut tx, &operator).await?;
        Ok(tx.finish(&request, change, message).await?)
    }

    async fn update(
        &self,
        request: Request<UpdateOperatorRequest>,
    ) -> Result<wire::Operator, Error> {
        let (caller, request) = open(request)?;
        let given = request.operator.clone().unwrap_or_default();
        let name: OperatorName = field("operator.name", &given.name)?;
        let scope = caller.reach(name.operator)?;
        let changes = update(&request, &given, paris_date(self.db.clock().now()))?;
        let mut tx = self.db.begin(&scope).await?;
        let operator = store::lock(&mut tx, &name).await?;
        if let Some(earlier) = tx.replay(&request).await? {
            return Ok(earlier);
        }
        etag::check(&given.etag, operator.revision)?;
        let operator = operator.update(changes, tx.now());
        store::update(&mut tx, &operator).await?;
        let message = one(&mut tx, &operator).await?;
        let name = operator.name.to_string();
        let change = Change {
            kind: "operator.updated",
            operator: Some(operator.name.operator),
            name: &name,
            revision: operator.revision,
        };
        Ok(tx.finish(&request, change, message).await?)
    }

    async fn get(&self, request: Request<GetOperatorRequest>) -> Result<wire::Operator, Error> {
        let (caller, request) = open(request)?;
        let name: OperatorName = field("name", &request.name)?;
        let scope = caller.reach(name.operator)?;
        let mut tx = self.db.read(&scope).await?;
        let operator = store::get(&mut tx, &name).await?;
        one(&mut tx, &operator).await
    }

    async fn list(
        &self,
        request: Request<ListOperatorsRequest>,
    ) -> Result<ListOperatorsResponse, Error> {
        let (caller, request) = open(request)?;
        let scope = caller.scope();
        Check::of(&request).finish(|| Some(()))?;
        let page = Page::read(&["ListOperators"], request.page_size, &request.page_token)?;
        let mut tx = self.db.read(&scope).await?;
        let after = page.after::<Uuid>()?;
        let rows = store::list(&mut tx, scope.operator(), after, page.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |operator| operator.name.operator.to_string());
        Ok(ListOperatorsResponse {
            operators: shown(&mut tx, &rows).await?,
            next_page_token,
        })
    }
}

#[tonic::async_trait]
impl OperatorService for Operators {
    async fn create_operator(
        &self,
        request: Request<CreateOperatorRequest>,
    ) -> Result<Response<wire::Operator>, Status> {
        Ok(Response::new(self.create(request).await?))
    }

    async fn update_operator(
        &self,
        request: Request<UpdateOperatorRequest>,
    ) -> Result<Response<wire::Operator>, Status> {
        Ok(Response::new(self.update(request).await?))
    }

    async fn get_operator(
        &self,
        request: Request<GetOperatorRequest>,
    ) -> Result<Response<wire::Operator>, Status> {
        Ok(Response::new(self.get(request).await?))
    }

    async fn list_operators(
        &self,
        request: Request<ListOperatorsRequest>,
    ) -> Result<Response<ListOperatorsResponse>, Status> {
        Ok(Response::new(self.list(request).await?))
    }
}

fn command(request: &CreateOperatorRequest, today: Date) -> Result<Terms, Failure> {
    let mut check = Check::of(request);
    let touched = INPUT_FIELDS.map(str::to_owned);
    let terms = request.operator.as_ref().and_then(|given| {
        let siret = check.parse("operator.siret", &given.siret);
        let changes = changes(&mut check, given, &touched, today);
        changes.complete(siret?)
    });
    check.finish(|| terms)
}

fn update(
    request: &UpdateOperatorRequest,
    given: &wire::Operator,
    today: Date,
) -> Result<Changes, Failure> {
    let touched = touched(request.update_mask.as_ref(), &INPUT_FIELDS);
    let mut check = Check::of_update(request, "operator", &touched);
    refuse_others(&mut check, &touched, &INPUT_FIELDS);
    let changes = changes(&mut check, given, &touched, today);
    check.finish(|| Some(changes))
}

async fn one(tx: &mut Tx, operator: &Operator) -> Result<wire::Operator, Error> {
    let mut messages = shown(tx, std::slice::from_ref(operator)).await?;
    Ok(messages
        .pop()
        .ok_or_else(|| Failure::bug("an operator without an answer"))?)
}
