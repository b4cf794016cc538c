//! The connections of a server: how many there are, who gives way when there is no room for one more, and how long the other
//! side may keep silent.
//!
//! A connection costs memory and a file, and whoever reaches the port may open one. So their number has a limit, and nobody
//! keeps others out by holding all of them: the newest is let in, and in its place goes one that has not shown who it is,
//! or else one that has nothing in hand, the longest unused first.

mod answers;
mod line;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use answers::{ConnectionLayer, until_sent};
pub(crate) use line::Line;

/// The open connections of a server; clones are the same ones.
#[derive(Clone)]
pub(crate) struct Connections {
    room: Arc<Room>,
}

struct Room {
    max: usize,
    max_unread: Duration,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Connection>,
}

impl Connections {
    /// At most `max` at once, each ended once a message of an answer has not been taken for `max_unread`.
    pub(crate) fn new(max: usize, max_unread: Duration) -> Self {
        Self {
            room: Arc::new(Room {
                max,
                max_unread,
                open: Mutex::default(),
            }),
        }
    }

    /// Most connections at once.
    pub(crate) fn max(&self) -> usize {
        self.room.max
    }

    /// A place for one connection more, for which another may have to go. None when each of them has calls in hand, of
    /// callers who are known.
    pub(crate) fn enter(&self) -> Option<Seat> {
        let mut open = held(&self.room.open);
        if open.connections.len() >= self.room.max {
            let first = open
                .connections
                .iter()
                .filter_map(|(id, connection)| Some((connection.standing()?, *id)));
            let (_, id) = first.min()?;
            if let Some(connection) = open.connections.remove(&id) {
                connection.gone.cancel();
            }
        }
        let id = open.next;
        open.next += 1;
        let connection = Connection {
            state: Arc::new(Mutex::new(State {
                is_known: false,
                calls: 0,
                used: Instant::now(),
                next: 0,
                unread: std::collections::BTreeMap::new(),
            })),
            gone: CancellationToken::new(),
            certificates: None,
        };
        open.connections.insert(id, connection.clone());
        Some(Seat {
            room: Arc::clone(&self.room),
            id,
            connection,
        })
    }

    /// The same connections, each with its place; those without one are closed at once.
    pub(crate) fn seated<C: Send>(
        self,
        incoming: impl Stream<Item = io::Result<C>> + Send,
    ) -> impl Stream<Item = io::Result<(C, Seat)>> + Send {
        incoming.filter_map(move |accepted| {
            let seated = match accepted {
                Ok(connection) => self.enter().map(|seat| Ok((connection, seat))),
                Err(error) => Some(Err(error)),
            };
            if seated.is_none() {
                tracing::warn!("no room for a connection: all of them are at work");
            }
            std::future::ready(seated)
        })
    }
}

/// The place of one connection, given back when it is dropped.
pub(crate) struct Seat {
    room: Arc<Room>,
    id: u64,
    connection: Connection,
}

impl Seat {
    /// Completes once the connection has to go, to make room.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.connection.gone.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        held(&self.room.open).connections.remove(&self.id);
    }
}

/// What is known of a connection; each of its requests carries it as an extension.
#[derive(Clone)]
pub(crate) struct Connection {
    state: Arc<Mutex<State>>,
    gone: CancellationToken,
    certificates: Option<Arc<Vec<CertificateDer<'static>>>>,
}

struct State {
    /// Whether a call on it was admitted.
    is_known: bool,
    /// Under way.
    calls: usize,
    /// When it was opened, or a call last ended.
    used: Instant,
    /// Number of the next message.
    next: u64,
    /// Messages that have not left yet, in their order, and since when.
    unread: std::collections::BTreeMap<u64, Instant>,
}

impl Connection {
    /// What the client's side showed in the handshake, verified; none without.
    pub(crate) fn certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.certificates.as_deref().map(Vec::as_slice)
    }

    /// Somebody whom the service knows calls on it.
    pub(crate) fn is_known(&self) {
        held(&self.state).is_known = true;
    }

    /// How soon it gives way, the least first; none when it does not.
    fn standing(&self) -> Option<(bool, bool, Instant)> {
        let state = held(&self.state);
        let is_busy = state.calls > 0;
        (!(state.is_known && is_busy)).then_some((state.is_known, is_busy, state.used))
    }

    /// Since when the first of its messages waits to leave.
    fn unread_since(&self) -> Option<Instant> {
        held(&self.state)
            .unread
            .first_key_value()
            .map(|(_, at)| *at)
    }

    /// A call begins on it.
    fn call(&self) -> Calling {
        held(&self.state).calls += 1;
        Calling(Arc::clone(&self.state))
    }
}

/// One call under way on a connection.
pub(crate) struct Calling(Arc<Mutex<State>>);

impl Calling {
    /// A message is handed over, to be sent as soon as the other side takes it.
    fn message(&self) -> Message {
        let mut state = held(&self.0);
        let number = state.next;
        state.next += 1;
        state.unread.insert(number, Instant::now());
        Message {
            state: Arc::clone(&self.0),
            number,
        }
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let mut state = held(&self.0);
        state.calls = state.calls.saturating_sub(1);
        state.used = Instant::now();
    }
}

/// A message until it has left.
struct Message {
    state: Arc<Mutex<State>>,
    number: u64,
}

impl Drop for Message {
    fn drop(&mut self) {
        held(&self.state).unread.remove(&self.number);
    }
}

/// Numbers and instants only: a panic elsewhere cannot have spoilt them.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
