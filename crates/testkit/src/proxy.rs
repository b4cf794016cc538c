//! A TCP way between two programs, which a test cuts, silences, slows down, or breaks at a chosen moment.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Bytes passed on at once.
const CHUNK: usize = 16 * 1024;

/// How a way is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Everything passes.
    #[default]
    Open,
    /// Everything passes, each piece of it this much later.
    Slow(Duration),
    /// Nothing passes, and nobody is told: a cable pulled out, packets dropped by a firewall. What is under way arrives when
    /// the way is open again.
    Silent,
    /// Connections end, and new ones end at once: nobody listens.
    Cut,
}

/// When a connection breaks, of the bytes that a test waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The bytes never arrive.
    Before,
    /// They have arrived and were answered; the answer never comes back.
    After,
}

/// A way. Dropped, it is cut for good.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _end: DropGuard,
}

struct Shared {
    link: watch::Sender<Link>,
    targets: Mutex<Targets>,
    trap: Mutex<Option<(Vec<u8>, Moment)>>,
    breaks: watch::Sender<u64>,
    end: CancellationToken,
}

/// Where the way leads: connections in turn.
struct Targets {
    addresses: Vec<SocketAddr>,
    turn: usize,
}

impl Proxy {
    /// A way to these addresses, whose connections go to each in turn; to the next one where nobody listens.
    pub async fn to(addresses: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let end = CancellationToken::new();
        let shared = Arc::new(Shared {
            link: watch::Sender::default(),
            targets: Mutex::new(Targets { addresses, turn: 0 }),
            trap: Mutex::default(),
            breaks: watch::Sender::new(0),
            end: end.clone(),
        });
        let carrying = Arc::clone(&shared);
        let ended = end.clone();
        tokio::spawn(async move {
            loop {
                let inbound = tokio::select! {
                    () = ended.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((inbound, _)) = inbound else { continue };
                tokio::spawn(Arc::clone(&carrying).carry(inbound));
            }
        });
        Self {
            address,
            shared,
            _end: end.drop_guard(),
        }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads elsewhere from now on: connections that are open stay where they are.
    pub fn aim(&self, addresses: Vec<SocketAddr>) {
        locked(&self.shared.targets).addresses = addresses;
    }

    /// Makes the way so, for all connections.
    pub fn set(&self, link: Link) {
        self.shared.link.send_replace(link);
    }

    /// Ends all connections; new ones pass.
    pub fn reset(&self) {
        self.shared.break_all();
    }

    /// Ends all connections the next time that these bytes are on their way, in one piece. What it gives completes when that
    /// has happened.
    pub fn break_at(&self, bytes: &[u8], moment: Moment) -> impl Future<Output = ()> + use<> {
        let mut breaks = self.shared.breaks.subscribe();
        *locked(&self.shared.trap) = Some((bytes.to_vec(), moment));
        async move {
            // Without a sender the way has gone, and all connections with it.
            let _ = breaks.changed().await;
        }
    }

    /// Forgets a break that has not happened.
    pub fn mend(&self) {
        locked(&self.shared.trap).take();
    }
}

impl Shared {
    /// Carries one connection until either side, or the way, ends it.
    async fn carry(self: Arc<Self>, inbound: TcpStream) {
        let mut link = self.link.subscribe();
        let mut breaks = self.breaks.subscribe();
        tokio::select! {
            () = self.end.cancelled() => {}
            _ = link.wait_for(|link| *link == Link::Cut) => {}
            _ = breaks.changed() => {}
            _ = self.pass(inbound) => {}
        }
    }

    async fn pass(&self, inbound: TcpStream) -> io::Result<()> {
        self.wait().await;
        let outbound = self.connect().await?;
        inbound.set_nodelay(true)?;
        outbound.set_nodelay(true)?;
        let (from_caller, to_caller) = inbound.into_split();
        let (from_target, to_target) = outbound.into_split();
        // Set once what a break waits for has arrived, and its answer is to be lost.
        let doomed = AtomicBool::new(false);
        tokio::try_join!(
            self.there(from_caller, to_target, &doomed),
            self.back(from_target, to_caller, &doomed)
        )?;
        Ok(())
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let addresses = {
            let mut targets = locked(&self.targets);
            targets.turn = targets.turn.wrapping_add(1);
            let turn = targets.turn;
            let mut addresses = targets.addresses.clone();
            let count = addresses.len().max(1);
            addresses.rotate_left(turn % count);
            addresses
        };
        TcpStream::connect(addresses.as_slice()).await
    }

    async fn there(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        doomed: &AtomicBool,
    ) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = from.read(&mut buffer).await?;
            let piece = buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                return to.shutdown().await;
            }
            self.wait().await;
            match self.springs(piece) {
                Some(Moment::Before) => {
                    self.break_all();
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Some(Moment::After) => doomed.store(true, Ordering::SeqCst),
                None => {}
            }
            to.write_all(piece).await?;
        }
    }

