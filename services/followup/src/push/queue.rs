//! Unary pushes that wait to be stored together, by caller and convention, and the hands that store them.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nonrecours_contracts::followup::{PushRecordsResponse, Record};
use nonrecours_kernel::{ConventionName, OperatorId, Role, Scope};
use nonrecours_rpc::Failure;
use tokio::sync::oneshot;

use crate::error::Error;

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

/// Who pushes: the actor, and the operator by the convention's name. What they write bears their name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    actor: String,
    actor_name: String,
    actor_operator: Option<OperatorId>,
    roles: BTreeSet<Role>,
    /// What the records fall under.
    pub convention: ConventionName,
}

impl Key {
    /// That of a caller under a convention.
    pub fn of(scope: &Scope, convention: &ConventionName) -> Self {
        Self {
            actor: scope.actor().to_owned(),
            actor_name: scope.actor_name().to_owned(),
            actor_operator: scope.actor_operator(),
            roles: scope.roles().clone(),
            convention: *convention,
        }
    }
}

/// A push that waits. Dropped unanswered, it tells whoever waits for it.
pub struct Push {
    /// Who acts.
    pub scope: Scope,
    /// What they send.
    pub records: Vec<Record>,
    /// Trace context of the request.
    pub traceparent: Option<String>,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<PushRecordsResponse, Error>>,
}

/// What waits. Clones share it.
#[derive(Clone, Default)]
pub struct Queues(Arc<Mutex<HashMap<Key, Queue>>>);

/// What waits of one caller under one convention, and how many are storing it.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Push>,
    hands: usize,
}

impl Queues {
    /// Lets a push wait. Gives another hand for the queue when one is wanted. Refused with RESOURCE_EXHAUSTED when too much
    /// waits already.
    pub fn add(&self, key: &Key, push: Push) -> Result<Option<Hand>, Error> {
        let mut queues = self.lock();
        let queue = queues.entry(key.clone()).or_default();
        if queue.waiting.len() >= MAX_WAITING {
            return Err(Failure::overloaded().into());
        }
        queue.waiting.push_back(push);
        let is_wanted = match queue.hands {
            0 => true,
            hands => hands < HANDS && queue.waiting.len() >= WORTH_A_HAND,
        };
        queue.hands += usize::from(is_wanted);
        Ok(is_wanted.then(|| Hand {
            queues: self.clone(),
            key: key.clone(),
            busy: true,
        }))
    }

