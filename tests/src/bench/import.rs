//! `import`: rows of a CSV file previewed and imported, against COPY of the same rows.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use reflex_proto::leads::v1::{
    ImportLeadsRequest, ImportLeadsResponse, LeadFileSettings, NewLead, import_service_client::ImportServiceClient,
    lead::Urgency,
};
use reflex_rpc::identity::Role;
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::TenantId;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{
    floor::{BARE, TENANT},
    ground::Ground,
    measured::{Latencies, Measured},
    rounds::Contest,
    sample,
    services::LeadsAlone,
};
use crate::suite::{Wire, set_up};

/// Rows a second of span: 30,000 in a full round.
const ROWS_PER_SECOND: u128 = 10_000;
const IMPORTER: &str = "bench-import";
const MEMBERS: [&str; 2] = ["members/an", "members/bo"];
/// So many that nobody's leads ever wait.
const CAPACITY: i32 = 100_000;
/// Bytes of a message.
const PIECE_BYTES: usize = 256 * 1024;

/// `import`.
pub(super) struct Import<'a> {
    ground: &'a Ground,
    service: LeadsAlone,
    client: ImportServiceClient<Wire>,
    bare: PgConnection,
}

impl<'a> Import<'a> {
    pub(super) async fn start(ground: &'a Ground) -> anyhow::Result<Self> {
        let service = LeadsAlone::start(ground).await?;
        let tenant: TenantId = IMPORTER.parse()?;
        set_up(ground.wire(&service.url, &tenant, Role::Admin)?, &MEMBERS, CAPACITY).await;
        let wire = ground.wire(&service.url, &tenant, Role::Manager)?;
        Ok(Self {
            ground,
            service,
            client: ImportServiceClient::new(wire),
            bare: PgConnection::connect_with(&ground.floor(BARE)?).await?,
        })
    }

    /// Sends a file and returns the last response.
    async fn send(&mut self, file: &[u8], dry_run: bool) -> anyhow::Result<ImportLeadsResponse> {
        let first = ImportLeadsRequest {
            settings: Some(LeadFileSettings::default()),
            import_id: SystemIds.next().to_string(),
            dry_run,
            chunk: Vec::new(),
        };
        let pieces: Vec<ImportLeadsRequest> = file
            .chunks(PIECE_BYTES)
            .map(|piece| ImportLeadsRequest {
                chunk: piece.to_vec(),
                ..ImportLeadsRequest::default()
            })
            .collect();
        let messages = std::iter::once(first).chain(pieces);
        let mut responses = self
            .client
            .import_leads(tokio_stream::iter(messages))
            .await?
            .into_inner();
        let mut last = ImportLeadsResponse::default();
        while let Some(response) = responses.message().await? {
            last = response;
        }
        anyhow::ensure!(last.done, "the import ended before the file");
        Ok(last)
    }
}

impl Contest for Import<'_> {
    /// One COPY of all rows into a table of the same fields and keys.
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let count = rows_of(span)?;
        let rows = copy_rows(&self.ground.new_source(), count);
        self.bare.execute("truncate leads, outbox").await?;
        let started = Instant::now();
        let mut copy = self.bare.copy_in_raw(COPY).await?;
        for piece in rows.as_bytes().chunks(PIECE_BYTES) {
            copy.send(piece).await?;
        }
        let written = copy.finish().await?;
        Ok(Measured {
            per_second: Measured::rate(count, started.elapsed()),
            latencies: Latencies::default(),
            errors: written.abs_diff(count as u64),
        })
    }

    /// The rate is that of both: a file is looked at before it is imported. Routing has begun meanwhile.
    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let count = rows_of(span)?;
        let source = self.ground.new_source();
        let file = csv_file(&source, count)?;
        let started = Instant::now();
        let preview = self.send(&file, true).await?;
        let told = self.send(&file, false).await?;
        let elapsed = started.elapsed();
        let (leads, ids): (i64, i64) =
            sqlx::query_as("select count(*), count(distinct external_id) from leads where source = $1")
                .bind(&source)
                .fetch_one(&self.service.owner)
                .await?;
        let wanted = i64::try_from(count)?;
        let wrong = [preview.stored_count, told.stored_count, leads, ids].map(|found| found.abs_diff(wanted));
        Ok(Measured {
            per_second: Measured::rate(count, elapsed),
            latencies: Latencies::default(),
            errors: wrong.iter().sum(),
        })
    }

    async fn rest(&self) -> anyhow::Result<()> {
        self.service.rest().await
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.service.stop().await
    }
}

fn rows_of(span: Duration) -> anyhow::Result<usize> {
    Ok(usize::try_from(span.as_millis() * ROWS_PER_SECOND / 1_000)?.max(1))
}

fn csv_file(source: &str, count: usize) -> anyhow::Result<Vec<u8>> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record([
        "来源",
        "编号",
        "公司",
        "联系人",
        "手机号",
        "邮箱",
        "地区",
        "产品",
        "紧急程度",
        "最低预算",
        "最高预算",
        "备注",
        "科室",
    ])?;
    for number in 0..count {
        rows.write_record(cells(&sample::lead(source, number)))?;
    }
    Ok(rows.into_inner()?)
}

fn cells(lead: &NewLead) -> [String; 13] {
    let yuan = |fen: i64| (fen / 100).to_string();
    [
        lead.source.clone(),
        lead.external_id.clone(),
        lead.company.clone(),
        lead.contact_name.clone(),
        lead.phone.clone(),
        lead.email.clone(),
        lead.territory.clone(),
        lead.product.clone(),
        urgency(lead).to_owned(),
        yuan(lead.budget_min_fen),
        yuan(lead.budget_max_fen),
        lead.remark.clone(),
        lead.attributes["科室"].clone(),
    ]
}

fn urgency(lead: &NewLead) -> &'static str {
    match lead.urgency() {
        Urgency::Red => "red",
        Urgency::Yellow => "yellow",
        _ => "green",
    }
}

const COPY: &str = "copy leads (tenant_id, lead_id, state, source, external_id, payload_hash, company, contact_name, phone,
    email, territory, product, urgency, budget_min_fen, budget_max_fen, remark, account, attributes, raw_payload) from stdin";

/// Writes the rows as COPY reads them; none of their words needs an escape.
fn copy_rows(source: &str, count: usize) -> String {
    let mut rows = String::new();
    for number in 0..count {
        let lead = sample::lead(source, number);
        let mut raw = String::new();
        for byte in cells(&lead).join(",").bytes() {
            let _ = write!(raw, "{byte:02x}");
        }
        let columns = [
            TENANT.to_owned(),
            SystemIds.next().to_string(),
            "captured".to_owned(),
            lead.source.clone(),
            lead.external_id.clone(),
            format!("\\\\x{}", "00".repeat(32)),
            lead.company.clone(),
            lead.contact_name.clone(),
            lead.phone.clone(),
            lead.email.clone(),
            lead.territory.clone(),
            lead.product.clone(),
            urgency(&lead).to_owned(),
            lead.budget_min_fen.to_string(),
            lead.budget_max_fen.to_string(),
            lead.remark.clone(),
            String::new(),
            serde_json::json!(lead.attributes).to_string(),
            format!("\\\\x{raw}"),
        ];
        rows += &columns.join("\t");
        rows.push('\n');
    }
    rows
}
