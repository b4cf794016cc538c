//! The activity report, with its figures and the budget.

use nonrecours_kernel::{ActivityReportName, BudgetName, Money, long_french_date, paris_date};
use nonrecours_pg::Tx;
use serde::Serialize;
use time::{Date, OffsetDateTime};

use super::{Amount, Frame, convention::label};
use crate::{
    activity_report::{
        domain::{Counts, State},
        store,
    },
    budget::{
        self,
        domain::Budget,
        lines::{Class, Deviation},
    },
    error::Error,
};

#[derive(Serialize)]
struct Own {
    state: &'static str,
    submitted: Option<String>,
    decided: Option<String>,
    correction: String,
    narrative: String,
    grant: Amount,
    spent: Amount,
    paid: Amount,
    sessions_held: i64,
    total: Figures,
    publics: Vec<OfPublic>,
    budget: Vec<Line>,
}

#[derive(Serialize)]
struct OfPublic {
    label: String,
    counts: Figures,
}

#[derive(Serialize)]
struct Figures {
    persons_spotted: i64,
    persons_supported: i64,
    entitlements_opened: i64,
    yearly_amount_opened: String,
}

/// Of the budget, by account class.
#[derive(Serialize)]
struct Line {
    account: i16,
    label: &'static str,
    planned: String,
    /// None while nothing is recorded.
    realised: Option<String>,
    deviation: Option<String>,
}

/// The data of a report, of the day on which it came to its state.
pub async fn draw(tx: &mut Tx, frame: &Frame, name: &ActivityReportName) -> Result<String, Error> {
    let report = store::get(tx, name).await?;
    let name = BudgetName {
        operator: name.operator,
        convention: name.convention,
    };
    let budget = budget::store::find(tx, &name).await?;
    let (state, submitted, decided, correction) = match report.state {
        State::Draft => ("DRAFT", None, None, String::new()),
        State::Submitted { submitted } => ("SUBMITTED", Some(submitted), None, String::new()),
        State::Returned {
            submitted,
            decided,
            correction,
        } => ("RETURNED", Some(submitted), Some(decided), correction),
        State::Accepted { submitted, decided } => {
            ("ACCEPTED", Some(submitted), Some(decided), String::new())
        }
    };
    let day = paris_date(decided.or(submitted).unwrap_or(report.update_time));
    let drawn = &report.drawn;
    let own = Own {
        state,
        submitted: submitted.map(civil),
        decided: decided.map(civil),
        correction,
        narrative: report.content.narrative,
        grant: Amount::of(frame.convention.terms.grant),
        spent: Amount::of(report.content.spent),
        paid: Amount::of(drawn.paid),
        sessions_held: drawn.figures.sessions_held,
        total: figures(&drawn.figures.total),
        publics: drawn
            .figures
            .publics
            .iter()
            .map(|(code, counts)| OfPublic {
                label: label(code),
                counts: figures(counts),
            })
            .collect(),
        budget: budget.as_ref().map(lines).unwrap_or_default(),
    };
    frame.write(day, own)
}

fn civil(instant: OffsetDateTime) -> String {
    let day: Date = paris_date(instant);
    long_french_date(day)
}

fn figures(counts: &Counts) -> Figures {
    Figures {
        persons_spotted: counts.persons_spotted,
        persons_supported: counts.persons_supported,
        entitlements_opened: counts.entitlements_opened,
        yearly_amount_opened: counts.yearly_amount_opened.french(),
    }
}

fn lines(budget: &Budget) -> Vec<Line> {
    if budget.realised.is_empty() {
        let planned = budget.planned.iter();
        return planned
            .map(|(class, amount)| line(class, amount, None))
            .collect();
    }
    let each = budget.deviations().into_iter();
    each.map(|(class, deviation)| line(class, deviation.planned, Some(deviation)))
        .collect()
}

fn line(class: Class, planned: Money, deviation: Option<Deviation>) -> Line {
    Line {
        account: class.number(),
        label: class.label(),
        planned: planned.french(),
        realised: deviation.map(|it| it.realised.french()),
        deviation: deviation.map(|it| it.amount().french()),
    }
}
