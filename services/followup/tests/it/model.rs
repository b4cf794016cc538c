//! Any batches against a model of the rules, small enough to be seen right.

use std::collections::{BTreeMap, HashMap};

use nonrecours_contracts::followup::{
    EntitlementState, JourneyState, ListBeneficiariesRequest, ListEntitlementsRequest,
    ListSessionsRequest, Record, RecordOutcome,
    beneficiary_service_client::BeneficiaryServiceClient,
    entitlement_service_client::EntitlementServiceClient,
    session_service_client::SessionServiceClient,
};
use nonrecours_kernel::ConventionName;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::support::*;

/// States whose order is that of the journey.
const JOURNEY: [JourneyState; 4] = [
    JourneyState::Spotted,
    JourneyState::Informed,
    JourneyState::Oriented,
    JourneyState::InSupport,
];
/// States, in their order, that a claim without decision can have.
const CLAIM: [EntitlementState; 4] = [
    EntitlementState::Identified,
    EntitlementState::Prepared,
    EntitlementState::Filed,
    EntitlementState::MoreInformation,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Person,
    Right { of: u8 },
    Session,
}

/// A pushed record, in short.
#[derive(Clone, Debug)]
struct Op {
    kind: Kind,
    reference: u8,
    version: i64,
    /// Place of the state in its order; of a session, the persons met.
    state: usize,
    is_wrong: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Held {
    version: i64,
    state: usize,
    of: u8,
    revision: i64,
}

#[derive(Default)]
struct Model(BTreeMap<(u8, u8), Held>);

impl Op {
    fn key(&self) -> (u8, u8) {
        let kind = match self.kind {
            Kind::Person => 0,
            Kind::Right { .. } => 1,
            Kind::Session => 2,
        };
        (kind, self.reference)
    }

    fn of(&self) -> u8 {
        match self.kind {
            Kind::Right { of } => of,
            Kind::Person | Kind::Session => 0,
        }
    }

    fn record(&self) -> Record {
        let reference = format!("R{}", self.reference);
        let record = match self.kind {
            Kind::Person => person_with(&reference, |person| {
                person.state = JOURNEY[self.state].into();
                if self.is_wrong {
                    person.publics.clear();
                }
            }),
            Kind::Right { of } => right_with(&reference, &format!("R{of}"), |right| {
                right.state = CLAIM[self.state].into();
                if self.is_wrong {
                    right.right.clear();
                }
            }),
            Kind::Session => session_with(&reference, |session| {
                session.persons_met = i32::try_from(self.state).unwrap();
                if self.is_wrong {
                    session.venue.clear();
                }
            }),
        };
        version(self.version, record)
    }
}

impl Model {
    fn push(&mut self, batch: &[Op]) -> Vec<RecordOutcome> {
        let last: HashMap<(u8, u8), usize> = batch
            .iter()
            .enumerate()
            .map(|(place, op)| (op.key(), place))
            .collect();
        let before: Vec<(u8, u8)> = self.0.keys().copied().collect();
        let mut outcomes = vec![RecordOutcome::Superseded; batch.len()];
        // Persons first: a right may refer to one earlier in the batch.
        for kind in 0..3 {
            for (place, op) in batch.iter().enumerate() {
                if op.key().0 == kind && last[&op.key()] == place {
                    let first = batch.iter().position(|other| other.key() == (0, op.of()));
                    let knows = kind != 1
                        || before.contains(&(0, op.of()))
                        || (self.0.contains_key(&(0, op.of()))
                            && first.is_some_and(|first| first < place));
                    outcomes[place] = self.apply(op, knows);
                }
            }
        }
        outcomes
    }

