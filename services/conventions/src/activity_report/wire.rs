//! Between the contracts' messages and an activity report.

use nonrecours_contracts::{conventions as wire, followup};
use nonrecours_kernel::{Invalid, Money};
use nonrecours_rpc::{
    Check, Failure,
    convert::{money, to_money, to_timestamp},
    etag,
};

use super::{
    annex::Annex,
    domain::{ActivityReport, Content, Counts, Figures, State},
};
use crate::text::text;

/// Reads what the operator writes; notes what is wrong with it.
pub fn content(check: &mut Check, given: Option<&wire::ActivityReport>) -> Option<Content> {
    let given = given?;
    let narrative = check.take("activity_report.narrative", text(&given.narrative));
    let spent = check.take(
        "activity_report.spent_amount",
        money(given.spent_amount.as_ref()).and_then(not_negative),
    );
    Some(Content {
        narrative: narrative?,
        spent: spent?,
    })
}

fn not_negative(amount: Money) -> Result<Money, Invalid> {
    if amount.is_negative() {
        Err(Invalid::new(
            "AMOUNT_NEGATIVE",
            "the amount is not below zero",
            "Le montant ne peut pas être négatif.",
        ))
    } else {
        Ok(amount)
    }
}

/// Reads the figures of `followup`. An answer that lacks one of them is a fault.
pub fn figures(indicators: &followup::Indicators) -> Result<Figures, Failure> {
    Ok(Figures {
        total: counts(indicators.total.as_ref())?,
        sessions_held: indicators.sessions_held,
        publics: indicators
            .publics
            .iter()
            .map(|public| Ok((public.public.clone(), counts(public.figures.as_ref())?)))
            .collect::<Result<_, Failure>>()?,
    })
}

fn counts(figures: Option<&followup::Figures>) -> Result<Counts, Failure> {
    let incomplete = || Failure::bug("followup answered with incomplete figures");
    let figures = figures.ok_or_else(incomplete)?;
    Ok(Counts {
        persons_spotted: figures.persons_spotted,
        persons_supported: figures.persons_supported,
        entitlements_opened: figures.entitlements_opened,
        yearly_amount_opened: money(figures.yearly_amount_notified.as_ref())
            .map_err(|_| incomplete())?,
    })
}

/// The report as answers show it.
pub fn message(report: &ActivityReport, annex: Annex) -> wire::ActivityReport {
    let figures = &report.drawn.figures;
    let (state, submitted, decided, correction) = match &report.state {
        State::Draft => (wire::ActivityReportState::Draft, None, None, None),
        State::Submitted { submitted } => (
            wire::ActivityReportState::Submitted,
            Some(*submitted),
            None,
            None,
        ),
        State::Returned {
            submitted,
            decided,
            correction,
        } => (
            wire::ActivityReportState::Returned,
            Some(*submitted),
            Some(*decided),
            Some(correction.clone()),
        ),
        State::Accepted { submitted, decided } => (
            wire::ActivityReportState::Accepted,
            Some(*submitted),
            Some(*decided),
            None,
        ),
    };
    wire::ActivityReport {
        name: report.name.to_string(),
        narrative: report.content.narrative.clone(),
        spent_amount: Some(to_money(report.content.spent)),
        state: state.into(),
        figures: Some(wire::ReportFigures {
            persons_spotted: figures.total.persons_spotted,
            persons_supported: figures.total.persons_supported,
            entitlements_opened: figures.total.entitlements_opened,
            yearly_amount_opened: Some(to_money(figures.total.yearly_amount_opened)),
            sessions_held: figures.sessions_held,
            publics: figures
                .publics
                .iter()
                .map(|(code, counts)| wire::PublicFigures {
                    public: code.clone(),
                    persons_spotted: counts.persons_spotted,
                    persons_supported: counts.persons_supported,
                    entitlements_opened: counts.entitlements_opened,
                    yearly_amount_opened: Some(to_money(counts.yearly_amount_opened)),
                })
                .collect(),
        }),
        paid_amount: Some(to_money(report.drawn.paid)),
        submit_time: submitted.map(to_timestamp),
        decide_time: decided.map(to_timestamp),
        correction: correction.unwrap_or_default(),
        create_time: Some(to_timestamp(report.create_time)),
        update_time: Some(to_timestamp(report.update_time)),
        etag: etag::of(report.revision),
        version_count: annex.versions,
        overdue_commitments: annex.overdue,
        financial_report: annex.accounts,
    }
}
