//! Makes tokens: for services calling each other, for the command line, for tests.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reflex_runtime::clock::SharedClock;
use reflex_tenancy::TenantId;
use serde::Serialize;

use super::{AUDIENCE, Claims, EVERY_TENANT, KeyError, Tenants};
use crate::identity::Role;

/// Signs tokens with an Ed25519 key.
pub struct Minter {
    key: EncodingKey,
    header: Header,
    issuer: String,
    clock: SharedClock,
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    tenants: Vec<&'a str>,
    roles: &'a [Role],
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'a str>,
}

impl Minter {
    /// Returns a minter that signs with a private key in PEM form, which verifiers know as `kid`, on behalf of `issuer`.
    ///
    /// # Errors
    ///
    /// Fails when the PEM does not hold an Ed25519 key.
    pub fn new(pem: &str, kid: &str, issuer: &str, clock: SharedClock) -> Result<Self, KeyError> {
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).map_err(KeyError::Private)?;
        // A key that cannot sign must be found now, not with the first token.
        jsonwebtoken::crypto::sign(b"test", &key, Algorithm::EdDSA).map_err(KeyError::Private)?;
        let header = Header {
            kid: Some(kid.to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        Ok(Self {
            key,
            header,
            issuer: issuer.to_owned(),
            clock,
        })
    }

    /// Returns the time tokens are made at.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns a token with these claims, good for `ttl` from now.
    ///
    /// # Panics
    ///
    /// Never: claims have a JSON form and the key was tried.
    #[must_use]
    pub fn mint(&self, claims: &Claims, ttl: Duration) -> String {
        let now = self.clock.now().as_second();
        let payload = Payload {
            iss: &self.issuer,
            aud: AUDIENCE,
            sub: &claims.subject,
            iat: now,
            nbf: now,
            exp: now.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)),
            tenants: match &claims.tenants {
                Tenants::Every => vec![EVERY_TENANT],
                Tenants::Of(tenants) => tenants.iter().map(TenantId::as_str).collect(),
            },
            roles: &claims.roles,
            member: claims.member.as_deref(),
        };
        jsonwebtoken::encode(&self.header, &payload, &self.key).expect("claims have a JSON form and the key was tried")
    }
}
