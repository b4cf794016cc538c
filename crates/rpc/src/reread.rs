//! What is made from files and made again when it is old, so that the files can be renewed under a running service.

use std::{
    error::Error,
    future::Future,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

/// Age at which files are read again.
pub(crate) const REREAD_INTERVAL: Duration = Duration::from_secs(30);

/// A value made from files.
pub(crate) struct Reread<T> {
    what: &'static str,
    interval: Duration,
    /// When it was last tried, and what was last made.
    made: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Reread<T> {
    /// `what` says in the log which files could not be read.
    pub(crate) fn new(what: &'static str, interval: Duration) -> Self {
        Self {
            what,
            interval,
            made: Mutex::new(None),
        }
    }

    /// The value, made by `make` when there is none or it is old. What cannot be made leaves the earlier one in use.
    ///
    /// # Errors
    /// That of `make`, when there is no earlier value.
    pub(crate) async fn get<E, F>(&self, make: impl FnOnce() -> F) -> Result<T, E>
    where
        E: Error + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let mut made = self.made.lock().await;
        let held = match &*made {
            Some((at, value)) if at.elapsed() < self.interval => return Ok(value.clone()),
            Some((_, value)) => Some(value.clone()),
            None => None,
        };
        let value = match (make().await, held) {
            (Ok(value), _) => value,
            (Err(error), Some(held)) => {
                tracing::warn!(
                    what = self.what,
                    error = &error as &dyn Error,
                    "not read: what was read earlier still serves"
                );
                held
            }
            (Err(error), None) => return Err(error),
        };
        *made = Some((Instant::now(), value.clone()));
        Ok(value)
    }
}
