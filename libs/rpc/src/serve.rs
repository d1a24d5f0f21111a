//! Runs a gRPC server.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};

use crate::{
    permissions::{self, MissingPermission},
    readiness::Readiness,
    server::ServerStack,
};

/// Connections end after this time, so that callers find replicas that were added.
const MAX_CONNECTION_AGE: Duration = Duration::from_mins(5);
/// How often silent connections are asked whether they still live, and how long they may take to answer.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Calls at once on one connection; a gateway has few connections and many calls.
const MAX_CONCURRENT_STREAMS: u32 = 1_024;
/// Room for the longest token beside everything else.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// What to serve, and where.
pub struct ServeOptions {
    /// Where callers connect.
    pub listener: TcpListener,
    /// The handlers. tonic refuses messages above 4 MiB.
    pub routes: Routes,
    /// The names of the services, and whether they are ready.
    pub readiness: Readiness,
    /// The proto packages that reflection shows, for example "reflex.leads.v1".
    pub packages: &'static [&'static str],
}

/// A server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A method is open to everybody by mistake.
    #[error("the server would be unprotected")]
    Unprotected(#[from] MissingPermission),
    /// The descriptors of the API are not usable.
    #[error("reflection cannot be built")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The network does not work.
    #[error("the server failed")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves until `stop`, with health and reflection beside the handlers, then waits for the calls that are running.
///
/// # Errors
///
/// Fails before the first connection if a method declares no permission.
pub async fn serve(options: ServeOptions, stack: ServerStack, stop: CancellationToken) -> Result<(), ServeError> {
    let ServeOptions {
        listener,
        routes,
        readiness,
        packages,
    } = options;
    permissions::check(readiness.services(), reflex_proto::PERMISSIONS)?;

    let own = reflex_proto::descriptor_set_of(packages);
    let reflection = || {
        let mut builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(&own)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // Lets tools show the details of failures.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        for service in readiness.services() {
            builder = builder.with_service_name(*service);
        }
        builder
    };
    let routes = routes
        .add_service(readiness.endpoint())
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);

    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .max_connection_age(MAX_CONNECTION_AGE)
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .layer(stack)
        .add_routes(routes)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            stop.cancelled_owned(),
        )
        .await?;
    Ok(())
}
