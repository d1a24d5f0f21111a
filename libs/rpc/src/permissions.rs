//! Which role may do what: the one table, checked against the permissions that the protos declare.

use std::collections::BTreeSet;

use crate::identity::Role::{self, Admin, Integration, Manager, Sales, Service, Viewer};

/// The permission of a method that needs no token. No method of today has it.
pub const PUBLIC: &str = "public";

/// Every permission with the roles that have it, in the order of their names. What is not listed is denied.
const GRANTS: &[(&str, &[Role])] = &[
    ("accounts.read", &[Admin, Manager, Sales, Viewer, Service]),
    ("accounts.write", &[Admin, Manager]),
    // What channels of leads cost and bring.
    ("acquisition.read", &[Admin, Manager]),
    ("acquisition.write", &[Admin, Manager]),
    // Records what somebody did with the link of a message ...
    ("actions.answer", &[Admin, Manager, Service]),
    // ... and looks what one does.
    ("actions.read", &[Admin, Manager, Service]),
    ("calendars.read", &[Admin, Manager, Sales, Viewer, Service]),
    ("calendars.write", &[Admin, Manager]),
    ("channels.read", &[Admin, Manager, Service]),
    // Hands in what mail servers send back.
    ("channels.report_bounce", &[Admin, Integration, Service]),
    ("channels.write", &[Admin]),
    ("decision_maps.write", &[Admin, Manager]),
    ("directory.read", &[Admin, Manager, Sales, Viewer, Service]),
    ("directory.write", &[Admin, Manager]),
    ("fields.read", &[Admin, Manager, Sales, Viewer, Service]),
    ("fields.write", &[Admin, Manager]),
    ("followups.write", &[Admin, Manager, Sales]),
    ("forms.read", &[Admin, Manager, Sales, Integration, Viewer, Service]),
    ("forms.write", &[Admin, Manager]),
    // Only one's own inbox ...
    ("inbox.read", &[Admin, Manager, Sales, Viewer]),
    // ... and that of others.
    ("inbox.read_others", &[Admin, Manager]),
    ("inbox.write", &[Admin, Manager, Sales]),
    // Claims, releases and records in the name of another member.
    ("leads.act_for_others", &[Admin, Manager]),
    ("leads.capture", &[Admin, Manager, Sales, Integration, Service]),
    ("leads.claim", &[Admin, Manager, Sales]),
    ("leads.close", &[Admin, Manager, Sales]),
    // Says whose lead it is after a dispute ...
    ("leads.decide_dispute", &[Admin, Manager]),
    // ... which whoever works on leads may open.
    ("leads.dispute", &[Admin, Manager, Sales]),
    ("leads.import", &[Admin, Manager]),
    // Makes one lead of two, and two of one.
    ("leads.merge", &[Admin, Manager]),
    // Sends leads to the nurture pool, and brings them back.
    ("leads.nurture", &[Admin, Manager]),
    ("leads.read", &[Admin, Manager, Sales, Viewer, Service]),
    // Phone and e-mail unmasked.
    ("leads.read_contact", &[Admin, Manager, Sales, Service]),
    // What other systems saw of leads.
    ("leads.record_facts", &[Admin, Manager, Service]),
    ("leads.tag", &[Admin, Manager, Sales]),
    // Messages quote leads, contact details included: not for viewers.
    ("messages.read", &[Admin, Manager, Service]),
    ("platform.dead_letters.read", &[Admin]),
    ("platform.dead_letters.write", &[Admin]),
    // For good, and everything of somebody ...
    ("privacy.erase", &[Admin, Manager]),
    // ... and all that is held about them.
    ("privacy.read", &[Admin, Manager]),
    ("routing.read", &[Admin, Manager, Sales, Viewer, Service]),
    // Shows leads, and costs as much as reading all of them.
    ("routing.simulate", &[Admin, Manager]),
    ("routing.write", &[Admin, Manager]),
    // Systems outside that are told facts ...
    ("subscriptions.read", &[Admin, Manager]),
    // ... where these go, signed with which secret.
    ("subscriptions.write", &[Admin]),
    ("tags.read", &[Admin, Manager, Sales, Viewer, Service]),
    ("tags.write", &[Admin, Manager]),
    ("templates.read", &[Admin, Manager, Viewer, Service]),
    ("templates.write", &[Admin, Manager]),
    ("webhooks.read", &[Admin, Manager]),
    ("webhooks.write", &[Admin, Manager]),
];

/// A service cannot be started because its methods are not protected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MissingPermission {
    /// The method declares no permission.
    #[error("{0} declares no permission")]
    Undeclared(String),
    /// The method declares a permission that no role can have.
    #[error("{method} declares the unknown permission {permission:?}")]
    Unknown {
        /// Path of the method.
        method: String,
        /// What it declares.
        permission: String,
    },
    /// The table holds no method of the service.
    #[error("no method of {0} is known")]
    NoMethods(String),
}

/// Returns whether one of `roles` has `permission`.
#[must_use]
pub fn grants(permission: &str, roles: &[Role]) -> bool {
    roles_with(permission).iter().any(|role| roles.contains(role))
}

