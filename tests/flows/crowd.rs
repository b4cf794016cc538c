//! A crowd at the door of one service: thousands of calls that never go on, connections that never begin, answers that nobody
//! reads. The others are served meanwhile, memory stays bounded, and the service itself puts an end to all of it.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use nonrecours_contracts::conventions::{
    ListProgrammesRequest, attachment_service_client::AttachmentServiceClient,
    programme_service_client::ProgrammeServiceClient,
};
use nonrecours_issuer::TokenSpec;
use nonrecours_kernel::Role;
use nonrecours_rpc::{
    auth::TokenSource,
    client::{self, PeerChannel},
    details::Details,
    tls::ClientTls,
};
use prost::Message as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{Code, Status};

use crate::processes::Processes;

const SERVICE: &str = "conventions";
/// Callers, and the calls of each: some beyond what one caller may have in hand.
const SLOW_CALLERS: usize = 9;
const SLOW: usize = 260;
const CALLER_IN_FLIGHT: usize = 256;
/// Connections whose answers nobody reads, and the calls on each.
const UNREADING: usize = 4;
const UNREAD: usize = 64;
/// Connections of each sort that never begin: not a byte; half of a handshake; a handshake and nothing; HTTP/2 and nothing.
const HALF_OPEN: [usize; 4] = [500, 500, 150, 150];
/// Connections that the service may have open: fewer than there are.
const MAX_OPEN: usize = 1_200;
/// How long a message may wait to be read, there.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(8);
/// How soon the others are answered.
const SOON: Duration = Duration::from_secs(4);
/// When the last of them has been ended, from when it began: uploads may be silent for half a minute.
const ALL_ENDED: Duration = Duration::from_secs(50);
/// What all of it may take of the service's memory.
const MAX_MEMORY_KIB: u64 = 192 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_who_hold_calls_and_connections_keep_nobody_out() {
    room_for_files();
    let mut processes = Processes::prepare().await;
    processes.set("MAX_IN_FLIGHT", "4096");
    processes.set("MAX_OPEN", MAX_OPEN.to_string());
    processes.set("UNREAD_TIMEOUT_MS", UNREAD_TIMEOUT.as_millis().to_string());
    processes.run(SERVICE);
    let door = Door::of(&processes);
    let ready = async { while door.ask(&door.caller("first")).await.is_err() {} };
    timeout(Duration::from_secs(30), ready)
        .await
        .expect("it serves");
    let pid = processes.child(SERVICE).id().unwrap();
    let before = resident(pid);

    let begun = Instant::now();
    let (mut slow, refused) = door.hold_uploads().await;
    let held = SLOW_CALLERS * CALLER_IN_FLIGHT;
    assert_eq!((slow.len(), refused), (held, SLOW_CALLERS * SLOW - held));
    assert!(held > 2_000);
    let mut unread = JoinSet::new();
    for number in 0..UNREADING {
        unread.spawn(door.clone().ask_and_not_read(number));
    }
    let mut half_open = JoinSet::new();
    for (sort, count) in HALF_OPEN.into_iter().enumerate() {
        for _ in 0..count {
            // One after the other, so that those who come first are those who must go first.
            let connection = timeout(SOON, door.half_open(sort)).await;
            half_open.spawn(connection.expect("taken soon"));
        }
    }

    let honest = door.caller("camille");
    for _ in 0..20 {
        let answer = timeout(SOON, door.ask(&honest)).await;
        answer.expect("answered soon").unwrap();
        let another = timeout(SOON, door.ask(&door.caller("dominique"))).await;
        another.expect("let in soon").unwrap();
    }
    let greedy = door.caller("slow-0");
    assert!(is_shed(&door.ask(&greedy).await.unwrap_err()));
    let crowded = resident(pid);
    let taken = crowded.saturating_sub(before);
    let held_for = begun.elapsed();
    assert!(taken < MAX_MEMORY_KIB, "{taken} KiB");

    let ends = async {
        let mut ended = 0;
        while let Some(end) = half_open.join_next().await {
            end.unwrap();
            ended += 1;
        }
        assert_eq!(ended, HALF_OPEN.iter().sum::<usize>());
        while let Some(answers) = unread.join_next().await {
            assert_eq!(answers.unwrap(), UNREAD, "answered, and then cut off");
        }
        while let Some(upload) = slow.join_next().await {
            assert_eq!(upload.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
        }
    };
    timeout(ALL_ENDED, ends)
        .await
        .expect("the service ends all of them");
    door.ask(&greedy).await.expect("who has let go is served");
    door.ask(&honest).await.unwrap();
    println!(
        "{held} calls and {} connections held after {held_for:?}, gone after {:?}: memory {before} KiB, {crowded} KiB, {} KiB",
        UNREADING + HALF_OPEN.iter().sum::<usize>(),
        begun.elapsed(),
        resident(pid)
    );
    assert_eq!(processes.faults(), "");
}

/// Whether a call was refused for want of a place, and told when to come again.
fn is_shed(status: &Status) -> bool {
    let details = Details::of(status);
    status.code() == Code::ResourceExhausted
        && details.reason == "OVERLOADED"
        && details.retry.is_some()
}

/// The way in.
#[derive(Clone)]
struct Door {
    url: String,
    address: SocketAddr,
    tls: ClientTls,
    raw: TlsConnector,
    token: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

impl Door {
    fn of(processes: &Processes) -> Self {
        let url = processes.url(SERVICE);
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        let authorities = processes.cast.addresses.authorities.as_ref().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authorities).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let issuer = Arc::clone(&processes.cast.issuer);
        Self {
            url,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            tls: processes.tls(),
            raw: TlsConnector::from(Arc::new(config)),
            token: Arc::new(move |subject| {
                let spec = TokenSpec::new(subject, [Role::ProgrammeOfficer]);
                issuer.token(&spec).unwrap()
            }),
        }
    }

    /// A connection of its own, by which this person calls.
    fn caller(&self, subject: &str) -> PeerChannel {
        let token = TokenSource::fixed((self.token)(subject));
        client::connect(&self.url, token, self.tls.clone()).unwrap()
    }

    async fn ask(&self, caller: &PeerChannel) -> Result<(), Status> {
        let mut programmes = ProgrammeServiceClient::new(caller.clone());
        let request = ListProgrammesRequest::default();
        programmes.list_programmes(request).await.map(drop)
    }

    /// Uploads that never begin; those beyond the share of their caller are refused, and counted.
    async fn hold_uploads(&self) -> (JoinSet<Result<(), Status>>, usize) {
        let mut uploads = JoinSet::new();
        let mut refused = 0;
        for number in 0..SLOW_CALLERS {
            let subject = format!("slow-{number}");
            // Two connections, since one carries 256 calls at most.
            let connections = [self.caller(&subject), self.caller(&subject)];
            for connection in connections.iter().cycle().take(SLOW) {
                let mut attachments = AttachmentServiceClient::new(connection.clone());
                uploads.spawn(async move {
                    let nothing = tokio_stream::pending();
                    attachments.upload_attachment(nothing).await.map(drop)
                });
            }
            for _ in CALLER_IN_FLIGHT..SLOW {
                let status = uploads.join_next().await.unwrap().unwrap().unwrap_err();
                assert!(is_shed(&status), "{status:?}");
                refused += 1;
            }
        }
        (uploads, refused)
    }

    /// Asks on one connection whose window is closed, and waits until it is cut off: how many were answered.
    async fn ask_and_not_read(self, number: usize) -> usize {
        let (mut send, connection) = h2::client::Builder::new()
            .initial_window_size(0)
            .handshake::<_, Bytes>(self.shake_hands().await)
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let mut message = BytesMut::new();
        let request = ListProgrammesRequest {
            page_size: 1,
            ..Default::default()
        };
        message.put_u8(0);
        message.put_u32(request.encoded_len().try_into().unwrap());
        request.encode(&mut message).unwrap();
        let message = message.freeze();
        let mut answers = Vec::new();
        for _ in 0..UNREAD {
            let token = (self.token)(&format!("unreading-{number}"));
            let request = http::Request::post(format!(
                "{}/nonrecours.conventions.v1.ProgrammeService/ListProgrammes",
                self.url
            ))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap();
            std::future::poll_fn(|cx| send.poll_ready(cx))
                .await
                .unwrap();
            let (answer, mut body) = send.send_request(request, false).unwrap();
            body.send_data(message.clone(), true).unwrap();
            answers.push(answer);
        }
        let mut held = Vec::new();
        for answer in answers {
            let answer = answer.await.unwrap();
            assert!(!answer.headers().contains_key("grpc-status"), "{answer:?}");
            held.push(answer.into_body());
        }
        let mut unread = 0;
        for mut body in held {
            match body.data().await {
                Some(Err(_)) => unread += 1,
                read => assert!(read.is_none_or(|read| !read.unwrap().has_remaining())),
            }
        }
        assert!(connection.await.unwrap().is_err(), "ended by the service");
        unread
    }

    async fn shake_hands(&self) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        self.raw.connect(name, tcp).await.unwrap()
    }

    /// A connection that goes so far and no further; its end, which the service makes.
    async fn half_open(&self, sort: usize) -> impl Future<Output = ()> + Send + use<> {
        /// The head of a ClientHello of 512 bytes, most of which never come (RFC 8446 §4).
        const CLIENT_HELLO: [u8; 9] = [22, 3, 1, 2, 0, 1, 0, 1, 252];
        /// The preface, and settings without any (RFC 9113 §3.4).
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let mut buffer = [0; 64];
        if sort < 2 {
            let mut tcp = TcpStream::connect(self.address).await.unwrap();
            if sort == 1 {
                tcp.write_all(&CLIENT_HELLO).await.unwrap();
            }
            futures_util::future::Either::Left(async move {
                while matches!(tcp.read(&mut buffer).await, Ok(1..)) {}
            })
        } else {
            let mut tls = self.shake_hands().await;
            if sort == 3 {
                tls.write_all(PREFACE).await.unwrap();
            }
            futures_util::future::Either::Right(async move {
                while matches!(tls.read(&mut buffer).await, Ok(1..)) {}
            })
        }
    }
}

/// Memory that a process has in use, KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let told = line.and_then(|line| line.split_whitespace().nth(1));
    told.unwrap().parse().unwrap()
}

/// As many open files as this process may have: it holds the other end of every connection.
fn room_for_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, all).unwrap();
}
