//! Change feeds: each service serves its own from its outbox ([`ChangeFeed`]) and follows those of others ([`Follower`]).
//!
//! Exactly once in effect: a change is written in the transaction whose state it describes; a follower applies a page
//! of changes and moves its cursor in one transaction of its own. A crash anywhere brings the same page again, and
//! changes nothing, since a change carries the whole resource with its revision.

mod follow;
mod probe;
mod serve;

pub use follow::{Follower, Handler, snapshot};
pub use probe::first_after;
pub use serve::{ChangeFeed, Readers};
