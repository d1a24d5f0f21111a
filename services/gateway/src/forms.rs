//! `POST /v1/forms/{form}`: what a website's form sends becomes a lead. Beside it what a page needs to show the form.
//!
//! The page names its form by a public write key. A wrong key, form or tenant all get the same answer, so nobody learns
//! by asking which of them exist.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, Request, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::VARY, uri::PathAndQuery};
use prost::Message;
use reflex_proto::{
    leads::v1::{CaptureLeadRequest, CaptureLeadResponse, Form, GetFormRequest, GetFormResponse, SubmitFormResponse},
    platform::v1::Reason,
};
use reflex_rpc::client::{Authorized, ServiceTokens};
use reflex_runtime::{clock::SharedClock, ids::SharedIds};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    backends::Backend,
    body::{self, Kind},
    call::{Call, Passage},
    config::Limits,
    deadline,
    problem::Problem,
    query,
};
use book::{FormBook, KnownForm};
use cors::Origin;
use fields::Fields;
use new_lead::Post;
use submission::Submission;
use write_key::WriteKey;

pub(crate) mod language;
pub(crate) mod new_lead;
pub(crate) mod page;
pub(crate) mod submission;

mod book;
mod bucket;
mod cors;
mod fields;
mod signals;
mod write_key;

/// Route of all forms.
pub(crate) const ROUTE: &str = "/v1/forms/{form}";
/// Route of what a form asks.
pub(crate) const SCHEMA_ROUTE: &str = "/v1/forms/{form}/schema";
/// Route of the lines that a page is given.
pub(crate) const SNIPPET_ROUTE: &str = "/v1/forms/{form}/snippet";
/// Route of the script that renders all forms.
pub(crate) const SCRIPT_ROUTE: &str = "/v1/forms.js";
/// Header of the write key.
pub(crate) const WRITE_KEY: &str = "x-write-key";
/// Parameter of the write key, for plain HTML forms and beacons, which cannot set headers.
pub(crate) const WRITE_KEY_PARAMETER: &str = "k";
/// Longest form id.
const MAX_FORM_BYTES: usize = 64;

const GET_FORM: PathAndQuery = PathAndQuery::from_static("/reflex.leads.v1.FormService/GetForm");
const CAPTURE_LEAD: PathAndQuery = PathAndQuery::from_static("/reflex.leads.v1.LeadService/CaptureLead");
const SUBMIT_FORM: PathAndQuery = PathAndQuery::from_static("/reflex.leads.v1.FormService/SubmitForm");

/// What the forms need.
pub(crate) struct Forms {
    leads: Arc<Backend>,
    tokens: Arc<ServiceTokens>,
    ids: SharedIds,
    limits: Limits,
    book: FormBook,
}

/// What the page gets back.
#[derive(Serialize)]
struct Accepted {
    number: String,
    name: String,
    existed: bool,
}

/// Returns the routes of all forms.
pub(crate) fn routes(forms: Forms) -> Router {
    Router::new()
        .route(ROUTE, post(accept).options(preflight))
        .route(SCHEMA_ROUTE, get(schema))
        .route(SNIPPET_ROUTE, get(snippet))
        .route(SCRIPT_ROUTE, get(async |headers: HeaderMap| page::script(&headers)))
        .with_state(Arc::new(forms))
}

async fn accept(
    State(forms): State<Arc<Forms>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    Extension(passage): Extension<Passage>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let deadline = forms.deadline(headers)?;
    let key = write_key(headers, query.as_deref()).ok_or_else(no_such_form)?;
    let known = forms.find(path, &key, &passage, deadline).await?;
    let origin = Origin::of(headers);
    origin.check(&known.form.allowed_origins)?;

    let answer = forms.accept(&known, &key, headers, body, &passage, deadline).await;
    let mut response = answer.into_response();
    origin.expose(&mut response);
    Ok(response)
}

/// Browsers send no header of the page with a preflight: without a key in the query nobody knows the form yet, and the
/// post itself is checked.
async fn preflight(
    State(forms): State<Arc<Forms>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    Extension(passage): Extension<Passage>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let origin = Origin::of(&headers);
    if query::find(query.as_deref(), WRITE_KEY_PARAMETER).is_some() {
        let deadline = forms.deadline(&headers)?;
        let key = write_key(&headers, query.as_deref()).ok_or_else(no_such_form)?;
        let known = forms.find(path, &key, &passage, deadline).await?;
        origin.check(&known.form.allowed_origins)?;
    }
    Ok(origin.preflight())
}

