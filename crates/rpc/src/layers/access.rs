//! Who may call what: the one place where it is enforced, before any handler.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use nonrecours_kernel::{Call, Caller, Role};
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::{
    audit::{Audit, Kind},
    auth::{AuthError, Verifier, access_table, journalled_table},
    connections::Connection,
    failure::Failure,
    telemetry::method,
    tls::Peers,
};

/// Paths open to everybody: health for whoever supervises the service, reflection for whoever discovers it.
pub const OPEN_PATHS: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// Admits a call whose token is valid, or whose connection shows the certificate of a peer, and that has one of the roles
/// which the rpc declares in the contract.
///
/// Admitted, it goes on with its [`Caller`] as an extension and without its token; an answer that the contract says is
/// journalled leaves only once it is (ADR 0018), else INTERNAL goes in its place. Refused: UNAUTHENTICATED;
/// PERMISSION_DENIED (ROLE_MISSING), for everybody where the rpc declares no role; UNIMPLEMENTED for a path that is
/// not of the contract, which no handler ever sees.
#[derive(Clone)]
pub struct AccessLayer {
    door: Door,
}

impl AccessLayer {
    /// Admits the bearers of tokens that this verifier accepts, and these peers by their certificates; notes who is refused.
    pub fn new(verifier: Verifier, peers: Peers) -> Self {
        let audit = verifier.audit().clone();
        Self {
            door: Door {
                verifier,
                peers,
                audit,
            },
        }
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Access<S>;

    fn layer(&self, inner: S) -> Access<S> {
        Access {
            inner,
            door: self.door.clone(),
        }
    }
}

/// The service behind the access layer: made by [`AccessLayer`].
#[derive(Clone)]
pub struct Access<S> {
    inner: S,
    door: Door,
}

impl<S, B, R> Service<Request<B>> for Access<S>
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
        if is_open(request.uri().path()) {
            return Box::pin(inner.call(request));
        }
        let door = self.door.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let token = bearer(request.headers());
            request.headers_mut().remove(AUTHORIZATION);
            let peer = door.peers.caller(request.extensions());
            match door.admit(&path, token, peer).await {
                Ok(mut caller) => {
                    if let Some(connection) = request.extensions().get::<Connection>() {
                        connection.is_known();
                    }
                    let call = Call::of(&path);
                    caller.call = call.clone();
                    let subject = caller.subject.clone();
                    request.extensions_mut().insert(caller);
                    let response = inner.call(request).await?;
                    if is_denied(response.headers()) {
                        let rpc = method::of_path(&path);
                        door.audit.note(Kind::OutOfReach, "", &subject, rpc);
                    }
                    Ok(journalled(&call, response))
                }
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

/// The answer, unless it tells of what is to be journalled and is not.
fn journalled<R: Default>(call: &Call, response: Response<R>) -> Response<R> {
    let is_refusal = response.headers().contains_key("grpc-status");
    if is_refusal || call.is_journalled() || !journalled_table().contains(call.rpc()) {
        return response;
    }
    let failure = Failure::bug("an answer with personal data was not journalled");
    Status::from(failure).into_http()
}

/// Whether a handler denied the call: PERMISSION_DENIED without any answer, since that is decided before all else.
fn is_denied(headers: &HeaderMap) -> bool {
    let status = headers.get("grpc-status");
    status.is_some_and(|status| Code::from_bytes(status.as_bytes()) == Code::PermissionDenied)
}

fn is_open(path: &str) -> bool {
    OPEN_PATHS.iter().any(|open| path.starts_with(open))
}

#[derive(Clone)]
struct Door {
    verifier: Verifier,
    peers: Peers,
    audit: Audit,
}

impl Door {
    async fn admit(
        &self,
        path: &str,
        token: Result<String, AuthError>,
        peer: Option<Caller>,
    ) -> Result<Caller, Status> {
        let caller = self.identify(token, peer).await.map_err(|error| {
            tracing::info!(cause = %error, "caller not authenticated");
            let rpc = method::of_path(path);
            self.audit
                .note(Kind::TokenRefused, error.to_string(), "", rpc);
            Failure::from(error)
        })?;
        match access_table().get(path) {
            Some(needed) if needed.is_disjoint(&caller.roles) => {
                let rpc = method::of_path(path);
                self.audit.note(Kind::RoleMissing, "", &caller.subject, rpc);
                Err(Failure::role_missing(&list(needed)).into())
            }
            Some(_) => Ok(caller),
            None => Err(Status::unimplemented("No such method.")),
        }
    }

    /// A token says who calls, whatever the connection; without one a peer is who its certificate says.
    async fn identify(
        &self,
        token: Result<String, AuthError>,
        peer: Option<Caller>,
    ) -> Result<Caller, AuthError> {
        let token = match (token, peer) {
            (Err(AuthError::Missing), Some(peer)) => return Ok(peer),
            (token, _) => token?,
        };
        let caller = self.verifier.verify(&token).await?;
        if self.peers.by_certificate() && caller.roles.contains(&Role::PeerService) {
            return Err(AuthError::PeerByToken);
        }
        Ok(caller)
    }
}

/// The token of `authorization: Bearer <token>`; the scheme is case-insensitive (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Result<String, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(AuthError::Missing)?;
    if values.next().is_some() {
        return Err(AuthError::Malformed("two authorizations"));
    }
    let value = value
        .to_str()
        .map_err(|_| AuthError::Malformed("not ASCII"))?;
    match value.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(token.trim_start().to_owned())
        }
        None if value.trim().is_empty() => Err(AuthError::Missing),
        _ => Err(AuthError::Malformed("not a bearer token")),
    }
}

fn list(roles: &BTreeSet<Role>) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    names.join(", ")
}
