//! Any sequence of commands conserves money and leaves a legal state.

use std::collections::BTreeMap;

use nonrecours_kernel::{LedgerEntryId, Money, paris_date};
use proptest::prelude::*;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    fixtures::{CERTIFY, NOW, account, agreement, call, schedule, step},
    *,
};
use crate::{
    ledger_entry::{Account, LedgerEntry, Movement},
    payment_plan::{Agreement, State as PlanState},
};

/// One thing that may happen, sensible or not.
#[derive(Clone, Debug)]
enum Event {
    /// Somebody does what the first unpaid instalment waits for.
    Expected(usize),
    /// Somebody does something to some instalment.
    Command(usize, Command, usize),
    ActionsCompleted,
    Hours(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let command = prop_oneof![
        Just(call()),
        Just(CERTIFY),
        Just(Command::Certify {
            account: Some(account())
        }),
        Just(Command::Order),
        (0_i64..4).prop_map(|days| Command::Confirm {
            transfer_date: paris_date(NOW + Duration::days(days)),
        }),
    ];
    prop_oneof![
        6 => (0_usize..5).prop_map(Event::Expected),
        6 => (0_usize..3, command, 0_usize..5).prop_map(|(index, command, actor)| {
            Event::Command(index, command, actor)
        }),
        1 => Just(Event::ActionsCompleted),
        2 => (1_i64..30).prop_map(Event::Hours),
    ]
}

/// What the first unpaid instalment waits for.
fn expected(schedule: &Schedule, now: OffsetDateTime) -> Option<(usize, Command)> {
    let unpaid = |instalment: &&Instalment| instalment.state.paid().is_none();
    let instalment = schedule.instalments.iter().find(unpaid)?;
    let command = match instalment.state.stage() {
        Stage::Planned => call(),
        Stage::Called => CERTIFY,
        Stage::Certified => Command::Order,
        Stage::Ordered => Command::Confirm {
            transfer_date: paris_date(now),
        },
        Stage::Paid => return None,
    };
    Some((usize::try_from(instalment.position).ok()? - 1, command))
}

/// What the service does with a step: the ledger and the plan follow the instalment.
fn play(
    schedule: &mut Schedule,
    books: &mut Vec<LedgerEntry>,
    index: usize,
    command: Command,
    step: Step,
) -> Result<(), Refusal> {
    let now: OffsetDateTime = step.time;
    let actor = step.actor.clone();
    let next = schedule.take(&schedule.instalments[index], command, step)?;
    if let Some(movement) = next.movement() {
        let id = LedgerEntryId::from_uuid(Uuid::from_u128(books.len() as u128 + 1));
        books.push(LedgerEntry::book(id, &next, movement, &actor, now));
        if movement == Movement::Payment {
            schedule.plan = schedule.plan.clone().pay(next.amount, now).unwrap();
        }
    }
    schedule.instalments[index] = next;
    Ok(())
}

fn total(books: &[LedgerEntry], account: Account) -> i64 {
    books
        .iter()
        .map(|entry| {
            let cents = entry.amount.cents();
            i64::from(entry.movement.debit() == account) * cents
                - i64::from(entry.movement.credit() == account) * cents
        })
        .sum()
}

proptest! {
    #[test]
    fn any_sequence_of_commands_conserves_money_and_leaves_a_legal_state(
        events in prop::collection::vec(event(), 0..120),
        cents in 3_i64..2_000_000,
        advance_without_call: bool,
    ) {
        let terms = [(Kind::Advance, cents / 3), (Kind::Interim, cents / 3), (Kind::Balance, cents - 2 * (cents / 3))];
        let mut schedule = schedule(&Agreement {
            grant: Money::from_cents(cents),
            terms: terms.map(|(kind, cents)| (kind, Money::from_cents(cents))).to_vec(),
            advance_without_call,
            ..agreement()
        });
        let (mut books, mut now) = (Vec::new(), NOW);
        for event in events {
            let (before, written) = (schedule.clone(), books.len());
            let (index, command, actor) = match event {
                Event::Hours(hours) => {
                    now += Duration::hours(hours);
                    continue;
                }
                Event::ActionsCompleted => {
                    schedule.plan.actions_completed = true;
                    continue;
                }
                Event::Command(index, command, actor) => (index, command, actor),
                Event::Expected(actor) => match expected(&schedule, now) {
                    Some((index, command)) => (index, command, actor),
                    None => continue,
                },
            };
            let step = step(&format!("person-{actor}"), now);
            match play(&mut schedule, &mut books, index, command, step) {
                Ok(()) => prop_assert_eq!(
                    schedule.instalments[index].revision,
                    before.instalments[index].revision + 1
                ),
                Err(_) => {
                    prop_assert_eq!(&schedule, &before);
                    prop_assert_eq!(books.len(), written);
                }
            }
            legal(&schedule, &books)?;
        }
    }
}

/// What holds of every schedule and its books, whatever happened.
fn legal(schedule: &Schedule, books: &[LedgerEntry]) -> Result<(), TestCaseError> {
    let sum = |from: Stage| -> i64 {
        schedule
            .instalments
            .iter()
            .filter(|instalment| instalment.state.stage() >= from)
            .map(|instalment| instalment.amount.cents())
            .sum()
    };
    let plan = &schedule.plan;
    prop_assert_eq!(sum(Stage::Planned), plan.grant.cents());
    prop_assert_eq!(sum(Stage::Paid), plan.paid.cents());
    prop_assert!(plan.paid <= plan.grant);
    prop_assert_eq!(
        plan.state() == PlanState::Settled,
        schedule
            .instalments
            .iter()
            .all(|instalment| instalment.state.paid().is_some())
    );

    prop_assert_eq!(total(books, Account::GrantExpense), sum(Stage::Certified));
    prop_assert_eq!(total(books, Account::Treasury), -sum(Stage::Paid));
    prop_assert_eq!(
        total(books, Account::OperatorPayable),
        sum(Stage::Paid) - sum(Stage::Certified)
    );
    let mut booked: BTreeMap<_, usize> = BTreeMap::new();
    for entry in books {
        let key = (
            entry.instalment,
            entry.movement.debit(),
            entry.movement.credit(),
        );
        *booked.entry(key).or_default() += 1;
    }
    prop_assert!(booked.values().all(|times| *times == 1));

    let mut all_paid = true;
    for instalment in &schedule.instalments {
        let mut actors: Vec<_> = instalment
            .state
            .duties()
            .map(|(_, step)| &step.actor)
            .collect();
        actors.sort();
        actors.dedup();
        prop_assert_eq!(actors.len(), instalment.state.duties().count());
        let left = instalment.state != State::Planned;
        prop_assert!(!left || all_paid);
        prop_assert!(!left || instalment.kind != Kind::Balance || plan.actions_completed);
        prop_assert_eq!(instalment.state.account().is_some(), left);
        prop_assert_eq!(
            left && instalment.state.call().is_none(),
            instalment
                .state
                .certified()
                .is_some_and(|state| state.call.is_none())
        );
        all_paid = instalment.state.paid().is_some();
    }
    Ok(())
}
