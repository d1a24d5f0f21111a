//! A file is imported, the process killed half way, the import resumed, then undone, and the process killed half way through
//! that, too. Other leads arrive all the while. In the end the database is what it was before, compared row by row, and has
//! the other leads besides.
//!
//! `REFLEX_IMPORT_ROWS` gives another size than the one for every day, for example 100000.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use reflex_proto::leads::v1::{
    CaptureLeadRequest, ImportLeadsRequest, ImportLeadsResponse, LeadFileSettings, NewLead, UndoImportRequest,
    UndoImportResponse, import_service_client::ImportServiceClient, lead_file_settings::OnKnown,
    lead_service_client::LeadServiceClient,
};
use reflex_rpc::identity::Role;
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::TenantId;
use reflex_testing::eventually;
use reflex_tests::suite::{Wire, set_up};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use tonic::{Code, Status};

use crate::{crowd::moment, installation::Installation};

/// Leads of the file unless the environment says otherwise.
const ROWS: usize = 6_000;
/// Leads that are known before, and that the file updates.
const KNOWN: usize = 50;
const MEMBERS: [&str; 3] = ["members/an", "members/bo", "members/chen"];
const PLENTY: i32 = 100_000;
/// Virtual time of a turn of weight 100, in which all of the team are.
const TURN: i64 = 720_720 * 250;

/// What is not compared, and why it differs.
const NOT_COMPARED: [&str; 6] = [
    // What was told stays told, and it is told that it was taken back.
    "outbox",
    "outbox_pending",
    // The import's own record.
    "lead_imports",
    // Numbers are not given again.
    "lead_numbers",
    // Answers of requests.
    "request_ids",
    // What every replica writes while it runs.
    "shard_leases",
];

/// Every row of the tenant by table, as JSON.
type Rows = BTreeMap<String, BTreeSet<String>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_killed_resumed_and_undone_leaves_what_was_there() {
    let size = std::env::var("REFLEX_IMPORT_ROWS").map_or(ROWS, |rows| rows.parse().expect("a number"));
    let tenant: TenantId = "huadong".parse().unwrap();
    let mut installation = Installation::start();
    installation.ready().await;
    set_up(installation.leads(&tenant, Role::Admin), &MEMBERS, PLENTY).await;
    let wire = installation.leads(&tenant, Role::Admin);
    for known in 0..KNOWN {
        capture(&wire, "名单", &format!("K{known}")).await;
    }
    let database = settled(&installation).await;
    let before = rows(&database).await;
    database.close().await;

    let stop = Arc::new(AtomicBool::new(false));
    let mut crowd = tokio::task::JoinSet::new();
    crowd.spawn(arrive(installation.leads(&tenant, Role::Admin), Arc::clone(&stop)));
    let file = file_of(size);
    let import_id = SystemIds.next().to_string();
    let half = i64::try_from(size / 2).unwrap();
    let started = Instant::now();
    let broken = import(&wire, &import_id, &file, |told| {
        if told.stored_count >= half && !told.done {
            installation.kill();
        }
    })
    .await;
    assert!(broken.is_err(), "the process was killed half way");
    installation.start_again();
    installation.ready().await;
    let told = loop {
        match import(&wire, &import_id, &file, |_| {}).await {
            Ok(told) => break told,
            Err(status) => assert!(passes(&status), "{status}"),
        }
    };
    let imported = started.elapsed();
    let all = i64::try_from(size).unwrap();
    let counts = (
        told.stored_count,
        told.updated_count,
        told.conflict_count,
        told.refused_count,
    );
    assert_eq!(counts, (all, i64::try_from(KNOWN).unwrap(), 0, 0));

    let started = Instant::now();
    let broken = undo(&wire, &import_id, |told| {
        if told.removed_count >= half && !told.done {
            installation.kill();
        }
    })
    .await;
    assert!(broken.is_err(), "the process was killed half way");
    installation.start_again();
    installation.ready().await;
    // What arrives after the end is not what is compared.
    stop.store(true, Ordering::Relaxed);
    let arrived: usize = crowd.join_all().await.into_iter().sum();
    let told = loop {
        match undo(&wire, &import_id, |_| {}).await {
            Ok(told) => break told,
            Err(status) => assert!(passes(&status), "{status}"),
        }
    };
    let undone = started.elapsed();
    assert_eq!((told.removed_count, told.kept_count), (all, 0), "{:?}", told.conflicts);

    let database = settled(&installation).await;
    let mut after = rows(&database).await;
    let others = others(&database, &before).await;
    assert_eq!(others.len(), arrived, "what was acknowledged is there");
    assert!(arrived > 0, "others arrived meanwhile");
    println!("rows={size} arrived={arrived} import_s={imported:.1?} undo_s={undone:.1?}");
    take_out(&mut after, &before, &others);
    for (table, rows) in &before {
        let missing: Vec<_> = rows.difference(&after[table]).take(3).collect();
        let surplus: Vec<_> = after[table].difference(rows).take(3).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{table}: {missing:#?} became {surplus:#?}"
        );
    }
    database.close().await;
}

