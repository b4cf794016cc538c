//! Optimistic locking: the etag of a resource is its revision.

use crate::failure::Failure;

/// Writes the etag of a revision.
pub fn of(revision: i64) -> String {
    revision.to_string()
}

/// Accepts a request that gives no etag, or the one of the revision that stands; refuses any other: ETAG_MISMATCH.
pub fn check(given: &str, revision: i64) -> Result<(), Failure> {
    if given.is_empty() || given == of(revision) {
        Ok(())
    } else {
        Err(Failure::etag_mismatch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_or_the_current_one() {
        assert!(check("", 3).is_ok());
        assert!(check("3", 3).is_ok());
        for stale in ["2", "03", "x"] {
            assert_eq!(check(stale, 3).unwrap_err().reason(), "ETAG_MISMATCH");
        }
    }
}
