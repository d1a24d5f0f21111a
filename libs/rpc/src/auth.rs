//! Tokens: what they say, how they are checked and how they are made.
//!
//! A token is a JWT signed with an asymmetric key (`EdDSA` or ES256) that the verifier knows by its `kid`. The algorithm
//! belongs to the key; what a token says about it only has to agree.

use reflex_tenancy::{TenantId, TenantSet};

use crate::identity::Role;

pub use keys::{KeyError, KeyPair, generate_keys};
pub use minter::Minter;
pub use verifier::{Identity, TokenError, Verifier};

mod keys;
mod minter;
mod verifier;

#[cfg(test)]
mod tests;

/// Whom every token of Reflex is for.
pub const AUDIENCE: &str = "reflex";
/// Stands for every tenant in the tokens of services.
const EVERY_TENANT: &str = "*";

/// What a token says about its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whom it was issued to.
    pub subject: String,
    /// The tenants it is good for.
    pub tenants: Tenants,
    /// What the bearer is to these tenants.
    pub roles: Vec<Role>,
    /// The member of the directory the bearer is, for example "members/zhang.wei".
    pub member: Option<String>,
}

/// The tenants a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenants {
    /// Every one; only services may carry it.
    Every,
    /// These.
    Of(TenantSet),
}

impl Tenants {
    /// Returns whether `tenant` is among them.
    #[must_use]
    pub fn contain(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Every => true,
            Self::Of(tenants) => tenants.contains(tenant),
        }
    }

    /// Returns the tenant of a token that is good for exactly one.
    #[must_use]
    pub fn only(&self) -> Option<&TenantId> {
        match self {
            Self::Every => None,
            Self::Of(tenants) => {
                let mut tenants = tenants.iter();
                tenants.next().filter(|_| tenants.next().is_none())
            }
        }
    }
}
