//! The HTTP server under the providers. It is written out because a simulated provider must be able to reset a
//! connection, which the ready-made one does not offer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::Shared;

/// How long to wait after `accept` failed; it fails at once and repeatedly when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A handler's grip on the connection its request came over.
#[derive(Clone, Default)]
pub(super) struct Connection(Arc<Notify>);

impl Connection {
    /// Resets the connection. The handler ends here: its future is dropped together with the connection.
    pub(super) async fn reset<T>(&self) -> T {
        self.0.notify_one();
        std::future::pending().await
    }
}

/// Accepts until it is dropped, which drops all connections as well.
pub(super) async fn serve(listener: TcpListener, routes: Router, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(serve_connection(stream, routes.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, routes: Router) {
    let handle = Connection::default();
    let service = TowerToHyperService::new(routes.layer(Extension(handle.clone())));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A client that goes away is no event worth telling.
        _ended = &mut connection => {}
        () = handle.0.notified() => {
            let stream = connection.into_parts().io.into_inner();
            // Without lingering the close is a reset, not a goodbye.
            if let Err(error) = stream.set_zero_linger() {
                tracing::warn!(%error, "cannot reset a connection, closing it instead");
            }
        }
    }
}