async fn schema(
    State(forms): State<Arc<Forms>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    Extension(passage): Extension<Passage>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = |form: &Form, _: &WriteKey<'_>| {
        if form.enabled {
            page::schema(form, &headers)
        } else {
            // Nobody shall fill in what is not taken.
            Err(switched_off())
        }
    };
    forms.show(path, query.as_deref(), &headers, &passage, shown).await
}

async fn snippet(
    State(forms): State<Arc<Forms>>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    Extension(passage): Extension<Passage>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = |form: &Form, key: &WriteKey<'_>| page::snippet(form, key.text, &headers);
    forms.show(path, query.as_deref(), &headers, &passage, shown).await
}

fn write_key<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<WriteKey<'a>> {
    let header = headers.get(WRITE_KEY).map(HeaderValue::to_str);
    let text = match header {
        Some(text) => text.ok()?,
        None => query::find(query, WRITE_KEY_PARAMETER)?,
    };
    WriteKey::parse(text)
}

/// The one answer to whoever has no right key.
fn no_such_form() -> Problem {
    Problem::not_found("there is no such form with this write key")
}

impl Forms {
    pub(crate) fn new(
        leads: Arc<Backend>,
        tokens: Arc<ServiceTokens>,
        clock: SharedClock,
        ids: SharedIds,
        limits: Limits,
    ) -> Self {
        Self {
            leads,
            tokens,
            ids,
            limits,
            book: FormBook::new(clock),
        }
    }

    fn deadline(&self, headers: &HeaderMap) -> Result<Instant, Problem> {
        let asked = deadline::asked_timeout(headers)?;
        Ok(deadline::of(asked, self.limits.timeout(), self.limits.max_timeout()))
    }

    /// Returns the form of a path if the key is its key.
    async fn find(
        &self,
        path: Result<Path<String>, PathRejection>,
        key: &WriteKey<'_>,
        passage: &Passage,
        deadline: Instant,
    ) -> Result<Arc<KnownForm>, Problem> {
        let id = path
            .ok()
            .map(|Path(id)| id)
            .filter(|id| is_form_id(id))
            .ok_or_else(no_such_form)?;
        let name = format!("forms/{id}");
        let ask = async || self.ask(name, key, passage, deadline).await;
        let known = self.book.find((key.tenant.clone(), id), ask).await?;
        known
            .filter(|known| key.is(&known.form.write_key))
            .ok_or_else(no_such_form)
    }

