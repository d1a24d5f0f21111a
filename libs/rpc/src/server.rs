//! What happens to every call before and after its handler.
//!
//! From the outside in: trace, metrics, load-shed, deadline, identity and permission. It is one tower service, because
//! it is passed by every call and the five need each other's results. Health and reflection pass untouched.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, Request, Response};
use reflex_runtime::telemetry;
use tonic::{Status, body::Body, service::Routes};
use tower::{Layer, Service};
use tracing::{Span, field::Empty, info_span};

use crate::{auth::Verifier, deadline, status};

use answer::{AnswerBody, Answering};
use load::{Load, Slot};
use methods::Method;
use observed::Observed;

mod answer;
mod identify;
mod load;
mod methods;
mod observed;

pub(crate) use identify::TENANT_HEADER;

/// Paths that need no token and are never shed: an overloaded server is still alive.
const EXEMPT: [&str; 2] = ["/grpc.health.v1.", "/grpc.reflection.v1"];
/// When a caller that was shed may come back.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What a server stack needs to know.
pub struct ServerOptions {
    /// Checks the tokens of callers.
    pub verifier: Arc<Verifier>,
    /// Longest time a call may take, unless its caller sends a stream: that takes as long as the caller likes.
    pub timeout: Duration,
    /// How many calls may be worked on at once; those beyond are refused.
    pub max_in_flight: usize,
}

/// The layer around the handlers of a service.
#[derive(Clone)]
pub struct ServerStack(Arc<Shared>);

struct Shared {
    verifier: Arc<Verifier>,
    timeout: Duration,
    methods: HashMap<&'static str, Method>,
    load: Arc<Load>,
    durations: observed::Durations,
}

impl ServerStack {
    /// Returns the stack; make it after telemetry was started, or its metrics go nowhere.
    #[must_use]
    pub fn new(options: ServerOptions) -> Self {
        Self(Arc::new(Shared {
            verifier: options.verifier,
            timeout: options.timeout,
            methods: methods::table(),
            load: Load::new(options.max_in_flight),
            durations: observed::durations(),
        }))
    }
}

impl Layer<Routes> for ServerStack {
    type Service = Guarded;

    fn layer(&self, routes: Routes) -> Guarded {
        Guarded {
            shared: Arc::clone(&self.0),
            routes,
        }
    }
}

/// The handlers of a service behind the stack.
#[derive(Clone)]
pub struct Guarded {
    shared: Arc<Shared>,
    routes: Routes,
}

impl Service<Request<Body>> for Guarded {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answering {
        let path = request.uri().path();
        let Some(&method) = self.shared.methods.get(path) else {
            return if EXEMPT.iter().any(|exempt| path.starts_with(exempt)) {
                Answering::exempt(self.routes.call(request))
            } else {
                Answering::refused(Status::unimplemented("there is no such method"), None)
            };
        };
        let span = span_of(method, request.headers());
        let observed = Observed::new(self.shared.durations.clone(), method, span.clone());
        match self.shared.admit(method, &mut request, &span) {
            Ok(Admitted { slot, deadline }) => {
                let answer = span.in_scope(|| self.routes.call(request));
                Answering::running(answer, deadline, slot, span, observed)
            }
            Err(status) => Answering::refused(status, Some(observed)),
        }
    }
}

/// A call that may be worked on.
struct Admitted {
    slot: Slot,
    deadline: Option<Instant>,
}

impl Shared {
    /// Decides whether to work on a call, and tells its handler who is calling.
    fn admit(&self, method: Method, request: &mut Request<Body>, span: &Span) -> Result<Admitted, Status> {
        let slot = Load::enter(&self.load).ok_or_else(|| status::overloaded(RETRY_AFTER))?;
        let ceiling = method.bounded.then_some(self.timeout);
        let deadline =
            deadline::of(request.headers(), ceiling).map_err(|deadline::Passed| status::deadline_exceeded())?;
        if let Some(caller) = identify::caller(&self.verifier, method, request.headers(), deadline)? {
            span.record(telemetry::TENANT, caller.tenant.as_str());
            request.extensions_mut().insert(caller);
        }
        Ok(Admitted { slot, deadline })
    }
}

fn span_of(method: Method, headers: &HeaderMap) -> Span {
    // The attribute names are those of telemetry::TENANT and telemetry::RPC_STATUS; the macro takes no constants.
    let span = info_span!(
        "rpc",
        otel.name = &method.path[1..],
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.grpc.status_code = Empty,
        tenant = Empty,
    );
    if let Some(parent) = headers.get("traceparent").and_then(|parent| parent.to_str().ok()) {
        telemetry::set_parent(&span, parent);
    }
    span
}
