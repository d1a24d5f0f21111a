//! A client: requests in one line, answers in one value.

use std::net::SocketAddr;

use axum::body::Body;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as HyperClient, Error, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    http: HyperClient<HttpConnector, Body>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let http = HyperClient::builder(TokioExecutor::new()).build_http();
        Self { address, http }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        self.send(Method::POST, path, headers, body).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let (head, body) = self.open(method, path, headers, body).await;
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text,
        }
    }

    /// Returns as soon as the head of the answer is there.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> (http::response::Parts, Incoming) {
        let uri = format!("http://{}{path}", self.address);
        let mut request = Request::builder().method(method).uri(uri).body(body.into()).unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        self.http.request(request).await.unwrap().into_parts()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request that may not come to its end.
    pub(crate) async fn try_send(&self, request: Request<Body>) -> Result<StatusCode, Error> {
        Ok(self.http.request(request).await?.status())
    }

    /// Returns a bare connection.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that this is a problem of that status and returns it.
    #[track_caller]
    pub(crate) fn problem(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status.as_u16(), "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], status.as_u16());
        problem
    }

    /// Returns the fields of a problem's violations.
    #[track_caller]
    pub(crate) fn violated(&self) -> Vec<String> {
        let problem = self.problem(StatusCode::BAD_REQUEST);
        let violations = problem["violations"].as_array().expect("violations");
        violations
            .iter()
            .map(|one| one["field"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Writes bytes and returns everything that comes until the other side closes.
pub(crate) async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // Whoever is cut off may be told by a reset, after what was answered.
    let _closed_or_reset = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Writes a request and reads the head of its answer; the connection stays.
pub(crate) async fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap() == 0 {
            break;
        }
        answer.extend_from_slice(&byte);
    }
    String::from_utf8(answer).unwrap()
}
