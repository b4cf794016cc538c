//! Budgets (art. 8): planned and realised from a file, and how far the two are apart.

use std::{io::Read as _, path::Path, path::PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use nonrecours_contracts::conventions::{
    Budget, BudgetDeviation, BudgetLine, CloseDeviationCaseRequest, GetBudgetRequest,
    PlanBudgetRequest, RecordRealisedBudgetRequest,
};
use nonrecours_kernel::{Money, Role};
use nonrecours_rpc::convert::{money, to_money};

use super::{ask, request_id};
use crate::{ask::client_as, print, state::State};

/// Largest file of lines that is read, in bytes: a budget has 21 lines.
const MAX_FILE: u64 = 64 * 1024;

/// What is done with the budget of a convention.
#[derive(Clone, Debug, Subcommand)]
pub enum Budgets {
    /// Show planned, realised and deviations.
    Show {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
    },
    /// Plan the budget, as the operator, from a file: a line each, the account class, `;`, and the amount.
    Plan {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
        /// The file, e.g. with the lines `compte;montant`, `64;10000,00`, `74;10000,00`.
        file: PathBuf,
    },
    /// Record what was spent and received so far, as the operator, from a file of the same form.
    Realise {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
        /// The file.
        file: PathBuf,
    },
    /// Close the open deviation case, as the programme officer.
    CloseCase {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
        /// Why, e.g. what was decided after hearing the operator.
        #[arg(long)]
        reason: String,
    },
}

/// Does it, and shows the budget as it then stands.
pub async fn run(state: &State, command: Budgets) -> anyhow::Result<String> {
    let manager = || Ok::<_, anyhow::Error>(client_as(state, Role::OperatorManager)?.budgets());
    let officer = || Ok::<_, anyhow::Error>(client_as(state, Role::ProgrammeOfficer)?.budgets());
    let budget = match command {
        Budgets::Show { convention } => {
            let request = GetBudgetRequest {
                name: format!("{convention}/budget"),
            };
            ask!(officer()?, get_budget, request)?
        }
        Budgets::Plan { convention, file } => {
            let request = PlanBudgetRequest {
                name: format!("{convention}/budget"),
                planned_lines: read(&file)?,
                request_id: request_id(),
                ..PlanBudgetRequest::default()
            };
            ask!(manager()?, plan_budget, request)?
        }
        Budgets::Realise { convention, file } => {
            let request = RecordRealisedBudgetRequest {
                name: format!("{convention}/budget"),
                realised_lines: read(&file)?,
                request_id: request_id(),
                ..RecordRealisedBudgetRequest::default()
            };
            ask!(manager()?, record_realised_budget, request)?
        }
        Budgets::CloseCase { convention, reason } => {
            let request = CloseDeviationCaseRequest {
                name: format!("{convention}/budget"),
                reason,
                request_id: request_id(),
                ..CloseDeviationCaseRequest::default()
            };
            ask!(officer()?, close_deviation_case, request)?
        }
    };
    shown(&budget)
}

fn shown(budget: &Budget) -> anyhow::Result<String> {
    if budget.deviations.is_empty() {
        let mut table = print::table(&["compte", "", "prévu"]);
        for line in &budget.planned_lines {
            table.add_row([
                line.account_class.to_string(),
                line.label.clone(),
                money(line.amount.as_ref())?.french(),
            ]);
        }
        print::align_right(&mut table, 2);
        return Ok(table.to_string());
    }
    let mut table = print::table(&["compte", "", "prévu", "réalisé", "écart", "", ""]);
    let totals = budget.expenses.iter().chain(&budget.income);
    for deviation in budget.deviations.iter().chain(totals) {
        let mut row = row(deviation)?;
        row.push(
            if deviation.significant {
                "significatif"
            } else {
                ""
            }
            .to_owned(),
        );
        table.add_row(row);
    }
    for column in 2..6 {
        print::align_right(&mut table, column);
    }
    let open = budget
        .deviation_cases
        .iter()
        .any(|case| case.close_time.is_none());
    Ok(if open {
        format!("{table}\nUn écart est à décider, après avoir entendu l'opérateur (art. 8).")
    } else {
        table.to_string()
    })
}

/// A line of accounts: class, label, planned, realised, deviation in euros and in per cent.
pub fn row(deviation: &BudgetDeviation) -> anyhow::Result<Vec<String>> {
    let class = match deviation.account_class {
        0 => String::new(),
        class => class.to_string(),
    };
    Ok(vec![
        class,
        deviation.label.clone(),
        money(deviation.planned_amount.as_ref())?.french(),
        money(deviation.realised_amount.as_ref())?.french(),
        money(deviation.deviation_amount.as_ref())?.french(),
        percent(&deviation.deviation_rate),
    ])
}

/// A share as people write it: `-12,5 %` for `-0.125`; empty for none. Four decimals at most, as the services give it.
pub fn percent(rate: &str) -> String {
    if rate.is_empty() {
        return String::new();
    }
    let (sign, digits) = rate
        .strip_prefix('-')
        .map_or(("", rate), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = format!("{fraction:0<4}");
    let (hundredths, rest) = fraction.split_at(2);
    let whole = format!("{whole}{hundredths}");
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    match rest.trim_end_matches('0') {
        "" => format!("{sign}{whole}\u{a0}%"),
        rest => format!("{sign}{whole},{rest}\u{a0}%"),
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<BudgetLine>> {
    let shown = path.display();
    let file = std::fs::File::open(path).with_context(|| shown.to_string())?;
    let mut text = String::new();
    // One more than the most tells a file that is too large.
    file.take(MAX_FILE + 1)
        .read_to_string(&mut text)
        .with_context(|| shown.to_string())?;
    anyhow::ensure!(
        u64::try_from(text.len()).is_ok_and(|length| length <= MAX_FILE),
        "{shown} : plus de 64 Kio, ce n'est pas un budget"
    );
    lines(&text).map_err(|faults| anyhow::anyhow!("{shown} :\n{}", faults.join("\n")))
}

/// Reads the lines of a file, or says everything that is wrong with them. The first line may be a heading.
fn lines(text: &str) -> Result<Vec<BudgetLine>, Vec<String>> {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let heading = index == 0 && line.starts_with(|first: char| first.is_alphabetic());
        if line.is_empty() || heading {
            continue;
        }
        match read_line(line) {
            Ok(line) => lines.push(line),
            Err(fault) => faults.push(format!("  ligne {} : {fault}", index + 1)),
        }
    }
    if lines.is_empty() && faults.is_empty() {
        faults.push("  aucune ligne".to_owned());
    }
    if faults.is_empty() {
        Ok(lines)
    } else {
        Err(faults)
    }
}

fn read_line(line: &str) -> Result<BudgetLine, String> {
    let Some((class, amount)) = line.split_once(';') else {
        return Err("attendu : compte;montant".to_owned());
    };
    let account_class = class
        .trim()
        .parse()
        .map_err(|_| format!("« {} » n'est pas un numéro de compte", class.trim()))?;
    // As spreadsheets write it: blanks between thousands, a decimal comma, the sign of the euro.
    let plain: String = amount
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '€')
        .map(|letter| if letter == ',' { '.' } else { letter })
        .collect();
    let amount = Money::parse(&plain).map_err(|invalid| invalid.text.fr.to_string())?;
    Ok(BudgetLine {
        account_class,
        amount: Some(to_money(amount)),
        ..BudgetLine::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_spreadsheets_write_them() {
        let text = "\u{feff}compte;montant\r\n64;10 000,50\r\n\r\n74 ; 10\u{202f}000.5 €\n";
        let found = lines(text).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|line| (line.account_class, money(line.amount.as_ref()).unwrap()))
            .collect();
        let amount = Money::from_cents(1_000_050);
        assert_eq!(found, [(64, amount), (74, amount)]);
    }

    #[test]
    fn everything_wrong_with_a_file_is_told_by_line() {
        let faults = lines("compte;montant\n64\nx;1\n74;1,234\n60;2").unwrap_err();
        assert_eq!(faults.len(), 3);
        for (fault, line) in faults.iter().zip(["ligne 2", "ligne 3", "ligne 4"]) {
            assert!(fault.contains(line), "{fault}");
        }
        assert_eq!(lines("compte;montant\n").unwrap_err().len(), 1);
    }

    #[test]
    fn shares_are_written_in_per_cent() {
        for (rate, written) in [
            ("-0.125", "-12,5\u{a0}%"),
            ("0", "0\u{a0}%"),
            ("1", "100\u{a0}%"),
            ("0.0001", "0,01\u{a0}%"),
            ("12.5", "1250\u{a0}%"),
            ("-0.1", "-10\u{a0}%"),
            ("", ""),
        ] {
            assert_eq!(percent(rate), written);
        }
    }
}
