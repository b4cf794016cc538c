//! The lists that a cell is chosen from: states and modes of the contract, catalogues of the programme. A cell may hold the
//! French label or the code.

use std::borrow::Cow;

use nonrecours_kernel::catalogue;
use prost_reflect::EnumDescriptor;
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// A value that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its code.
    pub code: Cow<'static, str>,
    /// How people call it.
    pub label: &'static str,
}

/// A list.
#[derive(Clone, Debug)]
pub enum List {
    /// Values of the contract: nothing else is accepted.
    Closed(EnumDescriptor),
    /// A catalogue: other codes are left to the service, which knows local aids and communes outside the territory.
    Open(Catalogue),
}

/// A catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalogue {
    /// Target publics.
    Publics,
    /// Communes of the territory.
    Communes,
    /// Rights.
    Rights,
    /// Reasons of non-take-up.
    Reasons,
    /// Partners.
    Partners,
}

/// How the values of the contract are called in French.
const LABELS: [(&str, &str); 37] = [
    ("JOURNEY_STATE_SPOTTED", "Repérée"),
    ("JOURNEY_STATE_INFORMED", "Informée"),
    ("JOURNEY_STATE_ORIENTED", "Orientée"),
    ("JOURNEY_STATE_IN_SUPPORT", "En accompagnement"),
    ("JOURNEY_STATE_CLOSED", "Parcours clos"),
    ("CLOSING_REASON_RIGHTS_OPENED", "Droits ouverts"),
    ("CLOSING_REASON_NO_FOLLOW_UP", "Sans suite"),
    ("CLOSING_REASON_RENUNCIATION", "Renoncement"),
    ("CLOSING_REASON_LOST_CONTACT", "Perdue de vue"),
    ("CLOSING_REASON_REORIENTED", "Réorientée"),
    ("CLOSING_REASON_DECEASED", "Décédée"),
    ("AGE_BAND_UNDER_18", "Moins de 18 ans"),
    ("AGE_BAND_FROM_18_TO_24", "18 à 24 ans"),
    ("AGE_BAND_FROM_25_TO_59", "25 à 59 ans"),
    ("AGE_BAND_FROM_60_TO_74", "60 à 74 ans"),
    ("AGE_BAND_FROM_75", "75 ans et plus"),
    ("ENTITLEMENT_STATE_IDENTIFIED", "Repéré"),
    (
        "ENTITLEMENT_STATE_ELIGIBILITY_ESTIMATED",
        "Éligibilité estimée",
    ),
    ("ENTITLEMENT_STATE_PREPARED", "Dossier préparé"),
    ("ENTITLEMENT_STATE_FILED", "Demande déposée"),
    ("ENTITLEMENT_STATE_MORE_INFORMATION", "Pièces demandées"),
    ("ENTITLEMENT_STATE_OPENED", "Droit ouvert"),
    ("ENTITLEMENT_STATE_REFUSED", "Refusé"),
    ("ENTITLEMENT_STATE_APPEALED", "Recours déposé"),
    ("ENTITLEMENT_STATE_CONFIRMED_REFUSAL", "Refus confirmé"),
    ("AMOUNT_KIND_ESTIMATED", "Estimé"),
    ("AMOUNT_KIND_NOTIFIED", "Notifié"),
    ("AMOUNT_UNIT_MONTHLY", "Par mois"),
    ("AMOUNT_UNIT_ANNUAL", "Par an"),
    ("AMOUNT_UNIT_ONE_OFF", "En une fois"),
    ("SUPPORT_MODE_AUTONOMY", "En autonomie"),
    ("SUPPORT_MODE_ON_BEHALF", "À la place de la personne"),
    ("CHANNEL_PARTNER_SESSION", "Permanence chez un partenaire"),
    ("CHANNEL_HOME_VISIT", "Visite à domicile"),
    ("CHANNEL_PHONE", "Téléphone"),
    ("CHANNEL_DESK", "Guichet"),
    ("CHANNEL_OTHER", "Autre"),
];

impl List {
    /// Its name among the lists of a workbook.
    pub fn title(&self) -> &str {
        match self {
            Self::Closed(values) => values.name(),
            Self::Open(catalogue) => catalogue.title(),
        }
    }

    /// Its entries, in their order.
    pub fn entries(&self) -> Vec<Entry> {
        match self {
            Self::Closed(values) => values
                .values()
                .filter_map(|value| {
                    let label = LABELS.iter().find(|(name, _)| *name == value.name());
                    Some(Entry {
                        code: Cow::Owned(value.name().to_owned()),
                        label: label?.1,
                    })
                })
                .collect(),
            Self::Open(catalogue) => catalogue.entries(),
        }
    }

