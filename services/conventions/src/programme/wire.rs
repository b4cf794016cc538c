//! Between the contract's messages and a programme.

use nonrecours_contracts::conventions::{
    self as wire, ChangeTerritoryRequest, CreateProgrammeRequest, UpdateProgrammeRequest,
    VoteEnvelopeRequest,
};
use nonrecours_kernel::{BudgetYear, InseeCode, Invalid, Money, Rate, screen};
use nonrecours_rpc::{
    Check, Failure,
    convert::{date, money, optional_date, to_date, to_money, to_timestamp},
    etag,
};
use time::{Date, OffsetDateTime};

use super::{
    domain::{
        Changes, DEFAULT_DEVIATION_RATE, DEFAULT_NOTICE_DAYS, Envelope, Programme, Terms, Vote,
    },
    territory::Territory,
};
use crate::text::{duplicate, past, positive, required, text};

/// Fields of a programme that an update gives.
const INPUT_FIELDS: [&str; 5] = [
    "display_name",
    "authority_name",
    "deviation_rate",
    "notice_days",
    "report_calendar",
];

/// What a programme is opened with.
pub struct Opening {
    pub terms: Terms,
    pub territory: Territory,
    pub envelopes: Vec<Envelope>,
    pub first_votes: Vec<GivenVote>,
}

/// A vote as a request gives it.
pub struct GivenVote {
    budget_year: BudgetYear,
    amount: Money,
    date: Option<Date>,
    act_reference: String,
}

impl GivenVote {
    /// The vote, recorded by somebody.
    pub fn recorded(self, by: &str, now: OffsetDateTime) -> Vote {
        Vote {
            budget_year: self.budget_year,
            amount: self.amount,
            date: self.date,
            act_reference: self.act_reference,
            recorded_by: by.to_owned(),
            record_time: now,
        }
    }
}

/// Communes that enter and leave.
pub struct TerritoryChange {
    pub from: Date,
    pub entering: Vec<InseeCode>,
    pub leaving: Vec<InseeCode>,
}

/// Reads what a programme is opened with.
pub fn opening(request: &CreateProgrammeRequest, today: Date) -> Result<Opening, Failure> {
    let mut check = Check::of(request);
    let opening = request.programme.as_ref().and_then(|programme| {
        let display_name = check.take("programme.display_name", text(&programme.display_name));
        let authority_name =
            check.take("programme.authority_name", text(&programme.authority_name));
        let authority_siret = check.parse("programme.authority_siret", &programme.authority_siret);
        let deviation_rate = check.take("programme.deviation_rate", rate(programme));
        let report_calendar = calendar(&mut check, &programme.report_calendar);
        let communes = communes(
            &mut check,
            "programme.commune_codes",
            &programme.commune_codes,
        );
        let envelopes = envelopes(&mut check, &programme.envelopes, today);
        let (envelopes, first_votes) = envelopes?.into_iter().unzip();
        Some(Opening {
            terms: Terms {
                display_name: display_name?,
                authority_name: authority_name?,
                authority_siret: authority_siret?,
                deviation_rate: deviation_rate?,
                notice_days: notice_days(programme)?,
                report_calendar: report_calendar?,
            },
            territory: Territory::of(communes),
            envelopes,
            first_votes,
        })
    });
    check.finish(|| opening)
}

/// Reads the fields that an update names.
pub fn changes(
    request: &UpdateProgrammeRequest,
    given: &wire::Programme,
) -> Result<Changes, Failure> {
    let touched = match &request.update_mask {
        Some(mask) if mask.paths.iter().all(|path| path != "*") => mask.paths.clone(),
        _ => INPUT_FIELDS.map(str::to_owned).to_vec(),
    };
    let mut check = Check::of_update(request, "programme", &touched);
    for (index, field) in touched.iter().enumerate() {
        if !INPUT_FIELDS.contains(&field.as_str()) {
            check.refuse(
                &format!("update_mask.paths[{index}]"),
                Invalid::new(
                    "FIELD_NOT_UPDATABLE",
                    "not a field that an update gives",
                    "Ce champ ne se modifie pas ainsi : retirez-le du masque.",
                ),
            );
        }
    }
    let touches = |name: &str| touched.iter().any(|field| field == name);
    let mut changes = Changes::default();
    if touches("display_name") {
        changes.display_name = check.take("programme.display_name", text(&given.display_name));
    }
    if touches("authority_name") {
        changes.authority_name =
            check.take("programme.authority_name", text(&given.authority_name));
    }
    if touches("deviation_rate") {
        changes.deviation_rate = check.take("programme.deviation_rate", rate(given));
    }
    if touches("notice_days") {
        changes.notice_days = notice_days(given);
    }
    if touches("report_calendar") {
        changes.report_calendar = calendar(&mut check, &given.report_calendar);
    }
    check.finish(|| Some(changes))
}

