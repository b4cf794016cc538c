//! Any sequence of commands, amendments and measures conserves money and leaves a legal state.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use nonrecours_kernel::{
    IdSource, InstalmentName, LedgerEntryId, ManualClock, Money, ProgrammeId, RecoveryId,
    RecoveryName, paris_date,
};
use proptest::prelude::*;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    fixtures::{CERTIFY, NOW, agreement, call, schedule, step},
    happening::{Event, PERIOD, Recovering, event},
    *,
};
use crate::{
    ledger_entry::{
        Account, LedgerEntry, Movement, Subject,
        verify::{Booked, Verification},
    },
    payment_plan::{Agreement, Cause, Learned, Mismatch, State as PlanState, statement::Statement},
    recovery::{Act, ActKind, Header, Recovery, issue},
};

/// A plan with its books and its recoveries, and the convention that it follows.
struct Played {
    schedule: Schedule,
    books: Vec<LedgerEntry>,
    recoveries: Vec<Recovery>,
    /// How often a part of each payment came back.
    parts: BTreeMap<InstalmentName, usize>,
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
            recoveries: Vec::new(),
            parts: BTreeMap::new(),
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
        let before = schedule.instalments[index].clone();
        let next = schedule.take(&before, command, step)?;
        let reached = next.state.stage() != before.state.stage();
        if let Some(movement) = next.movement().filter(|_| reached) {
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

    /// What the service does when the money of the last payment comes back, before anything else was done with it.
    fn come_back(&mut self) {
        let plan = &self.schedule.plan;
        let instalments = &self.schedule.instalments;
        let left = |one: &Instalment| one.state.duties().count() > 0;
        let Some(index) = instalments.iter().rposition(left) else {
            return;
        };
        let current = instalments[index].clone();
        let claimed = plan.recovered.claimed.is_positive() || plan.measures.claimed.is_positive();
        if claimed || current.state.paid().is_none() {
            return;
        }
        let next = current.returned(self.now).unwrap();
        let id = entry_id(&self.books);
        let entry = LedgerEntry::book(id, &next, Movement::Return, "bank", self.now);
        self.books.push(entry);
        self.schedule.plan = plan.clone().unpay(next.amount, self.now).unwrap();
        self.schedule.instalments[index] = next;
    }

    /// What the service does when a part of a payment comes back.
    fn come_back_in_part(&mut self, index: usize, share: i64) -> Result<(), Mismatch> {
        let plan = &self.schedule.plan;
        let instalments = &self.schedule.instalments;
        let index = index % instalments.len();
        let current = instalments[index].clone();
        let amount = Money::from_cents((current.amount.cents() * share / 100).max(1));
        let claimed = plan.recovered.claimed.is_positive() || plan.measures.claimed.is_positive();
        let Some(next) = current
            .returned_in_part(amount, self.now)
            .filter(|_| !claimed)
        else {
            return Ok(());
        };
        let ids = [0, 1].map(|after| {
            let count = self.books.len() + after + 1;
            LedgerEntryId::from_uuid(Uuid::from_u128(count as u128))
        });
        let entries = LedgerEntry::return_part(ids, &next, amount, "bank", self.now);
        self.books.extend(entries);
        *self.parts.entry(next.name).or_default() += 1;
        self.schedule.plan = plan.clone().unpay(amount, self.now).unwrap();
        self.schedule.instalments[index] = next;
        self.replan_unless_terminated()
    }

    /// What the service does when a correction of an order is taken in charge.
    fn correct(&mut self, index: usize, share: i64) -> Result<(), Mismatch> {
        let instalments = &self.schedule.instalments;
        let index = index % instalments.len();
        let current = instalments[index].clone();
        let cents = (current.amount.cents() * share / 100).max(1);
        let amount = Money::from_cents(cents);
        let Ok(next) = current.corrected(amount, self.now) else {
            return Ok(());
        };
        let id = entry_id(&self.books);
        let entry = LedgerEntry::correct(id, &next, amount, "service", self.now);
        self.books.push(entry);
        self.schedule.instalments[index] = next;
        self.replan_unless_terminated()
    }

    fn replan_unless_terminated(&mut self) -> Result<(), Mismatch> {
        if self.schedule.plan.measures.terminated {
            self.payable = self.schedule.planned()?;
            return Ok(());
        }
        self.replan(self.schedule.plan.last_cause())
    }

    /// What the service does with a revision of the convention.
    fn learn(&mut self, agreement: &Agreement) -> Result<(), Mismatch> {
        match self.schedule.plan.clone().learn(agreement, self.now)? {
            Learned::Stale => {}
            Learned::Seen(plan) | Learned::Changed(plan) => self.schedule.plan = plan,
            Learned::Replanned(plan, cause) => {
                self.schedule.plan = plan;
                self.replan(cause)?;
            }
        }
        Ok(())
    }

    /// What the service does with a step of a recovery: the ledger and the plan follow it.
    fn recover(&mut self, recovering: &Recovering, actor: usize) -> Result<(), Mismatch> {
        let step = step(&format!("person-{actor}"), self.now);
        let before = self.schedule.plan.clone();
        let (recovery, booked) = match recovering {
            Recovering::Issue(asked) => {
                let header = header(self.recoveries.len(), step);
                let Ok(recovery) = issue(&self.schedule, asked.clone(), header) else {
                    return Ok(());
                };
                let amount = recovery.amount;
                self.recoveries.push(recovery.clone());
                (recovery, (Movement::Claim, amount))
            }
            Recovering::Act(index, command) => {
                let count = self.recoveries.len();
                let Some(place) = self.recoveries.get_mut(index % count.max(1)) else {
                    return Ok(());
                };
                let Ok(Some(next)) = place.take(command.clone(), step) else {
                    return Ok(());
                };
                let act = next.acts.get(place.acts.len()).cloned();
                *place = next.clone();
                let Some(act) = act else { return Ok(()) };
                (next, (act.kind.movement(), act.amount))
            }
        };
        let id = entry_id(&self.books);
        let actor = format!("person-{actor}");
        self.books.push(LedgerEntry::recover(
            id, &recovery, booked, &actor, self.now,
        ));
        let (movement, amount) = booked;
        let sums = before
            .recovered
            .book(movement, amount, recovery.is_breach());
        self.schedule.plan = before.clone().recover(sums.unwrap(), self.now);
        let payable = self.schedule.plan.payable();
        if payable != before.payable() {
            self.replan(Cause::Decision)?;
        }
        Ok(())
    }

    fn replan(&mut self, cause: Cause) -> Result<(), Mismatch> {
        for replanned in self.schedule.replan(cause, &self.ids, self.now)? {
            if let Some(certified) = replanned.liquidated() {
                let id = entry_id(&self.books);
                self.books
                    .push(LedgerEntry::reverse(id, certified, "service", self.now));
            }
        }
        self.payable = self.schedule.plan.payable();
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
            Event::ComesBack => {
                self.come_back();
                return Ok(true);
            }
            Event::ComesBackInPart(index, share) => {
                return Ok(self.come_back_in_part(index, share).is_ok());
            }
            Event::Corrected(index, share) => {
                return Ok(self.correct(index, share).is_ok());
            }
            Event::Recovering(recovering, actor) => {
                return Ok(self.recover(&recovering, actor).is_ok());
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
        self.recovered()?;
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

    /// What holds of the recoveries: all that is back was claimed, whoever claims holds no money, and what is paid is no
    /// more than what is due and what is back.
    fn recovered(&self) -> Result<(), TestCaseError> {
        let plan = &self.schedule.plan;
        let sums = plan.recovered;
        let of = |kind| {
            let sums = self.recoveries.iter().map(|one| one.sum(kind));
            Money::sum(sums).unwrap()
        };
        let claimed = Money::sum(self.recoveries.iter().map(|one| one.amount)).unwrap();
        let claimed = claimed.checked_sub(of(ActKind::Reduction)).unwrap();
        prop_assert_eq!(claimed, sums.claimed);
        let back = of(ActKind::Receipt).checked_add(of(ActKind::Offset));
        prop_assert_eq!(back, Some(sums.received));
        prop_assert_eq!(of(ActKind::WriteOff), sums.written_off);
        let open = Money::sum(self.recoveries.iter().map(Recovery::outstanding)).unwrap();
        let closed = sums.received.checked_add(sums.written_off).unwrap();
        prop_assert_eq!(closed.checked_add(open), Some(claimed));
        // Never more paid than granted and recovered, but what was ordered before an amendment.
        let (due, ordered) = (plan.due().cents(), self.sum(Stage::Ordered));
        prop_assert!(
            plan.measures.terminated
                || plan.paid.cents() <= ordered.max(due + sums.received.cents())
        );
        // Once all that is to be recovered is back, the operator has no more than what is due.
        if sums.received >= plan.to_recover() {
            prop_assert!(plan.paid.cents() - sums.received.cents() <= due);
        }
        for recovery in &self.recoveries {
            prop_assert!(recovery.amount.is_positive());
            let issuer = &recovery.issue.actor;
            let holds = |act: &&Act| matches!(act.kind, ActKind::Receipt | ActKind::Offset);
            let mut holders = recovery.acts.iter().filter(holds);
            prop_assert!(holders.all(|act| act.step.actor != *issuer));
        }
        // What each instalment is to give back adds up to what the plan is, as far as the instalments go.
        let parts = self.schedule.instalments.iter();
        let parts = parts.filter_map(|one| self.schedule.recovering(one));
        let parts: i64 = parts.map(|part| part.amount.cents()).sum();
        prop_assert_eq!(parts, plan.to_recover().cents());
        Ok(())
    }

    fn balanced(&self) -> Result<(), TestCaseError> {
        let (certified, paid) = (self.sum(Stage::Certified), self.sum(Stage::Paid));
        let totals = Account::ALL.map(|account| self.booked(account));
        let sums = self.schedule.plan.recovered;
        let [claimed, received, lost] =
            [sums.claimed, sums.received, sums.written_off].map(Money::cents);
        prop_assert_eq!(
            totals,
            [
                certified,
                paid - certified,
                received - paid,
                claimed - received - lost,
                -claimed,
                lost,
                0,
                0
            ]
        );
        prop_assert_eq!(totals.iter().sum::<i64>(), 0);
        let keys: BTreeSet<_> = self
            .books
            .iter()
            .map(|entry| (entry.subject, entry.revision))
            .collect();
        prop_assert_eq!(keys.len(), self.books.len());
        let recoveries: Vec<_> = self.recoveries.iter().collect();
        let verified = Verification::of(&self.schedule, &recoveries, &[], &self.totals()).unwrap();
        prop_assert_eq!(verified.discrepancies, []);
        // Each is paid once, and once more for each time that the money came back.
        for one in &self.schedule.instalments {
            let count = |movement| {
                let of = Subject::Instalment(one.name);
                let same = |entry: &&LedgerEntry| entry.subject == of && entry.movement == movement;
                self.books.iter().filter(same).count()
            };
            let standing = usize::from(one.state.paid().is_some());
            let parts = self.parts.get(&one.name).copied().unwrap_or_default();
            let whole = count(Movement::Return) - parts;
            prop_assert_eq!(count(Movement::Payment), whole + standing);
        }
        Ok(())
    }

    /// The books by what they book and movement.
    fn totals(&self) -> Vec<Booked> {
        let mut totals: Vec<Booked> = Vec::new();
        for entry in &self.books {
            let same =
                |one: &&mut Booked| one.subject == entry.subject && one.movement == entry.movement;
            match totals.iter_mut().find(same) {
                Some(total) => {
                    total.amount = total.amount.checked_add(entry.amount).unwrap();
                    total.entries += 1;
                    total.last_actor.clone_from(&entry.actor);
                }
                None => totals.push(Booked {
                    subject: entry.subject,
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
            self.justified(instalment)?;
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

impl Played {
    /// What was certified had every document that was wanted; what was ordered, an approved account when it was.
    fn justified(&self, instalment: &Instalment) -> Result<(), TestCaseError> {
        let wanted = if self.schedule.is_later(instalment) {
            &self.schedule.requirements.later
        } else {
            &self.schedule.requirements.first
        };
        let there: BTreeSet<_> = instalment.documents.iter().map(|one| one.kind).collect();
        let certified = instalment.state.certified();
        for kind in wanted {
            let uncalled = *kind == DocumentKind::Call && instalment.state.call().is_none();
            // Another account may have no RIB; the one that was certified had.
            let excused = matches!(kind, DocumentKind::Statement | DocumentKind::Rib) || uncalled;
            prop_assert!(certified.is_none() || excused || there.contains(kind));
        }
        prop_assert!(there.len() <= DocumentKind::ALL.len());
        let planned = instalment.state == State::Planned;
        prop_assert!(!planned || instalment.documents.is_empty());
        Ok(())
    }
}

fn header(count: usize, step: Step) -> Header {
    let convention = agreement().convention;
    Header {
        name: RecoveryName {
            operator: convention.operator,
            convention: convention.convention,
            recovery: RecoveryId::from_uuid(Uuid::from_u128(count as u128 + 1)),
        },
        programme: ProgrammeId::from_uuid(Uuid::from_u128(9)),
        budget_year: agreement().budget_year,
        number: i32::try_from(count).unwrap() + 1,
        step,
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
        is_public: bool,
    ) {
        let terms = [(Kind::Advance, cents / 3), (Kind::Interim, cents / 3), (Kind::Balance, cents - 2 * (cents / 3))];
        let mut played = Played::open(Agreement {
            grant: Money::from_cents(cents),
            terms: terms.map(|(kind, cents)| (kind, Money::from_cents(cents))).to_vec(),
            advance_without_call,
            period: Some(PERIOD),
            ..agreement()
        });
        played.schedule.payee.is_public = is_public;
        for event in events {
            if !played.play(event)? {
                return Ok(());
            }
            played.legal()?;
        }
    }
}