    async fn back(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        doomed: &AtomicBool,
    ) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = from.read(&mut buffer).await?;
            let piece = buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                return to.shutdown().await;
            }
            if doomed.load(Ordering::SeqCst) {
                self.break_all();
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            self.wait().await;
            to.write_all(piece).await?;
        }
    }

    fn break_all(&self) {
        self.breaks.send_modify(|count| *count += 1);
    }

    /// When this piece is what a break waits for: at which moment. It happens once.
    fn springs(&self, piece: &[u8]) -> Option<Moment> {
        let mut trap = locked(&self.trap);
        let (bytes, moment) = trap.as_ref()?;
        let found = piece
            .windows(bytes.len().max(1))
            .any(|window| window == bytes);
        let moment = *moment;
        if found {
            *trap = None;
        }
        found.then_some(moment)
    }

    /// Waits as long as the way holds a piece up.
    async fn wait(&self) {
        let mut link = self.link.subscribe();
        let now = *link.borrow_and_update();
        if let Link::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        // The sender lives as long as this.
        let _ = link.wait_for(|link| *link != Link::Silent).await;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends back what it is sent.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = connection.into_split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn said(connection: &mut TcpStream, what: &[u8]) -> io::Result<Vec<u8>> {
        connection.write_all(what).await?;
        let mut heard = vec![0; what.len()];
        connection.read_exact(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn a_way_is_cut_and_open_again_and_a_silent_one_only_waits() {
        let proxy = Proxy::to(vec![echo().await]).await;
        let mut connection = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said(&mut connection, b"one").await.unwrap(), b"one");

        proxy.set(Link::Silent);
        let mut waiting = Box::pin(said(&mut connection, b"two"));
        let brief = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
        assert!(brief.is_err(), "nothing passes");
        proxy.set(Link::Open);
        assert_eq!(waiting.await.unwrap(), b"two");

        proxy.set(Link::Cut);
        assert!(said(&mut connection, b"three").await.is_err());
        let mut late = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(said(&mut late, b"four").await.is_err());
        proxy.set(Link::Open);
        let mut again = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said(&mut again, b"five").await.unwrap(), b"five");
        proxy.reset();
        assert!(said(&mut again, b"six").await.is_err());
    }

    #[tokio::test]
    async fn a_connection_breaks_before_or_after_the_bytes_and_only_once() {
        let proxy = Proxy::to(vec![echo().await]).await;
        for moment in [Moment::Before, Moment::After] {
            let broken = proxy.break_at(b"COMMIT", moment);
            let mut connection = TcpStream::connect(proxy.address()).await.unwrap();
            assert_eq!(said(&mut connection, b"BEGIN").await.unwrap(), b"BEGIN");
            assert!(said(&mut connection, b"COMMIT").await.is_err());
            let mut again = TcpStream::connect(proxy.address()).await.unwrap();
            broken.await;
            assert_eq!(said(&mut again, b"COMMIT").await.unwrap(), b"COMMIT");
        }
    }

    #[tokio::test]
    async fn connections_go_to_each_in_turn_and_past_those_that_are_away() {
        let (one, other) = (echo().await, echo().await);
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let away = closed.local_addr().unwrap();
        drop(closed);
        let proxy = Proxy::to(vec![one, away, other]).await;
        for _ in 0..6 {
            let mut connection = TcpStream::connect(proxy.address()).await.unwrap();
            assert_eq!(said(&mut connection, b"here").await.unwrap(), b"here");
        }
    }
}
