//! The claims of a token (RFC 7519 §4, RFC 9068), and the caller they make.

use nonrecours_kernel::Caller;
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;

use super::{
    AuthError, LEEWAY,
    mapping::{Mapping, Others},
};

/// What is read of a token: the registered claims, and of the others what the mapping looks for.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    #[serde(default, deserialize_with = "seconds")]
    exp: Option<i64>,
    #[serde(default, deserialize_with = "seconds")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "seconds")]
    iat: Option<i64>,
    sub: Option<String>,
    #[serde(flatten)]
    others: Others,
}

/// One audience may stand alone or in a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// Whom the token was made by and for, and when it may be used.
    pub(super) fn check(
        &self,
        issuer: &str,
        audience: &str,
        now: OffsetDateTime,
    ) -> Result<(), AuthError> {
        if self.iss.as_deref() != Some(issuer) {
            return Err(AuthError::WrongIssuer);
        }
        let meant_for_us = match &self.aud {
            Some(Audience::One(one)) => one == audience,
            Some(Audience::Many(many)) => many.iter().any(|one| one == audience),
            None => false,
        };
        if !meant_for_us {
            return Err(AuthError::WrongAudience);
        }
        let exp = self.exp.ok_or(AuthError::Malformed("no exp"))?;
        // A token that never expires is not one we take; and no instant is beyond what an i128 counts.
        if now.unix_timestamp_nanos() >= nanoseconds(exp) + LEEWAY.whole_nanoseconds() {
            return Err(AuthError::Expired);
        }
        // Nor one that was signed in the future, beyond what clocks may differ.
        let begins = [self.nbf, self.iat].into_iter().flatten().max();
        if let Some(begins) = begins
            && now.unix_timestamp_nanos() < nanoseconds(begins) - LEEWAY.whole_nanoseconds()
        {
            return Err(AuthError::NotYetValid);
        }
        Ok(())
    }

    /// The caller, as the mapping reads the claims.
    pub(super) fn into_caller(self, mapping: &Mapping) -> Result<Caller, AuthError> {
        let subject = self.sub.ok_or(AuthError::Malformed("no sub"))?;
        mapping.caller(subject, &self.others)
    }
}

fn nanoseconds(seconds: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000
}

/// A NumericDate: seconds since 1970, which some issuers write with a fraction; the fraction is dropped.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    Ok(number.and_then(|number| {
        number
            .as_i64()
            .or_else(|| number.as_f64().map(|f| f as i64))
    }))
}
