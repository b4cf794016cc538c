//! The file of a slip: for a public accountant a PES_Aller, for a bank its transfers.

use nonrecours_kernel::{BudgetYear, Warning};
use nonrecours_pes::{self as pes, SlipKind};
use nonrecours_sepa as sepa;

use super::{
    address::postal,
    domain::{Order, Slip},
    issue::{NotIssued, Posting, Ready, Terms},
};
use crate::{
    bank_account::Details,
    instalment::{Schedule, SupportingDocument},
    posting_codes::BudgetCodes,
};

/// A file, with its name and what had to be cut in it.
pub(crate) struct File {
    pub name: String,
    pub content: Vec<u8>,
    pub warnings: Vec<Warning>,
}

/// For a public accountant.
pub(super) fn flow(
    terms: &Terms<'_>,
    number: i32,
    budget: &BudgetCodes,
    ready: &[Ready<'_, Posting<'_>>],
) -> Result<File, NotIssued> {
    let name = format!("{}_{number:07}.xml", flow_prefix(budget, terms.budget_year));
    let slip = pes::Slip {
        budget_year: terms.budget_year,
        number: number.unsigned_abs(),
        date: terms.today,
        kind: SlipKind::Ordinary,
        pieces: ready.iter().map(|one| one.piece(budget)).collect(),
    };
    written(terms, budget, name, slip)
}

/// What the names of a budget's files of a year begin with.
pub(crate) fn flow_prefix(codes: &BudgetCodes, year: BudgetYear) -> String {
    let (siret, office) = (codes.authority_siret, &codes.posting_office);
    let (collectivity, budget) = (&codes.collectivity_code, &codes.budget_code);
    format!("PESALR2_{siret}_{office}{collectivity}{budget}_{year}")
}

/// The file of one slip for a public accountant.
pub(crate) fn written(
    terms: &Terms<'_>,
    budget: &BudgetCodes,
    name: String,
    slip: pes::Slip,
) -> Result<File, NotIssued> {
    let flow = pes::Flow {
        file_name: name.clone(),
        date: terms.today,
        authority: pes::Authority {
            posting_office: budget.posting_office.clone(),
            siret: budget.authority_siret,
            collectivity_code: budget.collectivity_code.clone(),
            budget_code: budget.budget_code.clone(),
        },
        slips: vec![slip],
    };
    let written = pes::write(&flow).map_err(NotIssued::File)?;
    Ok(File {
        name,
        content: written.file,
        warnings: written.warnings,
    })
}

/// Who is paid, and where.
pub(crate) fn payee(schedule: &Schedule, account: &Details, posting: &Posting<'_>) -> pes::Payee {
    let Posting { third_party, codes } = posting;
    pes::Payee {
        siret: third_party.siret,
        category: codes.third_party_category.clone(),
        legal_nature: codes.legal_nature.clone(),
        name: schedule.payee.legal_name.clone(),
        address: third_party.address.as_deref().and_then(postal),
        account: pes::Account {
            iban: account.iban.clone(),
            bic: account.bic.clone(),
            holder: account.holder.clone(),
        },
    }
}

impl Ready<'_, Posting<'_>> {
    fn piece(&self, budget: &BudgetCodes) -> pes::Piece {
        let plan = &self.schedule.plan;
        let kind = self.instalment.kind.french();
        let account = &self.ordered.certified.account.details;
        pes::Piece {
            id: self.piece.to_string(),
            object: format!("{} - {kind}", plan.title),
            documents: self
                .instalment
                .documents
                .iter()
                .filter(|document| !document.withdrawn)
                .map(SupportingDocument::listed)
                .collect(),
            lines: vec![pes::Line {
                nature: self.posting.codes.nature.clone(),
                function: budget.function_code.clone(),
                label: format!("{} - {kind} {}", plan.title, plan.budget_year),
                amount: self.instalment.amount,
                corrects: None,
                payee: payee(self.schedule, account, &self.posting),
            }],
        }
    }
}

/// For a bank: to be paid today, or on the next day on which it pays.
pub(super) fn transfers(
    terms: &Terms<'_>,
    number: i32,
    debtor: &Details,
    ready: &[Ready<'_, ()>],
) -> Result<File, NotIssued> {
    let message_id = Slip::message_id(&terms.name);
    let name = format!("PAIN001_{}_{number:07}_{message_id}.xml", terms.budget_year);
    let order = sepa::Order {
        message_id,
        create_time: terms.now,
        debtor: account(debtor),
        execution_date: terms.today,
        transfers: ready.iter().map(|one| one.transfer(number)).collect(),
    };
    let written = sepa::write(&order).map_err(NotIssued::File)?;
    Ok(File {
        name,
        content: written.file,
        warnings: written.warnings,
    })
}

fn account(details: &Details) -> sepa::Account {
    sepa::Account {
        name: details.holder.clone(),
        iban: details.iban.clone(),
        bic: details.bic.clone(),
    }
}

impl Ready<'_, ()> {
    fn transfer(&self, slip: i32) -> sepa::Transfer {
        let plan = &self.schedule.plan;
        let kind = self.instalment.kind.french();
        let (year, piece) = (plan.budget_year, self.piece);
        sepa::Transfer {
            end_to_end_id: Order::end_to_end_id(&self.instalment.name, self.attempt),
            amount: self.instalment.amount,
            creditor: account(&self.ordered.certified.account.details),
            // The numbers first: a long title is cut.
            remittance: format!(
                "Mandat {piece} bordereau {slip} - {kind} {year} - {}",
                plan.title
            ),
        }
    }
}
