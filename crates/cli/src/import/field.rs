//! What a column stands for: a field of a pushed record, found in the contract by its path, with what its cells hold.

use nonrecours_rpc::rules::POOL;
use prost_reflect::{FieldDescriptor, Kind as WireKind, MessageDescriptor, Value};

use super::list::{Catalogue, List};

/// The message of a pushed record.
const RECORD: &str = "nonrecours.followup.v1.Record";
/// Fields that every record has, whatever it is of.
const OF_EVERY_RECORD: [&str; 2] = ["external_reference", "version"];
/// Value of `google.api.FieldBehavior.REQUIRED`.
const REQUIRED: i32 = 2;
/// Deepest field within a record.
const MAX_DEPTH: usize = 4;

/// What the cells of a column hold.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// Yes or no.
    YesNo,
    /// A day.
    Date,
    /// Euros.
    Amount,
    /// An entry of a list.
    List(List),
}

/// A field of a record.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its path in the mapping, e.g. `beneficiary.identity.birth_name`.
    pub source: String,
    /// From the record down to it.
    pub path: Vec<FieldDescriptor>,
    /// What its cells hold.
    pub kind: Kind,
    /// No record goes without it.
    pub required: bool,
}

/// What the second value of a mapping's line names.
pub enum Target {
    /// A kind of record, hence a sheet.
    Sheet(FieldDescriptor),
    /// One of its fields, hence a column.
    Field(Field),
}

impl Target {
    /// Finds it in the contract; `None`: there is no such field, or it is none that a cell can hold.
    pub fn of(source: &str) -> Option<Self> {
        let record = record()?;
        let mut parts = source.split('.');
        let content = record
            .get_field_by_name(parts.next()?)
            .filter(|field| field.containing_oneof().is_some())?;
        let mut path = vec![content.clone()];
        for part in parts {
            let inner = match path.last()?.kind() {
                WireKind::Message(message) => message.get_field_by_name(part),
                _ => None,
            };
            match inner {
                Some(inner) => path.push(inner),
                None if path.len() == 1 && OF_EVERY_RECORD.contains(&part) => {
                    path = vec![record.get_field_by_name(part)?];
                }
                None => return None,
            }
            if path.len() > MAX_DEPTH {
                return None;
            }
        }
        let field = path.last()?;
        if *field == content {
            return Some(Self::Sheet(content));
        }
        Some(Self::Field(Field {
            kind: kind(source, field)?,
            required: is_required(field),
            source: source.to_owned(),
            path,
        }))
    }
}

impl Field {
    /// Whether several columns may give it.
    pub fn is_list(&self) -> bool {
        self.path.last().is_some_and(FieldDescriptor::is_list)
    }

    /// Its path in a record, as the service names it in a violation.
    pub fn wire_path(&self) -> String {
        let names: Vec<&str> = self.path.iter().map(FieldDescriptor::name).collect();
        names.join(".")
    }
}

/// Kinds of records, in the order in which they refer to each other: persons, rights, sessions, steps, notes.
pub fn contents() -> Vec<FieldDescriptor> {
    let oneof = record().and_then(|record| record.oneofs().next());
    oneof.map_or_else(Vec::new, |oneof| oneof.fields().collect())
}

/// The descriptor of a record. There, unless the embedded contracts were damaged, which a test excludes.
pub fn record() -> Option<MessageDescriptor> {
    POOL.get_message_by_name(RECORD)
}

fn kind(source: &str, field: &FieldDescriptor) -> Option<Kind> {
    Some(match field.kind() {
        WireKind::String => match Catalogue::of(source) {
            Some(catalogue) => Kind::List(List::Open(catalogue)),
            None => Kind::Text,
        },
        WireKind::Int32 | WireKind::Int64 => Kind::Integer,
        WireKind::Bool => Kind::YesNo,
        WireKind::Enum(values) => Kind::List(List::Closed(values)),
        WireKind::Message(message) => match message.full_name() {
            "google.type.Date" => Kind::Date,
            "google.type.Money" => Kind::Amount,
            _ => return None,
        },
        _ => return None,
    })
}

fn is_required(field: &FieldDescriptor) -> bool {
    let Some(behaviour) = POOL.get_extension_by_name("google.api.field_behavior") else {
        return false;
    };
    match field.options().get_extension(&behaviour).as_ref() {
        Value::List(values) => values
            .iter()
            .any(|value| value.as_enum_number() == Some(REQUIRED)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(source: &str) -> Field {
        match Target::of(source) {
            Some(Target::Field(field)) => field,
            _ => panic!("{source} is no field"),
        }
    }

    #[test]
    fn fields_are_those_of_the_contract() {
        assert!(matches!(field("entitlement.amount").kind, Kind::Amount));
        assert!(matches!(
            field("beneficiary.identity.birth_date").kind,
            Kind::Date
        ));
        assert!(matches!(field("step.renewal").kind, Kind::YesNo));
        assert!(field("beneficiary.publics").is_list());
        assert!(field("session.external_reference").required);
        assert!(!field("session.version").required);
        assert_eq!(
            field("note.external_reference").wire_path(),
            "external_reference"
        );
        for unknown in [
            "",
            "external_reference",
            "person",
            "beneficiary.nir",
            "beneficiary.identity",
            "beneficiary.identity.version",
            "beneficiary.identity.birth_date.year.x",
        ] {
            assert!(Target::of(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn records_come_after_those_they_refer_to() {
        let names: Vec<_> = contents()
            .iter()
            .map(|content| content.name().to_owned())
            .collect();
        assert_eq!(
            names,
            ["beneficiary", "entitlement", "session", "step", "note"]
        );
    }
}
