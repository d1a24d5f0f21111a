//! `reflexctl webhooks send`: signs a body and posts it, as a sender would.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use reflex_runtime::clock::{Clock as _, SystemClock};
use reflex_signatures::standard_webhooks::{ID_HEADER, Keys, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use serde_json::{Value, json};

use crate::commands::request_id;
use crate::output::Output;

const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Signs a body as Standard Webhooks has it, posts it to a gateway, and shows the answer.
#[derive(Debug, Args)]
#[command(after_help = "\
JSON: {\"status\": HTTP status, \"id\": the webhook-id, \"answer\": what came back}

Example:
  reflexctl webhooks send --url 'http://localhost:8080/v1/webhooks/baidu?tenant=huadong' --body lead.json")]
pub(super) struct Send {
    /// Address of the source at the gateway, the tenant included.
    #[arg(long)]
    url: http::Uri,
    /// The source's secret, \"whsec_…\".
    #[arg(long, env = "REFLEX_WEBHOOK_SECRET", hide_env_values = true)]
    secret: String,
    /// The body, sent byte for byte.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// Id of the message, for a repetition; a new one if left out.
    #[arg(long)]
    id: Option<String>,
}

impl Send {
    pub(super) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let keys = Keys::parse(&self.secret).context("the secret must be whsec_ and the base64 of 24 to 64 bytes")?;
        let body = fs::read(&self.body).with_context(|| format!("{} cannot be read", self.body.display()))?;
        let id = self.id.clone().unwrap_or_else(request_id);
        let (status, answer) = self.post(&keys, &id, body).await?;
        let read: Value = serde_json::from_str(&answer).unwrap_or_else(|_| Value::from(answer.as_str()));
        if !status.is_success() {
            let detail = read.get("detail").and_then(Value::as_str).unwrap_or(&answer);
            bail!("the gateway answered {status}: {detail}{}", places(&read));
        }
        let object = json!({"status": status.as_u16(), "id": id, "answer": read});
        output.object(&object, || {
            let number = read.get("number").and_then(Value::as_str).unwrap_or_default();
            format!("{status}: {number} (webhook-id {id})")
        })?;
        Ok(())
    }

    async fn post(&self, keys: &Keys, id: &str, body: Vec<u8>) -> anyhow::Result<(StatusCode, String)> {
        let now = SystemClock::new().now().as_second();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ID_HEADER, id)
            .header(TIMESTAMP_HEADER, now)
            .header(SIGNATURE_HEADER, keys.sign(id, now, &body))
            .body(Full::new(Bytes::from(body)))
            .context("the address or the id cannot be sent")?;
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let exchange = async {
            let answer = client.request(request).await.context("the gateway is not reachable")?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?;
            Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .context("no answer in time")?
    }
}

/// Lists the places of the body that a problem names.
fn places(problem: &Value) -> String {
    let violations = problem.get("violations").and_then(Value::as_array);
    let violations = violations.map(Vec::as_slice).unwrap_or_default();
    if violations.len() < 2 {
        // The detail names a single one.
        return String::new();
    }
    let part = |violation: &Value, name: &str| {
        violation
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let said = violations
        .iter()
        .map(|it| format!("{} {}", part(it, "field"), part(it, "description")));
    format!(": {}", said.collect::<Vec<_>>().join("; "))
}
