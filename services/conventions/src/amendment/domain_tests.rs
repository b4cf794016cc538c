//! An amendment is drafted, signed, and comes into force.

use time::macros::date;

use super::*;
use crate::convention::{
    domain::Plan,
    fixtures::{DAINVILLE, NOW, SPENT, TODAY, id, in_force, of_act, ready, sirens},
    measures::Cause,
};

fn name() -> AmendmentName {
    format!("{}/amendments/{}", in_force().name, uuid::Uuid::max())
        .parse()
        .unwrap()
}

/// Another grant, signed by those who signed the convention.
fn content(cents: i64) -> Content {
    Content {
        object: "Davantage de permanences.".into(),
        grant: Some(Money::from_cents(cents)),
        signatories: in_force().terms.signatories,
        ..Content::default()
    }
}

/// What signing depends on once the grant of the convention is engaged of this envelope.
fn engaged_of(voted: i64) -> Circumstances {
    let mut circumstances = ready();
    let envelope = circumstances.envelope.as_mut().unwrap();
    envelope.voted = Money::from_cents(voted);
    envelope.engaged = Money::from_cents(1_150_000);
    circumstances
}

fn signed(convention: &Convention, content: Content) -> Result<Convention, Refusal> {
    let circumstances = engaged_of(2_000_000);
    let draft = Amendment::draft(name(), 1, content, convention, NOW)?;
    let (partly, nothing) =
        draft.sign(Party::Operator, "maire", convention, &circumstances, NOW)?;
    assert_eq!(nothing, None);
    let (amendment, amended) = partly.sign(
        Party::Authority,
        "president",
        convention,
        &circumstances,
        NOW,
    )?;
    let amended = amended.unwrap();
    let State::InForce { version, .. } = amendment.state else {
        panic!("both have signed");
    };
    assert_eq!(version, amended.version());
    Ok(amended)
}

fn completed() -> Convention {
    in_force()
        .accept_report(id(9), SPENT, NOW)
        .and_then(|convention| convention.complete(TODAY, NOW))
        .unwrap()
}

