use proptest::prelude::*;
use time::macros::date;

use super::*;

const TODAY: Date = date!(2025 - 12 - 01);
const FILED: Date = date!(2025 - 10 - 10);
const DECIDED: Date = date!(2025 - 11 - 20);

/// An opened, well-formed claim to RSA.
fn opened() -> Draft {
    Draft {
        right: "RSA".to_owned(),
        state: Some(EntitlementState::Opened),
        amount: Some(Money::from_cents(64_652)),
        amount_kind: Some(AmountKind::Notified),
        amount_unit: Some(AmountUnit::Monthly),
        filed_date: Some(FILED),
        decided_date: Some(DECIDED),
        renewal_date: Some(date!(2026 - 02 - 01)),
        start_date: None,
        support_mode: Some(SupportMode::OnBehalf),
        non_take_up_reason: "COMPLEXITE".to_owned(),
    }
}

fn faults(draft: Draft) -> Vec<(String, String)> {
    let mut faults = Faults::default();
    let claim = draft.check(&Rights::default(), TODAY, &mut faults);
    assert_eq!(claim.is_some(), faults.is_readable());
    let faults = faults.into_violations().into_iter();
    faults
        .map(|fault| {
            (
                fault.field.trim_start_matches("entitlement.").to_owned(),
                fault.reason,
            )
        })
        .collect()
}

fn fault(field: &str, reason: &str) -> Vec<(String, String)> {
    vec![(field.to_owned(), reason.to_owned())]
}

#[test]
fn a_claim_is_kept_as_it_was_sent() {
    let mut faults = Faults::default();
    let claim = opened()
        .check(&Rights::default(), TODAY, &mut faults)
        .unwrap();
    assert_eq!(claim.right, "RSA");
    assert_eq!(claim.amount.unwrap().value, Money::from_cents(64_652));
    assert_eq!(
        (claim.filed_date, claim.decided_date),
        (Some(FILED), Some(DECIDED))
    );
    assert_eq!(claim.non_take_up_reason.as_deref(), Some("COMPLEXITE"));
    let bare = Draft {
        right: "RSA".to_owned(),
        state: Some(EntitlementState::Identified),
        ..Draft::default()
    };
    let claim = bare.check(&Rights::default(), TODAY, &mut faults).unwrap();
    assert_eq!(
        (claim.amount, claim.non_take_up_reason, claim.filed_date),
        (None, None, None)
    );
}

#[test]
fn only_an_opened_right_has_a_start_and_not_after_its_renewal() {
    let starting = |state, start_date| {
        faults(Draft {
            state: Some(state),
            start_date: Some(start_date),
            amount_kind: Some(AmountKind::Notified),
            ..opened()
        })
    };
    // Before the filing, as a right with effect back in time; on the day of the renewal at the latest.
    for day in [date!(2025 - 01 - 01), date!(2026 - 02 - 01)] {
        assert_eq!(starting(EntitlementState::Opened, day), []);
    }
    assert_eq!(
        starting(EntitlementState::Opened, date!(2026 - 02 - 02)),
        fault("renewal_date", "DATES_OUT_OF_ORDER")
    );
    assert_eq!(
        starting(EntitlementState::Refused, date!(2025 - 01 - 01)),
        fault("start_date", "START_BEFORE_OPENING")
    );
}

#[test]
fn codes_are_valid_on_the_day_of_filing() {
    let early = Some(date!(2024 - 12 - 31));
    let draft = Draft {
        filed_date: early,
        ..opened()
    };
    assert_eq!(
        faults(draft),
        [
            fault("right", "UNKNOWN_CODE"),
            fault("non_take_up_reason", "UNKNOWN_CODE")
        ]
        .concat()
    );
    assert_eq!(
        faults(Draft {
            right: "rsa".into(),
            ..opened()
        }),
        fault("right", "UNKNOWN_CODE")
    );
    assert_eq!(
        faults(Draft {
            right: String::new(),
            ..opened()
        }),
        fault("right", "REQUIRED")
    );
    assert_eq!(
        faults(Draft {
            state: None,
            ..opened()
        }),
        fault("state", "REQUIRED")
    );
    assert_eq!(
        faults(Draft {
            non_take_up_reason: "X".into(),
            ..opened()
        }),
        fault("non_take_up_reason", "UNKNOWN_CODE")
    );
}

