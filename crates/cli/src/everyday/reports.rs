//! Activity reports (bilans): what was handed in, and the accounts as a file.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use nonrecours_contracts::conventions::{
    ActivityReport, ActivityReportState, BudgetDeviation, FinancialReport,
    ListActivityReportVersionsRequest, ListActivityReportsRequest,
};
use nonrecours_kernel::{Role, french_date, paris_date};
use nonrecours_rpc::convert::money;
use prost_types::Timestamp;
use time::OffsetDateTime;

use super::{MAX_PAGES, PAGE, ask, budgets::percent, shown_day};
use crate::{ask::client_as, client::Client, journey::name_of, print, state::State};

/// What is asked of the report of a convention.
#[derive(Clone, Debug, Subcommand)]
pub enum Reports {
    /// Show it: what was spent, what is overdue, each time it was handed in and what was answered.
    Show {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
    },
    /// Write its accounts (compte rendu financier) as CSV for a spreadsheet.
    Accounts {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
        /// File to write; otherwise the standard output.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

/// Does it, and gives what there is to print.
pub async fn run(state: &State, command: Reports) -> anyhow::Result<String> {
    let officer = client_as(state, Role::ProgrammeOfficer)?;
    match command {
        Reports::Show { convention } => show(&officer, &convention).await,
        Reports::Accounts { convention, out } => {
            let report = report(&officer, &convention).await?;
            let accounts = report
                .financial_report
                .context("aucun budget n'est établi pour cette convention")?;
            let file = csv(&accounts)?;
            let Some(path) = out else {
                return Ok(file);
            };
            std::fs::write(&path, &file).with_context(|| path.display().to_string())?;
            Ok(path.display().to_string())
        }
    }
}

async fn report(client: &Client, convention: &str) -> anyhow::Result<ActivityReport> {
    let request = ListActivityReportsRequest {
        parent: convention.to_owned(),
        ..ListActivityReportsRequest::default()
    };
    let page = ask!(client.activity_reports(), list_activity_reports, request)?;
    page.activity_reports
        .into_iter()
        .next()
        .context("cette convention n'a pas encore de bilan")
}

async fn show(client: &Client, convention: &str) -> anyhow::Result<String> {
    let report = report(client, convention).await?;
    let mut text = format!(
        "{}\n{} : {} dépensés, {} versés\n",
        report.name,
        in_french(report.state()),
        money(report.spent_amount.as_ref())?.french(),
        money(report.paid_amount.as_ref())?.french(),
    );
    for overdue in &report.overdue_commitments {
        let due = shown_day(overdue.due_date.as_ref())?;
        text.push_str(&format!(
            "  • engagement en retard depuis le {due} : {}\n",
            overdue.text
        ));
    }
    let mut table = print::table(&["version", "remise le", "par", "suite", "motif"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListActivityReportVersionsRequest {
            parent: report.name.clone(),
            page_size: PAGE,
            page_token,
        };
        let client = client.activity_reports();
        let page = ask!(client, list_activity_report_versions, request)?;
        for version in &page.activity_report_versions {
            table.add_row([
                version.number.to_string(),
                day(version.submit_time.as_ref())?,
                name_of(&version.submitted_by).to_owned(),
                format!(
                    "{} {}",
                    in_french(version.state()),
                    day(version.decide_time.as_ref())?
                ),
                version.correction.clone(),
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    text.push_str(&table.to_string());
    Ok(text)
}

/// The accounts as French spreadsheets read them: semicolons, decimal commas.
fn csv(accounts: &FinancialReport) -> anyhow::Result<String> {
    let mut file = "compte;intitulé;prévu;réalisé;écart;écart en %\r\n".to_owned();
    for table in accounts.expenses.iter().chain(&accounts.income) {
        let lines = table.lines.iter();
        let totals = [&table.total, &table.in_kind, &table.grand_total];
        for line in lines.chain(totals.into_iter().flatten()) {
            file.push_str(&csv_line(line)?);
        }
    }
    Ok(file)
}

fn csv_line(line: &BudgetDeviation) -> anyhow::Result<String> {
    let class = match line.account_class {
        0 => String::new(),
        class => class.to_string(),
    };
    let amount = |amount| anyhow::Ok(money(amount)?.to_string().replace('.', ","));
    // A label has no quotation mark; a semicolon would end the cell.
    Ok(format!(
        "{class};\"{}\";{};{};{};{}\r\n",
        line.label,
        amount(line.planned_amount.as_ref())?,
        amount(line.realised_amount.as_ref())?,
        amount(line.deviation_amount.as_ref())?,
        percent(&line.deviation_rate).replace("\u{a0}%", ""),
    ))
}

fn day(time: Option<&Timestamp>) -> anyhow::Result<String> {
    time.map_or_else(
        || Ok(String::new()),
        |time| {
            let time = OffsetDateTime::from_unix_timestamp(time.seconds)?;
            Ok(french_date(paris_date(time)))
        },
    )
}

const fn in_french(state: ActivityReportState) -> &'static str {
    match state {
        ActivityReportState::Unspecified => "état inconnu",
        ActivityReportState::Draft => "en préparation",
        ActivityReportState::Submitted => "remis, à instruire",
        ActivityReportState::Returned => "à corriger",
        ActivityReportState::Accepted => "accepté",
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_contracts::conventions::FinancialTable;
    use nonrecours_kernel::Money;
    use nonrecours_rpc::convert::to_money;

    use super::*;

    #[test]
    fn accounts_are_written_for_a_french_spreadsheet() {
        let line = |account_class, label: &str, rate: &str| BudgetDeviation {
            account_class,
            label: label.to_owned(),
            planned_amount: Some(to_money(Money::from_cents(100_000))),
            realised_amount: Some(to_money(Money::from_cents(87_550))),
            deviation_amount: Some(to_money(Money::from_cents(-12_450))),
            deviation_rate: rate.to_owned(),
            ..BudgetDeviation::default()
        };
        let accounts = FinancialReport {
            expenses: Some(FinancialTable {
                lines: vec![line(64, "Charges de personnel", "-0.1245")],
                grand_total: Some(line(0, "Total des charges", "")),
                ..FinancialTable::default()
            }),
            ..FinancialReport::default()
        };
        assert_eq!(
            csv(&accounts).unwrap(),
            "compte;intitulé;prévu;réalisé;écart;écart en %\r\n\
             64;\"Charges de personnel\";1000,00;875,50;-124,50;-12,45\r\n\
             ;\"Total des charges\";1000,00;875,50;-124,50;\r\n"
        );
    }
}
