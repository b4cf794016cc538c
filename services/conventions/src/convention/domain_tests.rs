//! The life of a convention, step by step and in any order.

use nonrecours_kernel::{ActId, BudgetYear, Id};
use proptest::prelude::*;
use time::{
    Duration,
    macros::{date, datetime},
};
use uuid::Uuid;

use super::*;
use crate::{
    act::domain::{Publication, Publicity, Received, Transmission},
    convention::measures::Cause,
    convention::terms::{Commitment, InstalmentKind, Instalments, Originals, Signatory},
    programme::domain::Envelope,
};

const NOW: OffsetDateTime = datetime!(2025-10-07 08:00 UTC);
const TODAY: Date = date!(2025 - 10 - 07);
/// What the accepted report shows as spent.
const SPENT: Money = Money::from_cents(1_130_000);
const CUA: &str = "062-200033579-20250925-25C120-DE";
const DAINVILLE: &str = "062-216202630-20250929-25D045-DE";

fn id<K>(number: u128) -> Id<K> {
    Id::from_uuid(Uuid::from_u128(number))
}

fn name() -> ConventionName {
    ConventionName {
        operator: id(1),
        convention: id(2),
    }
}

/// The convention of Dainville as its document is: the day of the commune's decision is blank.
fn draft() -> Convention {
    let signatory = |name: &str, capacity: &str, decision| {
        Some(Signatory {
            full_name: name.into(),
            capacity: capacity.into(),
            empowering_decision: decision,
        })
    };
    let shares = [
        (InstalmentKind::Advance, "0.8"),
        (InstalmentKind::Balance, "0.2"),
    ];
    let terms = Terms {
        framework_convention: format!(
            "programmes/{}/frameworkConventions/{}",
            Uuid::max(),
            Uuid::max()
        )
        .parse()
        .unwrap(),
        title: "Convention de partenariat 2025".into(),
        budget_year: BudgetYear::new(2025).unwrap(),
        grant: Money::from_cents(1_150_000),
        instalments: Instalments::new(
            shares
                .map(|(kind, share)| (kind, share.parse().unwrap()))
                .to_vec(),
        )
        .unwrap(),
        advance_without_call: false,
        originals: Originals::DEFAULT,
        target_publics: vec!["HABITANT".into()],
        objectives: vec!["Repérer les publics.".into()],
        commitments: vec![Commitment {
            code: "MISSIONS".into(),
            text: "Remplir les missions.".into(),
        }],
        indicative_end: date!(2025 - 12 - 31),
        signatories: ByParty {
            authority: signatory(
                "Frédéric LETURQUE",
                "Président",
                Some(date!(2025 - 09 - 25)),
            ),
            operator: signatory("Françoise ROSSIGNOL", "Maire", None),
        },
    };
    Convention::draft(name(), terms, NOW)
}

fn act(party: Party, number: &str) -> Act {
    let convention = name();
    Act {
        name: format!("{convention}/acts/{}", Uuid::max())
            .parse()
            .unwrap(),
        party,
        act_id: number.parse().unwrap(),
        transmission: Transmission::Transmitted(Received {
            posting: None,
            day: date!(2025 - 10 - 06),
        }),
        publication: Some(Publication {
            publicity: Publicity::Publication,
            day: date!(2025 - 10 - 06),
            reference: None,
        }),
        revision: 1,
        create_time: NOW,
        update_time: NOW,
    }
}

fn sirens() -> ByParty<Siren> {
    ByParty {
        authority: "200033579".parse().unwrap(),
        operator: "216202630".parse().unwrap(),
    }
}

fn of_act(number: &str) -> (Siren, Date) {
    let act: ActId = number.parse().unwrap();
    (act.siren(), act.date())
}

fn ready() -> Circumstances {
    Circumstances {
        operator_is_public: true,
        lacks_republican_commitment: false,
        acts: ByParty {
            authority: Some(act(Party::Authority, CUA)),
            operator: Some(act(Party::Operator, DAINVILLE)),
        },
        envelope: Some(Envelope::voted(
            BudgetYear::new(2025).unwrap(),
            Money::from_cents(1_150_000),
        )),
    }
}

fn empowered() -> Convention {
    draft()
        .authorise(Party::Operator, of_act(DAINVILLE), &sirens(), NOW)
        .unwrap()
        .unwrap()
}

