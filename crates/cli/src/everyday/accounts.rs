//! Bank accounts of operators: entered, looked at, approved, revoked.

use clap::Subcommand;
use nonrecours_contracts::payments::{
    AccountDetails, ApproveBankAccountRequest, BankAccount, BankAccountState,
    EnterBankAccountRequest, ListBankAccountsRequest, RevokeBankAccountRequest,
};
use nonrecours_kernel::Role;

use super::{MAX_PAGES, PAGE, ask, request_id};
use crate::{ask::client_as, print, state::State};

/// What is done with bank accounts.
#[derive(Clone, Debug, Subcommand)]
pub enum Accounts {
    /// List the accounts of an operator, with what is unusual about them.
    List {
        /// `operators/{operator}`, or `operators/-` for all.
        #[arg(default_value = "operators/-")]
        operator: String,
    },
    /// Enter an account from its RIB, as the operator's manager.
    Enter {
        /// `operators/{operator}`.
        operator: String,
        /// IBAN.
        #[arg(long)]
        iban: String,
        /// BIC.
        #[arg(long)]
        bic: String,
        /// Holder's name.
        #[arg(long)]
        holder: String,
        /// The RIB: `operators/{operator}/conventions/{convention}/attachments/{attachment}`.
        #[arg(long, default_value = "")]
        rib: String,
    },
    /// Approve an account after looking at its RIB, as a programme officer.
    Approve {
        /// `operators/{operator}/bankAccounts/{bank_account}`.
        name: String,
    },
    /// Say that nothing more is to be paid on an account.
    Revoke {
        /// `operators/{operator}/bankAccounts/{bank_account}`.
        name: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Does it, and says what came of it.
pub async fn run(state: &State, command: Accounts) -> anyhow::Result<String> {
    let officer =
        || Ok::<_, anyhow::Error>(client_as(state, Role::ProgrammeOfficer)?.bank_accounts());
    let account = match command {
        Accounts::List { operator } => return list(state, &operator).await,
        Accounts::Enter {
            operator,
            iban,
            bic,
            holder,
            rib,
        } => {
            let request = EnterBankAccountRequest {
                parent: operator,
                details: Some(AccountDetails {
                    iban,
                    bic,
                    holder,
                    warnings: Vec::new(),
                }),
                rib,
                request_id: request_id(),
            };
            let manager = client_as(state, Role::OperatorManager)?.bank_accounts();
            ask!(manager, enter_bank_account, request)?
        }
        Accounts::Approve { name } => {
            let request = ApproveBankAccountRequest {
                name,
                etag: String::new(),
                request_id: request_id(),
            };
            ask!(officer()?, approve_bank_account, request)?
        }
        Accounts::Revoke { name, reason } => {
            let request = RevokeBankAccountRequest {
                name,
                reason,
                etag: String::new(),
                request_id: request_id(),
            };
            ask!(officer()?, revoke_bank_account, request)?
        }
    };
    let mut said = format!("{} : {}", account.name, shown(&account));
    for warning in warnings(&account) {
        said.push_str(&format!("\nattention : {warning}"));
    }
    Ok(said)
}

async fn list(state: &State, operator: &str) -> anyhow::Result<String> {
    let accounts = client_as(state, Role::ProgrammeOfficer)?.bank_accounts();
    let mut table = print::table(&["compte", "IBAN", "titulaire", "état", "attention"]);
    let mut page_token = String::new();
    for _ in 0..MAX_PAGES {
        let request = ListBankAccountsRequest {
            parent: operator.to_owned(),
            page_size: PAGE,
            page_token,
        };
        let page = ask!(accounts.clone(), list_bank_accounts, request)?;
        for account in &page.bank_accounts {
            let details = account.details.clone().unwrap_or_default();
            table.add_row([
                account.name.clone(),
                details.iban,
                details.holder,
                shown(account),
                warnings(account).join("\n"),
            ]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(table.to_string())
}

fn warnings(account: &BankAccount) -> Vec<String> {
    let details = account.details.iter();
    let warnings = details.flat_map(|details| &details.warnings);
    warnings.map(|warning| warning.message_fr.clone()).collect()
}

fn shown(account: &BankAccount) -> String {
    let who = |step: Option<&nonrecours_contracts::payments::Step>| {
        step.map_or_else(String::new, |step| step.actor_name.clone())
    };
    match account.state() {
        BankAccountState::Unspecified => String::new(),
        BankAccountState::Entered => {
            format!("à approuver, saisi par {}", who(account.entry.as_ref()))
        }
        BankAccountState::Approved => format!("approuvé par {}", who(account.approval.as_ref())),
        BankAccountState::Superseded => "remplacé".to_owned(),
        BankAccountState::Revoked => format!("révoqué : {}", account.revoke_reason),
    }
}
