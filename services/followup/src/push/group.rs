//! Unary pushes, taken together: what waits of one caller under one convention goes into one batch, so that one commit is
//! waited for by all of it. Each push keeps its own results, its own trace on the feed, and its own failure.

use nonrecours_contracts::followup::{PushRecordsResponse, Record};
use nonrecours_kernel::{ConventionName, IdSource, Scope};
use nonrecours_pg::Db;
use nonrecours_rpc::{Failure, telemetry::context};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{
    batch::{Job, Rules},
    kind::Traces,
    queue::{Hand, Key, Push, Queues},
    results,
    turn::Turn,
};
use crate::{error::Error, vault::Vault};

/// Takes pushes together. Clones share what waits.
#[derive(Clone)]
pub struct Groups {
    db: Db,
    ids: IdSource,
    vault: Vault,
    waiting: Queues,
}

impl Groups {
    pub(super) fn new(db: Db, ids: IdSource, vault: Vault) -> Self {
        Self {
            db: db.lane(),
            ids,
            vault,
            waiting: Queues::default(),
        }
    }

    /// Stores the records of a push with whatever else waits; the answer is durable. Refused with RESOURCE_EXHAUSTED when
    /// too much waits already.
    pub(super) async fn store(
        &self,
        scope: &Scope,
        convention: &ConventionName,
        records: Vec<Record>,
    ) -> Result<PushRecordsResponse, Error> {
        let (answer, answered) = oneshot::channel();
        let push = Push {
            scope: scope.clone(),
            records,
            traceparent: context::traceparent(),
            answer,
        };
        if let Some(hand) = self.waiting.add(&Key::of(scope, convention), push)? {
            tokio::spawn(self.clone().work(hand).in_current_span());
        }
        match answered.await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::bug("a push was dropped unanswered").into()),
        }
    }

    /// Stores what waits of one queue.
    async fn work(self, mut hand: Hand) {
        let convention = hand.convention();
        while let Some(group) = hand.take() {
            if group.len() > 1 {
                match self.together(&convention, &group).await {
                    Ok(answers) => {
                        for (push, answer) in group.into_iter().zip(answers) {
                            // Whoever is gone finds the records stored when they send them again.
                            drop(push.answer.send(Ok(answer)));
                        }
                        continue;
                    }
                    // One of them is to blame: each is done by itself.
                    Err(error) => {
                        tracing::debug!(?error, "pushes taken together failed");
                    }
                }
            }
            for push in group {
                let traces = trace_of(&push);
                let alone = self.batch(&push.scope, &convention, &push.records, &traces);
                drop(push.answer.send(alone.await));
            }
        }
    }

    async fn together(
        &self,
        convention: &ConventionName,
        group: &[Push],
    ) -> Result<Vec<PushRecordsResponse>, Error> {
        let Some(first) = group.first() else {
            return Ok(Vec::new());
        };
        let records: Vec<Record> = group.iter().flat_map(|push| push.records.clone()).collect();
        let traces = group.iter().flat_map(trace_of).collect();
        let answer = self
            .batch(&first.scope, convention, &records, &traces)
            .await?;
        // One entry of the journal tells of all of them: they are calls of one rpc by one caller.
        if first.scope.call().is_journalled() {
            for push in group {
                push.scope.call().mark_journalled();
            }
        }
        let mut rest = answer.results.into_iter();
        let own = |push: &Push| rest.by_ref().take(push.records.len()).collect();
        let each: Vec<_> = group.iter().map(own).collect();
        Ok(each
            .into_iter()
            .map(|own| results::answer(0, own))
            .collect())
    }

    async fn batch(
        &self,
        scope: &Scope,
        convention: &ConventionName,
        records: &[Record],
        traces: &Traces,
    ) -> Result<PushRecordsResponse, Error> {
        let job = Job {
            db: &self.db,
            ids: &self.ids,
            ring: &self.vault.ring(),
            scope,
            convention,
            rules: Rules::default(),
            records,
            sequence: 0,
            mark: None,
            traces,
        };
        job.store(&Turn::alone()).await
    }
}

/// The trace of a push, for each of its records.
fn trace_of(push: &Push) -> Traces {
    let traced =
        |record: &Record| Some((record.external_reference.clone(), push.traceparent.clone()?));
    push.records.iter().filter_map(traced).collect()
}
