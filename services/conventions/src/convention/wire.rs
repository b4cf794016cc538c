//! Between the contract's messages and a convention.

use nonrecours_contracts::conventions as wire;
use nonrecours_kernel::{
    Blocker, BudgetYear, ConventionName, Invalid, Money, Rate, catalogue, money_in_words,
};
use nonrecours_pg::Tx;
use nonrecours_rpc::{
    Check,
    convert::{
        date, money, optional_date, to_blocker, to_date, to_money, to_timestamp, to_warning,
    },
    etag,
};
use time::Date;

use super::{
    domain::{Convention, State},
    measures::{Cause, Ground},
    party::{ByParty, Party},
    signing::signing_blockers,
    store,
    terms::{Changes, Commitment, InstalmentKind, Instalments, Originals, Signatory},
    territory,
};
use crate::{
    budget,
    error::Error,
    text::{duplicate, in_future, positive, required, text},
};

/// Fields of a convention that a request gives.
pub const INPUT_FIELDS: [&str; 12] = [
    "framework_convention",
    "title",
    "budget_year",
    "grant_amount",
    "instalment_terms",
    "advance_without_call",
    "originals",
    "target_publics",
    "objectives",
    "commitments",
    "indicative_end_date",
    "signatories",
];

/// Reads the `touched` ones among the input fields; notes what is wrong with each.
pub fn changes(
    check: &mut Check,
    given: &wire::Convention,
    touched: &[String],
    today: Date,
) -> Changes {
    let touches = |name: &str| touched.iter().any(|field| field == name);
    let mut changes = Changes::default();
    if touches("framework_convention") {
        changes.framework_convention = check.parse(
            "convention.framework_convention",
            &given.framework_convention,
        );
    }
    if touches("title") {
        changes.title = check.take("convention.title", text(&given.title));
    }
    if touches("budget_year") {
        changes.budget_year =
            check.take("convention.budget_year", BudgetYear::new(given.budget_year));
    }
    if touches("grant_amount") {
        let amount = money(given.grant_amount.as_ref()).and_then(positive);
        changes.grant = check.take("convention.grant_amount", amount);
    }
    if touches("instalment_terms") {
        changes.instalments = instalments(check, &given.instalment_terms);
    }
    if touches("advance_without_call") {
        changes.advance_without_call = Some(given.advance_without_call);
    }
    if touches("originals") {
        changes.originals = check.take("convention.originals", Originals::new(given.originals));
    }
    if touches("target_publics") {
        changes.target_publics = target_publics(check, &given.target_publics, today);
    }
    if touches("objectives") {
        changes.objectives = objectives(check, &given.objectives);
    }
    if touches("commitments") {
        changes.commitments = commitments(check, &given.commitments);
    }
    if touches("indicative_end_date") {
        let day = date(given.indicative_end_date.as_ref());
        changes.indicative_end = check.take("convention.indicative_end_date", day);
    }
    if touches("signatories") {
        changes.signatories = signatories(check, &given.signatories, today);
    }
    changes
}

fn instalments(check: &mut Check, given: &[wire::InstalmentTerm]) -> Option<Instalments> {
    let mut terms = Vec::new();
    for (index, term) in given.iter().enumerate() {
        let path = |name| format!("convention.instalment_terms[{index}].{name}");
        let kind = match term.kind() {
            wire::InstalmentKind::Unspecified => check.take(&path("kind"), Err(required())),
            wire::InstalmentKind::Advance => Some(InstalmentKind::Advance),
            wire::InstalmentKind::Balance => Some(InstalmentKind::Balance),
            wire::InstalmentKind::Interim => {
                let condition = check.take(&path("condition"), text(&term.condition));
                let due = check.take(&path("due_date"), optional_date(term.due_date.as_ref()));
                condition
                    .zip(due)
                    .map(|(condition, due)| InstalmentKind::Interim { condition, due })
            }
        };
        if term.kind() != wire::InstalmentKind::Interim {
            if !term.condition.is_empty() {
                check.refuse(&path("condition"), interim_only());
            }
            if term.due_date.is_some() {
                check.refuse(&path("due_date"), interim_only());
            }
        }
        let share: Option<Rate> = check.parse(&path("share"), &term.share);
        terms.push(kind.zip(share));
    }
    // The whole is looked at only once each part is right.
    let terms: Vec<_> = terms.into_iter().collect::<Option<_>>()?;
    check.take("convention.instalment_terms", Instalments::new(terms))
}

fn interim_only() -> Invalid {
    Invalid::new(
        "INTERIM_ONLY",
        "only an interim instalment has it",
        "Seul un acompte intermédiaire a une condition et une date d'échéance : videz ce champ.",
    )
}

fn target_publics(check: &mut Check, given: &[String], today: Date) -> Option<Vec<String>> {
    for (index, code) in given.iter().enumerate() {
        let path = format!("convention.target_publics[{index}]");
        match catalogue::public(code) {
            Some(public) if public.valid_on(today) => {}
            _ => check.refuse(
                &path,
                Invalid::new(
                    "PUBLIC_UNKNOWN",
                    "not a target public of the catalogue",
                    "Ce public ne figure pas au catalogue : choisissez l'un de ses codes, par exemple DEMANDEUR_EMPLOI.",
                ),
            ),
        }
        if given.iter().take(index).any(|earlier| earlier == code) {
            check.refuse(&path, duplicate());
        }
    }
    Some(given.to_vec())
}

