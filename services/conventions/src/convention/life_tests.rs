//! `docs/convention.md` against the code: its diagram shows every transition and no other, its table which step is taken
//! in which state. Each step is tried from each state; whoever adds one, or a state, is told to say so there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use nonrecours_kernel::Money;

use super::{
    domain::{Convention, Learned, Plan},
    fixtures::{DAINVILLE, NOW, SPENT, TODAY, empowered, id, in_force, of_act, ready, sirens},
    measures::Cause,
    party::Party,
    state::State,
    terms::Changes,
};

/// A step, with everything in its favour: whatever it needs beside the state is there.
type Step = (&'static str, fn(Convention) -> Option<Convention>);

/// Every step of the domain that changes a convention, by the name of its function.
const STEPS: [Step; 17] = [
    ("update", |it| {
        it.update(Changes::default(), &ready().acts, &sirens(), NOW)
            .ok()
    }),
    ("authorise", |mut it| {
        // The blank that an act fills.
        if let Some(signatory) = &mut it.terms.signatories.operator {
            signatory.empowering_decision = None;
        }
        it.authorise(Party::Operator, of_act(DAINVILLE), &sirens(), NOW)
            .ok()
            .flatten()
    }),
    ("sign", |it| {
        let operator = it.clone().sign(Party::Operator, "x", &ready(), NOW);
        operator
            .or_else(|_| it.sign(Party::Authority, "x", &ready(), NOW))
            .ok()
    }),
    ("amend", |mut it| {
        // Another title: the actions stay what they are.
        it.terms.title.push_str(" modifiée");
        let terms = it.terms.clone();
        it.amend(terms, NOW).ok()
    }),
    ("accept_report", |it| {
        it.accept_report(id(5), SPENT, NOW).ok()
    }),
    ("complete", |it| it.complete(TODAY, NOW).ok()),
    ("settled", |it| it.settled(NOW)),
    ("reopened", |mut it| {
        // The last payment came back.
        if let State::Settled { execution, .. } = &mut it.state {
            execution.plan.settled = false;
        }
        it.reopened(NOW)
    }),
    ("learn", |it| {
        let plan = next_plan(&it);
        match it.learn(plan, NOW).ok()? {
            Learned::Known => None,
            Learned::Noted(convention) | Learned::Changed { convention, .. } => Some(convention),
        }
    }),
    ("reduce", |it| it.reduce(Money::from_cents(1), NOW).ok()),
    ("suspend", |it| it.suspend(NOW).ok()),
    ("resume", |it| it.suspend(NOW).ok()?.resume(NOW).ok()),
    ("claim", |it| it.claim(Money::from_cents(1), NOW).ok()),
    ("terminate", |it| {
        it.terminate(TODAY, Cause::Decision(id(7)), SPENT, NOW).ok()
    }),
    ("disputed", |it| it.disputed(NOW).ok()),
    ("undisputed", |it| {
        Some(it.disputed(NOW).ok()?.undisputed(NOW))
    }),
    ("renewal", |it| {
        let framework = it.terms.framework_convention;
        it.renewal(id(9), framework, NOW).ok()
    }),
];

/// What `payments` says last: everything paid.
fn next_plan(convention: &Convention) -> Plan {
    let known = convention.execution().map_or(0, |it| it.plan.revision);
    Plan {
        revision: known + 1,
        paid: Money::from_cents(1_150_000),
        settled: true,
        ..Plan::default()
    }
}

/// A convention in each state, with something paid as soon as it can be.
fn conventions() -> Vec<Convention> {
    let partly = empowered()
        .sign(Party::Operator, "x", &ready(), NOW)
        .unwrap();
    let advance = Plan {
        revision: 1,
        paid: Money::from_cents(920_000),
        settled: false,
        ..Plan::default()
    };
    let Learned::Changed {
        convention: paid, ..
    } = in_force().learn(advance, NOW).unwrap()
    else {
        panic!("an advance is a change");
    };
    let reported = paid.accept_report(id(5), SPENT, NOW).unwrap();
    let completed = reported.clone().complete(TODAY, NOW).unwrap();
    let Learned::Changed {
        convention: settled,
        ..
    } = completed.clone().learn(next_plan(&completed), NOW).unwrap()
    else {
        panic!("the last payment is a change");
    };
    let terminated = reported
        .clone()
        .terminate(TODAY, Cause::Decision(id(7)), SPENT, NOW)
        .unwrap();
    vec![
        empowered(),
        partly,
        reported,
        completed,
        settled,
        terminated,
    ]
}

/// A completed convention whose last payment came before its actions were recorded as done.
fn paid_first() -> Convention {
    let Learned::Changed { convention, .. } =
        in_force().learn(next_plan(&in_force()), NOW).unwrap()
    else {
        panic!("a payment is a change");
    };
    let reported = convention.accept_report(id(5), SPENT, NOW).unwrap();
    reported.complete(TODAY, NOW).unwrap()
}

/// What each step does: the states it begins from, each with the states it leads to.
fn taken() -> BTreeMap<&'static str, BTreeSet<(&'static str, &'static str)>> {
    let mut taken: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, step) in STEPS {
        let done = taken.entry(name).or_default();
        for before in conventions().into_iter().chain([paid_first()]) {
            let from = before.state.as_str();
            if let Some(after) = step(before) {
                done.insert((from, after.state.as_str()));
            }
        }
    }
    // A renewal is another convention: the one it is made from stays what it is.
    let renewed = taken.entry("renewal").or_default();
    *renewed = renewed.iter().map(|(from, _)| (*from, *from)).collect();
    taken
}

