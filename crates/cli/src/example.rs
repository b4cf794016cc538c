//! The examples the project ships, in the JSON form of their protobuf messages.

use anyhow::Context as _;
use nonrecours_contracts::{conventions, followup, payments};
use nonrecours_rpc::rules::POOL;
use prost::{Message, Name};
use prost_reflect::DynamicMessage;
use serde_json::Value;

const CONVENTION: &str = include_str!("../../../examples/convention-dainville-2025.json");
const FOLLOWUP: &str = include_str!("../../../examples/followup-dainville-2025.json");

/// All facts of the Dainville 2025 convention.
#[derive(Clone, Debug)]
pub struct Example {
    /// The territory's programme with its envelope.
    pub programme: conventions::Programme,
    /// The council's vote.
    pub framework_convention: conventions::FrameworkConvention,
    /// The commune.
    pub operator: conventions::Operator,
    /// The terms, with the blanks of the document.
    pub convention: conventions::Convention,
    /// The authorising acts, without the publication that the document leaves blank.
    pub acts: Vec<conventions::Act>,
    /// The commune's RIB.
    pub bank_account: payments::AccountDetails,
    /// Follow-up records of its software.
    pub records: Vec<followup::Record>,
}

impl Example {
    /// Puts the convention into another budget year; acts and records keep their days.
    pub fn move_to(&mut self, year: i32) {
        for envelope in &mut self.programme.envelopes {
            envelope.budget_year = year;
        }
        self.convention.budget_year = year;
        if let Some(end) = &mut self.convention.indicative_end_date {
            end.year = year;
        }
    }

    /// Reads the shipped files.
    pub fn load() -> anyhow::Result<Self> {
        let facts: Value = serde_json::from_str(CONVENTION).context("the example convention")?;
        let followup: Value = serde_json::from_str(FOLLOWUP).context("the example records")?;
        Ok(Self {
            programme: part(&facts, "programme")?,
            framework_convention: part(&facts, "frameworkConvention")?,
            operator: part(&facts, "operator")?,
            convention: part(&facts, "convention")?,
            acts: list(&facts, "acts")?,
            bank_account: part(&facts, "bankAccount")?,
            records: list(&followup, "records")?,
        })
    }
}

fn part<M: Message + Name + Default>(file: &Value, key: &str) -> anyhow::Result<M> {
    message(file.get(key).with_context(|| format!("{key} is missing"))?).context(key.to_owned())
}

fn list<M: Message + Name + Default>(file: &Value, key: &str) -> anyhow::Result<Vec<M>> {
    let items = file
        .get(key)
        .and_then(Value::as_array)
        .with_context(|| format!("{key} is missing"))?;
    items
        .iter()
        .enumerate()
        .map(|(index, item)| message(item).with_context(|| format!("{key}[{index}]")))
        .collect()
}

/// Reads one message from its JSON form; an unknown field is an error.
fn message<M: Message + Name + Default>(json: &Value) -> anyhow::Result<M> {
    let descriptor = POOL
        .get_message_by_name(&M::full_name())
        .with_context(|| format!("{} is not in the contracts", M::full_name()))?;
    let dynamic = DynamicMessage::deserialize(descriptor, json)?;
    Ok(M::decode(dynamic.encode_to_vec().as_slice())?)
}

#[cfg(test)]
mod tests {
    use nonrecours_kernel::{Iban, Money, Siret, catalogue};
    use nonrecours_rpc::convert::money;

    use super::*;

    #[test]
    fn the_examples_hold_the_facts_of_the_document() {
        let example = Example::load().unwrap();
        let grant = money(example.convention.grant_amount.as_ref()).unwrap();
        assert_eq!(grant, Money::parse("11500").unwrap());
        assert_eq!(example.programme.commune_codes.len(), 46);
        for code in &example.programme.commune_codes {
            assert!(catalogue::commune(code).is_some(), "{code}");
        }
        let publics: Vec<_> = catalogue::publics()
            .iter()
            .map(|public| public.code)
            .collect();
        assert_eq!(example.convention.target_publics, publics);
        assert_eq!(example.convention.objectives.len(), 4);
        assert_eq!(example.convention.commitments.len(), 7);
        assert!(example.operator.siret.parse::<Siret>().is_ok());
        assert!(example.programme.authority_siret.parse::<Siret>().is_ok());
        assert!(example.bank_account.iban.parse::<Iban>().is_ok());
        assert!(
            example.convention.signatories[1]
                .empowering_decision_date
                .is_none()
        );
        assert!(example.acts[1].publication_date.is_none());
    }
}
