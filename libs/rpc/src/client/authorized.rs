//! Puts into every call who asks, for which tenant, until when, and the trace it belongs to.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use reflex_runtime::telemetry;
use reflex_tenancy::TenantId;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue, errors::InvalidMetadataValue},
    service::Interceptor,
};

use crate::{
    auth::{Claims, Minter},
    deadline,
    server::TENANT_HEADER,
    status,
};

/// How long a service's token is good for, and for how long it is used: a call must not outlive its token.
const SERVICE_TOKEN_TTL: Duration = Duration::from_mins(10);
const SERVICE_TOKEN_USE: SignedDuration = SignedDuration::from_mins(5);

/// Interceptor of a client, for example `LeadServiceClient::with_interceptor(channel, authorized)`.
#[derive(Clone)]
pub struct Authorized {
    credentials: Credentials,
    tenant: Option<MetadataValue<Ascii>>,
    deadline: Option<Instant>,
}

#[derive(Clone)]
enum Credentials {
    Token(MetadataValue<Ascii>),
    Service(Arc<ServiceTokens>),
}

impl Authorized {
    /// Calls with a token of somebody else, for example the one a request brought.
    ///
    /// # Errors
    ///
    /// Fails on a text that cannot be sent.
    pub fn with_token(token: &str) -> Result<Self, InvalidMetadataValue> {
        Ok(Self::new(Credentials::Token(bearer(token)?)))
    }

    /// Calls as a service.
    #[must_use]
    pub fn as_service(tokens: Arc<ServiceTokens>) -> Self {
        Self::new(Credentials::Service(tokens))
    }

    /// Calls for `tenant`.
    ///
    /// # Panics
    ///
    /// Never: a tenant's id can be sent.
    #[must_use]
    pub fn for_tenant(mut self, tenant: &TenantId) -> Self {
        self.tenant = Some(tenant.as_str().parse().expect("a tenant's id is ASCII"));
        self
    }

    /// Calls on behalf of a request that has to be answered by `deadline`: later nobody waits.
    #[must_use]
    pub fn until(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline;
        self
    }

    fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            tenant: None,
            deadline: None,
        }
    }
}

impl Interceptor for Authorized {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(status::deadline_exceeded());
            }
            let asked = deadline::asked_by(&request.metadata().clone().into_headers());
            request.set_timeout(asked.map_or(left, |asked| asked.min(left)));
        }
        let token = match &self.credentials {
            Credentials::Token(token) => token.clone(),
            Credentials::Service(tokens) => tokens.current(),
        };
        let metadata = request.metadata_mut();
        metadata.insert("authorization", token);
        if let Some(tenant) = &self.tenant {
            metadata.insert(TENANT_HEADER, tenant.clone());
        }
        if let Some(parent) = telemetry::current_traceparent().and_then(|parent| parent.parse().ok()) {
            metadata.insert("traceparent", parent);
        }
        Ok(request)
    }
}

/// The tokens under which a service calls others, renewed in time.
pub struct ServiceTokens {
    minter: Minter,
    claims: Claims,
    current: Mutex<Option<(MetadataValue<Ascii>, Timestamp)>>,
}

impl ServiceTokens {
    /// Returns tokens with these claims.
    #[must_use]
    pub fn new(minter: Minter, claims: Claims) -> Self {
        Self {
            minter,
            claims,
            current: Mutex::new(None),
        }
    }

    /// Makes a token with other claims, for a call in somebody's name that is made at once.
    #[must_use]
    pub fn on_behalf(&self, claims: &Claims) -> String {
        self.minter.mint(claims, SERVICE_TOKEN_TTL)
    }