    /// Takes a hand off a queue, which is gone with the last one, and whatever waits in it.
    fn release(queues: &mut HashMap<Key, Queue>, key: &Key) {
        if let Some(queue) = queues.get_mut(key) {
            queue.hands = queue.hands.saturating_sub(1);
            if queue.hands == 0 {
                queues.remove(key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Queue>> {
        // A panic elsewhere leaves a queue as it was.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores what waits of one queue, group by group, until nothing does.
pub struct Hand {
    queues: Queues,
    key: Key,
    /// Counted among those of its queue.
    busy: bool,
}

impl Hand {
    /// What the pushes fall under.
    pub fn convention(&self) -> ConventionName {
        self.key.convention
    }

    /// What waits, as far as it goes into one batch: no two pushes of the same record, since the later one would stand
    /// for both. Nothing left: the hand is free.
    pub fn take(&mut self) -> Option<Vec<Push>> {
        let mut queues = self.queues.lock();
        let queue = queues.get_mut(&self.key)?;
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
            Queues::release(&mut queues, &self.key);
            self.busy = false;
            return None;
        }
        Some(group)
    }
}

impl Drop for Hand {
    /// Broken off by a panic: what waits for nobody else is answered, and the next push starts anew.
    fn drop(&mut self) {
        if self.busy {
            Queues::release(&mut self.queues.lock(), &self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{ConventionId, Id};
    use uuid::Uuid;

    use super::*;

    type Answer = oneshot::Receiver<Result<PushRecordsResponse, Error>>;

    fn key() -> Key {
        let convention = ConventionName {
            operator: Id::from_uuid(Uuid::from_u128(1)),
            convention: ConventionId::from_uuid(Uuid::from_u128(2)),
        };
        Key::of(&Scope::of_service("test"), &convention)
    }

    /// A push of records under these references.
    fn push(references: &[&str]) -> (Push, Answer) {
        let record = |reference: &&str| Record {
            external_reference: (*reference).to_owned(),
            ..Record::default()
        };
        let (answer, answered) = oneshot::channel();
        let push = Push {
            scope: Scope::of_service("test"),
            records: references.iter().map(record).collect(),
            traceparent: None,
            answer,
        };
        (push, answered)
    }

    /// Lets so many pushes wait, each of a record of its own: the hands that they are given, and where they are answered.
    fn added(queues: &Queues, name: &str, pushes: usize) -> (Vec<Hand>, Vec<Answer>) {
        let (mut hands, mut answers) = (Vec::new(), Vec::new());
        for number in 0..pushes {
            let (push, answered) = push(&[&format!("{name}{number}")]);
            hands.extend(queues.add(&key(), push).unwrap());
            answers.push(answered);
        }
        (hands, answers)
    }

    /// First references of what a hand has taken.
    fn taken(group: Option<Vec<Push>>) -> Vec<String> {
        let first = |push: &Push| push.records[0].external_reference.clone();
        group.unwrap_or_default().iter().map(first).collect()
    }

    #[test]
    fn what_waits_is_taken_together_but_for_the_same_record_twice() {
        let queues = Queues::default();
        let (first, _first) = push(&["a"]);
        let mut hand = queues.add(&key(), first).unwrap().unwrap();
        let mut answers = Vec::new();
        for references in [&["b", "c"][..], &["d"], &["c"], &["e"]] {
            let (push, answered) = push(references);
            assert!(queues.add(&key(), push).unwrap().is_none());
            answers.push(answered);
        }
        assert_eq!(taken(hand.take()), ["a", "b", "d"]);
        assert_eq!(taken(hand.take()), ["c", "e"]);
        assert!(hand.take().is_none());
        assert!(queues.lock().is_empty());
    }

    #[test]
    fn a_push_larger_than_a_batch_is_taken_by_itself() {
        let queues = Queues::default();
        let many: Vec<String> = (0..MAX_TOGETHER).map(|it| format!("m{it}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (large, _large) = push(&many);
        let mut hand = queues.add(&key(), large).unwrap().unwrap();
        let (_, _answers) = added(&queues, "a", 2);
        assert_eq!(taken(hand.take()), ["m0"]);
        assert_eq!(taken(hand.take()), ["a0", "a1"]);
    }

    #[test]
    fn a_second_group_is_begun_beside_the_first_when_enough_waits_and_a_third_never() {
        let queues = Queues::default();
        let (mut hands, _first) = added(&queues, "a", 1);
        let mut first = hands.remove(0);
        assert_eq!(taken(first.take()), ["a0"]);
        let (hands, _few) = added(&queues, "b", WORTH_A_HAND - 1);
        assert!(hands.is_empty());
        let (mut hands, _enough) = added(&queues, "c", 1);
        let mut second = hands.remove(0);
        assert_eq!(taken(second.take()).len(), WORTH_A_HAND);
        let (hands, _more) = added(&queues, "d", 2 * WORTH_A_HAND);
        assert!(hands.is_empty());
        // The first to come back takes all that has come meanwhile; the other finds nothing, and the queue stays with it.
        assert_eq!(taken(first.take()).len(), 2 * WORTH_A_HAND);
        assert!(second.take().is_none());
        let (hands, _last) = added(&queues, "e", 1);
        assert!(hands.is_empty());
        assert_eq!(taken(first.take()), ["e0"]);
        assert!(first.take().is_none());
        assert!(queues.lock().is_empty());
    }

    #[test]
    fn too_much_that_waits_is_refused() {
        let queues = Queues::default();
        let (_hands, _answers) = added(&queues, "a", MAX_WAITING);
        let (one_more, _answered) = push(&["b"]);
        let refused = queues.add(&key(), one_more).err().unwrap();
        assert_eq!(Failure::from(refused).reason(), "OVERLOADED");
    }

    #[tokio::test]
    async fn a_hand_that_is_broken_off_leaves_nobody_waiting_and_the_next_push_starts_anew() {
        let queues = Queues::default();
        let (mut hands, answers) = added(&queues, "a", 1);
        let mut hand = hands.remove(0);
        let group = hand.take();
        let (none, behind) = added(&queues, "b", 2);
        assert!(none.is_empty());
        let broken = tokio::spawn(async move {
            let _in_hand = (hand, group);
            panic!("broken off");
        });
        assert!(broken.await.unwrap_err().is_panic());
        for answered in answers.into_iter().chain(behind) {
            assert!(answered.await.is_err(), "dropped, so told");
        }
        let (hands, _answers) = added(&queues, "c", 1);
        assert_eq!(hands.len(), 1);
    }

    #[tokio::test]
    async fn what_waits_stays_with_the_hand_that_is_left() {
        let queues = Queues::default();
        let (mut hands, _first) = added(&queues, "a", 1);
        let mut first = hands.remove(0);
        first.take();
        let (mut hands, _second) = added(&queues, "b", WORTH_A_HAND);
        let mut second = hands.remove(0);
        second.take();
        let (_, behind) = added(&queues, "c", 1);
        drop(second);
        assert_eq!(taken(first.take()), ["c0"]);
        assert_eq!(behind.len(), 1);
    }
}
