//! Refusals and faults, and the one place where they become gRPC statuses.

use std::{error::Error as StdError, time::Duration};

use nonrecours_contracts::{google::rpc, status};
use nonrecours_kernel::{Blocker, Text, Violation};
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};

/// Domain of the reasons that any service can give: `nonrecours.common.v1.CommonErrorReason`.
pub const COMMON_DOMAIN: &str = "nonrecours";

/// When a caller that was in the way of another, or met a full service, should come back.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Locale of the sentences people read.
const LOCALE: &str = "fr-FR";

/// A request that was not done: why, for a program and for a person.
///
/// Becomes a `tonic::Status` with `ErrorInfo` and `LocalizedMessage` always, `BadRequest` with every violation,
/// `PreconditionFailure` with every blocker, `RetryInfo` where the same request may be sent again. The cause of an
/// internal fault goes to the logs only.
#[derive(Debug)]
pub struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    domain: &'static str,
    reason: &'static str,
    text: Text,
    metadata: Vec<(&'static str, String)>,
    violations: Vec<Violation>,
    blockers: Vec<Blocker>,
    retry: Option<Duration>,
}

impl Failure {
    /// A refusal with the reason of one service's own rules; `domain` is `<service>.nonrecours`.
    pub fn new(code: Code, domain: &'static str, reason: &'static str, text: Text) -> Self {
        Self(Box::new(Inner {
            code,
            domain,
            reason,
            text,
            metadata: Vec::new(),
            violations: Vec::new(),
            blockers: Vec::new(),
            retry: None,
        }))
    }

    fn common(code: Code, reason: &'static str, text: Text) -> Self {
        Self::new(code, COMMON_DOMAIN, reason, text)
    }

    /// INVALID_ARGUMENT with every violation.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let count = violations.len();
        let text = match violations.as_slice() {
            [only] => Text::new(
                format!("{}: {}", only.field, only.text.en),
                format!("{} : {}", only.field, only.text.fr),
            ),
            _ => Text::new(
                format!("{count} fields are wrong."),
                format!("{count} champs sont à corriger."),
            ),
        };
        let mut failure = Self::common(Code::InvalidArgument, "INVALID_REQUEST", text);
        failure.0.violations = violations;
        failure
    }

    /// FAILED_PRECONDITION with every blocker.
    pub fn blocked(
        domain: &'static str,
        reason: &'static str,
        text: Text,
        blockers: Vec<Blocker>,
    ) -> Self {
        let mut failure = Self::new(Code::FailedPrecondition, domain, reason, text);
        failure.0.blockers = blockers;
        failure
    }

    /// NOT_FOUND: no such resource for this caller.
    pub fn not_found(name: impl std::fmt::Display) -> Self {
        Self::common(
            Code::NotFound,
            "NOT_FOUND",
            Text::new(
                format!("{name} does not exist."),
                format!("{name} n'existe pas, ou ne vous est pas accessible."),
            ),
        )
    }

    /// ALREADY_EXISTS: another resource has the same natural key.
    pub fn already_exists(key: &'static str, text: Text) -> Self {
        let mut failure = Self::common(Code::AlreadyExists, "ALREADY_EXISTS", text);
        failure.0.metadata.push(("key", key.to_owned()));
        failure
    }

    /// UNAUTHENTICATED.
    pub fn unauthenticated(text: Text) -> Self {
        Self::common(Code::Unauthenticated, "UNAUTHENTICATED", text)
    }

    /// PERMISSION_DENIED: none of the caller's roles may call this rpc. `needed` are the roles that may.
    pub fn role_missing(needed: &str) -> Self {
        let mut failure = Self::common(
            Code::PermissionDenied,
            "ROLE_MISSING",
            Text::new(
                "None of your roles may call this method.",
                "Aucun de vos rôles ne permet cette opération.",
            ),
        );
        failure.0.metadata.push(("roles", needed.to_owned()));
        failure
    }

    /// PERMISSION_DENIED: the caller is bound to another operator.
    pub fn out_of_reach() -> Self {
        Self::common(
            Code::PermissionDenied,
            "OUT_OF_REACH",
            Text::new(
                "Your token is bound to another operator.",
                "Votre accès est limité à un autre opérateur.",
            ),
        )
    }

    /// ALREADY_EXISTS: the request id was used for a request with another content.
    pub fn request_id_reused() -> Self {
        Self::common(
            Code::AlreadyExists,
            "REQUEST_ID_REUSED",
            Text::new(
                "This request_id was used for another request.",
                "Ce request_id a déjà servi à une autre demande : prenez-en un nouveau.",
            ),
        )
    }

    /// ABORTED: the etag is not the current one.
    pub fn etag_mismatch() -> Self {
        Self::common(
            Code::Aborted,
            "ETAG_MISMATCH",
            Text::new(
                "The resource has changed since you read it.",
                "Cet élément a changé depuis votre lecture : relisez-le avant de le modifier.",
            ),
        )
    }

    /// ABORTED: another transaction was in the way; the same request may be sent again.
    pub fn concurrent_update() -> Self {
        let mut failure = Self::common(
            Code::Aborted,
            "CONCURRENT_UPDATE",
            Text::new(
                "Another change was in the way; send the same request again.",
                "Une autre modification était en cours : renvoyez la même demande.",
            ),
        );
        failure.0.retry = Some(RETRY_AFTER);
        failure
    }

    /// INVALID_ARGUMENT: a page token or cursor that was not given for this query.
    pub fn page_token_invalid(field: &str) -> Self {
        let text = Text::new(
            "The token was not given for this query.",
            "Ce jeton de page ne correspond pas à cette liste : reprenez depuis la première page.",
        );
        let mut failure = Self::common(Code::InvalidArgument, "PAGE_TOKEN_INVALID", text.clone());
        failure.0.violations.push(Violation {
            field: field.to_owned(),
            reason: "PAGE_TOKEN_INVALID".to_owned(),
            text,
        });
        failure
    }

    /// DEADLINE_EXCEEDED: the caller's deadline or the service's own limit has passed. The same request may be sent again: a
    /// write that was done meanwhile is answered by its request id.
    pub fn deadline_exceeded() -> Self {
        let mut failure = Self::common(
            Code::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            Text::new(
                "The deadline has passed.",
                "Le délai de réponse est dépassé : renvoyez la même demande.",
            ),
        );
        failure.0.retry = Some(RETRY_AFTER);
        failure
    }

    /// RESOURCE_EXHAUSTED: too many requests at once.
    pub fn overloaded() -> Self {
        let mut failure = Self::common(
            Code::ResourceExhausted,
            "OVERLOADED",
            Text::new(
                "Too many requests at once; come back shortly.",
                "Trop de demandes à la fois : réessayez dans un instant.",
            ),
        );
        failure.0.retry = Some(RETRY_AFTER);
        failure
    }

    /// The same, when it is known how soon there will be room.
    pub fn overloaded_for(delay: Duration) -> Self {
        let mut failure = Self::overloaded();
        failure.0.retry = Some(delay);
        failure
    }

    /// UNAVAILABLE: the database or another service cannot be reached. Logs the cause.
    pub fn unavailable(cause: &(dyn StdError + 'static)) -> Self {
        tracing::warn!(cause = chain(cause), "unavailable");
        let mut failure = Self::common(
            Code::Unavailable,
            "UNAVAILABLE",
            Text::new(
                "A part of the service cannot be reached; send the same request again.",
                "Une partie du service est momentanément injoignable : renvoyez la même demande.",
            ),
        );
        failure.0.retry = Some(RETRY_AFTER);
        failure
    }

    /// INTERNAL: a fault of ours. Logs the cause, which the caller never sees.
    pub fn internal(cause: &(dyn StdError + 'static)) -> Self {
        tracing::error!(cause = chain(cause), "internal fault");
        Self::opaque()
    }

    /// INTERNAL: something that our own rules exclude happened. Logs what.
    pub fn bug(what: &str) -> Self {
        tracing::error!(cause = what, "internal fault");
        Self::opaque()
    }

    fn opaque() -> Self {
        Self::common(
            Code::Internal,
            "INTERNAL",
            Text::new(
                "A fault of the service; its trace says more.",
                "Erreur interne du service : transmettez l'identifiant de trace au support.",
            ),
        )
    }

    /// gRPC code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Machine reason.
    pub fn reason(&self) -> &'static str {
        self.0.reason
    }
}