    /// Shows a form to the pages that may post it.
    async fn show(
        &self,
        path: Result<Path<String>, PathRejection>,
        query: Option<&str>,
        headers: &HeaderMap,
        passage: &Passage,
        shown: impl FnOnce(&Form, &WriteKey<'_>) -> Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        let deadline = self.deadline(headers)?;
        let key = write_key(headers, query).ok_or_else(no_such_form)?;
        let known = self.find(path, &key, passage, deadline).await?;
        let origin = Origin::of(headers);
        origin.check(&known.form.allowed_origins)?;
        let mut response = shown(&known.form, &key).into_response();
        origin.expose(&mut response);
        // Also without an origin: what a cache keeps for one page or key is not for another.
        let vary = HeaderValue::from_static("origin, x-write-key");
        response.headers_mut().insert(VARY, vary);
        Ok(response)
    }

    async fn ask(
        &self,
        name: String,
        key: &WriteKey<'_>,
        passage: &Passage,
        deadline: Instant,
    ) -> Result<Option<Form>, Problem> {
        let request = GetFormRequest { name };
        match self.call(GET_FORM, request, key, passage, deadline).await {
            Ok(GetFormResponse { form }) => Ok(form),
            Err(problem) if problem.status() == StatusCode::NOT_FOUND => Ok(None),
            Err(problem) => Err(ours(problem)),
        }
    }

    async fn accept(
        &self,
        known: &KnownForm,
        key: &WriteKey<'_>,
        headers: &HeaderMap,
        body: Body,
        passage: &Passage,
        deadline: Instant,
    ) -> Result<Response, Problem> {
        if !known.form.enabled {
            return Err(switched_off());
        }
        self.book.take(known).map_err(too_many_posts)?;
        let kind = body::kind(headers);
        let body = body::read(headers, body, self.limits.form_bytes, self.limits.body_timeout()).await?;
        let fields = fields_of(kind, &body)?;
        let accepted = if submission::is_one(&fields, &known.form) {
            let locale = language::of(headers);
            let mut submission = submission::read(fields, &known.form, locale, body.into())?;
            signals::add(&mut submission.request.answers, &known.form, headers);
            self.submit(submission, key, passage, deadline).await?
        } else {
            let mut post = new_lead::read(fields, &known.form, body.into())?;
            signals::add(&mut post.lead.attributes, &known.form, headers);
            self.capture(post, key, passage, deadline).await?
        };
        Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
    }

    async fn submit(
        &self,
        mut submission: Submission,
        key: &WriteKey<'_>,
        passage: &Passage,
        deadline: Instant,
    ) -> Result<Accepted, Problem> {
        let mut request = std::mem::take(&mut submission.request);
        self.identify(&mut request.request_id);
        let answer = self.call(SUBMIT_FORM, request, key, passage, deadline).await;
        let SubmitFormResponse {
            name, number, existed, ..
        } = answer.map_err(|mut problem| {
            problem.rename_fields(|path| submission.name_of(path));
            ours(problem)
        })?;
        Ok(Accepted { number, name, existed })
    }

    /// An id of our own makes the repetition of a lost call harmless; a post sent twice is told by its `external_id`.
    fn identify(&self, request_id: &mut String) {
        if request_id.is_empty() {
            *request_id = self.ids.next().to_string();
        }
    }

    async fn capture(
        &self,
        mut post: Post,
        key: &WriteKey<'_>,
        passage: &Passage,
        deadline: Instant,
    ) -> Result<Accepted, Problem> {
        let lead = std::mem::take(&mut post.lead);
        let mut request_id = std::mem::take(&mut post.request_id);
        self.identify(&mut request_id);
        let request = CaptureLeadRequest {
            lead: Some(lead),
            request_id,
        };
        let answer = self.call(CAPTURE_LEAD, request, key, passage, deadline).await;
        let CaptureLeadResponse {
            name, number, existed, ..
        } = answer.map_err(|mut problem| {
            problem.rename_fields(|path| post.name_of(path));
            ours(problem)
        })?;
        Ok(Accepted { number, name, existed })
    }

    /// Calls leads in the gateway's own name; both calls may be repeated.
    async fn call<A: Message + Default>(
        &self,
        path: PathAndQuery,
        request: impl Message,
        key: &WriteKey<'_>,
        passage: &Passage,
        deadline: Instant,
    ) -> Result<A, Problem> {
        let authorized = Authorized::as_service(Arc::clone(&self.tokens)).for_tenant(&key.tenant);
        let call = Call::of_gateway(authorized, passage, deadline)?;
        let answer = self
            .leads
            .unary(&path, request.encode_to_vec().into(), &call, true)
            .await?;
        A::decode(answer).map_err(|error| {
            tracing::error!(%path, %error, "an answer of leads cannot be read");
            Problem::internal()
        })
    }
}

fn fields_of(kind: Kind, body: &Bytes) -> Result<Fields, Problem> {
    match kind {
        Kind::Json | Kind::Text => Fields::from_json(body),
        Kind::UrlEncoded => Fields::from_urlencoded(body),
        Kind::JsonLines | Kind::Other => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be application/json or application/x-www-form-urlencoded",
        )),
    }
}

fn switched_off() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "the form is switched off").because(Reason::WrongState)
}

fn too_many_posts(delay: Duration) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "the form was posted too often")
        .because(Reason::Overloaded)
        .retry_after(delay)
}

/// Returns what the page may know of a failure: that leads does not trust the gateway is not the page's fault.
fn ours(problem: Problem) -> Problem {
    match problem.status() {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            tracing::error!(problem = %problem.json(), "leads refuses the gateway's own token");
            Problem::unavailable("forms are not available at the moment")
        }
        _ => problem,
    }
}

fn is_form_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !id.is_empty() && id.len() <= MAX_FORM_BYTES && id.bytes().all(allowed)
}
