//! The number a decision of a local body gets when it is transmitted to the prefecture (@CTES).

use std::fmt;
use std::str::FromStr;

use time::Date;

use crate::dates::date_from_digits;
use crate::siren::siren_from_digits;
use crate::text::is_digits;
use crate::{Invalid, Siren};

/// Longest number a body gives to its own act.
const MAX_NUMBER: usize = 15;

/// Nature of an act, as the transmission protocol codes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActNature {
    /// DE: a vote of the assembly.
    Deliberation,
    /// AR: a regulatory decision.
    RegulatoryOrder,
    /// AI: a decision about one person or body.
    IndividualOrder,
    /// CC: a contract or agreement.
    Contract,
    /// BF: a budget or financial document.
    BudgetDocument,
    /// AU: anything else.
    Other,
}

impl ActNature {
    /// Every nature.
    pub const ALL: [ActNature; 6] = [
        Self::Deliberation,
        Self::RegulatoryOrder,
        Self::IndividualOrder,
        Self::Contract,
        Self::BudgetDocument,
        Self::Other,
    ];

    /// The two letters of the protocol.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Deliberation => "DE",
            Self::RegulatoryOrder => "AR",
            Self::IndividualOrder => "AI",
            Self::Contract => "CC",
            Self::BudgetDocument => "BF",
            Self::Other => "AU",
        }
    }

    /// What people call it in France.
    pub const fn label_fr(self) -> &'static str {
        match self {
            Self::Deliberation => "délibération",
            Self::RegulatoryOrder => "acte réglementaire",
            Self::IndividualOrder => "acte individuel",
            Self::Contract => "contrat, convention ou avenant",
            Self::BudgetDocument => "document budgétaire ou financier",
            Self::Other => "autre acte",
        }
    }
}

/// An act's number such as `062-216202630-20250929-25D045-DE`: department of the prefecture,
/// SIREN of the body, date of the decision, the body's own number, nature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActId {
    department: String,
    siren: Siren,
    date: Date,
    number: String,
    nature: ActNature,
}

impl ActId {
    /// Three characters: `062`, `02A`, `974`.
    pub fn department(&self) -> &str {
        &self.department
    }

    /// The body that decided.
    pub const fn siren(&self) -> Siren {
        self.siren
    }

    /// The day of the decision.
    pub const fn date(&self) -> Date {
        self.date
    }

    /// The body's own number: `25D045`.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// What kind of act it is.
    pub const fn nature(&self) -> ActNature {
        self.nature
    }
}

impl FromStr for ActId {
    type Err = Invalid;

