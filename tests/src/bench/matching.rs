//! `match_one` and `match_bulk`: one lead compared with all that are stored, through the service, and a whole list of leads
//! compared with itself, beside Splink over the same leads.
//!
//! What ours needs is told also where Splink is not installed.

mod leads;
mod splink;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use reflex_matching::{Field, Model, Record, Values, Weights, find};
use reflex_proto::leads::v1::{CheckLeadRequest, duplicate_service_client::DuplicateServiceClient};
use reflex_rpc::identity::Role;
use reflex_tenancy::TenantId;
use sqlx::{Executor as _, PgConnection};

use self::{
    leads::{Customer, Customers},
    splink::Splink,
};
use super::{
    ground::Ground,
    measured::{Latencies, Measured},
    rounds::Contest,
    services::LeadsAlone,
};
use crate::suite::Wire;

const TENANT: &str = "bench-match";
/// Leads of the list.
const LISTED: usize = 100_000;

/// `match_one`.
pub(super) struct MatchOne {
    service: LeadsAlone,
    client: DuplicateServiceClient<Wire>,
    asked: Vec<Customer>,
    next: usize,
    splink: Splink,
}

impl MatchOne {
    /// Stores so many leads and starts the peer over them; none where it is not installed.
    pub(super) async fn start(ground: &Ground, count: usize) -> anyhow::Result<Option<Self>> {
        let service = LeadsAlone::start(ground).await?;
        let tenant: TenantId = format!("{TENANT}-{count}").parse()?;
        let started = Instant::now();
        let mut owner = service.owner.acquire().await?;
        store(&mut owner, &tenant, count).await?;
        drop(owner);
        eprintln!("  {count} leads stored in {:.0?}", started.elapsed());
        let wire = ground.wire(&service.url, &tenant, Role::Sales)?;
        let mut client = DuplicateServiceClient::new(wire);
        let asked: Vec<Customer> = Customers::of(count)
            .step_by(count / 1_000)
            .map(Customer::again)
            .collect();
        let told = ask(&mut client, asked.iter()).await?;
        let (half, most) = (told.latencies.percentile(50), told.latencies.percentile(99));
        eprintln!(
            "  ours: p50 {half} µs, p99 {most} µs, {} of {} not found",
            told.errors,
            asked.len()
        );
        let Some(splink) = Splink::start(Customers::of(count.min(LISTED)), "one").await? else {
            service.stop().await?;
            return Ok(None);
        };
        Ok(Some(Self {
            service,
            client,
            asked,
            next: 0,
            splink,
        }))
    }
}

impl Contest for MatchOne {
    /// Splink looks leads up among at most 100,000.
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        self.splink.look_up(span).await
    }

    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let started = Instant::now();
        let (mut times, mut errors) = (Vec::new(), 0);
        while started.elapsed() < span {
            let customer = &self.asked[self.next % self.asked.len()];
            self.next += 1;
            let asked = Instant::now();
            let answer = self.client.check_lead(customer.request()).await;
            times.push(asked.elapsed());
            errors += u64::from(answer.is_err());
        }
        Ok(Measured {
            per_second: Measured::rate(times.len(), started.elapsed()),
            latencies: Latencies::new(times),
            errors,
        })
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.service.stop().await
    }
}

/// Asks for each once; an error is a call that failed or a customer that was not found.
async fn ask(
    client: &mut DuplicateServiceClient<Wire>,
    asked: impl Iterator<Item = &Customer>,
) -> anyhow::Result<Measured> {
    let started = Instant::now();
    let (mut times, mut errors) = (Vec::new(), 0);
    for customer in asked {
        let sent = Instant::now();
        let answer = client.check_lead(customer.request()).await?.into_inner();
        times.push(sent.elapsed());
        errors += u64::from(answer.candidates.is_empty());
    }
    Ok(Measured {
        per_second: Measured::rate(times.len(), started.elapsed()),
        latencies: Latencies::new(times),
        errors,
    })
}

impl Customer {
    fn request(&self) -> CheckLeadRequest {
        CheckLeadRequest {
            company: self.company.clone(),
            contact_name: self.contact.clone(),
            phone: self.mobile.clone(),
            email: self.email.clone(),
            city: self.city.clone(),
            ..CheckLeadRequest::default()
        }
    }
}

/// Leads of a piece of COPY.
const PIECE: usize = 20_000;

/// Stores closed leads with the keys that the service would give them.
async fn store(owner: &mut PgConnection, tenant: &TenantId, count: usize) -> anyhow::Result<()> {
    let stored: i64 = sqlx::query_scalar("select count(*) from leads where tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_one(&mut *owner)
        .await?;
    ensure!(stored == 0, "the leads of {tenant} are stored already");
    let mut customers = Customers::of(count).enumerate().peekable();
    while customers.peek().is_some() {
        let mut tables = leads::Rows::default();
        for (number, customer) in customers.by_ref().take(PIECE) {
            tables.add(tenant, number, &customer);
        }
        for (statement, rows) in tables.copies() {
            let mut copy = owner.copy_in_raw(statement).await?;
            copy.send(rows.into_bytes()).await?;
            copy.finish().await?;
        }
    }
    for table in ["leads", "duplicate_records", "duplicate_keys"] {
        owner
            .execute(sqlx::AssertSqlSafe(format!("vacuum analyze {table}")))
            .await?;
    }
    Ok(())
}

/// `match_bulk`.
pub(super) struct MatchBulk {
    splink: Splink,
}

impl MatchBulk {
    /// Compares the list once, and starts the peer over it; none where it is not installed.
    pub(super) async fn start() -> anyhow::Result<Option<Self>> {
        let measured = tokio::task::spawn_blocking(deduplicate).await??;
        eprintln!("  ours: {:.0} records per CPU second", measured.per_second);
        Ok(Splink::start(Customers::of(LISTED), "bulk")
            .await?
            .map(|splink| Self { splink }))
    }
}

impl Contest for MatchBulk {
    async fn limit(&mut self, _span: Duration) -> anyhow::Result<Measured> {
        self.splink.deduplicate(LISTED).await
    }

    async fn ours(&mut self, _span: Duration) -> anyhow::Result<Measured> {
        tokio::task::spawn_blocking(deduplicate).await?
    }
}

/// Reads and compares the whole list on one thread.
fn deduplicate() -> anyhow::Result<Measured> {
    let listed: Vec<Customer> = Customers::of(LISTED).collect();
    let before = cpu_time()?;
    let records: Vec<Record> = listed.iter().map(|customer| Record::read(&customer.values())).collect();
    let found = find(&records, Model::Leads, &Weights::default(), |_| {});
    let spent = cpu_time()?.saturating_sub(before);
    // One in four comes again.
    let few = u64::from(found.pairs.len() < LISTED / 10);
    Ok(Measured {
        per_second: Measured::rate(LISTED, spent),
        latencies: Latencies::default(),
        errors: few,
    })
}

/// Returns how long this thread has run.
fn cpu_time() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().context("no time is told")?.parse()?;
    Ok(Duration::from_nanos(nanos))
}

impl Customer {
    fn values(&self) -> Values {
        Values::default()
            .with(Field::Company, &self.company)
            .with(Field::Contact, &self.contact)
            .with(Field::Mobile, &self.mobile)
            .with(Field::Email, &self.email)
            .with(Field::City, &self.city)
    }
}
