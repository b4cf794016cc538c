//! Each transition and its refusals.

use nonrecours_kernel::Money;
use time::macros::date;

use super::{
    fixtures::{
        CERTIFY, NOW, account, agreement, call, confirm, document, documents, schedule, step,
    },
    state::Duty,
    *,
};
use crate::{bank_account::Standing, payment_plan::Agreement};

/// The advance after these steps, each by its own person.
fn advance(schedule: &Schedule, commands: Vec<Command>) -> Instalment {
    let actors = ["manager", "officer", "orderer", "accountant"];
    let start = schedule.instalments[0].clone();
    commands
        .into_iter()
        .zip(actors)
        .fold(start, |instalment, (command, actor)| {
            schedule
                .take(&instalment, command, step(actor, NOW))
                .unwrap()
        })
}

#[test]
fn four_persons_pay_an_instalment() {
    let schedule = schedule(&agreement());
    let paid = advance(&schedule, vec![call(), CERTIFY, Command::Order, confirm()]);
    assert_eq!(paid.state.stage(), Stage::Paid);
    assert_eq!(paid.revision, 5);
    assert_eq!(paid.state.account(), Some(&account()));
    assert_eq!(paid.state.call().unwrap().reference, "2025-114");
    let actors: Vec<_> = paid
        .state
        .duties()
        .map(|(_, step)| step.actor.as_str())
        .collect();
    assert_eq!(actors, ["manager", "officer", "orderer", "accountant"]);
}

#[test]
fn each_step_is_made_once_and_in_its_order() {
    let schedule = schedule(&agreement());
    let all = || vec![call(), CERTIFY, Command::Order, confirm()];
    for made in 0..=4 {
        let instalment = advance(&schedule, all().into_iter().take(made).collect());
        let stage = instalment.state.stage();
        for (index, command) in all().into_iter().enumerate() {
            let outcome = schedule.take(&instalment, command, step("somebody", NOW));
            let refusal = match index {
                _ if index == made => {
                    assert!(outcome.unwrap().state.stage() > stage);
                    continue;
                }
                0 => Refusal::NotPlanned(stage),
                1 => Refusal::NotCalled(stage),
                2 => Refusal::NotCertified(stage),
                _ => Refusal::NotOrdered(stage),
            };
            assert_eq!(outcome, Err(refusal));
        }
    }
}

#[test]
fn nobody_makes_two_steps() {
    let schedule = schedule(&agreement());
    let commands = [CERTIFY, Command::Order, confirm()];
    let earlier = [Duty::Call, Duty::Certification, Duty::Order];
    for (made, command) in (1..).zip(commands) {
        let so_far = [call(), CERTIFY, Command::Order]
            .into_iter()
            .take(made)
            .collect();
        let instalment = advance(&schedule, so_far);
        for (actor, duty) in ["manager", "officer", "orderer"]
            .into_iter()
            .zip(earlier)
            .take(made)
        {
            let refusal = schedule
                .take(&instalment, command.clone(), step(actor, NOW))
                .unwrap_err();
            assert_eq!(refusal, Refusal::SeparationOfDuties(duty));
        }
    }
    let french = Refusal::SeparationOfDuties(Duty::Certification).text().fr;
    assert!(
        french.starts_with("Vous avez déjà certifié le service fait"),
        "{french}"
    );
}

