//! Every RPC of every service as `POST /v1/rpc/{service}/{method}` with JSON: found in the descriptors, never listed.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{Path, RawQuery, Request, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
    routing::post,
};
use futures_util::FutureExt as _;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use prost::{Message as _, bytes::Bytes};
use prost_reflect::{DynamicMessage, Value};
use reflex_proto::platform::v1::Reason;
use reflex_runtime::tasks::Tasks;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::Instrument as _;

use crate::{
    backends::{Backend, Backends},
    body::{self, Kind},
    call::{Call, Passage},
    config::Limits,
    deadline,
    problem::Problem,
    query,
};
use lines::{Answers, LineLimits};
use methods::{Method, Methods, Shape, Target};

pub(crate) mod lines;
pub(crate) mod methods;

mod json;

/// Route of all RPCs.
const ROUTE: &str = "/v1/rpc/{service}/{method}";
/// Messages of a client's stream that may wait for the service.
const WAITING_MESSAGES: usize = 16;

/// What the routes of RPCs need.
pub(crate) struct Rpc {
    pub(crate) methods: Arc<Methods>,
    pub(crate) backends: Arc<Backends>,
    pub(crate) limits: Limits,
    /// Places of readers that stay.
    pub(crate) readers: Arc<Semaphore>,
    pub(crate) tasks: Tasks,
}

/// Returns the routes of all RPCs.
pub(crate) fn routes(rpc: Rpc) -> Router {
    Router::new().route(ROUTE, post(handle)).with_state(Arc::new(rpc))
}

async fn handle(
    State(rpc): State<Arc<Rpc>>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
    Extension(passage): Extension<Passage>,
    request: Request,
) -> Result<Response, Problem> {
    let method = match &path {
        Ok(Path((service, method))) => rpc.methods.find(service, method),
        Err(_) => None,
    };
    let method = method.ok_or_else(|| Problem::not_found("there is no such method"))?;
    let backend = rpc.backend_of(method, query.as_deref())?;
    let (head, body) = request.into_parts();
    match method.shape {
        Shape::Unary => rpc.unary(method, backend, &head.headers, body, &passage).await,
        Shape::ServerStreaming => {
            rpc.server_streaming(method, backend, &head.headers, body, &passage)
                .await
        }
        Shape::ClientStreaming => {
            rpc.client_streaming(method, backend, &head.headers, body, &passage)
                .await
        }
        Shape::BothStreaming => Err(Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            "streams in both directions at once are for gRPC clients",
        )),
    }
}

impl Rpc {
    fn backend_of<'a>(&'a self, method: &'a Method, query: Option<&str>) -> Result<&'a Arc<Backend>, Problem> {
        if let Target::One(backend) = &method.target {
            return Ok(backend);
        }
        let named = query::find(query, "service").and_then(|name| self.backends.find(name));
        named.ok_or_else(|| {
            let known = self.backends.names();
            Problem::invalid_field("service", format!("say in the query of which service: {known}"))
        })
    }

    async fn unary(
        &self,
        method: &Method,
        backend: &Backend,
        headers: &HeaderMap,
        body: axum::body::Body,
        passage: &Passage,
    ) -> Result<Response, Problem> {
        let asked = deadline::asked_timeout(headers)?;
        let deadline = deadline::of(asked, self.limits.timeout(), self.limits.max_timeout());
        let message = self.read_message(method, headers, body).await?;
        let call = Call::of_client(headers, passage, Some(deadline));
        let repeatable = is_repeatable(method, &message);
        let answer = backend
            .unary(&method.path, message.encode_to_vec().into(), &call, repeatable)
            .await?;
        json_response(method, answer)
    }

    async fn server_streaming(
        &self,
        method: &Method,
        backend: &Backend,
        headers: &HeaderMap,
        body: axum::body::Body,
        passage: &Passage,
    ) -> Result<Response, Problem> {
        // A reader stays as long as it likes, unless it says how long that is.
        let asked = deadline::asked_timeout(headers)?;
        let deadline = asked.map(|asked| deadline::of(Some(asked), asked, self.limits.max_stream_timeout()));
        let place = Arc::clone(&self.readers).try_acquire_owned().map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many streams are open")
                .because(Reason::Overloaded)
                .retry_after(Duration::from_secs(5))
        })?;
        let message = self.read_message(method, headers, body).await?;
        let call = Call::of_client(headers, passage, deadline);
        let answers = Answers {
            stream: backend
                .server_streaming(&method.path, message.encode_to_vec().into(), &call)
                .await?,
            output: method.output.clone(),
            deadline,
            stop: self.tasks.stop(),
            _place: place,
        };
        Ok(answers.into_response())
    }

    async fn client_streaming(
        &self,
        method: &Method,
        backend: &Arc<Backend>,
        headers: &HeaderMap,
        mut body: axum::body::Body,
        passage: &Passage,
    ) -> Result<Response, Problem> {
        if !matches!(body::kind(headers), Kind::Json | Kind::JsonLines) {
            return Err(unsupported(lines::NDJSON));
        }
        let longest = self.limits.max_stream_timeout();
        let deadline = deadline::of(deadline::asked_timeout(headers)?, longest, longest);
        let call = Call::of_client(headers, passage, Some(deadline));
        let limits = LineLimits {
            line_bytes: self.limits.body_bytes,
            body_bytes: self.limits.stream_bytes,
            silence: self.limits.body_timeout(),
        };

        // The call outlives this request: dropped, it would be cancelled, which tonic's servers take for the regular end
        // of the stream. Without its sender the stream fails instead.
        let (messages, receiver) = mpsc::channel(WAITING_MESSAGES);
        let (answered, answer) = oneshot::channel();
        let (backend, path) = (Arc::clone(backend), method.path.clone());
        let outcome = async move {
            let outcome = backend.client_streaming(&path, lines::whole(receiver), &call).await;
            // The client may have gone.
            let _told = answered.send(outcome);
        };
        self.tasks.spawn_brief("client stream", outcome.in_current_span());

        let answer = answer.map(|answer| answer.unwrap_or_else(|_panicked| Err(Problem::internal())));
        let mut answer = pin!(answer);
        let answer = tokio::select! {
            answer = &mut answer => answer,
            fed = lines::feed(&mut body, &method.input, limits, &messages) => match fed {
                Ok(()) => answer.await,
                Err(problem) => Err(problem),
            }
        };
        if answer.is_err() {
            drop(messages);
            body::discard(&mut body).await;
        }
        let answer = answer?;
        json_response(method, answer)
    }

    async fn read_message(
        &self,
        method: &Method,
        headers: &HeaderMap,
        body: axum::body::Body,
    ) -> Result<DynamicMessage, Problem> {
        if body::kind(headers) != Kind::Json {
            return Err(unsupported("application/json"));
        }
        let json = body::read(headers, body, self.limits.body_bytes, self.limits.body_timeout()).await?;
        json::read(&method.input, &json)
    }
}

/// Returns whether a second call does no harm: reads, and writes that carry a request id.
fn is_repeatable(method: &Method, message: &DynamicMessage) -> bool {
    let Some(field) = &method.request_id else {
        return true;
    };
    matches!(&*message.get_field(field), Value::String(id) if !id.is_empty())
}

fn json_response(method: &Method, answer: Bytes) -> Result<Response, Problem> {
    let json = json::write(&method.output, answer)?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

fn unsupported(expected: &'static str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("the body must be {expected}"),
    )
}
