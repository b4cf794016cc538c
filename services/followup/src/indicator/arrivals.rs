//! New persons, the bulk of what is pushed: while they have no right, what they count for follows from them alone.

use hashbrown::HashMap;
use nonrecours_kernel::OperatorId;
use nonrecours_pg::{Error, Tx};
use time::Date;
use uuid::Uuid;

use crate::{
    beneficiary::domain::{Beneficiary, ClosingReason, JourneyState},
    record::Record,
};

/// Persons that a transaction adds, without rights so far.
#[derive(Default)]
pub struct Arrivals(HashMap<Uuid, (Uuid, Beneficiary)>);

/// Figures of a convention and a month: by dimension and code.
type Figures<'a> = HashMap<(Uuid, Date), HashMap<(&'static str, &'a str), Persons>>;

/// Spotted, informed, oriented, supported.
type Persons = [i64; 4];

impl Arrivals {
    /// Adds new persons.
    pub fn add(&mut self, persons: &[Record<Beneficiary>]) {
        self.0.extend(persons.iter().map(|record| {
            let convention = record.convention.convention.uuid();
            (record.id.uuid(), (convention, record.content.clone()))
        }));
    }

    /// Takes a person out, who is to be counted with their rights; whether they were here.
    pub fn remove(&mut self, person: Uuid) -> bool {
        self.0.remove(&person).is_some()
    }

    /// Takes all of them out.
    pub fn drain(&mut self) -> impl Iterator<Item = Uuid> {
        std::mem::take(&mut self.0).into_keys()
    }

    /// Nobody is here.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they count for, as the view `indicator_contribution` says it.
    fn figures(&self) -> Result<Figures<'_>, Error> {
        let mut figures = Figures::new();
        for (convention, person) in self.0.values() {
            let month = person
                .spotted_date
                .replace_day(1)
                .map_err(|error| Error::Damaged(error.to_string()))?;
            let state = person.journey.state();
            let supported = state == JourneyState::InSupport
                || person.journey.closing_reason() == Some(ClosingReason::RightsOpened);
            let counts = [
                true,
                state != JourneyState::Spotted,
                state == JourneyState::Oriented,
                supported,
            ];
            let figures = figures.entry((*convention, month)).or_default();
            let parts = [("TOTAL", ""), ("COMMUNE", person.commune.as_str())]
                .into_iter()
                .chain(person.publics.codes().map(|code| ("PUBLIC", code)));
            for part in parts {
                let sums = figures.entry(part).or_default();
                for (sum, counts) in sums.iter_mut().zip(counts) {
                    *sum += i64::from(counts);
                }
            }
        }
        Ok(figures)
    }

    /// Adds them to the roll-ups of their operator.
    pub async fn settle(self, tx: &mut Tx, operator: OperatorId) -> Result<(), Error> {
        let figures = self.figures()?;
        let rows: Vec<_> = figures
            .iter()
            .flat_map(|((convention, month), parts)| {
                parts
                    .iter()
                    .map(|((dimension, code), sums)| (*convention, *dimension, *code, *month, sums))
            })
            .collect();
        let conventions: Vec<Uuid> = rows.iter().map(|row| row.0).collect();
        let dimensions: Vec<&str> = rows.iter().map(|row| row.1).collect();
        let codes: Vec<&str> = rows.iter().map(|row| row.2).collect();
        let months: Vec<Date> = rows.iter().map(|row| row.3).collect();
        let [spotted, informed, oriented, supported] =
            [0, 1, 2, 3].map(|sum| rows.iter().map(|row| row.4[sum]).collect::<Vec<i64>>());
        sqlx::query!(
            "INSERT INTO indicator_rollup AS kept
                 (operator_id, convention_id, dimension, code, month, persons_spotted, persons_informed,
                  persons_oriented, persons_supported, persons_followed, persons_opened, persons_decided,
                  persons_in_autonomy, persons_on_behalf, persons_avoiding, persons_notified, persons_estimated,
                  entitlements_followed, entitlements_opened, entitlements_decided, decision_days, in_autonomy,
                  on_behalf, interruptions_avoided, sessions_held, persons_met, amount_notified, amount_estimated,
                  notified_squares, estimated_squares)
             SELECT $1, new.convention_id, new.dimension, new.code, new.month, new.spotted, new.informed, new.oriented,
                    new.supported, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
             FROM UNNEST($2::uuid[], $3::text[], $4::text[], $5::date[], $6::bigint[], $7::bigint[], $8::bigint[],
                         $9::bigint[])
                  AS new (convention_id, dimension, code, month, spotted, informed, oriented, supported)
             -- So that two batches never wait for each other in a circle.
             ORDER BY new.convention_id, new.dimension, new.code, new.month
             ON CONFLICT (operator_id, convention_id, dimension, code, month) DO UPDATE
             SET persons_spotted = kept.persons_spotted + excluded.persons_spotted,
                 persons_informed = kept.persons_informed + excluded.persons_informed,
                 persons_oriented = kept.persons_oriented + excluded.persons_oriented,
                 persons_supported = kept.persons_supported + excluded.persons_supported",
            operator.uuid(),
            &conventions,
            &dimensions as &[&str],
            &codes as &[&str],
            &months,
            &spotted,
            &informed,
            &oriented,
            &supported
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}
