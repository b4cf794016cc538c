//! What may happen to a plan: commands by anybody, revisions of the convention in any order, time.

use nonrecours_kernel::{Money, paris_date};
use proptest::prelude::*;
use time::{Duration, macros::date};

use super::{
    fixtures::{CERTIFY, NOW, account, call, document, documents},
    *,
};
use crate::{
    bank_account::Standing,
    payment_plan::{Agreement, Period},
    recovery::{self, Asked},
};

/// One thing that may happen, sensible or not.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// Somebody does what the first unpaid instalment waits for.
    Expected(usize),
    /// Somebody does something to some instalment.
    Command(usize, Command, usize),
    /// The convention has a new revision, which is on its way.
    Revised(Revision),
    /// The newest revision arrives.
    Told,
    /// Some revision arrives: late, again, or before those that came earlier.
    ToldAgain(usize),
    Hours(i64),
    /// The money of the last payment comes back.
    ComesBack,
    /// A part of a payment comes back: this many hundredths of it.
    ComesBackInPart(usize, i64),
    /// A correction of an order is taken in charge: this many hundredths of it.
    Corrected(usize, i64),
    /// Somebody claims something back, or does something to a claim.
    Recovering(Recovering, usize),
}

/// What somebody does about money that is to be given back.
#[derive(Clone, Debug)]
pub(super) enum Recovering {
    Issue(Asked),
    Act(usize, recovery::Command),
}

/// The days of the convention.
pub(super) const PERIOD: Period = Period {
    first: date!(2025 - 10 - 06),
    last: date!(2025 - 12 - 31),
};

/// What a revision of the convention changes.
#[derive(Clone, Debug)]
pub(super) enum Revision {
    Amended(Vec<(Kind, i64)>),
    AdvanceWithoutCall(bool),
    ActionsCompleted,
    Suspended(bool),
    /// What a decision leaves, in hundredths of the grant; none: the whole of it.
    Due(Option<i64>),
    Claimed(i64),
    Terminated,
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(call()),
        Just(CERTIFY),
        Just(Command::Certify {
            account: Some(account()),
            documents: documents(),
        }),
        papers(),
        Just(Command::Order),
        (0_i64..4).prop_map(|days| Command::Confirm {
            transfer_date: paris_date(NOW + Duration::days(days)),
        }),
    ]
}

/// Papers put in order: some of the documents, another account in any standing.
fn papers() -> impl Strategy<Value = Command> {
    let documents = prop::sample::subsequence(documents(), 0..=7);
    let standing = prop::sample::select(Standing::ALL.to_vec());
    prop_oneof![
        documents.prop_map(|documents| Command::Attach { documents }),
        (standing, any::<bool>()).prop_map(|(standing, rib)| Command::Redirect {
            account: Destination {
                standing,
                ..account()
            },
            rib: rib.then(|| document(DocumentKind::Rib)),
        }),
    ]
}

/// Terms of payment: their kinds in an order that a convention allows, amounts down to nothing.
fn terms() -> impl Strategy<Value = Vec<(Kind, i64)>> {
    let amount = || prop_oneof![0_i64..4, 1_i64..2_000_000];
    let interims = prop::collection::vec(amount(), 0..3);
    let terms = (prop::option::of(amount()), interims, 1_i64..1_000_000);
    terms.prop_map(|(advance, interims, balance)| {
        let interims = interims.into_iter().map(|cents| (Kind::Interim, cents));
        advance
            .map(|cents| (Kind::Advance, cents))
            .into_iter()
            .chain(interims)
            .chain([(Kind::Balance, balance)])
            .collect()
    })
}

fn revision() -> impl Strategy<Value = Revision> {
    prop_oneof![
        8 => terms().prop_map(Revision::Amended),
        1 => any::<bool>().prop_map(Revision::AdvanceWithoutCall),
        4 => Just(Revision::ActionsCompleted),
        3 => any::<bool>().prop_map(Revision::Suspended),
        4 => prop::option::of(0_i64..130).prop_map(Revision::Due),
        1 => (0_i64..1_000_000).prop_map(Revision::Claimed),
        1 => Just(Revision::Terminated),
    ]
}

fn recovering() -> impl Strategy<Value = Recovering> {
    let day = || (0_i64..4).prop_map(|days| paris_date(NOW + Duration::days(days)));
    let amount = || prop_oneof![1_i64..5, 1_i64..1_000_000].prop_map(Money::from_cents);
    let breach = day().prop_map(|date| Asked::Breach {
        decision: "DEC-1".to_owned(),
        date,
    });
    let receive = (amount(), day(), 0_u8..6).prop_map(|(amount, date, reference)| {
        recovery::Command::Receive {
            amount,
            date,
            reference: format!("P503-{reference}"),
        }
    });
    let command = prop_oneof![
        2 => day().prop_map(recovery::Command::Notify),
        4 => receive,
        1 => Just(recovery::Command::WriteOff { decision: "DEL-2".to_owned() }),
        1 => amount().prop_map(|amount| recovery::Command::Reduce {
            amount,
            reason: "trop".to_owned(),
        }),
    ];
    prop_oneof![
        3 => Just(Recovering::Issue(Asked::Unclaimed)),
        1 => breach.prop_map(Recovering::Issue),
        6 => (0_usize..4, command).prop_map(|(index, command)| Recovering::Act(index, command)),
    ]
}

/// Anything, with what moves a plan on more often than the rest.
pub(super) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        16 => (0_usize..5).prop_map(Event::Expected),
        6 => (0_usize..6, command(), 0_usize..5).prop_map(|(index, command, actor)| {
            Event::Command(index, command, actor)
        }),
        3 => revision().prop_map(Event::Revised),
        3 => Just(Event::Told),
        1 => (0_usize..20).prop_map(Event::ToldAgain),
        2 => (1_i64..30).prop_map(Event::Hours),
        2 => Just(Event::ComesBack),
        2 => (0_usize..5, 1_i64..100)
            .prop_map(|(index, share)| Event::ComesBackInPart(index, share)),
        3 => (0_usize..5, prop_oneof![Just(100_i64), 1_i64..100])
            .prop_map(|(index, share)| Event::Corrected(index, share)),
        6 => (recovering(), 0_usize..5)
            .prop_map(|(recovering, actor)| Event::Recovering(recovering, actor)),
    ]
}

impl Revision {
    /// The convention after it.
    pub(super) fn of(self, before: &Agreement) -> Agreement {
        let mut next = before.clone();
        next.revision += 1;
        match self {
            Self::Amended(terms) => {
                let money = |(kind, cents)| (kind, Money::from_cents(cents));
                next.terms = terms.into_iter().map(money).collect();
                next.grant = Money::sum(next.terms.iter().map(|(_, amount)| *amount)).unwrap();
            }
            Self::AdvanceWithoutCall(without) => next.advance_without_call = without,
            Self::ActionsCompleted => next.actions_completed = true,
            Self::Suspended(suspended) => next.measures.suspended = suspended,
            Self::Due(share) => {
                let of_grant = |share| Money::from_cents(next.grant.cents() * share / 100);
                next.measures.due = share.map(of_grant);
            }
            Self::Claimed(cents) => next.measures.claimed = Money::from_cents(cents),
            Self::Terminated => next.measures.terminated = true,
        }
        next
    }
}
