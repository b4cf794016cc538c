//! Budget years from a terminal: what must be ordered by 31 January, and their closing.

use clap::Subcommand;
use nonrecours_contracts::payments::{
    BudgetYear, BudgetYearState, CloseBudgetYearRequest, GetBudgetYearRequest, PendingInstalment,
};
use nonrecours_kernel::Role;
use nonrecours_rpc::convert::money;

use super::{ask, request_id, shown_day};
use crate::{ask::client_as, print, state::State};

/// What is done with budget years.
#[derive(Clone, Debug, Subcommand)]
pub enum Years {
    /// Show what is not in the accountant's hands: to be ordered by 31 January, or carried over.
    Show {
        /// `programmes/{programme}`.
        programme: String,
        /// Budget year.
        year: i32,
    },
    /// Close it: what was not ordered is carried over to the year after.
    Close {
        /// `programmes/{programme}`.
        programme: String,
        /// Budget year.
        year: i32,
    },
}

/// Runs one of them; the text that it prints.
pub async fn run(state: &State, command: Years) -> anyhow::Result<String> {
    let year = match command {
        Years::Show { programme, year } => {
            let client = client_as(state, Role::AuthorisingOfficer)?.budget_years();
            let name = format!("{programme}/budgetYears/{year}");
            ask!(client, get_budget_year, GetBudgetYearRequest { name })?
        }
        Years::Close { programme, year } => {
            let client = client_as(state, Role::AuthorisingOfficer)?.budget_years();
            let request = CloseBudgetYearRequest {
                name: format!("{programme}/budgetYears/{year}"),
                etag: String::new(),
                request_id: request_id(),
            };
            ask!(client, close_budget_year, request)?
        }
    };
    described(&year)
}

fn described(year: &BudgetYear) -> anyhow::Result<String> {
    let mut table = print::table(&["échéance", "montant", "d'ici au 31 janvier"]);
    for pending in &year.pending {
        table.add_row([
            format!("{}\n{}", pending.convention_title, pending.instalment),
            money(pending.amount.as_ref())?.french(),
            step(pending).to_owned(),
        ]);
    }
    print::align_right(&mut table, 1);
    let state = match year.state() {
        BudgetYearState::Closed => "clos",
        BudgetYearState::Open | BudgetYearState::Unspecified => "ouvert",
    };
    Ok(format!(
        "{table}\nexercice {state}, mandats jusqu'au {} ; {} échéance(s) en attente pour {} ; {} reportée(s) pour {}",
        shown_day(year.last_order_date.as_ref())?,
        year.pending_count,
        money(year.pending_amount.as_ref())?.french(),
        year.carried_count,
        money(year.carried_amount.as_ref())?.french(),
    ))
}

const fn step(pending: &PendingInstalment) -> &'static str {
    if pending.payable_in_time {
        "à mandater ou à mettre en bordereau"
    } else {
        "sera reportée"
    }
}
