//! Any sequence of commands, amendments and measures conserves money and leaves a legal state.

use std::{collections::BTreeSet, sync::Arc};

use nonrecours_kernel::{IdSource, LedgerEntryId, ManualClock, Money, paris_date};
use proptest::prelude::*;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    fixtures::{CERTIFY, NOW, agreement, call, schedule, step},
    happening::{Event, event},
    *,
};
use crate::{
    ledger_entry::{
        Account, LedgerEntry, Movement,
        verify::{Booked, Verification},
    },
    payment_plan::{Agreement, Learned, Mismatch, State as PlanState, statement::Statement},
};

/// A plan with its books, and the convention that it follows.
struct Played {
    schedule: Schedule,
    books: Vec<LedgerEntry>,
    /// Every revision of the convention, the newest last.
    revisions: Vec<Agreement>,
    /// What was payable when the instalments were last planned.
    payable: Money,
    ids: IdSource,
    now: OffsetDateTime,
}

impl Played {
    fn open(agreement: Agreement) -> Self {
        Self {
            schedule: schedule(&agreement),
            books: Vec::new(),
            payable: agreement.grant,
            revisions: vec![agreement],
            ids: IdSource::seeded(Arc::new(ManualClock::at(NOW)), 2),
            now: NOW,
        }
    }

    /// What the service does with a step: the ledger and the plan follow the instalment.
    fn take(&mut self, index: usize, command: Command, step: Step) -> Result<(), Refusal> {
        let (now, actor) = (step.time, step.actor.clone());
        let schedule = &mut self.schedule;
        let next = schedule.take(&schedule.instalments[index], command, step)?;
        if let Some(movement) = next.movement() {
            let id = entry_id(&self.books);
            self.books
                .push(LedgerEntry::book(id, &next, movement, &actor, now));
            if movement == Movement::Payment {
                let (plan, planned) = (schedule.plan.clone(), schedule.planned().unwrap());
                schedule.plan = plan.pay(next.amount, planned, now).unwrap();
            }
        }
        schedule.instalments[index] = next;
        Ok(())
    }

    /// What the service does with a revision of the convention.
    fn learn(&mut self, agreement: &Agreement) -> Result<(), Mismatch> {
        let schedule = &mut self.schedule;
        match schedule.plan.clone().learn(agreement, self.now)? {
            Learned::Stale => {}
            Learned::Seen(plan) | Learned::Changed(plan) => schedule.plan = plan,
            Learned::Replanned(plan, cause) => {
                schedule.plan = plan;
                for replanned in schedule.replan(cause, &self.ids, self.now)? {
                    if let Some(certified) = replanned.liquidated() {
                        let id = entry_id(&self.books);
                        self.books
                            .push(LedgerEntry::reverse(id, certified, "service", self.now));
                    }
                }
                self.payable = schedule.plan.payable();
            }
        }
        Ok(())
    }

    /// What the first unpaid instalment waits for.
    fn expected(&self) -> Option<(usize, Command)> {
        let unpaid = |one: &Instalment| one.is_live() && one.state.paid().is_none();
        let index = self.schedule.instalments.iter().position(unpaid)?;
        let command = match self.schedule.instalments[index].state.stage() {
            Stage::Planned => call(),
            Stage::Called => CERTIFY,
            Stage::Certified => Command::Order,
            Stage::Ordered => Command::Confirm {
                transfer_date: paris_date(self.now),
            },
            Stage::Paid | Stage::Cancelled => return None,
        };
        Some((index, command))
    }

    fn commanded(
        &mut self,
        index: usize,
        command: Command,
        actor: usize,
    ) -> Result<(), TestCaseError> {
        let (before, written) = (self.schedule.clone(), self.books.len());
        let step = step(&format!("person-{actor}"), self.now);
        match self.take(index, command, step) {
            Ok(()) => prop_assert_eq!(
                self.schedule.instalments[index].revision,
                before.instalments[index].revision + 1
            ),
            Err(_) => {
                prop_assert_eq!(&self.schedule, &before);
                prop_assert_eq!(self.books.len(), written);
            }
        }
        Ok(())
    }

    /// False once the plan has no place left.
    fn play(&mut self, event: Event) -> Result<bool, TestCaseError> {
        let told = match event {
            Event::Hours(hours) => {
                self.now += Duration::hours(hours);
                return Ok(true);
            }
            Event::Command(index, command, actor) => {
                let index = index % self.schedule.instalments.len();
                self.commanded(index, command, actor)?;
                return Ok(true);
            }
            Event::Expected(actor) => {
                if let Some((index, command)) = self.expected() {
                    self.commanded(index, command, actor)?;
                }
                return Ok(true);
            }
            Event::Revised(revision) => {
                let next = revision.of(self.revisions.last().unwrap());
                self.revisions.push(next);
                return Ok(true);
            }
            Event::Told => self.revisions.len() - 1,
            Event::ToldAgain(index) => index % self.revisions.len(),
        };
        let agreement = self.revisions[told].clone();
        let known = self.schedule.plan.convention_revision;
        match self.learn(&agreement) {
            Ok(()) => {}
            Err(mismatch) => {
                prop_assert_eq!(mismatch, Mismatch::Places);
                return Ok(false);
            }
        }
        let newest = known.max(agreement.revision);
        prop_assert_eq!(self.schedule.plan.convention_revision, newest);
        Ok(true)
    }

    fn sum(&self, from: Stage) -> i64 {
        let reached = |one: &&Instalment| one.state.stage() >= from;
        let instalments = self.schedule.instalments.iter().filter(reached);
        instalments.map(|one| one.amount.cents()).sum()
    }

