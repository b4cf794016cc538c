//! From how many persons on a figure is told.

use std::io;

use clap::{Args, value_parser};
use nonrecours_disclosure::Rules;

use super::table::Audience;

/// Least of the thresholds: below three, one of two persons counted learns of the other.
pub const MIN_THRESHOLD: i32 = 3;
/// Largest of them: beyond it hardly anything of a territory would be told.
pub const MAX_THRESHOLD: i32 = 1000;

/// Persons from which on figures are told to each audience. A setting of those that are released next: a year keeps those
/// its first quarter was released under.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Thresholds {
    /// Persons from which on those who run the programme are told a figure, for years not released yet.
    #[arg(
        long = "internal-threshold",
        env = "FOLLOWUP_INTERNAL_THRESHOLD",
        default_value_t = Self::DEFAULT.internal,
        value_parser = value_parser!(i32).range(i64::from(MIN_THRESHOLD)..=i64::from(MAX_THRESHOLD))
    )]
    pub internal: i32,
    /// Persons from which on everybody is told a figure, for years not released yet; no fewer than those who run it.
    #[arg(
        long = "public-threshold",
        env = "FOLLOWUP_PUBLIC_THRESHOLD",
        default_value_t = Self::DEFAULT.public,
        value_parser = value_parser!(i32).range(i64::from(MIN_THRESHOLD)..=i64::from(MAX_THRESHOLD))
    )]
    pub public: i32,
}

impl Thresholds {
    /// 5 for those who run the programme; 11 for everybody, as is the use for figures on households.
    pub const DEFAULT: Self = Self {
        internal: 5,
        public: 11,
    };

    /// Fails when everybody would be told what those who run the programme are not.
    pub fn checked(self) -> io::Result<Self> {
        if self.public >= self.internal {
            return Ok(self);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "FOLLOWUP_PUBLIC_THRESHOLD ({}) must not be below FOLLOWUP_INTERNAL_THRESHOLD ({})",
                self.public, self.internal
            ),
        ))
    }

    /// That of an audience.
    pub const fn of(&self, audience: Audience) -> i32 {
        match audience {
            Audience::Internal => self.internal,
            Audience::Public => self.public,
        }
    }

    /// The rules for an audience.
    pub fn rules(&self, audience: Audience) -> Rules {
        Rules::from_threshold(u64::from(self.of(audience).unsigned_abs()))
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_is_not_told_more_than_those_who_run_the_programme() {
        let thresholds = |internal, public| Thresholds { internal, public };
        for fine in [Thresholds::DEFAULT, thresholds(11, 11), thresholds(3, 20)] {
            assert_eq!(fine.checked().unwrap(), fine);
        }
        let refused = thresholds(12, 11).checked().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "FOLLOWUP_PUBLIC_THRESHOLD (11) must not be below FOLLOWUP_INTERNAL_THRESHOLD (12)"
        );
    }
}
