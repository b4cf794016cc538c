//! What is due: one pure function from what is known to what is to be done.
//!
//! Another thing that falls due is one more [`Kind`], one more fact, and its line in [`due`].

use nonrecours_kernel::{Text, french_date, months_after};
use time::{Date, Duration};

use super::{
    facts::{
        ActFacts, AssociationFacts, CaseFacts, CommitmentFacts, ConventionFacts, Facts,
        HearingFacts, NoticeFacts,
    },
    kind::Kind,
};
use crate::{
    operator::duty::financial_report_due,
    state_funding::domain::{StateFunding, StateInstalment},
};

/// Months after the signature by the end of which a grant is published.
const PUBLICATION_MONTHS: u8 = 3;
/// Days after the decision on which an act that is not transmitted or published is called to mind.
const ACT_REMINDER_DAYS: i64 = 15;
/// Days after its opening on which a deviation case is called to mind.
const CASE_REMINDER_DAYS: i64 = 30;
/// Days after its convention was drafted on which a missing contrat d'engagement républicain is called to mind.
const REPUBLICAN_REMINDER_DAYS: i64 = 15;
/// Days after the end of the budget year until which payment orders on it are still given.
const LAST_ORDER_DAYS: i64 = 31;

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
    for notice in &facts.notices {
        of_notice(notice, &mut add);
    }
    for commitment in &facts.commitments {
        of_commitment(commitment, today, &mut add);
    }
    for hearing in &facts.hearings {
        of_hearing(hearing, &mut add);
    }
    for case in &facts.cases {
        of_case(case, &mut add);
    }
    for association in &facts.associations {
        of_association(association, &mut add);
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
    if convention.owes_accounts
        && !convention.reported
        && let Some(day) = financial_report_due(convention.budget_year)
    {
        let year = convention.budget_year;
        let text = Text::new(
            format!("Hand in the financial report of {year} for \"{title}\"."),
            format!("Remettre le compte rendu financier de l'exercice {year} pour « {title} »."),
        );
        add(day, Kind::FinancialReport, name.clone(), text);
    }
    if let Some(day) = convention.indicative_end {
        let text = Text::new(
            format!("\"{title}\" reaches its indicative end: record that its actions are done."),
            format!("Terme indicatif de « {title} » : constater la fin de ses actions."),
        );
        add(day, Kind::IndicativeEnd, name.clone(), text);
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
        .due
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
        let limit = after(last, LAST_ORDER_DAYS);
        add(limit, Kind::LastPaymentOrder, name, text);
    }
}

fn of_act(act: &ActFacts, add: &mut impl FnMut(Date, Kind, String, Text)) {
    let day = after(act.decision, ACT_REMINDER_DAYS);
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

fn of_notice(notice: &NoticeFacts, add: &mut impl FnMut(Date, Kind, String, Text)) {
    let (title, sent) = (&notice.title, notice.sent);
    let text = Text::new(
        format!(
            "The delay of the formal notice of {} on \"{title}\" runs out: remedy, withdrawal or termination.",
            notice.party.english()
        ),
        format!(
            "Fin du délai de la mise en demeure du {} par {} (« {title} ») : régularisation, retrait ou résiliation.",
            french_date(sent),
            notice.party.french()
        ),
    );
    let name = notice.name.to_string();
    add(notice.deadline, Kind::FormalNotice, name, text);
}

fn of_commitment(
    commitment: &CommitmentFacts,
    today: Date,
    add: &mut impl FnMut(Date, Kind, String, Text),
) {
    let (name, words) = (commitment.name.to_string(), &commitment.text);
    // Once it is due, or evidenced, a reminder says nothing more.
    if !commitment.evidenced && today < commitment.due {
        let text = Text::new(
            format!(
                "Remind the operator of a commitment due on {}: {words}",
                commitment.due
            ),
            format!(
                "Rappeler à l'opérateur l'engagement dû le {} : {words}",
                french_date(commitment.due)
            ),
        );
        let day = commitment.reminder;
        add(day, Kind::CommitmentReminder, name.clone(), text);
    }
    let text = if commitment.evidenced {
        Text::new(
            format!("Validate the evidence of a commitment: {words}"),
            format!("Valider la preuve donnée d'un engagement : {words}"),
        )
    } else {
        Text::new(
            format!("Keep a commitment, and show how: {words}"),
            format!("Tenir un engagement et en donner la preuve : {words}"),
        )
    };
    add(commitment.due, Kind::Commitment, name, text);
}

fn of_hearing(hearing: &HearingFacts, add: &mut impl FnMut(Date, Kind, String, Text)) {
    let title = &hearing.title;
    let text = Text::new(
        format!("Hear the operator about \"{title}\", and record the outcome."),
        format!("Entendre l'opérateur (« {title} ») et enregistrer l'issue de l'audition."),
    );
    let name = hearing.name.to_string();
    add(hearing.convened, Kind::Hearing, name, text);
}

fn of_case(case: &CaseFacts, add: &mut impl FnMut(Date, Kind, String, Text)) {
    let title = &case.title;
    let text = Text::new(
        format!("Decide on the budget deviation of \"{title}\"."),
        format!(
            "Statuer sur l'écart budgétaire de « {title} », constaté le {}.",
            french_date(case.opened)
        ),
    );
    let day = after(case.opened, CASE_REMINDER_DAYS);
    add(day, Kind::DeviationCase, case.budget.to_string(), text);
}

fn of_association(association: &AssociationFacts, add: &mut impl FnMut(Date, Kind, String, Text)) {
    let legal_name = &association.legal_name;
    let text = Text::new(
        format!("{legal_name} has to sign the contrat d'engagement républicain."),
        format!("{legal_name} : faire souscrire le contrat d'engagement républicain."),
    );
    let day = after(association.since, REPUBLICAN_REMINDER_DAYS);
    let name = association.name.to_string();
    add(day, Kind::RepublicanCommitment, name, text);
}

fn after(day: Date, days: i64) -> Date {
    day.saturating_add(Duration::days(days))
}

#[cfg(test)]
#[path = "domain_tests.rs"]
mod tests;
