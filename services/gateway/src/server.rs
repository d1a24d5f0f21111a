//! Accepts connections and speaks HTTP/1.1 on them.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use reflex_runtime::tasks::Tasks;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::config::Limits;
use patience::{Patience, Patient};

mod patience;

/// What a connection too many hears before it is closed.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// How long to wait after the system had no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The server of the gateway.
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    pub(crate) tasks: Tasks,
}

impl Server {
    /// Serves until `stop`; connections end with the request they are at.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.limits.max_connections));
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    wait_if_exhausted(&error).await;
                    continue;
                }
            };
            match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let connection = serve(stream, self.router.clone(), self.limits, stop.clone());
                    self.tasks.spawn_brief("http connection", async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(_) => refuse(&stream),
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    // Small answers must not wait for more.
    let _best_effort = stream.set_nodelay(true);
    let patience = Patience::default();
    let stream = Patient::new(stream, patience.clone(), limits.head_timeout(), limits.write_timeout());
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        let handling = patience.handling();
        async move {
            let answer = router.call(request.map(Body::new)).await;
            drop(handling);
            answer as Result<_, Infallible>
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // For hyper a head begins when the one before ended: this bounds idleness, our own stream bounds heads.
        .header_read_timeout(limits.idle_timeout())
        .max_header_size(limits.head_bytes)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Says no without waiting for anybody.
fn refuse(stream: &TcpStream) {
    tracing::warn!("too many connections, one was refused");
    let _best_effort = stream.try_write(FULL);
}

async fn wait_if_exhausted(error: &io::Error) {
    let of_the_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !of_the_client {
        tracing::error!(%error, "cannot accept connections");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
