//! Whose call it is, and whether they may make it.

use std::time::Instant;

use http::{HeaderMap, header::AUTHORIZATION};
use reflex_tenancy::TenantId;
use tonic::Status;

use super::methods::Method;
use crate::{
    auth::{Tenants, Verifier},
    identity::Caller,
    status,
};

/// Metadata that names the tenant a call acts for.
pub(crate) const TENANT_HEADER: &str = "x-reflex-tenant";

/// Returns the caller if it may call `method`; none for a method that is open to everybody.
pub(super) fn caller(
    verifier: &Verifier,
    method: Method,
    headers: &HeaderMap,
    request_deadline: Option<Instant>,
) -> Result<Option<Caller>, Status> {
    if method.is_public() {
        return Ok(None);
    }
    let token = bearer(headers).ok_or_else(|| status::unauthenticated("the call needs a bearer token"))?;
    let identity = verifier
        .verify(token)
        .map_err(|error| status::unauthenticated(error.to_string()))?;
    let claims = &identity.claims;
    let tenant = acting_tenant(&claims.tenants, headers)?;
    if !method.roles.iter().any(|role| claims.roles.contains(role)) {
        return Err(status::denied(method.permission));
    }
    Ok(Some(Caller {
        tenant,
        subject: claims.subject.clone(),
        member: claims.member.clone(),
        roles: claims.roles.clone(),
        request_deadline,
    }))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Returns the tenant the call names, or the only one of its token.
fn acting_tenant(tenants: &Tenants, headers: &HeaderMap) -> Result<TenantId, Status> {
    if !headers.contains_key(TENANT_HEADER) {
        let only = tenants.only().cloned();
        return only.ok_or_else(|| status::tenant_denied("the metadata x-reflex-tenant has to name the tenant"));
    }
    let tenant = only(headers, TENANT_HEADER).and_then(|tenant| tenant.parse().ok());
    let tenant = tenant.filter(|tenant| tenants.contain(tenant));
    tenant.ok_or_else(|| status::tenant_denied("the token is not good for this tenant"))
}

/// Returns the text of a header that occurs once: of two, nobody could say which counts.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none());
    value.and_then(|value| value.to_str().ok())
}
