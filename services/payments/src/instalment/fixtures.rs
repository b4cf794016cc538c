//! The convention of the demonstration, as values: 11 500 € of 2025 in 80 % and 20 %.

use std::sync::Arc;

use nonrecours_kernel::{
    AttachmentId, AttachmentName, BankAccountId, BudgetYear, ConventionId, ConventionName, Digest,
    IdSource, ManualClock, Money, OperatorId, paris_date,
};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::{
    Command, Destination, DocumentKind, Kind, Requirements, Schedule, Source, Step,
    SupportingDocument,
};
use crate::{
    bank_account::{Details, Standing},
    known_file::FileName,
    payment_plan::{Agreement, Measures, Payee},
};

pub(crate) const NOW: OffsetDateTime = datetime!(2025-10-07 09:00 UTC);
const OPERATOR: OperatorId = OperatorId::from_uuid(Uuid::from_u128(1));

pub(crate) fn agreement() -> Agreement {
    Agreement {
        convention: ConventionName {
            operator: OPERATOR,
            convention: ConventionId::from_uuid(Uuid::from_u128(2)),
        },
        revision: 7,
        title: "Convention de partenariat 2025".to_owned(),
        budget_year: BudgetYear::new(2025).unwrap(),
        grant: Money::from_cents(1_150_000),
        terms: vec![
            (Kind::Advance, Money::from_cents(920_000)),
            (Kind::Balance, Money::from_cents(230_000)),
        ],
        advance_without_call: false,
        actions_completed: false,
        measures: Measures::default(),
        period: None,
    }
}

pub(crate) fn payee() -> Payee {
    Payee {
        operator: OPERATOR,
        legal_name: "Commune de Dainville".to_owned(),
        siren: "216202630".parse().unwrap(),
        is_public: true,
    }
}

pub(crate) fn details() -> Details {
    Details {
        iban: "FR90 3000 1001 52D6 2000 0000 041".parse().unwrap(),
        bic: "BDFEFRPPCCT".parse().unwrap(),
        holder: "COMMUNE DE DAINVILLE".to_owned(),
    }
}

/// The account of these details, approved.
pub(crate) fn account() -> Destination {
    Destination {
        details: details(),
        account: Some(BankAccountId::from_uuid(Uuid::from_u128(3))),
        standing: Standing::Approved,
    }
}

/// A document of this kind, the same each time.
pub(crate) fn document(kind: DocumentKind) -> SupportingDocument {
    let attachment = AttachmentName {
        operator: OPERATOR,
        convention: agreement().convention.convention,
        attachment: AttachmentId::from_uuid(Uuid::from_u128(100 + kind as u128)),
    };
    SupportingDocument {
        kind,
        source: Source::File(FileName::Attachment(attachment)),
        file_name: format!("{}.pdf", kind.code()),
        digest: Digest::of(kind.code().as_bytes()),
        withdrawn: false,
    }
}

/// All that a payment may need.
pub(crate) fn documents() -> Vec<SupportingDocument> {
    DocumentKind::ALL.map(document).to_vec()
}

pub(crate) fn schedule(agreement: &Agreement) -> Schedule {
    let ids = IdSource::seeded(Arc::new(ManualClock::at(NOW)), 1);
    let (plan, instalments) = agreement.open(&ids, NOW).unwrap();
    Schedule {
        plan,
        payee: payee(),
        requirements: Requirements::default(),
        instalments,
    }
}

pub(crate) fn step(actor: &str, time: OffsetDateTime) -> Step {
    Step {
        actor: actor.to_owned(),
        actor_name: format!("M. {actor}"),
        time,
    }
}

pub(crate) const CERTIFY: Command = Command::Certify {
    account: None,
    documents: Vec::new(),
};

pub(crate) fn call() -> Command {
    Command::Call {
        reference: "2025-114".to_owned(),
        account: account(),
        documents: documents(),
    }
}

/// A transfer made on the first day.
pub(crate) fn confirm() -> Command {
    Command::Confirm {
        transfer_date: paris_date(NOW),
    }
}

/// Takes an instalment through this many of its four steps, each by its own person.
pub(crate) fn advance(schedule: &mut Schedule, index: usize, steps: usize) {
    let commands = [call(), CERTIFY, Command::Order, confirm()];
    let actors = ["manager", "officer", "orderer", "accountant"];
    for (command, actor) in commands.into_iter().zip(actors).take(steps) {
        let next = schedule
            .take(&schedule.instalments[index], command, step(actor, NOW))
            .unwrap();
        if next.state.paid().is_some() {
            let (plan, planned) = (schedule.plan.clone(), schedule.planned().unwrap());
            schedule.plan = plan.pay(next.amount, planned, NOW).unwrap();
        }
        schedule.instalments[index] = next;
    }
}
