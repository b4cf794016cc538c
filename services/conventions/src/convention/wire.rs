//! Between the contract's messages and a convention.

use nonrecours_contracts::conventions as wire;
use nonrecours_kernel::{Blocker, ConventionName, Invalid, Money, money_in_words};
use nonrecours_pg::Tx;
use nonrecours_rpc::{
    convert::{to_blocker, to_date, to_money, to_timestamp, to_warning},
    etag,
};

use super::{
    domain::{Convention, State},
    measures::{Cause, Ground},
    party::Party,
    signing::signing_blockers,
    store,
    terms_wire::{to_any_targets, to_commitment_terms, to_instalment_terms, to_signatories},
    territory,
};
use crate::{budget, error::Error, text::required, version::wire::to_signature};

/// Reads a party. Refused with `REQUIRED`.
pub fn party(given: wire::Party) -> Result<Party, Invalid> {
    match given {
        wire::Party::Unspecified => Err(required()),
        wire::Party::Authority => Ok(Party::Authority),
        wire::Party::Operator => Ok(Party::Operator),
    }
}

/// Writes a party.
pub fn to_party(party: Party) -> wire::Party {
    match party {
        Party::Authority => wire::Party::Authority,
        Party::Operator => wire::Party::Operator,
    }
}

/// The conventions as answers show them, with what stands in the way of signing today and the cases to decide on, in
/// their order.
pub async fn shown(
    tx: &mut Tx,
    conventions: &[Convention],
) -> Result<Vec<wire::Convention>, Error> {
    let open: Vec<_> = conventions
        .iter()
        .filter(|convention| convention.state.is_open())
        .map(|convention| convention.name)
        .collect();
    let circumstances = if open.is_empty() {
        Vec::new()
    } else {
        store::circumstances(tx, &open).await?
    };
    let executed: Vec<_> = conventions
        .iter()
        .filter(|convention| !convention.state.is_open())
        .map(|convention| convention.name)
        .collect();
    let cases = if executed.is_empty() {
        Vec::new()
    } else {
        budget::store::open_cases(tx, &executed).await?
    };
    let today = nonrecours_kernel::paris_date(tx.now());
    let names: Vec<_> = conventions.iter().map(|it| it.name).collect();
    let outside = territory::outside(tx, &names, today).await?;
    let mut circumstances = circumstances.into_iter();
    let mut messages = Vec::with_capacity(conventions.len());
    for convention in conventions {
        let blockers = match convention
            .state
            .is_open()
            .then(|| circumstances.next())
            .flatten()
        {
            Some(circumstances) => signing_blockers(convention, &circumstances, today),
            None => Vec::new(),
        };
        messages.push(wire::Convention {
            open_cases: cases
                .iter()
                .filter(|(name, _)| *name == convention.name)
                .map(|(name, case)| to_blocker(&case.blocker(name)))
                .collect(),
            warnings: outside
                .iter()
                .filter(|name| **name == convention.name)
                .map(|_| to_warning(&territory::warning()))
                .collect(),
            ..message(convention, &blockers)
        });
    }
    Ok(messages)
}

fn message(convention: &Convention, blockers: &[Blocker]) -> wire::Convention {
    let terms = &convention.terms;
    let execution = convention.execution();
    let measures = execution
        .map(|execution| execution.measures)
        .unwrap_or_default();
    let termination = convention.state.termination();
    let paid = execution.map_or(Money::ZERO, |execution| execution.plan.paid);
    let recovered = execution
        .map(|execution| execution.plan.recovered)
        .unwrap_or_default();
    wire::Convention {
        name: convention.name.to_string(),
        programme: terms.framework_convention.parent().to_string(),
        framework_convention: terms.framework_convention.to_string(),
        title: terms.title.clone(),
        budget_year: i32::from(terms.budget_year.get()),
        grant_amount: Some(to_money(terms.grant)),
        instalment_terms: to_instalment_terms(&terms.instalments, Some(terms.grant)),
        advance_without_call: terms.advance_without_call,
        target_publics: terms.target_publics.clone(),
        objectives: terms.objectives.clone(),
        commitments: to_commitment_terms(&terms.commitments),
        targets: to_any_targets(&terms.targets),
        indicative_end_date: Some(to_date(terms.indicative_end)),
        signatories: to_signatories(&terms.signatories),
        state: to_state(&convention.state).into(),
        signatures: signatures(convention),
        signing_blockers: blockers.iter().map(to_blocker).collect(),
        in_force_time: execution.map(|execution| to_timestamp(execution.since)),
        completion_date: convention.state.completion_date().map(to_date),
        accepted_report: convention
            .state
            .report()
            .map(|report| format!("{}/activityReports/{report}", convention.name))
            .unwrap_or_default(),
        paid_amount: Some(to_money(paid)),
        recovery_claimed_amount: Some(to_money(recovered.claimed)),
        recovered_amount: Some(to_money(recovered.received)),
        recovery_written_off_amount: Some(to_money(recovered.written_off)),
        settle_time: convention.state.settle_time().map(to_timestamp),
        revision: convention.revision,
        create_time: Some(to_timestamp(convention.create_time)),
        update_time: Some(to_timestamp(convention.update_time)),
        etag: etag::of(convention.revision),
        suspended: measures.suspended,
        reduced_amount: measures.reduced.map(to_money),
        recover_amount: Some(to_money(measures.claimed)),
        due_amount: Some(to_money(convention.due())),
        open_disputes: measures.open_disputes,
        termination_date: termination.map(|termination| to_date(termination.date)),
        termination_ground: to_ground(termination.map(|termination| termination.cause)).into(),
        termination_cause: match termination.map(|termination| termination.cause) {
            Some(Cause::Notice(id, _)) => format!("{}/formalNotices/{id}", convention.name),
            Some(Cause::Decision(id)) => format!("{}/decisions/{id}", convention.name),
            None => String::new(),
        },
        grant_amount_in_words: money_in_words(&terms.grant),
        originals: i32::from(terms.originals.get()),
        renewed_from: convention
            .renewed_from
            .map(|renewed| {
                ConventionName {
                    convention: renewed,
                    ..convention.name
                }
                .to_string()
            })
            .unwrap_or_default(),
        open_cases: Vec::new(),
        warnings: Vec::new(),
        version: convention.version(),
    }
}

fn signatures(convention: &Convention) -> Vec<wire::Signature> {
    // Terms are fixed from the first signature on, and an amendment leaves those who signed: they are still named.
    let signatories = &convention.terms.signatories;
    Party::ALL
        .into_iter()
        .filter_map(|party| to_signature(party, signatories, convention.signature(party)))
        .collect()
}

fn to_state(state: &State) -> wire::ConventionState {
    match state {
        State::Draft => wire::ConventionState::Draft,
        State::PartlySigned { .. } => wire::ConventionState::PartlySigned,
        State::InForce { .. } => wire::ConventionState::InForce,
        State::Completed { .. } => wire::ConventionState::Completed,
        State::Settled { .. } => wire::ConventionState::Settled,
        State::Terminated { .. } => wire::ConventionState::Terminated,
    }
}

fn to_ground(cause: Option<Cause>) -> wire::TerminationGround {
    match cause {
        None => wire::TerminationGround::Unspecified,
        Some(Cause::Notice(_, Ground::Breach)) => wire::TerminationGround::Breach,
        Some(Cause::Notice(_, Ground::SubstantialChange)) => {
            wire::TerminationGround::SubstantialChange
        }
        Some(Cause::Decision(_)) => wire::TerminationGround::Decision,
    }
}
