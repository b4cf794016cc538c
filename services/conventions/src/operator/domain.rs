//! Operators: communes, CCAS, associations and other bodies.

use nonrecours_kernel::{
    ActId, InseeCode, Invalid, OperatorName, Rna, Siret, Text, Warning, insee_warning,
};
use time::{Date, OffsetDateTime};

/// An operator as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Resource name.
    pub name: OperatorName,
    /// Who it is.
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
    /// Number in the register of associations.
    pub rna: Option<Rna>,
    /// Who may represent it.
    pub representatives: Vec<Representative>,
    /// Day on which an association signed the contrat d'engagement républicain.
    pub republican_commitment: Option<Date>,
}

/// Who may represent an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representative {
    /// Given name and surname.
    pub full_name: String,
    /// In what capacity.
    pub capacity: String,
    /// The decision that empowers them.
    pub empowerment: Empowerment,
}

/// A decision that empowers a representative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Empowerment {
    /// An act transmitted to the prefecture.
    Act(ActId),
    /// A decision of that day, not transmitted.
    Decision(Date),
}

impl Empowerment {
    /// Day of the decision.
    pub const fn date(&self) -> Date {
        match self {
            Self::Act(act) => act.date(),
            Self::Decision(date) => *date,
        }
    }
}

/// What an update gives; the SIRET identifies the operator and does not change.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Legal name.
    pub legal_name: Option<String>,
    /// Legal category.
    pub category: Option<Category>,
    /// Commune.
    pub insee_code: Option<InseeCode>,
    /// Postal address.
    pub address: Option<String>,
    /// Number in the register of associations; given as none, it is taken away.
    pub rna: Option<Option<Rna>>,
    /// Who may represent it.
    pub representatives: Option<Vec<Representative>>,
    /// Day of the contrat d'engagement républicain; given as none, it is taken away.
    pub republican_commitment: Option<Option<Date>>,
}

impl Changes {
    /// The terms of a new operator, when everything is given.
    pub fn complete(self, siret: Siret) -> Option<Terms> {
        Some(Terms {
            legal_name: self.legal_name?,
            siret,
            category: self.category?,
            insee_code: self.insee_code?,
            address: self.address?,
            rna: self.rna?,
            representatives: self.representatives?,
            republican_commitment: self.republican_commitment?,
        })
    }
}

impl Operator {
    /// The operator with other terms.
    pub fn update(self, changes: Changes, now: OffsetDateTime) -> Self {
        let terms = self.terms;
        Self {
            terms: Terms {
                legal_name: changes.legal_name.unwrap_or(terms.legal_name),
                siret: terms.siret,
                category: changes.category.unwrap_or(terms.category),
                insee_code: changes.insee_code.unwrap_or(terms.insee_code),
                address: changes.address.unwrap_or(terms.address),
                rna: changes.rna.unwrap_or(terms.rna),
                representatives: changes.representatives.unwrap_or(terms.representatives),
                republican_commitment: changes
                    .republican_commitment
                    .unwrap_or(terms.republican_commitment),
            },
            revision: self.revision + 1,
            update_time: now,
            ..self
        }
    }
}

impl Terms {
    /// What is unusual, accepted all the same: `SIREN_INSEE_MISMATCH`, `RNA_MISSING`, `RNA_UNEXPECTED`,
    /// `REPRESENTATIVE_ACT_SIREN`.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.category == Category::Commune {
            let remark = insee_warning(self.siret.siren(), &self.insee_code);
            warnings.extend(remark.map(|remark| Warning::at("operator.insee_code", remark)));
        }
        match (self.category, &self.rna) {
            (Category::Association, None) => warnings.push(Warning::at(
                "operator.rna",
                Invalid::new(
                    "RNA_MISSING",
                    "an association normally has an RNA number",
                    "Une association a normalement un numéro RNA : demandez-lui son récépissé de déclaration.",
                ),
            )),
            (category, Some(_)) if category != Category::Association => warnings.push(Warning::at(
                "operator.rna",
                Invalid::new(
                    "RNA_UNEXPECTED",
                    "associations only have an RNA number",
                    "Seules les associations ont un numéro RNA : vérifiez la catégorie ou retirez le numéro.",
                ),
            )),
            _ => {}
        }
        for (index, representative) in self.representatives.iter().enumerate() {
            if let Empowerment::Act(act) = &representative.empowerment
                && act.siren() != self.siret.siren()
            {
                warnings.push(Warning::at(
                    format!("operator.representatives[{index}].empowering_act"),
                    Invalid::new(
                        "REPRESENTATIVE_ACT_SIREN",
                        "the empowering act bears the SIREN of another body",
                        "L'acte qui habilite ce représentant porte le SIREN d'un autre organisme : vérifiez son numéro.",
                    ),
                ));
            }
        }
        warnings
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

    /// Whether it is of private law, and so owes conventions above a threshold and a financial report (art. 10 of loi
    /// 2000-321).
    pub const fn owes_accounts(self) -> bool {
        !self.is_public()
    }

    /// Whether it signs the contrat d'engagement républicain (art. 10-1 of loi 2000-321).
    pub const fn signs_republican_commitment(self) -> bool {
        match self {
            Self::Association => true,
            Self::Commune
            | Self::Ccas
            | Self::Grouping
            | Self::OtherPublic
            | Self::OtherPrivate => false,
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
            rna: None,
            representatives: Vec::new(),
            republican_commitment: None,
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

    #[test]
    fn an_association_has_an_rna_number_and_nobody_else() {
        let reasons =
            |terms: &Terms| -> Vec<_> { terms.warnings().iter().map(|it| it.reason).collect() };
        let numbered = |category| Terms {
            rna: Some("W621000123".parse().unwrap()),
            ..terms(category, "62263")
        };
        assert_eq!(
            reasons(&terms(Category::Association, "62263")),
            ["RNA_MISSING"]
        );
        assert_eq!(reasons(&numbered(Category::Association)), [""; 0]);
        assert_eq!(reasons(&numbered(Category::Ccas)), ["RNA_UNEXPECTED"]);
    }
}
