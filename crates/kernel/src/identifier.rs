//! Any of the identifiers, by its kind: what the validators of the service and of the command share.

use crate::{ActId, Bic, Iban, InseeCode, Invalid, Rna, Siren, Siret};

/// What a value is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierKind {
    /// Establishment.
    Siret,
    /// Legal unit.
    Siren,
    /// Bank account.
    Iban,
    /// Bank.
    Bic,
    /// Act transmitted to the prefecture.
    Act,
    /// Association.
    Rna,
    /// Commune code: its form, not whether such a commune exists.
    Commune,
}

/// A value that follows every rule of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// The form that is stored: compact, upper case.
    pub normalised: String,
    /// What is unusual, accepted all the same.
    pub warnings: Vec<Invalid>,
}

impl IdentifierKind {
    /// Reads a value of this kind; refused with the reasons of its type.
    ///
    /// The holder of an IBAN is not known here: it is remarked upon as a public body's would be.
    pub fn check(self, value: &str) -> Result<Identified, Invalid> {
        let plain = |normalised: String| Identified {
            normalised,
            warnings: Vec::new(),
        };
        match self {
            Self::Siret => value.parse().map(|it: Siret| plain(it.to_string())),
            Self::Siren => value.parse().map(|it: Siren| plain(it.to_string())),
            Self::Iban => value.parse().map(|it: Iban| Identified {
                normalised: it.as_str().to_owned(),
                warnings: it.warnings(true),
            }),
            Self::Bic => value.parse().map(|it: Bic| plain(it.to_string())),
            Self::Act => value.parse().map(|it: ActId| plain(it.to_string())),
            Self::Rna => value.parse().map(|it: Rna| plain(it.to_string())),
            Self::Commune => value.parse().map(|it: InseeCode| plain(it.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_rules_and_its_stored_form() {
        use IdentifierKind::{Act, Bic, Commune, Iban, Rna, Siren, Siret};
        for (kind, value, stored) in [
            (Siret, "216 202 630 00010", "21620263000010"),
            (Siren, "216.202.630", "216202630"),
            (
                Iban,
                "fr14 2004 1010 0505 0001 3m02 606",
                "FR1420041010050500013M02606",
            ),
            (Bic, "BDFEFRPPCCT", "BDFEFRPPCCT"),
            (
                Act,
                "062-216202630-20250929-25D045-DE",
                "062-216202630-20250929-25D045-DE",
            ),
            (Rna, "w621000123", "W621000123"),
            (Commune, "2a004", "2A004"),
        ] {
            assert_eq!(kind.check(value).unwrap().normalised, stored);
            assert!(kind.check("?").is_err());
        }
        let reasons = |value: &str| -> Vec<_> {
            let found = Iban.check(value).unwrap();
            found.warnings.iter().map(|it| it.reason).collect()
        };
        assert_eq!(
            reasons("FR1420041010050500013M02606"),
            ["IBAN_NOT_AT_TREASURY"]
        );
        assert_eq!(reasons("FR903000100152D620000000041"), [""; 0]);
    }
}
