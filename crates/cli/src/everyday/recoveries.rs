//! Recoveries (titres de recette) from a terminal: seen, issued, notified, received, given up.

use clap::Subcommand;
use nonrecours_contracts::google::r#type::Money as WireMoney;
use nonrecours_contracts::payments::{
    Breach, IssueRecoveryRequest, ListRecoveriesRequest, NotifyRecoveryRequest,
    OffsetRecoveryRequest, ReceiveRecoveryRequest, Recovery, RecoveryCause, RecoveryState,
    ReduceRecoveryRequest, WriteOffRecoveryRequest,
};
use nonrecours_kernel::{Money, Role};
use nonrecours_rpc::convert::{money, to_money};

use super::{MAX_PAGES, PAGE, ask, day_or_today, request_id, shown_day};
use crate::{ask::client_as, print, state::State};

/// What is done about recoveries.
#[derive(Clone, Debug, Subcommand)]
pub enum Recoveries {
    /// List them: what is claimed, what remains.
    List {
        /// `operators/{operator}/conventions/{convention}`, or `operators/-` for all.
        #[arg(default_value = "operators/-")]
        parent: String,
    },
    /// Claim what the books say is to be recovered.
    Issue {
        /// `operators/{operator}/conventions/{convention}`.
        convention: String,
        /// Day of a breach of the contrat d'engagement républicain, e.g. 2025-11-03: what falls on the days that remain.
        #[arg(long, requires = "decision")]
        breach: Option<String>,
        /// The decision that withdraws the grant for that breach.
        #[arg(long, requires = "breach")]
        decision: Option<String>,
    },
    /// Note that the operator was notified.
    Notify {
        /// `operators/{operator}/conventions/{convention}/recoveries/{recovery}`.
        name: String,
        /// The day, e.g. 2025-11-03; otherwise today.
        #[arg(long)]
        on: Option<String>,
    },
    /// Record money received.
    Receive {
        /// `operators/{operator}/conventions/{convention}/recoveries/{recovery}`.
        name: String,
        /// Amount in euros, e.g. 200.00.
        amount: String,
        /// The accountant's reference of the receipt.
        #[arg(long)]
        reference: String,
        /// The day, e.g. 2025-11-03; otherwise today.
        #[arg(long)]
        on: Option<String>,
    },
    /// Set one off against an instalment that was paid since.
    Offset {
        /// `operators/{operator}/conventions/{convention}/recoveries/{recovery}`.
        name: String,
        /// `operators/{operator}/conventions/{convention}/instalments/{instalment}`.
        instalment: String,
        /// Amount in euros.
        amount: String,
    },
    /// Give up what remains, by the assembly's decision.
    WriteOff {
        /// `operators/{operator}/conventions/{convention}/recoveries/{recovery}`.
        name: String,
        /// The decision.
        #[arg(long)]
        decision: String,
    },
    /// Claim less, or nothing any more.
    Reduce {
        /// `operators/{operator}/conventions/{convention}/recoveries/{recovery}`.
        name: String,
        /// By how much, in euros.
        amount: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Runs one of them; the text that it prints.
pub async fn run(state: &State, command: Recoveries) -> anyhow::Result<String> {
    let (orderer, accountant) = (Role::AuthorisingOfficer, Role::Accountant);
    let as_role = |role| anyhow::Ok(client_as(state, role)?.recoveries());
    let (etag, request_id) = (String::new(), request_id());
    let done = match command {
        Recoveries::List { parent } => return list(state, &parent).await,
        Recoveries::Issue {
            convention,
            breach,
            decision,
        } => {
            let breach = match (breach, decision) {
                (Some(day), Some(decision_reference)) => Some(Breach {
                    decision_reference,
                    breach_date: Some(day_or_today(Some(&day))?),
                }),
                _ => None,
            };
            let request = IssueRecoveryRequest {
                parent: convention,
                breach,
                request_id,
            };
            ask!(as_role(orderer)?, issue_recovery, request)?
        }
        Recoveries::Notify { name, on } => {
            let request = NotifyRecoveryRequest {
                name,
                notification_date: Some(day_or_today(on.as_deref())?),
                etag,
                request_id,
            };
            ask!(as_role(Role::ProgrammeOfficer)?, notify_recovery, request)?
        }
        Recoveries::Receive {
            name,
            amount,
            reference,
            on,
        } => {
            let request = ReceiveRecoveryRequest {
                name,
                amount: euros(&amount)?,
                receipt_date: Some(day_or_today(on.as_deref())?),
                reference,
                etag,
                request_id,
            };
            ask!(as_role(accountant)?, receive_recovery, request)?
        }
        Recoveries::Offset {
            name,
            instalment,
            amount,
        } => {
            let request = OffsetRecoveryRequest {
                name,
                instalment,
                amount: euros(&amount)?,
                etag,
                request_id,
            };
            ask!(as_role(accountant)?, offset_recovery, request)?
        }
        Recoveries::WriteOff { name, decision } => {
            let request = WriteOffRecoveryRequest {
                name,
                decision_reference: decision,
                etag,
                request_id,
            };
            ask!(as_role(orderer)?, write_off_recovery, request)?
        }
        Recoveries::Reduce {
            name,
            amount,
            reason,
        } => {
            let request = ReduceRecoveryRequest {
                name,
                amount: euros(&amount)?,
                reason,
                etag,
                request_id,
            };
            ask!(as_role(orderer)?, reduce_recovery, request)?
        }
    };
    described(&done)
}

fn euros(amount: &str) -> anyhow::Result<Option<WireMoney>> {
    let amount = Money::parse(amount).map_err(|invalid| anyhow::anyhow!("{}", invalid.text.fr))?;
    Ok(Some(to_money(amount)))
}

async fn list(state: &State, parent: &str) -> anyhow::Result<String> {
    let client = client_as(state, Role::Accountant)?.recoveries();
    let mut table = print::table(&["titre", "émis le", "motif", "montant", "reste", "état"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListRecoveriesRequest {
            parent: parent.to_owned(),
            page_size: PAGE,
            page_token,
        };
        let page = ask!(client.clone(), list_recoveries, request)?;
        for recovery in &page.recoveries {
            table.add_row([
                format!(
                    "n° {} de {}\n{}",
                    recovery.number, recovery.budget_year, recovery.name
                ),
                shown_day(recovery.issue_date.as_ref())?,
                cause(recovery.cause()).to_owned(),
                money(recovery.amount.as_ref())?.french(),
                money(recovery.outstanding_amount.as_ref())?.french(),
                state_of(recovery.state()).to_owned(),
            ]);
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

fn described(recovery: &Recovery) -> anyhow::Result<String> {
    Ok(format!(
        "titre de recette n° {} de {} : {}, {} sur {} restent à recouvrer\n{}",
        recovery.number,
        recovery.budget_year,
        state_of(recovery.state()),
        money(recovery.outstanding_amount.as_ref())?.french(),
        money(recovery.amount.as_ref())?.french(),
        recovery.name,
    ))
}

const fn cause(cause: RecoveryCause) -> &'static str {
    match cause {
        RecoveryCause::Unspecified => "",
        RecoveryCause::Termination => "résiliation",
        RecoveryCause::RepublicanCommitment => "contrat d'engagement républicain",
        RecoveryCause::Overpayment => "trop-versé",
        RecoveryCause::Decision => "décision",
    }
}

const fn state_of(state: RecoveryState) -> &'static str {
    match state {
        RecoveryState::Unspecified => "",
        RecoveryState::Issued => "émis",
        RecoveryState::Notified => "notifié",
        RecoveryState::PartlyRecovered => "recouvré en partie",
        RecoveryState::Recovered => "recouvré",
        RecoveryState::WrittenOff => "admis en non-valeur",
        RecoveryState::Offset => "compensé",
        RecoveryState::Cancelled => "annulé",
    }
}