/// Reads a vote.
pub fn vote(request: &VoteEnvelopeRequest, today: Date) -> Result<GivenVote, Failure> {
    let mut check = Check::of(request);
    let year = check.take("budget_year", BudgetYear::new(request.budget_year));
    let amount = check.take(
        "amount",
        money(request.amount.as_ref()).and_then(|amount| {
            if amount.is_zero() {
                Err(Invalid::new(
                    "AMOUNT_ZERO",
                    "the vote moves the envelope by nothing",
                    "Le vote doit augmenter ou diminuer l'enveloppe : indiquez un montant non nul.",
                ))
            } else {
                Ok(amount)
            }
        }),
    );
    let day = check.take(
        "vote_date",
        date(request.vote_date.as_ref()).and_then(|day| past(day, today)),
    );
    let act = check.take("act_reference", text(&request.act_reference));
    check.finish(|| {
        Some(GivenVote {
            budget_year: year?,
            amount: amount?,
            date: Some(day?),
            act_reference: act?,
        })
    })
}

/// Reads a change of the territory: at least one commune, none twice.
pub fn territory_change(request: &ChangeTerritoryRequest) -> Result<TerritoryChange, Failure> {
    let mut check = Check::of(request);
    let from = check.take("effective_date", date(request.effective_date.as_ref()));
    let entering = communes(&mut check, "entering", &request.entering);
    let leaving = communes(&mut check, "leaving", &request.leaving);
    for (index, code) in leaving.iter().enumerate() {
        if entering.contains(code) {
            check.refuse(&format!("leaving[{index}]"), duplicate());
        }
    }
    if request.entering.is_empty() && request.leaving.is_empty() {
        check.refuse("entering", required());
    }
    check.finish(|| {
        Some(TerritoryChange {
            from: from?,
            entering,
            leaving,
        })
    })
}

fn rate(programme: &wire::Programme) -> Result<Rate, Invalid> {
    match programme.deviation_rate.as_str() {
        "" => DEFAULT_DEVIATION_RATE.parse(),
        rate => rate.parse(),
    }
}

/// Nothing when it lies outside the bounds of the contract, which is told already.
fn notice_days(programme: &wire::Programme) -> Option<i16> {
    match programme.notice_days {
        0 => Some(DEFAULT_NOTICE_DAYS),
        days => i16::try_from(days).ok(),
    }
}

fn calendar(check: &mut Check, given: &[wire::ReportDueDate]) -> Option<Vec<(BudgetYear, Date)>> {
    let mut calendar: Vec<Option<(BudgetYear, Date)>> = Vec::new();
    for (index, entry) in given.iter().enumerate() {
        let path = |name| format!("programme.report_calendar[{index}].{name}");
        let year = check.take(&path("budget_year"), BudgetYear::new(entry.budget_year));
        let due = check.take(&path("due_date"), date(entry.due_date.as_ref()));
        let entry = year.zip(due);
        if let Some((year, due)) = entry {
            if calendar.iter().flatten().any(|(known, _)| *known == year) {
                check.refuse(&path("budget_year"), duplicate());
            }
            if due < year.first_day() {
                check.refuse(&path("due_date"), before_budget_year());
            }
        }
        calendar.push(entry);
    }
    let mut calendar: Vec<_> = calendar.into_iter().collect::<Option<_>>()?;
    calendar.sort_unstable();
    Some(calendar)
}

/// The day lies before the budget year that it is about: `DATE_BEFORE_BUDGET_YEAR`.
pub fn before_budget_year() -> Invalid {
    Invalid::new(
        "DATE_BEFORE_BUDGET_YEAR",
        "the day lies before the budget year",
        "Cette date précède l'exercice budgétaire : indiquez une date à partir du 1er janvier de l'exercice.",
    )
}

