//! A registry behind HTTP: `GET {url}/companies/{domain}` answers 200 with `{"company", "industry_code"}`, or 404 where it does
//! not list the domain. Anything else is an outage. A breaker keeps a registry that fails from being asked for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;
use reflex_runtime::clock::SharedClock;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{CompanyRegistry, Outage, with_parents};
use crate::domain::gate::Company;

const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Kept-alive connections that idle longer are closed, before the other side does.
const POOL_IDLE: Duration = Duration::from_secs(30);
const MAX_NAME_CHARACTERS: usize = 300;
const MAX_CODE_CHARACTERS: usize = 20;

/// Where the registry is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// Its address, `http` or `https`, without a slash at the end; empty for none.
    pub url: String,
    /// Sent as a bearer token; empty for none.
    pub token: SecretString,
    /// How long one answer may take, in milliseconds.
    pub timeout_millis: u64,
    /// Failures in a row after which it is left alone.
    pub failures: u32,
    /// For how long, in seconds.
    pub pause_seconds: u64,
}

/// The registry, asked over HTTP. Clones share connections and breaker.
#[derive(Clone)]
pub struct HttpRegistry {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    config: Arc<RegistryConfig>,
    clock: SharedClock,
    breaker: Arc<Mutex<Breaker>>,
}

/// Counts failures in a row.
#[derive(Debug, Default)]
struct Breaker {
    failures: u32,
    /// Until when nothing is asked.
    open_until: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
struct Listed {
    company: String,
    #[serde(default)]
    industry_code: String,
}

impl HttpRegistry {
    /// Prepares the way to a registry; `None` when none is set.
    #[must_use]
    pub fn new(config: &RegistryConfig, clock: SharedClock) -> Option<Self> {
        if config.url.is_empty() {
            return None;
        }
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(connector);
        Some(Self {
            client,
            config: Arc::new(config.clone()),
            clock,
            breaker: Arc::default(),
        })
    }

    async fn ask(&self, domain: &str) -> Result<Option<Company>, Outage> {
        let url = format!("{}/companies/{domain}", self.config.url);
        let mut request = Request::get(url).header(header::ACCEPT, "application/json");
        let token = self.config.token.expose_secret();
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::new()).map_err(|_| down("its address is no URL"))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|_| down("no connection"))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
            let body = body.await.map_err(|_| down("its answer broke off or is too long"))?;
            Ok::<_, Outage>((status, body.to_bytes()))
        };
        let whole = Duration::from_millis(self.config.timeout_millis);
        let exchange = tokio::time::timeout(whole, exchange);
        let (status, body) = exchange.await.map_err(|_elapsed| down("no answer in time"))??;
        match status {
            StatusCode::OK => {
                let listed: Listed = serde_json::from_slice(&body).map_err(|_| down("its answer cannot be read"))?;
                Ok(Some(Company {
                    name: listed.company.chars().take(MAX_NAME_CHARACTERS).collect(),
                    domain: domain.to_owned(),
                    industry_code: listed.industry_code.chars().take(MAX_CODE_CHARACTERS).collect(),
                }))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(Outage::Down(format!("it answers {}", status.as_u16()))),
        }
    }

    async fn find_one(&self, domain: &str) -> Result<Option<Company>, Outage> {
        for candidate in with_parents(domain) {
            if let Some(company) = self.guarded(&candidate).await? {
                return Ok(Some(company));
            }
        }
        Ok(None)
    }

    /// Asks unless the breaker is open; after a pause one question tells whether it closes.
    async fn guarded(&self, domain: &str) -> Result<Option<Company>, Outage> {
        let pause = Duration::from_secs(self.config.pause_seconds);
        {
            let mut breaker = self.breaker.lock();
            let now = self.clock.now();
            match breaker.open_until {
                Some(until) if now < until => return Err(down("it failed too often and is left alone for a while")),
                // Whoever comes first tries; others wait for what comes of it.
                Some(_) => breaker.open_until = Some(now.saturating_add(pause).unwrap_or(now)),
                None => {}
            }
        }
        let answer = self.ask(domain).await;
        let mut breaker = self.breaker.lock();
        if answer.is_ok() {
            *breaker = Breaker::default();
        } else {
            breaker.failures += 1;
            if breaker.failures >= self.config.failures {
                let now = self.clock.now();
                breaker.open_until = Some(now.saturating_add(pause).unwrap_or(now));
            }
        }
        answer
    }
}

impl CompanyRegistry for HttpRegistry {
    async fn find(&mut self, domains: &[String]) -> Result<HashMap<String, Company>, Outage> {
        let mut found = HashMap::new();
        for domain in domains {
            if let Some(company) = self.find_one(domain).await? {
                found.insert(domain.clone(), company);
            }
        }
        Ok(found)
    }
}

fn down(why: &str) -> Outage {
    Outage::Down(why.to_owned())
}
