//! Keeps a channel's replicas up to date.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use http::Uri;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::mpsc::Sender,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Endpoint, channel::Change};
use tracing::debug;

/// How often the name is looked up.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long a replica may take to accept a connection.
const PROBE_TIMEOUT: Duration = Duration::from_millis(300);

/// Looks a host name up again and again, and tells a channel which of its addresses accept connections.
///
/// Without the probe, the balancer prefers a dead address: it fails faster than a living one answers.
pub(super) struct Resolver {
    /// The service as callers know it.
    pub(super) origin: Uri,
    /// Its host name and port.
    pub(super) host: String,
    pub(super) port: u16,
    /// Where the channel learns of changes.
    pub(super) changes: Sender<Change<SocketAddr, Endpoint>>,
    /// What it knows.
    pub(super) known: BTreeSet<SocketAddr>,
}

impl Resolver {
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.round()).await.is_some() {}
    }

    async fn round(&mut self) {
        let found = lookup_host((self.host.as_str(), self.port))
            .await
            .map(Iterator::collect);
        match found {
            Ok(addresses) => self.tell(choose(addresses).await).await,
            // The replicas known so far may well be there still.
            Err(error) => debug!(host = self.host, %error, "the host name cannot be looked up"),
        }
        sleep(INTERVAL).await;
    }

    /// Tells the channel what is new and what is gone; it may have been dropped.
    async fn tell(&mut self, chosen: BTreeSet<SocketAddr>) {
        for &address in chosen.difference(&self.known) {
            debug!(host = self.host, %address, "replica found");
            let _told = self
                .changes
                .send(Change::Insert(address, self.endpoint_at(address)))
                .await;
        }
        for &address in self.known.difference(&chosen) {
            debug!(host = self.host, %address, "replica gone");
            let _told = self.changes.send(Change::Remove(address)).await;
        }
        self.known = chosen;
    }

    fn endpoint_at(&self, address: SocketAddr) -> Endpoint {
        let scheme = self.origin.scheme_str().unwrap_or("http");
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(address.to_string())
            .path_and_query("/")
            .build();
        let uri = uri.expect("an address makes a URI");
        super::endpoint(&uri, &self.origin, &self.host).expect("the name made an endpoint, so does its address")
    }
}

/// Returns the addresses that accept connections; if none does, all: calls then fail at once instead of waiting.
async fn choose(addresses: BTreeSet<SocketAddr>) -> BTreeSet<SocketAddr> {
    let probes = addresses.iter().map(|&address| async move {
        let accepted = timeout(PROBE_TIMEOUT, TcpStream::connect(address)).await;
        matches!(accepted, Ok(Ok(_))).then_some(address)
    });
    let living: BTreeSet<_> = join_all(probes).await.into_iter().flatten().collect();
    if living.is_empty() { addresses } else { living }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn dead_addresses_are_left_out_while_one_lives() {
        let living = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (living_at, dead_at) = (living.local_addr().unwrap(), dead.local_addr().unwrap());
        drop(dead);
        assert_eq!(
            choose(BTreeSet::from([living_at, dead_at])).await,
            BTreeSet::from([living_at])
        );
        assert_eq!(choose(BTreeSet::from([dead_at])).await, BTreeSet::from([dead_at]));
        assert!(choose(BTreeSet::new()).await.is_empty());
    }
}