/// Makes a file of new leads, with rows in between that update those that are known.
fn file_of(size: usize) -> String {
    let mut file = "编号,公司,联系人,电话,科室\n".to_owned();
    let every = size / KNOWN;
    for row in 0..size {
        writeln!(file, "N{row},新公司{row},联系人{row},139{row:08},").unwrap();
        if row % every == 0 && row / every < KNOWN {
            let known = row / every;
            writeln!(file, "K{known},改名公司{known},,137{known:08},骨科").unwrap();
        }
    }
    file
}

/// Sends the file; `during` hears of each response.
async fn import(
    wire: &Wire,
    import_id: &str,
    file: &str,
    mut during: impl FnMut(&ImportLeadsResponse),
) -> Result<ImportLeadsResponse, Status> {
    let first = ImportLeadsRequest {
        settings: Some(LeadFileSettings {
            source: "名单".into(),
            on_known: OnKnown::Overwrite.into(),
            ..LeadFileSettings::default()
        }),
        import_id: import_id.into(),
        ..ImportLeadsRequest::default()
    };
    let pieces = file.as_bytes().chunks(64 * 1024).map(|chunk| ImportLeadsRequest {
        chunk: chunk.to_vec(),
        ..ImportLeadsRequest::default()
    });
    let messages: Vec<_> = std::iter::once(first).chain(pieces).collect();
    let mut client = ImportServiceClient::new(wire.clone());
    let mut responses = client.import_leads(tokio_stream::iter(messages)).await?.into_inner();
    let mut last = ImportLeadsResponse::default();
    while let Some(told) = responses.message().await? {
        during(&told);
        last = told;
    }
    if last.done {
        Ok(last)
    } else {
        Err(Status::unavailable("the import broke off"))
    }
}

async fn undo(
    wire: &Wire,
    import_id: &str,
    mut during: impl FnMut(&UndoImportResponse),
) -> Result<UndoImportResponse, Status> {
    let request = UndoImportRequest {
        name: format!("imports/{import_id}"),
        ..UndoImportRequest::default()
    };
    let mut client = ImportServiceClient::new(wire.clone());
    let mut responses = client.undo_import(request).await?.into_inner();
    let mut last = UndoImportResponse::default();
    while let Some(told) = responses.message().await? {
        during(&told);
        last = told;
    }
    if last.done {
        Ok(last)
    } else {
        Err(Status::unavailable("the undoing broke off"))
    }
}

/// A process that died, or one that still ends what another has begun.
fn passes(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Aborted | Code::Unknown | Code::Cancelled
    )
}

/// Captures a lead, however often it takes.
async fn capture(wire: &Wire, source: &str, id: &str) {
    let request = CaptureLeadRequest {
        lead: Some(NewLead {
            source: source.into(),
            external_id: id.into(),
            company: format!("{id} 公司"),
            ..NewLead::default()
        }),
        request_id: String::new(),
    };
    let mut client = LeadServiceClient::new(wire.clone());
    while let Err(status) = client.capture_lead(request.clone()).await {
        assert!(
            passes(&status) || status.code() == Code::ResourceExhausted || status.code() == Code::DeadlineExceeded,
            "{status}"
        );
        moment(std::time::Duration::from_millis(50)).await;
    }
}

/// Lets other leads arrive, one after the other; returns how many were acknowledged.
async fn arrive(wire: Wire, stop: Arc<AtomicBool>) -> usize {
    let mut arrived = 0;
    while !stop.load(Ordering::Relaxed) {
        capture(&wire, "官网", &format!("O{arrived}")).await;
        arrived += 1;
        moment(std::time::Duration::from_millis(10)).await;
    }
    arrived
}

