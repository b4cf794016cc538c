//! Operators: communes, CCAS, associations and other bodies.

use nonrecours_kernel::{InseeCode, OperatorName, Siret, Text, Warning, insee_warning};
use time::OffsetDateTime;

/// An operator as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Resource name.
    pub name: OperatorName,
    /// What it was registered with.
    pub terms: Terms,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was registered.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// Who an operator is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Legal name.
    pub legal_name: String,
    /// Establishment.
    pub siret: Siret,
    /// Legal category.
    pub category: Category,
    /// Commune.
    pub insee_code: InseeCode,
    /// Postal address.
    pub address: String,
}

impl Terms {
    /// What is unusual, accepted all the same: a commune whose SIREN is that of another one.
    pub fn warnings(&self) -> Vec<Warning> {
        let remark = match self.category {
            Category::Commune => insee_warning(self.siret.siren(), &self.insee_code),
            _ => None,
        };
        remark
            .map(|remark| Warning::at("operator.insee_code", remark))
            .into_iter()
            .collect()
    }
}

/// The operator's commune is of no programme's territory today: unusual, accepted all the same.
pub fn outside_territory() -> Warning {
    Warning {
        field: "operator.insee_code".to_owned(),
        reason: "COMMUNE_OUTSIDE_TERRITORY",
        text: Text::new(
            "The commune is of no programme's territory today.",
            "Cette commune n'appartient aujourd'hui au territoire d'aucun programme : vérifiez le code, ou le territoire.",
        ),
    }
}

/// Legal category of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Commune.
    Commune,
    /// Centre communal d'action sociale.
    Ccas,
    /// Grouping of communes.
    Grouping,
    /// Another public body.
    OtherPublic,
    /// Association (loi de 1901).
    Association,
    /// Another body of private law.
    OtherPrivate,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 6] = [
        Self::Commune,
        Self::Ccas,
        Self::Grouping,
        Self::OtherPublic,
        Self::Association,
        Self::OtherPrivate,
    ];

    /// Its name in the database and in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commune => "COMMUNE",
            Self::Ccas => "CCAS",
            Self::Grouping => "GROUPING",
            Self::OtherPublic => "OTHER_PUBLIC",
            Self::Association => "ASSOCIATION",
            Self::OtherPrivate => "OTHER_PRIVATE",
        }
    }

    /// Whether its decisions are acts transmitted to the prefecture (art. L2131-1 CGCT).
    pub const fn is_public(self) -> bool {
        match self {
            Self::Commune | Self::Ccas | Self::Grouping | Self::OtherPublic => true,
            Self::Association | Self::OtherPrivate => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(category: Category, insee: &str) -> Terms {
        Terms {
            legal_name: "Commune de Dainville".into(),
            siret: "21620263000010".parse().unwrap(),
            category,
            insee_code: insee.parse().unwrap(),
            address: "Place de la Mairie, 62217 Dainville".into(),
        }
    }

    #[test]
    fn a_commune_with_the_siren_of_another_is_remarked_upon() {
        assert_eq!(terms(Category::Commune, "62263").warnings(), []);
        let warnings = terms(Category::Commune, "62041").warnings();
        assert_eq!(warnings[0].reason, "SIREN_INSEE_MISMATCH");
        assert_eq!(warnings[0].field, "operator.insee_code");
        assert_eq!(terms(Category::Ccas, "62041").warnings(), []);
    }
}
