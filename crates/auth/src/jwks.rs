//! Keys as others publish them (RFC 7517): which can be used, and for what.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys of one issuer.
const KEYS_MAX: usize = 100;

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// A key that verifies.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    pub(crate) id: Option<String>,
    /// The algorithms it is for; never HMAC: a public key is no secret.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) key: DecodingKey,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// The keys of a document. Those of kinds we do not know, and shared secrets, are left out.
///
/// # Errors
/// It is no set of keys.
pub(crate) fn read(document: &[u8]) -> Result<Vec<PublicKey>, String> {
    let published: Published =
        serde_json::from_slice(document).map_err(|error| format!("it is no JWKS: {error}"))?;
    Ok(published.keys.into_iter().take(KEYS_MAX).filter_map(usable).collect())
}

fn usable(key: Value) -> Option<PublicKey> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let is_for_signing =
        jwk.common.public_key_use.as_ref().is_none_or(|wanted| *wanted == PublicKeyUse::Signature);
    if !is_for_signing {
        return None;
    }
    let possible: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => RSA,
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            &[Algorithm::EdDSA]
        }
        _ => return None,
    };
    let declared: Option<Algorithm> = match jwk.common.key_algorithm {
        None => None,
        Some(declared) => Some(declared.to_string().parse().ok()?),
    };
    let algorithms: Vec<Algorithm> =
        possible.iter().copied().filter(|it| declared.is_none_or(|only| only == *it)).collect();
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (!algorithms.is_empty()).then_some(PublicKey { id: jwk.common.key_id, algorithms, key })
}

/// The key a token was signed with.
pub(crate) fn find<'a>(
    keys: &'a [PublicKey],
    id: Option<&str>,
    algorithm: Algorithm,
) -> Option<&'a PublicKey> {
    let mut fit = keys.iter().filter(|key| key.algorithms.contains(&algorithm));
    match id {
        Some(id) => fit.find(|key| key.id.as_deref() == Some(id)),
        // Without a name there must be no choice.
        None => fit.next().filter(|_| fit.next().is_none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_public_keys_that_verify_are_taken() {
        let document = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "a", "use": "sig",
              "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
            { "kty": "oct", "kid": "secret", "k": "c2VjcmV0" },
            { "kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB" },
            { "kty": "RSA", "kid": "rsa", "alg": "RS256", "n": "AQAB", "e": "AQAB" },
            { "kty": "RSA", "kid": "odd", "alg": "HS256", "n": "AQAB", "e": "AQAB" },
            { "kty": "future", "kid": "b" },
            7,
        ]});
        let keys = read(document.to_string().as_bytes()).unwrap();
        let told: Vec<_> =
            keys.iter().map(|key| (key.id.as_deref(), key.algorithms.as_slice())).collect();
        assert_eq!(
            told,
            [(Some("a"), &[Algorithm::EdDSA][..]), (Some("rsa"), &[Algorithm::RS256][..])]
        );
        assert!(find(&keys, Some("a"), Algorithm::EdDSA).is_some());
        assert!(find(&keys, Some("a"), Algorithm::HS256).is_none());
        assert!(find(&keys, Some("rsa"), Algorithm::PS256).is_none());
        assert!(find(&keys, None, Algorithm::EdDSA).is_some());
        assert!(find(&keys, Some("c"), Algorithm::EdDSA).is_none());
        assert!(read(b"[]").is_err() && read(b"{}").is_err());
    }
}