fn communes(check: &mut Check, field: &str, given: &[String]) -> Vec<InseeCode> {
    let mut communes = Vec::new();
    for (index, code) in given.iter().enumerate() {
        let path = format!("{field}[{index}]");
        match check.parse(&path, code) {
            Some(code) if communes.contains(&code) => check.refuse(&path, duplicate()),
            code => communes.extend(code),
        }
    }
    communes
}

fn envelopes(
    check: &mut Check,
    given: &[wire::Envelope],
    today: Date,
) -> Option<Vec<(Envelope, GivenVote)>> {
    let mut years = Vec::new();
    let mut envelopes: Vec<Option<(Envelope, GivenVote)>> = Vec::new();
    for (index, envelope) in given.iter().enumerate() {
        let path = |name| format!("programme.envelopes[{index}].{name}");
        let year = check.take(&path("budget_year"), BudgetYear::new(envelope.budget_year));
        let voted = check.take(
            &path("voted_amount"),
            money(envelope.voted_amount.as_ref()).and_then(positive),
        );
        let day = optional_date(envelope.vote_date.as_ref())
            .and_then(|day| day.map(|day| past(day, today)).transpose());
        let day = check.take(&path("vote_date"), day);
        let act = screen(&envelope.act_reference).map(|()| envelope.act_reference.clone());
        let act = check.take(&path("act_reference"), act);
        if year.is_some_and(|year| years.contains(&year)) {
            check.refuse(&path("budget_year"), duplicate());
        }
        years.extend(year);
        envelopes.push(match (year, voted, day, act) {
            (Some(budget_year), Some(amount), Some(date), Some(act_reference)) => Some((
                Envelope::voted(budget_year, amount),
                GivenVote {
                    budget_year,
                    amount,
                    date,
                    act_reference,
                },
            )),
            _ => None,
        });
    }
    let mut envelopes: Vec<_> = envelopes.into_iter().collect::<Option<_>>()?;
    envelopes.sort_by_key(|(envelope, _): &(Envelope, GivenVote)| envelope.budget_year);
    Some(envelopes)
}

/// A programme as answers show it, with the communes of this day.
pub fn message(programme: &Programme, today: Date) -> wire::Programme {
    let terms = &programme.terms;
    wire::Programme {
        name: programme.name.to_string(),
        display_name: terms.display_name.clone(),
        authority_name: terms.authority_name.clone(),
        authority_siret: terms.authority_siret.to_string(),
        commune_codes: programme
            .territory
            .on(today)
            .map(ToString::to_string)
            .collect(),
        envelopes: programme
            .envelopes
            .iter()
            .map(|envelope| to_envelope(envelope, &programme.votes))
            .collect(),
        create_time: Some(to_timestamp(programme.create_time)),
        update_time: Some(to_timestamp(programme.update_time)),
        etag: etag::of(programme.revision),
        deviation_rate: terms.deviation_rate.to_string(),
        notice_days: i32::from(terms.notice_days),
        report_calendar: terms
            .report_calendar
            .iter()
            .map(|(year, due)| wire::ReportDueDate {
                budget_year: i32::from(year.get()),
                due_date: Some(to_date(*due)),
            })
            .collect(),
        territory: programme
            .territory
            .stays()
            .iter()
            .map(|stay| wire::TerritoryCommune {
                insee_code: stay.insee_code.to_string(),
                valid_from: stay.from.map(to_date),
                valid_to: stay.to.map(to_date),
            })
            .collect(),
    }
}

fn to_envelope(envelope: &Envelope, votes: &[Vote]) -> wire::Envelope {
    let votes = || {
        votes
            .iter()
            .filter(|vote| vote.budget_year == envelope.budget_year)
    };
    let first = votes().next();
    wire::Envelope {
        budget_year: i32::from(envelope.budget_year.get()),
        voted_amount: Some(to_money(envelope.voted)),
        engaged_amount: Some(to_money(envelope.engaged)),
        paid_amount: Some(to_money(envelope.paid)),
        remaining_amount: Some(to_money(envelope.available())),
        vote_date: first.and_then(|vote| vote.date).map(to_date),
        act_reference: first
            .map(|vote| vote.act_reference.clone())
            .unwrap_or_default(),
        votes: votes()
            .map(|vote| wire::EnvelopeVote {
                amount: Some(to_money(vote.amount)),
                vote_date: vote.date.map(to_date),
                act_reference: vote.act_reference.clone(),
                record_time: Some(to_timestamp(vote.record_time)),
                recorded_by: vote.recorded_by.clone(),
            })
            .collect(),
    }
}
