//! An order that the accountant has taken in charge, taken back as a whole or in part.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use nonrecours_contracts::payments::{
    ExportSlipRequest, IssueCorrectionSlipRequest, OrderCorrection,
};
use nonrecours_kernel::{Money, Role};
use nonrecours_rpc::convert::{money, to_money};

use super::{ask, request_id};
use crate::{ask::client_as, state::State};

/// A correction of one order.
#[derive(Clone, Debug, Args)]
pub struct Correction {
    /// `programmes/{programme}`.
    pub programme: String,
    /// Budget year of the order.
    pub year: i32,
    /// `operators/{operator}/conventions/{convention}/instalments/{instalment}`.
    pub instalment: String,
    /// By how much the order is reduced, e.g. 200.00; absent: it is cancelled.
    #[arg(long)]
    pub reduction: Option<String>,
    /// Why; it stands in the file.
    #[arg(long)]
    pub motive: String,
    /// Folder of the file.
    #[arg(long, default_value = ".")]
    pub folder: PathBuf,
}

/// Puts the correction into a slip of its own, and writes its file; the text that it prints.
pub async fn run(state: &State, command: Correction) -> anyhow::Result<String> {
    let slips = client_as(state, Role::AuthorisingOfficer)?.slips();
    let reduction = command.reduction.as_deref().map(Money::parse).transpose();
    let reduction = reduction.map_err(|invalid| anyhow::anyhow!("{}", invalid.text.fr))?;
    let request = IssueCorrectionSlipRequest {
        parent: command.programme,
        budget_year: command.year,
        corrections: vec![OrderCorrection {
            instalment: command.instalment,
            reduction: reduction.map(to_money),
            motive: command.motive,
        }],
        request_id: request_id(),
    };
    let slip = ask!(slips.clone(), issue_correction_slip, request)?;
    let name = slip.name.clone();
    let file = ask!(slips, export_slip, ExportSlipRequest { name })?;
    let path = write(&command.folder, &file.file_name, &file.content)?;
    let mut said = format!(
        "Bordereau d'annulation n° {} de l'exercice {}",
        slip.number, slip.budget_year
    );
    for one in &slip.corrections {
        let what = if one.cancels { "annulé" } else { "réduit" };
        let amount = money(one.amount.as_ref())?.french();
        said.push_str(&format!(
            "\nmandat {} {what} de {amount} par la pièce {}, sans effet avant la prise en charge",
            one.corrected_piece, one.piece
        ));
    }
    for warning in &slip.warnings {
        said.push_str(&format!(
            "\nattention, {} : {}",
            warning.field, warning.message_fr
        ));
    }
    Ok(format!("{said}\nfichier : {}", path.display()))
}

fn write(folder: &Path, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, content)
        .with_context(|| format!("impossible d'écrire {}", path.display()))?;
    Ok(path)
}
