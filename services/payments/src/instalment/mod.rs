//! Instalments: from planned to paid, by four different persons.

mod account;
#[cfg(test)]
mod conservation;
mod domain;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod happening;
mod obstacle;
pub(crate) mod planning;
mod recovering;
mod refusal;
mod replan;
#[cfg(test)]
mod replanning;
pub(crate) mod rpc;
mod schedule;
pub(crate) mod store;
#[cfg(test)]
mod transitions;
pub(crate) mod wire;

pub use account::BankAccount;
pub use domain::{Call, Certified, Command, Instalment, Kind, Ordered, Paid, Stage, State, Step};
pub use obstacle::{Next, Obstacle};
pub use recovering::{Recovering, RecoveryStage};
pub use refusal::Refusal;
pub use schedule::Schedule;
