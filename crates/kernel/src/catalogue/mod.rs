//! The lists the programme works with: target publics, rights, partners, reasons for
//! non-take-up, communes of the territory.
//!
//! They are data with validity dates, under `data/`, read and checked when the crate is compiled.
//! An entry is never removed, only given an end: a record made with it stays readable.
//!
//! Sources: publics and partners from the partnership convention of 2025 (article 2 and preamble);
//! reasons from the typology of Odenore; communes from the official geographic code.

mod csv;

use time::Date;

/// From when until when an entry may be chosen for a new record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First day.
    pub from: Date,
    /// Last day; none while there is no end.
    pub to: Option<Date>,
}

impl Validity {
    /// Whether the day lies within, both ends included.
    pub fn contains(&self, date: Date) -> bool {
        self.from <= date && self.to.is_none_or(|to| date <= to)
    }

    const fn read(from: &str, to: &str) -> Self {
        let from = csv::date(from);
        if to.is_empty() {
            return Self { from, to: None };
        }
        let to = csv::date(to);
        assert!(
            to.to_julian_day() >= from.to_julian_day(),
            "an entry ends after it begins"
        );
        Self { from, to: Some(to) }
    }
}

/// A target public of the programme (public cible).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public {
    /// Stable code, e.g. `DEMANDEUR_EMPLOI`.
    pub code: &'static str,
    /// Name in French.
    pub label_fr: &'static str,
    /// Nearest code of the national data·inclusion schema.
    pub data_inclusion_code: &'static str,
    /// A caution on that mapping, in English.
    pub note: Option<&'static str>,
    /// When it may be chosen.
    pub validity: Validity,
}

/// Where a right comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RightNature {
    /// National law.
    Legal,
    /// A local body's own decision (aide extra-légale).
    ExtraLegal,
}

/// What the amount of a right counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RightUnit {
    /// Euros a month.
    Monthly,
    /// Euros a year.
    Annual,
    /// Euros paid once.
    OneOff,
    /// The right is not an amount of money.
    NotMonetary,
}

/// A social right that may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// Stable code, e.g. `RSA`.
    pub code: &'static str,
    /// Name in French.
    pub label_fr: &'static str,
    /// Code of the body that opens it: a [`Partner`]'s, or another body's.
    pub partner: &'static str,
    /// Law or local decision.
    pub nature: RightNature,
    /// What its amount counts.
    pub unit: RightUnit,
    /// Variable of OpenFisca-France that simulates it, if there is one.
    pub openfisca_variable: Option<&'static str>,
    /// When it may be chosen.
    pub validity: Validity,
}

/// One of the institutional partners of France Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partner {
    /// Stable code, e.g. `CAF`.
    pub code: &'static str,
    /// Name in French.
    pub label_fr: &'static str,
    /// Where the list comes from, in English.
    pub source: &'static str,
    /// When it may be chosen.
    pub validity: Validity,
}

/// Why somebody did not receive a right (raison du non-recours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonTakeUpReason {
    /// Family of the typology, e.g. `NON_CONNAISSANCE`.
    pub family: &'static str,
    /// Stable code, e.g. `OFFRE_INCONNUE`.
    pub code: &'static str,
    /// Sentence in French.
    pub label_fr: &'static str,
    /// When it may be chosen.
    pub validity: Validity,
}

/// A commune of the territory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commune {
    /// Commune code (INSEE), five characters.
    pub insee_code: &'static str,
    /// Name in French.
    pub name: &'static str,
    /// When it belongs to the territory.
    pub validity: Validity,
}

macro_rules! catalogue {
    (
        $entry:ident from $file:literal, header $header:literal, key $key:ident,
        fn $all:ident, fn $one:ident, $row:pat => $value:expr
    ) => {
        impl $entry {
            /// Whether the entry may be chosen for a record of that day.
            pub fn valid_on(&self, date: Date) -> bool {
                self.validity.contains(date)
            }
        }

        #[doc = concat!("Every [`", stringify!($entry), "`], past ones included, in the order of the source.")]
        pub fn $all() -> &'static [$entry] {
            const CSV: &str = include_str!(concat!("../../data/", $file));
            const ROWS: usize = csv::rows(CSV);
            const COLUMNS: usize = csv::columns($header);
            const TABLE: [[&str; COLUMNS]; ROWS] = csv::table(CSV, $header);
            const fn read($row: [&'static str; COLUMNS]) -> $entry {
                $value
            }
            static ENTRIES: [$entry; ROWS] = {
                let mut entries = [read(TABLE[0]); ROWS];
                let mut i = 1;
                while i < ROWS {
                    entries[i] = read(TABLE[i]);
                    let mut earlier = 0;
                    while earlier < i {
                        assert!(
                            !csv::same(entries[earlier].$key, entries[i].$key),
                            "a code stands once in its catalogue"
                        );
                        earlier += 1;
                    }
                    i += 1;
                }
                entries
            };
            &ENTRIES
        }

        #[doc = concat!("The [`", stringify!($entry), "`] with this code, also when it is no longer valid.")]
        pub fn $one(code: &str) -> Option<&'static $entry> {
            $all().iter().find(|entry| entry.$key == code)
        }
    };
}

