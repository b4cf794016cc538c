//! Instalments between protobuf and the domain.

use nonrecours_contracts::payments as wire;
use nonrecours_kernel::{Invalid, screen};
use nonrecours_rpc::{
    Check,
    convert::{to_blocker, to_date, to_money, to_timestamp, to_warning},
    etag,
};

use super::{BankAccount, Instalment, Kind, RecoveryStage, Schedule, Stage, State, Step};

/// An instalment as its readers see it, with what its schedule says of it.
pub fn instalment(schedule: &Schedule, instalment: &Instalment) -> wire::Instalment {
    let bank_account = instalment.state.account().map(|account| {
        let warnings = account.warnings(&schedule.payee);
        wire::BankAccount {
            iban: account.iban.to_string(),
            bic: account.bic.to_string(),
            holder: account.holder.clone(),
            warnings: warnings.iter().map(to_warning).collect(),
        }
    });
    wire::Instalment {
        bank_account,
        ..change(schedule, instalment)
    }
}

/// The view for the change feed: without the bank account, which is nobody's business but the parties'.
pub fn change(schedule: &Schedule, instalment: &Instalment) -> wire::Instalment {
    let state = &instalment.state;
    let call = state.call();
    let blockers = schedule.blockers(instalment);
    let recovering = schedule.recovering(instalment);
    wire::Instalment {
        name: instalment.name.to_string(),
        kind: wire::InstalmentKind::from(instalment.kind).into(),
        position: i32::from(instalment.position),
        amount: Some(to_money(instalment.amount)),
        state: wire::InstalmentState::from(state.stage()).into(),
        blockers: blockers.iter().map(to_blocker).collect(),
        bank_account: None,
        call: call.map(|call| step(&call.step)),
        call_reference: call.map(|call| call.reference.clone()).unwrap_or_default(),
        certification: state.certified().map(|state| step(&state.certification)),
        order: state.ordered().map(|state| step(&state.order)),
        confirmation: state.paid().map(|state| step(&state.confirmation)),
        transfer_date: state.paid().map(|state| to_date(state.transfer_date)),
        revision: instalment.revision,
        create_time: Some(to_timestamp(instalment.create_time)),
        update_time: Some(to_timestamp(instalment.update_time)),
        etag: etag::of(instalment.revision),
        to_recover_amount: recovering.map(|recovering| to_money(recovering.amount)),
        recovery_state: recovering.map_or(0, |recovering| {
            wire::InstalmentRecoveryState::from(recovering.stage).into()
        }),
        cancel_time: match state {
            State::Cancelled { time, .. } => Some(to_timestamp(*time)),
            _ => None,
        },
    }
}

/// A step with who made it.
pub fn step(step: &Step) -> wire::Step {
    wire::Step {
        actor: step.actor.clone(),
        actor_name: step.actor_name.clone(),
        time: Some(to_timestamp(step.time)),
    }
}

impl From<Kind> for wire::InstalmentKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Advance => Self::Advance,
            Kind::Interim => Self::Interim,
            Kind::Balance => Self::Balance,
        }
    }
}

impl From<RecoveryStage> for wire::InstalmentRecoveryState {
    fn from(stage: RecoveryStage) -> Self {
        match stage {
            RecoveryStage::ToRecover => Self::ToRecover,
            RecoveryStage::Issued => Self::RecoveryIssued,
            RecoveryStage::Recovered => Self::Recovered,
        }
    }
}

impl From<Stage> for wire::InstalmentState {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Planned => Self::Planned,
            Stage::Called => Self::Called,
            Stage::Certified => Self::Certified,
            Stage::Ordered => Self::Ordered,
            Stage::Paid => Self::Paid,
            Stage::Cancelled => Self::Cancelled,
        }
    }
}

/// Reads a RIB; every fault of it is noted. None when it is absent or faulty.
pub fn bank_account(check: &mut Check, account: Option<&wire::BankAccount>) -> Option<BankAccount> {
    let account = account?;
    let iban = check.parse("bank_account.iban", &account.iban);
    let bic = check.parse("bank_account.bic", &account.bic);
    let holder = text(check, "bank_account.holder", &account.holder);
    Some(BankAccount {
        iban: iban?,
        bic: bic?,
        holder: holder?,
    })
}

/// Reads a short text: trimmed, not blank, without a social security number.
pub fn text(check: &mut Check, path: &str, value: &str) -> Option<String> {
    let value = value.trim();
    let read = if value.is_empty() {
        Err(Invalid::new(
            "REQUIRED",
            "this field is needed",
            "ce champ est obligatoire",
        ))
    } else {
        screen(value).map(|()| value.to_owned())
    };
    check.take(path, read)
}
