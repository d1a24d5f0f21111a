//! People who want something: they fill in forms, all at once.

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, bail};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use reflex_proto::leads::v1::{ListFormsRequest, form_service_client::FormServiceClient};
use reflex_tenancy::TenantId;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{patience::patiently, stage::Stage};

/// Connections that post at the same time.
const CONNECTIONS: usize = 64;
/// How often a post that was asked to wait is sent again.
const PATIENCE: usize = 10;
/// Form of those who did not fill one in: whoever took the call does it for them.
const HOTLINE_FORM: &str = "forms/website";

/// A row of the leads file, posted under the names that a Chinese page gives its fields.
#[derive(Debug, Deserialize, Serialize)]
struct Row {
    #[serde(skip_serializing)]
    tenant: String,
    #[serde(skip_serializing)]
    form: String,
    external_id: String,
    #[serde(rename(serialize = "来源渠道"))]
    source: String,
    #[serde(rename(serialize = "公司"))]
    company: String,
    #[serde(rename(serialize = "联系人"))]
    contact_name: String,
    #[serde(rename(serialize = "职务"))]
    title: String,
    #[serde(rename(serialize = "手机"))]
    phone: String,
    #[serde(rename(serialize = "电话"))]
    landline: String,
    #[serde(rename(serialize = "邮箱"))]
    email: String,
    #[serde(rename(serialize = "地区"))]
    territory: String,
    #[serde(rename(serialize = "产品"))]
    product: String,
    #[serde(rename(serialize = "紧急程度"))]
    urgency: String,
    #[serde(rename(serialize = "最低预算"))]
    budget_min: String,
    #[serde(rename(serialize = "最高预算"))]
    budget_max: String,
    #[serde(rename(serialize = "备注"))]
    remark: String,
    #[serde(rename(serialize = "登记时间"))]
    created_at: String,
}

/// What a page got back.
#[derive(Debug, Deserialize)]
struct Accepted {
    number: String,
    name: String,
    existed: bool,
}

/// A form that was taken.
#[derive(Debug)]
pub(super) struct Post {
    /// Whose customer it is.
    pub(super) tenant: TenantId,
    /// The lead it became.
    pub(super) name: String,
    /// Its number.
    pub(super) number: String,
    /// Whether the gateway says that it knew the lead already.
    pub(super) existed: bool,
    /// How long the page waited.
    pub(super) latency: Duration,
}

/// What became of all forms.
#[derive(Debug)]
pub(super) struct Posts {
    /// How many were sent.
    pub(super) sent: usize,
    /// Those that were taken.
    pub(super) taken: Vec<Post>,
    /// Why others were not.
    pub(super) refused: Vec<String>,
    /// How long it took to send all of them.
    pub(super) elapsed: Duration,
}

/// Where the forms are posted.
struct Website {
    client: Client<HttpConnector, Full<Bytes>>,
    gateway_url: String,
    /// Write keys of the forms.
    keys: HashMap<(String, String), String>,
}

/// Posts every row of a file.
pub(super) async fn post_all(stage: &Stage, file: &Path) -> anyhow::Result<Posts> {
    let mut reader = csv::Reader::from_path(file).with_context(|| format!("cannot read {}", file.display()))?;
    let rows = reader
        .deserialize()
        .collect::<Result<Vec<Row>, _>>()
        .context("the leads file")?;
    let website = Website {
        client: Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(CONNECTIONS)
            .build(connector()),
        gateway_url: stage.gateway_url().to_owned(),
        keys: write_keys(stage).await?,
    };
    stage.tell(&format!("posting {} forms over {CONNECTIONS} connections", rows.len()));
    let start = Instant::now();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let visitor = async || {
        let mut outcomes = Vec::new();
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = website.post(row).await.with_context(|| row.external_id.clone());
            outcomes.push(outcome.map_err(|error| format!("{error:#}")));
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(500) {
                stage.tell(&format!("posted {done}"));
            }
        }
        outcomes
    };
    let outcomes = futures_util::future::join_all((0..CONNECTIONS).map(|_| visitor())).await;
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for outcome in outcomes.into_iter().flatten() {
        match outcome {
            Ok(post) => taken.push(post),
            Err(reason) => refused.push(reason),
        }
    }
    Ok(Posts {
        sent: rows.len(),
        taken,
        refused,
        elapsed: start.elapsed(),
    })
}

impl Website {
    async fn post(&self, row: &Row) -> anyhow::Result<Post> {
        let form = if row.form.is_empty() { HOTLINE_FORM } else { &row.form };
        let key = self
            .keys
            .get(&(row.tenant.clone(), form.to_owned()))
            .context("the form does not exist")?;
        let body = Bytes::from(serde_json::to_vec(row)?);
        for _ in 0..PATIENCE {
            let request = Request::post(format!("{}/v1/{form}", self.gateway_url))
                .header("x-write-key", key)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(body.clone()))?;
            let start = Instant::now();
            let response = self.client.request(request).await?;
            let latency = start.elapsed();
            let (head, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            match head.status {
                StatusCode::ACCEPTED => {
                    let Accepted { number, name, existed } = serde_json::from_slice(&body)?;
                    return Ok(Post {
                        tenant: row.tenant.parse()?,
                        name,
                        number,
                        existed,
                        latency,
                    });
                }
                // The answer says when to come back; the lead's own id makes that harmless.
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    let asked = head
                        .headers
                        .get(header::RETRY_AFTER)
                        .and_then(|value| value.to_str().ok()?.parse().ok());
                    sleep(Duration::from_secs(asked.unwrap_or(1))).await;
                }
                status => bail!("answered {status}: {}", String::from_utf8_lossy(&body)),
            }
        }
        bail!("was asked to wait {PATIENCE} times")
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

async fn write_keys(stage: &Stage) -> anyhow::Result<HashMap<(String, String), String>> {
    let mut keys = HashMap::new();
    for tenant in stage.tenants() {
        let request = ListFormsRequest {
            page_size: 500,
            ..ListFormsRequest::default()
        };
        let client = FormServiceClient::new(stage.leads(tenant)?);
        let forms = patiently(async || client.clone().list_forms(request.clone()).await)
            .await?
            .forms;
        keys.extend(
            forms
                .into_iter()
                .map(|form| ((tenant.to_string(), form.name), form.write_key)),
        );
    }
    Ok(keys)
}
