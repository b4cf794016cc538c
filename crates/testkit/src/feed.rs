//! A feed that says what a test tells it to, in the place of another service.

use std::{convert::Infallible, sync::Arc, time::Duration};

use nonrecours_contracts::feed::{
    Change, ListHistoryRequest, ListHistoryResponse, PullChangesRequest, PullChangesResponse,
    change_feed_service_server::{ChangeFeedService, ChangeFeedServiceServer},
};
use prost::{Message, Name};
use prost_types::{Any, Timestamp};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::Serving;

/// Longest wait of a pull, so that a test that ends is not held up.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// A change feed whose changes a test adds.
#[derive(Clone)]
pub struct ScriptedFeed {
    changes: Arc<watch::Sender<Vec<Change>>>,
}

impl Default for ScriptedFeed {
    fn default() -> Self {
        Self {
            changes: Arc::new(watch::Sender::new(Vec::new())),
        }
    }
}

impl ScriptedFeed {
    /// Adds a change after those before.
    pub fn push<M: Message + Name>(&self, name: &str, revision: i64, kind: &str, snapshot: &M) {
        self.changes.send_modify(|changes| {
            let position = changes.len() + 1;
            changes.push(Change {
                name: name.to_owned(),
                revision,
                kind: kind.to_owned(),
                occur_time: Some(Timestamp {
                    seconds: crate::START.unix_timestamp(),
                    nanos: 0,
                }),
                actor: "test".to_owned(),
                traceparent: String::new(),
                snapshot: Some(Any {
                    type_url: M::type_url(),
                    value: snapshot.encode_to_vec(),
                }),
                cursor: cursor(position),
                ..Change::default()
            });
        });
    }

    /// Serves the feed, and nothing else, to anybody.
    pub async fn serve(&self) -> Serving {
        let feed = self.clone();
        Serving::start(|listener, shutdown| async move {
            let incoming = tonic::transport::server::TcpIncoming::from(listener);
            let serving = tonic::transport::Server::builder()
                .add_service(ChangeFeedServiceServer::new(feed))
                .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
            // A pull that waits is not waited for.
            tokio::select! {
                served = serving => served.expect("the feed is served"),
                () = shutdown.cancelled() => {}
            }
            Ok::<_, Infallible>(())
        })
        .await
    }
}

fn cursor(position: usize) -> String {
    format!("1.1.{position}")
}

#[tonic::async_trait]
impl ChangeFeedService for ScriptedFeed {
    async fn pull_changes(
        &self,
        request: Request<PullChangesRequest>,
    ) -> Result<Response<PullChangesResponse>, Status> {
        let PullChangesRequest {
            cursor: from, wait, ..
        } = request.into_inner();
        let wait = wait.and_then(|wait| Duration::try_from(wait).ok());
        let mut watched = self.changes.subscribe();
        let after = |changes: &Vec<Change>| -> Vec<Change> {
            let skip = changes
                .iter()
                .position(|change| change.cursor == from)
                .map_or(0, |index| index + 1);
            changes.iter().skip(skip).cloned().collect()
        };
        let waited = tokio::time::timeout(
            wait.unwrap_or_default().min(MAX_WAIT),
            watched.wait_for(|changes| !after(changes).is_empty()),
        )
        .await;
        let changes = match waited {
            Ok(Ok(changes)) => after(&changes),
            _ => Vec::new(),
        };
        let next_cursor = changes
            .last()
            .map_or(from.clone(), |last| last.cursor.clone());
        Ok(Response::new(PullChangesResponse {
            changes,
            next_cursor,
        }))
    }

    async fn list_history(
        &self,
        _: Request<ListHistoryRequest>,
    ) -> Result<Response<ListHistoryResponse>, Status> {
        Err(Status::unimplemented("a scripted feed has no history"))
    }
}
