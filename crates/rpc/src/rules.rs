//! The field rules of the contract (`buf.validate`), read from the descriptors and applied to requests.
//!
//! Only the rules that the contracts use are known; a test over all descriptors fails on any other, so that no rule
//! is written and not applied. Why this is ours: `docs/adr/0004-contract-rules.md`.

use std::{collections::HashMap, sync::LazyLock};

use nonrecours_contracts::DESCRIPTOR_SET;
use nonrecours_kernel::{Invalid, Violation};
use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor, ReflectMessage as _, Value,
};

/// Descriptors of all contracts, options included. Empty only if the embedded set were damaged, which a test excludes.
pub static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR_SET).unwrap_or_default());

static RULES: LazyLock<HashMap<String, Vec<FieldRules>>> = LazyLock::new(|| {
    POOL.all_messages()
        .filter(|message| message.full_name().starts_with("nonrecours."))
        .map(|message| (message.full_name().to_owned(), of_message(&message).0))
        .collect()
});

/// Value of `google.api.FieldBehavior.OUTPUT_ONLY`: such fields are not read from requests, so not checked either.
const OUTPUT_ONLY: i32 = 3;

/// Deepest nesting of a request that is looked into.
const MAX_DEPTH: usize = 8;

#[derive(Debug)]
struct FieldRules {
    field: FieldDescriptor,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
enum Rule {
    Required,
    MinLen(u64),
    MaxLen(u64),
    Uuid,
    MinItems(u64),
    MaxItems(u64),
    Items(Vec<Rule>),
    DefinedOnly,
    NotIn(Vec<i32>),
    AtLeast(i64),
    AtMost(i64),
}

/// Every violation of the contract's rules in a message, nested ones included.
pub fn violations<M: Message + Name>(message: &M) -> Vec<Violation> {
    let mut found = Vec::new();
    let Some(descriptor) = POOL.get_message_by_name(&M::full_name()) else {
        return found;
    };
    let Ok(dynamic) = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()) else {
        return found;
    };
    visit(&dynamic, "", 0, &mut found);
    found
}

/// Rules in the contracts that this module does not apply, as `message.field: rule`.
pub fn unsupported() -> Vec<String> {
    POOL.all_messages()
        .filter(|message| message.full_name().starts_with("nonrecours."))
        .flat_map(|message| of_message(&message).1)
        .collect()
}

