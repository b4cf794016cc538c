//! Resources, and where contracts lie.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use prost_reflect::{Kind, MessageDescriptor, Value};

use crate::{
    contract::{Behavior, assert_all_used, assert_kept, behaviors, files, messages, option},
    sources::{self, root},
};

const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// Resources that never change.
const APPEND_ONLY: [(&str, &str); 3] = [
    (
        "nonrecours.payments.v1.LedgerEntry",
        "an entry of the books is written once (book_time says when) and never changed, so it has no version",
    ),
    (
        "nonrecours.conventions.v1.ActivityReportVersion",
        "a report as it was handed in (submit_time says when) is a version itself, and is never changed",
    ),
    (
        "nonrecours.payments.v1.ReturnFile",
        "what a file did is written once and never changed, so it has no version",
    ),
];

#[test]
fn every_resource_has_a_name_that_identifies_it() {
    let resources = resources();
    assert!(resources.len() > 5, "{resources:?}");
    let broken = resources.values().filter(|resource| {
        let declared = option(resource.options(), "google.api.resource").unwrap();
        let declared = declared.as_message().unwrap();
        let kind = declared.get_field_by_name("type").unwrap().into_owned();
        let patterns = declared.get_field_by_name("pattern").unwrap().into_owned();
        let named = resource.get_field_by_name("name").is_some_and(|name| {
            name.kind() == Kind::String
                && behaviors(&name) == BTreeSet::from([Behavior::Identifier])
        });
        !named
            || kind.as_str() != Some(&format!("nonrecours/{}", resource.name()))
            || patterns.as_list().is_none_or(<[Value]>::is_empty)
    });
    assert_kept(
        "A resource has the type nonrecours/<its name>, a pattern, and a string name that is its IDENTIFIER",
        broken.map(|resource| resource.full_name().to_owned()),
    );
}

#[test]
fn every_identifier_is_that_of_a_resource() {
    let resources = resources();
    let broken = messages().filter(|message| {
        !resources.contains_key(message.full_name())
            && message
                .fields()
                .any(|field| behaviors(&field).contains(&Behavior::Identifier))
    });
    assert_kept(
        "A message with an IDENTIFIER declares google.api.resource",
        broken.map(|message| message.full_name().to_owned()),
    );
}

#[test]
fn no_two_resources_share_a_type_or_a_pattern() {
    let mut seen = BTreeMap::new();
    let mut broken = Vec::new();
    for resource in resources().into_values() {
        let declared = option(resource.options(), "google.api.resource").unwrap();
        let declared = declared.as_message().unwrap();
        for field in ["type", "pattern"] {
            let value = declared.get_field_by_name(field).unwrap().to_string();
            if let Some(first) = seen.insert(value.clone(), resource.full_name().to_owned()) {
                broken.push(format!("{value}: {first} and {}", resource.full_name()));
            }
        }
    }
    assert_kept("Types and patterns are unique", broken);
}

#[test]
fn every_resource_says_when_it_was_made_and_which_version_it_is() {
    let mut exempted = BTreeSet::new();
    let mut broken = Vec::new();
    for resource in resources().into_values() {
        for (name, kind) in [
            ("create_time", TIMESTAMP),
            ("update_time", TIMESTAMP),
            ("etag", "string"),
        ] {
            if is_output(&resource, name, kind) {
                continue;
            }
            match APPEND_ONLY
                .iter()
                .find(|(exception, _)| *exception == resource.full_name())
            {
                Some((exception, _)) => _ = exempted.insert(*exception),
                None => broken.push(format!("{}.{name} ({kind})", resource.full_name())),
            }
        }
    }
    assert_kept(
        "A resource has create_time, update_time and etag, OUTPUT_ONLY",
        broken,
    );
    assert_all_used(&APPEND_ONLY, &exempted);
}

#[test]
fn no_caller_writes_a_state() {
    let broken = resources().into_values().filter(|resource| {
        resource
            .get_field_by_name("state")
            .is_some_and(|state| behaviors(&state) != BTreeSet::from([Behavior::OutputOnly]))
    });
    assert_kept(
        "The state of a resource is OUTPUT_ONLY: only transitions change it",
        broken.map(|resource| resource.full_name().to_owned()),
    );
}

#[test]
fn a_package_is_the_directory_of_its_files() {
    let mut broken = Vec::new();
    let mut compiled = BTreeSet::new();
    for file in files() {
        let directory = Path::new(file.name()).parent().unwrap();
        if directory != Path::new(&file.package_name().replace('.', "/")) {
            broken.push(format!("{}: package {}", file.name(), file.package_name()));
        }
        compiled.insert(root().join("proto").join(file.name()));
    }
    let written: BTreeSet<_> = sources::files(&root().join("proto/nonrecours"), &["proto"])
        .into_iter()
        .collect();
    broken.extend(
        written
            .symmetric_difference(&compiled)
            .map(|path| format!("{}: written or compiled, not both", path.display())),
    );
    assert_kept(
        "Package a.b.v1 lies in proto/a/b/v1, and every file there is compiled",
        broken,
    );
}

fn resources() -> BTreeMap<String, MessageDescriptor> {
    messages()
        .filter(|message| option(message.options(), "google.api.resource").is_some())
        .map(|message| (message.full_name().to_owned(), message))
        .collect()
}

fn is_output(message: &MessageDescriptor, name: &str, kind: &str) -> bool {
    message.get_field_by_name(name).is_some_and(|field| {
        let of_kind = match field.kind() {
            Kind::Message(message) => message.full_name() == kind,
            Kind::String => kind == "string",
            _ => false,
        };
        of_kind && behaviors(&field) == BTreeSet::from([Behavior::OutputOnly])
    })
}