    /// The code of what a cell says, be it the label or the code, whatever its case and accents.
    pub fn find(&self, said: &str) -> Option<Cow<'static, str>> {
        let said = plain(said);
        self.entries()
            .into_iter()
            .find(|entry| {
                plain(entry.label) == said || self.short(&entry.code) == said.to_uppercase()
            })
            .map(|entry| entry.code)
    }

    /// A code without what all codes of the list begin with.
    fn short<'a>(&self, code: &'a str) -> &'a str {
        match self {
            // Values begin with the name of their type, as CHANNEL_PHONE does.
            Self::Closed(values) => {
                let mut prefix = String::new();
                for letter in values.name().chars() {
                    if letter.is_uppercase() && !prefix.is_empty() {
                        prefix.push('_');
                    }
                    prefix.extend(letter.to_uppercase());
                }
                prefix.push('_');
                code.strip_prefix(prefix.as_str()).unwrap_or(code)
            }
            Self::Open(_) => code,
        }
    }
}

impl Catalogue {
    /// The catalogue a field is chosen from.
    pub fn of(source: &str) -> Option<Self> {
        Some(match source {
            "beneficiary.publics" => Self::Publics,
            "beneficiary.commune_code" | "session.commune_code" => Self::Communes,
            "entitlement.right" => Self::Rights,
            "entitlement.non_take_up_reason" => Self::Reasons,
            "step.partner" => Self::Partners,
            _ => return None,
        })
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Publics => "Publics",
            Self::Communes => "Communes",
            Self::Rights => "Rights",
            Self::Reasons => "Reasons",
            Self::Partners => "Partners",
        }
    }

    fn entries(self) -> Vec<Entry> {
        let entry = |code: &'static str, label: &'static str| Entry {
            code: Cow::Borrowed(code),
            label,
        };
        match self {
            Self::Publics => catalogue::publics()
                .iter()
                .map(|public| entry(public.code, public.label_fr))
                .collect(),
            Self::Communes => catalogue::communes()
                .iter()
                .map(|commune| entry(commune.insee_code, commune.name))
                .collect(),
            Self::Rights => catalogue::rights()
                .iter()
                .map(|right| entry(right.code, right.label_fr))
                .collect(),
            Self::Reasons => catalogue::non_take_up_reasons()
                .iter()
                .map(|reason| entry(reason.code, reason.label_fr))
                .collect(),
            Self::Partners => catalogue::partners()
                .iter()
                .map(|partner| entry(partner.code, partner.label_fr))
                .collect(),
        }
    }
}

/// A text as people compare it: without accents, case, typographic apostrophes or superfluous blanks.
pub fn plain(text: &str) -> String {
    let letters: String = text
        .nfkd()
        .filter(|letter| !is_combining_mark(*letter))
        .map(|letter| match letter {
            '\u{2018}' | '\u{2019}' => '\'',
            '\u{2010}'..='\u{2015}' => '-',
            letter => letter,
        })
        .flat_map(char::to_lowercase)
        .collect();
    let words: Vec<&str> = letters.split_whitespace().collect();
    words.join(" ").replace("œ", "oe")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{field::Kind, layout::Layout};

    #[test]
    fn every_value_of_the_lists_has_its_label() {
        let layout = Layout::standard().unwrap();
        let mut lists = 0;
        for column in layout.sheets.iter().flat_map(|sheet| &sheet.columns) {
            if let Kind::List(List::Closed(values)) = &column.field.kind {
                let list = List::Closed(values.clone());
                // All but the first, which is none.
                assert_eq!(
                    list.entries().len(),
                    values.values().len() - 1,
                    "{}",
                    list.title()
                );
                lists += 1;
            }
        }
        assert_eq!(lists, 10);
    }

    #[test]
    fn a_value_is_found_by_label_or_code() {
        let communes = List::Open(Catalogue::Communes);
        for said in ["Écurie", "ecurie", " ÉCURIE ", "62290"] {
            assert_eq!(communes.find(said).as_deref(), Some("62290"), "{said}");
        }
        assert_eq!(communes.find("Paris"), None);
        let rights = List::Open(Catalogue::Rights);
        for said in [
            "prime d\u{2019}activité",
            "PRIME_ACTIVITE",
            "prime_activite",
        ] {
            assert_eq!(
                rights.find(said).as_deref(),
                Some("PRIME_ACTIVITE"),
                "{said}"
            );
        }
    }
}