catalogue! {
    Public from "publics.csv",
    header "code,label_fr,data_inclusion_code,note,valid_from,valid_to",
    key code, fn publics, fn public,
    [code, label, data_inclusion, note, from, to] => Public {
        code: csv::required(code),
        label_fr: csv::required(label),
        data_inclusion_code: csv::required(data_inclusion),
        note: csv::optional(note),
        validity: Validity::read(from, to),
    }
}

catalogue! {
    Right from "rights.csv",
    header "code,label_fr,partner,nature,unit,openfisca_variable,valid_from,valid_to",
    key code, fn rights, fn right,
    [code, label, partner, nature, unit, variable, from, to] => Right {
        code: csv::required(code),
        label_fr: csv::required(label),
        partner: csv::required(partner),
        nature: RightNature::read(nature),
        unit: RightUnit::read(unit),
        openfisca_variable: csv::optional(variable),
        validity: Validity::read(from, to),
    }
}

catalogue! {
    Partner from "partners.csv",
    header "code,label_fr,source,valid_from,valid_to",
    key code, fn partners, fn partner,
    [code, label, source, from, to] => Partner {
        code: csv::required(code),
        label_fr: csv::required(label),
        source: csv::required(source),
        validity: Validity::read(from, to),
    }
}

catalogue! {
    NonTakeUpReason from "non_take_up_reasons.csv",
    header "family,code,label_fr,valid_from,valid_to",
    key code, fn non_take_up_reasons, fn non_take_up_reason,
    [family, code, label, from, to] => NonTakeUpReason {
        family: csv::required(family),
        code: csv::required(code),
        label_fr: csv::required(label),
        validity: Validity::read(from, to),
    }
}

catalogue! {
    Commune from "communes_cua.csv",
    header "insee_code,name,valid_from,valid_to",
    key insee_code, fn communes, fn commune,
    [insee_code, name, from, to] => Commune {
        insee_code: csv::required(insee_code),
        name: csv::required(name),
        validity: Validity::read(from, to),
    }
}

impl RightNature {
    const fn read(field: &str) -> Self {
        if csv::same(field, "LEGAL") {
            Self::Legal
        } else {
            assert!(
                csv::same(field, "EXTRA_LEGAL"),
                "the nature of a right is LEGAL or EXTRA_LEGAL"
            );
            Self::ExtraLegal
        }
    }
}

impl RightUnit {
    const fn read(field: &str) -> Self {
        if csv::same(field, "MONTHLY") {
            Self::Monthly
        } else if csv::same(field, "ANNUAL") {
            Self::Annual
        } else if csv::same(field, "ONE_OFF") {
            Self::OneOff
        } else {
            assert!(
                csv::same(field, "NONE"),
                "the unit of a right is MONTHLY, ANNUAL, ONE_OFF or NONE"
            );
            Self::NotMonetary
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InseeCode;
    use time::macros::date;

    #[test]
    fn the_lists_of_the_programme_are_complete() {
        assert_eq!(publics().len(), 6);
        assert_eq!(partners().len(), 12);
        assert_eq!(communes().len(), 46);
        assert_eq!(rights().len(), 34);
        assert_eq!(non_take_up_reasons().len(), 17);
    }

    #[test]
    fn entries_are_found_by_their_code() {
        let rsa = right("RSA").unwrap();
        assert_eq!(rsa.label_fr, "Revenu de solidarité active");
        assert_eq!(
            (rsa.nature, rsa.unit),
            (RightNature::Legal, RightUnit::Monthly)
        );
        assert_eq!(
            partner(rsa.partner).unwrap().label_fr,
            "Caisse d'Allocations Familiales"
        );
        assert_eq!(right("AIDE_CCAS").unwrap().nature, RightNature::ExtraLegal);
        assert_eq!(
            right("TITRE_IDENTITE").unwrap().unit,
            RightUnit::NotMonetary
        );
        assert_eq!(right("ARE").unwrap().openfisca_variable, None);
        assert_eq!(public("SENIOR").unwrap().label_fr, "Séniors");
        assert_eq!(commune("62263").unwrap().name, "Dainville");
        let reason = non_take_up_reason("NUMERIQUE").unwrap();
        assert_eq!(reason.family, "NON_DEMANDE");
        assert_eq!(right("rsa"), None);
        assert_eq!(public(""), None);
    }

    #[test]
    fn every_commune_code_is_one() {
        for commune in communes() {
            let code: InseeCode = commune.insee_code.parse().unwrap();
            assert_eq!(code.department(), "62");
        }
    }

    #[test]
    fn every_legal_right_is_opened_by_a_partner_or_a_known_body() {
        for right in rights() {
            let known = partner(right.partner).is_some()
                || ["DEPARTEMENT", "EDUCATION_NATIONALE", "CCAS", "CUA"].contains(&right.partner);
            assert!(known, "{}", right.code);
        }
    }

    #[test]
    fn validity_includes_both_ends() {
        let entry = Public {
            validity: Validity {
                from: date!(2025 - 01 - 01),
                to: Some(date!(2025 - 12 - 31)),
            },
            ..publics()[0]
        };
        assert!(entry.valid_on(date!(2025 - 01 - 01)));
        assert!(entry.valid_on(date!(2025 - 12 - 31)));
        assert!(!entry.valid_on(date!(2024 - 12 - 31)));
        assert!(!entry.valid_on(date!(2026 - 01 - 01)));
        assert!(publics()[0].valid_on(date!(2031 - 01 - 01)));
    }
}
