//! The SCDL "subventions" file, and the records of its publication.

use nonrecours_kernel::{BudgetYear, GrantPublicationName, Money, Siret};
use time::{Date, OffsetDateTime};

/// Longest object of a grant in the file, characters.
const MAX_OBJECT: usize = 256;
/// Columns, in the order of the schema.
const HEADER: [&str; 14] = [
    "nomAttribuant",
    "idAttribuant",
    "dateConvention",
    "referenceDecision",
    "nomBeneficiaire",
    "idBeneficiaire",
    "objet",
    "montant",
    "nature",
    "conditionsVersement",
    "datesPeriodeVersement",
    "idRAE",
    "notificationUE",
    "pourcentageSubvention",
];

/// A grant: one convention signed by both parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Legal name of the authority.
    pub authority_name: String,
    /// Its establishment.
    pub authority_siret: Siret,
    /// Day of the second signature.
    pub signature: Date,
    /// Number of the authority's act.
    pub decision: Option<String>,
    /// Legal name of the operator.
    pub operator_name: String,
    /// Its establishment.
    pub operator_siret: Siret,
    /// Title of the convention.
    pub title: String,
    /// Amount.
    pub amount: Money,
    /// Number of its instalments.
    pub instalments: i32,
    /// Latest end of the actions.
    pub end: Date,
}

/// The file: a header and a row a grant, CR LF after each.
pub fn csv(grants: &[Grant]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for grant in grants {
        writer.write_record([
            grant.authority_name.as_str(),
            &grant.authority_siret.to_string(),
            &grant.signature.to_string(),
            grant.decision.as_deref().unwrap_or_default(),
            &grant.operator_name,
            &grant.operator_siret.to_string(),
            &object(&grant.title),
            &grant.amount.to_string(),
            "aide en numéraire",
            if grant.instalments > 1 {
                "échelonné"
            } else {
                "unique"
            },
            // A period that would end before it begins is that one day.
            &format!("{}_{}", grant.signature, grant.end.max(grant.signature)),
            "",
            "non",
            // The share of this beneficiary in the decision: a convention has one beneficiary.
            "1",
        ])?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

fn object(title: &str) -> String {
    title.chars().take(MAX_OBJECT).collect()
}

/// A publication as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantPublication {
    /// Resource name.
    pub name: GrantPublicationName,
    /// What was published.
    pub terms: Terms,
    /// Conventions signed by that day, at least one.
    pub rows: i32,
    /// Counts the changes from 1.
    pub revision: i64,
    /// When it was recorded.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
}

/// What was published, when and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Budget year of the file.
    pub budget_year: BudgetYear,
    /// Day of publication.
    pub date: Date,
    /// Where.
    pub location: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    fn grant(title: &str) -> Grant {
        Grant {
            authority_name: "Communauté Urbaine d'Arras".into(),
            authority_siret: "20003357900018".parse().unwrap(),
            signature: date!(2025 - 10 - 07),
            decision: Some("062-200033579-20250925-25C120-DE".into()),
            operator_name: "Commune de Dainville".into(),
            operator_siret: "21620263000010".parse().unwrap(),
            title: title.into(),
            amount: Money::from_cents(1_150_000),
            instalments: 2,
            end: date!(2025 - 12 - 31),
        }
    }

    #[test]
    fn the_file_is_what_the_schema_says() {
        let file = csv(&[grant("Aller-vers, \"hors les murs\"")]).unwrap();
        assert_eq!(
            String::from_utf8(file).unwrap(),
            "nomAttribuant,idAttribuant,dateConvention,referenceDecision,nomBeneficiaire,idBeneficiaire,objet,montant,\
             nature,conditionsVersement,datesPeriodeVersement,idRAE,notificationUE,pourcentageSubvention\r\n\
             Communauté Urbaine d'Arras,20003357900018,2025-10-07,062-200033579-20250925-25C120-DE,\
             Commune de Dainville,21620263000010,\"Aller-vers, \"\"hors les murs\"\"\",11500.00,aide en numéraire,\
             échelonné,2025-10-07_2025-12-31,,non,1\r\n"
        );
    }

    #[test]
    fn an_end_before_the_signature_makes_a_period_of_one_day() {
        let late = Grant {
            signature: date!(2026 - 01 - 15),
            ..grant("x")
        };
        let file = String::from_utf8(csv(&[late]).unwrap()).unwrap();
        assert!(file.contains(",2026-01-15_2026-01-15,"), "{file}");
    }

    proptest! {
        #[test]
        fn whatever_the_title_a_row_reads_back(title in "\\PC{1,300}|[,\"\r\n;é]{1,300}") {
            let file = csv(&[grant(&title)]).unwrap();
            let mut reader = csv::Reader::from_reader(file.as_slice());
            let rows: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(rows[0].len(), HEADER.len());
            let expected: String = title.chars().take(MAX_OBJECT).collect();
            prop_assert_eq!(&rows[0][6], expected.as_str());
        }
    }
}
