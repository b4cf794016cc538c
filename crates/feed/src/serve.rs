//! Serving a service's own feed.

use std::{future::Future, pin::Pin, time::Duration};

use nonrecours_contracts::feed::{
    Change, ListHistoryRequest, ListHistoryResponse, PullChangesRequest, PullChangesResponse,
    change_feed_service_server::{ChangeFeedService, ChangeFeedServiceServer},
};
use nonrecours_kernel::{Caller, OperatorId, Role, Scope, change_label};
use nonrecours_pg::{Cursor, Db, Error, Recorded, Tx};
use nonrecours_rpc::{Check, Failure, Page, convert::to_timestamp, open};
use prost_types::Any;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// Changes of a page when the request gives no size.
const DEFAULT_PAGE_SIZE: i32 = 100;
/// Largest page of changes.
const MAX_PAGE_SIZE: i32 = 500;
/// Longest wait for a first change.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// How often the outbox is looked at while waiting: other instances commit too, and a rollback moves the horizon.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// The feed of one service.
pub struct ChangeFeed {
    db: Db,
    readers: Readers,
    shutdown: CancellationToken,
}

/// Who may read a feed, among those whom the contract lets call.
#[derive(Clone, Copy, Debug)]
pub enum Readers {
    /// Everyone, each within its scope.
    Everyone,
    /// Operators, each its own changes, and peer services: the changes are about persons, whom the programme's side
    /// never sees one by one. What may not be shown of them for now is taken out.
    OperatorsAndPeers(Veil),
}

/// Takes out of changes what they may not show for now, in the transaction that read them.
pub type Veil = for<'a> fn(
    &'a mut Tx,
    &'a mut [Recorded],
) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

impl ChangeFeed {
    /// A feed over the service's database. Waiting callers are answered at once when `shutdown` begins.
    pub fn server(
        db: Db,
        readers: Readers,
        shutdown: CancellationToken,
    ) -> ChangeFeedServiceServer<Self> {
        ChangeFeedServiceServer::new(Self {
            db,
            readers,
            shutdown,
        })
    }

    fn admit(&self, caller: &Caller) -> Result<(), Failure> {
        let personal = matches!(self.readers, Readers::OperatorsAndPeers(_));
        if personal && caller.operator.is_none() && !caller.has(Role::PeerService) {
            return Err(Failure::role_missing(
                "operator_agent, operator_manager, peer_service",
            ));
        }
        Ok(())
    }