fn in_force() -> Convention {
    empowered()
        .sign(Party::Operator, "maire", &ready(), NOW)
        .and_then(|convention| convention.sign(Party::Authority, "president", &ready(), NOW))
        .unwrap()
}

fn reasons(
    convention: &Convention,
    circumstances: &Circumstances,
    today: Date,
) -> Vec<&'static str> {
    signing_blockers(convention, circumstances, today)
        .into_iter()
        .map(|blocker| blocker.reason)
        .collect()
}

#[test]
fn every_blocker_has_its_reason_and_they_come_at_once() {
    let nothing = Circumstances {
        operator_is_public: true,
        lacks_republican_commitment: false,
        acts: ByParty::default(),
        envelope: None,
    };
    let mut blank = draft();
    blank.terms.signatories.authority = None;
    assert_eq!(
        reasons(&blank, &nothing, TODAY),
        [
            "ACT_MISSING",
            "SIGNATORY_MISSING",
            "ACT_MISSING",
            "EMPOWERING_DECISION_MISSING",
            "ENVELOPE_MISSING"
        ]
    );
    let mut late = ready();
    late.acts.authority.as_mut().unwrap().transmission = Transmission::ToTransmit;
    late.acts.operator.as_mut().unwrap().publication = None;
    late.envelope = late.envelope.unwrap().engage(Money::from_cents(1));
    assert_eq!(
        reasons(&empowered(), &late, TODAY),
        [
            "ACT_NOT_TRANSMITTED",
            "ACT_NOT_PUBLISHED",
            "ENVELOPE_EXCEEDED"
        ]
    );
    assert_eq!(
        reasons(&empowered(), &ready(), date!(2025 - 10 - 06)),
        [""; 0]
    );
    assert_eq!(
        reasons(&empowered(), &ready(), date!(2025 - 10 - 05)),
        ["ACT_NOT_YET_ENFORCEABLE", "ACT_NOT_YET_ENFORCEABLE"]
    );
}

#[test]
fn an_operator_of_private_law_needs_no_act_but_a_decision() {
    let mut private = ready();
    private.operator_is_public = false;
    private.acts.operator = None;
    assert_eq!(
        reasons(&draft(), &private, TODAY),
        ["EMPOWERING_DECISION_MISSING"]
    );
    assert_eq!(reasons(&empowered(), &private, TODAY), [""; 0]);
}

#[test]
fn the_blockers_are_the_refusal() {
    let blockers = signing_blockers(&draft(), &ready(), TODAY);
    assert_eq!(
        draft().sign(Party::Authority, "president", &ready(), NOW),
        Err(Refusal::SigningBlocked(blockers))
    );
}

#[test]
fn an_act_fills_a_blank_date_and_contradicts_another() {
    let sirens = sirens();
    assert_eq!(
        draft().authorise(Party::Authority, of_act(CUA), &sirens, NOW),
        Ok(None)
    );
    let filled = empowered();
    let signatory = filled.terms.signatories.operator.as_ref().unwrap();
    assert_eq!(signatory.empowering_decision, Some(date!(2025 - 09 - 29)));
    assert_eq!(filled.revision, 2);
    assert_eq!(
        draft().authorise(
            Party::Authority,
            of_act("062-200033579-20250926-25C121-DE"),
            &sirens,
            NOW
        ),
        Err(Refusal::ActDateMismatch {
            act: date!(2025 - 09 - 26),
            signatory: date!(2025 - 09 - 25),
        })
    );
    assert_eq!(
        draft().authorise(Party::Authority, of_act(DAINVILLE), &sirens, NOW),
        Err(Refusal::ActSirenMismatch(Party::Authority))
    );
}

#[test]
fn an_update_keeps_to_the_recorded_acts() {
    let acts = ready().acts;
    let changes = |decision| Changes {
        signatories: Some(ByParty {
            authority: None,
            operator: Some(Signatory {
                full_name: "Françoise ROSSIGNOL".into(),
                capacity: "Maire".into(),
                empowering_decision: decision,
            }),
        }),
        ..Changes::default()
    };
    let updated = empowered()
        .update(changes(None), &acts, &sirens(), NOW)
        .unwrap();
    let signatory = updated.terms.signatories.operator.unwrap();
    assert_eq!(signatory.empowering_decision, Some(date!(2025 - 09 - 29)));
    let refusal = empowered()
        .update(changes(Some(TODAY)), &acts, &sirens(), NOW)
        .unwrap_err();
    assert_eq!(refusal.reason(), "ACT_DATE_MISMATCH");
}