/// The error and its sources, outermost first.
fn chain(error: &(dyn StdError + 'static)) -> String {
    /// Deepest chain that is written out.
    const DEPTH: usize = 10;
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let (Some(error), true) = (source, texts.len() < DEPTH) {
        texts.push(error.to_string());
        source = error.source();
    }
    texts.join(": ")
}

impl From<Failure> for Status {
    fn from(Failure(inner): Failure) -> Self {
        let message = inner.text.en.to_string();
        let mut details = vec![
            any(&rpc::ErrorInfo {
                reason: inner.reason.to_owned(),
                domain: inner.domain.to_owned(),
                metadata: inner
                    .metadata
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect(),
            }),
            any(&localized(&inner.text)),
        ];
        if !inner.violations.is_empty() {
            details.push(any(&rpc::BadRequest {
                field_violations: inner.violations.into_iter().map(violation).collect(),
            }));
        }
        if !inner.blockers.is_empty() {
            details.push(any(&rpc::PreconditionFailure {
                violations: inner.blockers.into_iter().map(precondition).collect(),
            }));
        }
        if let Some(delay) = inner.retry {
            details.push(any(&rpc::RetryInfo {
                retry_delay: prost_types::Duration::try_from(delay).ok(),
            }));
        }
        let status = status::Status {
            code: inner.code as i32,
            message: message.clone(),
            details,
        };
        Status::with_details(inner.code, message, status.encode_to_vec().into())
    }
}

fn any<M: prost::Message + prost::Name>(message: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}

fn localized(text: &Text) -> rpc::LocalizedMessage {
    rpc::LocalizedMessage {
        locale: LOCALE.to_owned(),
        message: text.fr.to_string(),
    }
}

fn violation(violation: Violation) -> rpc::bad_request::FieldViolation {
    rpc::bad_request::FieldViolation {
        localized_message: Some(localized(&violation.text)),
        field: violation.field,
        description: violation.text.en.into_owned(),
        reason: violation.reason,
    }
}

/// A precondition has no localized message of its own in the standard: its description is the French sentence, since
/// it is the one a person acts on.
fn precondition(blocker: Blocker) -> rpc::precondition_failure::Violation {
    rpc::precondition_failure::Violation {
        r#type: blocker.reason.to_owned(),
        subject: blocker.subject,
        description: blocker.text.fr.into_owned(),
    }
}