#[test]
fn a_balance_is_called_once_the_actions_are_done_and_the_advance_paid() {
    let mut schedule = schedule(&agreement());
    let balance = schedule.instalments[1].clone();
    let reasons = |schedule: &Schedule| -> Vec<_> {
        let blockers = schedule.blockers(&balance);
        let outcome = schedule.take(&balance, call(), step("manager", NOW));
        match outcome {
            Ok(_) => assert_eq!(blockers, []),
            Err(refusal) => assert_eq!(refusal, Refusal::CallBlocked(blockers.clone())),
        }
        blockers
            .into_iter()
            .map(|blocker| (blocker.reason, blocker.subject))
            .collect()
    };
    let convention = schedule.plan.convention.to_string();
    let first = schedule.instalments[0].name.to_string();
    assert_eq!(
        reasons(&schedule),
        [
            ("ACTIONS_NOT_COMPLETED", convention),
            ("EARLIER_INSTALMENT_UNPAID", first.clone()),
        ]
    );
    schedule.plan.actions_completed = true;
    let waits_for = [
        "l'appel de fonds de l'opérateur",
        "un chargé de programme",
        "le mandat de l'ordonnateur",
        "le comptable",
    ];
    for (command, waits_for) in [call(), CERTIFY, Command::Order, confirm()]
        .into_iter()
        .zip(waits_for)
    {
        assert_eq!(
            reasons(&schedule),
            [("EARLIER_INSTALMENT_UNPAID", first.clone())]
        );
        let french = schedule.blockers(&balance)[0].text.fr.to_string();
        assert!(french.contains(waits_for), "{french}");
        let advance = schedule.instalments[0].clone();
        let actor = step(waits_for, NOW);
        schedule.instalments[0] = schedule.take(&advance, command, actor).unwrap();
        assert_eq!(schedule.blockers(&schedule.instalments[0]), []);
    }
    assert_eq!(reasons(&schedule), []);
}

#[test]
fn an_advance_may_need_no_call_but_then_needs_its_rib() {
    let schedule = schedule(&Agreement {
        advance_without_call: true,
        ..agreement()
    });
    let planned = schedule.instalments[0].clone();
    let with_rib = || Command::Certify {
        account: Some(account()),
        documents: documents(),
    };
    let take =
        |instalment: &Instalment, command| schedule.take(instalment, command, step("officer", NOW));
    assert_eq!(take(&planned, CERTIFY), Err(Refusal::BankAccountMissing));
    let certified = take(&planned, with_rib()).unwrap();
    assert_eq!(certified.state.stage(), Stage::Certified);
    assert_eq!(certified.state.call(), None);
    assert_eq!(certified.state.account(), Some(&account()));
    // It may be called all the same: then the RIB of the call holds.
    let called = advance(&schedule, vec![call()]);
    assert_eq!(
        take(&called, with_rib()),
        Err(Refusal::BankAccountUnexpected)
    );
    assert!(take(&called, CERTIFY).unwrap().state.call().is_some());
    // A balance is always called.
    let balance = &schedule.instalments[1];
    assert_eq!(
        take(balance, with_rib()),
        Err(Refusal::NotCalled(Stage::Planned))
    );
}

#[test]
fn an_uncalled_advance_waits_for_the_one_before() {
    let terms = vec![
        (Kind::Advance, Money::from_cents(500_000)),
        (Kind::Advance, Money::from_cents(650_000)),
    ];
    let schedule = schedule(&Agreement {
        advance_without_call: true,
        terms,
        ..agreement()
    });
    let second = &schedule.instalments[1];
    let command = Command::Certify {
        account: Some(account()),
        documents: documents(),
    };
    let refusal = schedule
        .take(second, command, step("officer", NOW))
        .unwrap_err();
    let mut blockers = schedule.blockers(second);
    // Its documents came with the request.
    blockers.retain(|blocker| blocker.reason != "DOCUMENT_MISSING");
    assert_eq!(blockers.len(), 1);
    assert_eq!(refusal, Refusal::CallBlocked(blockers));
}

#[test]
fn a_transfer_lies_between_the_order_and_today_in_paris() {
    let schedule = schedule(&agreement());
    let ordered = advance(&schedule, vec![call(), CERTIFY, Command::Order]);
    // 22:30 in UTC is already the next day in Paris.
    let confirmed = NOW.replace_hour(22).unwrap().replace_minute(30).unwrap();
    let confirm = |transfer_date| {
        let command = Command::Confirm { transfer_date };
        schedule.take(&ordered, command, step("accountant", confirmed))
    };
    let (first, last) = (date!(2025 - 10 - 07), date!(2025 - 10 - 08));
    assert!(confirm(first).is_ok());
    assert!(confirm(last).is_ok());
    for outside in [date!(2025 - 10 - 06), date!(2025 - 10 - 09)] {
        let refusal = confirm(outside).unwrap_err();
        assert_eq!(refusal, Refusal::TransferDateOutOfRange { first, last });
        assert!(refusal.text().fr.contains("07/10/2025"));
    }
}