#[test]
fn an_amount_comes_whole_and_is_notified_once_opened() {
    for (draft, field) in [
        (
            Draft {
                amount: None,
                ..opened()
            },
            "amount",
        ),
        (
            Draft {
                amount_kind: None,
                ..opened()
            },
            "amount_kind",
        ),
        (
            Draft {
                amount_unit: None,
                ..opened()
            },
            "amount_unit",
        ),
        (
            Draft {
                amount_kind: Some(AmountKind::Estimated),
                ..opened()
            },
            "amount_kind",
        ),
    ] {
        assert_eq!(faults(draft), fault(field, "AMOUNT_INCOMPLETE"));
    }
    let none = Draft {
        amount: None,
        amount_kind: None,
        amount_unit: None,
        ..opened()
    };
    assert_eq!(faults(none.clone()).len(), 3);
    let identity = Draft {
        right: "TITRE_IDENTITE".into(),
        ..none.clone()
    };
    assert_eq!(faults(identity), []);
    let refused = Draft {
        state: Some(EntitlementState::Refused),
        ..none
    };
    assert_eq!(faults(refused), []);
    let identity = Draft {
        right: "TITRE_IDENTITE".into(),
        ..opened()
    };
    assert_eq!(faults(identity), fault("amount", "AMOUNT_INVALID"));
}

#[test]
fn an_amount_has_limits() {
    let of = |cents| {
        faults(Draft {
            amount: Some(Money::from_cents(cents)),
            ..opened()
        })
    };
    assert_eq!(of(0), []);
    assert_eq!(of(100_000_000), []);
    assert_eq!(of(-1), fault("amount", "AMOUNT_INVALID"));
    assert_eq!(of(100_000_001), fault("amount", "NUMBER_OUT_OF_RANGE"));
}

#[test]
fn dates_are_there_when_the_state_needs_them_and_in_order() {
    for (state, filed, decided) in [
        (EntitlementState::Identified, false, false),
        (EntitlementState::EligibilityEstimated, false, false),
        (EntitlementState::Prepared, false, false),
        (EntitlementState::Filed, true, false),
        (EntitlementState::MoreInformation, true, false),
        (EntitlementState::Opened, true, true),
        (EntitlementState::Refused, true, true),
        (EntitlementState::Appealed, true, true),
        (EntitlementState::ConfirmedRefusal, true, true),
    ] {
        let draft = Draft {
            state: Some(state),
            filed_date: None,
            decided_date: None,
            renewal_date: None,
            ..opened()
        };
        let mut needed = Vec::new();
        if filed {
            needed.extend(fault("filed_date", "REQUIRED"));
        }
        if decided {
            needed.extend(fault("decided_date", "REQUIRED"));
        }
        assert_eq!(faults(draft), needed, "{state:?}");
    }
    let tomorrow = TODAY.next_day();
    assert_eq!(
        faults(Draft {
            decided_date: tomorrow,
            ..opened()
        }),
        fault("decided_date", "DATE_IN_FUTURE")
    );
    assert_eq!(
        faults(Draft {
            filed_date: tomorrow,
            decided_date: tomorrow,
            ..opened()
        }),
        [
            fault("filed_date", "DATE_IN_FUTURE"),
            fault("decided_date", "DATE_IN_FUTURE")
        ]
        .concat()
    );
    assert_eq!(
        faults(Draft {
            filed_date: DECIDED.next_day(),
            ..opened()
        }),
        fault("decided_date", "DATES_OUT_OF_ORDER")
    );
    assert_eq!(
        faults(Draft {
            renewal_date: DECIDED.previous_day(),
            ..opened()
        }),
        fault("renewal_date", "DATES_OUT_OF_ORDER")
    );
    assert_eq!(
        faults(Draft {
            renewal_date: Some(DECIDED),
            ..opened()
        }),
        []
    );
}

#[test]
fn a_right_goes_forward_along_the_graph() {
    use EntitlementState::*;
    for (from, to, legal) in [
        (Identified, Opened, true),
        (Prepared, Filed, true),
        (Filed, Refused, true),
        (MoreInformation, Filed, false),
        (Opened, Filed, false),
        (Opened, Refused, false),
        (Refused, Opened, true),
        (Appealed, Refused, false),
        (Appealed, Opened, true),
        (ConfirmedRefusal, Appealed, false),
        (ConfirmedRefusal, ConfirmedRefusal, true),
    ] {
        assert_eq!(from.leads_to(to), legal, "{from:?} to {to:?}");
    }
}

proptest! {
    #[test]
    fn a_walk_along_the_graph_never_leads_back(steps in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let mut walked = vec![EntitlementState::Identified];
        for step in steps {
            let here = *walked.last().unwrap();
            let next = here.next();
            if next.is_empty() {
                break;
            }
            let there = next[step.index(next.len())];
            for earlier in &walked {
                prop_assert!(earlier.leads_to(there));
                prop_assert!(!there.leads_to(*earlier));
            }
            walked.push(there);
        }
        prop_assert!(walked.len() <= EntitlementState::ALL.len());
    }

    #[test]
    fn what_needs_dates_goes_on_needing_them(
        a in prop::sample::select(EntitlementState::ALL),
        b in prop::sample::select(EntitlementState::ALL),
    ) {
        prop_assert!(!a.leads_to(b) || b.is_filed() || !a.is_filed());
        prop_assert!(!a.leads_to(b) || b.is_decided() || !a.is_decided());
        prop_assert!(a.is_filed() || !a.is_decided());
    }
}
