//! Signing keys and the sets in which their public halves are published (JWKS, RFC 7517).

use std::{collections::HashMap, fs, io, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{EncodePrivateKey as _, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, DecodingKey};
use rand::TryRngCore as _;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file with the keys is not readable.
    #[error("key file {0} cannot be read")]
    File(String, #[source] io::Error),
    /// The key set is not JSON, or not a key set.
    #[error("the key set is malformed")]
    Malformed(#[source] serde_json::Error),
    /// A key of the set has no `kid`, or one of another key.
    #[error("key {0} of the set has no kid of its own")]
    Kid(usize),
    /// A key of the set is neither Ed25519 for `EdDSA` nor P-256 for ES256, or its numbers are not of that curve.
    #[error("key {0:?} is neither a good Ed25519 nor a good P-256 key")]
    Unsuitable(String),
    /// The set holds no key.
    #[error("the key set is empty")]
    Empty,
    /// The private key is not the PEM (PKCS #8) of an Ed25519 key.
    #[error("the private key is no Ed25519 key in PEM form")]
    Private(#[source] jsonwebtoken::errors::Error),
}

/// A new signing key and its public half.
pub struct KeyPair {
    /// The private key as PEM (PKCS #8); a secret.
    pub private_pem: String,
    /// The key's id: its thumbprint (RFC 7638).
    pub kid: String,
    /// A key set with the public key alone.
    pub jwks_json: String,
}

/// Makes an Ed25519 key from the system's randomness.
///
/// # Panics
///
/// If the system has no randomness.
#[must_use]
pub fn generate_keys() -> KeyPair {
    let mut seed = [0; 32];
    rand::rngs::OsRng
        .try_fill_bytes(&mut seed)
        .expect("the system has randomness");
    let key = SigningKey::from_bytes(&seed);
    let private_pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .expect("an Ed25519 key has a PEM form")
        .to_string();
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    // RFC 7638: the required members in the order of their names.
    let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
    let kid = URL_SAFE_NO_PAD.encode(thumbprint);
    let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x}]});
    KeyPair {
        private_pem,
        kid,
        jwks_json: jwks.to_string(),
    }
}

/// A public key and the one algorithm it is good for.
pub(super) struct PublicKey {
    pub(super) key: DecodingKey,
    pub(super) algorithm: Algorithm,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    kid: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<String, KeyError> {
    fs::read_to_string(path).map_err(|error| KeyError::File(path.display().to_string(), error))
}

/// Reads the public keys of a key set, by their `kid`.
pub(super) fn public_keys(jwks_json: &str) -> Result<HashMap<String, PublicKey>, KeyError> {
    let set: Jwks = serde_json::from_str(jwks_json).map_err(KeyError::Malformed)?;
    let mut keys = HashMap::new();
    for (at, jwk) in set.keys.into_iter().enumerate() {
        let kid = jwk.kid.clone().filter(|kid| !kid.is_empty()).ok_or(KeyError::Kid(at))?;
        let key = public_key(&jwk).ok_or_else(|| KeyError::Unsuitable(kid.clone()))?;
        if keys.insert(kid, key).is_some() {
            return Err(KeyError::Kid(at));
        }
    }
    if keys.is_empty() {
        Err(KeyError::Empty)
    } else {
        Ok(keys)
    }
}

fn public_key(jwk: &Jwk) -> Option<PublicKey> {
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let x = coordinate(jwk.x.as_deref())?;
    let (algorithm, name, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, "EdDSA", DecodingKey::from_ed_components(x)),
        ("EC", Some("P-256")) => {
            let y = coordinate(jwk.y.as_deref())?;
            (Algorithm::ES256, "ES256", DecodingKey::from_ec_components(x, y))
        }
        _ => return None,
    };
    if jwk.alg.as_deref().is_some_and(|alg| alg != name) {
        return None;
    }
    key.ok().map(|key| PublicKey { key, algorithm })
}

/// Returns a coordinate if it has the length of both curves: shorter ones would make the signature check panic.
fn coordinate(text: Option<&str>) -> Option<&str> {
    text.filter(|text| URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_good_keys_are_taken() {
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x});
        let ec = json!({"kty": "EC", "crv": "P-256", "kid": "b", "x": x, "y": x, "alg": "ES256", "use": "sig"});
        let with = |key: &serde_json::Value, name: &str, value: serde_json::Value| {
            let mut changed = key.clone();
            changed[name] = value;
            changed
        };
        let read = |keys: &[serde_json::Value]| public_keys(&json!({ "keys": keys }).to_string());
        assert_eq!(read(&[ed.clone(), ec.clone()]).unwrap().len(), 2);

        for bad in [
            with(&ed, "alg", json!("HS256")),
            with(&ed, "alg", json!("ES256")),
            with(&ed, "use", json!("enc")),
            with(&ed, "crv", json!("Ed448")),
            with(&ed, "x", json!("AAAA")),
            with(&ec, "y", json!("")),
            with(&ec, "crv", json!("P-384")),
            json!({"kty": "oct", "k": x, "kid": "a"}),
            json!({"kty": "RSA", "n": x, "e": "AQAB", "kid": "a"}),
        ] {
            assert!(
                matches!(read(std::slice::from_ref(&bad)), Err(KeyError::Unsuitable(_))),
                "{bad}"
            );
        }
        assert!(matches!(read(&[with(&ed, "kid", json!(""))]), Err(KeyError::Kid(0))));
        assert!(matches!(read(&[ed.clone(), ed]), Err(KeyError::Kid(1))));
        assert!(matches!(read(&[]), Err(KeyError::Empty)));
        assert!(matches!(public_keys("{"), Err(KeyError::Malformed(_))));
    }

    #[test]
    fn generated_keys_differ_and_can_be_read() {
        let (one, other) = (generate_keys(), generate_keys());
        assert_ne!(one.kid, other.kid);
        assert!(public_keys(&one.jwks_json).unwrap().contains_key(&one.kid));
        assert!(one.private_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(!one.jwks_json.contains("\"d\""), "the private half is not published");
    }
}
