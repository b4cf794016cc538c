//! Cash from a terminal: the position of a programme, and what the State owes and pays.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use nonrecours_contracts::{
    google::r#type::Money as WireMoney,
    payments::{
        CashPosition, GetCashPositionRequest, InstalmentKind, ListStateReceivablesRequest,
        ReceiptEvidence, ReceiveStateFundsRequest, ReverseStateReceiptRequest, StateReceivable,
    },
};
use nonrecours_kernel::{Digest, Money, Role};
use nonrecours_rpc::convert::{money, to_money};

use super::{MAX_PAGES, PAGE, ask, day_or_today, request_id, shown_day};
use crate::{ask::client_as, print, state::State};

/// What is done with cash.
#[derive(Clone, Debug, Subcommand)]
pub enum Cash {
    /// Show what a programme has, what it is owed, and what it is bound to pay.
    Show {
        /// `programmes/{programme}`.
        programme: String,
        /// At the end of this day, e.g. 2026-01-31; otherwise now.
        #[arg(long)]
        on: Option<String>,
    },
    /// Show what the State owes a programme, and what has come.
    State {
        /// `programmes/{programme}`.
        programme: String,
    },
    /// Record money that the State has paid.
    Receive {
        /// `programmes/{programme}/stateReceivables/{state_receivable}`.
        name: String,
        /// Amount, in euros, e.g. 9200.50.
        amount: String,
        /// The accountant's reference.
        #[arg(long)]
        reference: String,
        /// The credit notice: its digest is kept, the file stays where it is.
        #[arg(long)]
        evidence: PathBuf,
        /// Day on which the money came, e.g. 2026-01-31; otherwise today.
        #[arg(long)]
        on: Option<String>,
    },
    /// Take back a receipt that was recorded wrongly.
    Reverse {
        /// `programmes/{programme}/stateReceivables/{state_receivable}`.
        name: String,
        /// Reference of the receipt.
        #[arg(long)]
        reference: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Runs one of them; the text that it prints.
pub async fn run(state: &State, command: Cash) -> anyhow::Result<String> {
    let client = client_as(state, Role::Accountant)?;
    let receivables = client.state_receivables();
    match command {
        Cash::Show { programme, on } => {
            let request = GetCashPositionRequest {
                parent: programme,
                date: match on {
                    Some(day) => Some(day_or_today(Some(&day))?),
                    None => None,
                },
            };
            position(&ask!(client.cash_positions(), get_cash_position, request)?)
        }
        Cash::State { programme } => list(state, &programme).await,
        Cash::Receive {
            name,
            amount,
            reference,
            evidence,
            on,
        } => {
            let bytes = std::fs::read(&evidence)
                .with_context(|| format!("impossible de lire {}", evidence.display()))?;
            let file_name = evidence.file_name().unwrap_or_default().to_string_lossy();
            let amount =
                Money::parse(&amount).map_err(|invalid| anyhow::anyhow!("{}", invalid.text.fr))?;
            let request = ReceiveStateFundsRequest {
                name,
                amount: Some(to_money(amount)),
                receipt_date: Some(day_or_today(on.as_deref())?),
                reference,
                evidence: Some(ReceiptEvidence {
                    file_name: file_name.into_owned(),
                    sha256: Digest::of(&bytes).to_string(),
                }),
                etag: String::new(),
                request_id: request_id(),
            };
            described(&ask!(receivables, receive_state_funds, request)?)
        }
        Cash::Reverse {
            name,
            reference,
            reason,
        } => {
            let request = ReverseStateReceiptRequest {
                name,
                reference,
                reason,
                etag: String::new(),
                request_id: request_id(),
            };
            described(&ask!(receivables, reverse_state_receipt, request)?)
        }
    }
}

fn position(position: &CashPosition) -> anyhow::Result<String> {
    let mut table = print::table(&["situation", "montant"]);
    for (what, amount) in [
        ("accordé par l'État", &position.state_granted_amount),
        ("reçu de l'État", &position.state_received_amount),
        (
            "exigible et non reçu de l'État",
            &position.state_receivable_amount,
        ),
        ("versé aux opérateurs", &position.paid_amount),
        ("mandaté et non versé", &position.ordered_amount),
        ("engagé et non mandaté", &position.engaged_amount),
        ("certifié et non versé", &position.payable_amount),
        ("recouvré", &position.recovered_amount),
        ("à recouvrer", &position.recoverable_amount),
        ("trésorerie", &position.cash_amount),
    ] {
        table.add_row([what.to_owned(), euros(amount.as_ref())?]);
    }
    print::align_right(&mut table, 1);
    Ok(format!(
        "{table}\nau {}, fin de journée",
        shown_day(position.date.as_ref())?
    ))
}

async fn list(state: &State, programme: &str) -> anyhow::Result<String> {
    let client = client_as(state, Role::Accountant)?.state_receivables();
    let mut table = print::table(&["exercice", "échéance", "prévue le", "montant", "reçu"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListStateReceivablesRequest {
            parent: programme.to_owned(),
            page_size: PAGE,
            page_token,
        };
        let page = ask!(client.clone(), list_state_receivables, request)?;
        for receivable in &page.state_receivables {
            for instalment in &receivable.instalments {
                let kind = match instalment.kind() {
                    InstalmentKind::Advance => "acompte",
                    InstalmentKind::Balance => "solde",
                    InstalmentKind::Interim | InstalmentKind::Unspecified => "",
                };
                let due = if instalment.due { "" } else { ", non exigible" };
                table.add_row([
                    format!("{}\n{}", receivable.budget_year, receivable.name),
                    format!("{kind}{due}"),
                    shown_day(instalment.expected_date.as_ref())?,
                    euros(instalment.amount.as_ref())?,
                    euros(instalment.received_amount.as_ref())?,
                ]);
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    print::align_right(&mut table, 3);
    print::align_right(&mut table, 4);
    Ok(table.to_string())
}

fn described(receivable: &StateReceivable) -> anyhow::Result<String> {
    Ok(format!(
        "financement de l'État {} ({}) : {} reçus, {} exigibles et non reçus\n{}",
        receivable.budget_year,
        receivable.agreement_reference,
        euros(receivable.received_amount.as_ref())?,
        euros(receivable.outstanding_amount.as_ref())?,
        receivable.name,
    ))
}

fn euros(amount: Option<&WireMoney>) -> anyhow::Result<String> {
    Ok(money(amount)?.french())
}