fn paid(convention: Convention, cents: i64, settled: bool) -> Convention {
    let plan = Plan {
        revision: 5,
        paid: Money::from_cents(cents),
        settled,
        ..Plan::default()
    };
    match convention.learn(plan, NOW).unwrap() {
        crate::convention::domain::Learned::Changed { convention, .. } => convention,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_signatures_bring_the_new_terms_into_force_as_the_next_version() {
    let convention = in_force();
    assert_eq!(convention.version(), 1);
    let amended = signed(&convention, content(1_300_000)).unwrap();
    assert_eq!(amended.version(), 2);
    assert_eq!(amended.terms.grant, Money::from_cents(1_300_000));
    assert_eq!(amended.terms.title, convention.terms.title);
    assert_eq!(amended.revision, convention.revision + 1);
    let again = signed(&amended, content(900_000)).unwrap();
    assert_eq!(
        (again.version(), again.weight().engaged),
        (3, Money::from_cents(900_000))
    );
}

#[test]
fn only_the_increase_counts_against_the_envelope() {
    let reasons = |content: Content, voted| {
        let convention = in_force();
        let amendment = Amendment::draft(name(), 1, content, &convention, NOW).unwrap();
        let blockers = amendment.signing_blockers(&convention, &engaged_of(voted), TODAY);
        let reasons = blockers.into_iter().map(|blocker| blocker.reason);
        reasons.collect::<Vec<_>>()
    };
    assert_eq!(reasons(content(1_300_000), 1_300_000), [""; 0]);
    assert_eq!(
        reasons(content(1_300_001), 1_300_000),
        ["ENVELOPE_EXCEEDED"]
    );
    assert_eq!(reasons(content(1_000_000), 1_150_000), [""; 0]);
    assert_eq!(reasons(content(1_150_000), 1_150_000), ["AMENDMENT_EMPTY"]);
    let unsigned = Content {
        signatories: ByParty::default(),
        ..content(1_300_000)
    };
    assert_eq!(
        reasons(unsigned, 1_300_000),
        ["SIGNATORY_MISSING", "SIGNATORY_MISSING"]
    );
}

#[test]
fn its_own_acts_date_its_own_signatories() {
    let mut blank = content(1_300_000);
    blank
        .signatories
        .operator
        .as_mut()
        .unwrap()
        .empowering_decision = None;
    let convention = in_force();
    let draft = Amendment::draft(name(), 1, blank.clone(), &convention, NOW).unwrap();
    let filled = draft
        .clone()
        .authorise(Party::Operator, of_act(DAINVILLE), &sirens(), NOW)
        .unwrap()
        .unwrap();
    let signatory = filled.content.signatories.operator.as_ref().unwrap();
    assert_eq!(signatory.empowering_decision, Some(date!(2025 - 09 - 29)));
    assert_eq!(
        draft.authorise(Party::Authority, of_act(DAINVILLE), &sirens(), NOW),
        Err(Refusal::ActSirenMismatch(Party::Authority))
    );
    // An update keeps to the acts too.
    let edits = vec![Edit::Signatories(blank.signatories)];
    let kept = filled
        .clone()
        .update(edits, &ready().acts, &convention, NOW)
        .unwrap();
    assert_eq!(kept.content.signatories, filled.content.signatories);
}

#[test]
fn a_signed_amendment_changes_no_more_and_one_that_is_closed_is_not_signed() {
    let (convention, circumstances) = (in_force(), engaged_of(2_000_000));
    let draft = Amendment::draft(name(), 1, content(1_300_000), &convention, NOW).unwrap();
    let (partly, _) = draft
        .clone()
        .sign(Party::Operator, "maire", &convention, &circumstances, NOW)
        .unwrap();
    let update = partly
        .clone()
        .update(Vec::new(), &ready().acts, &convention, NOW);
    assert_eq!(update, Err(Refusal::AmendmentNotDraft));
    let act = partly
        .clone()
        .authorise(Party::Operator, of_act(DAINVILLE), &sirens(), NOW);
    assert_eq!(act, Err(Refusal::AmendmentNotDraft));
    let twice = partly
        .clone()
        .sign(Party::Operator, "maire", &convention, &circumstances, NOW);
    assert_eq!(twice, Err(Refusal::AlreadySigned(Party::Operator)));
    let withdrawn = partly.withdraw("Sans objet.".into(), NOW).unwrap();
    assert!(withdrawn.state.signature(Party::Operator).is_some());
    assert_eq!(
        withdrawn.clone().withdraw("Encore.".into(), NOW),
        Err(Refusal::AmendmentNotOpen)
    );
    let late = withdrawn.sign(
        Party::Authority,
        "president",
        &convention,
        &circumstances,
        NOW,
    );
    assert_eq!(late, Err(Refusal::AmendmentNotOpen));
}

#[test]
fn once_the_actions_are_done_only_the_money_moves() {
    let later = Content {
        indicative_end: Some(date!(2026 - 06 - 30)),
        ..content(1_300_000)
    };
    let convention = completed();
    assert_eq!(
        signed(&convention, later.clone()),
        Err(Refusal::ActionsCompleted)
    );
    let amended = signed(&convention, content(1_300_000)).unwrap();
    assert_eq!(amended.settled(NOW), None);
    // Drafted while it was in force, and completed before the last signature.
    let before = in_force();
    let draft = Amendment::draft(name(), 1, later, &before, NOW).unwrap();
    let circumstances = engaged_of(2_000_000);
    let late = draft.sign(Party::Operator, "maire", &convention, &circumstances, NOW);
    assert_eq!(late, Err(Refusal::ActionsCompleted));
}

#[test]
fn a_paid_convention_whose_grant_moves_is_not_settled_before_payments_says_so() {
    let disputed = completed().disputed(NOW).unwrap();
    let disputed = paid(disputed, 1_150_000, true);
    let grown = signed(&disputed, content(1_300_000)).unwrap();
    assert_eq!(grown.undisputed(NOW).settled(NOW), None);
    let title = Content {
        grant: None,
        title: Some("Convention 2025, avenant n° 1".into()),
        ..content(1)
    };
    let titled = signed(&disputed, title).unwrap();
    assert!(titled.undisputed(NOW).settled(NOW).is_some());
    // Less than what is paid: nothing is released below it.
    let shrunk = signed(&disputed, content(1_000_000)).unwrap();
    assert_eq!(shrunk.weight().engaged, Money::from_cents(1_150_000));
    assert_eq!(shrunk.due(), Money::from_cents(1_000_000));
}

#[test]
fn a_reduction_outlives_the_amendment_that_grants_more_than_it() {
    let reduced = in_force()
        .reduce(Money::from_cents(1_000_000), NOW)
        .unwrap();
    let more = signed(&reduced, content(1_300_000)).unwrap();
    assert_eq!(more.ceiling(), Money::from_cents(1_000_000));
    assert_eq!(more.weight(), reduced.weight());
    for grant in [1_000_000, 900_000] {
        let less = signed(&reduced, content(grant)).unwrap();
        assert_eq!(less.ceiling(), Money::from_cents(grant));
        let measures = less.execution().map(|execution| execution.measures);
        assert_eq!(measures.and_then(|measures| measures.reduced), None);
    }
}

#[test]
fn a_suspension_or_a_dispute_does_not_stand_in_the_way_and_a_termination_does() {
    let suspended = in_force().suspend(NOW).unwrap();
    let amended = signed(&suspended, content(1_300_000)).unwrap();
    assert!(amended.execution().unwrap().measures.suspended);
    let disputed = in_force().disputed(NOW).unwrap();
    assert!(signed(&disputed, content(1_300_000)).is_ok());
    let terminated = in_force()
        .terminate(TODAY, Cause::Decision(id(8)), Money::ZERO, NOW)
        .unwrap();
    let refused = signed(&terminated, content(1_300_000));
    assert_eq!(refused, Err(Refusal::ConventionNotRunning));
}
