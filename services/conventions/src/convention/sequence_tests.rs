//! The steps of a convention and of its amendments in any order, with what they weigh on the envelope.

use proptest::prelude::*;
use time::{Duration, macros::date};

use super::*;
use crate::{
    amendment::domain::{Amendment, Content},
    convention::{
        fixtures::{CUA, DAINVILLE, NOW, SPENT, draft, id, of_act, ready, sirens},
        measures::Cause,
    },
    programme::domain::Envelope,
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
    /// Drafts an amendment: another grant, another indicative end, or both.
    Amend(Option<i64>, Option<Date>),
    SignAmendment(Party),
    WithdrawAmendment,
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
        3 => (prop::option::of(1..16_i64), prop::option::of(Just(date!(2026 - 06 - 30))))
            .prop_map(|(part, end)| Step::Amend(part.map(|part| part * 100_000), end)),
        6 => party().prop_map(Step::SignAmendment),
        1 => Just(Step::WithdrawAmendment),
    ];
    // From the start, or from a convention in force: else most sequences end before they begin.
    (any::<bool>(), prop::collection::vec(step, 0..40)).prop_map(|(signed, mut steps)| {
        if signed {
            let begun = [
                Step::Authorise(Party::Operator),
                Step::Sign(Party::Operator, true),
                Step::Sign(Party::Authority, true),
            ];
            steps.splice(0..0, begun);
        }
        steps
    })
}

/// A convention, its last amendment, and the envelope that pays.
#[derive(Clone, Debug)]
struct Held {
    convention: Convention,
    amendment: Option<Amendment>,
    envelope: Envelope,
}

impl Held {
    fn circumstances(&self) -> Circumstances {
        Circumstances {
            envelope: Some(self.envelope),
            ..ready()
        }
    }

    /// The same with another convention, and what moves with it; the envelope always has room for it.
    fn with(self, convention: Convention) -> Self {
        let (before, after) = (self.convention.weight(), convention.weight());
        let (envelope, held) = self.envelope.shift(before, after).unwrap();
        assert_eq!(held, after.engaged);
        Self {
            envelope,
            convention,
            ..self
        }
    }
}

fn amended(grant: Option<i64>, indicative_end: Option<Date>, convention: &Convention) -> Content {
    Content {
        object: "Prolongation des actions.".into(),
        grant: grant.map(Money::from_cents),
        indicative_end,
        signatories: convention.terms.signatories.clone(),
        ..Content::default()
    }
}

/// As the service does after each step that may have been the last one awaited.
fn settled(convention: Convention, now: OffsetDateTime) -> Convention {
    convention.settled(now).unwrap_or(convention)
}

fn take(held: Held, step: &Step, now: OffsetDateTime) -> Result<Held, Refusal> {
    match step {
        Step::Amend(grant, end) => {
            if held.amendment.as_ref().is_some_and(|it| it.state.is_open()) {
                return Err(Refusal::AmendmentOpen);
            }
            let name = format!("{}/amendments/{}", held.convention.name, uuid::Uuid::max());
            let content = amended(*grant, *end, &held.convention);
            let draft = Amendment::draft(name.parse().unwrap(), 1, content, &held.convention, now)?;
            Ok(Held {
                amendment: Some(draft),
                ..held
            })
        }
        Step::SignAmendment(party) => {
            let amendment = held.amendment.clone().ok_or(Refusal::AmendmentNotOpen)?;
            let circumstances = held.circumstances();
            let (amendment, convention) =
                amendment.sign(*party, "x", &held.convention, &circumstances, now)?;
            let held = Held {
                amendment: Some(amendment),
                ..held
            };
            Ok(match convention {
                Some(convention) => held.with(convention),
                None => held,
            })
        }
        Step::WithdrawAmendment => {
            let amendment = held.amendment.clone().ok_or(Refusal::AmendmentNotOpen)?;
            Ok(Held {
                amendment: Some(amendment.withdraw("Sans objet.".into(), now)?),
                ..held
            })
        }
        step => {
            let circumstances = held.circumstances();
            let convention = advance(held.convention.clone(), step, circumstances, now)?;
            Ok(held.with(convention))
        }
    }
}

fn advance(
    convention: Convention,
    step: &Step,
    ready_now: Circumstances,
    now: OffsetDateTime,
) -> Result<Convention, Refusal> {
    match step {
        Step::Amend(..) | Step::SignAmendment(_) | Step::WithdrawAmendment => {
            unreachable!("a step of the amendment")
        }
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
            let mut circumstances = ready_now;
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
            // `payments` pays within what is due, and never takes a payment back.
            let known = convention.execution().map(|execution| execution.plan.paid);
            let paid = convention
                .ceiling()
                .min(Money::from_cents(revision * 230_000))
                .max(known.unwrap_or_default());
            let plan = Plan {
                revision: *revision,
                paid,
                settled: paid >= convention.ceiling(),
                ..Plan::default()
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
    let paid_within = |plan: &Plan| {
        let weight = convention.weight();
        weight.paid == plan.paid && plan.paid <= weight.engaged && !plan.paid.is_negative()
    };
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
    /// signature on but for amendments in force, each of which makes a version, counts exactly its changes, splits the
    /// grant in force into its instalments, and weighs on its envelope no more than was voted.
    #[test]
    fn any_sequence_of_steps_leaves_a_legal_state(steps in steps()) {
        let year = draft().terms.budget_year;
        let mut held = Held {
            convention: draft(),
            amendment: None,
            envelope: Envelope::voted(year, Money::from_cents(1_300_000)),
        };
        for (index, step) in (1_i64..).zip(&steps) {
            let now = NOW + Duration::minutes(index);
            let Ok(next) = take(held.clone(), step, now) else { continue };
            let (before, after) = (&held.convention, &next.convention);
            prop_assert!(is_legal(after), "{step:?} left {after:?}");
            prop_assert!(rank(&after.state) >= rank(&before.state));
            let amended = after.terms != before.terms;
            if rank(&before.state) > 0 {
                prop_assert_eq!(amended, after.version() > before.version() && before.version() > 0);
            }
            prop_assert!(after.version() >= before.version());
            prop_assert_eq!(after.version() > 0, after.execution().is_some());
            let counted = after.revision > before.revision;
            prop_assert_eq!(counted, after.update_time != before.update_time);
            let amounts = after.terms.instalments.amounts(after.terms.grant);
            prop_assert_eq!(Money::sum(amounts), Some(after.terms.grant));
            prop_assert!(next.envelope.engaged <= next.envelope.voted);
            prop_assert_eq!(next.envelope.engaged, after.weight().engaged);
            prop_assert_eq!(next.envelope.paid, after.weight().paid);
            held = next;
        }
    }
}
