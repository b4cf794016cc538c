//! Files on an S3 store: a small one in this process, over real HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use clap::Parser;
use nonrecours_files::{Error, Files, FilesConfig, OpenError};
use nonrecours_kernel::Digest;
use tokio::net::TcpListener;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    files: FilesConfig,
}

/// What the store holds, and how it behaves.
#[derive(Default)]
struct Bucket {
    objects: HashMap<String, Bytes>,
    /// Answers 503 this many times first.
    failures: usize,
    /// Refuses the key.
    locked: bool,
    requests: usize,
}

type Shared = Arc<Mutex<Bucket>>;

/// PUT, GET and HEAD of objects, as far as files need them.
async fn object(
    State(bucket): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut bucket = bucket.lock().unwrap();
    bucket.requests += 1;
    if bucket.failures > 0 {
        bucket.failures -= 1;
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let signed = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let by_us = signed.starts_with("AWS4-HMAC-SHA256 Credential=key/")
        && signed.contains("/region-9/s3/aws4_request");
    if bucket.locked || !by_us {
        return StatusCode::FORBIDDEN.into_response();
    }
    let path = uri.path().to_owned();
    let now = [
        (header::LAST_MODIFIED, "Tue, 07 Oct 2025 07:00:00 GMT"),
        (header::ETAG, "\"1\""),
    ];
    if method == Method::PUT {
        let declared = headers.get("x-amz-content-sha256").unwrap();
        assert_eq!(declared.to_str().unwrap(), Digest::of(&body).to_string());
        bucket.objects.insert(path, body);
        return (now, StatusCode::OK).into_response();
    }
    match bucket.objects.get(&path) {
        // The body of the answer to HEAD is left out by the server, its length is not.
        Some(object) => (now, object.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn opened() -> (Shared, Files) {
    let bucket = Shared::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .fallback(object)
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(Arc::clone(&bucket));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let settings = [
        "--files-location=s3://pieces/arras",
        "--files-s3-region=region-9",
        "--files-s3-access-key-id=key",
        "--files-s3-secret-access-key=hushed",
    ];
    let endpoint = format!("--files-s3-endpoint={address}");
    let arguments = ["test", &endpoint].into_iter().chain(settings);
    let files = Files::open(&Command::parse_from(arguments).files).await;
    (bucket, files.unwrap())
}

fn name(digest: &Digest) -> String {
    let name = digest.to_string();
    format!("/pieces/arras/{}/{name}", name.get(..2).unwrap())
}

#[tokio::test]
async fn what_is_put_is_read_back_and_verified() {
    let (bucket, files) = opened().await;
    let bytes = Bytes::from(vec![7; 300_000]);
    let digest = files.put(bytes.clone()).await.unwrap();
    assert_eq!(files.put(bytes.clone()).await.unwrap(), digest);
    assert_eq!(files.get(&digest).await.unwrap(), bytes);
    assert!(files.exists(&digest).await.unwrap());
    let names: Vec<String> = bucket.lock().unwrap().objects.keys().cloned().collect();
    assert_eq!(names, [name(&digest)]);

    let never = Digest::of(b"never");
    assert!(!files.exists(&never).await.unwrap());
    assert!(matches!(files.get(&never).await, Err(Error::Absent(_))));

    let other = Bytes::from_static(b"other");
    bucket.lock().unwrap().objects.insert(name(&digest), other);
    assert!(matches!(files.get(&digest).await, Err(Error::Damaged(_))));
}

#[tokio::test]
async fn a_store_that_is_away_for_a_moment_is_asked_again_and_one_that_refuses_is_not() {
    let (bucket, files) = opened().await;
    bucket.lock().unwrap().failures = 2;
    let digest = files.put(Bytes::from_static(b"again")).await.unwrap();
    assert_eq!(bucket.lock().unwrap().requests, 3);
    bucket.lock().unwrap().locked = true;
    assert!(matches!(
        files.get(&digest).await,
        Err(Error::Unavailable(_))
    ));
    assert_eq!(bucket.lock().unwrap().requests, 4);
}

#[tokio::test]
async fn a_store_needs_both_of_its_keys() {
    for (set, missing) in [
        ("--files-s3-access-key-id=key", "FILES_S3_SECRET_ACCESS_KEY"),
        (
            "--files-s3-secret-access-key=hushed",
            "FILES_S3_ACCESS_KEY_ID",
        ),
    ] {
        let arguments = ["test", "--files-location=s3://pieces", set];
        let refused = Files::open(&Command::parse_from(arguments).files).await;
        assert!(matches!(refused, Err(OpenError::Missing(name)) if name == missing));
    }
}
