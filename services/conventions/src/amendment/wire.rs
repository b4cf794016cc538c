//! Between the contract's messages and an amendment.

use nonrecours_contracts::conventions as wire;
use nonrecours_kernel::{Blocker, ConventionVersionName};
use nonrecours_pg::Tx;
use nonrecours_rpc::{
    Check,
    convert::{date, money, to_blocker, to_date, to_money, to_timestamp},
    etag,
};
use time::Date;

use super::domain::{Amendment, Edit, State};
use crate::{
    act,
    convention::{
        self,
        domain::Convention,
        party::Party,
        signing::Circumstances,
        terms_wire::{
            commitments, instalments, objectives, signatories, target_publics, targets,
            to_commitment_terms, to_instalment_terms, to_signatories, to_targets,
        },
    },
    error::Error,
    text::{positive, text},
    version::wire::{to_changes, to_signature},
};

/// What requests call the amendment they carry.
const RESOURCE: &str = "amendment";

/// Fields of an amendment that a request gives.
pub const INPUT_FIELDS: [&str; 11] = [
    "object",
    "title",
    "grant_amount",
    "instalment_terms",
    "advance_without_call",
    "target_publics",
    "objectives",
    "commitments",
    "targets",
    "indicative_end_date",
    "signatories",
];

/// Reads the `touched` ones among the input fields; notes what is wrong with each.
pub fn edits(
    check: &mut Check,
    given: &wire::Amendment,
    touched: &[String],
    today: Date,
) -> Vec<Edit> {
    let edits = touched
        .iter()
        .filter_map(|field| edit(check, given, field, today));
    edits.collect()
}

/// Reads one field: empty, it is amended no more. Nothing when it is wrong.
fn edit(check: &mut Check, given: &wire::Amendment, field: &str, today: Date) -> Option<Edit> {
    let path = format!("{RESOURCE}.{field}");
    Some(match field {
        "object" => Edit::Object(check.take(&path, text(&given.object))?),
        "title" => Edit::Title(match given.title.as_str() {
            "" => None,
            title => Some(check.take(&path, text(title))?),
        }),
        "grant_amount" => Edit::Grant(match given.grant_amount.as_ref() {
            None => None,
            amount => Some(check.take(&path, money(amount).and_then(positive))?),
        }),
        "instalment_terms" => Edit::Instalments(match given.instalment_terms.as_slice() {
            [] => None,
            terms => Some(instalments(check, RESOURCE, terms)?),
        }),
        "advance_without_call" => Edit::AdvanceWithoutCall(given.advance_without_call),
        "target_publics" => Edit::TargetPublics(match given.target_publics.as_slice() {
            [] => None,
            publics => Some(target_publics(check, RESOURCE, publics, today)?),
        }),
        "objectives" => Edit::Objectives(match given.objectives.as_slice() {
            [] => None,
            given => Some(objectives(check, RESOURCE, given)?),
        }),
        "commitments" => Edit::Commitments(match given.commitments.as_slice() {
            [] => None,
            given => Some(commitments(check, RESOURCE, given)?),
        }),
        "targets" => Edit::Targets(match given.targets.as_ref() {
            None => None,
            Some(given) => Some(targets(check, RESOURCE, given)?),
        }),
        "indicative_end_date" => Edit::IndicativeEnd(match given.indicative_end_date.as_ref() {
            None => None,
            day => Some(check.take(&path, date(day))?),
        }),
        "signatories" => {
            Edit::Signatories(signatories(check, RESOURCE, &given.signatories, today)?)
        }
        // A mask that names another field was refused.
        _ => return None,
    })
}

/// The amendments of a convention as answers show them, with what stands in the way of signing today.
pub async fn shown(
    tx: &mut Tx,
    convention: &Convention,
    amendments: &[Amendment],
) -> Result<Vec<wire::Amendment>, Error> {
    let today = nonrecours_kernel::paris_date(tx.now());
    let mut messages = Vec::with_capacity(amendments.len());
    for amendment in amendments {
        let blockers = if amendment.state.is_open() {
            // One at most.
            let circumstances = circumstances(tx, amendment).await?;
            amendment.signing_blockers(convention, &circumstances, today)
        } else {
            Vec::new()
        };
        messages.push(message(convention, amendment, &blockers));
    }
    Ok(messages)
}

/// What the signature of an amendment depends on.
pub async fn circumstances(tx: &mut Tx, amendment: &Amendment) -> Result<Circumstances, Error> {
    let convention = amendment.name.parent();
    Ok(Circumstances {
        acts: act::store::of_amendment(tx, &amendment.name).await?,
        ..convention::store::circumstances_of(tx, &convention).await?
    })
}

fn message(
    convention: &Convention,
    amendment: &Amendment,
    blockers: &[Blocker],
) -> wire::Amendment {
    let content = &amendment.content;
    let terms = content.over(&convention.terms);
    let open = amendment.state.is_open();
    let (since, version) = match &amendment.state {
        State::InForce { since, version, .. } => (Some(*since), Some(*version)),
        _ => (None, None),
    };
    let (withdrawn, reason) = match &amendment.state {
        State::Withdrawn { time, reason, .. } => (Some(*time), reason.clone()),
        _ => (None, String::new()),
    };
    wire::Amendment {
        name: amendment.name.to_string(),
        number: amendment.number,
        object: content.object.clone(),
        title: content.title.clone().unwrap_or_default(),
        grant_amount: content.grant.map(to_money),
        instalment_terms: content
            .instalments
            .as_ref()
            // Of what is not open any more, the version says the amounts.
            .map(|it| to_instalment_terms(it, open.then_some(terms.grant)))
            .unwrap_or_default(),
        advance_without_call: content.advance_without_call,
        target_publics: content.target_publics.clone().unwrap_or_default(),
        objectives: content.objectives.clone().unwrap_or_default(),
        commitments: to_commitment_terms(content.commitments.as_deref().unwrap_or_default()),
        targets: content.targets.as_ref().map(to_targets),
        indicative_end_date: content.indicative_end.map(to_date),
        signatories: to_signatories(&content.signatories),
        state: to_state(&amendment.state).into(),
        signatures: Party::ALL
            .into_iter()
            .filter_map(|party| {
                to_signature(
                    party,
                    &content.signatories,
                    amendment.state.signature(party),
                )
            })
            .collect(),
        signing_blockers: blockers.iter().map(to_blocker).collect(),
        changes: if open {
            to_changes(&convention.terms, &terms)
        } else {
            Vec::new()
        },
        version: version
            .map(|version| {
                ConventionVersionName {
                    convention: convention.name,
                    version,
                }
                .to_string()
            })
            .unwrap_or_default(),
        in_force_time: since.map(to_timestamp),
        withdraw_time: withdrawn.map(to_timestamp),
        withdraw_reason: reason,
        create_time: Some(to_timestamp(amendment.create_time)),
        update_time: Some(to_timestamp(amendment.update_time)),
        etag: etag::of(amendment.revision),
    }
}

fn to_state(state: &State) -> wire::AmendmentState {
    match state {
        State::Draft => wire::AmendmentState::Draft,
        State::PartlySigned { .. } => wire::AmendmentState::PartlySigned,
        State::InForce { .. } => wire::AmendmentState::InForce,
        State::Withdrawn { .. } => wire::AmendmentState::Withdrawn,
    }
}
