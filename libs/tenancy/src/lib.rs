//! Who a row, an event, a key or a metric belongs to.
//!
//! Belongs here: the tenant's id and sets of them. Does not: how a database, a stream or a token enforces them.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Longest tenant id, in bytes.
pub const MAX_TENANT_BYTES: usize = 40;

/// Id of a subsidiary: 1 to 40 lower-case letters, digits and inner dashes, for example `huadong-medical`.
///
/// Readable on purpose: it appears in keys, logs and metric labels. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(Arc<str>);

/// A text is no tenant id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant id is 1 to {MAX_TENANT_BYTES} lower-case letters, digits and inner dashes")]
pub struct InvalidTenantId;

impl TenantId {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    fn from_str(text: &str) -> Result<Self, InvalidTenantId> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let outer_dash = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || text.len() > MAX_TENANT_BYTES || outer_dash || !text.bytes().all(allowed) {
            return Err(InvalidTenantId);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidTenantId;

    fn try_from(text: String) -> Result<Self, InvalidTenantId> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(tenant: TenantId) -> Self {
        tenant.0.as_ref().to_owned()
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The tenants one transaction, batch or token reaches; sorted, without doubles, possibly empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TenantSet(Vec<TenantId>);

impl TenantSet {
    /// Returns the set of a single tenant.
    #[must_use]
    pub fn one(tenant: &TenantId) -> Self {
        Self(vec![tenant.clone()])
    }

    /// Iterates in order.
    pub fn iter(&self) -> impl Iterator<Item = &TenantId> {
        self.0.iter()
    }

    /// Returns whether no tenant is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether `tenant` is in the set.
    #[must_use]
    pub fn contains(&self, tenant: &TenantId) -> bool {
        self.0.binary_search(tenant).is_ok()
    }

    /// Returns the ids joined by commas, as the database's row security reads them.
    #[must_use]
    pub fn joined(&self) -> String {
        self.0.iter().map(TenantId::as_str).collect::<Vec<_>>().join(",")
    }
}

impl FromIterator<TenantId> for TenantSet {
    fn from_iter<I: IntoIterator<Item = TenantId>>(tenants: I) -> Self {
        let mut tenants: Vec<_> = tenants.into_iter().collect();
        tenants.sort_unstable();
        tenants.dedup();
        Self(tenants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_lower_case_and_short() {
        for good in ["a", "huadong", "huadong-medical-2", "0"] {
            assert_eq!(good.parse::<TenantId>().expect(good).as_str(), good);
        }
        let long = "a".repeat(MAX_TENANT_BYTES + 1);
        for bad in ["", "-a", "a-", "A", "a_b", "a,b", "a'b", "华东", " a", long.as_str()] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn sets_are_sorted_and_free_of_doubles() {
        let set: TenantSet = ["b", "a", "b"]
            .iter()
            .map(|text| text.parse().expect("valid"))
            .collect();
        assert_eq!(set.joined(), "a,b");
        assert!(set.contains(&"a".parse().expect("valid")));
        assert!(TenantSet::default().is_empty());
    }
}
