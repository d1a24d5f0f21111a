//! What the stack knows about each method, from the protos.

use std::collections::HashMap;

use crate::{
    identity::Role,
    permissions::{PUBLIC, roles_with},
};

/// A method of a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Method {
    /// "/package.Service/Method".
    pub(super) path: &'static str,
    /// "package.Service".
    pub(super) service: &'static str,
    /// "Method".
    pub(super) name: &'static str,
    /// What a caller needs.
    pub(super) permission: &'static str,
    /// Who has it.
    pub(super) roles: &'static [Role],
    /// Whether the server's own time limit applies.
    pub(super) bounded: bool,
}

impl Method {
    /// Returns whether the method needs no token.
    pub(super) fn is_public(self) -> bool {
        self.permission == PUBLIC
    }
}

/// Returns all methods by path. One without permission is not among them: nobody can call it.
pub(super) fn table() -> HashMap<&'static str, Method> {
    let pool = reflex_proto::descriptor_pool();
    let sends_stream = |service: &str, name: &str| {
        let service = pool.get_service_by_name(service);
        service.is_some_and(|service| {
            service
                .methods()
                .any(|method| method.name() == name && method.is_client_streaming())
        })
    };
    let methods = reflex_proto::PERMISSIONS.iter().filter_map(|&(path, permission)| {
        let (service, name) = path[1..].split_once('/')?;
        let permission = permission?;
        let bounded = !sends_stream(service, name);
        Some((
            path,
            Method {
                path,
                service,
                name,
                permission,
                roles: roles_with(permission),
                bounded,
            },
        ))
    });
    methods.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_known_with_its_roles() {
        let table = table();
        assert_eq!(table.len(), reflex_proto::PERMISSIONS.len());
        assert!(
            table
                .values()
                .all(|method| !method.roles.is_empty() && !method.is_public())
        );
        let capture = table["/reflex.leads.v1.LeadService/CaptureLead"];
        assert_eq!(
            (capture.service, capture.name),
            ("reflex.leads.v1.LeadService", "CaptureLead")
        );
        assert_eq!(capture.permission, "leads.capture");
    }

    #[test]
    fn only_streams_of_callers_may_take_their_time() {
        let mut unbounded: Vec<_> = table()
            .into_values()
            .filter(|method| !method.bounded)
            .map(|method| method.name)
            .collect();
        unbounded.sort_unstable();
        assert_eq!(unbounded, ["ImportLeads", "StreamCaptureLeads"]);
    }
}
