//! What goes along with a call to a service: who calls, for which tenant, until when, in which trace.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use reflex_rpc::client::Authorized;
use tokio::time::Instant;
use tonic::{Extensions, Request, metadata::MetadataMap, service::Interceptor as _};

use crate::problem::Problem;

/// Names the tenant a caller acts for.
const TENANT: HeaderName = HeaderName::from_static("x-reflex-tenant");
/// Continues a trace (W3C Trace Context).
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Counts the gateways that a request came through.
pub(crate) const HOP: HeaderName = HeaderName::from_static("x-reflex-hop");

/// What the edge found out about a request, for the calls made on its behalf.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passage {
    pub(crate) traceparent: Option<HeaderValue>,
    /// Gateways that the request came through, this one included.
    pub(crate) hop: u32,
}

/// Metadata and deadline of a call.
pub(crate) struct Call {
    metadata: MetadataMap,
    pub(crate) deadline: Option<Instant>,
}

impl Call {
    /// Returns a call in the name of the client: its token and tenant go along unchanged, the service checks them.
    pub(crate) fn of_client(headers: &HeaderMap, passage: &Passage, deadline: Option<Instant>) -> Self {
        let mut passed_on = HeaderMap::with_capacity(5);
        for name in [AUTHORIZATION, TENANT] {
            if let Some(value) = headers.get(&name) {
                passed_on.insert(name, value.clone());
            }
        }
        Self::new(passed_on, passage, deadline)
    }

    /// Returns a call in the gateway's own name.
    pub(crate) fn of_gateway(
        mut authorized: Authorized,
        passage: &Passage,
        deadline: Instant,
    ) -> Result<Self, Problem> {
        let request = authorized.call(Request::new(()))?;
        let headers = request.into_parts().0.into_headers();
        Ok(Self::new(headers, passage, Some(deadline)))
    }

    fn new(mut headers: HeaderMap, passage: &Passage, deadline: Option<Instant>) -> Self {
        if let Some(traceparent) = &passage.traceparent {
            headers.insert(TRACEPARENT, traceparent.clone());
        }
        headers.insert(HOP, passage.hop.into());
        Self {
            metadata: MetadataMap::from_headers(headers),
            deadline,
        }
    }

    /// Returns the request for `message`, with the time that is left until the deadline.
    pub(crate) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::from_parts(self.metadata.clone(), Extensions::new(), message);
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        }
        request
    }
}
