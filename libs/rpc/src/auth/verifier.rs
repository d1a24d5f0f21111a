//! Checks tokens.

use std::{collections::HashMap, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use parking_lot::RwLock;
use reflex_runtime::clock::SharedClock;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{
    AUDIENCE, Claims, EVERY_TENANT, KeyError, Tenants,
    keys::{self, PublicKey},
};
use crate::identity::Role;

/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far the issuer's clock may be off, in seconds.
const LEEWAY: i64 = 30;
/// A full cache is emptied: real callers number far fewer.
const MAX_CACHED: usize = 4_096;

/// Checks tokens against a set of public keys.
///
/// Accepted tokens are remembered until they expire: a signature check costs as much as the rest of a small call.
pub struct Verifier {
    keys: HashMap<String, PublicKey>,
    issuer: String,
    clock: SharedClock,
    accepted: RwLock<HashMap<Box<str>, Arc<Identity>>>,
}

/// The bearer of an accepted token.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// What the token says.
    pub claims: Claims,
    expires: i64,
    starts: i64,
}

/// A token is not acceptable. The texts tell honest callers what to repair and forgers nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is longer than any real one.
    #[error("the token is too long")]
    TooLong,
    /// It is not a JWT, or asks for something we do not know.
    #[error("the token is malformed")]
    Malformed,
    /// Its key, its algorithm or its signature is not right.
    #[error("the token's signature is not valid")]
    Signature,
    /// It was issued by or for somebody else.
    #[error("the token was not issued for this system")]
    NotForUs,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Payload {
    iss: String,
    aud: Audience,
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    tenants: Vec<String>,
    roles: Vec<String>,
    member: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Verifier {
    /// Returns a verifier for tokens of `issuer`, signed with one of the keys of a key set (JWKS).
    ///
    /// # Errors
    ///
    /// Fails on a key without id and on any key that is neither Ed25519 nor P-256.
    pub fn from_jwks(jwks_json: &str, issuer: &str, clock: SharedClock) -> Result<Self, KeyError> {
        let keys = keys::public_keys(jwks_json)?;
        Ok(Self {
            keys,
            issuer: issuer.to_owned(),
            clock,
            accepted: RwLock::default(),
        })
    }

    /// Returns a verifier for the key set in a file.
    ///
    /// # Errors
    ///
    /// As [`Verifier::from_jwks`], and when the file cannot be read.
    pub fn from_jwks_file(path: &Path, issuer: &str, clock: SharedClock) -> Result<Self, KeyError> {
        Self::from_jwks(&keys::read(path)?, issuer, clock)
    }

    /// Returns whose token this is.
    ///
    /// # Errors
    ///
    /// Fails on every token that is not acceptable now.
    pub fn verify(&self, token: &str) -> Result<Arc<Identity>, TokenError> {
        let now = self.clock.now();
        let known = self.accepted.read().get(token).cloned();
        if let Some(identity) = known {
            identity.check_time(now)?;
            return Ok(identity);
        }
        let identity = Arc::new(self.read(token)?);
        identity.check_time(now)?;
        self.remember(token, &identity);
        Ok(identity)
    }

    /// Checks everything about a token but the time.
    fn read(&self, token: &str) -> Result<Identity, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decode(header)?;
        if header.crit.is_some() {
            // RFC 7515: extensions that must be understood, and are not.
            return Err(TokenError::Malformed);
        }
        let PublicKey { key, algorithm } = self.keys.get(&header.kid).ok_or(TokenError::Signature)?;
        if header.alg != name_of(*algorithm) {
            return Err(TokenError::Signature);
        }
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, *algorithm) {
            Ok(true) => self.identity(decode(payload)?),
            Ok(false) | Err(_) => Err(TokenError::Signature),
        }
    }

    /// Checks the claims of a token with a good signature.
    fn identity(&self, payload: Payload) -> Result<Identity, TokenError> {
        let for_us = match &payload.aud {
            Audience::One(audience) => audience == AUDIENCE,
            Audience::Many(audiences) => audiences.iter().any(|audience| audience == AUDIENCE),
        };
        if !for_us || payload.iss != self.issuer {
            return Err(TokenError::NotForUs);
        }
        // Roles of other systems grant nothing here, so they do no harm.
        let roles: Vec<_> = payload.roles.iter().filter_map(|role| Role::find(role)).collect();
        let tenants = if payload.tenants.iter().any(|tenant| tenant == EVERY_TENANT) {
            if payload.tenants.len() > 1 || !roles.contains(&Role::Service) {
                return Err(TokenError::Malformed);
            }
            Tenants::Every
        } else {
            let tenants: Result<_, _> = payload.tenants.iter().map(|tenant| tenant.parse()).collect();
            Tenants::Of(tenants.map_err(|_| TokenError::Malformed)?)
        };
        if payload.sub.is_empty() {
            return Err(TokenError::Malformed);
        }
        Ok(Identity {
            claims: Claims {
                subject: payload.sub,
                tenants,
                roles,
                member: payload.member,
            },
            expires: payload.exp,
            starts: payload.nbf.unwrap_or(i64::MIN),
        })
    }

    fn remember(&self, token: &str, identity: &Arc<Identity>) {
        let mut accepted = self.accepted.write();
        if accepted.len() >= MAX_CACHED {
            accepted.clear();
        }
        accepted.insert(token.into(), Arc::clone(identity));
    }
}

impl Identity {
    fn check_time(&self, now: Timestamp) -> Result<(), TokenError> {
        let now = now.as_second();
        if now >= self.expires.saturating_add(LEEWAY) {
            return Err(TokenError::Expired);
        }
        if now < self.starts.saturating_sub(LEEWAY) {
            return Err(TokenError::NotYet);
        }
        Ok(())
    }
}

/// Decodes a part of a token; members that occur twice are refused.
fn decode<T: DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}

fn name_of(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => "ES256",
        _ => "EdDSA",
    }
}
