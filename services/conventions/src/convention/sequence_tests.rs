//! The steps of a convention in any order.

use proptest::prelude::*;
use time::Duration;

use super::*;
use crate::convention::{
    fixtures::{CUA, DAINVILLE, NOW, SPENT, draft, id, of_act, ready, sirens},
    measures::Cause,
};

/// A step that somebody may try at any moment.
#[derive(Clone, Debug)]
enum Step {
    Update,
    Authorise(Party),
    Sign(Party, bool),
    AcceptReport,
    Complete,
    Reduce(i64),
    Suspend,
    Resume,
    Claim(i64),
    Terminate,
    Dispute,
    CloseDispute,
    /// A plan as `payments` reports it: its revision tells how much was paid by then.
    Learn(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let party = || prop_oneof![Just(Party::Authority), Just(Party::Operator)];
    let step = prop_oneof![
        1 => Just(Step::Update),
        2 => party().prop_map(Step::Authorise),
        4 => (party(), any::<bool>()).prop_map(|(party, ready)| Step::Sign(party, ready)),
        2 => Just(Step::AcceptReport),
        2 => Just(Step::Complete),
        1 => (1..12_i64).prop_map(|part| Step::Reduce(part * 100_000)),
        1 => Just(Step::Suspend),
        1 => Just(Step::Resume),
        1 => (1..12_i64).prop_map(|part| Step::Claim(part * 100_000)),
        1 => Just(Step::Terminate),
        1 => Just(Step::Dispute),
        1 => Just(Step::CloseDispute),
        3 => (1..9_i64).prop_map(Step::Learn),
    ];
    prop::collection::vec(step, 0..40)
}

/// As the service does after each step that may have been the last one awaited.
fn settled(convention: Convention, now: OffsetDateTime) -> Convention {
    convention.settled(now).unwrap_or(convention)
}

fn take(convention: Convention, step: &Step, now: OffsetDateTime) -> Result<Convention, Refusal> {
    match step {
        Step::Update => {
            let title = Some("Convention corrigée".into());
            convention.update(
                Changes {
                    title,
                    ..Changes::default()
                },
                &ready().acts,
                &sirens(),
                now,
            )
        }
        Step::Authorise(party) => {
            let number = match party {
                Party::Authority => CUA,
                Party::Operator => DAINVILLE,
            };
            let same = convention.clone();
            let changed = convention.authorise(*party, of_act(number), &sirens(), now)?;
            Ok(changed.unwrap_or(same))
        }
        Step::Sign(party, is_ready) => {
            let mut circumstances = ready();
            if !is_ready {
                circumstances.acts.operator = None;
            }
            convention.sign(*party, party.as_str(), &circumstances, now)
        }
        Step::AcceptReport => convention.accept_report(id(9), SPENT, now),
        Step::Complete => Ok(settled(convention.complete(paris_date(now), now)?, now)),
        Step::Reduce(cents) => convention.reduce(Money::from_cents(*cents), now),
        Step::Suspend => convention.suspend(now),
        Step::Resume => Ok(settled(convention.resume(now)?, now)),
        Step::Claim(cents) => convention.claim(Money::from_cents(*cents), now),
        Step::Terminate => {
            let spent = convention.state.report().map_or(Money::ZERO, |_| SPENT);
            convention.terminate(paris_date(now), Cause::Decision(id(8)), spent, now)
        }
        Step::Dispute => convention.disputed(now),
        Step::CloseDispute => {
            let open = convention.signed()?.measures.open_disputes;
            if open == 0 {
                return Err(Refusal::DisputeClosed);
            }
            Ok(settled(convention.undisputed(now), now))
        }
        Step::Learn(revision) => {
            let paid = convention
                .terms
                .grant
                .min(Money::from_cents(revision * 230_000));
            let plan = Plan {
                revision: *revision,
                paid,
                settled: paid >= convention.ceiling(),
            };
            let same = convention.clone();
            Ok(match convention.learn(plan, now)? {
                Learned::Known => same,
                Learned::Noted(convention) | Learned::Changed { convention, .. } => convention,
            })
        }
    }
}

/// What the constraints of the database say of a row, said of the value.
fn is_legal(convention: &Convention) -> bool {
    let signed = |party| convention.signature(party).is_some();
    let dated = |party| {
        let signatory = convention.terms.signatories.get(party).as_ref();
        signatory.is_some_and(|signatory| signatory.empowering_decision.is_some())
    };
    let both = |of: &dyn Fn(Party) -> bool| Party::ALL.into_iter().all(of);
    let paid_within = |plan: &Plan| plan.paid <= convention.terms.grant && !plan.paid.is_negative();
    let measured = |execution: &Execution| {
        let measures = &execution.measures;
        let reduced = measures
            .reduced
            .is_none_or(|reduced| reduced < convention.terms.grant);
        reduced && measures.claimed <= execution.plan.paid && measures.open_disputes >= 0
    };
    if !convention.execution().is_none_or(measured) {
        return false;
    }
    match &convention.state {
        State::Draft => !Party::ALL.into_iter().any(signed),
        State::PartlySigned { party, .. } => signed(*party) && !both(&signed) && both(&dated),
        State::InForce { execution, .. } => {
            both(&signed) && both(&dated) && paid_within(&execution.plan)
        }
        State::Completed { execution, .. } => {
            let kept_open = !execution.measures.allow_settlement();
            both(&signed) && paid_within(&execution.plan) && (!execution.plan.settled || kept_open)
        }
        State::Settled { execution, .. } => {
            both(&signed)
                && execution.plan.paid >= convention.ceiling()
                && !execution.measures.suspended
        }
        State::Terminated {
            execution,
            accepted_report,
            completed,
            termination,
        } => {
            both(&signed)
                && paid_within(&execution.plan)
                && termination.due <= convention.ceiling()
                && (completed.is_none() || accepted_report.is_some())
                && (accepted_report.is_some() || termination.due.is_zero())
                && !execution.measures.suspended
        }
    }
}

const fn rank(state: &State) -> u8 {
    match state {
        State::Draft => 0,
        State::PartlySigned { .. } => 1,
        State::InForce { .. } => 2,
        State::Completed { .. } => 3,
        State::Settled { .. } | State::Terminated { .. } => 4,
    }
}

proptest! {
    /// Whatever is tried in whatever order: the convention is legal, never goes back, keeps its terms from the first
    /// signature on, and counts exactly its changes.
    #[test]
    fn any_sequence_of_steps_leaves_a_legal_state(steps in steps()) {
        let mut convention = draft();
        for (index, step) in (1_i64..).zip(&steps) {
            let now = NOW + Duration::minutes(index);
            let Ok(after) = take(convention.clone(), step, now) else { continue };
            prop_assert!(is_legal(&after), "{step:?} left {after:?}");
            prop_assert!(rank(&after.state) >= rank(&convention.state));
            if rank(&convention.state) > 0 {
                prop_assert_eq!(&after.terms, &convention.terms);
            }
            let counted = after.revision > convention.revision;
            prop_assert_eq!(counted, after.update_time != convention.update_time);
            convention = after;
        }
    }
}
