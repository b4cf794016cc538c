//! Between the contract's messages and the terms of a convention, or of its amendments.

use nonrecours_contracts::conventions as wire;
use nonrecours_kernel::{BudgetYear, Invalid, Money, Rate, catalogue};
use nonrecours_rpc::{
    Check,
    convert::{date, money, optional_date, to_date, to_money},
};
use time::Date;

use super::{
    party::{ByParty, Party},
    targets::Targets,
    terms::{Changes, Commitment, InstalmentKind, Instalments, Originals, Signatory},
    wire::{party, to_party},
};
use crate::text::{duplicate, in_future, positive, required, text};

/// Fields of a convention that a request gives.
pub const INPUT_FIELDS: [&str; 13] = [
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
    "targets",
    "indicative_end_date",
    "signatories",
];

/// What requests call the convention they carry.
const RESOURCE: &str = "convention";

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
        changes.instalments = instalments(check, RESOURCE, &given.instalment_terms);
    }
    if touches("advance_without_call") {
        changes.advance_without_call = Some(given.advance_without_call);
    }
    if touches("originals") {
        changes.originals = check.take("convention.originals", Originals::new(given.originals));
    }
    if touches("target_publics") {
        changes.target_publics = target_publics(check, RESOURCE, &given.target_publics, today);
    }
    if touches("objectives") {
        changes.objectives = objectives(check, RESOURCE, &given.objectives);
    }
    if touches("commitments") {
        changes.commitments = commitments(check, RESOURCE, &given.commitments);
    }
    if touches("targets") {
        let given = given.targets.unwrap_or_default();
        changes.targets = targets(check, RESOURCE, &given);
    }
    if touches("indicative_end_date") {
        let day = date(given.indicative_end_date.as_ref());
        changes.indicative_end = check.take("convention.indicative_end_date", day);
    }
    if touches("signatories") {
        changes.signatories = signatories(check, RESOURCE, &given.signatories, today);
    }
    changes
}

/// Reads the instalments of a `resource`; notes what is wrong with each.
pub fn instalments(
    check: &mut Check,
    resource: &str,
    given: &[wire::InstalmentTerm],
) -> Option<Instalments> {
    let mut terms = Vec::new();
    for (index, term) in given.iter().enumerate() {
        let path = |name| format!("{resource}.instalment_terms[{index}].{name}");
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
    check.take(
        &format!("{resource}.instalment_terms"),
        Instalments::new(terms),
    )
}

fn interim_only() -> Invalid {
    Invalid::new(
        "INTERIM_ONLY",
        "only an interim instalment has it",
        "Seul un acompte intermédiaire a une condition et une date d'échéance : videz ce champ.",
    )
}

/// Reads the codes of target publics: of the catalogue, valid today, each once.
pub fn target_publics(
    check: &mut Check,
    resource: &str,
    given: &[String],
    today: Date,
) -> Option<Vec<String>> {
    for (index, code) in given.iter().enumerate() {
        let path = format!("{resource}.target_publics[{index}]");
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

/// Reads the objectives.
pub fn objectives(check: &mut Check, resource: &str, given: &[String]) -> Option<Vec<String>> {
    let texts: Vec<_> = given
        .iter()
        .enumerate()
        .map(|(index, objective)| {
            check.take(&format!("{resource}.objectives[{index}]"), text(objective))
        })
        .collect();
    texts.into_iter().collect()
}

/// Reads the commitments: each code once.
pub fn commitments(
    check: &mut Check,
    resource: &str,
    given: &[wire::CommitmentTerm],
) -> Option<Vec<Commitment>> {
    let mut commitments = Vec::new();
    for (index, commitment) in given.iter().enumerate() {
        let path = |name| format!("{resource}.commitments[{index}].{name}");
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

/// Reads the targets.
pub fn targets(check: &mut Check, resource: &str, given: &wire::Targets) -> Option<Targets> {
    let targets = Targets::new(
        given.persons_spotted,
        given.persons_supported,
        given.entitlements_opened,
    );
    check.take(&format!("{resource}.targets"), targets)
}

/// Reads the signatories: one a party at most.
pub fn signatories(
    check: &mut Check,
    resource: &str,
    given: &[wire::Signatory],
    today: Date,
) -> Option<ByParty<Option<Signatory>>> {
    let mut signatories = ByParty::default();
    let mut complete = true;
    for (index, signatory) in given.iter().enumerate() {
        let path = |name| format!("{resource}.signatories[{index}].{name}");
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

/// The instalments as answers show them; without amounts while there is no grant to share.
pub fn to_instalment_terms(
    instalments: &Instalments,
    grant: Option<Money>,
) -> Vec<wire::InstalmentTerm> {
    let amounts = grant.map(|grant| instalments.amounts(grant));
    let mut amounts = amounts.unwrap_or_default().into_iter();
    instalments
        .terms()
        .iter()
        .map(|(kind, share)| wire::InstalmentTerm {
            kind: to_instalment_kind(kind).into(),
            share: share.to_string(),
            amount: amounts.next().map(to_money),
            condition: kind.condition().unwrap_or_default().to_owned(),
            due_date: kind.due().map(to_date),
        })
        .collect()
}

/// The commitments as answers show them.
pub fn to_commitment_terms(commitments: &[Commitment]) -> Vec<wire::CommitmentTerm> {
    commitments
        .iter()
        .map(|commitment| wire::CommitmentTerm {
            code: commitment.code.clone(),
            text: commitment.text.clone(),
        })
        .collect()
}

/// The targets as answers show them.
pub fn to_targets(targets: &Targets) -> wire::Targets {
    let [persons_spotted, persons_supported, entitlements_opened] = targets.numbers();
    wire::Targets {
        persons_spotted,
        persons_supported,
        entitlements_opened,
    }
}

/// The targets as answers show them, where there are any.
pub fn to_any_targets(targets: &Targets) -> Option<wire::Targets> {
    (!targets.is_empty()).then(|| to_targets(targets))
}

/// The signatories named, as answers show them.
pub fn to_signatories(signatories: &ByParty<Option<Signatory>>) -> Vec<wire::Signatory> {
    Party::ALL
        .into_iter()
        .filter_map(|party| {
            let signatory = signatories.get(party).as_ref()?;
            Some(wire::Signatory {
                party: to_party(party).into(),
                full_name: signatory.full_name.clone(),
                capacity: signatory.capacity.clone(),
                empowering_decision_date: signatory.empowering_decision.map(to_date),
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
