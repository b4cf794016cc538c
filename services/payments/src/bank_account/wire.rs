//! Bank accounts as protobuf.

use nonrecours_contracts::payments as wire;
use nonrecours_kernel::Warning;
use nonrecours_rpc::{
    convert::{to_timestamp, to_warning},
    etag,
};

use super::{BankAccount, Details, Standing};
use crate::{instalment::wire::step, payment_plan::Payee};

/// The field of the message that carries the account.
const DETAILS: &str = "details";

/// An account as those who may see it do.
pub fn account(account: &BankAccount, payee: &Payee) -> wire::BankAccount {
    let warnings = account.details.warnings(DETAILS, payee);
    wire::BankAccount {
        details: Some(to_details(&account.details, &warnings)),
        ..change(account)
    }
}

/// The view for the change feed: without the account itself, which is nobody's business but the parties'.
pub fn change(account: &BankAccount) -> wire::BankAccount {
    let state = &account.state;
    wire::BankAccount {
        name: account.name.to_string(),
        details: None,
        rib: account.rib.map(|rib| rib.to_string()).unwrap_or_default(),
        state: wire::BankAccountState::from(state.standing()).into(),
        entry: Some(step(&account.entry)),
        approval: state.approval().map(step),
        ending: state.ending().map(step),
        revoke_reason: state.revoke_reason().unwrap_or_default().to_owned(),
        revision: account.revision,
        create_time: Some(to_timestamp(account.entry.time)),
        update_time: Some(to_timestamp(account.update_time)),
        etag: etag::of(account.revision),
    }
}

/// What a RIB says, with what is unusual about it.
pub fn to_details(details: &Details, warnings: &[Warning]) -> wire::AccountDetails {
    wire::AccountDetails {
        iban: details.iban.to_string(),
        bic: details.bic.to_string(),
        holder: details.holder.clone(),
        warnings: warnings.iter().map(to_warning).collect(),
    }
}

impl From<Standing> for wire::BankAccountState {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Entered => Self::Entered,
            Standing::Approved => Self::Approved,
            Standing::Superseded => Self::Superseded,
            Standing::Revoked => Self::Revoked,
        }
    }
}
