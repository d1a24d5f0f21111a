//! Endpoints of systems outside that take everything at once, and one that takes its time.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

/// Path of the endpoint that takes its time.
pub(super) const SLOW: &str = "/slow";
/// How long that is.
const SLOWNESS: Duration = Duration::from_secs(5);

/// Path and `webhook-id`.
type Key = (String, String);

/// What arrived, and how often; clones share it.
#[derive(Debug, Clone, Default)]
struct Arrived(Arc<Mutex<HashMap<Key, (Instant, u64)>>>);

impl Arrived {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (Instant, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The endpoints, running until they are dropped.
pub(super) struct Sink {
    url: String,
    arrived: Arrived,
    _serving: JoinSet<()>,
}

impl Sink {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let arrived = Arrived::default();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, arrived.clone()));
        Ok(Self {
            url,
            arrived,
            _serving: serving,
        })
    }

    /// Returns the address of an endpoint.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Counts the different events that arrived at all endpoints.
    pub(super) fn count(&self) -> usize {
        self.arrived.lock().len()
    }

    /// Forgets everything, and returns when what arrived first, and how much came more often than once.
    pub(super) fn take(&self) -> (HashMap<Key, Instant>, u64) {
        let arrived = std::mem::take(&mut *self.arrived.lock());
        let doubled = arrived.values().map(|(_, times)| times.saturating_sub(1)).sum();
        (
            arrived.into_iter().map(|(key, (first, _))| (key, first)).collect(),
            doubled,
        )
    }
}

async fn serve(listener: TcpListener, arrived: Arrived) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _peer)) = accepted else { continue };
                // An answer of one packet must not wait for the next one.
                let _without_it_is_only_slower = stream.set_nodelay(true);
                let arrived = arrived.clone();
                connections.spawn(async move {
                    let take = service_fn(|request| take(request, arrived.clone()));
                    let _who_goes_away_is_no_event = http1::Builder::new().serve_connection(TokioIo::new(stream), take).await;
                });
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn take(request: Request<Incoming>, arrived: Arrived) -> Result<Response<Empty<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let id = request
        .headers()
        .get("webhook-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let is_whole = request.into_body().collect().await.is_ok();
    if path == SLOW {
        tokio::time::sleep(SLOWNESS).await;
    } else if is_whole {
        arrived
            .lock()
            .entry((path, id))
            .or_insert_with(|| (Instant::now(), 0))
            .1 += 1;
    }
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Returns an address where nobody listens.
pub(super) async fn nobody() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("a free port")?;
    Ok(format!("http://{}/dead", listener.local_addr()?))
}
