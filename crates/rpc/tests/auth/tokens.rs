//! One token, one verdict.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use nonrecours_issuer::{DevIssuer, Signing, TokenSpec};
use nonrecours_kernel::{Caller, ManualClock, Role};
use nonrecours_rpc::{
    Failure,
    auth::{AuthError, LEEWAY, MAX_TOKEN_BYTES, Verifier},
};
use serde_json::{Value, json};
use time::Duration;
use tonic::Code;

use crate::{AUDIENCE, ISSUER, accountant, clock, issuer, verifier};

const OPERATOR: &str = "0199b4f2-0d00-7000-8000-000000000001";

struct Case {
    clock: ManualClock,
    issuer: DevIssuer,
    verifier: Verifier,
}

impl Case {
    async fn new() -> Self {
        let clock = clock();
        let issuer = issuer(Signing::Ed25519, &clock);
        let verifier = verifier(&issuer.jwks().unwrap(), &clock).await;
        Self {
            clock,
            issuer,
            verifier,
        }
    }

    /// The claims of a good token with some replaced, or removed where null.
    fn claims(&self, changes: Value) -> Value {
        let mut claims = json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "dominique",
            "roles": ["accountant"],
            "exp": time(&self.clock) + 300,
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                _ => claims
                    .as_object_mut()
                    .unwrap()
                    .insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    async fn with(&self, changes: Value) -> Result<Caller, AuthError> {
        let token = self
            .issuer
            .token_with_claims(&self.claims(changes))
            .unwrap();
        self.verifier.verify(&token).await
    }

    async fn refused(&self, token: &str) -> AuthError {
        self.verifier.verify(token).await.unwrap_err()
    }
}

fn time(clock: &ManualClock) -> i64 {
    use nonrecours_kernel::Clock as _;
    clock.now().unix_timestamp()
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[tokio::test]
async fn a_good_token_makes_its_caller() {
    for signing in [Signing::Ed25519, Signing::P256] {
        let clock = clock();
        let issuer = issuer(signing, &clock);
        let verifier = verifier(&issuer.jwks().unwrap(), &clock).await;
        let spec = TokenSpec {
            name: Some("Camille Martin".to_owned()),
            operator: Some(OPERATOR.parse().unwrap()),
            ..TokenSpec::new("camille", [Role::OperatorManager, Role::OperatorAgent])
        };
        let caller = verifier.verify(&issuer.token(&spec).unwrap()).await;
        let expected = Caller::new("camille", "Camille Martin", spec.roles, spec.operator);
        assert_eq!(caller.unwrap(), expected.unwrap());
    }
}

#[tokio::test]
async fn an_rsa_token_made_elsewhere_is_accepted_under_rs256_only() {
    let vector: Value = serde_json::from_str(include_str!("rs256.json")).unwrap();
    let verifier = verifier(&vector["jwks"], &clock()).await;
    let caller = verifier.verify(vector["token"].as_str().unwrap()).await;
    let expected = Caller::new("accountant-1", "Dominique Petit", [Role::Accountant], None);
    assert_eq!(caller.unwrap(), expected.unwrap());
    let other = verifier.verify(vector["rs512"].as_str().unwrap()).await;
    assert_eq!(other.unwrap_err(), AuthError::AlgorithmRefused);
}

#[tokio::test]
async fn roles_of_other_applications_are_not_ours() {
    let case = Case::new().await;
    let caller = case
        .with(json!({ "roles": ["uma_authorization", "auditor"] }))
        .await;
    let caller = caller.unwrap();
    assert_eq!(caller.roles, [Role::Auditor].into());
    assert_eq!(caller.display_name, "dominique");
}

#[tokio::test]
async fn a_token_lives_from_nbf_to_exp_give_or_take_the_leeway() {
    let case = Case::new().await;
    let now = time(&case.clock);
    let claims = case.claims(json!({ "nbf": now + 100, "exp": now + 200 }));
    let token = case.issuer.token_with_claims(&claims).unwrap();
    let verdict = async |at: Duration| {
        let later = clock();
        later.advance(at);
        case.clock.set(nonrecours_kernel::Clock::now(&later));
        case.verifier.verify(&token).await.map(|_| ())
    };
    let (nbf, exp) = (Duration::seconds(100), Duration::seconds(200));
    let instant = Duration::MICROSECOND;
    assert_eq!(
        verdict(nbf - LEEWAY - instant).await,
        Err(AuthError::NotYetValid)
    );
    assert_eq!(verdict(nbf - LEEWAY).await, Ok(()));
    assert_eq!(verdict(exp + LEEWAY - instant).await, Ok(()));
    assert_eq!(verdict(exp + LEEWAY).await, Err(AuthError::Expired));
}

#[tokio::test]
async fn dates_may_carry_a_fraction_and_may_not_be_absurd() {
    let case = Case::new().await;
    let now = time(&case.clock);
    assert!(
        case.with(json!({ "exp": format!("{now}.9").parse::<serde_json::Number>().unwrap() }))
            .await
            .is_ok()
    );
    assert!(
        case.with(json!({ "exp": i64::MAX, "nbf": i64::MIN }))
            .await
            .is_ok()
    );
    assert_eq!(
        case.with(json!({ "exp": i64::MIN })).await.unwrap_err(),
        AuthError::Expired
    );
    assert_eq!(
        case.with(json!({ "nbf": u64::MAX })).await.unwrap_err(),
        AuthError::NotYetValid
    );
}

#[tokio::test]
async fn each_wrong_claim_has_its_cause() {
    let case = Case::new().await;
    let shape = AuthError::Malformed("not the expected JSON");
    for (changes, expected) in [
        (
            json!({ "iss": "https://issuer.example/" }),
            AuthError::WrongIssuer,
        ),
        (json!({ "iss": null }), AuthError::WrongIssuer),
        (json!({ "aud": "account" }), AuthError::WrongAudience),
        (
            json!({ "aud": ["account", "nonrecours2"] }),
            AuthError::WrongAudience,
        ),
        (json!({ "aud": [] }), AuthError::WrongAudience),
        (json!({ "aud": null }), AuthError::WrongAudience),
        (json!({ "exp": null }), AuthError::Malformed("no exp")),
        (json!({ "exp": "tomorrow" }), shape.clone()),
        (json!({ "sub": null }), AuthError::Malformed("no sub")),
        (json!({ "roles": "accountant" }), shape),
    ] {
        assert_eq!(
            case.with(changes.clone()).await.unwrap_err(),
            expected,
            "{changes}"
        );
    }
    assert!(
        case.with(json!({ "aud": ["account", "nonrecours"] }))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn claims_that_make_no_caller_say_why() {
    let case = Case::new().await;
    for (changes, expected) in [
        (json!({ "sub": "" }), "CALLER_SUBJECT"),
        (
            json!({ "sub": "x".repeat(201), "name": "X" }),
            "CALLER_SUBJECT",
        ),
        (json!({ "name": "x".repeat(201) }), "CALLER_DISPLAY_NAME"),
        (json!({ "roles": null }), "CALLER_WITHOUT_ROLE"),
        (json!({ "roles": ["ACCOUNTANT"] }), "CALLER_WITHOUT_ROLE"),
        (
            json!({ "roles": ["operator_agent"] }),
            "CALLER_OPERATOR_MISSING",
        ),
        (
            json!({ "operator": OPERATOR }),
            "CALLER_OPERATOR_UNEXPECTED",
        ),
        (
            json!({ "roles": ["operator_agent"], "operator": "dainville" }),
            "ID_FORMAT",
        ),
        (
            json!({ "roles": ["accountant", "operator_agent"], "operator": OPERATOR }),
            "CALLER_ROLES_MIXED",
        ),
    ] {
        match case.with(changes.clone()).await {
            Err(AuthError::Claims(invalid)) => assert_eq!(invalid.reason, expected, "{changes}"),
            other => panic!("{changes}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_not_a_token_is_malformed() {
    let case = Case::new().await;
    let good = case.issuer.token(&accountant()).unwrap();
    let (message, _) = good.rsplit_once('.').unwrap();
    let crit =
        part(&json!({ "alg": "EdDSA", "kid": case.issuer.kid(), "crit": ["b64"], "b64": false }));
    let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","alg":"none"}"#);
    for bad in [
        "token",
        "a.b",
        "..",
        message,
        &format!("{good}."),
        &format!(".{good}"),
        &format!("{}=.x.y", part(&json!({}))),
        &format!("{crit}.e30.AA"),
        &format!("{twice}.e30.AA"),
        &format!("{}.e30.AA", part(&json!({ "kid": "one" }))),
        &"x".repeat(MAX_TOKEN_BYTES + 1),
    ] {
        assert!(
            matches!(case.refused(bad).await, AuthError::Malformed(_)),
            "{bad}"
        );
    }
    assert_eq!(case.refused("").await, AuthError::Missing);
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key_whatever_the_header_says() {
    let case = Case::new().await;
    let claims = case.claims(json!({}));
    let kid = case.issuer.kid();
    for alg in [
        "none", "None", "", "HS256", "HS512", "ES384", "RS256", "PS256", "ES256",
    ] {
        let header = part(&json!({ "alg": alg, "kid": kid }));
        for signature in ["", "AA"] {
            let token = format!("{header}.{}.{signature}", part(&claims));
            assert_eq!(
                case.refused(&token).await,
                AuthError::AlgorithmRefused,
                "{alg}"
            );
        }
    }
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let case = Case::new().await;
    let jwks = case.issuer.jwks().unwrap();
    let x = jwks["keys"][0]["x"].as_str().unwrap();
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(case.issuer.kid().to_owned());
    for secret in [
        x.as_bytes(),
        &URL_SAFE_NO_PAD.decode(x).unwrap(),
        jwks.to_string().as_bytes(),
    ] {
        let token = encode(
            &header,
            &case.claims(json!({})),
            &EncodingKey::from_secret(secret),
        );
        assert_eq!(
            case.refused(&token.unwrap()).await,
            AuthError::AlgorithmRefused
        );
    }
}

#[tokio::test]
async fn an_impostor_with_the_same_kid_signs_in_vain() {
    let case = Case::new().await;
    let impostor = issuer(Signing::Ed25519, &case.clock);
    let token = impostor.token(&accountant()).unwrap();
    assert_eq!(case.refused(&token).await, AuthError::UnknownKey);
    let impostor = impostor.with_kid(case.issuer.kid());
    let token = impostor.token(&accountant()).unwrap();
    assert_eq!(case.refused(&token).await, AuthError::BadSignature);
    let other_kind = issuer(Signing::P256, &case.clock).with_kid(case.issuer.kid());
    let token = other_kind.token(&accountant()).unwrap();
    assert_eq!(case.refused(&token).await, AuthError::AlgorithmRefused);
    // A key that the token brings along is not looked at.
    let own = impostor.jwks().unwrap()["keys"][0].clone();
    let header = part(&json!({ "alg": "EdDSA", "jwk": own }));
    let token = format!("{header}.{}.AA", part(&case.claims(json!({}))));
    assert_eq!(case.refused(&token).await, AuthError::UnknownKey);
}

#[tokio::test]
async fn any_change_to_a_signed_token_spoils_it() {
    let case = Case::new().await;
    let good = case.issuer.token(&accountant()).unwrap();
    assert!(case.verifier.verify(&good).await.is_ok());
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts");
    };
    let raised = part(&case.claims(json!({ "roles": ["authorising_officer"] })));
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[10] ^= 1;
    let flipped = URL_SAFE_NO_PAD.encode(bytes);
    for bad in [
        format!("{header}.{raised}.{signature}"),
        format!("{header}.{payload}.{flipped}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.***"),
    ] {
        assert_eq!(case.refused(&bad).await, AuthError::BadSignature, "{bad}");
    }
}

#[test]
fn the_caller_is_told_only_what_an_honest_one_can_use() {
    let told = |error: AuthError| {
        let failure = Failure::from(error);
        assert_eq!(
            (failure.code(), failure.reason()),
            (Code::Unauthenticated, "UNAUTHENTICATED")
        );
        tonic::Status::from(failure).message().to_owned()
    };
    let vague = told(AuthError::BadSignature);
    for error in [
        AuthError::Malformed("too long"),
        AuthError::AlgorithmRefused,
        AuthError::UnknownKey,
        AuthError::WrongIssuer,
        AuthError::WrongAudience,
        AuthError::NotYetValid,
    ] {
        assert_eq!(told(error), vague);
    }
    assert!(told(AuthError::Expired).contains("expired"));
    assert!(told(AuthError::Missing).contains("authorization: Bearer"));
}