/// Waits until nothing is left to be routed; returns a connection that sees all rows.
async fn settled(installation: &Installation) -> PgPool {
    let database = PgPool::connect(&installation.servers().leads).await.unwrap();
    let mut last = i64::MAX;
    loop {
        // Leads of a large file take their time: as long as there are ever fewer, all is well.
        let left = eventually("fewer are left to be routed", async || {
            let left: i64 = sqlx::query_scalar(
                "select (select count(*) from leads where state = 'captured') + (select count(*) from reroute_requests)",
            )
            .fetch_one(&database)
            .await
            .unwrap();
            (left == 0 || left < last).then_some(left)
        })
        .await;
        if left == 0 {
            return database;
        }
        last = left;
    }
}

async fn rows(database: &PgPool) -> Rows {
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.table_name::text from information_schema.columns c
         where c.table_schema = 'public' and c.column_name = 'tenant_id' and c.table_name <> all ($1) order by 1",
    )
    .bind(NOT_COMPARED.map(str::to_owned).to_vec())
    .fetch_all(database)
    .await
    .unwrap();
    assert!(tables.len() > 35, "{tables:?}");
    let mut rows = Rows::new();
    for table in tables {
        let select = format!("select to_jsonb(t)::text from {table} t");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(select))
            .fetch_all(database)
            .await
            .unwrap();
        rows.insert(table, found.into_iter().collect());
    }
    rows
}

/// A lead that arrived meanwhile, and who got it.
struct Other {
    lead: String,
    owner: String,
}

/// Returns the leads that are new, which are those that arrived by themselves.
async fn others(database: &PgPool, before: &Rows) -> Vec<Other> {
    let known: HashSet<String> = before["leads"]
        .iter()
        .map(|row| text(&parse(row), "lead_id").to_owned())
        .collect();
    let leads: Vec<(String, String, String)> =
        sqlx::query_as("select lead_id::text, coalesce(owner, ''), source from leads")
            .fetch_all(database)
            .await
            .unwrap();
    let new = leads.into_iter().filter(|(lead, ..)| !known.contains(lead));
    new.map(|(lead, owner, source)| {
        assert_eq!(source, "官网", "leads/{lead} is of the file");
        Other { lead, owner }
    })
    .collect()
}

/// Takes everything out that came of other leads: their own rows, what their owners hold, and the turns that they cost.
fn take_out(after: &mut Rows, before: &Rows, others: &[Other]) {
    let leads: HashSet<&str> = others.iter().map(|other| other.lead.as_str()).collect();
    let got = |member: &str| i64::try_from(others.iter().filter(|other| other.owner == member).count()).unwrap();
    let is_of_others = |row: &Value| {
        let of_timer = row["key"].as_str().and_then(|key| key.split('/').nth(1));
        row["lead_id"]
            .as_str()
            .or(of_timer)
            .is_some_and(|lead| leads.contains(lead))
    };
    for (table, rows) in after.iter_mut() {
        let kept = std::mem::take(rows).into_iter().filter_map(|text| {
            let mut row = parse(&text);
            if is_of_others(&row) {
                return None;
            }
            match table.as_str() {
                "members" => {
                    let held = row["open_leads"].as_i64().unwrap() - got(row["member_id"].as_str().unwrap());
                    row["open_leads"] = held.into();
                }
                "turns" => {
                    let finish = row["finish"].as_i64().unwrap() - got(row["member"].as_str().unwrap()) * TURN;
                    row["finish"] = finish.into();
                    // Only the order of the numbers means anything, and others took some meanwhile.
                    row["number"] = number_before(before, &row).into();
                }
                _ => return Some(text),
            }
            // As the database writes it.
            Some(as_before(&before[table], &row))
        });
        *rows = kept.collect();
    }
}

/// Returns the number of a member's turn before.
fn number_before(before: &Rows, turn: &Value) -> i64 {
    let same =
        |row: &Value| row["member"] == turn["member"] && row["team"] == turn["team"] && row["skills"] == turn["skills"];
    let found = before["turns"].iter().map(|row| parse(row)).find(same);
    found.map_or(0, |row| row["number"].as_i64().unwrap())
}

/// Returns the text of an equal row, or the row as it is.
fn as_before(rows: &BTreeSet<String>, row: &Value) -> String {
    let same = rows.iter().find(|text| parse(text) == *row);
    same.cloned().unwrap_or_else(|| row.to_string())
}

fn parse(row: &str) -> Value {
    serde_json::from_str(row).unwrap()
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}
