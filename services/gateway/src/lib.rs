//! The web's way in: forms of websites, and every RPC of every service with JSON. It keeps nothing.
//!
//! A request passes [`server`] (connections), [`edge`] (trace, metrics, load), its route ([`forms`], [`actions`], [`rpc`],
//! [`openapi`]; [`health`] beside them) and leaves through [`backends`]. Whatever fails becomes a [`problem`].

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use axum::{Router, middleware::from_fn_with_state};
use http::StatusCode;
use reflex_rpc::{
    auth::{Claims, Minter, Tenants},
    client::ServiceTokens,
    identity::Role,
};
use reflex_runtime::{clock::SharedClock, ids::SharedIds, tasks::Tasks};
use tokio::{net::TcpListener, sync::Semaphore};
use tonic::transport::Channel;

pub use config::{Config, Limits};
pub use health::Readiness;
pub use process::main;

use actions::Actions;
use backends::Backends;
use edge::Edge;
use forms::Forms;
use problem::Problem;
use rpc::{Rpc, methods::Methods};
use server::Server;
use webhooks::Webhooks;

pub mod config;
pub mod problem;

mod actions;
mod backends;
mod body;
mod call;
mod codec;
mod deadline;
mod edge;
mod forms;
mod health;
mod openapi;
mod process;
mod query;
mod rpc;
mod server;
mod webhooks;

/// Name of the service that forms are posted to.
const LEADS: &str = "leads";
/// Name of the service whose messages have links.
const NOTIFICATIONS: &str = "notifications";

/// What the gateway is put together from.
pub struct Parts {
    /// What a client may do.
    pub limits: Limits,
    /// The services behind the gateway by name: "leads" serves the package `reflex.leads.v1`. Without it there are no
    /// forms.
    pub backends: BTreeMap<String, Channel>,
    /// Makes the gateway's own tokens.
    pub minter: Minter,
    /// Time.
    pub clock: SharedClock,
    /// Ids for requests that bring none.
    pub ids: SharedIds,
    /// Where its tasks run.
    pub tasks: Tasks,
}

/// A gateway that serves.
#[derive(Debug)]
pub struct Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it wants requests.
    pub readiness: Readiness,
}

/// Serves HTTP on `listener` until the tasks are stopped.
///
/// # Errors
///
/// Fails when the listener has no address.
pub fn serve(parts: Parts, listener: TcpListener) -> io::Result<Gateway> {
    let address = listener.local_addr()?;
    let readiness = Readiness::default();
    let Parts {
        limits,
        backends,
        minter,
        clock,
        ids,
        tasks,
    } = parts;
    let backends = Arc::new(Backends::new(backends));
    let methods = Arc::new(Methods::new(reflex_proto::descriptor_pool(), &backends));
    let edge = Arc::new(Edge::new(limits.max_in_flight, limits.max_hops));

    let mut router = Router::new();
    if let Some(leads) = backends.find(LEADS) {
        let tokens = Arc::new(ServiceTokens::new(minter, own_claims()));
        let webhooks = Webhooks {
            leads: Arc::clone(leads),
            tokens: Arc::clone(&tokens),
            limits,
        };
        if let Some(notifications) = backends.find(NOTIFICATIONS) {
            let (leads, notifications) = (Arc::clone(leads), Arc::clone(notifications));
            let actions = Actions::new(leads, notifications, Arc::clone(&tokens), Arc::clone(&clock), limits);
            router = router.merge(actions::routes(actions));
        }
        router = router.merge(webhooks::routes(webhooks)).merge(forms::routes(Forms::new(
            Arc::clone(leads),
            tokens,
            clock,
            ids,
            limits,
        )));
    }
    let rpc = Rpc {
        methods: Arc::clone(&methods),
        backends: Arc::clone(&backends),
        limits,
        readers: Arc::new(Semaphore::new(limits.max_streams)),
        tasks: tasks.clone(),
    };
    let wrong_method = async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the method is not allowed here");
    let router = router
        .merge(rpc::routes(rpc))
        .merge(openapi::routes(methods, backends.find(LEADS).is_some()))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(edge, edge::pass))
        .merge(health::routes(readiness.clone(), backends))
        .method_not_allowed_fallback(wrong_method)
        .fallback(async || Problem::not_found("there is nothing here"));

    let server = Server {
        listener,
        router,
        limits,
        tasks: tasks.clone(),
    };
    tasks.spawn("http server", server.run(tasks.stop()));
    Ok(Gateway { address, readiness })
}

/// The gateway acts for any tenant: whose form is posted to is known from the form's write key.
fn own_claims() -> Claims {
    Claims {
        subject: "gateway".to_owned(),
        tenants: Tenants::Every,
        roles: vec![Role::Service],
        member: None,
    }
}
