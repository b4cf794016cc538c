//! The file of a slip of corrections: a PES_Aller whose pieces refer to the orders that they take back.

use nonrecours_pes::{self as pes, SlipKind};

use super::issue::Ready;
use crate::{
    posting_codes::BudgetCodes,
    slip::{
        NotIssued, Terms,
        file::{File, flow_prefix, payee, written},
    },
};

/// The one line of an order.
const LINE: u32 = 1;

/// The file of these corrections.
pub(super) fn flow(
    terms: &Terms<'_>,
    number: i32,
    budget: &BudgetCodes,
    ready: &[Ready<'_>],
) -> Result<File, NotIssued> {
    let name = format!(
        "{}_C{number:07}.xml",
        flow_prefix(budget, terms.budget_year)
    );
    let slip = pes::Slip {
        budget_year: terms.budget_year,
        number: number.unsigned_abs(),
        date: terms.today,
        kind: SlipKind::Correction,
        pieces: ready.iter().map(|one| one.piece(terms, budget)).collect(),
    };
    written(terms, budget, name, slip)
}

impl Ready<'_> {
    fn piece(&self, terms: &Terms<'_>, budget: &BudgetCodes) -> pes::Piece {
        let (plan, correction) = (&self.schedule.plan, &self.correction);
        let kind = self.instalment.kind.french();
        let what = if correction.cancels {
            "Annulation"
        } else {
            "Réduction"
        };
        let (of, motive) = (correction.corrected_piece, &correction.motive);
        pes::Piece {
            id: correction.piece.to_string(),
            object: format!("{what} du mandat {of} : {motive}"),
            documents: Vec::new(),
            lines: vec![pes::Line {
                nature: self.posting.codes.nature.clone(),
                function: budget.function_code.clone(),
                label: format!("{what} mandat {of} - {} - {kind}", plan.title),
                amount: correction.amount,
                corrects: Some(pes::Corrected {
                    budget_year: terms.budget_year,
                    piece: of.to_string(),
                    line: LINE,
                }),
                payee: payee(self.schedule, self.account, &self.posting),
            }],
        }
    }
}
