//! Framework conventions (conventions-cadres).

use nonrecours_kernel::FrameworkConventionName;
use time::{Date, OffsetDateTime};

/// A framework convention as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameworkConvention {
    /// Resource name.
    pub name: FrameworkConventionName,
    /// What was voted.
    pub terms: Terms,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What the council voted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Title of the vote.
    pub title: String,
    /// Day of the vote.
    pub vote_date: Date,
}
