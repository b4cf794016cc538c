//! Orders to the accountant or the bank and back: a slip made with its file, a file of theirs taken.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use nonrecours_contracts::payments::{
    ExportSlipRequest, IssueSlipRequest, ListPaymentDifferencesRequest, PaymentChannel,
    PushReturnFileRequest, ReturnFileOpening, Slip, SlipOrder, SlipOrderState,
    push_return_file_request::Message,
};
use nonrecours_kernel::{IdSource, Role, SystemClock};
use nonrecours_rpc::convert::money;

use crate::{ask::client_as, ask::in_french, client::answered, print, state::State};

/// Bytes of a file sent at once.
const CHUNK: usize = 256 * 1024;
/// Differences shown.
const DIFFERENCES: i32 = 200;

/// Puts ordered instalments into a slip, prints it, and writes its file into a folder.
pub async fn make_slip(
    state: &State,
    programme: &str,
    year: i32,
    instalments: &[String],
    folder: &Path,
) -> anyhow::Result<()> {
    let slips = client_as(state, Role::AuthorisingOfficer)?.slips();
    let ids = IdSource::new(Arc::new(SystemClock));
    let request = IssueSlipRequest {
        parent: programme.to_owned(),
        budget_year: year,
        instalments: instalments.to_vec(),
        request_id: ids.next::<()>().to_string(),
    };
    let slip = answered(|| {
        let (mut slips, request) = (slips.clone(), request.clone());
        async move { slips.issue_slip(request).await }
    })
    .await
    .map_err(in_french)?;
    let export = ExportSlipRequest {
        name: slip.name.clone(),
    };
    let file = answered(|| {
        let (mut slips, export) = (slips.clone(), export.clone());
        async move { slips.export_slip(export).await }
    })
    .await
    .map_err(in_french)?;
    let path = folder.join(&file.file_name);
    std::fs::write(&path, &file.content)
        .with_context(|| format!("impossible d'écrire {}", path.display()))?;
    println!(
        "Bordereau n° {} de l'exercice {}, {}{}",
        slip.number,
        slip.budget_year,
        money(slip.amount.as_ref())?.french(),
        paid_by(&slip)
    );
    let mut table = print::table(&["mandat", "échéance", "montant", "état"]);
    for order in &slip.orders {
        table.add_row([
            order.piece.to_string(),
            order.instalment.clone(),
            money(order.amount.as_ref())?.french(),
            state_of(order).to_owned(),
        ]);
    }
    print::align_right(&mut table, 2);
    println!("{table}");
    for warning in &slip.warnings {
        println!("attention, {} : {}", warning.field, warning.message_fr);
    }
    println!("fichier : {}", path.display());
    Ok(())
}

/// Takes a file of the accountant or the bank, prints what it did, and what waits to be settled.
pub async fn import_return(state: &State, programme: &str, file: &Path) -> anyhow::Result<()> {
    let client = client_as(state, Role::Accountant)?;
    let content =
        std::fs::read(file).with_context(|| format!("impossible de lire {}", file.display()))?;
    let opening = Message::Opening(ReturnFileOpening {
        parent: programme.to_owned(),
    });
    let chunks = content
        .chunks(CHUNK)
        .map(|chunk| Message::Chunk(chunk.to_vec()));
    let messages: Vec<_> = std::iter::once(opening)
        .chain(chunks)
        .map(|message| PushReturnFileRequest {
            message: Some(message),
        })
        .collect();
    // Safe to send again: the content stands for a request id.
    let taken = answered(|| {
        let mut returns = client.return_files();
        let messages = tokio_stream::iter(messages.clone());
        async move { returns.push_return_file(messages).await }
    })
    .await
    .map_err(in_french)?;
    println!(
        "{} mandat(s) modifié(s), {} sans changement, {} mention(s) étrangère(s) au programme, {} écart(s) ouvert(s)",
        taken.changed_count, taken.unchanged_count, taken.unknown_count, taken.difference_count
    );
    let request = ListPaymentDifferencesRequest {
        parent: programme.to_owned(),
        page_size: DIFFERENCES,
        open_only: true,
        ..Default::default()
    };
    let open = answered(|| {
        let (mut differences, request) = (client.payment_differences(), request.clone());
        async move { differences.list_payment_differences(request).await }
    })
    .await
    .map_err(in_french)?;
    for difference in &open.payment_differences {
        println!("à régler : {} ({})", difference.message_fr, difference.name);
    }
    Ok(())
}

fn paid_by(slip: &Slip) -> &'static str {
    match slip.channel() {
        PaymentChannel::Unspecified => "",
        PaymentChannel::Accountant => ", à payer par le comptable public",
        PaymentChannel::Bank => ", à payer par la banque (virements SEPA)",
    }
}

fn state_of(order: &SlipOrder) -> &'static str {
    match order.state() {
        SlipOrderState::Unspecified => "",
        SlipOrderState::Transmitted => "transmis",
        SlipOrderState::Acknowledged => "flux accepté",
        SlipOrderState::FlowRejected => "flux rejeté",
        SlipOrderState::Pending => "en instance",
        SlipOrderState::TakenInCharge => "pris en charge",
        SlipOrderState::Rejected => "rejeté",
        SlipOrderState::Paid => "payé",
        SlipOrderState::Cancelled => "annulé",
    }
}
