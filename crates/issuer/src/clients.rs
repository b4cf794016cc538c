//! Machines that ask for tokens by themselves, for their id and secret (RFC 6749 §2.3.1, §4.4).

use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use nonrecours_kernel::{OperatorId, Role};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};

use crate::{DEFAULT_TTL, DevIssuer, TokenSpec};

/// A machine that the issuer knows.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Its id: claim `sub` of its tokens, after `client:`.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Its roles.
    #[serde(deserialize_with = "roles")]
    pub roles: Vec<Role>,
    /// The operator whose machine it is.
    #[serde(default, deserialize_with = "operator")]
    pub operator: Option<OperatorId>,
}

fn roles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Role>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let roles = names.iter().map(|name| name.parse());
    roles.collect::<Result<_, _>>().map_err(D::Error::custom)
}

fn operator<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OperatorId>, D::Error> {
    let id = Option::<String>::deserialize(deserializer)?;
    id.map(|id| id.parse())
        .transpose()
        .map_err(D::Error::custom)
}

/// A refusal: its status and the standard's word for it (RFC 6749 §5.2).
pub(crate) type Refusal = (StatusCode, &'static str);

impl DevIssuer {
    /// The answer to a machine that asks for a token.
    pub(crate) fn grant(&self, headers: &HeaderMap, form: &[u8]) -> Result<Value, Refusal> {
        let field = |wanted: &str| {
            let mut fields = form_urlencoded::parse(form);
            fields.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
        };
        let basic = basic(headers);
        let shown = match (&basic, field("client_id"), field("client_secret")) {
            (Some((id, secret)), _, _) => (id.clone(), secret.clone()),
            (None, Some(id), Some(secret)) => (id, secret),
            (None, _, _) => return Err((StatusCode::UNAUTHORIZED, "invalid_client")),
        };
        let machine = self
            .machines
            .iter()
            .find(|machine| machine.id == shown.0 && machine.secret == shown.1)
            .ok_or((StatusCode::UNAUTHORIZED, "invalid_client"))?;
        match field("grant_type").as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err((StatusCode::BAD_REQUEST, "unsupported_grant_type")),
            None => return Err((StatusCode::BAD_REQUEST, "invalid_request")),
        }
        let spec = TokenSpec {
            name: Some(machine.id.clone()),
            operator: machine.operator,
            ..TokenSpec::new(format!("client:{}", machine.id), machine.roles.clone())
        };
        let token = self
            .token(&spec)
            .map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "server_error"))?;
        Ok(json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": DEFAULT_TTL.whole_seconds(),
        }))
    }
}

/// Id and secret of HTTP Basic, both encoded as in a form.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let pair = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |text: &str| {
        let mut parsed = form_urlencoded::parse(text.as_bytes());
        parsed.next().map(|(name, _)| name.into_owned())
    };
    Some((decoded(id)?, decoded(secret)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use nonrecours_kernel::ManualClock;
    use time::macros::datetime;

    use super::*;

    fn issuer() -> DevIssuer {
        let clock = Arc::new(ManualClock::at(datetime!(2025-10-06 08:00 UTC)));
        let machine =
            json!([{ "id": "logiciel métier", "secret": "a:b&c=d+é", "roles": ["accountant"] }]);
        DevIssuer::generate("http://127.0.0.1:1", "nonrecours", clock)
            .unwrap()
            .with_machines(serde_json::from_value(machine).unwrap())
    }

    fn encoded(text: &str) -> String {
        form_urlencoded::byte_serialize(text.as_bytes()).collect()
    }

    fn by_basic(id: &str, secret: &str) -> HeaderMap {
        let pair = format!("{}:{}", encoded(id), encoded(secret));
        let value = format!("Basic {}", STANDARD.encode(pair));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    const FORM: &[u8] = b"grant_type=client_credentials";

    #[test]
    fn a_machine_gets_a_token_for_its_secret_by_either_way() {
        let issuer = issuer();
        let (id, secret) = ("logiciel métier", "a:b&c=d+é");
        let body = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            encoded(id),
            encoded(secret)
        );
        for answer in [
            issuer.grant(&by_basic(id, secret), FORM),
            issuer.grant(&HeaderMap::new(), body.as_bytes()),
        ] {
            let answer = answer.unwrap();
            assert_eq!(answer["token_type"], "Bearer");
            assert_eq!(answer["expires_in"], 3600);
            assert_eq!(
                answer["access_token"].as_str().unwrap().split('.').count(),
                3
            );
        }
    }

    #[test]
    fn nobody_else_gets_one() {
        let issuer = issuer();
        let (id, secret) = ("logiciel métier", "a:b&c=d+é");
        let unknown = Err((StatusCode::UNAUTHORIZED, "invalid_client"));
        assert_eq!(issuer.grant(&by_basic(id, "a"), FORM), unknown);
        assert_eq!(issuer.grant(&by_basic("b", secret), FORM), unknown);
        assert_eq!(issuer.grant(&HeaderMap::new(), FORM), unknown);
        let refused = |form: &[u8]| issuer.grant(&by_basic(id, secret), form).unwrap_err();
        assert_eq!(refused(b"grant_type=password").1, "unsupported_grant_type");
        assert_eq!(refused(b"").1, "invalid_request");
    }

    #[test]
    fn a_machine_has_roles_that_exist() {
        let wrong = json!({ "id": "a", "secret": "b", "roles": ["king"] });
        assert!(serde_json::from_value::<Machine>(wrong).is_err());
    }
}
