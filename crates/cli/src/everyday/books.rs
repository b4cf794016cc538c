//! The books as a file, for the accountant's own tools.

use std::{fs::File, io::Write as _, path::Path};

use anyhow::Context as _;
use nonrecours_contracts::payments::ExportLedgerRequest;
use nonrecours_kernel::{Money, Role};
use nonrecours_rpc::convert::money;

use super::{MAX_PAGES, ask, day_or_today};
use crate::{ask::client_as, state::State};

/// Entries asked for at once.
const ENTRIES: i32 = 2_000;

/// Writes the entries of a programme booked from one day to another as CSV; the text that it prints.
pub async fn export(
    state: &State,
    programme: &str,
    (first, last): (&str, &str),
    out: &Path,
) -> anyhow::Result<String> {
    let client = client_as(state, Role::Accountant)?.ledger_exports();
    let mut file =
        File::create(out).with_context(|| format!("impossible d'écrire {}", out.display()))?;
    let (mut entries, mut total, mut page_token) = (0_i64, Money::ZERO, String::new());
    for _ in 0..MAX_PAGES {
        let request = ExportLedgerRequest {
            parent: programme.to_owned(),
            first_date: Some(day_or_today(Some(first))?),
            last_date: Some(day_or_today(Some(last))?),
            page_size: ENTRIES,
            page_token,
        };
        let page = ask!(client.clone(), export_ledger, request)?;
        file.write_all(&page.content)
            .with_context(|| format!("impossible d'écrire {}", out.display()))?;
        entries += i64::from(page.entry_count);
        let amount = money(page.total_amount.as_ref())?;
        total = total
            .checked_add(amount)
            .context("la somme des écritures dépasse toute mesure")?;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(format!(
                "{entries} écriture(s), {} au débit et au crédit : {}",
                total.french(),
                out.display()
            ));
        }
    }
    anyhow::bail!("trop d'écritures pour un seul fichier : choisissez une période plus courte")
}