    /// Returns a token with enough life left for a call.
    fn current(&self) -> MetadataValue<Ascii> {
        let now = self.minter.now();
        let mut current = self.current.lock();
        // A clock that was set back makes a new token too: the old one may not be valid yet.
        let fresh = |made: Timestamp| (SignedDuration::ZERO..SERVICE_TOKEN_USE).contains(&now.duration_since(made));
        if let Some((token, made)) = &*current
            && fresh(*made)
        {
            return token.clone();
        }
        let token = self.minter.mint(&self.claims, SERVICE_TOKEN_TTL);
        let token = bearer(&token).expect("a token is ASCII");
        *current = Some((token.clone(), now));
        token
    }
}

/// Returns the value of the authorization header, hidden from debug output.
fn bearer(token: &str) -> Result<MetadataValue<Ascii>, InvalidMetadataValue> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use reflex_runtime::clock::FixedClock;
    use reflex_tenancy::TenantSet;

    use super::*;
    use crate::{
        auth::{Tenants, Verifier, generate_keys},
        identity::Role,
    };

    fn sent(authorized: &mut Authorized, request: Request<()>) -> http::HeaderMap {
        authorized.call(request).unwrap().metadata().clone().into_headers()
    }

    #[test]
    fn a_call_carries_token_and_tenant() {
        let mut authorized = Authorized::with_token("a.b.c")
            .unwrap()
            .for_tenant(&"huadong".parse().unwrap());
        let headers = sent(&mut authorized, Request::new(()));
        assert_eq!(
            (&headers["authorization"], &headers["x-reflex-tenant"]),
            (&"Bearer a.b.c".parse().unwrap(), &"huadong".parse().unwrap())
        );
        assert!(!headers.contains_key("grpc-timeout"));
        assert!(!format!("{headers:?}").contains("a.b.c"), "tokens stay out of logs");
        assert!(Authorized::with_token("a\nb").is_err());
    }

    #[test]
    fn the_deadline_is_passed_on_and_kept() {
        let hour = Duration::from_hours(1);
        let authorized = Authorized::with_token("t").unwrap();
        let mut later = authorized.clone().until(Instant::now().checked_add(hour));
        let left = deadline::asked_by(&sent(&mut later, Request::new(()))).unwrap();
        assert!(left <= hour && left > hour / 2, "{left:?}");

        let mut impatient = Request::new(());
        impatient.set_timeout(Duration::from_millis(50));
        assert_eq!(
            deadline::asked_by(&sent(&mut later, impatient)),
            Some(Duration::from_millis(50))
        );

        let over = authorized.until(Some(Instant::now())).call(Request::new(()));
        assert_eq!(over.unwrap_err().code(), tonic::Code::DeadlineExceeded);
    }

    #[test]
    fn a_service_renews_its_token_in_time() {
        let clock = Arc::new(FixedClock::new("2026-03-02T09:00:00+08:00".parse().unwrap()));
        let keys = generate_keys();
        let minter = Minter::new(&keys.private_pem, &keys.kid, "issuer", clock.clone()).unwrap();
        let tenants = Tenants::Of(TenantSet::one(&"huadong".parse().unwrap()));
        let claims = Claims {
            subject: "gateway".to_owned(),
            tenants,
            roles: vec![Role::Service],
            member: None,
        };
        let mut authorized = Authorized::as_service(Arc::new(ServiceTokens::new(minter, claims)));
        let verifier = Verifier::from_jwks(&keys.jwks_json, "issuer", clock.clone()).unwrap();

        let mut tokens = Vec::new();
        for minutes in [0, 4, 2, 60, -60] {
            clock.advance(SignedDuration::from_mins(minutes));
            let header = sent(&mut authorized, Request::new(()))["authorization"]
                .to_str()
                .unwrap()
                .to_owned();
            assert!(
                verifier.verify(header.strip_prefix("Bearer ").unwrap()).is_ok(),
                "{minutes} minutes on"
            );
            tokens.push(header);
        }
        assert_eq!(tokens[0], tokens[1], "used again while fresh");
        tokens.dedup();
        assert_eq!(tokens.len(), 4, "and renewed otherwise");
    }
}