/// Returns the roles that have `permission`: none for an unknown one.
#[must_use]
pub fn roles_with(permission: &str) -> &'static [Role] {
    match GRANTS.binary_search_by(|(name, _)| name.cmp(&permission)) {
        Ok(at) => GRANTS[at].1,
        Err(_) => &[],
    }
}

/// Checks that every method of the served `services` (full names) declares a permission that somebody can have.
///
/// `table` is [`reflex_proto::PERMISSIONS`], or part of it in tests.
///
/// # Errors
///
/// Returns the first method that is not protected; a service must not start then.
pub fn check(services: &[&str], table: &[(&str, Option<&str>)]) -> Result<(), MissingPermission> {
    let mut seen = BTreeSet::new();
    for &(path, permission) in table {
        let Some(service) = services.iter().find(|service| is_method_of(path, service)) else {
            continue;
        };
        seen.insert(*service);
        let Some(permission) = permission else {
            return Err(MissingPermission::Undeclared(path.to_owned()));
        };
        if permission != PUBLIC && roles_with(permission).is_empty() {
            return Err(MissingPermission::Unknown {
                method: path.to_owned(),
                permission: permission.to_owned(),
            });
        }
    }
    match services.iter().find(|service| !seen.contains(*service)) {
        Some(service) => Err(MissingPermission::NoMethods((*service).to_owned())),
        None => Ok(()),
    }
}

fn is_method_of(path: &str, service: &str) -> bool {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(service))
        .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Permissions that handlers ask for beyond the one of their method.
    const ASKED_BY_HANDLERS: [&str; 3] = ["inbox.read_others", "leads.act_for_others", "leads.read_contact"];

    fn services() -> BTreeSet<&'static str> {
        let service_of = |path: &'static str| path[1..].split('/').next().expect("a path names its service");
        reflex_proto::PERMISSIONS
            .iter()
            .map(|(path, _)| service_of(path))
            .collect()
    }

    #[test]
    fn every_method_of_the_protos_is_protected() {
        let services: Vec<_> = services().into_iter().collect();
        assert!(services.len() >= 12, "{services:?}");
        assert_eq!(check(&services, reflex_proto::PERMISSIONS), Ok(()));
    }

    #[test]
    fn the_table_is_sorted_and_holds_nothing_unused() {
        assert!(
            GRANTS.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "sorted, or lookups miss"
        );
        let used: BTreeSet<_> = reflex_proto::PERMISSIONS
            .iter()
            .filter_map(|(_, permission)| *permission)
            .chain(ASKED_BY_HANDLERS)
            .collect();
        let listed: BTreeSet<_> = GRANTS.iter().map(|(permission, _)| *permission).collect();
        assert_eq!(listed, used);
    }

    #[test]
    fn roles_keep_their_bounds() {
        for &(permission, roles) in GRANTS {
            let read = permission.rsplit_once('.').is_some_and(|(_, verb)| verb == "read");
            assert!(roles.contains(&Admin), "{permission}: admins may everything");
            assert!(read || !roles.contains(&Viewer), "{permission}: viewers only look");
            let delivers = ["channels.report_bounce", "forms.read", "leads.capture"].contains(&permission);
            assert_eq!(
                roles.contains(&Integration),
                delivers,
                "{permission}: integrations only deliver"
            );
            let system = permission.starts_with("platform.")
                || ["channels.report_bounce", "channels.write", "subscriptions.write"].contains(&permission);
            assert_eq!(
                roles.contains(&Manager),
                !system,
                "{permission}: managers leave the system to admins"
            );
        }
    }

    #[test]
    fn one_role_is_enough_and_unknown_permissions_are_denied() {
        assert!(grants("leads.capture", &[Viewer, Integration]));
        assert!(!grants("leads.read", &[Integration]));
        assert!(!grants("leads.read_contact", &[Viewer]));
        assert!(!grants("messages.read", &[Viewer]), "messages quote contact details");
        assert!(!grants("leads.read", &[]));
        for unknown in ["leads.everything", "", "leads", PUBLIC] {
            assert!(!grants(unknown, &Role::ALL), "{unknown:?}");
        }
    }

    #[test]
    fn a_service_with_an_unprotected_method_is_named() {
        let table = [
            ("/a.A/Good", Some("leads.read")),
            ("/a.A/Bare", None),
            ("/a.B/Odd", Some("leads.raed")),
        ];
        assert_eq!(
            check(&["a.A"], &table),
            Err(MissingPermission::Undeclared("/a.A/Bare".to_owned()))
        );
        let unknown = MissingPermission::Unknown {
            method: "/a.B/Odd".to_owned(),
            permission: "leads.raed".to_owned(),
        };
        assert_eq!(check(&["a.B"], &table), Err(unknown));
        assert_eq!(check(&["a"], &table), Err(MissingPermission::NoMethods("a".to_owned())));
        assert_eq!(check(&["a.A"], &table[..1]), Ok(()));
        assert_eq!(check(&["a.A"], &[("/a.A/Open", Some(PUBLIC))]), Ok(()));
    }
}