    fn apply(&mut self, op: &Op, knows: bool) -> RecordOutcome {
        if op.is_wrong || !knows {
            return RecordOutcome::Rejected;
        }
        let sent = Held {
            version: op.version,
            state: op.state,
            of: op.of(),
            revision: 1,
        };
        let Some(held) = self.0.get_mut(&op.key()) else {
            self.0.insert(op.key(), sent);
            return RecordOutcome::Stored;
        };
        let same = Held {
            revision: held.revision,
            ..sent.clone()
        };
        if sent.version < held.version {
            RecordOutcome::Stale
        } else if op.key().0 != 2 && sent.state < held.state {
            RecordOutcome::Rejected
        } else if same == *held {
            RecordOutcome::Unchanged
        } else {
            *held = Held {
                revision: held.revision + 1,
                ..sent
            };
            RecordOutcome::Stored
        }
    }
}

/// What the service says it holds, in the terms of the model.
async fn held(suite: &Suite, convention: &ConventionName) -> BTreeMap<(u8, u8), Held> {
    let channel = suite
        .serving
        .channel(suite.tokens.agent(convention.operator));
    let parent = convention.parent().to_string();
    let reference = |reference: &str| reference[1..].parse::<u8>().unwrap();
    let mut held = BTreeMap::new();
    let mut references = HashMap::new();
    let request = ListBeneficiariesRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let persons = BeneficiaryServiceClient::new(channel.clone())
        .list_beneficiaries(request)
        .await;
    for person in persons.unwrap().into_inner().beneficiaries {
        let state = JOURNEY
            .iter()
            .position(|state| *state == person.state())
            .unwrap();
        let key = reference(&person.external_reference);
        references.insert(person.name, key);
        let entry = Held {
            version: person.version,
            state,
            of: 0,
            revision: person.revision,
        };
        held.insert((0, key), entry);
    }
    let request = ListEntitlementsRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let rights = EntitlementServiceClient::new(channel.clone())
        .list_entitlements(request)
        .await;
    for right in rights.unwrap().into_inner().entitlements {
        let state = CLAIM
            .iter()
            .position(|state| *state == right.state())
            .unwrap();
        let of = references[&right.beneficiary];
        let entry = Held {
            version: right.version,
            state,
            of,
            revision: right.revision,
        };
        held.insert((1, reference(&right.external_reference)), entry);
    }
    let request = ListSessionsRequest {
        parent,
        ..Default::default()
    };
    let sessions = SessionServiceClient::new(channel)
        .list_sessions(request)
        .await;
    for session in sessions.unwrap().into_inner().sessions {
        let state = usize::try_from(session.persons_met).unwrap();
        let entry = Held {
            version: session.version,
            state,
            of: 0,
            revision: session.revision,
        };
        held.insert((2, reference(&session.external_reference)), entry);
    }
    held
}

fn ops() -> impl Strategy<Value = Op> {
    let kind = prop_oneof![
        Just(Kind::Person),
        (0..5_u8).prop_map(|of| Kind::Right { of }),
        Just(Kind::Session)
    ];
    (
        kind,
        0..5_u8,
        0..3_i64,
        0..4_usize,
        prop::bool::weighted(0.15),
    )
        .prop_map(|(kind, reference, version, state, is_wrong)| Op {
            kind,
            reference,
            version,
            state,
            is_wrong,
        })
}

#[test]
fn any_batches_end_as_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let suite = runtime.block_on(Suite::start());
    let case = std::cell::Cell::new(100_u128);
    let batches = prop::collection::vec(prop::collection::vec(ops(), 1..14), 1..4);
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&batches, |batches| {
        // An operator of its own for each case.
        case.set(case.get() + 1);
        let convention = convention_name(case.get(), 1);
        runtime.block_on(async {
            suite.learn(convention, 1, true).await;
            let mut model = Model::default();
            let expected: Vec<Vec<RecordOutcome>> =
                batches.iter().map(|batch| model.push(batch)).collect();
            let sent = batches
                .iter()
                .map(|batch| batch.iter().map(Op::record).collect())
                .collect();
            let answers = suite.push_under(&convention, sent).await.unwrap();
            let found: Vec<Vec<RecordOutcome>> = answers.iter().map(outcomes).collect();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(held(&suite, &convention).await, model.0);
            Ok(())
        })
    });
    result.unwrap();
}
