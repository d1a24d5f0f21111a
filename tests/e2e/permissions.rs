//! Who may call what: every RPC with every role, as the one table says, and no server with an RPC that nobody guards.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use prost::bytes::Bytes;
use reflex_proto::platform::v1::Reason;
use reflex_rpc::{
    auth::{Verifier, generate_keys},
    identity::Role,
    permissions::{self, MissingPermission},
    readiness::Readiness,
    serve::{ServeError, ServeOptions, serve},
    server::{ServerOptions, ServerStack},
    status::reason_of,
};
use reflex_runtime::clock::SystemClock;
use reflex_tenancy::TenantId;
use reflex_tests::suite::Suite;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::any_rpc::{self, Wires, bearer, path_of};

/// How many RPCs each role may call; whoever widens a role changes a number here, too.
const REACH: &[(Role, usize)] = &[
    (Role::Admin, 165),
    (Role::Manager, 150),
    (Role::Sales, 76),
    (Role::Integration, 9),
    (Role::Viewer, 64),
    (Role::Service, 76),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_call_what_the_table_grants_it_and_nothing_else() {
    let suite = Suite::start().await;
    let wires = Wires::to(&suite);
    let tenant: TenantId = "huadong".parse().unwrap();
    let declared: BTreeMap<_, _> = reflex_proto::PERMISSIONS.iter().copied().collect();
    let mut reach = Vec::new();
    for role in Role::ALL {
        let token = suite.token(&[&tenant], role, Some("members/wang"));
        let mut granted = 0;
        for method in any_rpc::all() {
            let path = path_of(&method);
            let permission = declared[format!("/{path}").as_str()].unwrap();
            let answer = wires.call(&method, &[bearer(&token)], Bytes::new()).await;
            let denied = answer
                .err()
                .is_some_and(|status| reason_of(&status) == Some(Reason::PermissionDenied));
            assert_eq!(denied, !permissions::grants(permission, &[role]), "{role} calls {path}");
            granted += usize::from(!denied);
        }
        reach.push((role, granted));
    }
    assert_eq!(reach, REACH);
    suite.stop().await;
}

#[test]
fn a_table_with_a_gap_names_the_method() {
    let mut table = reflex_proto::PERMISSIONS.to_vec();
    for at in 0..table.len() {
        let (path, permission) = table[at];
        let service = path[1..].split('/').next().unwrap();
        table[at].1 = None;
        let refused = permissions::check(&[service], &table);
        assert_eq!(refused, Err(MissingPermission::Undeclared(path.to_owned())));
        table[at].1 = Some("leads.raed");
        assert!(matches!(
            permissions::check(&[service], &table),
            Err(MissingPermission::Unknown { .. })
        ));
        table[at].1 = permission;
        assert_eq!(permissions::check(&[service], &table), Ok(()));
    }
}

#[tokio::test]
async fn a_server_with_a_service_that_declares_nothing_does_not_start() {
    let verifier = Verifier::from_jwks(&generate_keys().jwks_json, "test", Arc::new(SystemClock::new())).unwrap();
    let stack = ServerStack::new(ServerOptions {
        verifier: Arc::new(verifier),
        timeout: Duration::from_secs(1),
        max_in_flight: 1,
    });
    let options = ServeOptions {
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        routes: Routes::default(),
        readiness: Readiness::new(&["reflex.leads.v1.LeadService", "reflex.leads.v1.SecretService"]).await,
        packages: &["reflex.leads.v1"],
    };
    let refused = serve(options, stack, CancellationToken::new()).await;
    let nothing_declared = MissingPermission::NoMethods("reflex.leads.v1.SecretService".to_owned());
    assert!(matches!(refused, Err(ServeError::Unprotected(missing)) if missing == nothing_declared));
}
