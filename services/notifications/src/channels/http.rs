//! The HTTP client under the channels: pooled connections, short timeouts, a capped answer, no redirects, and no way into
//! the own network (`guard`). It tells what came back; what an answer means is the channel's business.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use reflex_runtime::telemetry;
use tracing::{Instrument, Span, field};

use crate::domain::{
    Problem,
    channel::{EndpointRules, Kind, Reach},
};
use guard::{Forbidden, Guard};

pub use guard::Lookup;

mod guard;

/// Largest answer read. Providers answer with a line of JSON; what is longer comes from something else.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How long a kept-alive connection may idle. Shorter than the usual 60 s of providers, so that they seldom close it
/// in the moment we use it.
const POOL_IDLE: Duration = Duration::from_secs(30);

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
/// How long the look where an address leads may take before it is stored.
const LOOK: Duration = Duration::from_secs(2);
/// The field that addresses of channels come in.
const ENDPOINT: &str = "channel.endpoint";

/// How long one exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the TCP connection stands.
    pub connect: Duration,
    /// Until the whole answer is read, connecting included.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            whole: Duration::from_secs(5),
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// `Retry-After`; a date counts from the answer's own `Date`, so that our clock does not matter.
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

/// Why nothing usable came back. No variant shows the address: it carries a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the address is not an http or https URL")]
    Address,
    #[error("the address leads to where messages must not go")]
    Forbidden,
    #[error("no connection to the provider")]
    Connect(#[source] hyper_util::client::legacy::Error),
    #[error("the connection broke before the answer was complete")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no complete answer in time")]
    Timeout,
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    AnswerTooLong(StatusCode),
}

/// Posts bodies to providers. Clones share one connection pool.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<Guard>, Full<Bytes>>,
    guard: Guard,
    rules: Arc<EndpointRules>,
    timeouts: Timeouts,
}

impl HttpClient {
    /// Builds a client with its own connection pool.
    #[must_use]
    pub fn new(timeouts: Timeouts, rules: EndpointRules) -> Self {
        Self::with_lookup(timeouts, rules, guard::system_lookup())
    }

    /// Builds a client that asks `lookup` where names lead.
    #[must_use]
    pub fn with_lookup(timeouts: Timeouts, rules: EndpointRules, lookup: Lookup) -> Self {
        let rules = Arc::new(rules);
        let guard = Guard::new(Arc::clone(&rules), lookup, timeouts.connect);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(guard.clone());
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(connector);
        Self {
            client,
            guard,
            rules,
            timeouts,
        }
    }

    /// Looks where a webhook's address leads before it is stored. A name that leads nowhere yet passes: every connection is checked again,
    /// and by the address that is connected to.
    ///
    /// # Errors
    /// What is wrong with it; the text does not repeat the address, which may hold a token.
    pub async fn check(&self, address: &str) -> Result<(), Problem> {
        self.rules.check(Kind::Webhook, address)?;
        let uri: Uri = address
            .parse()
            .map_err(|_invalid| Problem::new(ENDPOINT, "must be a URL"))?;
        if self.rules.reach(&uri) != Ok(Reach::Public) {
            return Ok(());
        }
        let host = uri.host().unwrap_or_default();
        match tokio::time::timeout(LOOK, self.guard.find(host, Reach::Public)).await {
            Ok(Err(error)) if error.is::<Forbidden>() => Err(Problem::new(
                ENDPOINT,
                "leads into the own network or to a reserved address",
            )),
            _ => Ok(()),
        }
    }

