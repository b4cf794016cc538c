use std::sync::Arc;

use nonrecours_kernel::{
    ConventionId, InseeCode, ManualClock, OperatorId, SessionId, SessionName, catalogue,
};
use proptest::prelude::*;
use time::macros::{date, datetime};
use uuid::Uuid;

use super::*;
use crate::{
    beneficiary::domain::{Beneficiary, ClosingReason, Journey, JourneyState, Publics},
    record::Faults,
};

const NOW: OffsetDateTime = datetime!(2025-10-07 07:00 UTC);

fn convention(number: u128) -> ConventionName {
    ConventionName {
        operator: OperatorId::from_uuid(Uuid::from_u128(1)),
        convention: ConventionId::from_uuid(Uuid::from_u128(number)),
    }
}

fn ids() -> IdSource {
    IdSource::seeded(Arc::new(ManualClock::at(NOW)), 1)
}

fn person(state: JourneyState) -> Beneficiary {
    let reason = (state == JourneyState::Closed).then_some(ClosingReason::RightsOpened);
    Beneficiary {
        publics: Publics::stored(vec![catalogue::publics()[0].code.to_owned()]),
        commune: "62263".parse::<InseeCode>().unwrap(),
        age_band: None,
        journey: Journey::new(state, reason).unwrap(),
        spotted_date: date!(2025 - 10 - 01),
    }
}

fn candidate(reference: &str, version: i64, state: JourneyState) -> Candidate<Beneficiary> {
    Candidate {
        place: 0,
        reference: Some(reference.parse().unwrap()),
        version,
        state: Some(state),
        content: Some(person(state)),
        differs_apart: false,
        faults: Faults::default(),
    }
}

/// Makes the plan for one candidate, and gives its outcome with what is stored afterwards.
fn push(
    under: &ConventionName,
    stored: Option<Record<Beneficiary>>,
    candidate: Candidate<Beneficiary>,
) -> (Outcome, Option<Record<Beneficiary>>) {
    let plan = Plan::make(under, NOW, &ids(), stored.clone(), vec![candidate]);
    let written: Vec<Record<Beneficiary>> = plan.written().cloned().collect();
    let [(0, outcome)] = &plan.outcomes[..] else {
        panic!("one outcome");
    };
    assert_eq!(!written.is_empty(), matches!(outcome, Outcome::Stored(_)));
    (outcome.clone(), written.into_iter().next().or(stored))
}

