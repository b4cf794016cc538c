//! The token that this service presents to the others.

use std::{
    error::Error,
    future::Future,
    io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use tokio::{fs::File, io::AsyncReadExt as _};
use tonic::Status;
use tower::{Layer, Service};

use super::{
    MAX_TOKEN_BYTES,
    client::{ClientError, ClientToken, MachineClient},
};
use crate::{
    failure::Failure,
    reread::{REREAD_INTERVAL, Reread},
};

/// Where the token for the other services is.
#[derive(Clone, Debug, clap::Args)]
pub struct PeerTokenConfig {
    /// File with the access token that this service presents to the others; read again when it is rotated. None: it
    /// shows its certificate alone.
    #[arg(long, env = "PEER_TOKEN_FILE")]
    pub peer_token_file: Option<PathBuf>,
}

impl PeerTokenConfig {
    /// The token of the file, if there is one.
    pub fn source(self) -> TokenSource {
        self.peer_token_file
            .map_or_else(TokenSource::none, TokenSource::file)
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
    /// The issuer gave none.
    #[error("the issuer gives no token")]
    Issuer(#[from] ClientError),
    /// Empty, too long, or with characters that no token has.
    #[error("not an access token")]
    Malformed,
}

type Make = dyn Fn() -> Result<String, Box<dyn Error + Send + Sync>> + Send + Sync;

/// Gives the token to present. Clones share it.
#[derive(Clone)]
pub struct TokenSource(Arc<Kind>);

enum Kind {
    None,
    Fixed(String),
    Made(Box<Make>),
    File(TokenFile),
    Client(ClientToken),
}

impl TokenSource {
    /// No token: the caller is known by the certificate of its connection, or not at all.
    pub fn none() -> Self {
        Self(Arc::new(Kind::None))
    }

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

    /// The token that the issuer gives a machine for its secret, asked for again before it expires.
    pub fn client(client: MachineClient) -> Self {
        Self(Arc::new(Kind::Client(ClientToken::new(client))))
    }

    fn file_reread(path: impl Into<PathBuf>, interval: Duration) -> Self {
        Self(Arc::new(Kind::File(TokenFile {
            path: path.into(),
            token: Reread::new("token file", interval),
        })))
    }

    /// `Bearer <token>`, marked so that it is not logged; nothing where none is shown.
    pub async fn bearer(&self) -> Result<Option<HeaderValue>, TokenError> {
        match &*self.0 {
            Kind::None => Ok(None),
            Kind::Fixed(token) => bearer(token).map(Some),
            Kind::Made(make) => bearer(&make().map_err(TokenError::Made)?).map(Some),
            Kind::File(file) => file.token.get(|| file.read()).await.map(Some),
            Kind::Client(client) => client.bearer().await.map(Some),
        }
    }
}

struct TokenFile {
    path: PathBuf,
    token: Reread<HeaderValue>,
}

impl TokenFile {
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

pub(super) fn bearer(token: &str) -> Result<HeaderValue, TokenError> {
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

/// Puts the token of a [`TokenSource`] on every call of a client. A token that cannot be had fails the call UNAVAILABLE.
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
                    if let Some(token) = token {
                        request.headers_mut().insert(AUTHORIZATION, token);
                    }
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
        let value = source.bearer().await.unwrap().unwrap();
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
