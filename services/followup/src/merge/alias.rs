//! References of merged duplicates, in pushes: they lead to the survivor.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};
use nonrecours_kernel::OperatorId;
use nonrecours_pg::{All as _, Error, Tx};
use uuid::Uuid;

use crate::{
    beneficiary::domain::Beneficiary,
    push::plan::Outcome,
    record::{Record, Reference},
};

/// How many merges a reference may lead through: the survivor of one may be the duplicate of the next.
const MAX_MERGES: i32 = 100;

/// Where the references of duplicates lead, and by which merges.
#[derive(Default)]
pub struct Aliases(HashMap<Reference, (Reference, Vec<Uuid>)>);

impl Aliases {
    /// Those among these references, of which none is stored. Asked after the records were looked for: whoever was merged
    /// before that is found here.
    pub async fn among(
        tx: &mut Tx,
        operator: OperatorId,
        references: &HashSet<&Reference>,
    ) -> Result<Self, Error> {
        if references.is_empty() {
            return Ok(Self::default());
        }
        let references: Vec<&str> = references
            .iter()
            .map(|reference| reference.as_str())
            .collect();
        let rows = sqlx::query!(
            r#"WITH RECURSIVE led (reference, person, merges) AS (
                   SELECT sent.reference, merged.survivor_id, ARRAY[merged.merge_id]
                   FROM UNNEST($2::text[]) AS sent (reference)
                   CROSS JOIN LATERAL (SELECT survivor_id, merge_id FROM merged_beneficiary
                                       WHERE operator_id = $1 AND external_reference BETWEEN sent.reference AND sent.reference
                                       ORDER BY external_reference LIMIT 1) AS merged
                   UNION ALL
                   SELECT led.reference, next.survivor_id, led.merges || next.merge_id
                   FROM led JOIN merged_beneficiary AS next
                     ON next.operator_id = $1 AND next.beneficiary_id = led.person
                   WHERE cardinality(led.merges) < $3
               )
               SELECT led.reference AS "reference!", survivor.external_reference AS "survivor!",
                      led.merges AS "merges!"
               FROM led
               CROSS JOIN LATERAL (SELECT external_reference FROM beneficiary
                                   WHERE operator_id = $1 AND beneficiary_id BETWEEN led.person AND led.person
                                   ORDER BY beneficiary_id LIMIT 1) AS survivor"#,
            operator.uuid(),
            &references as &[&str],
            MAX_MERGES
        )
        .all(tx.conn())
        .await?;
        let aliases = rows.into_iter().map(|row| {
            (
                Reference::stored(row.reference),
                (Reference::stored(row.survivor), row.merges),
            )
        });
        Ok(Self(aliases.collect()))
    }

    /// None of them leads anywhere.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The references that they lead to, but those of these records.
    pub fn survivors_but(&self, known: &[Record<Beneficiary>]) -> Vec<&Reference> {
        let survivors: BTreeSet<&Reference> =
            self.0.values().map(|(survivor, _)| survivor).collect();
        survivors
            .into_iter()
            .filter(|survivor| known.iter().all(|record| record.reference != **survivor))
            .collect()
    }

    /// Leads a reference on; gives the merges it went through.
    pub fn lead(&self, reference: &mut Reference) -> Option<&[Uuid]> {
        let (survivor, merges) = self.0.get(reference)?;
        *reference = survivor.clone();
        Some(merges)
    }
}

/// The merges that records of a batch went through, by their places.
#[derive(Default)]
pub struct Led(HashMap<usize, Vec<Uuid>>);

impl Led {
    /// Notes that the record at a place went through these.
    pub fn note(&mut self, place: usize, merges: &[Uuid]) {
        self.0.entry(place).or_default().extend(merges);
    }

    /// Those of the records that were stored.
    pub fn stored(&self, outcomes: &[(usize, Outcome)]) -> Vec<Uuid> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let merges: BTreeSet<Uuid> = outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Stored(_)))
            .filter_map(|(place, _)| self.0.get(place))
            .flatten()
            .copied()
            .collect();
        merges.into_iter().collect()
    }
}