fn visit(message: &DynamicMessage, path: &str, depth: usize, found: &mut Vec<Violation>) {
    let descriptor = message.descriptor();
    for oneof in descriptor.oneofs().filter(oneof_required) {
        if !oneof.fields().any(|field| message.has_field(&field)) {
            found.push(at(path, oneof.name(), required()));
        }
    }
    let rules = RULES.get(descriptor.full_name());
    for FieldRules { field, rules } in rules.into_iter().flatten() {
        let path = join(path, field.name());
        let value = message.get_field(field);
        // One fault a field is enough to act on: the first rule broken speaks.
        if let Some(violation) = rules
            .iter()
            .find_map(|rule| broken(rule, message.has_field(field), &value, &path, field))
        {
            found.push(violation);
        }
        if depth < MAX_DEPTH {
            match value.as_ref() {
                Value::Message(nested) if message.has_field(field) => {
                    visit(nested, &path, depth + 1, found);
                }
                Value::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        if let Value::Message(nested) = item {
                            visit(nested, &format!("{path}[{index}]"), depth + 1, found);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn broken(
    rule: &Rule,
    present: bool,
    value: &Value,
    path: &str,
    field: &FieldDescriptor,
) -> Option<Violation> {
    let invalid = match (rule, value) {
        (Rule::Required, _) if !present => required(),
        (Rule::MinLen(min), Value::String(text)) if (text.chars().count() as u64) < *min => {
            if text.is_empty() {
                required()
            } else {
                Invalid::new(
                    "TOO_SHORT",
                    format!("at least {min} characters are needed"),
                    format!("au moins {min} caractères sont attendus"),
                )
            }
        }
        (Rule::MaxLen(max), Value::String(text)) if text.chars().count() as u64 > *max => {
            Invalid::new(
                "TOO_LONG",
                format!("at most {max} characters are accepted"),
                format!("{max} caractères au plus sont acceptés"),
            )
        }
        (Rule::Uuid, Value::String(text)) if uuid::Uuid::try_parse(text).is_err() => Invalid::new(
            "UUID_INVALID",
            "a UUID is needed",
            "un identifiant UUID est attendu",
        ),
        (Rule::MinItems(min), Value::List(items)) if (items.len() as u64) < *min => Invalid::new(
            "TOO_FEW_ITEMS",
            format!("at least {min} is needed"),
            format!("il en faut au moins {min}"),
        ),
        (Rule::MaxItems(max), Value::List(items)) if items.len() as u64 > *max => Invalid::new(
            "TOO_MANY_ITEMS",
            format!("at most {max} are accepted"),
            format!("il en faut au plus {max}"),
        ),
        (Rule::Items(rules), Value::List(items)) => {
            return items.iter().enumerate().find_map(|(index, item)| {
                let path = format!("{path}[{index}]");
                rules
                    .iter()
                    .find_map(|rule| broken(rule, true, item, &path, field))
            });
        }
        (Rule::DefinedOnly, Value::EnumNumber(number))
            if field
                .kind()
                .as_enum()
                .is_some_and(|kind| kind.get_value(*number).is_none()) =>
        {
            Invalid::new(
                "VALUE_UNKNOWN",
                "not a value of this list",
                "cette valeur ne fait pas partie de la liste",
            )
        }
        (Rule::NotIn(excluded), Value::EnumNumber(number)) if excluded.contains(number) => {
            required()
        }
        (Rule::AtLeast(min), value) if integer(value).is_some_and(|number| number < *min) => {
            Invalid::new(
                "TOO_SMALL",
                format!("{min} or more is needed"),
                format!("une valeur d'au moins {min} est attendue"),
            )
        }
        (Rule::AtMost(max), value) if integer(value).is_some_and(|number| number > *max) => {
            Invalid::new(
                "TOO_LARGE",
                format!("{max} or less is needed"),
                format!("une valeur d'au plus {max} est attendue"),
            )
        }
        _ => return None,
    };
    Some(Violation::at(path, invalid))
}

fn required() -> Invalid {
    Invalid::new(
        "REQUIRED",
        "this field is needed",
        "ce champ est obligatoire",
    )
}

fn at(path: &str, name: &str, invalid: Invalid) -> Violation {
    Violation::at(join(path, name), invalid)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::I32(number) => Some(i64::from(*number)),
        Value::I64(number) => Some(*number),
        _ => None,
    }
}

fn oneof_required(oneof: &prost_reflect::OneofDescriptor) -> bool {
    let Some(extension) = POOL.get_extension_by_name("buf.validate.oneof") else {
        return false;
    };
    let options = oneof.options();
    options.has_extension(&extension)
        && matches!(
            options.get_extension(&extension).as_ref(),
            Value::Message(rules) if rules.get_field_by_name("required").and_then(|value| value.as_bool()) == Some(true)
        )
}

/// The rules of a message's input fields, and the names of those that are not known here.
fn of_message(message: &MessageDescriptor) -> (Vec<FieldRules>, Vec<String>) {
    let mut unknown = Vec::new();
    let fields = message
        .fields()
        .filter(|field| !output_only(field))
        .map(|field| {
            let mut rules = Vec::new();
            if let Some(declared) = declared(&field) {
                read(&declared, &mut rules, &mut |rule| {
                    unknown.push(format!("{}: {rule}", field.full_name()));
                });
            }
            FieldRules { field, rules }
        })
        .collect();
    (fields, unknown)
}

fn output_only(field: &FieldDescriptor) -> bool {
    let Some(extension) = POOL.get_extension_by_name("google.api.field_behavior") else {
        return false;
    };
    match field.options().get_extension(&extension).as_ref() {
        Value::List(values) => values
            .iter()
            .any(|value| value.as_enum_number() == Some(OUTPUT_ONLY)),
        _ => false,
    }
}

fn declared(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let extension = POOL.get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    if !options.has_extension(&extension) {
        return None;
    }
    options.get_extension(&extension).as_message().cloned()
}

fn read(declared: &DynamicMessage, rules: &mut Vec<Rule>, unknown: &mut dyn FnMut(String)) {
    for (group, value) in declared.fields() {
        if group.name() == "required" {
            rules.push(Rule::Required);
            continue;
        }
        let Value::Message(group_rules) = value else {
            unknown(group.name().to_owned());
            continue;
        };
        for (rule, value) in group_rules.fields() {
            let known = match (group.name(), rule.name()) {
                ("string", "min_len") => value.as_u64().map(Rule::MinLen),
                ("string", "max_len") => value.as_u64().map(Rule::MaxLen),
                ("string", "len") => value.as_u64().map(|len| {
                    rules.push(Rule::MinLen(len));
                    Rule::MaxLen(len)
                }),
                ("string", "uuid") => value.as_bool().filter(|on| *on).map(|_| Rule::Uuid),
                ("repeated", "min_items") => value.as_u64().map(Rule::MinItems),
                ("repeated", "max_items") => value.as_u64().map(Rule::MaxItems),
                ("repeated", "items") => value.as_message().map(|items| {
                    let mut nested = Vec::new();
                    read(items, &mut nested, unknown);
                    Rule::Items(nested)
                }),
                ("enum", "defined_only") => {
                    value.as_bool().filter(|on| *on).map(|_| Rule::DefinedOnly)
                }
                ("enum", "not_in") => value
                    .as_list()
                    .map(|list| Rule::NotIn(list.iter().filter_map(Value::as_i32).collect())),
                ("int32" | "int64", "gte") => integer(value).map(Rule::AtLeast),
                ("int32" | "int64", "lte") => integer(value).map(Rule::AtMost),
                _ => None,
            };
            match known {
                Some(rule) => rules.push(rule),
                None => unknown(format!("{}.{}", group.name(), rule.name())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nonrecours_contracts::{conventions, feed, google::r#type::Money, payments};

    use super::*;

    fn fields(found: &[Violation]) -> Vec<(&str, &str)> {
        found
            .iter()
            .map(|violation| (violation.field.as_str(), violation.reason.as_str()))
            .collect()
    }

    #[test]
    fn every_rule_of_the_contracts_is_applied() {
        assert!(POOL.all_messages().count() > 100);
        assert_eq!(unsupported(), Vec::<String>::new());
    }

    #[test]
    fn all_violations_come_at_once_with_their_paths() {
        let request = conventions::CreateProgrammeRequest {
            programme: Some(conventions::Programme {
                display_name: String::new(),
                authority_name: "x".repeat(201),
                authority_siret: "1".into(),
                envelopes: vec![conventions::Envelope {
                    budget_year: 1999,
                    voted_amount: None,
                    ..Default::default()
                }],
                ..Default::default()
            }),
            request_id: "abc".into(),
        };
        assert_eq!(
            fields(&violations(&request)),
            [
                ("programme.display_name", "REQUIRED"),
                ("programme.authority_name", "TOO_LONG"),
                ("programme.envelopes[0].budget_year", "TOO_SMALL"),
                ("programme.envelopes[0].voted_amount", "REQUIRED"),
                ("request_id", "UUID_INVALID"),
            ]
        );
    }

    #[test]
    fn enums_items_and_output_only_fields() {
        let convention = conventions::Convention {
            objectives: vec!["a".into(), String::new()],
            instalment_terms: vec![conventions::InstalmentTerm {
                kind: 99,
                share: "1".into(),
                amount: Some(Money::default()),
                ..Default::default()
            }],
            // An output-only field is not read, whatever it holds.
            signatures: vec![conventions::Signature::default()],
            ..Default::default()
        };
        let request = conventions::UpdateConventionRequest {
            convention: Some(convention),
            update_mask: None,
            request_id: "0190b2c6-7a9e-7000-8000-000000000001".into(),
        };
        let found = violations(&request);
        let found = fields(&found);
        assert!(found.contains(&("convention.objectives[1]", "REQUIRED")));
        assert!(found.contains(&("convention.instalment_terms[0].kind", "VALUE_UNKNOWN")));
        assert!(
            !found
                .iter()
                .any(|(field, _)| field.starts_with("convention.signatures"))
        );
    }

    #[test]
    fn a_length_is_neither_more_nor_less() {
        let code = |text: &str| payments::PayeeCodes {
            third_party_category: text.into(),
            legal_nature: "09".into(),
            ..Default::default()
        };
        let faults = |text: &str| {
            let found = violations(&code(text));
            let of_category = found
                .into_iter()
                .find(|violation| violation.field == "third_party_category");
            of_category.map(|violation| violation.reason)
        };
        assert_eq!(faults("2").as_deref(), Some("TOO_SHORT"));
        assert_eq!(faults("23"), None);
        assert_eq!(faults("234").as_deref(), Some("TOO_LONG"));
    }

    #[test]
    fn a_good_message_has_no_violation() {
        assert!(violations(&feed::PullChangesRequest::default()).is_empty());
    }
}
