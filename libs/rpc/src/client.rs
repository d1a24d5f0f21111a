//! Calls other services: connections that find every replica, calls that carry who asks and how long they may take.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use http::Uri;
use reflex_runtime::tasks::Tasks;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

pub use authorized::{Authorized, ServiceTokens};
pub use retry::{RetryBudget, retry};

use resolver::Resolver;

mod authorized;
mod resolver;
mod retry;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often silent connections are asked whether they still live, and how long they may take to answer.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Changes of the set of replicas that may wait to be noticed.
const CHANGES: usize = 64;

/// A service cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not usable.
    #[error("{0:?} is not an http or https address with a host")]
    Address(String),
    /// TLS cannot be set up.
    #[error("TLS to {0:?} cannot be set up")]
    Tls(String, #[source] tonic::transport::Error),
}

/// Returns a channel to the service at `url`, for example `http://leads:50051`; connections are made when needed.
///
/// A host name stands for all replicas behind it: a task looks the name up again and again, and calls are spread over
/// the replicas that accept connections.
///
/// # Errors
///
/// Fails on an address without host and when TLS cannot be set up.
pub fn connect(url: &str, tasks: &Tasks) -> Result<Channel, ConnectError> {
    let malformed = || ConnectError::Address(url.to_owned());
    let origin: Uri = url.parse().map_err(|_| malformed())?;
    let host = origin.host().ok_or_else(malformed)?.trim_matches(['[', ']']).to_owned();
    let default_port = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(malformed()),
    };
    let endpoint = endpoint(&origin, &origin, &host).map_err(|error| ConnectError::Tls(url.to_owned(), error))?;
    if host.parse::<IpAddr>().is_ok() {
        return Ok(endpoint.connect_lazy());
    }
    let port = origin.port_u16().unwrap_or(default_port);
    let (channel, changes) = Channel::balance_channel(CHANGES);
    let resolver = Resolver {
        origin,
        host,
        port,
        changes,
        known: BTreeSet::new(),
    };
    tasks.spawn("client.resolver", resolver.run(tasks.stop()));
    Ok(channel)
}

/// Returns how to reach the replica at `address` of the service that calls itself `origin`.
fn endpoint(address: &Uri, origin: &Uri, host: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from(address.clone())
        .origin(origin.clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true);
    if origin.scheme_str() == Some("https") {
        return endpoint.tls_config(ClientTlsConfig::new().with_enabled_roots().domain_name(host));
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_without_scheme_or_host_are_refused() {
        let tasks = Tasks::new();
        for bad in [
            "",
            "leads",
            "leads:50051",
            "/leads",
            "ftp://leads",
            "http://",
            "http:// leads",
        ] {
            assert!(matches!(connect(bad, &tasks), Err(ConnectError::Address(_))), "{bad:?}");
        }
        for good in [
            "http://127.0.0.1:50051",
            "http://[::1]:50051",
            "https://leads",
            "http://leads:50051/",
        ] {
            assert!(connect(good, &tasks).is_ok(), "{good:?}");
        }
        assert!(tasks.shutdown(Duration::from_secs(10)).await.is_ok());
    }
}
