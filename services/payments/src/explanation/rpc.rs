//! Explanations over gRPC.

use std::collections::{BTreeMap, BTreeSet};

use nonrecours_contracts::payments::{
    ExplainInstalmentsRequest, ExplainInstalmentsResponse, InstalmentExplanation,
    explanation_service_server::{ExplanationService, ExplanationServiceServer},
};
use nonrecours_kernel::{Caller, ConventionName, InstalmentName, Scope, paris_date};
use nonrecours_pg::{Db, Event, Tx};
use nonrecours_rpc::{Check, Failure, Page, field, open};
use tonic::{Request, Response, Status};

use super::{
    store::{self, Of},
    wire,
};
use crate::{correction, error::Error, instalment};

/// Parent of a list over every operator that the caller may see.
const EVERY_OPERATOR: &str = "operators/-";
/// Explanations of a page when the request does not say.
const DEFAULT_PAGE_SIZE: i32 = 50;
/// Most explanations of a page.
const MAX_PAGE_SIZE: i32 = 100;
/// Most changes told of one instalment: the last ones.
const MAX_EVENTS: i64 = 50;

/// The rpcs about explanations.
pub struct Explanations {
    db: Db,
}

impl Explanations {
    /// Serves them over the service's database.
    pub fn server(db: Db) -> ExplanationServiceServer<Self> {
        ExplanationServiceServer::new(Self { db })
    }

    async fn explain(
        &self,
        request: Request<ExplainInstalmentsRequest>,
    ) -> Result<ExplainInstalmentsResponse, Error> {
        let (caller, request) = open(request)?;
        let (of, scope) = reach(&caller, &request.parent)?;
        Check::of(&request).finish(|| Some(()))?;
        let seen = scope
            .operator()
            .map_or_else(String::new, |operator| operator.to_string());
        let page = Page::sized(
            &[
                "ExplainInstalments",
                &request.parent,
                &seen,
                &request.pending_only.to_string(),
            ],
            request.page_size,
            &request.page_token,
            DEFAULT_PAGE_SIZE,
            MAX_PAGE_SIZE,
        )?;
        let mut tx = self.db.read(&scope).await?;
        let (after, limit) = (page.after()?, page.limit());
        let rows = store::page(&mut tx, of, request.pending_only, after, limit).await?;
        let (rows, next_page_token) = page.cut(rows, |(place, _)| place.to_string());
        let names: Vec<_> = rows.into_iter().map(|(_, name)| name).collect();
        Ok(ExplainInstalmentsResponse {
            explanations: explained(&mut tx, &names).await?,
            next_page_token,
        })
    }
}

/// What is asked for, once it is known that the caller may see it.
fn reach(caller: &Caller, parent: &str) -> Result<(Of, Scope), Error> {
    if parent == EVERY_OPERATOR {
        return Ok((Of::Everything, caller.scope()));
    }
    let (of, operator) = if let Ok(name) = parent.parse() {
        (Of::Convention(name), name.operator())
    } else if let Ok(name) = parent.parse::<InstalmentName>() {
        (Of::Instalment(name), name.operator())
    } else {
        let name = field("parent", parent)?;
        (Of::Operator(name), name.operator())
    };
    Ok((of, caller.reach(operator)?))
}

/// Explains these instalments: a handful of statements, however many they are.
async fn explained(
    tx: &mut Tx,
    names: &[InstalmentName],
) -> Result<Vec<InstalmentExplanation>, Error> {
    let conventions: BTreeSet<_> = names.iter().map(InstalmentName::parent).collect();
    let conventions: Vec<_> = conventions.into_iter().collect();
    let schedules = instalment::store::schedules(tx, &conventions).await?;
    let schedules: BTreeMap<ConventionName, _> = schedules
        .into_iter()
        .map(|schedule| (schedule.plan.convention, schedule))
        .collect();
    let resources: Vec<_> = names
        .iter()
        .map(|name| (Some(name.operator), name.to_string()))
        .collect();
    let mut histories: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in tx.events(&resources, MAX_EVENTS).await? {
        let history = histories.entry(event.resource.clone()).or_default();
        history.push(event);
    }
    let corrections = correction::store::open(tx, names).await?;
    let today = paris_date(tx.now());
    names
        .iter()
        .map(|name| {
            let found = schedules.get(&name.parent()).and_then(|schedule| {
                let instalment = schedule.find(name.instalment)?;
                let history = histories.get(&name.to_string());
                let history = history.map(Vec::as_slice).unwrap_or_default();
                let correction = corrections.get(name).copied();
                Some(wire::explanation(
                    schedule, instalment, history, correction, today,
                ))
            });
            // One snapshot: what the page lists is there.
            Ok(found.ok_or_else(|| Failure::bug("an instalment without its plan"))?)
        })
        .collect()
}

#[tonic::async_trait]
impl ExplanationService for Explanations {
    async fn explain_instalments(
        &self,
        request: Request<ExplainInstalmentsRequest>,
    ) -> Result<Response<ExplainInstalmentsResponse>, Status> {
        Ok(Response::new(self.explain(request).await?))
    }
}
