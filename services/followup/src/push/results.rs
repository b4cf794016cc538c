//! The results of a batch, one a record, and its answer.

use nonrecours_contracts::followup::{
    PushRecordsResponse, Record as WireRecord, RecordOutcome, RecordResult, RecordViolation,
};
use nonrecours_kernel::Violation;

use super::plan::Outcome;

/// The results of a batch, one a record.
pub struct Results(Vec<RecordResult>);

impl Results {
    /// Unsettled.
    pub fn of(records: &[WireRecord]) -> Self {
        let unsettled = |record: &WireRecord| RecordResult {
            external_reference: record.external_reference.clone(),
            ..RecordResult::default()
        };
        Self(records.iter().map(unsettled).collect())
    }

    /// What becomes of the records, by place.
    pub fn settle_all(&mut self, outcomes: Vec<(usize, Outcome)>) {
        for (place, outcome) in outcomes {
            self.settle(place, outcome);
        }
    }

    /// What becomes of the record at a place.
    pub fn settle(&mut self, place: usize, outcome: Outcome) {
        let (outcome, name, violations) = match outcome {
            Outcome::Stored(name) => (RecordOutcome::Stored, name, Vec::new()),
            Outcome::Unchanged(name) => (RecordOutcome::Unchanged, name, Vec::new()),
            Outcome::Stale(name) => (RecordOutcome::Stale, name, Vec::new()),
            Outcome::Rejected(violations) => (RecordOutcome::Rejected, String::new(), violations),
        };
        if let Some(result) = self.0.get_mut(place) {
            result.set_outcome(outcome);
            result.name = name;
            result.violations = violations.into_iter().map(violation).collect();
        }
    }

    /// What would have been stored has this outcome instead, and no name.
    pub fn not_stored(&mut self, outcome: RecordOutcome) {
        let stored = RecordOutcome::Stored;
        for result in self
            .0
            .iter_mut()
            .filter(|result| result.outcome() == stored)
        {
            result.set_outcome(outcome);
            result.name.clear();
        }
    }

    /// A superseded record goes by the name of the one that counts.
    pub fn supersede(&mut self, superseded: &[(usize, usize)]) {
        for (place, by) in superseded {
            let name = self.0.get(*by).map(|result| result.name.clone());
            if let (Some(result), Some(name)) = (self.0.get_mut(*place), name) {
                result.set_outcome(RecordOutcome::Superseded);
                result.name = name;
            }
        }
    }

    /// The answer under a number.
    pub fn answer(self, sequence: i64) -> PushRecordsResponse {
        answer(sequence, self.0)
    }
}

/// Results with how many there are of each.
pub fn answer(sequence: i64, results: Vec<RecordResult>) -> PushRecordsResponse {
    let mut answer = PushRecordsResponse {
        sequence,
        ..PushRecordsResponse::default()
    };
    for result in &results {
        *match result.outcome() {
            RecordOutcome::Stored => &mut answer.stored,
            RecordOutcome::Unchanged => &mut answer.unchanged,
            RecordOutcome::Stale => &mut answer.stale,
            RecordOutcome::Superseded => &mut answer.superseded,
            RecordOutcome::HeldBack => &mut answer.held_back,
            RecordOutcome::Rejected | RecordOutcome::Unspecified => &mut answer.rejected,
        } += 1;
    }
    answer.results = results;
    answer
}

fn violation(violation: Violation) -> RecordViolation {
    RecordViolation {
        field: violation.field,
        reason: violation.reason,
        message_fr: violation.text.fr.into_owned(),
        message_en: violation.text.en.into_owned(),
    }
}