#[test]
fn payment_before_completion_settles_at_completion_and_after_it_at_once() {
    let plan = Plan {
        revision: 5,
        paid: Money::from_cents(1_150_000),
        settled: true,
    };
    let reported = in_force().accept_report(id(9), SPENT, NOW).unwrap();
    let Learned::Changed {
        convention,
        kind,
        difference,
    } = reported.clone().learn(plan, NOW).unwrap()
    else {
        panic!("a sum was paid");
    };
    assert_eq!((kind, difference), ("convention.paid", plan.paid));
    let before = convention.complete(TODAY, NOW).unwrap();
    let before = before.settled(NOW).unwrap();

    let completed = reported.complete(TODAY, NOW).unwrap();
    assert_eq!(completed.settled(NOW), None);
    let Learned::Changed {
        convention: after,
        kind,
        ..
    } = completed.learn(plan, NOW).unwrap()
    else {
        panic!("a sum was paid");
    };
    assert_eq!(kind, "convention.settled");
    assert_eq!(before.state, after.state);
    assert_eq!(after.learn(plan, NOW), Ok(Learned::Known));
}

#[test]
fn completion_lies_between_the_signature_and_today() {
    let convention = in_force();
    assert_eq!(
        convention.clone().complete(TODAY, NOW),
        Err(Refusal::ReportNotAccepted)
    );
    let convention = convention.accept_report(id(9), SPENT, NOW).unwrap();
    for day in [date!(2025 - 10 - 06), date!(2025 - 10 - 08)] {
        let refusal = convention.clone().complete(day, NOW).unwrap_err();
        assert_eq!(refusal.reason(), "COMPLETION_DATE_OUT_OF_RANGE");
    }
    assert!(convention.complete(TODAY, NOW).is_ok());
}

#[test]
fn a_dispute_or_a_suspension_keeps_a_paid_convention_open() {
    let paid = Plan {
        revision: 5,
        paid: Money::from_cents(1_150_000),
        settled: true,
    };
    let completed = in_force()
        .accept_report(id(9), SPENT, NOW)
        .and_then(|convention| convention.complete(TODAY, NOW))
        .unwrap();
    let paid_under = |convention: Convention| match convention.learn(paid, NOW).unwrap() {
        Learned::Changed {
            convention, kind, ..
        } => (convention, kind),
        other => panic!("{other:?}"),
    };
    let (disputed, kind) = paid_under(completed.clone().disputed(NOW).unwrap());
    assert_eq!(kind, "convention.paid");
    assert_eq!(disputed.settled(NOW), None);
    assert!(disputed.undisputed(NOW).settled(NOW).is_some());
    let (suspended, kind) = paid_under(completed.suspend(NOW).unwrap());
    assert_eq!(kind, "convention.paid");
    assert_eq!(
        suspended.clone().suspend(NOW),
        Err(Refusal::AlreadySuspended)
    );
    assert!(suspended.resume(NOW).unwrap().settled(NOW).is_some());
}

#[test]
fn what_is_due_after_termination_is_what_the_report_shows() {
    let cause = Cause::Decision(id(8));
    let terminated = in_force()
        .terminate(TODAY, cause, Money::ZERO, NOW)
        .unwrap();
    assert_eq!(terminated.due(), Money::ZERO);
    assert_eq!(
        terminated.clone().terminate(TODAY, cause, Money::ZERO, NOW),
        Err(Refusal::ConventionNotRunning)
    );
    let reported = terminated.accept_report(id(9), SPENT, NOW).unwrap();
    assert_eq!(reported.due(), SPENT);
    let ceiling = Money::from_cents(1_000_000);
    let reduced = in_force()
        .reduce(ceiling, NOW)
        .and_then(|convention| convention.accept_report(id(9), SPENT, NOW))
        .and_then(|convention| convention.terminate(TODAY, cause, SPENT, NOW))
        .unwrap();
    assert_eq!(reduced.due(), ceiling);
}

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
