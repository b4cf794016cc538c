//! What is due: one pure function from what is known to what is to be done.
//!
//! Another thing that falls due is one more [`Kind`], one more fact, and its line in [`due`].

use nonrecours_kernel::{
    ActName, BudgetYear, ConventionName, Money, Text, french_date, months_after,
};
use time::{Date, Duration};

use crate::{
    convention::party::Party,
    state_funding::domain::{StateFunding, StateInstalment},
};

/// Months after the signature by the end of which a grant is published.
const PUBLICATION_MONTHS: u8 = 3;
/// Days after the decision on which an act that is not transmitted or published is called to mind.
const ACT_REMINDER_DAYS: i64 = 15;
/// Days after the end of the budget year until which payment orders on it are still given.
const LAST_ORDER_DAYS: i64 = 31;

/// Kind of a thing due, in the order of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The report of a convention.
    ActivityReport,
    /// The publication of a grant.
    GrantPublication,
    /// The transmission of an act.
    ActTransmission,
    /// The publication of an act.
    ActPublication,
    /// The end of the budget year.
    BudgetYearEnd,
    /// The last day for payment orders on the past budget year.
    LastPaymentOrder,
    /// The territory's report to the State.
    StateReport,
    /// An instalment of the State.
    StateInstalment,
}

impl Kind {
    /// The rule that makes it due.
    pub const fn legal_basis(self) -> &'static str {
        match self {
            Self::ActivityReport => "art. 5 et 8 de la convention",
            Self::GrantPublication => {
                "décret n° 2017-779 du 5 mai 2017 : dans les trois mois de la signature"
            }
            Self::ActTransmission | Self::ActPublication => {
                "art. L. 2131-1 du CGCT (rappel fixé à 15 jours de la décision)"
            }
            Self::BudgetYearEnd => "annualité budgétaire, art. L. 1612-1 et s. du CGCT",
            Self::LastPaymentOrder => "journée complémentaire, art. L. 1612-11 du CGCT",
            Self::StateReport | Self::StateInstalment => "convention avec l'État",
        }
    }
}

/// A thing due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Day by which.
    pub date: Date,
    /// Kind.
    pub kind: Kind,
    /// Resource that it is about.
    pub subject: String,
    /// What is to be done.
    pub text: Text,
    /// Whether the day has passed.
    pub overdue: bool,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Conventions signed by both parties.
    pub conventions: Vec<ConventionFacts>,
    /// Acts that are not transmitted, or not published.
    pub acts: Vec<ActFacts>,
    /// What the State funds.
    pub fundings: Vec<StateFunding>,
}

/// What is known of a convention signed by both parties.
#[derive(Clone, Debug)]
pub struct ConventionFacts {
    /// Which.
    pub name: ConventionName,
    /// Title.
    pub title: String,
    /// Budget year.
    pub budget_year: BudgetYear,
    /// Day of the second signature.
    pub signature: Date,
    /// Day by which its report is due by the programme's calendar, else its indicative end.
    pub report_due: Date,
    /// Whether a report is handed in or accepted.
    pub reported: bool,
    /// Grant.
    pub grant: Money,
    /// Paid.
    pub paid: Money,
    /// Whether its grant is to be published by whoever asks, and is not.
    pub unpublished: bool,
}

/// What is known of an act.
#[derive(Clone, Debug)]
pub struct ActFacts {
    /// Which.
    pub name: ActName,
    /// Party it empowers.
    pub party: Party,
    /// Its number.
    pub act_id: String,
    /// Day of the decision.
    pub decision: Date,
    /// Whether it was transmitted.
    pub transmitted: bool,
    /// Whether it was published or notified.
    pub published: bool,
}

/// Everything due up to a day, seen from today, earliest first.
pub fn due(facts: &Facts, today: Date, until: Date) -> Vec<Due> {
    let mut found = Vec::new();
    let mut add = |date: Date, kind: Kind, subject: String, text: Text| {
        if date <= until {
            found.push(Due {
                date,
                kind,
                subject,
                text,
                overdue: date < today,
            });
        }
    };
    for convention in &facts.conventions {
        of_convention(convention, &mut add);
    }
    for act in &facts.acts {
        of_act(act, &mut add);
    }
    for funding in &facts.fundings {
        of_funding(funding, &mut add);
    }
    found.sort_by(|a, b| {
        (a.date, a.kind, &a.subject, &a.text.fr).cmp(&(b.date, b.kind, &b.subject, &b.text.fr))
    });
    found
}

