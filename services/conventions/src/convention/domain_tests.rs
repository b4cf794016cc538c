//! A convention is drafted, authorised and signed.

use time::macros::date;

use super::*;
use crate::{
    act::domain::Transmission,
    convention::{
        fixtures::{CUA, DAINVILLE, NOW, TODAY, draft, empowered, of_act, ready, sirens},
        terms::Signatory,
    },
};

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
    late.envelope.as_mut().unwrap().engaged = Money::from_cents(1);
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
