//! Where a convention stands: the states it went through, and what is due next.

use anyhow::Context as _;
use nonrecours_contracts::conventions::{Convention, ListDueRequest};
use nonrecours_kernel::{
    Clock as _, ConventionName, SystemClock, french_date, months_after, paris_date,
};
use nonrecours_rpc::convert::to_date;
use prost_types::Timestamp;
use time::OffsetDateTime;

use super::{MAX_PAGES, PAGE, ask, shown_day};
use crate::client::Client;

/// Months looked ahead for what is due.
const MONTHS_AHEAD: u8 = 18;

/// The states a convention went through, each with its day: `projet 25/09/2025 → signée par une partie …`.
pub fn states(convention: &Convention) -> anyhow::Result<String> {
    let mut states = vec![("projet", day(convention.create_time.as_ref())?)];
    let mut signed: Vec<_> = convention
        .signatures
        .iter()
        .filter_map(|signature| signature.sign_time.as_ref())
        .collect();
    signed.sort_by_key(|time| (time.seconds, time.nanos));
    if let Some(first) = signed.first() {
        states.push(("signée par une partie", day(Some(first))?));
    }
    for (state, time) in [
        ("en vigueur", convention.in_force_time.as_ref()),
        ("soldée", convention.settle_time.as_ref()),
    ] {
        if time.is_some() {
            states.push((state, day(time)?));
        }
        if state == "en vigueur" && convention.completion_date.is_some() {
            let done = shown_day(convention.completion_date.as_ref())?;
            states.push(("actions achevées", done));
        }
    }
    if convention.termination_date.is_some() {
        let ended = shown_day(convention.termination_date.as_ref())?;
        states.push(("résiliée", ended));
    }
    let states: Vec<String> = states
        .into_iter()
        .map(|(state, day)| format!("{state} {day}"))
        .collect();
    Ok(states.join(" → "))
}

/// What is due first under a convention; nothing when nothing is within eighteen months.
pub async fn next_due(client: &Client, convention: &str) -> anyhow::Result<Option<String>> {
    let name: ConventionName = convention
        .parse()
        .map_err(|invalid: nonrecours_kernel::Invalid| anyhow::anyhow!("{}", invalid.text.fr))?;
    let until = months_after(paris_date(SystemClock.now()), MONTHS_AHEAD);
    let below = format!("{convention}/");
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListDueRequest {
            parent: name.parent().to_string(),
            until_date: Some(to_date(until)),
            page_size: PAGE,
            page_token,
        };
        let page = ask!(client.agenda(), list_due, request)?;
        let first = page
            .due
            .into_iter()
            .find(|due| due.subject == convention || due.subject.starts_with(&below));
        if let Some(due) = first {
            let late = if due.overdue { ", en retard" } else { "" };
            let day = shown_day(due.due_date.as_ref())?;
            return Ok(Some(format!("{day}{late} : {}", due.message_fr)));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(None)
}

fn day(time: Option<&Timestamp>) -> anyhow::Result<String> {
    let seconds = time.context("a time")?.seconds;
    let time = OffsetDateTime::from_unix_timestamp(seconds)?;
    Ok(french_date(paris_date(time)))
}
