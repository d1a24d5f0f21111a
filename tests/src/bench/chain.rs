//! `capture_to_notified` and `chain_saturated`: from a lead that comes in to the owner's inbox, over both services.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use reflex_proto::{
    leads::v1::{CaptureLeadRequest, lead_service_client::LeadServiceClient},
    notifications::v1::{WatchInboxRequest, inbox_service_client::InboxServiceClient},
};
use reflex_rpc::identity::Role;
use reflex_tenancy::TenantId;
use tokio::task::JoinSet;

use super::{
    arrivals::Arrivals,
    floor::chain::BareChain,
    ground::Ground,
    lead_capture::count_wrong,
    load::{Caller, closed_loop, open_loop},
    measured::Measured,
    rounds::Contest,
    sample,
    services::AllServices,
};
use crate::suite::{Suite, Wire};

const TENANT: &str = "bench-chain";
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
/// Leads a second of the even load.
const EVEN_LOAD: u32 = 50;
/// Leads in flight of the saturated chain, and over how many connections.
const IN_FLIGHT: usize = 32;
const WIRES: usize = 4;

/// Sends a lead and waits until it comes out at the far end.
#[derive(Clone)]
struct Chained {
    client: LeadServiceClient<Wire>,
    arrivals: Arrivals,
    source: Arc<str>,
    numbers: Arc<AtomicUsize>,
    /// External id and name of each lead that was acknowledged.
    acknowledged: Arc<Mutex<Vec<(String, String)>>>,
}

impl Chained {
    fn acknowledged(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller for Chained {
    async fn call(&mut self) -> anyhow::Result<()> {
        let lead = sample::lead(&self.source, self.numbers.fetch_add(1, Ordering::Relaxed));
        let external_id = lead.external_id.clone();
        let request = CaptureLeadRequest {
            lead: Some(lead),
            request_id: String::new(),
        };
        let name = self.client.capture_lead(request).await?.into_inner().name;
        self.acknowledged().push((external_id, name.clone()));
        self.arrivals.wait_for(&name).await;
        Ok(())
    }
}

/// Both chains, running.
struct Chains<'a> {
    ground: &'a Ground,
    services: AllServices,
    bare: BareChain,
    bare_wires: Vec<Wire>,
    our_wires: Vec<Wire>,
    our_arrivals: Arrivals,
    _watching: JoinSet<()>,
}

impl<'a> Chains<'a> {
    async fn start(ground: &'a Ground) -> anyhow::Result<Self> {
        let tenant: TenantId = TENANT.parse()?;
        let services = AllServices::start(ground).await?;
        services.suite.set_up(&tenant, &MEMBERS, CAPACITY).await;
        let bare = BareChain::start(ground).await?;
        let our_arrivals = Arrivals::default();
        let wires = |url: &str| -> anyhow::Result<Vec<Wire>> {
            (0..WIRES)
                .map(|_| ground.wire(url, &tenant, Role::Integration))
                .collect()
        };
        Ok(Self {
            bare_wires: wires(&bare.url)?,
            our_wires: wires(&services.suite.leads_url())?,
            _watching: watch_inboxes(&services.suite, &tenant, &our_arrivals).await?,
            ground,
            services,
            bare,
            our_arrivals,
        })
    }

    /// Returns callers of one side, which number their leads together.
    fn callers(&self, count: usize, wires: &[Wire], arrivals: &Arrivals) -> Vec<Chained> {
        let first = Chained {
            client: LeadServiceClient::new(wires[0].clone()),
            arrivals: arrivals.clone(),
            source: self.ground.new_source().into(),
            numbers: Arc::default(),
            acknowledged: Arc::default(),
        };
        let caller = |number: usize| Chained {
            client: LeadServiceClient::new(wires[number % wires.len()].clone()),
            ..first.clone()
        };
        (0..count).map(caller).collect()
    }

    fn bare_callers(&self, count: usize) -> Vec<Chained> {
        self.callers(count, &self.bare_wires, &self.bare.arrivals)
    }

    fn our_callers(&self, count: usize) -> Vec<Chained> {
        self.callers(count, &self.our_wires, &self.our_arrivals)
    }

    fn count_bare_errors(&self) -> u64 {
        self.bare.arrivals.take_doubled()
    }

