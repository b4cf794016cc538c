//! Between the contract's messages and a budget.

use nonrecours_contracts::conventions as wire;
use nonrecours_kernel::{Invalid, Money};
use nonrecours_rpc::{
    Check,
    convert::{money, to_money, to_timestamp},
    etag,
};

use super::{
    domain::{Budget, Case},
    financial::{FinancialReport, Table},
    lines::{Class, Deviation, Lines, Side},
};
use crate::text::duplicate;

/// Reads lines; notes what is wrong with each.
pub fn lines(check: &mut Check, path: &str, given: &[wire::BudgetLine]) -> Option<Lines> {
    let mut lines = Vec::new();
    for (index, line) in given.iter().enumerate() {
        let path = |name| format!("{path}[{index}].{name}");
        // A number that is no i16 is no class either: 0 is none.
        let number = i16::try_from(line.account_class).unwrap_or_default();
        let class = check.take(&path("account_class"), Class::try_from(number));
        let amount = money(line.amount.as_ref()).and_then(zero_or_more);
        let amount = check.take(&path("amount"), amount);
        if given
            .iter()
            .take(index)
            .any(|earlier| earlier.account_class == line.account_class)
        {
            check.refuse(&path("account_class"), duplicate());
        }
        lines.push(class.zip(amount));
    }
    let lines: Vec<_> = lines.into_iter().collect::<Option<_>>()?;
    Some(Lines::new(lines))
}

fn zero_or_more(amount: Money) -> Result<Money, Invalid> {
    if amount.is_negative() {
        Err(Invalid::new(
            "AMOUNT_NEGATIVE",
            "the amount is zero or more",
            "Le montant ne peut être négatif : une recette se porte en classe 7, une dépense en classe 6.",
        ))
    } else {
        Ok(amount)
    }
}

/// A budget as answers show it.
pub fn message(budget: &Budget) -> wire::Budget {
    let total = |side: Side| {
        let total = budget.total(side)?;
        Some(to_total(side.total_label(), &total))
    };
    wire::Budget {
        name: budget.name.to_string(),
        planned_lines: to_lines(&budget.planned),
        realised_lines: to_lines(&budget.realised),
        deviations: budget
            .deviations()
            .iter()
            .map(|(class, deviation)| to_deviation(*class, deviation))
            .collect(),
        expenses: total(Side::Expenses),
        income: total(Side::Income),
        deviation_threshold: budget.threshold.to_string(),
        deviation_cases: budget.cases.iter().map(to_case).collect(),
        create_time: Some(to_timestamp(budget.create_time)),
        update_time: Some(to_timestamp(budget.update_time)),
        etag: etag::of(budget.revision),
    }
}

fn to_lines(lines: &Lines) -> Vec<wire::BudgetLine> {
    lines
        .iter()
        .map(|(class, amount)| wire::BudgetLine {
            account_class: i32::from(class.number()),
            amount: Some(to_money(amount)),
            label: class.label().to_owned(),
        })
        .collect()
}

fn to_deviation(class: Class, deviation: &Deviation) -> wire::BudgetDeviation {
    wire::BudgetDeviation {
        account_class: i32::from(class.number()),
        ..to_total(class.label(), deviation)
    }
}

fn to_total(label: &str, deviation: &Deviation) -> wire::BudgetDeviation {
    wire::BudgetDeviation {
        account_class: 0,
        planned_amount: Some(to_money(deviation.planned)),
        realised_amount: Some(to_money(deviation.realised)),
        deviation_amount: Some(to_money(deviation.amount())),
        deviation_rate: deviation
            .rate()
            .map(|rate| rate.to_string())
            .unwrap_or_default(),
        significant: deviation.significant,
        label: label.to_owned(),
    }
}

/// The accounts of a convention as answers show them; whether and until when they are owed is said by who knows.
pub fn financial_message(report: &FinancialReport) -> wire::FinancialReport {
    wire::FinancialReport {
        recorded: report.recorded,
        expenses: Some(to_table(&report.expenses)),
        income: Some(to_table(&report.income)),
        grant_amount: Some(to_money(report.grant)),
        grant_rate: report
            .grant_rate
            .map(|rate| rate.to_string())
            .unwrap_or_default(),
        ..wire::FinancialReport::default()
    }
}

fn to_table(table: &Table) -> wire::FinancialTable {
    wire::FinancialTable {
        lines: table
            .lines
            .iter()
            .map(|(class, deviation)| to_deviation(*class, deviation))
            .collect(),
        total: Some(to_total("Total hors contributions en nature", &table.total)),
        in_kind: Some(to_deviation(Class::in_kind(table.side), &table.in_kind)),
        grand_total: Some(to_total(table.side.total_label(), &table.grand_total)),
    }
}

fn to_case(case: &Case) -> wire::DeviationCase {
    let closed = case.closed.as_ref();
    wire::DeviationCase {
        number: case.number,
        open_time: Some(to_timestamp(case.opened)),
        subjects: case.subjects.clone(),
        close_time: closed.map(|closed| to_timestamp(closed.time)),
        closed_by: closed.map(|closed| closed.by.clone()).unwrap_or_default(),
        close_reason: closed
            .map(|closed| closed.reason.clone())
            .unwrap_or_default(),
    }
}
