//! What a service says of itself by numbers now and then: its pool, its outbox, and what it counts of its own.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nonrecours_pg::{self as pg, Db};
use opentelemetry::{KeyValue, global, metrics::Gauge as Instrument};

use crate::host::Host;

/// How often everything is counted.
const MEASURE_EVERY: Duration = Duration::from_secs(15);

/// A number for each value of a label, counted in the database; every instance counts the same.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    /// `nonrecours.…`
    pub name: &'static str,
    /// As UCUM writes it: `s`, `{instalment}`.
    pub unit: &'static str,
    /// For who reads it on a dashboard.
    pub description: &'static str,
    /// What it is counted by.
    pub label: &'static str,
}

impl Host {
    /// Counts something now and then, until shutdown. What is no longer counted is told as zero.
    pub fn gauge<F, W>(&mut self, gauge: Gauge, count: F)
    where
        F: Fn(Db) -> W + Send + 'static,
        W: Future<Output = Result<Vec<(String, i64)>, pg::Error>> + Send + 'static,
    {
        let meter = global::meter("nonrecours");
        let told = Arc::new(Told {
            gauge,
            instrument: meter
                .i64_gauge(gauge.name)
                .with_unit(gauge.unit)
                .with_description(gauge.description)
                .build(),
            seen: Mutex::default(),
        });
        let db = self.db.clone();
        self.every(gauge.name, MEASURE_EVERY, move || {
            let (told, counting) = (Arc::clone(&told), count(db.clone()));
            async move {
                told.tell(counting.await?);
                Ok(())
            }
        });
    }

    /// Tells of the pool and the outbox.
    pub(crate) fn measure(&mut self) {
        let meter = global::meter("nonrecours");
        let connections = meter
            .u64_gauge("nonrecours.db.connections")
            .with_description("Connections of this instance, by whether they are used")
            .build();
        let hidden = meter
            .u64_gauge("nonrecours.outbox.hidden")
            .with_unit("{change}")
            .with_description("Changes that wait behind a transaction still running on the server")
            .build();
        let hidden_for = meter
            .u64_gauge("nonrecours.outbox.hidden_for")
            .with_unit("s")
            .with_description("Age of the oldest of them")
            .build();
        let (db, service) = (self.db.clone(), self.service);
        self.every("measuring", MEASURE_EVERY, move || {
            let db = db.clone();
            let (connections, hidden, hidden_for) =
                (connections.clone(), hidden.clone(), hidden_for.clone());
            async move {
                let measured = db.measure(service).await?;
                let of = KeyValue::new("nonrecours.service", service);
                let used = measured.connections - measured.idle_connections;
                for (state, count) in [("used", used), ("idle", measured.idle_connections)] {
                    let state = KeyValue::new("nonrecours.db.state", state);
                    connections.record(count.into(), &[of.clone(), state]);
                }
                hidden.record(measured.hidden_changes, std::slice::from_ref(&of));
                hidden_for.record(measured.hidden_for.as_secs(), &[of]);
                Ok(())
            }
        });
    }
}

struct Told {
    gauge: Gauge,
    instrument: Instrument<i64>,
    /// A collector goes on showing the last number of a label that is told no more.
    seen: Mutex<BTreeSet<String>>,
}

impl Told {
    fn tell(&self, counts: Vec<(String, i64)>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = seen.clone();
        for (value, count) in counts {
            gone.remove(&value);
            self.record(&value, count);
            seen.insert(value);
        }
        for value in gone {
            self.record(&value, 0);
        }
    }

    fn record(&self, value: &str, count: i64) {
        let label = KeyValue::new(self.gauge.label, value.to_owned());
        self.instrument.record(count, &[label]);
    }
}