fn reasons(outcome: &Outcome) -> Vec<&str> {
    match outcome {
        Outcome::Rejected(violations) => violations
            .iter()
            .map(|violation| violation.reason.as_str())
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_code_in_doubt_is_a_fault_unless_the_record_has_it() {
    let under = convention(7);
    let doubted = |version, state, code: &str| {
        let mut candidate = candidate("a", version, state);
        candidate.faults.doubt("beneficiary.publics[0]", code);
        candidate
    };
    let own = catalogue::publics()[0].code;
    let (outcome, _) = push(&under, None, doubted(3, JourneyState::Informed, own));
    assert_eq!(reasons(&outcome), ["UNKNOWN_CODE"]);
    let (_, stored) = push(&under, None, candidate("a", 3, JourneyState::Informed));
    for (version, state, code, expected) in [
        (3, JourneyState::Informed, own, "unchanged"),
        (4, JourneyState::Oriented, own, "stored"),
        (2, JourneyState::Informed, "OTHER", "stale"),
    ] {
        let (outcome, _) = push(&under, stored.clone(), doubted(version, state, code));
        let became = match outcome {
            Outcome::Stored(_) => "stored",
            Outcome::Unchanged(_) => "unchanged",
            Outcome::Stale(_) => "stale",
            Outcome::Rejected(_) => "rejected",
        };
        assert_eq!(became, expected);
    }
    let (outcome, _) = push(&under, stored, doubted(4, JourneyState::Informed, "OTHER"));
    assert_eq!(reasons(&outcome), ["UNKNOWN_CODE"]);
}

#[test]
fn a_record_is_created_changed_and_left_alone() {
    let under = convention(7);
    let (created, stored) = push(&under, None, candidate("a", 3, JourneyState::Informed));
    let first = stored.clone().unwrap();
    assert_eq!(created, Outcome::Stored(first.name()));
    assert_eq!((first.revision, first.version), (1, 3));

    let (same, stored) = push(&under, stored, candidate("a", 3, JourneyState::Informed));
    assert_eq!(same, Outcome::Unchanged(first.name()));
    let (stale, stored) = push(&under, stored, candidate("a", 2, JourneyState::Spotted));
    assert_eq!(stale, Outcome::Stale(first.name()));
    // The same content under a later version: kept, so that a version in between comes too late.
    let (later, stored) = push(&under, stored, candidate("a", 5, JourneyState::Informed));
    assert_eq!(later, Outcome::Stored(first.name()));
    let (between, stored) = push(&under, stored, candidate("a", 4, JourneyState::Closed));
    assert_eq!(between, Outcome::Stale(first.name()));
    let stored = stored.unwrap();
    assert_eq!(
        (stored.revision, stored.version, stored.id),
        (2, 5, first.id)
    );
}

#[test]
fn every_fault_is_told_at_once() {
    let under = convention(7);
    let (_, stored) = push(&under, None, candidate("a", 0, JourneyState::InSupport));
    let mut wrong = candidate("a", 0, JourneyState::Spotted);
    wrong.content = None;
    wrong.faults.refuse("version", crate::record::required());
    let (outcome, stored) = push(&under, stored, wrong);
    assert_eq!(reasons(&outcome), ["REQUIRED", "TRANSITION_ILLEGAL"]);
    let (outcome, _) = push(
        &convention(8),
        stored,
        candidate("a", 0, JourneyState::Spotted),
    );
    assert_eq!(reasons(&outcome), ["OTHER_CONVENTION"]);
}

#[test]
fn new_records_are_written_in_the_order_of_their_references_and_numbered_in_the_order_sent() {
    let candidates = ["c", "a", "b"]
        .iter()
        .enumerate()
        .map(|(place, reference)| Candidate {
            place,
            ..candidate(reference, 0, JourneyState::Spotted)
        });
    let plan = Plan::make(&convention(7), NOW, &ids(), None, candidates.collect());
    let written: Vec<&str> = plan
        .inserts
        .iter()
        .map(|record| record.reference.as_str())
        .collect();
    assert_eq!(written, ["a", "b", "c"]);
    assert!(plan.inserts[2].id < plan.inserts[0].id && plan.inserts[0].id < plan.inserts[1].id);
}

#[test]
fn a_kind_without_states_always_goes_on() {
    #[derive(Clone, PartialEq)]
    struct Plain(i32);
    impl Content for Plain {
        type Id = SessionId;
        type State = ();
        const STATE_FIELD: &'static str = "";
        fn state(&self) {}
        fn new_id(ids: &IdSource) -> SessionId {
            ids.next()
        }
        fn name(operator: OperatorId, session: SessionId) -> String {
            SessionName { operator, session }.to_string()
        }
    }
    let candidate = |content| Candidate {
        place: 0,
        reference: Some("s".parse().unwrap()),
        version: 0,
        state: Some(()),
        content: Some(Plain(content)),
        differs_apart: false,
        faults: Faults::default(),
    };
    let first = Plan::make(&convention(7), NOW, &ids(), None, vec![candidate(1)]);
    let second = Plan::make(
        &convention(7),
        NOW,
        &ids(),
        first.inserts,
        vec![candidate(2)],
    );
    assert_eq!(second.updates[0].revision, 2);
    assert!(second.updates[0].content == Plain(2));
}

proptest! {
    /// Whatever is pushed in whatever order: the state only goes forward, the version never falls, the revision counts
    /// what was stored, and pushing again what was just accepted changes nothing.
    #[test]
    fn any_sequence_of_pushes_leaves_a_legal_record(
        pushes in prop::collection::vec((0..5_i64, prop::sample::select(JourneyState::ALL)), 1..30),
    ) {
        let under = convention(7);
        let mut stored: Option<Record<Beneficiary>> = None;
        for (version, state) in pushes {
            let before = stored.clone();
            let (outcome, after) = push(&under, stored, candidate("a", version, state));
            if let (Some(before), Some(after)) = (&before, &after) {
                prop_assert!(before.content.state().leads_to(after.content.state()));
                prop_assert!(before.version <= after.version);
                let counted = i64::from(matches!(outcome, Outcome::Stored(_)));
                prop_assert_eq!(before.revision + counted, after.revision);
                prop_assert_eq!(before.id, after.id);
            }
            if !matches!(outcome, Outcome::Rejected(_) | Outcome::Stale(_)) {
                let (again, same) = push(&under, after.clone(), candidate("a", version, state));
                prop_assert!(matches!(again, Outcome::Unchanged(_)));
                prop_assert_eq!(&same, &after);
            }
            stored = after;
        }
    }
}
