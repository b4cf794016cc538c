//! Receivables as protobuf.

use nonrecours_contracts::payments as wire;
use nonrecours_kernel::StateFundingName;
use nonrecours_rpc::{
    convert::{to_date, to_money, to_timestamp},
    etag,
};

use super::{Receipt, ReceiptKind, StateReceivable, verify::Verification};
use crate::{instalment::wire::step, ledger_entry::rpc::balance};

impl From<&StateReceivable> for wire::StateReceivable {
    fn from(receivable: &StateReceivable) -> Self {
        let terms = &receivable.terms;
        let funding = StateFundingName {
            programme: receivable.name.programme,
            state_funding: receivable.name.state_receivable,
        };
        let parts = terms.parts().into_iter().zip(receivable.received_by_part());
        let instalments = parts.filter(|((_, part), _)| !part.amount.is_zero());
        let outstanding = receivable
            .booked
            .due
            .checked_sub(receivable.booked.received);
        Self {
            name: receivable.name.to_string(),
            state_funding: funding.to_string(),
            budget_year: i32::from(terms.budget_year.get()),
            agreement_reference: terms.agreement_reference.clone(),
            grant_amount: Some(to_money(terms.grant())),
            due_amount: Some(to_money(receivable.booked.due)),
            received_amount: Some(to_money(receivable.booked.received)),
            outstanding_amount: outstanding.map(to_money),
            instalments: instalments
                .map(|((kind, part), received)| wire::ReceivableInstalment {
                    kind: wire::InstalmentKind::from(kind).into(),
                    amount: Some(to_money(part.amount)),
                    expected_date: Some(to_date(part.expected)),
                    due: receivable.is_due(kind),
                    received_amount: Some(to_money(received)),
                })
                .collect(),
            receipts: receivable
                .receipts
                .iter()
                .map(wire::StateReceipt::from)
                .collect(),
            report_sent_date: receivable.report_sent.map(to_date),
            revision: receivable.revision,
            create_time: Some(to_timestamp(receivable.create_time)),
            update_time: Some(to_timestamp(receivable.update_time)),
            etag: etag::of(receivable.revision),
        }
    }
}

impl From<&Receipt> for wire::StateReceipt {
    fn from(receipt: &Receipt) -> Self {
        let (evidence, reason) = match &receipt.kind {
            ReceiptKind::Received(evidence) => {
                let evidence = wire::ReceiptEvidence {
                    file_name: evidence.file_name.clone(),
                    sha256: evidence.digest.to_string(),
                };
                (Some(evidence), String::new())
            }
            ReceiptKind::Reversal { reason, .. } => (None, reason.clone()),
        };
        Self {
            reversal: evidence.is_none(),
            amount: Some(to_money(receipt.amount)),
            receipt_date: Some(to_date(receipt.date)),
            reference: receipt.reference.clone(),
            evidence,
            reason,
            step: Some(step(&receipt.step)),
        }
    }
}

/// The books of a receivable, verified.
pub fn verified(
    receivable: &StateReceivable,
    verification: Verification,
) -> wire::StateReceivableVerification {
    let discrepancies = verification.discrepancies.into_iter();
    wire::StateReceivableVerification {
        state_receivable: receivable.name.to_string(),
        entry_count: verification.entries,
        balances: verification.balances.into_iter().map(balance).collect(),
        discrepancies: discrepancies.map(wire::Discrepancy::from).collect(),
    }
}
