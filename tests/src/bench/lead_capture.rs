//! `lead_capture`, `lead_capture_1` and `lead_routed`: leads over gRPC against two bare inserts.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use reflex_proto::leads::v1::{CaptureLeadRequest, lead_service_client::LeadServiceClient};
use reflex_rpc::identity::Role;
use sqlx::{Executor, PgPool};
use uuid::Uuid;

use super::{
    floor::{BARE, BareCapture, pool},
    ground::Ground,
    load::{Caller, closed_loop},
    measured::Measured,
    rounds::Contest,
    sample,
    services::LeadsAlone,
};
use crate::suite::{Wire, set_up};

/// Subsidiaries whose leads come in together.
const TENANTS: [&str; 4] = ["bench-east", "bench-south", "bench-west", "bench-north"];
const MEMBERS: [&str; 8] = [
    "members/an",
    "members/bo",
    "members/chen",
    "members/deng",
    "members/fan",
    "members/gao",
    "members/he",
    "members/jin",
];
/// So many that nobody's leads ever wait.
const CAPACITY: i32 = 100_000;
/// Calls in flight of the crowded goals, over how many connections, and the connections of their limit.
const IN_FLIGHT: usize = 128;
const WIRES: usize = 4;
const LIMIT_IN_FLIGHT: usize = 32;

/// Captures over gRPC and keeps what was acknowledged.
#[derive(Clone)]
pub(super) struct Capture {
    client: LeadServiceClient<Wire>,
    source: String,
    number: usize,
    step: usize,
    /// External id and name of each lead that was acknowledged.
    acknowledged: Vec<(String, String)>,
}

impl Capture {
    /// Makes `count` callers over `wires` connections.
    fn callers(ground: &Ground, url: &str, count: usize, wires: usize) -> anyhow::Result<Vec<Self>> {
        let wires: Vec<Wire> = TENANTS
            .iter()
            .cycle()
            .take(wires)
            .map(|tenant| ground.wire(url, &tenant.parse()?, Role::Integration))
            .collect::<Result<_, _>>()?;
        let caller = |number: usize| Self {
            client: LeadServiceClient::new(wires[number % wires.len()].clone()),
            source: String::new(),
            number,
            step: count,
            acknowledged: Vec::new(),
        };
        Ok((0..count).map(caller).collect())
    }
}

impl Caller for Capture {
    async fn call(&mut self) -> anyhow::Result<()> {
        let lead = sample::lead(&self.source, self.number);
        self.number += self.step;
        let external_id = lead.external_id.clone();
        let request = CaptureLeadRequest {
            lead: Some(lead),
            request_id: String::new(),
        };
        let captured = self.client.capture_lead(request).await?.into_inner();
        anyhow::ensure!(!captured.existed, "{external_id} was there before it was sent");
        self.acknowledged.push((external_id, captured.name));
        Ok(())
    }
}

/// The callers of both sides.
struct Sides<'a> {
    ground: &'a Ground,
    service: LeadsAlone,
    limit: Vec<BareCapture>,
    ours: Vec<Capture>,
}

impl<'a> Sides<'a> {
    async fn start(ground: &'a Ground, limit: usize, ours: usize, wires: usize) -> anyhow::Result<Self> {
        let service = LeadsAlone::start(ground).await?;
        for tenant in TENANTS {
            let wire = ground.wire(&service.url, &tenant.parse()?, Role::Admin)?;
            set_up(wire, &MEMBERS, CAPACITY).await;
        }
        let bare = ground.floor(BARE)?;
        pool(bare.clone(), 1).await?.execute("truncate leads, outbox").await?;
        Ok(Self {
            ground,
            limit: BareCapture::callers(&bare, limit).await?,
            ours: Capture::callers(ground, &service.url, ours, wires)?,
            service,
        })
    }

    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let source = self.ground.new_source();
        for caller in &mut self.limit {
            caller.set_source(&source);
        }
        let (callers, measured) = closed_loop(std::mem::take(&mut self.limit), span).await?;
        self.limit = callers;
        Ok(measured)
    }

    /// Returns what was measured, the source of this round's leads, and the acknowledged ones.
    async fn ours(&mut self, span: Duration) -> anyhow::Result<(Measured, String, Vec<(String, String)>)> {
        let source = self.ground.new_source();
        for caller in &mut self.ours {
            caller.source.clone_from(&source);
        }
        let (callers, measured) = closed_loop(std::mem::take(&mut self.ours), span).await?;
        self.ours = callers;
        let acknowledged = self
            .ours
            .iter_mut()
            .flat_map(|caller| std::mem::take(&mut caller.acknowledged));
        let acknowledged = acknowledged.collect();
        Ok((measured, source, acknowledged))
    }
}