    async fn pull(
        &self,
        caller: &Caller,
        request: &PullChangesRequest,
    ) -> Result<PullChangesResponse, Failure> {
        self.admit(caller)?;
        Check::of(request).finish(|| Some(()))?;
        let cursor: Cursor = request
            .cursor
            .parse()
            .map_err(|_| Failure::page_token_invalid("cursor"))?;
        let size = match request.page_size {
            0 => DEFAULT_PAGE_SIZE,
            size => size.min(MAX_PAGE_SIZE),
        };
        let wait = request
            .wait
            .and_then(|wait| Duration::try_from(wait).ok())
            .unwrap_or_default();
        let until = Instant::now() + wait.min(MAX_WAIT);
        let scope = caller.scope();
        loop {
            let committed = self.db.next_commit();
            let changes = self.page(&scope, cursor, i64::from(size)).await?;
            if !changes.is_empty() || Instant::now() >= until || self.shutdown.is_cancelled() {
                let next_cursor = changes
                    .last()
                    .map_or(cursor, |last| last.cursor)
                    .to_string();
                return Ok(PullChangesResponse {
                    changes: changes.into_iter().map(wire).collect(),
                    next_cursor,
                });
            }
            tokio::select! {
                () = committed => {}
                () = tokio::time::sleep_until(until.min(Instant::now() + POLL_EVERY)) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
    }

    async fn page(
        &self,
        scope: &Scope,
        cursor: Cursor,
        size: i64,
    ) -> Result<Vec<Recorded>, Failure> {
        let mut tx = self.db.disclose(scope).await?;
        let mut changes = tx.changes_after(cursor, size).await?;
        if changes.is_empty() {
            return Ok(changes);
        }
        self.veil(&mut tx, &mut changes).await?;
        Ok(tx.tell(names(&changes), changes).await?)
    }

    async fn veil(&self, tx: &mut Tx, changes: &mut [Recorded]) -> Result<(), Error> {
        match self.readers {
            Readers::Everyone => Ok(()),
            Readers::OperatorsAndPeers(veil) => veil(tx, changes).await,
        }
    }

    async fn history(
        &self,
        caller: &Caller,
        request: &ListHistoryRequest,
    ) -> Result<ListHistoryResponse, Failure> {
        self.admit(caller)?;
        let operator = owner(&request.name)?;
        let scope = match operator {
            Some(operator) => caller
                .reach(operator)
                .map_err(|_| Failure::out_of_reach())?,
            None if caller.operator.is_some() => return Err(Failure::out_of_reach()),
            None => caller.scope(),
        };
        Check::of(request).finish(|| Some(()))?;
        let page = Page::sized(
            &["ListHistory", &request.name],
            request.page_size,
            &request.page_token,
            DEFAULT_PAGE_SIZE,
            MAX_PAGE_SIZE,
        )?;
        let after = page.after::<i64>()?.unwrap_or_default();
        let mut tx = self.db.disclose(&scope).await?;
        let rows = tx
            .history(operator, &request.name, after, page.limit())
            .await?;
        let (mut rows, next_page_token) = page.cut(rows, |row| row.cursor.position.to_string());
        self.veil(&mut tx, &mut rows).await?;
        let told = names(&rows);
        let answer = ListHistoryResponse {
            changes: rows.into_iter().map(wire).collect(),
            next_page_token,
        };
        Ok(tx.tell(told, answer).await?)
    }
}

#[tonic::async_trait]
impl ChangeFeedService for ChangeFeed {
    async fn pull_changes(
        &self,
        request: Request<PullChangesRequest>,
    ) -> Result<Response<PullChangesResponse>, Status> {
        let (caller, request) = open(request)?;
        Ok(Response::new(self.pull(&caller, &request).await?))
    }

    async fn list_history(
        &self,
        request: Request<ListHistoryRequest>,
    ) -> Result<Response<ListHistoryResponse>, Status> {
        let (caller, request) = open(request)?;
        Ok(Response::new(self.history(&caller, &request).await?))
    }
}

/// The resources that these changes are about.
fn names(changes: &[Recorded]) -> Vec<String> {
    changes
        .iter()
        .map(|change| change.resource.clone())
        .collect()
}

/// The operator that a resource name begins with, if it does.
fn owner(name: &str) -> Result<Option<OperatorId>, Failure> {
    let mut segments = name.split('/');
    match (segments.next(), segments.next()) {
        (Some("operators"), Some(operator)) => nonrecours_rpc::field("name", operator).map(Some),
        _ => Ok(None),
    }
}

fn wire(recorded: Recorded) -> Change {
    // A resource has a name, so nothing is encoded as no bytes: what the change showed has been erased, or may not be shown.
    let shows = !recorded.snapshot.is_empty();
    Change {
        label_fr: change_label(&recorded.kind)
            .unwrap_or(&recorded.kind)
            .to_owned(),
        why: recorded.why,
        name: recorded.resource,
        revision: recorded.revision,
        kind: recorded.kind,
        occur_time: Some(to_timestamp(recorded.occur_time)),
        actor: recorded.actor,
        traceparent: recorded.traceparent,
        snapshot: shows.then_some(Any {
            type_url: recorded.type_url,
            value: recorded.snapshot,
        }),
        cursor: recorded.cursor.to_string(),
    }
}
