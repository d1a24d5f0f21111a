//! A registry of companies, as gates ask it: a company by the domain of its mail, or 404.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::json;

use super::server::Connection;
use super::{Shared, fault};

/// What its paths begin with.
pub(super) const PATH: &str = "/registry";
/// Under which its faults are scripted.
const TOKEN: &str = "registry";

/// Companies and their industry codes by domain.
#[derive(Default)]
pub(super) struct Companies(Mutex<BTreeMap<String, (String, String)>>);

impl Companies {
    pub(super) fn add(&self, domain: &str, company: &str, industry_code: &str) {
        let listed = (company.to_owned(), industry_code.to_owned());
        self.0.lock().insert(domain.to_owned(), listed);
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route(&format!("{PATH}/companies/{{domain}}"), get(find))
}

async fn find(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    Path(domain): Path<String>,
) -> Response<Body> {
    let answer = || match shared.registry.0.lock().get(&domain) {
        Some((company, code)) => Json(json!({"company": company, "industry_code": code})).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    };
    let Some(fault) = shared.faults.take(TOKEN) else {
        return answer();
    };
    shared.ledger.count(TOKEN, |stats| stats.faults += 1);
    let refuse = |_code, text: &str| (StatusCode::BAD_REQUEST, text.to_owned()).into_response();
    fault::inflict(fault, &connection, refuse, answer).await
}