/// Counts acknowledged leads that are not there exactly once.
pub(super) async fn count_wrong(
    leads: &PgPool,
    source: &str,
    acknowledged: &[(String, String)],
) -> anyhow::Result<u64> {
    let rows: Vec<(String, Uuid)> = sqlx::query_as("select external_id, lead_id from leads where source = $1")
        .bind(source)
        .fetch_all(leads)
        .await?;
    let mut stored: HashMap<String, Vec<String>> = HashMap::new();
    for (external_id, lead_id) in rows {
        stored.entry(external_id).or_default().push(format!("leads/{lead_id}"));
    }
    let is_wrong = |(external_id, name): &&(String, String)| {
        stored
            .get(external_id)
            .is_none_or(|names| names.as_slice() != std::slice::from_ref(name))
    };
    Ok(acknowledged.iter().filter(is_wrong).count() as u64)
}

/// `lead_capture` and `lead_capture_1`.
pub(super) struct LeadCapture<'a>(Sides<'a>);

impl<'a> LeadCapture<'a> {
    /// With many calls at once.
    pub(super) async fn crowded(ground: &'a Ground) -> anyhow::Result<Self> {
        Ok(Self(Sides::start(ground, LIMIT_IN_FLIGHT, IN_FLIGHT, WIRES).await?))
    }

    /// With one call at a time.
    pub(super) async fn alone(ground: &'a Ground) -> anyhow::Result<Self> {
        Ok(Self(Sides::start(ground, 1, 1, 1).await?))
    }
}

impl Contest for LeadCapture<'_> {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        self.0.limit(span).await
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let (mut measured, source, acknowledged) = self.0.ours(span).await?;
        measured.errors += count_wrong(&self.0.service.owner, &source, &acknowledged).await?;
        Ok(measured)
    }

    async fn rest(&self) -> anyhow::Result<()> {
        self.0.service.rest().await
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.0.service.stop().await
    }
}

/// `lead_routed`.
pub(super) struct LeadRouted<'a>(Sides<'a>);

impl<'a> LeadRouted<'a> {
    pub(super) async fn start(ground: &'a Ground) -> anyhow::Result<Self> {
        Ok(Self(Sides::start(ground, LIMIT_IN_FLIGHT, IN_FLIGHT, WIRES).await?))
    }
}

impl Contest for LeadRouted<'_> {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        self.0.limit(span).await
    }

    /// The rate is that of the whole way: from the first capture to the last lead that has its owner and its clock.
    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let started = Instant::now();
        let (mut measured, source, acknowledged) = self.0.ours(span).await?;
        let leads = &self.0.service.owner;
        while sqlx::query_scalar("select exists (select from leads where state = 'captured')")
            .fetch_one(leads)
            .await?
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        measured.per_second = Measured::rate(acknowledged.len(), started.elapsed());
        measured.errors += count_wrong(leads, &source, &acknowledged).await?;
        measured.errors += count_unrouted(leads, &source).await?;
        Ok(measured)
    }

    async fn rest(&self) -> anyhow::Result<()> {
        self.0.service.rest().await
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.0.service.stop().await
    }
}

/// Counts leads without owner, with another number of decisions than one, or without a running clock.
async fn count_unrouted(leads: &PgPool, source: &str) -> anyhow::Result<u64> {
    let unrouted: i64 = sqlx::query_scalar(
        "select count(*) from leads l
         where l.source = $1 and (l.state <> 'assigned'
             or (select count(*) from routing_decisions d
                 where d.tenant_id = l.tenant_id and d.lead_id = l.lead_id) <> 1
             or not exists (select from timers t
                 where t.tenant_id = l.tenant_id and t.kind = 'claim_due'
                     and t.key = 'leads/' || l.lead_id || '/' || l.fencing_token))",
    )
    .bind(source)
    .fetch_one(leads)
    .await?;
    Ok(u64::try_from(unrouted).unwrap_or(0))
}
