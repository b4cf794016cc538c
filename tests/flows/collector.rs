//! A collector that accepts everything, and keeps what it is sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, extract::Request};
use http_body_util::{BodyExt as _, Full};
use tokio::net::TcpListener;
use tonic::{
    codegen::http::{HeaderMap, HeaderValue, Response},
    transport::{Server, server::TcpIncoming},
};

/// Largest request that is taken, bytes.
const MAX_REQUEST: usize = 4 << 20;

/// What a collector was sent: the path of each request, and its bytes.
#[derive(Clone, Default)]
pub struct Received(Arc<Mutex<Sent>>);

/// Requests in their order.
type Sent = Vec<(String, Vec<u8>)>;

impl Received {
    /// All of it so far.
    pub fn all(&self) -> Sent {
        self.0.lock().unwrap().clone()
    }
}

/// Listens on the loopback.
pub async fn start() -> (SocketAddr, Received) {
    let received = Received::default();
    let kept = received.clone();
    let accept = move |request: Request| {
        let kept = kept.clone();
        async move {
            let path = request.uri().path().to_owned();
            let content = axum::body::to_bytes(request.into_body(), MAX_REQUEST).await;
            kept.0
                .lock()
                .unwrap()
                .push((path, content.unwrap().to_vec()));
            // An empty message and the status OK.
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let body = Full::from(&[0_u8; 5][..]).with_trailers(async { Some(Ok(trailers)) });
            Response::builder()
                .header("content-type", "application/grpc")
                .body(Body::new(body))
                .unwrap()
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = tonic::service::Routes::from(Router::new().fallback(accept));
    let server = Server::builder().add_routes(routes);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    (address, received)
}
