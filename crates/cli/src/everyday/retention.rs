//! Retention: who is due, and their erasure.

use nonrecours_contracts::followup::{
    ApplyRetentionRequest, PreviewRetentionRequest, RetentionCandidate,
};
use nonrecours_kernel::Role;

use super::{MAX_PAGES, PAGE, ask, request_id, shown_day};
use crate::{ask::client_as, print, state::State};

/// Shows who is due; erases them when asked to.
pub async fn run(state: &State, operator: &str, apply: bool) -> anyhow::Result<String> {
    let client = client_as(state, Role::OperatorManager)?.retention();
    if apply {
        let (mut erased, mut held) = (0, 0);
        for _ in 0..MAX_PAGES {
            let request = ApplyRetentionRequest {
                parent: operator.to_owned(),
                max_persons: 0,
                request_id: request_id(),
            };
            let done = ask!(client.clone(), apply_retention, request)?;
            erased += done.erased;
            held = done.held;
            if !done.more || done.erased == 0 {
                break;
            }
        }
        return Ok(format!(
            "personnes effacées : {erased} ; conservées pour motif légal : {held}"
        ));
    }
    let mut table = print::table(&[
        "personne",
        "référence",
        "dernier contact",
        "échéance",
        "remarque",
    ]);
    let (mut due, mut held, mut page_token) = (0, 0, String::new());
    for _ in 0..MAX_PAGES {
        let request = PreviewRetentionRequest {
            parent: operator.to_owned(),
            page_size: PAGE,
            page_token,
        };
        let page = ask!(client.clone(), preview_retention, request)?;
        for candidate in &page.candidates {
            table.add_row([
                candidate.beneficiary.clone(),
                candidate.external_reference.clone(),
                shown_day(candidate.last_contact_date.as_ref())?,
                shown_day(candidate.due_date.as_ref())?,
                remark(candidate).to_owned(),
            ]);
        }
        (due, held) = (page.due, page.held);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(format!(
        "{table}\nà effacer : {due} ; conservées pour motif légal : {held}. Rien n'a été modifié : ajoutez --apply pour effacer."
    ))
}

fn remark(candidate: &RetentionCandidate) -> &'static str {
    match (candidate.held, &candidate.notice_time) {
        (true, _) => "conservée : motif légal",
        (false, Some(_)) => "annoncée",
        (false, None) => "",
    }
}
