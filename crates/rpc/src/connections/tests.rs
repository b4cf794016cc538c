//! Who gives way, and what ends a connection.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{advance, timeout},
};
use tonic::{body::Body, transport::server::Connected as _};
use tower::{Layer as _, Service as _, service_fn};

use super::*;

const UNREAD: Duration = Duration::from_secs(60);

/// Whether a connection was told to go.
fn is_gone(seat: &Seat) -> bool {
    seat.gone().is_cancelled()
}

#[tokio::test(start_paused = true)]
async fn the_newest_is_let_in_and_who_is_unknown_goes_first() {
    let connections = Connections::new(4, UNREAD);
    let enter = async || {
        advance(Duration::from_secs(1)).await;
        connections.enter().unwrap()
    };
    let (known, busy, silent) = (enter().await, enter().await, enter().await);
    known.connection.is_known();
    busy.connection.is_known();
    let at_work = busy.connection.call();
    let watching = enter().await;
    let watch = watching.connection.call();

    let mut newest = enter().await;
    assert!(is_gone(&silent), "it never said who it is");
    assert!(!is_gone(&watching) && !is_gone(&known) && !is_gone(&busy));
    newest.connection.is_known();
    let newest_works = newest.connection.call();
    let third = enter().await;
    assert!(is_gone(&watching), "what needs no token keeps nobody out");
    third.connection.is_known();
    let third_works = third.connection.call();
    let fourth = enter().await;
    assert!(is_gone(&known), "known, and has nothing in hand");
    fourth.connection.is_known();
    let fourth_works = fourth.connection.call();
    assert!(
        connections.enter().is_none(),
        "each has calls in hand: none gives way"
    );
    drop((at_work, silent, watch));
    newest = connections.enter().unwrap();
    assert!(is_gone(&busy), "what it had in hand has ended");
    drop(newest);
    assert!(connections.enter().is_some(), "a place that was given back");
    drop((newest_works, third_works, fourth_works));
}

#[tokio::test(start_paused = true)]
async fn of_the_idle_the_longest_unused_goes_first() {
    let connections = Connections::new(2, UNREAD);
    let early = connections.enter().unwrap();
    advance(Duration::from_secs(1)).await;
    let late = connections.enter().unwrap();
    for seat in [&early, &late] {
        seat.connection.is_known();
    }
    advance(Duration::from_secs(1)).await;
    drop(early.connection.call());
    let _newest = connections.enter().unwrap();
    assert!(is_gone(&late) && !is_gone(&early));
}

/// Both ends of a connection over TCP.
async fn line(connections: &Connections) -> (Line<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (there, here) = tokio::join!(TcpStream::connect(address), listener.accept());
    let seat = connections.enter().unwrap();
    (Line::plain(here.unwrap().0, seat), there.unwrap())
}

/// How a connection ends, and how long after now.
async fn end(line: &mut Line<TcpStream>) -> (io::ErrorKind, Duration) {
    let begun = Instant::now();
    let error = loop {
        match line.read_u8().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    (error.kind(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn who_does_not_begin_http2_is_not_waited_for() {
    let connections = Connections::new(2, UNREAD);
    let (mut line, mut there) = line(&connections).await;
    // Twenty-three bytes of twenty-four.
    there
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r")
        .await
        .unwrap();
    let (kind, after) = end(&mut line).await;
    assert_eq!(
        (kind, after.as_secs()),
        (io::ErrorKind::TimedOut, 5),
        "{after:?}"
    );
    assert_eq!(held(&connections.room.open).connections.len(), 1);
    drop(line);
    assert_eq!(held(&connections.room.open).connections.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_gives_way_is_closed_while_it_waits() {
    let connections = Connections::new(1, UNREAD);
    let (mut line, mut there) = line(&connections).await;
    there
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let waiting = tokio::spawn(async move { end(&mut line).await });
    tokio::task::yield_now().await;
    let _other = connections.enter().unwrap();
    let (kind, after) = waiting.await.unwrap();
    assert_eq!(kind, io::ErrorKind::ConnectionAborted);
    assert!(after < Duration::from_secs(5), "{after:?}");
}

/// The first message of an answer on that connection.
async fn message(connection: &Connection) -> (Bytes, Body) {
    let answers = service_fn(async |_: Request<Body>| {
        let body = Body::new(Full::new(Bytes::from_static(b"an answer")));
        Ok::<_, Infallible>(Response::new(body))
    });
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(connection.clone());
    let answer = ConnectionLayer.layer(answers).call(request).await.unwrap();
    let mut body = answer.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    (frame.into_data().ok().unwrap(), body)
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_its_answers_is_ended() {
    let connections = Connections::new(2, UNREAD);
    let (mut line, mut there) = line(&connections).await;
    there
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let connection = line.connect_info();
    let (bytes, body) = message(&connection).await;
    assert_eq!(&*bytes, b"an answer");
    assert!(connection.unread_since().is_some());
    drop((bytes, body));
    assert!(connection.unread_since().is_none(), "it has left");
    // Idle for as long as it likes, since it took what it asked for.
    let ended = timeout(UNREAD * 60, end(&mut line)).await;
    assert!(ended.is_err(), "{ended:?}");

    let _unread = message(&connection).await;
    let (kind, after) = end(&mut line).await;
    assert_eq!(kind, io::ErrorKind::TimedOut);
    assert!(after > UNREAD && after <= UNREAD + Duration::from_secs(5));
}
