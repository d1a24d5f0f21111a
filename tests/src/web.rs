//! A client of the gateway: requests in one line, answers in one value.

use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub text: String,
}

impl Answer {
    /// Returns the body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }
}

/// Gets a URL.
///
/// # Panics
/// When there is no answer.
pub async fn get(url: &str) -> Answer {
    send(Request::get(url).body(Full::default()).expect("a URL")).await
}

/// Posts to a URL.
///
/// # Panics
/// When there is no answer.
pub async fn post(url: &str, headers: &[(&'static str, String)], body: impl Into<Bytes>) -> Answer {
    let mut request = Request::post(url).body(Full::new(body.into())).expect("a URL");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header"));
    }
    send(request).await
}

async fn send(request: Request<Full<Bytes>>) -> Answer {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (head, body) = client.request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole answer").to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        text: String::from_utf8(body.into()).expect("text"),
    }
}
