//! Closed lists of values: one name each in Rust, in the contract and in the database.

/// Declares a list whose variants are those of the enum of the same name in the contract, without its `UNSPECIFIED`.
macro_rules! codes {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as the database and the catalogues write it.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// Reads [`Self::code`].
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.code() == code)
            }

            /// Reads the contract's number; 0 is no value. Refused with `UNKNOWN_CODE`.
            pub fn from_wire(number: i32) -> Result<Option<Self>, nonrecours_kernel::Invalid> {
                use nonrecours_contracts::followup as wire;
                match wire::$name::try_from(number) {
                    Ok(wire::$name::Unspecified) => Ok(None),
                    $(Ok(wire::$name::$variant) => Ok(Some(Self::$variant)),)+
                    Err(_) => Err($crate::codes::unknown()),
                }
            }

            /// The contract's number.
            pub fn to_wire(self) -> i32 {
                use nonrecours_contracts::followup as wire;
                match self {
                    $(Self::$variant => wire::$name::$variant.into(),)+
                }
            }
        }
    };
}

pub(crate) use codes;
use nonrecours_kernel::Invalid;
use nonrecours_pg::Error;

/// `UNKNOWN_CODE`: the value is in no list, or not on that day.
pub(crate) fn unknown() -> Invalid {
    Invalid::new(
        "UNKNOWN_CODE",
        "this code is not in the list, or not valid on the day of the record",
        "ce code ne figure pas dans la liste, ou n'est pas valable à la date de l'enregistrement",
    )
}

/// A stored code that is in no list any more: damage, since rows are written by this program only.
pub(crate) fn damaged(column: &str) -> Error {
    Error::Damaged(format!("an unknown code in {column}"))
}

#[cfg(test)]
mod tests {
    use nonrecours_contracts::followup as wire;

    use crate::{
        beneficiary::domain::{AgeBand, ClosingReason, JourneyState},
        entitlement::domain::{AmountKind, AmountUnit, EntitlementState, SupportMode},
        erasure::domain::ErasureReason,
        indicator::table::{Audience, Breakdown, Grain},
        merge::domain::{MergeReason, MergeState},
        referral::domain::ReferralState,
        renewal::domain::RenewalAlertState,
        retention::domain::RetentionNoticeState,
        session::domain::Channel,
    };

    /// Checks one list against the contract: the same names, all of them, read back from both sides.
    macro_rules! same_as_the_contract {
        ($($name:ident: $prefix:literal),+ $(,)?) => {$(
            for value in $name::ALL {
                let number = value.to_wire();
                let named = wire::$name::try_from(number).unwrap().as_str_name();
                assert_eq!(named, format!("{}{}", $prefix, value.code()));
                assert_eq!($name::from_wire(number).unwrap(), Some(*value));
                assert_eq!($name::from_code(value.code()), Some(*value));
            }
            let next = i32::try_from($name::ALL.len()).unwrap() + 1;
            assert_eq!($name::from_wire(next).unwrap_err().reason, "UNKNOWN_CODE");
            assert_eq!($name::from_wire(0).unwrap(), None);
            assert_eq!($name::from_code(""), None);
        )+};
    }

    #[test]
    fn lists_are_those_of_the_contract() {
        same_as_the_contract! {
            JourneyState: "JOURNEY_STATE_",
            ClosingReason: "CLOSING_REASON_",
            AgeBand: "AGE_BAND_",
            EntitlementState: "ENTITLEMENT_STATE_",
            AmountKind: "AMOUNT_KIND_",
            AmountUnit: "AMOUNT_UNIT_",
            SupportMode: "SUPPORT_MODE_",
            Channel: "CHANNEL_",
            ReferralState: "REFERRAL_STATE_",
            Breakdown: "BREAKDOWN_",
            Grain: "GRAIN_",
            Audience: "AUDIENCE_",
            RenewalAlertState: "RENEWAL_ALERT_STATE_",
            ErasureReason: "ERASURE_REASON_",
            MergeReason: "MERGE_REASON_",
            MergeState: "MERGE_STATE_",
            RetentionNoticeState: "RETENTION_NOTICE_STATE_",
        }
    }
}
