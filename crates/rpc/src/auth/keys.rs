//! A JWK Set (RFC 7517) reduced to the keys that may sign our tokens.

use std::{collections::HashMap, sync::Arc};

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, crypto,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::JwksError;

/// Most keys in a set: an issuer has two or three, the next one included.
const MAX_KEYS: usize = 100;

/// Sizes of RSA modulus that are accepted, in bytes: 2048 to 4096 bits.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// A public key and the one algorithm it verifies.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) public: DecodingKey,
}

/// Keys by identifier.
pub(super) type KeySet = HashMap<String, Arc<Key>>;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// Reads a JWK Set. Keys of another use or kind are passed over: an issuer may publish those too.
pub(super) fn parse(json: &[u8]) -> Result<KeySet, JwksError> {
    let Document { keys } = serde_json::from_slice(json).map_err(JwksError::Format)?;
    if keys.len() > MAX_KEYS {
        return Err(JwksError::TooManyKeys);
    }
    let mut set = KeySet::new();
    for value in keys {
        let key = serde_json::from_value::<Jwk>(value)
            .map_err(|_| "not a JWK")
            .and_then(usable);
        match key {
            Ok((kid, _)) if set.contains_key(&kid) => {
                tracing::warn!(
                    kid,
                    "two keys of the issuer have one identifier: the first counts"
                );
            }
            Ok((kid, key)) => {
                set.insert(kid, Arc::new(key));
            }
            Err(cause) => tracing::debug!(cause, "key of the issuer passed over"),
        }
    }
    if set.is_empty() {
        return Err(JwksError::NoUsableKey);
    }
    Ok(set)
}

/// The key and its identifier, or why it cannot verify a token.
fn usable(jwk: Jwk) -> Result<(String, Key), &'static str> {
    let kid = jwk.common.key_id.as_deref().unwrap_or_default();
    if kid.is_empty() {
        return Err("no kid");
    }
    if !matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    ) {
        return Err("not for signatures");
    }
    if let Some(operations) = &jwk.common.key_operations
        && !operations.contains(&KeyOperations::Verify)
    {
        return Err("not for verification");
    }
    // The kind of key alone settles the algorithm; symmetric keys, above all, settle none.
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        _ => return Err("kind of key not accepted"),
    };
    if let Some(declared) = jwk.common.key_algorithm
        && declared != KeyAlgorithm::from(algorithm)
    {
        return Err("declared for another algorithm");
    }
    let public = DecodingKey::from_jwk(&jwk).map_err(|_| "not base64url")?;
    let sized = match public.kind() {
        DecodingKeyKind::RsaModulusExponent { n, .. } => RSA_MODULUS_BYTES.contains(&n.len()),
        // A shorter Ed25519 key would make the library panic when it verifies.
        DecodingKeyKind::SecretOrDer(bytes) => algorithm != Algorithm::EdDSA || bytes.len() == 32,
    };
    if !sized {
        return Err("size of key not accepted");
    }
    // An empty signature is never good: it is an error, rather than a no, only if the key itself is not one.
    if crypto::verify("", &[], &public, algorithm).is_err() {
        return Err("not a point of the curve");
    }
    Ok((kid.to_owned(), Key { algorithm, public }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Public keys of RFC 8037 §A.2 and RFC 7515 §A.3.1.
    const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    /// A modulus of 256 bytes, in base64url.
    fn modulus() -> String {
        "w".repeat(342)
    }

    fn ed25519(extra: Value) -> Value {
        let mut jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": ED25519_X });
        if let (Some(jwk), Value::Object(extra)) = (jwk.as_object_mut(), extra) {
            jwk.extend(extra);
        }
        jwk
    }

    fn algorithms(keys: Value) -> Result<Vec<(String, Algorithm)>, JwksError> {
        let set = parse(json!({ "keys": keys }).to_string().as_bytes())?;
        let mut found: Vec<_> = set
            .iter()
            .map(|(kid, key)| (kid.clone(), key.algorithm))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    #[test]
    fn the_kind_of_key_settles_the_algorithm() {
        let keys = json!([
            ed25519(json!({ "use": "sig", "alg": "EdDSA" })),
            { "kty": "EC", "crv": "P-256", "kid": "two", "x": P256_X, "y": P256_Y },
            { "kty": "RSA", "kid": "three", "n": modulus(), "e": "AQAB", "key_ops": ["verify"] },
        ]);
        assert_eq!(
            algorithms(keys).unwrap(),
            [
                ("one".to_owned(), Algorithm::EdDSA),
                ("three".to_owned(), Algorithm::RS256),
                ("two".to_owned(), Algorithm::ES256),
            ]
        );
    }

    #[test]
    fn keys_that_cannot_sign_our_tokens_are_passed_over() {
        let bad = [
            ed25519(json!({ "use": "enc" })),
            ed25519(json!({ "key_ops": ["sign"] })),
            ed25519(json!({ "alg": "ES256" })),
            ed25519(json!({ "crv": "Ed448" })),
            ed25519(json!({ "kid": "" })),
            ed25519(json!({ "x": "AAAA" })),
            ed25519(json!({ "x": "****" })),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519_X }),
            json!({ "kty": "oct", "kid": "one", "k": "AAAA" }),
            json!({ "kty": "EC", "crv": "P-384", "kid": "one", "x": P256_X, "y": P256_Y }),
            json!({ "kty": "EC", "crv": "P-256", "kid": "one", "x": P256_X, "y": P256_X }),
            json!({ "kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB" }),
            json!("a key"),
        ];
        for key in bad {
            assert!(
                matches!(algorithms(json!([key])), Err(JwksError::NoUsableKey)),
                "{key}"
            );
            let beside = algorithms(json!([key, ed25519(json!({ "kid": "good" }))])).unwrap();
            assert_eq!(beside, [("good".to_owned(), Algorithm::EdDSA)], "{key}");
        }
    }

    #[test]
    fn a_set_has_a_shape_and_a_size() {
        assert!(matches!(parse(b"{}"), Err(JwksError::Format(_))));
        assert!(matches!(parse(b"<html>"), Err(JwksError::Format(_))));
        let many = vec![ed25519(json!({})); MAX_KEYS + 1];
        assert!(matches!(
            algorithms(json!(many)),
            Err(JwksError::TooManyKeys)
        ));
    }
}
