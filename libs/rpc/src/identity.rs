//! Who is calling, as handlers see it.

use std::{fmt, time::Instant};

use reflex_tenancy::TenantId;
use serde::{Deserialize, Serialize};
use tonic::{Request, Status};

use crate::{permissions, status};

/// What somebody is to a tenant; the permissions of each role are in [`permissions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Does everything for its tenants.
    Admin,
    /// Runs teams: people, forms, routing.
    Manager,
    /// Works on leads.
    Sales,
    /// A foreign system that delivers leads.
    Integration,
    /// Looks, without seeing how people can be reached.
    Viewer,
    /// Another service of Reflex.
    Service,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Admin,
        Self::Manager,
        Self::Sales,
        Self::Integration,
        Self::Viewer,
        Self::Service,
    ];

    /// Returns the role's text in tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Sales => "sales",
            Self::Integration => "integration",
            Self::Viewer => "viewer",
            Self::Service => "service",
        }
    }

    /// Returns the role of a text, `None` for one that Reflex does not know.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The verified identity behind a request, put there by the server stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant the request acts for.
    pub tenant: TenantId,
    /// Whom the token was issued to.
    pub subject: String,
    /// The member of the directory the caller is, for example "members/zhang.wei".
    pub member: Option<String>,
    /// What the caller is to the tenant.
    pub roles: Vec<Role>,
    /// When nobody waits for the answer any more; pass it on to other services.
    pub request_deadline: Option<Instant>,
}

impl Caller {
    /// Returns the caller of a request.
    ///
    /// # Errors
    ///
    /// UNAUTHENTICATED when the request did not pass the server stack, or its method is open to everybody.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let caller = request.extensions().get::<Self>();
        caller
            .cloned()
            .ok_or_else(|| status::unauthenticated("the call carries no identity"))
    }

    /// Returns whether one of the caller's roles grants `permission`; an unknown permission is granted to nobody.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        permissions::grants(permission, &self.roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_role_is_that_of_its_json() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
            assert_eq!(Role::find(role.as_str()), Some(role));
        }
        assert_eq!(Role::find("root"), None);
    }

    #[test]
    fn a_request_without_identity_has_no_caller() {
        assert_eq!(
            Caller::of(&Request::new(())).unwrap_err().code(),
            tonic::Code::Unauthenticated
        );
    }
}
