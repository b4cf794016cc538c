//! Slips as protobuf.

use nonrecours_contracts::payments as wire;
use nonrecours_rpc::{
    convert::{to_date, to_money, to_timestamp, to_warning},
    etag,
};

use super::domain::{Kind, Order, Payer, Slip, Stage};
use crate::correction::Correction;

impl From<&Slip> for wire::Slip {
    fn from(slip: &Slip) -> Self {
        Self {
            name: slip.name.to_string(),
            budget_year: i32::from(slip.budget_year.get()),
            number: slip.number,
            issue_date: Some(to_date(slip.issue_date)),
            amount: Some(to_money(slip.amount)),
            orders: slip
                .orders
                .iter()
                .map(|order| to_order(slip.payer, order))
                .collect(),
            kind: wire::SlipKind::from(slip.kind).into(),
            corrections: slip.corrections.iter().map(to_correction).collect(),
            channel: wire::PaymentChannel::from(slip.payer).into(),
            file_name: slip.file_name.clone(),
            posting_codes_version: slip.posting_codes_version,
            warnings: slip.warnings.iter().map(to_warning).collect(),
            issuer: slip.issuer.clone(),
            revision: slip.revision,
            create_time: Some(to_timestamp(slip.create_time)),
            update_time: Some(to_timestamp(slip.update_time)),
            etag: etag::of(slip.revision),
        }
    }
}

fn to_order(payer: Payer, order: &Order) -> wire::SlipOrder {
    let reference = || Order::end_to_end_id(&order.instalment, order.attempt);
    wire::SlipOrder {
        instalment: order.instalment.to_string(),
        piece: order.piece,
        amount: Some(to_money(order.amount)),
        state: wire::SlipOrderState::from(order.stage).into(),
        reason_code: order.reason.code.clone(),
        reason_text: order.reason.text.clone(),
        payment_date: order.payment_date.map(to_date),
        end_to_end_id: match payer {
            Payer::Accountant => String::new(),
            Payer::Bank => reference(),
        },
        return_date: order.return_date.map(to_date),
        reduced_amount: order.reduced.is_positive().then(|| to_money(order.reduced)),
        returned_amount: order
            .returned
            .is_positive()
            .then(|| to_money(order.returned)),
    }
}

fn to_correction(correction: &Correction) -> wire::SlipCorrection {
    let acceptance = correction.acceptance.as_ref();
    let (instalment, _) = &correction.order;
    wire::SlipCorrection {
        instalment: instalment.to_string(),
        corrected_piece: correction.corrected_piece,
        piece: correction.piece,
        amount: Some(to_money(correction.amount)),
        cancels: correction.cancels,
        motive: correction.motive.clone(),
        state: wire::SlipOrderState::from(correction.stage).into(),
        reason_code: correction.reason.code.clone(),
        reason_text: correction.reason.text.clone(),
        acceptor: acceptance.map(|one| one.actor.clone()).unwrap_or_default(),
        acceptance_time: acceptance.map(|one| to_timestamp(one.time)),
    }
}

impl From<Kind> for wire::SlipKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Ordinary => Self::Ordinary,
            Kind::Correction => Self::Correction,
        }
    }
}

impl From<Payer> for wire::PaymentChannel {
    fn from(payer: Payer) -> Self {
        match payer {
            Payer::Accountant => Self::Accountant,
            Payer::Bank => Self::Bank,
        }
    }
}

impl From<Stage> for wire::SlipOrderState {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Transmitted => Self::Transmitted,
            Stage::Acknowledged => Self::Acknowledged,
            Stage::FlowRejected => Self::FlowRejected,
            Stage::Pending => Self::Pending,
            Stage::TakenInCharge => Self::TakenInCharge,
            Stage::Rejected => Self::Rejected,
            Stage::Paid => Self::Paid,
            Stage::Cancelled => Self::Cancelled,
        }
    }
}