    /// Reads the stamped form exactly.
    ///
    /// Refused with `ACT_ID_FORMAT` (not five parts), `ACT_ID_DEPARTMENT`, `ACT_ID_SIREN`,
    /// `ACT_ID_DATE`, `ACT_ID_NUMBER` or `ACT_ID_NATURE`.
    fn from_str(value: &str) -> Result<Self, Invalid> {
        let parts: Vec<&str> = value.splitn(6, '-').collect();
        let [department, siren, date, number, nature] = parts[..] else {
            return Err(Invalid::new(
                "ACT_ID_FORMAT",
                "an act number has five parts separated by hyphens",
                "Le numéro d'acte a cinq parties séparées par des tirets, par exemple \
                 062-216202630-20250929-25D045-DE : recopiez-le du tampon de la préfecture.",
            ));
        };
        let department = (department.len() == 3 && is_digits(department))
            .then_some(department)
            .or_else(|| {
                ["02A", "02B"]
                    .into_iter()
                    .find(|known| *known == department)
            })
            .ok_or_else(|| {
                Invalid::new(
                    "ACT_ID_DEPARTMENT",
                    "the act number begins with three digits of the department, 02A or 02B",
                    "Le numéro d'acte commence par le département sur trois caractères : 062, \
                     02A, 974.",
                )
            })?;
        let siren = (siren.len() == 9 && is_digits(siren))
            .then(|| siren_from_digits(siren))
            .flatten()
            .ok_or_else(|| {
                Invalid::new(
                    "ACT_ID_SIREN",
                    "the second part of the act number is not a valid SIREN",
                    "La deuxième partie du numéro d'acte n'est pas un SIREN valide : vérifiez \
                     ses neuf chiffres.",
                )
            })?;
        let date = (date.len() == 8 && is_digits(date))
            .then(|| date_from_digits(&date[..4], &date[4..6], &date[6..]))
            .flatten()
            .ok_or_else(|| {
                Invalid::new(
                    "ACT_ID_DATE",
                    "the third part of the act number is not a day written YYYYMMDD",
                    "La troisième partie du numéro d'acte n'est pas une date : écrivez \
                     l'année, le mois et le jour, par exemple 20250929.",
                )
            })?;
        let shaped = (1..=MAX_NUMBER).contains(&number.len())
            && number
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !shaped {
            return Err(Invalid::new(
                "ACT_ID_NUMBER",
                "the fourth part of the act number is 1 to 15 capitals, digits or underscores",
                "La quatrième partie du numéro d'acte a 1 à 15 caractères : majuscules, chiffres \
                 ou tiret bas.",
            ));
        }
        let nature = ActNature::ALL
            .into_iter()
            .find(|known| known.code() == nature)
            .ok_or_else(|| {
                Invalid::new(
                    "ACT_ID_NATURE",
                    "the act number ends with DE, AR, AI, CC, BF or AU",
                    "Le numéro d'acte se termine par sa nature : DE, AR, AI, CC, BF ou AU.",
                )
            })?;
        Ok(Self {
            department: department.to_owned(),
            siren,
            date,
            number: number.to_owned(),
            nature,
        })
    }
}

impl fmt::Display for ActId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date.to_calendar_date();
        write!(
            f,
            "{}-{}-{year:04}{:02}{day:02}-{}-{}",
            self.department,
            self.siren,
            u8::from(month),
            self.number,
            self.nature.code()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn the_stamp_of_the_convention_is_read_and_written_back() {
        let stamp = "062-216202630-20250929-25D045-DE";
        let act: ActId = stamp.parse().unwrap();
        assert_eq!(act.department(), "062");
        assert_eq!(act.siren().to_string(), "216202630");
        assert_eq!(act.date(), date!(2025 - 09 - 29));
        assert_eq!(act.number(), "25D045");
        assert_eq!(act.nature(), ActNature::Deliberation);
        assert_eq!(act.nature().label_fr(), "délibération");
        assert_eq!(act.to_string(), stamp);
    }

    #[test]
    fn each_refusal_has_its_reason() {
        for (value, reason) in [
            ("", "ACT_ID_FORMAT"),
            ("062-216202630-20250929-25D045", "ACT_ID_FORMAT"),
            ("062-216202630-20250929-25D-045-DE", "ACT_ID_FORMAT"),
            ("62-216202630-20250929-25D045-DE", "ACT_ID_DEPARTMENT"),
            ("02C-216202630-20250929-25D045-DE", "ACT_ID_DEPARTMENT"),
            ("062-216202631-20250929-25D045-DE", "ACT_ID_SIREN"),
            ("062-21620263-20250929-25D045-DE", "ACT_ID_SIREN"),
            ("062-216202630-20250230-25D045-DE", "ACT_ID_DATE"),
            ("062-216202630-2025929-25D045-DE", "ACT_ID_DATE"),
            ("062-216202630-20250929--DE", "ACT_ID_NUMBER"),
            ("062-216202630-20250929-25d045-DE", "ACT_ID_NUMBER"),
            (
                "062-216202630-20250929-1234567890123456-DE",
                "ACT_ID_NUMBER",
            ),
            ("062-216202630-20250929-25D045-XX", "ACT_ID_NATURE"),
            ("062-216202630-20250929-25D045-de", "ACT_ID_NATURE"),
        ] {
            assert_eq!(
                value.parse::<ActId>().unwrap_err().reason,
                reason,
                "{value}"
            );
        }
        assert!("02B-212000046-20240229-A_1-AU".parse::<ActId>().is_ok());
    }
}
