//! `relay`: a full outbox into the streams.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use prost::Message as _;
use redis::{AsyncCommands, aio::MultiplexedConnection};
use reflex_events::{NewEvent, outbox};
use reflex_pg::Database;
use reflex_proto::leads::v1::LeadCaptured;
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::{Connection as _, PgConnection};
use tokio::time::sleep;

use super::{
    floor::{BARE, relay::publish},
    ground::Ground,
    measured::{Latencies, Measured},
    rounds::Contest,
    services::LeadsAlone,
};

/// Facts a second of span: 20,000 in a full round.
const FACTS_PER_SECOND: u128 = 20_000 / 3;
const TENANTS: [&str; 4] = ["bench-east", "bench-south", "bench-west", "bench-north"];
const KIND: &str = "reflex.leads.v1.LeadCaptured";
/// Facts written together.
const CHUNK: usize = 1_000;
/// How long our relay may take.
const DRAIN_LIMIT: Duration = Duration::from_mins(1);
/// Stream of the bare relay.
const STREAM: &str = "bench:relay";

/// `relay`.
pub(super) struct RelayDrain {
    service: LeadsAlone,
    database: Database,
    redis: MultiplexedConnection,
    bare: PgConnection,
}

impl RelayDrain {
    pub(super) async fn start(ground: &Ground) -> anyhow::Result<Self> {
        let service = LeadsAlone::start(ground).await?;
        Ok(Self {
            database: Database::connect(&service.database)?,
            service,
            redis: ground.redis().await?,
            bare: PgConnection::connect_with(&ground.floor(BARE)?).await?,
        })
    }

    /// Fills the outbox of leads with one commit, so that the relay sees everything at once.
    async fn fill_ours(&self, facts: &[NewEvent]) -> anyhow::Result<()> {
        let tenants: TenantSet = facts.iter().map(|fact| fact.tenant.clone()).collect();
        let mut tx = self.database.begin("fill_outbox", &tenants).await?;
        for chunk in facts.chunks(CHUNK) {
            outbox::push(&mut tx, chunk).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn fill_bare(&mut self, facts: &[NewEvent]) -> anyhow::Result<()> {
        let mut tx = self.bare.begin().await?;
        for chunk in facts.chunks(CHUNK) {
            sqlx::query(
                "insert into outbox (tenant_id, event_id, kind, subject, data)
                 select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::bytea[])",
            )
            .bind(chunk.iter().map(|fact| fact.tenant.as_str()).collect::<Vec<_>>())
            .bind(chunk.iter().map(|fact| fact.id).collect::<Vec<_>>())
            .bind(chunk.iter().map(|fact| fact.kind).collect::<Vec<_>>())
            .bind(chunk.iter().map(|fact| fact.subject.as_str()).collect::<Vec<_>>())
            .bind(chunk.iter().map(|fact| fact.data.as_slice()).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Returns how many entries our stream was ever given, over all shards; trimming does not change it.
    async fn count_added(&mut self) -> anyhow::Result<usize> {
        let mut added = 0;
        for key in self.service.stream_keys() {
            if self.redis.exists(key).await? {
                added += entries_added(&mut self.redis, key).await?;
            }
        }
        Ok(added)
    }
}

impl Contest for RelayDrain {
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let facts = facts(span)?;
        let () = self.redis.del(STREAM).await?;
        sqlx::query("truncate outbox").execute(&mut self.bare).await?;
        self.fill_bare(&facts).await?;
        let started = Instant::now();
        while publish(&mut self.bare, &mut self.redis, STREAM).await? > 0 {}
        let elapsed = started.elapsed();
        let length: usize = self.redis.xlen(STREAM).await?;
        Ok(measured(facts.len(), length, elapsed))
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let facts = facts(span)?;
        let before = self.count_added().await?;
        self.fill_ours(&facts).await?;
        let started = Instant::now();
        let mut added = 0;
        while added < facts.len() && started.elapsed() < DRAIN_LIMIT {
            sleep(Duration::from_millis(5)).await;
            added = self.count_added().await? - before;
        }
        let elapsed = started.elapsed();
        // What is published twice would come right after.
        self.service.rest().await?;
        let added = self.count_added().await? - before;
        Ok(measured(facts.len(), added, elapsed))
    }

    async fn rest(&self) -> anyhow::Result<()> {
        self.service.rest().await
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.service.stop().await
    }
}

fn measured(sent: usize, arrived: usize, elapsed: Duration) -> Measured {
    Measured {
        per_second: Measured::rate(sent, elapsed),
        latencies: Latencies::default(),
        errors: sent.abs_diff(arrived) as u64,
    }
}

/// Makes the facts of a round, each about another lead.
fn facts(span: Duration) -> anyhow::Result<Vec<NewEvent>> {
    let count = usize::try_from(span.as_millis() * FACTS_PER_SECOND / 1_000)?;
    let tenants: Vec<TenantId> = TENANTS.iter().map(|tenant| tenant.parse()).collect::<Result<_, _>>()?;
    let time = Timestamp::now();
    let fact = |number: usize| {
        let subject = format!("leads/{}", SystemIds.next());
        let message = LeadCaptured {
            lead: subject.clone(),
            source: "官网".to_owned(),
            capture_time: Some(prost_types::Timestamp {
                seconds: time.as_second(),
                nanos: 0,
            }),
        };
        NewEvent {
            tenant: tenants[number % tenants.len()].clone(),
            id: SystemIds.next(),
            kind: KIND,
            subject,
            time,
            traceparent: None,
            causation_id: None,
            data: message.encode_to_vec(),
        }
    };
    Ok((0..count).map(fact).collect())
}

async fn entries_added(redis: &mut MultiplexedConnection, key: &str) -> anyhow::Result<usize> {
    let mut about: HashMap<String, redis::Value> =
        redis::cmd("XINFO").arg("STREAM").arg(key).query_async(redis).await?;
    let added = about.remove("entries-added").unwrap_or(redis::Value::Nil);
    Ok(redis::from_redis_value(added)?)
}