fn objectives(check: &mut Check, given: &[String]) -> Option<Vec<String>> {
    let texts: Vec<_> = given
        .iter()
        .enumerate()
        .map(|(index, objective)| {
            check.take(&format!("convention.objectives[{index}]"), text(objective))
        })
        .collect();
    texts.into_iter().collect()
}

fn commitments(check: &mut Check, given: &[wire::CommitmentTerm]) -> Option<Vec<Commitment>> {
    let mut commitments = Vec::new();
    for (index, commitment) in given.iter().enumerate() {
        let path = |name| format!("convention.commitments[{index}].{name}");
        let code = check.take(&path("code"), text(&commitment.code));
        let words = check.take(&path("text"), text(&commitment.text));
        if given
            .iter()
            .take(index)
            .any(|earlier| earlier.code == commitment.code)
        {
            check.refuse(&path("code"), duplicate());
        }
        commitments.push(
            code.zip(words)
                .map(|(code, text)| Commitment { code, text }),
        );
    }
    commitments.into_iter().collect()
}

fn signatories(
    check: &mut Check,
    given: &[wire::Signatory],
    today: Date,
) -> Option<ByParty<Option<Signatory>>> {
    let mut signatories = ByParty::default();
    let mut complete = true;
    for (index, signatory) in given.iter().enumerate() {
        let path = |name| format!("convention.signatories[{index}].{name}");
        let party = check.take(&path("party"), party(signatory.party()));
        let full_name = check.take(&path("full_name"), text(&signatory.full_name));
        let capacity = check.take(&path("capacity"), text(&signatory.capacity));
        let decision = optional_date(signatory.empowering_decision_date.as_ref()).and_then(|day| {
            if day.is_some_and(|day| day > today) {
                Err(in_future())
            } else {
                Ok(day)
            }
        });
        let decision = check.take(&path("empowering_decision_date"), decision);
        let (Some(party), Some(full_name), Some(capacity), Some(empowering_decision)) =
            (party, full_name, capacity, decision)
        else {
            complete = false;
            continue;
        };
        let place: &mut Option<Signatory> = signatories.get_mut(party);
        if place.is_some() {
            check.refuse(&path("party"), duplicate());
        }
        *place = Some(Signatory {
            full_name,
            capacity,
            empowering_decision,
        });
    }
    complete.then_some(signatories)
}

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
    wire::Convention {
        name: convention.name.to_string(),
        programme: terms.framework_convention.parent().to_string(),
        framework_convention: terms.framework_convention.to_string(),
        title: terms.title.clone(),
        budget_year: i32::from(terms.budget_year.get()),
        grant_amount: Some(to_money(terms.grant)),
        instalment_terms: terms
            .instalments
            .terms()
            .iter()
            .zip(terms.instalments.amounts(terms.grant))
            .map(|((kind, share), amount)| wire::InstalmentTerm {
                kind: to_instalment_kind(kind).into(),
                share: share.to_string(),
                amount: Some(to_money(amount)),
                condition: kind.condition().unwrap_or_default().to_owned(),
                due_date: kind.due().map(to_date),
            })
            .collect(),
        advance_without_call: terms.advance_without_call,
        target_publics: terms.target_publics.clone(),
        objectives: terms.objectives.clone(),
        commitments: terms
            .commitments
            .iter()
            .map(|commitment| wire::CommitmentTerm {
                code: commitment.code.clone(),
                text: commitment.text.clone(),
            })
            .collect(),
        indicative_end_date: Some(to_date(terms.indicative_end)),
        signatories: Party::ALL
            .into_iter()
            .filter_map(|party| to_signatory(party, terms.signatories.get(party).as_ref()))
            .collect(),
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
    }
}

fn to_signatory(party: Party, signatory: Option<&Signatory>) -> Option<wire::Signatory> {
    signatory.map(|signatory| wire::Signatory {
        party: to_party(party).into(),
        full_name: signatory.full_name.clone(),
        capacity: signatory.capacity.clone(),
        empowering_decision_date: signatory.empowering_decision.map(to_date),
    })
}

fn signatures(convention: &Convention) -> Vec<wire::Signature> {
    Party::ALL
        .into_iter()
        .filter_map(|party| {
            let signature = convention.signature(party)?;
            // Terms are fixed from the first signature on: the signatory is still the one who signed.
            let signatory = convention.terms.signatories.get(party).as_ref()?;
            Some(wire::Signature {
                party: to_party(party).into(),
                full_name: signatory.full_name.clone(),
                capacity: signatory.capacity.clone(),
                sign_time: Some(to_timestamp(signature.time)),
                signed_by: signature.by.clone(),
            })
        })
        .collect()
}

fn to_instalment_kind(kind: &InstalmentKind) -> wire::InstalmentKind {
    match kind {
        InstalmentKind::Advance => wire::InstalmentKind::Advance,
        InstalmentKind::Interim { .. } => wire::InstalmentKind::Interim,
        InstalmentKind::Balance => wire::InstalmentKind::Balance,
    }
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