fn document() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join("docs/convention.md")).unwrap()
}

#[test]
fn the_diagram_shows_every_transition_and_no_other() {
    let document = document();
    let (_, rest) = document.split_once("```mermaid\n").unwrap();
    let (diagram, _) = rest.split_once("```").unwrap();
    let mut drawn = BTreeSet::new();
    for line in diagram.lines() {
        let Some((from, rest)) = line.trim().split_once(" --> ") else {
            continue;
        };
        let (to, steps) = rest.split_once(" : ").unwrap_or((rest, ""));
        if from == "[*]" || to == "[*]" {
            continue;
        }
        for step in steps.split(", ") {
            drawn.insert((from.to_owned(), to.to_owned(), step.to_owned()));
        }
    }
    let done: BTreeSet<_> = taken()
        .into_iter()
        .flat_map(|(step, moves)| moves.into_iter().map(move |(from, to)| (from, to, step)))
        .filter(|(from, to, _)| from != to)
        .map(|(from, to, step)| (from.to_owned(), to.to_owned(), step.to_owned()))
        .collect();
    assert_eq!(
        drawn, done,
        "docs/convention.md, left, and the domain, right"
    );
}

#[test]
fn the_table_says_which_step_is_taken_in_which_state() {
    let document = document();
    let rows: Vec<Vec<&str>> = document
        .lines()
        .skip_while(|line| !line.starts_with("| step |"))
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let [header, _, rows @ ..] = rows.as_slice() else {
        panic!("docs/convention.md has its table of steps");
    };
    let states: Vec<_> = conventions().iter().map(|it| it.state.as_str()).collect();
    assert_eq!(&header[1..=states.len()], states.as_slice());
    let written: BTreeMap<_, BTreeSet<_>> = rows
        .iter()
        .map(|row| {
            let marked = states
                .iter()
                .zip(&row[1..])
                .filter(|(_, mark)| **mark == "✓");
            let marked = marked.map(|(state, _)| (*state).to_owned()).collect();
            (row[0].trim_matches('`').to_owned(), marked)
        })
        .collect();
    let done: BTreeMap<_, BTreeSet<_>> = taken()
        .into_iter()
        .map(|(step, moves)| {
            let from = moves.into_iter().map(|(from, _)| from.to_owned()).collect();
            (step.to_owned(), from)
        })
        .collect();
    assert_eq!(
        written, done,
        "docs/convention.md, left, and the domain, right"
    );
}

/// What every step's function looks like from outside: it takes a convention and gives one, or says how it refuses.
const GIVES_ONE: [&str; 5] = [
    "-> Self",
    "-> Option<Self>",
    "-> Result<Self, Refusal>",
    "-> Result<Option<Self>, Refusal>",
    "-> Result<Learned, Refusal>",
];

#[test]
fn every_step_of_the_domain_is_tried() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/convention");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let tests = path.to_string_lossy().ends_with("_tests.rs");
        if tests || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        let Some((_, methods)) = source.split_once("\nimpl Convention {") else {
            continue;
        };
        let (methods, _) = methods.split_once("\n}").unwrap();
        for method in methods.split("pub ").skip(1) {
            let signature = method.split('{').next().unwrap();
            let takes_one = ["(self", "(mut self", "&self"]
                .iter()
                .any(|receiver| signature.replace("\n        ", "").contains(receiver));
            let gives_one = GIVES_ONE.iter().any(|given| signature.contains(given));
            let name = signature
                .split_once("fn ")
                .and_then(|(_, rest)| rest.split_once('('));
            if takes_one && gives_one {
                found.insert(name.unwrap().0.to_owned());
            }
        }
    }
    let tried: BTreeSet<_> = STEPS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        found, tried,
        "the functions of the domain, left, and STEPS, right"
    );
}
