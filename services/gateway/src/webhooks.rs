//! `POST /v1/webhooks/{source}`: a signed body of another system becomes a lead.
//!
//! The gateway passes bytes and headers on untouched: leads keeps the secrets, checks the signature (Standard Webhooks) and
//! knows what the body means.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{Path, RawQuery, Request, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
    routing::post,
};
use http::{HeaderMap, HeaderValue, StatusCode, uri::PathAndQuery};
use prost::Message as _;
use reflex_proto::{
    leads::v1::{CaptureWebhookRequest, CaptureWebhookResponse},
    platform::v1::Reason,
};
use reflex_rpc::client::{Authorized, ServiceTokens};
use reflex_signatures::standard_webhooks::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use reflex_tenancy::TenantId;
use serde::Serialize;

use crate::{
    backends::Backend,
    body::{self, Kind},
    call::{Call, Passage},
    config::Limits,
    deadline,
    problem::Problem,
    query,
};

/// Route of all sources.
pub(crate) const ROUTE: &str = "/v1/webhooks/{source}";
/// Parameter of the tenant: senders are given an address, and cannot set headers of ours.
pub(crate) const TENANT_PARAMETER: &str = "tenant";
const CAPTURE_WEBHOOK: PathAndQuery = PathAndQuery::from_static("/reflex.leads.v1.WebhookService/CaptureWebhook");

/// What webhooks need.
pub(crate) struct Webhooks {
    pub(crate) leads: Arc<Backend>,
    pub(crate) tokens: Arc<ServiceTokens>,
    pub(crate) limits: Limits,
}

/// What the sender gets back, the first time and every time after.
#[derive(Serialize)]
struct Accepted {
    number: String,
    name: String,
}

/// Returns the route of all sources.
pub(crate) fn routes(webhooks: Webhooks) -> Router {
    Router::new().route(ROUTE, post(accept)).with_state(Arc::new(webhooks))
}

async fn accept(
    State(webhooks): State<Arc<Webhooks>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    Extension(passage): Extension<Passage>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let limits = &webhooks.limits;
    let asked = deadline::asked_timeout(headers)?;
    let deadline = deadline::of(asked, limits.timeout(), limits.max_timeout());
    if !matches!(body::kind(headers), Kind::Json | Kind::Text) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be application/json",
        ));
    }
    let tenant = query::find(query.as_deref(), TENANT_PARAMETER).and_then(|text| text.parse::<TenantId>().ok());
    let (Some(tenant), Ok(Path(source))) = (tenant, path) else {
        return Err(no_such_source());
    };
    let body = body::read(headers, body, limits.form_bytes, limits.body_timeout()).await?;
    let request = CaptureWebhookRequest {
        name: format!("webhookSources/{source}"),
        webhook_id: text(headers, ID_HEADER),
        webhook_timestamp: text(headers, TIMESTAMP_HEADER),
        webhook_signature: text(headers, SIGNATURE_HEADER),
        body: body.into(),
    };
    let authorized = Authorized::as_service(Arc::clone(&webhooks.tokens)).for_tenant(&tenant);
    let call = Call::of_gateway(authorized, &passage, deadline)?;
    // A repetition answers with the stored lead.
    let answer = webhooks
        .leads
        .unary(&CAPTURE_WEBHOOK, request.encode_to_vec().into(), &call, true)
        .await
        .map_err(ours)?;
    let CaptureWebhookResponse { name, number } = CaptureWebhookResponse::decode(answer).map_err(|error| {
        tracing::error!(%error, "an answer of leads cannot be read");
        Problem::internal()
    })?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { number, name })).into_response())
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(HeaderValue::to_str);
    value.and_then(Result::ok).unwrap_or_default().to_owned()
}

fn no_such_source() -> Problem {
    Problem::not_found("there is no such source of webhooks with this tenant")
}

/// Returns what the sender may know of a failure: that leads does not trust the gateway is not the sender's fault.
fn ours(problem: Problem) -> Problem {
    match problem.status() {
        StatusCode::NOT_FOUND => no_such_source(),
        StatusCode::UNAUTHORIZED if problem.is_because(Reason::SignatureRefused) => problem,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            tracing::error!(problem = %problem.json(), "leads refuses the gateway's own token");
            Problem::unavailable("webhooks are not available at the moment")
        }
        _ => problem,
    }
}
