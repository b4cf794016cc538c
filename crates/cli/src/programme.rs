//! Questions about a whole programme: what is due, what was done, what is published.

use std::{io::Write as _, path::Path};

use anyhow::Context as _;
use comfy_table::Table;
use nonrecours_contracts::conventions::{
    ExportGrantsRequest, GetProgrammeReportRequest, ListDueRequest, RollUpFigures,
};
use nonrecours_kernel::{
    Clock as _, SystemClock, french_date, months_after, paris_date, parse_date,
};
use nonrecours_rpc::convert::{date, money, to_date};

use crate::{
    ask::{client, in_french},
    client::answered,
    print,
    state::State,
};

/// Months looked ahead unless told otherwise.
const MONTHS_AHEAD: u8 = 3;
/// Things due asked for at once.
const PAGE: i32 = 200;
/// Pages read of one list at most.
const MAX_PAGES: usize = 1000;

/// Prints what is due for a programme or an operator.
pub async fn agenda(state: &State, parent: &str, until: Option<&str>) -> anyhow::Result<()> {
    let until = match until {
        Some(day) => parse_date(day).map_err(|invalid| anyhow::anyhow!("{}", invalid.text.fr))?,
        None => months_after(paris_date(SystemClock.now()), MONTHS_AHEAD),
    };
    let agenda = client(state)?.agenda();
    let mut table = print::table(&["échéance", "", "à faire", "fondement"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListDueRequest {
            parent: parent.to_owned(),
            until_date: Some(to_date(until)),
            page_size: PAGE,
            page_token,
        };
        let page = answered(|| {
            let (mut agenda, request) = (agenda.clone(), request.clone());
            async move { agenda.list_due(request).await }
        })
        .await
        .map_err(in_french)?;
        for due in page.due {
            table.add_row([
                french_date(date(due.due_date.as_ref())?),
                if due.overdue { "en retard" } else { "" }.to_owned(),
                due.message_fr,
                due.legal_basis,
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    println!("{table}");
    Ok(())
}

/// Prints the roll-up of a budget year.
pub async fn roll_up(state: &State, programme: &str, year: i32) -> anyhow::Result<()> {
    let reports = client(state)?.programme_reports();
    let request = GetProgrammeReportRequest {
        programme: programme.to_owned(),
        budget_year: year,
    };
    let report = answered(|| {
        let (mut reports, request) = (reports.clone(), request.clone());
        async move { reports.get_programme_report(request).await }
    })
    .await
    .map_err(in_french)?;
    let mut table = print::table(&[
        "opérateur",
        "bilans",
        "subventions",
        "versé",
        "dépensé",
        "repérées",
        "accompagnées",
        "droits ouverts",
        "euros par an",
        "en retard",
    ]);
    for operator in &report.operators {
        add(&mut table, &operator.legal_name, operator.figures.as_ref())?;
    }
    add(&mut table, "ensemble", report.total.as_ref())?;
    for column in 1..10 {
        print::align_right(&mut table, column);
    }
    println!("{table}");
    for warning in &report.warnings {
        println!("  • {}", warning.message_fr);
    }
    Ok(())
}

fn add(table: &mut Table, label: &str, figures: Option<&RollUpFigures>) -> anyhow::Result<()> {
    let figures = figures.context("figures")?;
    let targets = figures.reported_targets.unwrap_or_default();
    table.add_row([
        label.to_owned(),
        format!("{}/{}", figures.accepted_reports, figures.conventions),
        money(figures.grant_amount.as_ref())?.french(),
        money(figures.paid_amount.as_ref())?.french(),
        money(figures.spent_amount.as_ref())?.french(),
        held_against(figures.persons_spotted, targets.persons_spotted),
        held_against(figures.persons_supported, targets.persons_supported),
        held_against(figures.entitlements_opened, targets.entitlements_opened),
        money(figures.yearly_amount_opened.as_ref())?.french(),
        figures.overdue_commitments.to_string(),
    ]);
    Ok(())
}

/// What was achieved, and what was agreed where it was.
fn held_against(achieved: i64, target: i64) -> String {
    match target {
        0 => achieved.to_string(),
        target => format!("{achieved} / {target}"),
    }
}

/// Writes the open data file of a budget year.
pub async fn open_data(
    state: &State,
    programme: &str,
    year: i32,
    out: Option<&Path>,
) -> anyhow::Result<()> {
    let open_data = client(state)?.open_data();
    let request = ExportGrantsRequest {
        programme: programme.to_owned(),
        budget_year: year,
    };
    let file = answered(|| {
        let (mut open_data, request) = (open_data.clone(), request.clone());
        async move { open_data.export_grants(request).await }
    })
    .await
    .map_err(in_french)?;
    match out {
        Some(path) => {
            std::fs::write(path, &file.content).with_context(|| path.display().to_string())?;
            println!("{} : {} subvention(s)", path.display(), file.row_count);
        }
        None => std::io::stdout().write_all(&file.content)?,
    }
    Ok(())
}
