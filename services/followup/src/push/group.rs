//! Unary pushes, taken together: what waits of one caller under one convention goes into one batch, so that one commit is
//! waited for by all of it. Each push keeps its own results, its own trace on the feed, and its own failure.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nonrecours_contracts::followup::{PushRecordsResponse, Record};
use nonrecours_kernel::{ConventionName, IdSource, OperatorId, Role, Scope};
use nonrecours_pg::Db;
use nonrecours_rpc::{Failure, telemetry::context};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{
    batch::{Job, Rules},
    kind::Traces,
    results,
    turn::Turn,
};
use crate::{error::Error, vault::Vault};

/// Pushes of one caller under one convention that wait at most; more are refused. Half of what a process takes in hand at
/// once (`MAX_IN_FLIGHT`): one caller does not keep the others out.
const MAX_WAITING: usize = 256;
/// Records taken together at most, as in a batch of a stream.
const MAX_TOGETHER: usize = 1000;
/// Batches of one caller under one convention that are stored at the same time at most: while the database works on one,
/// the next is read and weighed.
const HANDS: usize = 2;
/// Pushes that must wait for another batch to be begun beside the one being stored: fewer do better to be taken together.
const WORTH_A_HAND: usize = 8;

/// Takes pushes together. Clones share what waits.
#[derive(Clone)]
pub struct Groups {
    db: Db,
    ids: IdSource,
    vault: Vault,
    waiting: Arc<Mutex<Queues>>,
}

type Queues = HashMap<Key, Queue>;

/// What waits of one caller under one convention, and how many are storing it.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Push>,
    hands: usize,
}

/// Who pushes: the actor, and the operator by the convention's name. What they write bears their name.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    actor: String,
    actor_name: String,
    actor_operator: Option<OperatorId>,
    roles: BTreeSet<Role>,
    convention: ConventionName,
}

/// A push that waits.
struct Push {
    scope: Scope,
    records: Vec<Record>,
    traceparent: Option<String>,
    answer: oneshot::Sender<Result<PushRecordsResponse, Error>>,
}

impl Groups {
    pub(super) fn new(db: Db, ids: IdSource, vault: Vault) -> Self {
        Self {
            db: db.lane(),
            ids,
            vault,
            waiting: Arc::default(),
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
        let key = Key {
            actor: scope.actor().to_owned(),
            actor_name: scope.actor_name().to_owned(),
            actor_operator: scope.actor_operator(),
            roles: scope.roles().clone(),
            convention: *convention,
        };
        let (answer, answered) = oneshot::channel();
        let push = Push {
            scope: scope.clone(),
            records,
            traceparent: context::traceparent(),
            answer,
        };
        if self.queue(&key, push)? {
            let hand = Hand {
                groups: self.clone(),
                key,
                busy: true,
            };
            tokio::spawn(hand.work().in_current_span());
        }
        match answered.await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::bug("a push was dropped unanswered").into()),
        }
    }

    /// Lets a push wait; whether another hand is to start on the queue, counted already.
    fn queue(&self, key: &Key, push: Push) -> Result<bool, Error> {
        let mut queues = self.queues();
        let queue = queues.entry(key.clone()).or_default();
        if queue.waiting.len() >= MAX_WAITING {
            return Err(Failure::overloaded().into());
        }
        queue.waiting.push_back(push);
        let wanted = match queue.hands {
            0 => true,
            hands => hands < HANDS && queue.waiting.len() >= WORTH_A_HAND,
        };
        queue.hands += usize::from(wanted);
        Ok(wanted)
    }

    /// What waits, as far as it goes into one batch: no two pushes of the same record, since the later one would stand
    /// for both. Nothing left: the hand is free, and the queue is gone with the last one.
    fn take(&self, key: &Key) -> Option<Vec<Push>> {
        let mut queues = self.queues();
        let queue = queues.get_mut(key)?;
        let (mut group, mut records, mut references) = (Vec::new(), 0, HashSet::new());
        while let Some(push) = queue.waiting.front() {
            let own: HashSet<&str> = push
                .records
                .iter()
                .map(|record| record.external_reference.as_str())
                .collect();
            let fits = records + push.records.len() <= MAX_TOGETHER
                && own.iter().all(|reference| !references.contains(*reference));
            if !(fits || group.is_empty()) {
                break;
            }
            records += push.records.len();
            references.extend(own.into_iter().map(str::to_owned));
            group.extend(queue.waiting.pop_front());
        }
        if group.is_empty() {
            release(&mut queues, key);
            return None;
        }
        Some(group)
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

    fn queues(&self) -> MutexGuard<'_, Queues> {
        // A panic elsewhere leaves a queue as it was.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores what waits of one queue, group by group, until nothing does.
struct Hand {
    groups: Groups,
    key: Key,
    /// Counted among those of its queue.
    busy: bool,
}

impl Hand {
    async fn work(mut self) {
        let (groups, convention) = (self.groups.clone(), self.key.convention);
        while let Some(group) = groups.take(&self.key) {
            if group.len() > 1 {
                match groups.together(&convention, &group).await {
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
                let alone = groups.batch(&push.scope, &convention, &push.records, &traces);
                drop(push.answer.send(alone.await));
            }
        }
        self.busy = false;
    }
}

impl Drop for Hand {
    /// Broken off by a panic: what waits for nobody else is answered, and the next push starts anew.
    fn drop(&mut self) {
        if self.busy {
            release(&mut self.groups.queues(), &self.key);
        }
    }
}

/// Takes a hand off a queue, which is gone with the last one.
fn release(queues: &mut Queues, key: &Key) {
    if let Some(queue) = queues.get_mut(key) {
        queue.hands = queue.hands.saturating_sub(1);
        if queue.hands == 0 {
            queues.remove(key);
        }
    }
}

/// The trace of a push, for each of its records.
fn trace_of(push: &Push) -> Traces {
    let traced =
        |record: &Record| Some((record.external_reference.clone(), push.traceparent.clone()?));
    push.records.iter().filter_map(traced).collect()
}
