//! Why a token was refused.

use nonrecours_kernel::{Invalid, Text};

use crate::failure::Failure;

/// Why a token was refused: exact for the logs, vague for whoever holds no valid token.
///
/// Becomes UNAUTHENTICATED. Only what an honest caller can act on is told: no token, an expired one, or an account
/// whose claims make no sense together (known only once the signature is verified).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token in the call.
    #[error("no token")]
    Missing,
    /// Not a compact JWS, or claims of the wrong shape.
    #[error("malformed token: {0}")]
    Malformed(&'static str),
    /// An algorithm that is not accepted, or not that of the key.
    #[error("algorithm refused")]
    AlgorithmRefused,
    /// No key of the issuer has this identifier.
    #[error("unknown key")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("bad signature")]
    BadSignature,
    /// Not our issuer.
    #[error("wrong issuer")]
    WrongIssuer,
    /// Meant for another application.
    #[error("wrong audience")]
    WrongAudience,
    /// Expired, the leeway included.
    #[error("expired")]
    Expired,
    /// Not valid yet, the leeway included.
    #[error("not yet valid")]
    NotYetValid,
    /// A token of a peer where peers are known by their certificates.
    #[error("a peer is known here by its certificate, not by a token")]
    PeerByToken,
    /// A genuine token whose claims do not make a caller: no role, an operator's agent without an operator, …
    #[error("claims refused: {}: {}", .0.reason, .0)]
    Claims(Invalid),
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Failure::unauthenticated(match error {
            AuthError::Missing => Text::new(
                "No access token: send `authorization: Bearer <token>`.",
                "Aucun jeton d'accès : identifiez-vous, puis renvoyez la demande.",
            ),
            AuthError::Expired => Text::new(
                "The access token has expired.",
                "Votre accès a expiré : identifiez-vous à nouveau.",
            ),
            AuthError::Claims(invalid) => invalid.text,
            AuthError::Malformed(_)
            | AuthError::AlgorithmRefused
            | AuthError::UnknownKey
            | AuthError::BadSignature
            | AuthError::WrongIssuer
            | AuthError::WrongAudience
            | AuthError::NotYetValid
            | AuthError::PeerByToken => Text::new(
                "The access token is refused.",
                "Jeton d'accès refusé : identifiez-vous à nouveau ; si le refus persiste, \
                 prévenez votre administrateur.",
            ),
        })
    }
}