/// What stands in the way of an instalment, by reason.
fn reasons(schedule: &Schedule, instalment: &Instalment) -> Vec<&'static str> {
    let blockers = schedule.blockers(instalment).into_iter();
    blockers.map(|blocker| blocker.reason).collect()
}

#[test]
fn a_call_is_certified_once_it_is_justified_and_its_account_approved() {
    let schedule = schedule(&agreement());
    let called = Command::Call {
        reference: "2025-114".to_owned(),
        account: Destination {
            standing: Standing::Entered,
            ..account()
        },
        documents: vec![document(DocumentKind::Call)],
    };
    let called = advance(&schedule, vec![called]);
    let missing = ["DOCUMENT_MISSING"; 3];
    let waits = [missing.as_slice(), &["ACCOUNT_NOT_APPROVED"]].concat();
    assert_eq!(reasons(&schedule, &called), waits);
    let take = |one: &Instalment, command| schedule.take(one, command, step("officer", NOW));
    let refused = take(&called, CERTIFY);
    assert_eq!(
        refused,
        Err(Refusal::PaymentBlocked(schedule.blockers(&called)))
    );
    // Documents may come with the certification; nobody approves an account so.
    let with = |documents| Command::Certify {
        account: None,
        documents,
    };
    let refused = take(&called, with(documents())).unwrap_err();
    let Refusal::PaymentBlocked(blockers) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(blockers.len(), 1);
    let redirect = Command::Redirect {
        account: account(),
        rib: Some(document(DocumentKind::Rib)),
    };
    let redirected = take(&called, redirect).unwrap();
    assert_eq!(redirected.state.stage(), Stage::Called);
    assert_eq!(reasons(&schedule, &redirected), ["DOCUMENT_MISSING"; 2]);
    let attach = Command::Attach {
        documents: documents(),
    };
    let whole = take(&redirected, attach).unwrap();
    assert_eq!(whole.documents.len(), DocumentKind::ALL.len());
    assert_eq!(whole.revision, called.revision + 2);
    assert!(take(&whole, CERTIFY).is_ok());
    // What was for another sum justifies nothing of this one.
    let replanned = whole.replan(Money::from_cents(1), NOW);
    assert_eq!(replanned.documents, []);
}

#[test]
fn an_account_that_has_ended_stops_the_order_until_it_is_redirected() {
    let schedule = schedule(&agreement());
    let certified = advance(&schedule, vec![call(), CERTIFY]);
    for standing in [Standing::Superseded, Standing::Revoked] {
        let redirect = |standing| Command::Redirect {
            account: Destination {
                standing,
                ..account()
            },
            rib: None,
        };
        let take = |one: &Instalment, command| schedule.take(one, command, step("orderer", NOW));
        let ended = take(&certified, redirect(standing)).unwrap();
        assert_eq!(reasons(&schedule, &ended), ["ACCOUNT_CHANGED"]);
        assert!(matches!(
            take(&ended, Command::Order),
            Err(Refusal::PaymentBlocked(_))
        ));
        let moved = take(&ended, redirect(Standing::Approved)).unwrap();
        let ordered = take(&moved, Command::Order).unwrap();
        assert_eq!(
            take(&ordered, redirect(Standing::Approved))
                .unwrap()
                .state
                .stage(),
            Stage::Ordered
        );
    }
    let planned = &schedule.instalments[0];
    let paid = advance(&schedule, vec![call(), CERTIFY, Command::Order, confirm()]);
    for (one, refusal) in [
        (planned, Refusal::NotCalled(Stage::Planned)),
        (&paid, Refusal::NotOrdered(Stage::Paid)),
    ] {
        let outcome = one.clone().redirect(account(), None, NOW);
        assert_eq!(outcome, Err(refusal));
    }
}
