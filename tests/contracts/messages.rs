//! What requests carry: each field says whether it is needed, and which values it takes.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Value};

use crate::contract::{
    Behavior, assert_all_used, assert_kept, behaviors, carries_no_request_id, is_ours, methods,
    option, rules,
};

/// Messages of requests whose rules are not in the contract's options.
const CHECKED_BY_CODE: [(&str, &str); 1] = [(
    "nonrecours.followup.v1.Record",
    "checked record by record: a wrong one is a result of its batch, and must not refuse the request that carries it",
)];

#[test]
fn every_request_field_says_whether_it_is_needed() {
    let broken = input_fields().into_iter().filter(|(field, _)| {
        // The choice is that of the oneof, which has a rule of its own.
        behaviors(field).is_empty() && field.containing_oneof().is_none()
    });
    assert_kept(
        "Every field of a request has google.api.field_behavior",
        broken.map(|(field, _)| field.full_name().to_owned()),
    );
}

#[test]
fn a_field_is_either_needed_or_not() {
    let broken = crate::contract::messages()
        .flat_map(|message| message.fields().collect::<Vec<_>>())
        .filter(|field| behaviors(field).len() > 1);
    assert_kept(
        "A field has one field_behavior",
        broken.map(|field| field.full_name().to_owned()),
    );
}

#[test]
fn every_request_field_has_a_rule() {
    let mut exempted = BTreeSet::new();
    let mut broken = Vec::new();
    for (field, owner) in input_fields() {
        if !takes_a_rule(&field) || rules(&field).is_some() {
            continue;
        }
        match CHECKED_BY_CODE.iter().find(|(name, _)| *name == owner) {
            Some((name, _)) => _ = exempted.insert(*name),
            None => broken.push(field.full_name().to_owned()),
        }
    }
    assert_kept(
        "Every string, number, enum, list and needed message of a request has a buf.validate rule",
        broken,
    );
    assert_all_used(&CHECKED_BY_CODE, &exempted);
}

#[test]
fn every_choice_of_a_request_is_needed() {
    let broken = input_messages()
        .into_values()
        .filter(|(_, owner)| !is_checked_by_code(owner))
        .flat_map(|(message, _)| message.oneofs().collect::<Vec<_>>())
        .filter(|oneof| !oneof.is_synthetic() && !is_required(oneof));
    assert_kept(
        "Every oneof of a request has the rule buf.validate.oneof.required",
        broken.map(|oneof| oneof.full_name().to_owned()),
    );
}

/// What a rule could refuse. Left out, because nothing could be wrong with them by themselves:
/// - what is not read: output-only fields;
/// - names of resources inside a resource: they are parsed, by the form of each;
/// - a bool: both values are good;
/// - a message that may be absent: its own fields have their rules;
/// - a member of a oneof: the choice is the oneof's.
fn takes_a_rule(field: &FieldDescriptor) -> bool {
    let behaviors = behaviors(field);
    let unread = behaviors.contains(&Behavior::OutputOnly);
    let name = behaviors.contains(&Behavior::Identifier);
    if unread || name || field.containing_oneof().is_some() {
        return false;
    }
    if field.is_list() || field.is_map() {
        return true;
    }
    match field.kind() {
        Kind::Bool => false,
        Kind::Message(_) => behaviors.contains(&Behavior::Required),
        _ => true,
    }
}

fn is_required(oneof: &OneofDescriptor) -> bool {
    let rules = option(oneof.options(), "buf.validate.oneof");
    let rules = rules.as_ref().and_then(Value::as_message);
    rules
        .and_then(|rules| {
            rules
                .get_field_by_name("required")
                .and_then(|value| value.as_bool())
        })
        .unwrap_or_default()
}

fn is_checked_by_code(owner: &str) -> bool {
    CHECKED_BY_CODE.iter().any(|(name, _)| *name == owner)
}

/// Every field of a request, nested ones included, each with the message whose rules it falls under.
fn input_fields() -> Vec<(FieldDescriptor, String)> {
    let fields: Vec<_> = input_messages()
        .into_values()
        .flat_map(|(message, owner)| {
            let fields: Vec<_> = message
                .fields()
                .map(|field| (field, owner.clone()))
                .collect();
            fields
        })
        .collect();
    assert!(fields.len() > methods().len(), "requests have fields");
    fields
}

/// Every message of ours that a caller writes, by its name. With each, the message that decides how its fields are
/// checked: itself, or the one of [`CHECKED_BY_CODE`] that carries it.
fn input_messages() -> BTreeMap<String, (MessageDescriptor, String)> {
    let mut found = BTreeMap::new();
    let mut queue: Vec<_> = methods()
        .iter()
        .map(|method| (method.input(), method.input().full_name().to_owned()))
        .collect();
    while let Some((message, owner)) = queue.pop() {
        if !is_ours(&message) || found.contains_key(message.full_name()) {
            continue;
        }
        for field in message.fields() {
            let Kind::Message(nested) = field.kind() else {
                continue;
            };
            if behaviors(&field).contains(&Behavior::OutputOnly) {
                continue;
            }
            let owner = if is_checked_by_code(&owner) {
                owner.clone()
            } else {
                nested.full_name().to_owned()
            };
            queue.push((nested, owner));
        }
        found.insert(message.full_name().to_owned(), (message, owner));
    }
    found
}

#[test]
fn nested_messages_of_requests_are_looked_into() {
    let messages = input_messages();
    for name in [
        "nonrecours.conventions.v1.InstalmentTerm",
        "nonrecours.followup.v1.PushBatch",
        "nonrecours.followup.v1.SessionContent",
        "nonrecours.payments.v1.AccountDetails",
    ] {
        assert!(messages.contains_key(name), "{name}");
    }
    assert!(!messages.contains_key("nonrecours.common.v1.Blocker"));
    assert!(methods().iter().any(carries_no_request_id));
}
