//! The bare chain: gRPC → two inserts → relay, woken in memory → stream → blocked reader → message row.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use redis::{
    AsyncCommands,
    aio::MultiplexedConnection,
    streams::{StreamReadOptions, StreamReadReply},
};
use reflex_proto::leads::v1::{
    CaptureLeadRequest, CaptureLeadResponse, CloseLeadRequest, CloseLeadResponse, GetLeadRequest, GetLeadResponse,
    ListLeadsRequest, ListLeadsResponse, StreamCaptureLeadsRequest, StreamCaptureLeadsResponse, WatchLeadsRequest,
    WatchLeadsResponse,
    lead_service_server::{LeadService, LeadServiceServer},
};
use reflex_runtime::ids::{IdSource as _, SystemIds};
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet, time::timeout};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};
use uuid::Uuid;

use super::{BARE, insert_both, pool, relay::publish};
use crate::bench::{arrivals::Arrivals, ground::Ground};

/// As many as a service of ours has.
const CONNECTIONS: u32 = 16;
const STREAM: &str = "bench:chain";
const GROUP: &str = "bench";
/// How long the relay sleeps unless it is woken.
const POLL: Duration = Duration::from_millis(25);

/// The running chain; ends with this value.
pub(in crate::bench) struct BareChain {
    /// Where it takes leads.
    pub(in crate::bench) url: String,
    /// Where they come out.
    pub(in crate::bench) arrivals: Arrivals,
    _running: JoinSet<()>,
}

impl BareChain {
    /// Starts server, relay and reader on empty tables and an empty stream.
    pub(in crate::bench) async fn start(ground: &Ground) -> anyhow::Result<Self> {
        let options = ground.floor(BARE)?;
        let pool = pool(options.clone(), CONNECTIONS).await?;
        pool.execute("truncate leads, outbox, messages").await?;
        let mut redis = ground.redis().await?;
        let () = redis.del(STREAM).await?;
        let () = redis.xgroup_create_mkstream(STREAM, GROUP, "0").await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let arrivals = Arrivals::default();
        let wake = Arc::new(Notify::new());
        let mut running = JoinSet::new();
        spawn(&mut running, "server", serve(listener, pool, Arc::clone(&wake)));
        spawn(
            &mut running,
            "relay",
            relay(options.clone(), ground.redis().await?, wake),
        );
        spawn(&mut running, "reader", read(options, redis, arrivals.clone()));
        Ok(Self {
            url,
            arrivals,
            _running: running,
        })
    }
}

fn spawn(
    running: &mut JoinSet<()>,
    what: &'static str,
    task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) {
    running.spawn(async move {
        // What it leaves undone is counted as lost by those who wait for it.
        if let Err(error) = task.await {
            eprintln!("    the bare {what} ended: {error:#}");
        }
    });
}

async fn serve(listener: TcpListener, pool: PgPool, wake: Arc<Notify>) -> anyhow::Result<()> {
    let service = LeadServiceServer::new(Capture { pool, wake });
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok(Server::builder()
        .add_service(service)
        .serve_with_incoming(incoming)
        .await?)
}

async fn relay(options: PgConnectOptions, mut redis: MultiplexedConnection, wake: Arc<Notify>) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect_with(&options).await?;
    loop {
        if publish(&mut connection, &mut redis, STREAM).await? == 0 {
            // Woken or not: the next look at the table tells.
            let _woken = timeout(POLL, wake.notified()).await;
        }
    }
}

async fn read(options: PgConnectOptions, mut redis: MultiplexedConnection, arrivals: Arrivals) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect_with(&options).await?;
    let reading = StreamReadOptions::default()
        .group(GROUP, "only")
        .count(500)
        .block(1_000);
    loop {
        let reply: Option<StreamReadReply> = redis.xread_options(&[STREAM], &[">"], &reading).await?;
        let entries = reply.map(|reply| reply.keys).unwrap_or_default();
        let entries: Vec<_> = entries.into_iter().flat_map(|key| key.ids).collect();
        if entries.is_empty() {
            continue;
        }
        let column = |name: &str| -> anyhow::Result<Vec<String>> {
            let texts = entries.iter().map(|entry| entry.get::<String>(name));
            texts
                .collect::<Option<_>>()
                .with_context(|| format!("an entry has no {name}"))
        };
        let subjects = column("subject")?;
        let events: Vec<Uuid> = column("id")?.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
        let bodies: Vec<String> = subjects
            .iter()
            .map(|subject| format!("新线索 {subject} 已分配给您"))
            .collect();
        let mut tx = connection.begin().await?;
        sqlx::query(
            "insert into messages (tenant_id, message, event_id, subject, title, body)
             select tenant_id, message, event_id, subject, '新线索', body
             from unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])
                 as sent (tenant_id, message, event_id, subject, body)",
        )
        .bind(column("tenant")?)
        .bind(events.iter().map(|_| SystemIds.next()).collect::<Vec<_>>())
        .bind(&events)
        .bind(&subjects)
        .bind(bodies)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let () = redis.xack(STREAM, GROUP, &ids).await?;
        for subject in &subjects {
            arrivals.note(subject);
        }
    }
}

/// Takes leads in.
struct Capture {
    pool: PgPool,
    wake: Arc<Notify>,
}

impl Capture {
    async fn store(&self, request: CaptureLeadRequest) -> anyhow::Result<Uuid> {
        let lead = request.lead.context("no lead")?;
        let lead_id = SystemIds.next();
        let mut tx = self.pool.begin().await?;
        insert_both(&mut tx, lead_id, &lead).await?;
        tx.commit().await?;
        self.wake.notify_one();
        Ok(lead_id)
    }
}

#[tonic::async_trait]
impl LeadService for Capture {
    async fn capture_lead(
        &self,
        request: Request<CaptureLeadRequest>,
    ) -> Result<Response<CaptureLeadResponse>, Status> {
        match self.store(request.into_inner()).await {
            Ok(lead_id) => Ok(Response::new(CaptureLeadResponse {
                name: format!("leads/{lead_id}"),
                ..CaptureLeadResponse::default()
            })),
            Err(error) => Err(Status::unknown(format!("{error:#}"))),
        }
    }

    async fn stream_capture_leads(
        &self,
        _request: Request<Streaming<StreamCaptureLeadsRequest>>,
    ) -> Result<Response<StreamCaptureLeadsResponse>, Status> {
        Err(absent())
    }

    async fn get_lead(&self, _request: Request<GetLeadRequest>) -> Result<Response<GetLeadResponse>, Status> {
        Err(absent())
    }

    async fn list_leads(&self, _request: Request<ListLeadsRequest>) -> Result<Response<ListLeadsResponse>, Status> {
        Err(absent())
    }

    async fn close_lead(&self, _request: Request<CloseLeadRequest>) -> Result<Response<CloseLeadResponse>, Status> {
        Err(absent())
    }

    type WatchLeadsStream = tokio_stream::Empty<Result<WatchLeadsResponse, Status>>;

    async fn watch_leads(
        &self,
        _request: Request<WatchLeadsRequest>,
    ) -> Result<Response<Self::WatchLeadsStream>, Status> {
        Err(absent())
    }
}

fn absent() -> Status {
    Status::unimplemented("the bare chain only takes leads in")
}
