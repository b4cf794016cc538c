//! A service run in process, over real gRPC on loopback.

use std::{fmt::Debug, future::Future, net::SocketAddr};

use nonrecours_rpc::client::PeerChannel;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// A running service. Dropped, it is told to stop; [`stop`](Self::stop) waits for its end.
pub struct Serving {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Serving {
    /// Runs `serve` on a free port of the loopback.
    pub async fn start<S, E>(serve: impl FnOnce(TcpListener, CancellationToken) -> S) -> Self
    where
        S: Future<Output = Result<(), E>> + Send + 'static,
        E: Debug,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let serving = serve(listener, shutdown.clone());
        let task = tokio::spawn(async move { serving.await.expect("the service serves") });
        Self {
            address,
            shutdown,
            task: Some(task),
        }
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A connection that shows this token.
    pub fn channel(&self, token: String) -> PeerChannel {
        crate::tokens::channel(&self.url(), token)
    }

    /// Stops it gracefully and waits for its end. Panics if the service failed.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        if let Some(task) = self.task.take() {
            task.await.expect("the service ended well");
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
