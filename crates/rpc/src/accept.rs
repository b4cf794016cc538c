//! Accepting connections, without haste where there is no room for one.

use std::{error::Error, io, time::Duration};

use futures_util::{Stream, StreamExt as _};

/// Pause after a connection that could not be accepted, for want of file descriptors, say: it waits, and the next try would fail
/// alike.
const PAUSE: Duration = Duration::from_millis(200);

/// The same connections. One that cannot be accepted holds up the next ones for a moment, instead of a processor for as long as
/// that lasts.
pub(crate) fn paced<C: Send>(
    incoming: impl Stream<Item = io::Result<C>> + Send,
) -> impl Stream<Item = io::Result<C>> + Send {
    incoming.then(|accepted| async {
        if let Err(error) = &accepted
            && !has_gone(error)
        {
            tracing::warn!(
                error = error as &dyn Error,
                "no connection can be accepted: trying again shortly"
            );
            tokio::time::sleep(PAUSE).await;
        }
        accepted
    })
}

/// Whether it is this connection's own end: the next one is another.
fn has_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::time::Instant;

    use super::*;

    async fn takes(kind: io::ErrorKind) -> Duration {
        let started = Instant::now();
        let failing = stream::repeat_with(|| Err::<(), _>(io::Error::from(kind)));
        let failed: Vec<_> = paced(failing).take(10).collect().await;
        assert!(failed.iter().all(Result::is_err));
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn without_room_for_a_connection_there_is_a_pause_before_the_next() {
        // EMFILE has no kind of its own.
        assert_eq!(takes(io::ErrorKind::Other).await, PAUSE * 10);
        assert_eq!(
            takes(io::ErrorKind::ConnectionAborted).await,
            Duration::ZERO
        );
    }
}
