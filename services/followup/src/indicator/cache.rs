//! Tables as they were decided. What is released never moves, and deciding takes up to a second of work for a large table: it
//! is done once by each instance, beside the threads that serve.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use nonrecours_rpc::Failure;

use super::{
    sums::Months,
    table::{Audience, Breakdown, Row, Told},
    thresholds::Thresholds,
};
use crate::error::Error;

/// Tables kept by one instance at most; then all are forgotten.
const MAX_TABLES: usize = 200;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Civil year.
    pub year: i32,
    /// Quarters of it that are released.
    pub closed: usize,
    /// Under what they are released.
    pub thresholds: Thresholds,
    /// What its rows are.
    pub breakdown: Breakdown,
    /// For whom.
    pub audience: Audience,
    /// How many operators there are: they only become more, and each is a row.
    pub operators: usize,
}

/// A table with what of it is told.
pub struct Decided {
    /// Its rows.
    pub rows: Vec<Row>,
    /// What of them is told.
    pub told: Told,
}

/// The tables decided so far.
#[derive(Clone, Default)]
pub struct Cache(Arc<Mutex<HashMap<Key, Arc<Decided>>>>);

impl Cache {
    /// A table decided before.
    pub fn get(&self, key: &Key) -> Option<Arc<Decided>> {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.get(key).cloned()
    }

    /// Decides a table, and keeps it. Refused with `TABLE_TOO_LARGE`.
    pub async fn decide(
        &self,
        key: Key,
        rows: Vec<Row>,
        total: Months,
    ) -> Result<Arc<Decided>, Error> {
        let deciding = tokio::task::spawn_blocking(move || {
            let told = Told::to(
                key.audience,
                &key.thresholds,
                key.breakdown,
                &rows,
                &total,
                key.closed,
            )
            .map_err(|_| Error::TableTooLarge(rows.len()))?;
            Ok::<_, Error>(Arc::new(Decided { rows, told }))
        });
        let decided = deciding
            .await
            .map_err(|error| Failure::internal(&error))??;
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.len() >= MAX_TABLES {
            tables.clear();
        }
        tables.insert(key, Arc::clone(&decided));
        Ok(decided)
    }
}