    fn booked(&self, account: Account) -> i64 {
        let moved = |entry: &LedgerEntry| {
            let sign = i64::from(entry.movement.debit() == account)
                - i64::from(entry.movement.credit() == account);
            sign * entry.amount.cents()
        };
        self.books.iter().map(moved).sum()
    }

    /// What holds of every plan and its books, whatever happened.
    fn legal(&self) -> Result<(), TestCaseError> {
        let plan = &self.schedule.plan;
        let (ordered, paid) = (self.sum(Stage::Ordered), self.sum(Stage::Paid));
        let due_or_ordered = self.payable.cents().max(ordered);
        prop_assert_eq!(self.sum(Stage::Planned), due_or_ordered);
        prop_assert!(plan.measures.terminated || self.payable == plan.payable());
        prop_assert_eq!(paid, plan.paid.cents());
        prop_assert!(paid <= plan.grant.cents() + plan.to_recover().cents());
        prop_assert!(paid <= due_or_ordered);
        prop_assert!(plan.to_recover() <= plan.paid);
        let statement = Statement::of(&self.schedule).unwrap();
        prop_assert_eq!(
            statement
                .payments
                .iter()
                .map(|(one, _)| one.amount.cents())
                .sum::<i64>(),
            paid
        );
        prop_assert!(statement.due <= statement.remaining);
        if !plan.measures.terminated {
            let stated = statement.paid.checked_add(statement.remaining);
            prop_assert_eq!(stated, self.schedule.planned().ok());
            let settled = plan.state() == PlanState::Settled;
            prop_assert!(!settled || self.sum(Stage::Planned) == ordered);
            prop_assert!(settled || self.sum(Stage::Planned) > paid);
        }
        self.balanced()?;
        self.in_order()
    }

    fn balanced(&self) -> Result<(), TestCaseError> {
        let (certified, paid) = (self.sum(Stage::Certified), self.sum(Stage::Paid));
        let accounts = [
            Account::GrantExpense,
            Account::OperatorPayable,
            Account::Treasury,
        ];
        let totals = accounts.map(|account| self.booked(account));
        prop_assert_eq!(totals, [certified, paid - certified, -paid]);
        prop_assert_eq!(totals.iter().sum::<i64>(), 0);
        let keys: BTreeSet<_> = self
            .books
            .iter()
            .map(|entry| (entry.instalment, entry.instalment_revision))
            .collect();
        prop_assert_eq!(keys.len(), self.books.len());
        let payments = self
            .books
            .iter()
            .filter(|entry| entry.movement == Movement::Payment);
        let verified = Verification::of(&self.schedule, &self.totals()).unwrap();
        prop_assert_eq!(verified.discrepancies, []);
        let once: BTreeSet<_> = payments.clone().map(|entry| entry.instalment).collect();
        prop_assert_eq!(once.len(), payments.count());
        Ok(())
    }

    /// The books by instalment and movement.
    fn totals(&self) -> Vec<Booked> {
        let mut totals: Vec<Booked> = Vec::new();
        for entry in &self.books {
            let instalment = entry.instalment.instalment;
            let same =
                |one: &&mut Booked| one.instalment == instalment && one.movement == entry.movement;
            match totals.iter_mut().find(same) {
                Some(total) => {
                    total.amount = total.amount.checked_add(entry.amount).unwrap();
                    total.entries += 1;
                    total.last_actor.clone_from(&entry.actor);
                }
                None => totals.push(Booked {
                    instalment,
                    movement: entry.movement,
                    amount: entry.amount,
                    entries: 1,
                    last_actor: entry.actor.clone(),
                }),
            }
        }
        totals
    }

    fn in_order(&self) -> Result<(), TestCaseError> {
        let (mut position, mut all_paid) = (0, true);
        for instalment in &self.schedule.instalments {
            prop_assert!(instalment.position > position && instalment.amount.is_positive());
            position = instalment.position;
            if !instalment.is_live() {
                prop_assert_eq!(instalment.state.duties().count(), 0);
                continue;
            }
            let made = instalment.state.duties();
            let actors: BTreeSet<_> = made.map(|(_, step)| &step.actor).collect();
            prop_assert_eq!(actors.len(), instalment.state.duties().count());
            let left = instalment.state != State::Planned;
            let completed = self.schedule.plan.actions_completed;
            prop_assert!(!left || all_paid);
            prop_assert!(!left || instalment.kind != Kind::Balance || completed);
            prop_assert_eq!(instalment.state.account().is_some(), left);
            let certified = instalment.state.certified();
            prop_assert_eq!(
                left && instalment.state.call().is_none(),
                certified.is_some_and(|state| state.call.is_none())
            );
            all_paid = instalment.state.paid().is_some();
        }
        Ok(())
    }
}

fn entry_id(books: &[LedgerEntry]) -> LedgerEntryId {
    LedgerEntryId::from_uuid(Uuid::from_u128(books.len() as u128 + 1))
}

proptest! {
    #[test]
    fn any_sequence_conserves_money_and_leaves_a_legal_state(
        events in prop::collection::vec(event(), 0..160),
        cents in 3_i64..2_000_000,
        advance_without_call: bool,
    ) {
        let terms = [(Kind::Advance, cents / 3), (Kind::Interim, cents / 3), (Kind::Balance, cents - 2 * (cents / 3))];
        let mut played = Played::open(Agreement {
            grant: Money::from_cents(cents),
            terms: terms.map(|(kind, cents)| (kind, Money::from_cents(cents))).to_vec(),
            advance_without_call,
            ..agreement()
        });
        for event in events {
            if !played.play(event)? {
                return Ok(());
            }
            played.legal()?;
        }
    }
}