    /// Posts a JSON body, with these headers besides the usual ones.
    ///
    /// # Errors
    /// Whatever kept a complete answer from arriving; an answer of any status is `Ok`.
    pub async fn post_json(&self, address: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, Error> {
        self.call(Method::POST, address, JSON, headers, body).await
    }

    /// Posts a form.
    ///
    /// # Errors
    /// As for [`Self::post_json`].
    pub async fn post_form(&self, address: &str, form: String) -> Result<Answer, Error> {
        self.call(Method::POST, address, FORM, HeaderMap::new(), form.into_bytes())
            .await
    }

    /// Gets an answer.
    ///
    /// # Errors
    /// As for [`Self::post_json`].
    pub async fn get(&self, address: &str) -> Result<Answer, Error> {
        self.call(Method::GET, address, JSON, HeaderMap::new(), Vec::new())
            .await
    }

    /// Returns how long a send may take, however many calls it makes.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Returns the rules, for channels that do not speak HTTP.
    pub(super) fn rules(&self) -> &EndpointRules {
        &self.rules
    }

    /// Finds out where a host leads and refuses what must not be reached, for channels that do not speak HTTP.
    pub(super) async fn addresses(&self, host: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>, Error> {
        let found = self
            .guard
            .find(host, reach)
            .await
            .map_err(|_refused| Error::Forbidden)?;
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address.ip(), port))
            .collect())
    }

    /// Calls in a client span whose context travels along as `traceparent`.
    async fn call(
        &self,
        method: Method,
        address: &str,
        kind: HeaderValue,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, Error> {
        let uri: Uri = address.parse().map_err(|_invalid| Error::Address)?;
        let host = uri.host().filter(|_| uri.scheme().is_some());
        let host = host.ok_or(Error::Address)?.to_owned();
        self.rules.reach(&uri).map_err(|_why| Error::Forbidden)?;
        let span = tracing::info_span!(
            "http_call",
            otel.kind = "client",
            http.request.method = method.as_str(),
            server.address = host,
            http.response.status_code = field::Empty,
        );
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::USER_AGENT, HeaderValue::from_static("reflex-notifications"));
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let exchange = self.exchange(request).instrument(span);
        tokio::time::timeout(self.timeouts.whole, exchange)
            .await
            .map_err(|_elapsed| Error::Timeout)?
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        let traceparent = telemetry::current_traceparent().and_then(|context| HeaderValue::try_from(context).ok());
        if let Some(context) = traceparent {
            request.headers_mut().insert("traceparent", context);
        }
        let response = self.client.request(request).await.map_err(refused)?;
        Span::current().record("http.response.status_code", response.status().as_u16());
        read(response).await
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, Error> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| cut_short(error, head.status))?;
    Ok(Answer {
        status: head.status,
        retry_after: retry_after(&head.headers),
        body: body.to_bytes(),
    })
}

fn refused(error: hyper_util::client::legacy::Error) -> Error {
    if is_forbidden(&error) {
        Error::Forbidden
    } else if error.is_connect() {
        Error::Connect(error)
    } else {
        Error::Connection(error.into())
    }
}

fn is_forbidden(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<Forbidden>() || error.source().is_some_and(is_forbidden)
}

fn cut_short(error: Box<dyn std::error::Error + Send + Sync>, status: StatusCode) -> Error {
    if error.is::<LengthLimitError>() {
        Error::AnswerTooLong(status)
    } else {
        Error::Connection(error)
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let wanted = text(header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = wanted.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = date(wanted)?.duration_since(date(text(header::DATE)?)?);
    wait.try_into().ok()
}

fn date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_takes_seconds_or_a_date_beside_the_answers_own() {
        const NOW: &str = "Wed, 21 Oct 2026 07:27:30 GMT";
        for (value, date, expected) in [
            ("7", "", Some(7)),
            (" 120 ", NOW, Some(120)),
            ("-1", NOW, None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", NOW, Some(30)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", "", None),
            ("Wed, 21 Oct 2026 07:27:00 GMT", NOW, None),
            ("soon", NOW, None),
        ] {
            let value_of = |text: &str| HeaderValue::from_str(text).unwrap();
            let mut headers = HeaderMap::from_iter([(header::RETRY_AFTER, value_of(value))]);
            if !date.is_empty() {
                headers.insert(header::DATE, value_of(date));
            }
            assert_eq!(
                retry_after(&headers),
                expected.map(Duration::from_secs),
                "{value} {date}"
            );
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn an_address_that_is_no_url_is_refused_without_showing_it() {
        let client = HttpClient::new(Timeouts::default(), EndpointRules::default());
        for address in ["", "canary.example", "robot/send?access_token=canary", "ht tp://canary"] {
            let error = client
                .post_json(address, HeaderMap::new(), Vec::new())
                .await
                .unwrap_err();
            assert!(matches!(error, Error::Address), "{error:?}");
            assert!(!format!("{error:?} {error}").contains("canary"));
        }
    }
}
