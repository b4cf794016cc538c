//! A legal hold on a person.

use nonrecours_kernel::{BeneficiaryName, Invalid, LegalHoldName};
use time::OffsetDateTime;

use crate::record::{line, required};

/// Longest reason, in characters.
pub const MAX_REASON: usize = 500;

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegalHold {
    /// Its name.
    pub name: LegalHoldName,
    /// Who is held.
    pub beneficiary: BeneficiaryName,
    /// Why.
    pub reason: String,
    /// Who put it.
    pub put_by: String,
    /// That it was lifted, once it is.
    pub lift: Option<Lift>,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was put.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// That a hold was lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lift {
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// When.
    pub time: OffsetDateTime,
}

/// It was lifted already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyLifted;

impl LegalHold {
    /// Lifts it, once.
    pub fn lift(self, lift: Lift) -> Result<Self, AlreadyLifted> {
        match self.lift {
            Some(_) => Err(AlreadyLifted),
            None => Ok(Self {
                revision: self.revision + 1,
                update_time: lift.time,
                lift: Some(lift),
                ..self
            }),
        }
    }
}

/// Reads a reason: 1 to [`MAX_REASON`] characters on one line. Refused with `REQUIRED`, `TEXT_TOO_LONG`, `TEXT_INVALID`,
/// `NIR_FORBIDDEN`.
pub fn reason(text: &str) -> Result<String, Invalid> {
    let reason = line(text, MAX_REASON)?;
    if reason.is_empty() {
        return Err(required());
    }
    Ok(reason)
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{BeneficiaryId, LegalHoldId, OperatorId};
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_hold_is_lifted_once() {
        let put = datetime!(2025-10-07 07:00 UTC);
        let operator = OperatorId::from_uuid(Uuid::from_u128(1));
        let hold = LegalHold {
            name: LegalHoldName {
                operator,
                legal_hold: LegalHoldId::from_uuid(Uuid::from_u128(2)),
            },
            beneficiary: BeneficiaryName {
                operator,
                beneficiary: BeneficiaryId::from_uuid(Uuid::from_u128(3)),
            },
            reason: "recours".to_owned(),
            put_by: "a".to_owned(),
            lift: None,
            revision: 1,
            create_time: put,
            update_time: put,
        };
        let lift = || Lift {
            reason: "jugement".to_owned(),
            by: "b".to_owned(),
            time: datetime!(2025-10-08 07:00 UTC),
        };
        let lifted = hold.lift(lift()).unwrap();
        assert_eq!((lifted.revision, lifted.update_time), (2, lift().time));
        assert_eq!(lifted.create_time, put);
        assert_eq!(lifted.lift, Some(lift()));
        assert_eq!(lifted.lift(lift()), Err(AlreadyLifted));
    }

    #[test]
    fn a_reason_is_a_line_of_words() {
        assert_eq!(
            reason(" recours \u{e9}crit ").unwrap(),
            "recours \u{e9}crit"
        );
        for (bad, expected) in [
            ("  ", "REQUIRED"),
            (&*"x".repeat(MAX_REASON + 1), "TEXT_TOO_LONG"),
            ("a\nb", "TEXT_INVALID"),
            ("1 85 02 62 263 001 42", "NIR_FORBIDDEN"),
        ] {
            assert_eq!(reason(bad).unwrap_err().reason, expected);
        }
    }
}
