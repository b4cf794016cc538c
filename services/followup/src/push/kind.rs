//! The kinds of record a batch may bring: each is looked up, weighed, stored and announced in the same way.

use std::{collections::HashMap, future::Future};

use nonrecours_contracts::followup as wire;
use nonrecours_kernel::{ConventionName, IdSource, OperatorId};
use nonrecours_pg::{Change, Entry, Error, Tx};

use super::plan::{Outcome, Plan};
use crate::{
    beneficiary::{self, domain::Beneficiary},
    entitlement::{self, domain::Entitlement},
    indicator::rollup::Keeper,
    note::{self, domain::Note},
    record::{Candidate, Changed, Content, Record, Reference},
    session::{self, domain::Session},
    step::{self, domain::Step},
};

/// One kind of record in the database and on the feed.
///
/// Its statements reach each row by the index of its reference, whatever the planner believes of the table: `LATERAL` with
/// an order and a limit, and `ON CONFLICT`. A plan made while a table was small, and kept, would otherwise compare every record of the
/// operator with every reference of the batch (ADR 0032).
pub trait Kind: Content + Sized {
    /// The stored ones among these references of an operator.
    fn find(
        tx: &mut Tx,
        operator: OperatorId,
        references: &[&str],
    ) -> impl Future<Output = Result<Vec<Record<Self>>, Error>> + Send;

    /// Holds the figures that writing a plan moves: to be called before it is written.
    fn hold(
        figures: &mut Keeper,
        tx: &mut Tx,
        plan: &Plan<Self>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Locks stored records that are about to change.
    fn lock(
        tx: &mut Tx,
        operator: OperatorId,
        changed: &Changed<'_>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Writes new records, in the order of their references, or locked ones.
    fn write(
        tx: &mut Tx,
        convention: &ConventionName,
        records: &[Record<Self>],
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// What the feed tells of a stored record.
    fn entry(record: &Record<Self>) -> Entry;
}

/// A kind by its module: the same functions in each store.
macro_rules! kinds {
    ($($content:ident in $module:ident: $stored:literal $(moves $figures:ident)?),+ $(,)?) => {$(
        impl Kind for $content {
            async fn find(
                tx: &mut Tx,
                operator: OperatorId,
                references: &[&str],
            ) -> Result<Vec<Record<Self>>, Error> {
                $module::store::find(tx, operator, references).await
            }

            async fn hold(
                figures: &mut Keeper,
                tx: &mut Tx,
                plan: &Plan<Self>,
            ) -> Result<(), Error> {
                kinds!(@hold figures tx plan $($figures)?)
            }

            async fn lock(
                tx: &mut Tx,
                operator: OperatorId,
                changed: &Changed<'_>,
            ) -> Result<(), Error> {
                $module::store::lock(tx, operator, changed).await
            }

            async fn write(
                tx: &mut Tx,
                convention: &ConventionName,
                records: &[Record<Self>],
            ) -> Result<(), Error> {
                $module::store::write(tx, convention, records).await
            }

            fn entry(record: &Record<Self>) -> Entry {
                let snapshot = wire::$content::from(record);
                let change = Change {
                    kind: $stored,
                    operator: Some(record.convention.operator),
                    name: &snapshot.name,
                    revision: record.revision,
                };
                Entry::new(change, &snapshot)
            }
        }
    )+};
    (@hold $keeper:ident $tx:ident $plan:ident $figures:ident) => {
        $keeper.$figures($tx, $plan).await
    };
    // Counts for nothing.
    (@hold $keeper:ident $tx:ident $plan:ident) => {{
        let _ = ($keeper, $tx, $plan);
        Ok(())
    }};
}

kinds! {
    Beneficiary in beneficiary: "beneficiary.stored" moves beneficiaries,
    Entitlement in entitlement: "entitlement.stored" moves entitlements,
    Session in session: "session.stored" moves sessions,
    Step in step: "step.stored" moves steps,
    Note in note: "note.stored",
}

/// Trace contexts by the reference of a record.
pub type Traces = HashMap<String, String>;

/// The writing of one batch: what it announces, and what becomes of its records.
pub struct Writing<'a> {
    /// Its transaction.
    pub tx: Tx,
    /// Its convention.
    pub convention: &'a ConventionName,
    /// Where new ids come from.
    pub ids: &'a IdSource,
    /// The figures it moves.
    pub figures: Keeper,
    /// Changes so far.
    pub changes: Vec<Entry>,
    /// Outcomes so far, by place.
    pub outcomes: Vec<(usize, Outcome)>,
    /// Traces of the requests that brought records, where it is not that of the batch.
    pub traces: &'a Traces,
}

impl Writing<'_> {
    /// The stored ones among these references.
    pub async fn find<K: Kind>(
        &mut self,
        references: impl Iterator<Item = &Reference>,
    ) -> Result<Vec<Record<K>>, Error> {
        let mut references: Vec<&str> = references.map(Reference::as_str).collect();
        if references.is_empty() {
            return Ok(Vec::new());
        }
        references.sort_unstable();
        references.dedup();
        K::find(&mut self.tx, self.convention.operator, &references).await
    }

    /// Weighs the records of one kind against those stored, and writes what they change.
    pub async fn write<K: Kind>(
        &mut self,
        stored: Vec<Record<K>>,
        candidates: Vec<Candidate<K>>,
    ) -> Result<Plan<K>, Error> {
        let now = self.tx.now();
        let mut plan = Plan::make(self.convention, now, self.ids, stored, candidates);
        K::hold(&mut self.figures, &mut self.tx, &plan).await?;
        K::write(&mut self.tx, self.convention, &plan.inserts).await?;
        if !plan.updates.is_empty() {
            let changed = Changed::of(&plan.updates);
            K::lock(&mut self.tx, self.convention.operator, &changed).await?;
            K::write(&mut self.tx, self.convention, &plan.updates).await?;
        }
        let traces = self.traces;
        self.changes.extend(plan.written().map(|record| {
            let trace = traces.get(record.reference.as_str()).cloned();
            match trace {
                Some(trace) => K::entry(record).traced(trace),
                None => K::entry(record),
            }
        }));
        self.outcomes.append(&mut plan.outcomes);
        Ok(plan)
    }
}
