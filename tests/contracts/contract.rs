//! The contracts as the tests read them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use nonrecours_contracts::DESCRIPTOR_SET;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, FileDescriptor, MessageDescriptor,
    MethodDescriptor, ReflectMessage as _, Value,
};

/// Descriptors of every file, custom options and comments included.
pub static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR_SET).unwrap());

/// What `google.api.field_behavior` says of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Behavior {
    Optional,
    Required,
    OutputOnly,
    Identifier,
}

/// The files of the suite.
pub fn files() -> impl Iterator<Item = FileDescriptor> {
    POOL.files()
        .filter(|file| file.package_name().starts_with("nonrecours."))
}

/// The messages of the suite.
pub fn messages() -> impl Iterator<Item = MessageDescriptor> {
    POOL.all_messages().filter(is_ours)
}

/// The rpcs of the suite.
pub fn methods() -> Vec<MethodDescriptor> {
    let methods: Vec<_> = files()
        .flat_map(|file| file.services().collect::<Vec<_>>())
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    assert!(!methods.is_empty(), "the contracts have no rpc");
    methods
}

pub fn is_ours(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("nonrecours.")
}

/// True for an rpc that changes nothing, or (pushing records) repeats harmlessly by the content it carries.
pub fn carries_no_request_id(method: &MethodDescriptor) -> bool {
    let name = method.name();
    [
        "Check", "Download", "Explain", "Export", "Get", "List", "Preview", "Pull", "Push",
        "Query", "Verify",
    ]
    .iter()
    .any(|verb| name.starts_with(verb))
}

/// The message that says what is asked: the request, or the opening of a stream of them.
pub fn asked(method: &MethodDescriptor) -> MessageDescriptor {
    let input = method.input();
    let opening = input
        .get_field_by_name("opening")
        .filter(|_| method.is_client_streaming());
    opening
        .and_then(|opening| opening.kind().as_message().cloned())
        .unwrap_or(input)
}

/// What the contract says of a field; empty when it says nothing.
pub fn behaviors(field: &FieldDescriptor) -> BTreeSet<Behavior> {
    let Some(Value::List(values)) = option(field.options(), "google.api.field_behavior") else {
        return BTreeSet::new();
    };
    let known = values.iter().map(|value| match value.as_enum_number() {
        Some(1) => Behavior::Optional,
        Some(2) => Behavior::Required,
        Some(3) => Behavior::OutputOnly,
        Some(8) => Behavior::Identifier,
        other => panic!(
            "{}: field_behavior {other:?} means nothing here",
            field.full_name()
        ),
    });
    known.collect()
}

/// The `buf.validate` rules of a field.
pub fn rules(field: &FieldDescriptor) -> Option<DynamicMessage> {
    match option(field.options(), "buf.validate.field") {
        Some(Value::Message(rules)) => Some(rules),
        _ => None,
    }
}

/// A rule by its path, e.g. `["string", "uuid"]`.
pub fn rule(field: &FieldDescriptor, path: [&str; 2]) -> Option<Value> {
    let group = rules(field)?;
    let group = group.get_field_by_name(path[0])?;
    let group = group.as_message()?;
    let rule = group.descriptor().get_field_by_name(path[1])?;
    group
        .has_field(&rule)
        .then(|| group.get_field(&rule).into_owned())
}

/// The value of a custom option, when it is given.
pub fn option(options: DynamicMessage, name: &str) -> Option<Value> {
    let extension = POOL
        .get_extension_by_name(name)
        .unwrap_or_else(|| panic!("the descriptors know no option {name}"));
    options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension).into_owned())
}

/// The comment before the element at this path of a file.
pub fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    static COMMENTS: LazyLock<HashMap<(String, Vec<i32>), String>> = LazyLock::new(|| {
        let of_file = |file: FileDescriptor| {
            let locations = file.file_descriptor_proto().source_code_info.clone();
            let locations = locations.unwrap_or_default().location.into_iter();
            locations
                .map(|location| {
                    let comment = location.leading_comments().to_owned();
                    ((file.name().to_owned(), location.path), comment)
                })
                .collect::<Vec<_>>()
        };
        files().flat_map(of_file).collect()
    });
    let key = (file.name().to_owned(), path.to_vec());
    COMMENTS.get(&key).cloned().unwrap_or_default()
}

/// True when the text has this word: not as a part of a longer name.
pub fn has_word(text: &str, word: &str) -> bool {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(of_name) && !text[at + word.len()..].starts_with(of_name)
    })
}

/// Fails with the whole list of what breaks a rule.
#[track_caller]
pub fn assert_kept(rule: &str, broken: impl IntoIterator<Item = String>) {
    let broken: Vec<String> = broken.into_iter().collect();
    assert!(
        broken.is_empty(),
        "{rule}. Broken {} times:\n  {}",
        broken.len(),
        broken.join("\n  ")
    );
}

/// Fails when an exception exempts nothing any more.
#[track_caller]
pub fn assert_all_used(exceptions: &[(&str, &str)], used: &BTreeSet<&str>) {
    let stale = exceptions.iter().filter(|(name, _)| !used.contains(name));
    assert_kept(
        "An exception exempts something; remove the others",
        stale.map(|(name, reason)| format!("{name} ({reason})")),
    );
}

#[test]
fn words_are_whole() {
    assert!(has_word("refuses: ACT_MISSING, X", "ACT_MISSING"));
    assert!(!has_word("refuses: ACT_MISSING_TOO", "ACT_MISSING"));
    assert!(!has_word("THE_ACT_MISSING", "ACT_MISSING"));
    assert!(has_word("THE_ACT_MISSING ACT_MISSING", "ACT_MISSING"));
}
