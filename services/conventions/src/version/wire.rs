//! Versions and their differences as answers show them.

use nonrecours_contracts::conventions as wire;
use nonrecours_kernel::money_in_words;
use nonrecours_rpc::{
    convert::{to_date, to_money, to_timestamp},
    etag,
};

use super::{
    difference::{Difference, between},
    store::{Version, VersionAct},
};
use crate::convention::{
    domain::Signature,
    party::{ByParty, Party},
    terms::{Signatory, Terms},
    terms_wire::{to_any_targets, to_commitment_terms, to_instalment_terms, to_signatories},
    wire::to_party,
};

/// A version is written once.
const FIRST_REVISION: i64 = 1;

/// A version, with what it changes of the one before.
pub fn message(before: Option<&Version>, version: &Version) -> wire::ConventionVersion {
    let terms = &version.terms;
    wire::ConventionVersion {
        name: version.name.to_string(),
        number: version.name.version,
        amendment: version
            .amendment
            .map(|amendment| amendment.to_string())
            .unwrap_or_default(),
        changes: before
            .map(|before| to_changes(&before.terms, terms))
            .unwrap_or_default(),
        framework_convention: terms.framework_convention.to_string(),
        title: terms.title.clone(),
        budget_year: i32::from(terms.budget_year.get()),
        grant_amount: Some(to_money(terms.grant)),
        grant_amount_in_words: money_in_words(&terms.grant),
        instalment_terms: to_instalment_terms(&terms.instalments, Some(terms.grant)),
        advance_without_call: terms.advance_without_call,
        originals: i32::from(terms.originals.get()),
        target_publics: terms.target_publics.clone(),
        objectives: terms.objectives.clone(),
        commitments: to_commitment_terms(&terms.commitments),
        targets: to_any_targets(&terms.targets),
        indicative_end_date: Some(to_date(terms.indicative_end)),
        signatories: to_signatories(&terms.signatories),
        signatures: Party::ALL
            .into_iter()
            .filter_map(|party| {
                to_signature(
                    party,
                    &terms.signatories,
                    Some(version.signatures.get(party)),
                )
            })
            .collect(),
        acts: version.acts.iter().map(to_act).collect(),
        create_time: Some(to_timestamp(version.since)),
        update_time: Some(to_timestamp(version.since)),
        etag: etag::of(FIRST_REVISION),
    }
}

/// What distinguishes the terms after from those before.
pub fn to_changes(before: &Terms, after: &Terms) -> Vec<wire::TermChange> {
    between(before, after).into_iter().map(to_change).collect()
}

/// The signature of a party, once given, by the signatory named.
pub fn to_signature(
    party: Party,
    signatories: &ByParty<Option<Signatory>>,
    signature: Option<&Signature>,
) -> Option<wire::Signature> {
    let (signatory, signature) = (signatories.get(party).as_ref()?, signature?);
    Some(wire::Signature {
        party: to_party(party).into(),
        full_name: signatory.full_name.clone(),
        capacity: signatory.capacity.clone(),
        sign_time: Some(to_timestamp(signature.time)),
        signed_by: signature.by.clone(),
    })
}

fn to_change(difference: Difference) -> wire::TermChange {
    wire::TermChange {
        field: difference.field,
        before: difference.before,
        after: difference.after,
        label_fr: difference.label.to_owned(),
        sentence_fr: difference.sentence,
    }
}

fn to_act(act: &VersionAct) -> wire::VersionAct {
    wire::VersionAct {
        party: to_party(act.party).into(),
        act: act.name.to_string(),
        act_id: act.act_id.clone(),
        enforceable_date: act.enforceable.map(to_date),
    }
}
