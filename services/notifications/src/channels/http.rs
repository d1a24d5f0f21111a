//! The HTTP client under the channels: pooled connections, short timeouts, a capped answer, no redirects. It tells what
//! came back; what an answer means is the channel's business.

use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reflex_runtime::telemetry;
use tracing::{Instrument, Span, field};

/// Largest answer read. Providers answer with a line of JSON; what is longer comes from something else.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How long a kept-alive connection may idle. Shorter than the usual 60 s of providers, so that they seldom close it
/// in the moment we use it.
const POOL_IDLE: Duration = Duration::from_secs(30);

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
    /// `Retry-After` in its seconds form; the date form would need the provider's clock and is not used by ours.
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

/// Why nothing usable came back. No variant shows the address: it carries a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the address is not an http or https URL")]
    Address,
    #[error("no connection to the provider")]
    Connect(#[source] hyper_util::client::legacy::Error),
    #[error("the connection broke before the answer was complete")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no complete answer in time")]
    Timeout,
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    AnswerTooLong,
}

/// Posts bodies to providers. Clones share one connection pool.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    whole: Duration,
}

impl HttpClient {
    /// Builds a client with its own connection pool.
    #[must_use]
    pub fn new(timeouts: Timeouts) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeouts.connect));
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(connector);
        Self {
            client,
            whole: timeouts.whole,
        }
    }

    /// Posts a JSON body in a client span whose context travels along as `traceparent`.
    ///
    /// # Errors
    /// Whatever kept a complete answer from arriving; an answer of any status is `Ok`.
    pub async fn post_json(&self, address: &str, body: Vec<u8>) -> Result<Answer, Error> {
        let uri: Uri = address.parse().map_err(|_invalid| Error::Address)?;
        let host = uri.host().ok_or(Error::Address)?.to_owned();
        let span = tracing::info_span!(
            "http_post",
            otel.kind = "client",
            http.request.method = "POST",
            server.address = host,
            http.response.status_code = field::Empty,
        );
        let exchange = self.exchange(post(uri, body)).instrument(span);
        tokio::time::timeout(self.whole, exchange)
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

fn post(uri: Uri, body: Vec<u8>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(header::USER_AGENT, HeaderValue::from_static("reflex-notifications"));
    request
}

async fn read(response: Response<Incoming>) -> Result<Answer, Error> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES)
        .collect()
        .await
        .map_err(cut_short)?;
    Ok(Answer {
        status: head.status,
        retry_after: retry_after(&head.headers),
        body: body.to_bytes(),
    })
}

fn refused(error: hyper_util::client::legacy::Error) -> Error {
    if error.is_connect() {
        Error::Connect(error)
    } else {
        Error::Connection(error.into())
    }
}

fn cut_short(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    if error.is::<LengthLimitError>() {
        Error::AnswerTooLong
    } else {
        Error::Connection(error)
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_takes_seconds_and_ignores_the_rest() {
        for (value, expected) in [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("-1", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn an_address_that_is_no_url_is_refused_without_showing_it() {
        let client = HttpClient::new(Timeouts::default());
        for address in ["", "robot/send?access_token=canary", "ht tp://canary"] {
            let error = client.post_json(address, Vec::new()).await.unwrap_err();
            assert!(matches!(error, Error::Address), "{error:?}");
            assert!(!format!("{error:?} {error}").contains("canary"));
        }
    }
}
