//! `webhook_rate` and `webhook_isolation`: from a fact to the endpoint of a system outside, attempt written down.

mod sink;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jiff::Timestamp;
use prost::Message as _;
use reflex_events::{NewEvent, outbox};
use reflex_pg::Database;
use reflex_proto::{
    leads::v1::LeadQueued,
    notifications::v1::{
        PauseSubscriptionRequest, PutSubscriptionRequest, ResumeSubscriptionRequest, Subscription,
        subscription_service_client::SubscriptionServiceClient,
    },
};
use reflex_rpc::identity::Role;
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_signatures::standard_webhooks::{ID_HEADER, Keys, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use reflex_tenancy::{TenantId, TenantSet};
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::sink::Sink;
use super::{
    ground::Ground,
    measured::{Latencies, Measured},
    rounds::Contest,
    services::AllServices,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KIND: &str = "reflex.leads.v1.LeadQueued";
const EVENT_TYPE: &str = "lead.queued.v1";
/// Facts a second of span: 9,000 in a full round.
const FACTS_PER_SECOND: u128 = 3_000;
/// Facts written together.
const CHUNK: usize = 500;
/// Tenants with one subscription each, among whom the facts are shared out.
const TENANTS: usize = 8;
/// Requests that the bare loop keeps in flight: as many as ours may.
const IN_FLIGHT: usize = 16 * TENANTS;
/// How long everything may take to arrive.
const LIMIT: Duration = Duration::from_mins(1);
/// Endpoints that are well.
const HEALTHY: usize = 98;
/// Facts a second of the even load; each goes to every endpoint.
const EVEN_LOAD: u32 = 8;

/// The services with endpoints outside.
struct Outside {
    services: AllServices,
    leads: Database,
    sink: Sink,
}

impl Outside {
    async fn start(ground: &Ground) -> anyhow::Result<Self> {
        Ok(Self {
            services: AllServices::start(ground).await?,
            leads: Database::connect(&ground.places.leads)?,
            sink: Sink::start().await?,
        })
    }

    fn client(&self, tenant: &TenantId) -> SubscriptionServiceClient<crate::suite::Wire> {
        SubscriptionServiceClient::new(self.services.suite.notifications(tenant, Role::Admin, None))
    }

    async fn subscribe(&self, tenant: &TenantId, name: &str, endpoint: String) -> anyhow::Result<()> {
        let subscription = Subscription {
            name: format!("subscriptions/{name}"),
            endpoint,
            event_types: vec![EVENT_TYPE.to_owned()],
            secret: SECRET.to_owned(),
            ..Subscription::default()
        };
        let request = PutSubscriptionRequest {
            subscription: Some(subscription),
            request_id: SystemIds.next().to_string(),
        };
        self.client(tenant).put_subscription(request).await?;
        Ok(())
    }

    /// Writes facts into the outbox of leads, with one commit.
    async fn tell(&self, facts: &[NewEvent]) -> anyhow::Result<()> {
        let tenants: TenantSet = facts.iter().map(|fact| fact.tenant.clone()).collect();
        let mut tx = self.leads.begin("tell", &tenants).await?;
        for chunk in facts.chunks(CHUNK) {
            outbox::push(&mut tx, chunk).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Waits until so many events have arrived.
    async fn arrived(&self, count: usize) {
        let started = Instant::now();
        while self.sink.count() < count && started.elapsed() < LIMIT {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until what arrived is written down.
    async fn written(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let waits: bool = sqlx::query_scalar("select exists (select from deliveries where state = 'pending')")
                .fetch_one(&self.services.notifications)
                .await?;
            if !waits {
                return Ok(());
            }
            ensure!(
                started.elapsed() < LIMIT,
                "deliveries are still pending after {LIMIT:?}"
            );
            sleep(Duration::from_millis(2)).await;
        }
    }
}

fn fact(tenant: &TenantId) -> NewEvent {
    let id = SystemIds.next();
    let subject = format!("leads/{id}");
    let message = LeadQueued {
        lead: subject.clone(),
        number: "L-20261125-0001".to_owned(),
        reason: "at_capacity".to_owned(),
        team: "teams/sales".to_owned(),
    };
    NewEvent {
        tenant: tenant.clone(),
        id,
        kind: KIND,
        subject,
        time: Timestamp::now(),
        traceparent: None,
        causation_id: None,
        data: message.encode_to_vec(),
    }
}

/// `webhook_rate`.
pub(super) struct WebhookRate {
    outside: Outside,
    tenants: Vec<TenantId>,
    client: Client<HttpConnector, Full<Bytes>>,
    keys: Keys,
}

impl WebhookRate {
    pub(super) async fn start(ground: &Ground) -> anyhow::Result<Self> {
        let outside = Outside::start(ground).await?;
        let tenants: Result<Vec<TenantId>, _> = (0..TENANTS)
            .map(|number| format!("bench-hook-{number}").parse())
            .collect();
        let tenants = tenants?;
        for (number, tenant) in tenants.iter().enumerate() {
            let address = outside.sink.address(&format!("/{number}"));
            outside.subscribe(tenant, "sink", address).await?;
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            outside,
            tenants,
            client: Client::builder(TokioExecutor::new()).build(connector),
            keys: Keys::parse(SECRET).context("the secret")?,
        })
    }

    fn facts(&self, span: Duration) -> anyhow::Result<Vec<NewEvent>> {
        let count = usize::try_from(span.as_millis() * FACTS_PER_SECOND / 1_000)?;
        Ok((0..count).map(|number| fact(&self.tenants[number % TENANTS])).collect())
    }

    async fn post(&self, number: usize, fact: &NewEvent) -> anyhow::Result<()> {
        let lead = &fact.subject;
        let body = serde_json::json!({
            "type": EVENT_TYPE, "timestamp": fact.time.to_string(), "id": fact.id.to_string(),
            "tenant": fact.tenant.as_str(), "subject": lead,
            "data": {"lead": lead, "number": "L-20261125-0001", "reason": "at_capacity", "team": "teams/sales"},
        });
        let (id, body, now) = (
            fact.id.to_string(),
            body.to_string().into_bytes(),
            Timestamp::now().as_second(),
        );
        let request = http::Request::post(self.outside.sink.address(&format!("/{}", number % TENANTS)))
            .header(ID_HEADER, &id)
            .header(TIMESTAMP_HEADER, now)
            .header(SIGNATURE_HEADER, self.keys.sign(&id, now, &body))
            .header("content-type", "application/json; charset=utf-8")
            .body(Full::new(Bytes::from(body)))?;
        let response = self.client.request(request).await?;
        ensure!(
            response.status().is_success(),
            "the sink answered {}",
            response.status()
        );
        response.into_body().collect().await?;
        Ok(())
    }

    fn measured(&self, sent: usize, elapsed: Duration) -> Measured {
        let (arrived, doubled) = self.outside.sink.take();
        Measured {
            per_second: Measured::rate(sent, elapsed),
            latencies: Latencies::default(),
            errors: sent.abs_diff(arrived.len()) as u64 + doubled,
        }
    }
}

impl Contest for WebhookRate {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let facts = self.facts(span)?;
        let started = Instant::now();
        let posts = stream::iter(facts.iter().enumerate()).map(|(number, fact)| self.post(number, fact));
        let failed = posts
            .buffer_unordered(IN_FLIGHT)
            .filter(|outcome| std::future::ready(outcome.is_err()))
            .count()
            .await;
        let elapsed = started.elapsed();
        let measured = self.measured(facts.len(), elapsed);
        Ok(Measured {
            errors: measured.errors + failed as u64,
            ..measured
        })
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let facts = self.facts(span)?;
        let started = Instant::now();
        self.outside.tell(&facts).await?;
        self.outside.arrived(facts.len()).await;
        self.outside.written().await?;
        let elapsed = started.elapsed();
        Ok(self.measured(facts.len(), elapsed))
    }

    async fn rest(&self) -> anyhow::Result<()> {
        self.outside.services.rest().await
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.outside.services.stop().await;
        Ok(())
    }
}

/// `webhook_isolation`.
pub(super) struct WebhookIsolation {
    outside: Outside,
    tenant: TenantId,
}

/// Subscriptions whose endpoints are not well.
const ILL: [&str; 2] = ["subscriptions/slow", "subscriptions/dead"];

impl WebhookIsolation {
    pub(super) async fn start(ground: &Ground) -> anyhow::Result<Self> {
        let outside = Outside::start(ground).await?;
        let tenant: TenantId = "bench-isolation".parse()?;
        for number in 0..HEALTHY {
            let address = outside.sink.address(&format!("/{number}"));
            outside
                .subscribe(&tenant, &format!("healthy-{number}"), address)
                .await?;
        }
        outside
            .subscribe(&tenant, "slow", outside.sink.address(sink::SLOW))
            .await?;
        outside.subscribe(&tenant, "dead", sink::nobody().await?).await?;
        Ok(Self { outside, tenant })
    }

    /// Tells facts at an even pace and returns how long each took to each endpoint that is well.
    async fn play(&self, span: Duration) -> anyhow::Result<Measured> {
        let mut told: HashMap<Arc<str>, Instant> = HashMap::new();
        let mut due = interval(Duration::from_secs(1) / EVEN_LOAD);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let started = Instant::now();
        while started.elapsed() < span {
            due.tick().await;
            let fact = fact(&self.tenant);
            told.insert(fact.id.to_string().into(), Instant::now());
            self.outside.tell(&[fact]).await?;
        }
        let sent = told.len() * HEALTHY;
        self.outside.arrived(sent).await;
        let elapsed = started.elapsed();
        let (arrived, doubled) = self.outside.sink.take();
        let took = arrived
            .iter()
            .filter_map(|((_, id), at)| Some(at.duration_since(*told.get(id.as_str())?)));
        let latencies = Latencies::new(took);
        Ok(Measured {
            per_second: Measured::rate(sent, elapsed),
            errors: sent.abs_diff(latencies.count()) as u64 + doubled,
            latencies,
        })
    }
}

impl Contest for WebhookIsolation {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        for name in ILL {
            let request = PauseSubscriptionRequest {
                name: name.to_owned(),
                request_id: SystemIds.next().to_string(),
            };
            self.outside.client(&self.tenant).pause_subscription(request).await?;
        }
        self.play(span).await
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        for name in ILL {
            let request = ResumeSubscriptionRequest {
                name: name.to_owned(),
                request_id: SystemIds.next().to_string(),
            };
            self.outside.client(&self.tenant).resume_subscription(request).await?;
        }
        self.play(span).await
    }

    async fn rest(&self) -> anyhow::Result<()> {
        self.outside.services.rest().await
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.outside.services.stop().await;
        Ok(())
    }
}