fn of_convention(convention: &ConventionFacts, add: &mut impl FnMut(Date, Kind, String, Text)) {
    let (name, title) = (convention.name.to_string(), &convention.title);
    if !convention.reported {
        let text = Text::new(
            format!("Hand in the activity report of \"{title}\"."),
            format!("Remettre le bilan de la convention « {title} »."),
        );
        add(
            convention.report_due,
            Kind::ActivityReport,
            name.clone(),
            text,
        );
    }
    if convention.unpublished {
        let day = months_after(convention.signature, PUBLICATION_MONTHS);
        let text = Text::new(
            format!("Publish the grant of \"{title}\"."),
            format!(
                "Publier la subvention de la convention « {title} », signée le {}.",
                french_date(convention.signature)
            ),
        );
        add(day, Kind::GrantPublication, name.clone(), text);
    }
    if let Some(rest) = convention
        .grant
        .checked_sub(convention.paid)
        .filter(|it| it.is_positive())
    {
        let (year, last) = (convention.budget_year, convention.budget_year.last_day());
        let text = Text::new(
            format!("The budget year {year} ends; {rest} of \"{title}\" is not paid."),
            format!(
                "L'exercice {year} se termine : {} restent à verser pour « {title} ».",
                rest.french()
            ),
        );
        add(last, Kind::BudgetYearEnd, name.clone(), text);
        let text = Text::new(
            format!("Last day for payment orders on {year}; {rest} of \"{title}\" is not paid."),
            format!(
                "Dernier jour pour mandater sur l'exercice {year} : {} restent à verser pour « {title} ».",
                rest.french()
            ),
        );
        let limit = last
            .checked_add(Duration::days(LAST_ORDER_DAYS))
            .unwrap_or(Date::MAX);
        add(limit, Kind::LastPaymentOrder, name, text);
    }
}

fn of_act(act: &ActFacts, add: &mut impl FnMut(Date, Kind, String, Text)) {
    let day = act
        .decision
        .checked_add(Duration::days(ACT_REMINDER_DAYS))
        .unwrap_or(Date::MAX);
    let (id, name) = (&act.act_id, act.name.to_string());
    if !act.transmitted {
        let text = Text::new(
            format!(
                "Transmit the act {id} of {} to the prefecture.",
                act.party.english()
            ),
            format!(
                "Transmettre au contrôle de légalité l'acte {id} qui habilite {}.",
                act.party.french()
            ),
        );
        add(day, Kind::ActTransmission, name.clone(), text);
    }
    if !act.published {
        let text = Text::new(
            format!("Publish or notify the act {id} of {}.", act.party.english()),
            format!(
                "Publier ou notifier l'acte {id} qui habilite {}.",
                act.party.french()
            ),
        );
        add(day, Kind::ActPublication, name, text);
    }
}

fn of_funding(funding: &StateFunding, add: &mut impl FnMut(Date, Kind, String, Text)) {
    let (terms, name) = (&funding.terms, funding.name.to_string());
    let year = terms.budget_year;
    if funding.report_sent.is_none() {
        let text = Text::new(
            format!("Send the territory's report on {year} to the State."),
            format!("Envoyer à l'État le bilan du territoire pour l'exercice {year}."),
        );
        add(terms.report_due, Kind::StateReport, name.clone(), text);
    }
    for kind in StateInstalment::ALL {
        if funding.receipt(kind).is_some() {
            continue;
        }
        let expected = terms.expected(kind);
        let (english, french) = match kind {
            StateInstalment::Advance => ("advance", "l'acompte"),
            StateInstalment::Balance => ("balance", "le solde"),
        };
        let text = Text::new(
            format!("The State's {english} for {year} is expected: {expected}."),
            format!(
                "Vérifier la réception : {french} de l'État pour l'exercice {year} est de {}.",
                expected.french()
            ),
        );
        add(
            terms.expected_date(kind),
            Kind::StateInstalment,
            name.clone(),
            text,
        );
    }
}

#[cfg(test)]
#[path = "domain_tests.rs"]
mod tests;
