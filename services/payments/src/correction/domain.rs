//! Corrections as values.

use nonrecours_kernel::Money;
use time::OffsetDateTime;

use crate::{
    return_file::OrderKey,
    slip::{Reason, Stage},
};

/// A correction: the order, and which of its corrections.
pub type CorrectionKey = (OrderKey, i16);

/// What is taken off an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The order.
    pub order: OrderKey,
    /// Which of its corrections this is, from 1.
    pub round: i16,
    /// Number of the order.
    pub corrected_piece: i32,
    /// Its own number in the budget year.
    pub piece: i32,
    /// How much.
    pub amount: Money,
    /// Whether that is all of the order.
    pub cancels: bool,
    /// Why.
    pub motive: String,
    /// What has become of it: never PAID, never CANCELLED.
    pub stage: Stage,
    /// Why it waits or was rejected, in the accountant's words; empty otherwise.
    pub reason: Reason,
    /// Subject of who called what is corrected.
    pub caller: Option<String>,
    /// Subject of who certified it.
    pub certifier: String,
    /// Subject of who issued the correction.
    pub issuer: String,
    /// That it was taken in charge.
    pub acceptance: Option<Acceptance>,
}

/// That a correction was taken in charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Subject of who brought the word.
    pub actor: String,
    /// When.
    pub time: OffsetDateTime,
}

impl Correction {
    /// What tells it from others.
    pub const fn key(&self) -> CorrectionKey {
        (self.order, self.round)
    }

    /// What it does, in English and in French.
    pub const fn called(&self) -> (&'static str, &'static str) {
        if self.cancels {
            ("cancellation", "annulation")
        } else {
            ("reduction", "réduction")
        }
    }
}
