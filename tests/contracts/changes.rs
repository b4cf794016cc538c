//! Kinds of change: each that the services record has its French label and its place in the documentation, and no other
//! has.

use std::collections::BTreeSet;

use nonrecours_kernel::change_label;
use prost_reflect::MessageDescriptor;

use crate::{
    contract::{assert_kept, messages},
    sources::{self, root},
};

/// The services, by the folder of their code.
const SERVICES: [&str; 3] = ["conventions", "followup", "payments"];

#[test]
fn every_kind_that_is_recorded_has_a_label_and_every_label_its_kind() {
    let recorded = recorded();
    let labelled = labelled();
    assert!(recorded.len() > 50, "{recorded:?}");
    let unlabelled = recorded.difference(&labelled);
    let unrecorded = labelled.difference(&recorded);
    assert_kept(
        "crates/kernel/src/changes.rs has a label for every kind that the services record, and no other",
        unlabelled
            .map(|kind| format!("{kind} has no label"))
            .chain(unrecorded.map(|kind| format!("{kind} is recorded nowhere"))),
    );
    for kind in &labelled {
        let label = change_label(kind).unwrap_or_default();
        assert!(!label.is_empty(), "{kind}");
    }
    assert_eq!(change_label("convention.forgotten"), None);
}

#[test]
fn every_kind_that_is_recorded_is_documented() {
    let page = std::fs::read_to_string(root().join("docs/api.md")).unwrap();
    let documented = documented(&page);
    let recorded = recorded();
    let missing = recorded.difference(&documented);
    let unknown = documented.difference(&recorded);
    assert_kept(
        "The table of kinds in docs/api.md has every kind that the services record, and no other",
        missing
            .map(|kind| format!("{kind} is not documented"))
            .chain(unknown.map(|kind| format!("{kind} is recorded nowhere"))),
    );
}

/// The literals `"resource.happened"` in the code of the services. A literal of the same form that is the path of a field,
/// e.g. `"act.act_id"`, is none, unless it has a label.
fn recorded() -> BTreeSet<String> {
    let fields: BTreeSet<String> = messages().flat_map(|message| paths(&message)).collect();
    let resources: BTreeSet<String> = messages()
        .filter(|message| {
            crate::contract::option(message.options(), "google.api.resource").is_some()
        })
        .map(|message| snake(message.name()))
        .collect();
    let labelled = labelled();
    SERVICES
        .iter()
        .map(|service| root().join("services").join(service).join("src"))
        .flat_map(|folder| literals(&sources::code(&folder)))
        .filter(|literal| {
            let resource = literal.split('.').next().unwrap_or_default();
            resources.contains(resource)
                && (labelled.contains(literal) || !fields.contains(literal))
        })
        .collect()
}

/// `resource.field` of each field. What a record holds is a message of its own beside the resource.
fn paths(message: &MessageDescriptor) -> Vec<String> {
    let name = message.name();
    let resource = snake(name.strip_suffix("Content").unwrap_or(name));
    let fields = message.fields();
    fields
        .map(|field| format!("{resource}.{}", field.name()))
        .collect()
}

/// The literals of two lower-case words joined by a dot.
fn literals(code: &str) -> Vec<String> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    code.split('"')
        .filter(|text| {
            text.split_once('.')
                .is_some_and(|(resource, happened)| is_word(resource) && is_word(happened))
        })
        .map(str::to_owned)
        .collect()
}

/// The kinds that have a label.
fn labelled() -> BTreeSet<String> {
    let code = sources::code(&root().join("crates/kernel/src"));
    let (_, labels) = code.split_once("pub fn change_label(").unwrap();
    let (labels, _) = labels.split_once("_ => return None").unwrap();
    literals(labels).into_iter().collect()
}

/// The kinds in the table of feeds: `resource.happened`, and `.happened` for more of the same resource.
fn documented(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter(|line| {
        SERVICES
            .iter()
            .any(|service| line.starts_with(&format!("| {service} | `")) && line.contains('.'))
    });
    let mut kinds = BTreeSet::new();
    for row in rows {
        let mut resource = "";
        for kind in row.split('`').skip(1).step_by(2) {
            match kind.split_once('.') {
                Some(("", happened)) => _ = kinds.insert(format!("{resource}.{happened}")),
                Some((named, _)) if !kind.contains(':') => {
                    resource = named;
                    kinds.insert(kind.to_owned());
                }
                _ => {}
            }
        }
    }
    kinds
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[test]
fn kinds_are_told_from_other_literals() {
    let code = r#"finish(tx, "convention.signed"); field("act.act_id"); "x"; "jwks.json"; "a.B"; "no dot""#;
    assert_eq!(
        literals(code),
        ["convention.signed", "act.act_id", "jwks.json"]
    );
    assert_eq!(snake("GrantPublication"), "grant_publication");
    let page = "| payments | `payment_plan.opened`, `.paid` · `instalment.paid` (without `bank_account`) |";
    let kinds: Vec<_> = documented(page).into_iter().collect();
    assert_eq!(
        kinds,
        [
            "instalment.paid",
            "payment_plan.opened",
            "payment_plan.paid"
        ]
    );
}
