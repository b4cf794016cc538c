//! Recoveries as protobuf.

use nonrecours_contracts::payments as wire;
use nonrecours_kernel::ProgrammeName;
use nonrecours_rpc::{
    convert::{to_date, to_money, to_timestamp},
    etag,
};

use super::{Act, ActKind, Breach, Cause, Recovery, State};
use crate::instalment::wire::step;

impl From<&Recovery> for wire::Recovery {
    fn from(recovery: &Recovery) -> Self {
        let notification = recovery.notification.as_ref();
        let breach = match &recovery.cause {
            Cause::RepublicanCommitment(breach) => Some(wire::BreachCalculation::from(breach)),
            Cause::Termination | Cause::Overpayment | Cause::Decision => None,
        };
        Self {
            name: recovery.name.to_string(),
            programme: ProgrammeName {
                programme: recovery.programme,
            }
            .to_string(),
            budget_year: i32::from(recovery.budget_year.get()),
            number: recovery.number,
            cause: wire::RecoveryCause::from(&recovery.cause).into(),
            amount: Some(to_money(recovery.amount)),
            outstanding_amount: Some(to_money(recovery.outstanding())),
            state: wire::RecoveryState::from(recovery.state()).into(),
            breach,
            issue_date: Some(to_date(recovery.issue_date)),
            issue: Some(step(&recovery.issue)),
            notification_date: notification.map(|notification| to_date(notification.date)),
            notification: notification.map(|notification| step(&notification.step)),
            acts: recovery.acts.iter().map(wire::RecoveryAct::from).collect(),
            revision: recovery.revision,
            create_time: Some(to_timestamp(recovery.create_time)),
            update_time: Some(to_timestamp(recovery.update_time)),
            etag: etag::of(recovery.revision),
        }
    }
}

impl From<&Breach> for wire::BreachCalculation {
    fn from(breach: &Breach) -> Self {
        // A period is a few years at most.
        let days = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
        Self {
            decision_reference: breach.decision.clone(),
            breach_date: Some(to_date(breach.date)),
            kept_amount: Some(to_money(breach.kept)),
            remaining_days: days(breach.remaining_days),
            period_days: days(breach.period_days),
        }
    }
}

impl From<&Act> for wire::RecoveryAct {
    fn from(act: &Act) -> Self {
        let kind = match act.kind {
            ActKind::Receipt => wire::RecoveryActKind::Receipt,
            ActKind::Offset => wire::RecoveryActKind::Offset,
            ActKind::WriteOff => wire::RecoveryActKind::WriteOff,
            ActKind::Reduction => wire::RecoveryActKind::Reduction,
        };
        Self {
            kind: kind.into(),
            amount: Some(to_money(act.amount)),
            act_date: Some(to_date(act.date)),
            reference: act.reference.clone(),
            instalment: act
                .instalment
                .map(|name| name.to_string())
                .unwrap_or_default(),
            step: Some(step(&act.step)),
        }
    }
}

impl From<&Cause> for wire::RecoveryCause {
    fn from(cause: &Cause) -> Self {
        match cause {
            Cause::Termination => Self::Termination,
            Cause::RepublicanCommitment(_) => Self::RepublicanCommitment,
            Cause::Overpayment => Self::Overpayment,
            Cause::Decision => Self::Decision,
        }
    }
}

impl From<State> for wire::RecoveryState {
    fn from(state: State) -> Self {
        match state {
            State::Issued => Self::Issued,
            State::Notified => Self::Notified,
            State::PartlyRecovered => Self::PartlyRecovered,
            State::Recovered => Self::Recovered,
            State::WrittenOff => Self::WrittenOff,
            State::Offset => Self::Offset,
            State::Cancelled => Self::Cancelled,
        }
    }
}
