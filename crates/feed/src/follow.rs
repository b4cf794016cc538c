//! Following the feed of another service.

use std::{future::Future, time::Duration};

use nonrecours_contracts::feed::{
    Change, PullChangesRequest, change_feed_service_client::ChangeFeedServiceClient,
};
use nonrecours_kernel::Scope;
use nonrecours_pg::{Candidate, Cursor, Db, Tx};
use nonrecours_rpc::{Failure, client::PeerChannel, telemetry};
use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge},
};
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tracing::Instrument as _;

/// Changes applied in one transaction at most.
const PAGE_SIZE: i32 = 100;
/// How long the source may hold a call open when nothing changes.
const WAIT: Duration = Duration::from_secs(15);
/// What is granted to a call beyond that.
const CALL_MARGIN: Duration = Duration::from_secs(5);
/// Pause after a first failure; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between attempts. Attempts never end: a change is applied, or an operator of the service is told.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often an instance that stands by looks whether the lead is free: at most this long nobody follows.
const STAND_BY: Duration = Duration::from_secs(1);

/// What a service does with the changes of another.
pub trait Handler: Send + Sync + 'static {
    /// Applies one change in the follower's transaction. Must do nothing when the change, or a newer one of the same
    /// resource, was applied before.
    fn apply(
        &self,
        tx: &mut Tx,
        change: &Change,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Follows one feed for one service.
pub struct Follower<H> {
    /// The service that follows, e.g. `payments`.
    pub service: &'static str,
    /// The service that is followed, e.g. `conventions`.
    pub source: &'static str,
    /// The follower's own database.
    pub db: Db,
    /// The way to the source.
    pub channel: PeerChannel,
    /// What to do with each change.
    pub handler: H,
}

struct Instruments {
    active: Gauge<i64>,
    applied: Counter<u64>,
    failures: Counter<u64>,
    lag: Gauge<i64>,
    labels: [KeyValue; 2],
}

impl<H: Handler> Follower<H> {
    /// Follows until shutdown, while this instance has the lead: of several, one follows, and another takes its place when it
    /// ends. Failures are logged and tried again, ever more slowly up to a limit.
    pub async fn run(self, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.follow() => {}
        }
    }

    /// Follows without end.
    async fn follow(&self) {
        let instruments = Instruments::new(self.service, self.source);
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.lead(&instruments).await {
                Ok(mut lead) => {
                    tracing::info!(
                        service = self.service,
                        source = self.source,
                        "this instance follows the feed"
                    );
                    instruments.active.record(1, &instruments.labels);
                    pause = FIRST_PAUSE;
                    // Without the lead, what is in hand is dropped: the database may be silent for long.
                    tokio::select! {
                        lost = lead.lost() => lost.into(),
                        () = self.pages(&instruments) => return,
                    }
                }
                Err(failure) => failure,
            };
            self.failed(&failure, &instruments);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Stands by until this instance has the lead.
    async fn lead(&self, instruments: &Instruments) -> Result<Candidate, StepFailure> {
        instruments.stand_by();
        let mut candidate = self.db.candidate(self.source).await?;
        while !candidate.take().await? {
            tokio::time::sleep(STAND_BY).await;
        }
        Ok(candidate)
    }

    /// Pulls and applies page after page, without end.
    async fn pages(&self, instruments: &Instruments) {
        let mut client = ChangeFeedServiceClient::new(self.channel.clone());
        let mut cursor = None;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.step(&mut client, cursor, instruments).await {
                Ok(reached) => {
                    cursor = Some(reached);
                    pause = FIRST_PAUSE;
                }
                Err(failure) => {
                    self.failed(&failure, instruments);
                    // Somebody else may have moved it: read it again.
                    cursor = None;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn failed(&self, failure: &StepFailure, instruments: &Instruments) {
        instruments.failures.add(1, &instruments.labels);
        tracing::warn!(
            service = self.service,
            source = self.source,
            reason = failure.reason,
            cause = failure.cause,
            "following a feed failed; trying again"
        );
    }

    /// Pulls one page and applies it; says where the feed then stands.
    async fn step(
        &self,
        client: &mut ChangeFeedServiceClient<PeerChannel>,
        cursor: Option<Cursor>,
        instruments: &Instruments,
    ) -> Result<Cursor, StepFailure> {
        let cursor = match cursor {
            Some(cursor) => cursor,
            None => self.db.feed_cursor(self.source).await?,
        };
        let mut request = Request::new(PullChangesRequest {
            cursor: cursor.to_string(),
            page_size: PAGE_SIZE,
            wait: prost_types::Duration::try_from(WAIT).ok(),
        });
        request.set_timeout(WAIT + CALL_MARGIN);
        let page = client.pull_changes(request).await?.into_inner();
        let Some(last) = page.changes.last() else {
            return Ok(cursor);
        };
        let reached: Cursor = last.cursor.parse().map_err(|_| StepFailure {
            reason: "CURSOR_UNREADABLE",
            cause: last.cursor.clone(),
        })?;

        let batch = tracing::info_span!(
            parent: None,
            "feed.batch",
            otel.name = format!("{} follows {}", self.service, self.source),
            otel.kind = "consumer",
            nonrecours.service = self.service,
            messaging.batch.message_count = page.changes.len(),
        );
        self.apply(&page.changes, cursor, reached, instruments)
            .instrument(batch)
            .await
    }

    async fn apply(
        &self,
        changes: &[Change],
        from: Cursor,
        to: Cursor,
        instruments: &Instruments,
    ) -> Result<Cursor, StepFailure> {
        let batch = telemetry::context::traceparent();
        let mut tx = self.db.begin(&Scope::of_service(self.service)).await?;
        let stands = tx.lock_feed_cursor(self.source).await?;
        if stands != from {
            // Another instance was faster: what it applied is not applied again.
            return Ok(stands);
        }
        for change in changes {
            // The change goes on in the trace of the request that made it, and points to the batch that brought it.
            let span = tracing::info_span!(
                parent: None,
                "feed.change",
                otel.name = format!("{} applies {}", self.service, change.kind),
                otel.kind = "consumer",
                nonrecours.service = self.service,
                nonrecours.change.kind = change.kind,
                nonrecours.change.source = self.source,
                nonrecours.change.revision = change.revision,
            );
            telemetry::context::set_parent(&span, &change.traceparent);
            if let Some(batch) = &batch {
                telemetry::context::add_link(&span, batch);
            }
            self.handler.apply(&mut tx, change).instrument(span).await?;
        }
        tx.move_feed_cursor(self.source, to).await?;
        let now = tx.now();
        tx.commit().await?;
        instruments
            .applied
            .add(changes.len() as u64, &instruments.labels);
        if let Some(time) = changes.last().and_then(|change| change.occur_time) {
            let lag = now.unix_timestamp().saturating_sub(time.seconds);
            instruments.lag.record(lag, &instruments.labels);
        }
        Ok(to)
    }
}

impl Instruments {
    fn new(service: &'static str, source: &'static str) -> Self {
        let meter = global::meter("nonrecours.feed");
        Self {
            active: meter
                .i64_gauge("nonrecours.feed.active")
                .with_description("1 in the instance that follows, 0 in those that stand by")
                .build(),
            applied: meter
                .u64_counter("nonrecours.feed.changes")
                .with_description("Changes applied")
                .build(),
            failures: meter
                .u64_counter("nonrecours.feed.failures")
                .with_description("Attempts to pull or apply a page that failed")
                .build(),
            lag: meter
                .i64_gauge("nonrecours.feed.lag")
                .with_unit("s")
                .with_description("Age of the last change when it was applied")
                .build(),
            labels: [
                KeyValue::new("nonrecours.service", service),
                KeyValue::new("nonrecours.feed.source", source),
            ],
        }
    }

    /// Another instance follows, or none: what was measured last here says nothing any more.
    fn stand_by(&self) {
        self.active.record(0, &self.labels);
        self.lag.record(0, &self.labels);
    }
}

/// Reads the snapshot of a change as the resource it should be.
pub fn snapshot<M: prost::Message + prost::Name + Default>(change: &Change) -> Result<M, Failure> {
    change
        .snapshot
        .as_ref()
        .and_then(|any| any.to_msg::<M>().ok())
        .ok_or_else(|| Failure::bug("a change without the snapshot its kind announces"))
}

/// Why a page was not applied: for the log.
struct StepFailure {
    reason: &'static str,
    cause: String,
}

impl From<Failure> for StepFailure {
    fn from(failure: Failure) -> Self {
        Self {
            reason: failure.reason(),
            cause: tonic::Status::from(failure).message().to_owned(),
        }
    }
}

impl From<nonrecours_pg::Error> for StepFailure {
    fn from(error: nonrecours_pg::Error) -> Self {
        Self::from(Failure::from(error))
    }
}

impl From<tonic::Status> for StepFailure {
    fn from(status: tonic::Status) -> Self {
        Self {
            reason: "SOURCE_FAILED",
            cause: format!("{:?}: {}", status.code(), status.message()),
        }
    }
}
