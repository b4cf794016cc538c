//! Operators over gRPC.

use nonrecours_contracts::conventions::{
    self as wire, CreateOperatorRequest, GetOperatorRequest, ListOperatorsRequest,
    ListOperatorsResponse,
    operator_service_server::{OperatorService, OperatorServiceServer},
};
use nonrecours_kernel::{IdSource, Invalid, OperatorName, paris_date};
use nonrecours_pg::{Change, Db, Tx};
use nonrecours_rpc::{
    Check, Failure, Page,
    convert::{to_timestamp, to_warning},
    etag, field, open,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    domain::{Category, Operator, Terms, outside_territory},
    store,
};
use crate::{
    error::Error,
    text::{required, text},
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
        let terms = command(&request)?;
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

fn command(request: &CreateOperatorRequest) -> Result<Terms, Failure> {
    let mut check = Check::of(request);
    let command = request.operator.as_ref().and_then(|operator| {
        let legal_name = check.take("operator.legal_name", text(&operator.legal_name));
        let siret = check.parse("operator.siret", &operator.siret);
        let category = check.take("operator.category", category(operator.category()));
        let insee_code = check.parse("operator.insee_code", &operator.insee_code);
        let address = check.take("operator.address", text(&operator.address));
        Some(Terms {
            legal_name: legal_name?,
            siret: siret?,
            category: category?,
            insee_code: insee_code?,
            address: address?,
        })
    });
    check.finish(|| command)
}

fn category(given: wire::OperatorCategory) -> Result<Category, Invalid> {
    match given {
        wire::OperatorCategory::Unspecified => Err(required()),
        wire::OperatorCategory::Commune => Ok(Category::Commune),
        wire::OperatorCategory::Ccas => Ok(Category::Ccas),
        wire::OperatorCategory::Grouping => Ok(Category::Grouping),
        wire::OperatorCategory::OtherPublic => Ok(Category::OtherPublic),
        wire::OperatorCategory::Association => Ok(Category::Association),
        wire::OperatorCategory::OtherPrivate => Ok(Category::OtherPrivate),
    }
}

fn to_category(category: Category) -> wire::OperatorCategory {
    match category {
        Category::Commune => wire::OperatorCategory::Commune,
        Category::Ccas => wire::OperatorCategory::Ccas,
        Category::Grouping => wire::OperatorCategory::Grouping,
        Category::OtherPublic => wire::OperatorCategory::OtherPublic,
        Category::Association => wire::OperatorCategory::Association,
        Category::OtherPrivate => wire::OperatorCategory::OtherPrivate,
    }
}

/// The operators as answers show them: with what is unusual about them today, in their order.
async fn shown(tx: &mut Tx, operators: &[Operator]) -> Result<Vec<wire::Operator>, Error> {
    let outside = store::outside_territory(tx, operators, paris_date(tx.now())).await?;
    let shown = operators.iter().map(|operator| {
        let mut message = message(operator);
        if outside.contains(&operator.terms.insee_code) {
            message.warnings.push(to_warning(&outside_territory()));
        }
        message
    });
    Ok(shown.collect())
}

async fn one(tx: &mut Tx, operator: &Operator) -> Result<wire::Operator, Error> {
    let mut messages = shown(tx, std::slice::from_ref(operator)).await?;
    Ok(messages
        .pop()
        .ok_or_else(|| Failure::bug("an operator without an answer"))?)
}

fn message(operator: &Operator) -> wire::Operator {
    let terms = &operator.terms;
    wire::Operator {
        name: operator.name.to_string(),
        legal_name: terms.legal_name.clone(),
        siret: terms.siret.to_string(),
        category: to_category(terms.category).into(),
        insee_code: terms.insee_code.to_string(),
        address: terms.address.clone(),
        warnings: terms.warnings().iter().map(to_warning).collect(),
        create_time: Some(to_timestamp(operator.create_time)),
        update_time: Some(to_timestamp(operator.update_time)),
        etag: etag::of(operator.revision),
    }
}
