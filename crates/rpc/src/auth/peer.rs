//! The token that this service presents to the others.

use std::{
    error::Error,
    future::Future,
    io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use tokio::{fs::File, io::AsyncReadExt as _, sync::Mutex};
use tonic::Status;
use tower::{Layer, Service};

use super::MAX_TOKEN_BYTES;
use crate::failure::Failure;

/// Age at which the file of the token is read again.
const REREAD_INTERVAL: Duration = Duration::from_secs(30);

/// Where the token for the other services is.
#[derive(Clone, Debug, clap::Args)]
pub struct PeerTokenConfig {
    /// File with the access token that this service presents to the others; read again when it is rotated.
    #[arg(long, env = "PEER_TOKEN_FILE")]
    pub peer_token_file: PathBuf,
}

impl PeerTokenConfig {
    /// The token of the file.
    pub fn source(self) -> TokenSource {
        TokenSource::file(self.peer_token_file)
    }
}

/// Why there is no token to present.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the file of the token cannot be read")]
    File(#[from] io::Error),
    /// The token could not be made.
    #[error("the token cannot be made")]
    Made(#[source] Box<dyn Error + Send + Sync>),
    /// Empty, too long, or with characters that no token has.
    #[error("not an access token")]
    Malformed,
}

type Make = dyn Fn() -> Result<String, Box<dyn Error + Send + Sync>> + Send + Sync;

/// Gives the token to present. Clones share it.
#[derive(Clone)]
pub struct TokenSource(Arc<Kind>);

enum Kind {
    Fixed(String),
    Made(Box<Make>),
    File(TokenFile),
}

impl TokenSource {
    /// Always this token.
    pub fn fixed(token: impl Into<String>) -> Self {
        Self(Arc::new(Kind::Fixed(token.into())))
    }

    /// A token made for each call.
    pub fn from_fn<F, E>(make: F) -> Self
    where
        F: Fn() -> Result<String, E> + Send + Sync + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Arc::new(Kind::Made(Box::new(move || {
            make().map_err(Into::into)
        }))))
    }

    /// The token of a file, read again from time to time so that it can be rotated.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::file_reread(path, REREAD_INTERVAL)
    }

    fn file_reread(path: impl Into<PathBuf>, interval: Duration) -> Self {
        Self(Arc::new(Kind::File(TokenFile {
            path: path.into(),
            interval,
            read: Mutex::new(None),
        })))
    }

    /// `Bearer <token>`, marked so that it is not logged.
    pub async fn bearer(&self) -> Result<HeaderValue, TokenError> {
        match &*self.0 {
            Kind::Fixed(token) => bearer(token),
            Kind::Made(make) => bearer(&make().map_err(TokenError::Made)?),
            Kind::File(file) => file.bearer().await,
        }
    }
}

struct TokenFile {
    path: PathBuf,
    interval: Duration,
    /// When it was last tried, and what was last read.
    read: Mutex<Option<(Instant, HeaderValue)>>,
}

impl TokenFile {
    async fn bearer(&self) -> Result<HeaderValue, TokenError> {
        let mut read = self.read.lock().await;
        let held = match &*read {
            Some((at, token)) if at.elapsed() < self.interval => return Ok(token.clone()),
            Some((_, token)) => Some(token.clone()),
            None => None,
        };
        let token = match (self.read().await, held) {
            (Ok(token), _) => token,
            (Err(error), Some(held)) => {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "token file not read: the earlier token still serves"
                );
                held
            }
            (Err(error), None) => return Err(error),
        };
        *read = Some((Instant::now(), token.clone()));
        Ok(token)
    }

    async fn read(&self) -> Result<HeaderValue, TokenError> {
        let mut text = String::new();
        File::open(&self.path)
            .await?
            .take(MAX_TOKEN_BYTES as u64 + 2)
            .read_to_string(&mut text)
            .await?;
        bearer(text.trim())
    }
}

fn bearer(token: &str) -> Result<HeaderValue, TokenError> {
    let shaped = !token.is_empty()
        && token.len() <= MAX_TOKEN_BYTES
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !shaped {
        return Err(TokenError::Malformed);
    }
    let mut value =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| TokenError::Malformed)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Puts the token of a [`TokenSource`] on every call of a client. Without a token the call fails UNAVAILABLE.
#[derive(Clone)]
pub struct TokenLayer {
    source: TokenSource,
}

impl TokenLayer {
    /// Presents the tokens of this source.
    pub fn new(source: TokenSource) -> Self {
        Self { source }
    }
}

impl<S> Layer<S> for TokenLayer {
    type Service = WithToken<S>;

    fn layer(&self, inner: S) -> WithToken<S> {
        WithToken {
            inner,
            source: self.source.clone(),
        }
    }
}

/// A client whose calls carry the token: made by [`TokenLayer`].
#[derive(Clone)]
pub struct WithToken<S> {
    inner: S,
    source: TokenSource,
}

impl<S, B, R> Service<Request<B>> for WithToken<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The clone that stays behind has not been found ready: the one that was goes with the call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let source = self.source.clone();
        Box::pin(async move {
            match source.bearer().await {
                Ok(token) => {
                    request.headers_mut().insert(AUTHORIZATION, token);
                    inner.call(request).await
                }
                Err(error) => Ok(Status::from(Failure::unavailable(&error)).into_http()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn text(source: &TokenSource) -> String {
        let value = source.bearer().await.unwrap();
        assert!(value.is_sensitive());
        value.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_rotated_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "first\n").unwrap();
        let source = TokenSource::file_reread(&path, Duration::ZERO);
        assert_eq!(text(&source).await, "Bearer first");
        fs::write(&path, "second").unwrap();
        assert_eq!(text(&source).await, "Bearer second");
        for bad in ["", "two words", &"x".repeat(MAX_TOKEN_BYTES + 1)] {
            fs::write(&path, bad).unwrap();
            assert_eq!(text(&source).await, "Bearer second");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(text(&source).await, "Bearer second");
    }

    #[tokio::test]
    async fn a_file_is_not_read_for_every_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "first").unwrap();
        let source = TokenSource::file(&path);
        assert_eq!(text(&source).await, "Bearer first");
        fs::write(&path, "second").unwrap();
        assert_eq!(text(&source).await, "Bearer first");
    }

    #[tokio::test]
    async fn without_a_token_there_is_an_error() {
        let missing = TokenSource::file("/nowhere/at/all").bearer().await;
        assert!(matches!(missing, Err(TokenError::File(_))));
        let made = TokenSource::from_fn(|| Err::<String, _>("no key"))
            .bearer()
            .await;
        assert!(matches!(made, Err(TokenError::Made(_))));
        let fixed = TokenSource::fixed("line\r\nbreak").bearer().await;
        assert!(matches!(fixed, Err(TokenError::Malformed)));
    }
}
