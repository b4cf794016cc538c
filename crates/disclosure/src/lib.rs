//! Statistical disclosure control: which figures of a table may be told, so that nobody learns a small one by taking the
//! others from each other. Pure: counts in, a pattern out, the same for the same counts.
//!
//! A table has rows (communes, conventions, rights…) whose sum is its root, and each has the same periods: months,
//! quarters, the year. A figure that is *sensitive* ([`Rules`]) is withheld, and so many others with it that, from
//! everything told, each sensitive count can still be anything from 0 to one below the threshold. What is told of a table
//! spans a network of flows (row by period on one side, root by period on the other), so the range in which a withheld
//! figure must lie is computed exactly, by augmenting paths from the true figures ([`release`]).
//!
//! Decided once, on the finest figures told together, and inherited by every question: a question picks figures, it never
//! makes new ones. Quarters are decided as they close, without knowledge of later ones; the year on top of them.

mod network;
mod release;
mod rules;
mod series;

pub use release::{MAX_ROWS, Release, Shown, Table, TooManyRows};
pub use rules::{Kind, Need, Rules};
pub use series::{Contribution, MONTHS, Period, QUARTERS, Series};
