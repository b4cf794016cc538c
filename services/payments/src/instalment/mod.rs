//! Instalments: from planned to paid, by four different persons.

mod asked;
#[cfg(test)]
mod conservation;
pub(crate) mod correcting;
pub(crate) mod document;
pub(crate) mod document_store;
mod domain;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod happening;
mod obstacle;
pub(crate) mod papers;
pub(crate) mod planning;
mod recovering;
mod refusal;
mod replan;
#[cfg(test)]
mod replanning;
pub(crate) mod returning;
pub(crate) mod rpc;
mod schedule;
mod state;
pub(crate) mod store;
#[cfg(test)]
mod transitions;
pub(crate) mod wire;

pub use document::{DocumentKind, Requirements, Source, SupportingDocument};
pub use domain::{Command, Instalment, Kind};
pub use obstacle::{Next, Obstacle};
pub use recovering::{Recovering, RecoveryStage};
pub use refusal::Refusal;
pub use schedule::Schedule;
pub use state::{Call, Certified, Destination, Ordered, Paid, Stage, State, Step};
