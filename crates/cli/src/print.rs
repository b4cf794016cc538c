//! What the command prints: life lines, ledgers, indicators, in French.

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use nonrecours_contracts::{
    conventions::{
        AmendmentState, ListAmendmentsRequest, ListConventionVersionsRequest, TermChange,
    },
    feed::{Change, ListHistoryRequest},
    followup::{Figures, GetIndicatorsRequest, amount},
    payments::{Account, ListLedgerEntriesRequest},
};
use nonrecours_kernel::{Money, catalogue, french_date, paris_date};
use nonrecours_rpc::convert::money;
use time::OffsetDateTime;

use crate::{
    client::{Client, answered},
    journey::name_of,
};

/// Changes asked for at once.
const PAGE: i32 = 200;
/// Pages read of one list at most.
const MAX_PAGES: usize = 1000;

/// Everything that happened to a convention, in both services that write it, oldest first.
pub async fn life_line(client: &Client, convention: &str) -> anyhow::Result<Table> {
    let mut changes = Vec::new();
    for feed in [client.conventions_feed(), client.payments_feed()] {
        let mut page_token = String::new();
        for _ in 0..MAX_PAGES {
            let request = ListHistoryRequest {
                name: convention.to_owned(),
                page_size: PAGE,
                page_token,
            };
            let page = answered(|| {
                let (mut feed, request) = (feed.clone(), request.clone());
                async move { feed.list_history(request).await }
            })
            .await?;
            changes.extend(page.changes);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
    }
    changes.sort_by_key(|change| {
        change
            .occur_time
            .map(|time| (time.seconds, time.nanos))
            .unwrap_or_default()
    });
    let mut table = table(&["date", "événement", "par", "motif"]);
    for change in &changes {
        table.add_row([
            day(change)?,
            event(change),
            name_of(&change.actor).to_owned(),
            change.why.clone(),
        ]);
    }
    Ok(table)
}

/// The versions of a convention and what each changed, then the amendments that are still open.
pub async fn versions(client: &Client, convention: &str) -> anyhow::Result<Table> {
    let mut table = table(&["version", "date", "ce qui change"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListConventionVersionsRequest {
            parent: convention.to_owned(),
            page_size: PAGE,
            page_token,
        };
        let page = answered(|| {
            let (mut versions, request) = (client.convention_versions(), request.clone());
            async move { versions.list_convention_versions(request).await }
        })
        .await?;
        for version in &page.convention_versions {
            let changes = match version.number {
                1 => "convention signée".to_owned(),
                _ => sentences(&version.changes),
            };
            let day = moment(version.create_time.context("a time")?.seconds)?;
            table.add_row([version.number.to_string(), day, changes]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListAmendmentsRequest {
            parent: convention.to_owned(),
            page_size: PAGE,
            page_token,
        };
        let page = answered(|| {
            let (mut amendments, request) = (client.amendments(), request.clone());
            async move { amendments.list_amendments(request).await }
        })
        .await?;
        for amendment in &page.amendments {
            let state = match amendment.state() {
                AmendmentState::Draft => "projet",
                AmendmentState::PartlySigned => "signé par une partie",
                _ => continue,
            };
            let number = format!("avenant n° {}, {state}", amendment.number);
            table.add_row([number, String::new(), sentences(&amendment.changes)]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(table)
}

/// Changes as people read them, a line each.
fn sentences(changes: &[TermChange]) -> String {
    let sentences: Vec<_> = changes.iter().map(|it| it.sentence_fr.as_str()).collect();
    sentences.join("\n")
}

/// The books of a convention.
pub async fn ledger(client: &Client, convention: &str) -> anyhow::Result<Table> {
    let ledger = client.ledger();
    let request = ListLedgerEntriesRequest {
        parent: convention.to_owned(),
        page_size: PAGE,
        ..Default::default()
    };
    let entries = answered(|| {
        let (mut ledger, request) = (ledger.clone(), request.clone());
        async move { ledger.list_ledger_entries(request).await }
    })
    .await?
    .ledger_entries;
    let mut table = table(&["date", "libellé", "débit", "crédit", "montant"]);
    let mut paid = Money::ZERO;
    for entry in &entries {
        let amount = money(entry.amount.as_ref())?;
        if entry.credit() == Account::Treasury {
            paid = paid.checked_add(amount).context("a sum within range")?;
        }
        let time = entry.book_time.context("a time")?;
        table.add_row([
            moment(time.seconds)?,
            entry.label.clone(),
            account(entry.debit()).to_owned(),
            account(entry.credit()).to_owned(),
            amount.french(),
        ]);
    }
    table.add_row(["", "payé", "", "", &paid.french()]);
    align_right(&mut table, 4);
    Ok(table)
}

/// The indicators of a convention, by public.
pub async fn indicators(client: &Client, convention: &str) -> anyhow::Result<Table> {
    let indicators = client.indicators();
    let request = GetIndicatorsRequest {
        convention: convention.to_owned(),
    };
    let found = answered(|| {
        let (mut indicators, request) = (indicators.clone(), request.clone());
        async move { indicators.get_indicators(request).await }
    })
    .await?;
    let mut table = table(&[
        "public",
        "repérées",
        "accompagnées",
        "droits suivis",
        "ouverts",
        "euros par an",
    ]);
    for public in &found.publics {
        let label = catalogue::public(&public.public)
            .map_or(public.public.as_str(), |entry| entry.label_fr);
        table.add_row(figures(label, public.figures.as_ref())?);
    }
    table.add_row(figures(
        "ensemble (chaque personne une fois)",
        found.total.as_ref(),
    )?);
    for column in 1..6 {
        align_right(&mut table, column);
    }
    Ok(table)
}

/// What a signed convention is to achieve and what was achieved, with the cost of an opened right; nothing before.
pub async fn targets(client: &Client, convention: &str) -> anyhow::Result<Option<Table>> {
    let indicators = client.indicators();
    let request = GetIndicatorsRequest {
        convention: convention.to_owned(),
    };
    let found = answered(|| {
        let (mut indicators, request) = (indicators.clone(), request.clone());
        async move { indicators.get_indicators(request).await }
    })
    .await?;
    let (Some(targets), Some(total)) = (found.targets, found.total) else {
        return Ok(None);
    };
    let mut table = table(&["objectif", "cible", "atteint", "taux"]);
    for (label, target, achieved) in [
        (
            "personnes repérées",
            targets.persons_spotted,
            total.persons_spotted,
        ),
        (
            "personnes accompagnées",
            targets.persons_supported,
            total.persons_supported,
        ),
        (
            "droits ouverts",
            targets.entitlements_opened,
            total.entitlements_opened,
        ),
    ] {
        let (goal, rate) = match target {
            0 => ("aucune".to_owned(), String::new()),
            // Whole per cent, as far as it is reached.
            target => (
                target.to_string(),
                format!("{}\u{a0}%", achieved.saturating_mul(100) / target),
            ),
        };
        table.add_row([label.to_owned(), goal, achieved.to_string(), rate]);
    }
    let cost = targets
        .cost_per_entitlement_opened
        .and_then(|cost| cost.figure);
    let cost = match cost {
        Some(amount::Figure::Value(cost)) => money(Some(&cost))?.french(),
        _ => "—".to_owned(),
    };
    let due = money(targets.due_amount.as_ref())?.french();
    let label = format!("coût d'un droit ouvert ({due} dus)");
    table.add_row([label.as_str(), "", cost.as_str(), ""]);
    for column in 1..4 {
        align_right(&mut table, column);
    }
    Ok(Some(table))
}

fn figures(label: &str, figures: Option<&Figures>) -> anyhow::Result<Vec<String>> {
    let figures = figures.context("figures")?;
    Ok(vec![
        label.to_owned(),
        figures.persons_spotted.to_string(),
        figures.persons_supported.to_string(),
        figures.entitlements_followed.to_string(),
        figures.entitlements_opened.to_string(),
        money(figures.yearly_amount_notified.as_ref())?.french(),
    ])
}

/// A bordered table with these headings.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(headings);
    table
}

/// Sets a column of figures to the right.
pub fn align_right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// What happened, in French; the kind itself when the service is older or newer than its label.
fn event(change: &Change) -> String {
    match change.label_fr.as_str() {
        "" => change.kind.clone(),
        label => label.to_owned(),
    }
}

fn day(change: &Change) -> anyhow::Result<String> {
    moment(change.occur_time.context("a time")?.seconds)
}

fn moment(seconds: i64) -> anyhow::Result<String> {
    Ok(french_date(paris_date(
        OffsetDateTime::from_unix_timestamp(seconds)?,
    )))
}

fn account(account: Account) -> &'static str {
    match account {
        Account::Unspecified => "?",
        Account::GrantExpense => "subventions versées",
        Account::OperatorPayable => "dû à l'opérateur",
        Account::Treasury => "compte au Trésor",
        Account::OperatorReceivable => "à recouvrer de l'opérateur",
        Account::GrantRecovery => "subventions recouvrées",
        Account::Uncollectible => "admis en non-valeur",
        Account::StateReceivable => "à recevoir de l'État",
        Account::StateGrant => "subvention de l'État",
    }
}