    /// Counts leads and messages that are not there exactly once.
    async fn count_our_errors(&self, caller: &Chained) -> anyhow::Result<u64> {
        let acknowledged = caller.acknowledged().clone();
        let wrong_leads = count_wrong(&self.services.leads, &caller.source, &acknowledged).await?;
        let names: Vec<&str> = acknowledged.iter().map(|(_, name)| name.as_str()).collect();
        let messages: Vec<(String, i64)> = sqlx::query_as(
            "select subject, count(*) from messages
             where tenant_id = $1 and channel = 'inbox' and subject = any ($2) group by subject",
        )
        .bind(TENANT)
        .bind(&names)
        .fetch_all(&self.services.notifications)
        .await?;
        let messages: HashMap<String, i64> = messages.into_iter().collect();
        let wrong_messages = names.iter().filter(|name| messages.get(**name) != Some(&1)).count();
        Ok(wrong_leads + wrong_messages as u64 + self.our_arrivals.take_doubled())
    }
}

/// Watches every member's inbox, from before this returns.
async fn watch_inboxes(suite: &Suite, tenant: &TenantId, arrivals: &Arrivals) -> anyhow::Result<JoinSet<()>> {
    let wire = suite.notifications(tenant, Role::Manager, None);
    let mut watching = JoinSet::new();
    for member in MEMBERS {
        let mut watch = Watch {
            client: InboxServiceClient::new(wire.clone()),
            request: WatchInboxRequest {
                recipient: member.to_owned(),
                resume_token: String::new(),
            },
            arrivals: arrivals.clone(),
        };
        let mut items = watch.begin().await.context("watching an inbox")?;
        watching.spawn(async move {
            loop {
                watch.follow(items).await;
                match watch.begin().await {
                    Ok(again) => items = again,
                    Err(status) => {
                        eprintln!("    an inbox cannot be watched any more: {status}");
                        return;
                    }
                }
            }
        });
    }
    Ok(watching)
}

/// One member's inbox.
struct Watch {
    client: InboxServiceClient<Wire>,
    request: WatchInboxRequest,
    arrivals: Arrivals,
}

type Items = tonic::Streaming<reflex_proto::notifications::v1::WatchInboxResponse>;

impl Watch {
    async fn begin(&mut self) -> Result<Items, tonic::Status> {
        Ok(self.client.watch_inbox(self.request.clone()).await?.into_inner())
    }

    /// Notes items until the stream ends, as streams do from time to time.
    async fn follow(&mut self, mut items: Items) {
        while let Ok(Some(news)) = items.message().await {
            self.request.resume_token = news.resume_token;
            if let Some(item) = news.item {
                self.arrivals.note(&item.subject);
            }
        }
    }
}

/// `capture_to_notified`.
pub(super) struct CaptureToNotified<'a>(Chains<'a>);

impl<'a> CaptureToNotified<'a> {
    pub(super) async fn start(ground: &'a Ground) -> anyhow::Result<Self> {
        Ok(Self(Chains::start(ground).await?))
    }
}

impl Contest for CaptureToNotified<'_> {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let callers = self.0.bare_callers(1);
        let mut measured = open_loop(&callers[0], EVEN_LOAD, span).await?;
        measured.errors += self.0.count_bare_errors();
        Ok(measured)
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let callers = self.0.our_callers(1);
        let mut measured = open_loop(&callers[0], EVEN_LOAD, span).await?;
        measured.errors += self.0.count_our_errors(&callers[0]).await?;
        Ok(measured)
    }

    async fn rest(&self) -> anyhow::Result<()> {
        self.0.services.rest().await
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.0.services.stop().await;
        Ok(())
    }
}

/// `chain_saturated`.
pub(super) struct ChainSaturated<'a>(Chains<'a>);

impl<'a> ChainSaturated<'a> {
    pub(super) async fn start(ground: &'a Ground) -> anyhow::Result<Self> {
        Ok(Self(Chains::start(ground).await?))
    }
}

impl Contest for ChainSaturated<'_> {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let (_, mut measured) = closed_loop(self.0.bare_callers(IN_FLIGHT), span).await?;
        measured.errors += self.0.count_bare_errors();
        Ok(measured)
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let (callers, mut measured) = closed_loop(self.0.our_callers(IN_FLIGHT), span).await?;
        measured.errors += self.0.count_our_errors(&callers[0]).await?;
        Ok(measured)
    }

    async fn rest(&self) -> anyhow::Result<()> {
        self.0.services.rest().await
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.0.services.stop().await;
        Ok(())
    }
}
