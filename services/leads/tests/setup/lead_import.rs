//! Leads from files.

use std::fmt::Write as _;

use reflex_proto::leads::v1::{
    ImportLeadsRequest, ImportLeadsResponse, LeadFileSettings, ListLeadsRequest, NewLead, RefusedRow,
};
use reflex_rpc::identity::Role;
use reflex_testing::eventually;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::harness::{Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, WRONG_STATE, assert_refused, member};

const IMPORT: &str = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
const OTHER_IMPORT: &str = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1c";

fn settings() -> LeadFileSettings {
    LeadFileSettings {
        source: "展会".into(),
        ..LeadFileSettings::default()
    }
}

/// Splits a file into the messages of an import.
fn messages(import_id: &str, file: &[u8], piece: usize) -> Vec<ImportLeadsRequest> {
    let first = ImportLeadsRequest {
        settings: Some(settings()),
        import_id: import_id.into(),
        ..ImportLeadsRequest::default()
    };
    let pieces = file.chunks(piece).map(|chunk| ImportLeadsRequest {
        chunk: chunk.to_vec(),
        ..ImportLeadsRequest::default()
    });
    std::iter::once(first).chain(pieces).collect()
}

/// Sends messages; returns what the responses say together.
async fn send(admin: &mut Caller, messages: Vec<ImportLeadsRequest>) -> Result<ImportLeadsResponse, Status> {
    let responses = admin.imports.import_leads(tokio_stream::iter(messages)).await?;
    drain(responses.into_inner()).await
}

async fn drain(mut responses: Streaming<ImportLeadsResponse>) -> Result<ImportLeadsResponse, Status> {
    let mut all = ImportLeadsResponse::default();
    while let Some(response) = responses.message().await? {
        let refused = [all.refused, response.refused].concat();
        let file = all.file.or(response.file);
        all = ImportLeadsResponse {
            refused,
            file,
            ..response
        };
    }
    Ok(all)
}

pub(crate) async fn import(admin: &mut Caller, import_id: &str, file: &str) -> Result<ImportLeadsResponse, Status> {
    send(admin, messages(import_id, file.as_bytes(), 1_000)).await
}

/// Returns stored, existed and refused.
fn counts(response: &ImportLeadsResponse) -> (i64, i64, i64) {
    assert!(response.done, "{response:?}");
    (response.stored_count, response.existed_count, response.refused_count)
}

async fn stored(leads: &Leads, tenant: &str) -> i64 {
    sqlx::query_scalar("select count(*) from leads where tenant_id = $1")
        .bind(tenant)
        .fetch_one(&leads.owner)
        .await
        .unwrap()
}

/// Writes a file of this many leads, each second one with an id.
pub(crate) fn file_of(rows: usize) -> String {
    let mut file = "编号,公司,电话\n".to_owned();
    for row in 0..rows {
        let id = if row % 2 == 0 { format!("E{row}") } else { String::new() };
        writeln!(file, "{id},公司{row},138{row:08}").unwrap();
    }
    file
}

#[tokio::test]
async fn whoever_has_just_written_is_routed_before_the_rows_of_a_file() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    admin.put_member(member("wang", "zhang")).await;
    admin.route_all_to("teams/zhang").await;
    // Routing waits for whoever changes the setup.
    let mut other = leads.owner.begin().await.unwrap();
    sqlx::query("select from setup_versions for update")
        .execute(&mut *other)
        .await
        .unwrap();
    let first = admin.capture("一院").await;
    eventually("routing has begun with the first lead", async || {
        sqlx::query(
            "select from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock' and query like '%for share%'",
        )
        .fetch_optional(&leads.owner)
        .await
        .unwrap()
    })
    .await;
    import(&mut admin, IMPORT, &file_of(3)).await.unwrap();
    let last = admin.capture("二院").await;
    other.rollback().await.unwrap();

    let routed: Vec<String> = eventually("all are assigned", async || {
        let routed: Vec<String> =
            sqlx::query_scalar("select subject from outbox where kind = 'reflex.leads.v1.LeadAssigned' order by id")
                .fetch_all(&leads.owner)
                .await
                .unwrap();
        (routed.len() == 5).then_some(routed)
    })
    .await;
    assert_eq!(routed[..2], [first, last]);
}

#[tokio::test]
async fn rows_that_are_there_already_keep_nobody_out() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let known = "编号,公司,电话\nE2,公司2,13800000002\n";
    let told = import(&mut admin, IMPORT, known).await.unwrap();
    assert_eq!(counts(&told), (1, 0, 0));
    let told = import(&mut admin, OTHER_IMPORT, &file_of(5_000)).await.unwrap();
    assert_eq!(counts(&told), (4_999, 1, 0));
    assert_eq!(stored(&leads, HUADONG).await, 5_000);
}

#[tokio::test]
async fn rows_become_leads_that_are_routed_like_others() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    admin.put_member(member("wang", "zhang")).await;
    admin.route_all_to("teams/zhang").await;
    let file = "编号,公司,联系人,电话,预算(万元),紧急程度,科室,渠道\n\
                A1,上海医院,王主任,13800138000,20,红,骨科,\n\
                A2,苏州医院,李主任,13900139000,,,,官网\n";
    let told = import(&mut admin, IMPORT, file).await.unwrap();
    assert_eq!((told.row_count, counts(&told)), (2, (2, 0, 0)));
    assert_eq!(told.read_bytes, i64::try_from(file.len()).unwrap());
    let shape = told.file.unwrap();
    assert_eq!((shape.encoding.as_str(), shape.delimiter.as_str()), ("UTF-8", ","));
    assert_eq!(shape.columns[6].field, "attribute");

    let listed = eventually("both are assigned", async || {
        let request = ListLeadsRequest::default();
        let found = admin
            .leads
            .clone()
            .list_leads(request)
            .await
            .unwrap()
            .into_inner()
            .leads;
        found.iter().all(|lead| lead.owner == "members/wang").then_some(found)
    })
    .await;
    assert_eq!(listed.len(), 2);
    let first = listed.iter().find(|lead| lead.external_id == "A1").unwrap();
    assert_eq!((first.number.as_str(), first.source.as_str()), ("L000001", "展会"));
    assert_eq!(
        (first.budget_max_fen, first.attributes["科室"].as_str()),
        (20_000_000, "骨科")
    );
    assert_eq!(leads.told("reflex.leads.v1.LeadCaptured", &first.name).await, 1);
    let raw: Vec<u8> = sqlx::query_scalar("select raw_payload from leads where external_id = 'A1'")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(String::from_utf8(raw).unwrap(), file.lines().nth(1).unwrap());
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_stores_nothing() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let file = "编号;公司;手机号\nA1;上海医院;1.38E+10\nA2;苏州医院;1\nA2;苏州医院;1\n;无锡医院;2\n";
    let (gbk, _, _) = encoding_rs::GBK.encode(file);
    let mut messages = messages("", &gbk, 5);
    messages[0].dry_run = true;
    let told = send(&mut admin, messages).await.unwrap();
    assert_eq!((told.row_count, counts(&told)), (4, (3, 0, 1)));
    let shape = told.file.unwrap();
    assert_eq!((shape.encoding.as_str(), shape.delimiter.as_str()), ("gb18030", ";"));
    let RefusedRow {
        line,
        column,
        value,
        description,
        description_zh,
    } = &told.refused[0];
    assert_eq!((*line, column.as_str(), value.as_str()), (2, "手机号", "1.38E+10"));
    assert!(description.contains("cut by a spreadsheet") && description_zh.contains("截断"));
    assert_eq!((told.repeated_count, told.repeated_rows.len()), (1, 1));
    let repeated = &told.repeated_rows[0];
    assert_eq!(
        (repeated.line, repeated.first_line, repeated.external_id.as_str()),
        (4, 3, "A2")
    );
    let shown: Vec<(i64, &str)> = told
        .leads
        .iter()
        .map(|read| (read.line, read.lead.as_ref().unwrap().company.as_str()))
        .collect();
    assert_eq!(shown, [(3, "苏州医院"), (4, "苏州医院"), (5, "无锡医院")]);
    assert_eq!(stored(&leads, HUADONG).await, 0);
    let imports: i64 = sqlx::query_scalar("select count(*) from lead_imports")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(imports, 0);
}

#[tokio::test]
async fn the_same_file_twice_is_stored_once() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let file = file_of(2_500) + "E0,公司0,1\n,,\n";
    let first = import(&mut admin, IMPORT, &file).await.unwrap();
    assert_eq!((first.row_count, counts(&first)), (2_501, (2_500, 1, 0)));
    let again = import(&mut admin, IMPORT, &file).await.unwrap();
    assert_eq!(counts(&again), counts(&first), "the same import tells the same");
    // As another import, what has no id of its source is new.
    let other = import(&mut admin, OTHER_IMPORT, &file).await.unwrap();
    assert_eq!(counts(&other), (1_250, 1_251, 0));
    assert_eq!(stored(&leads, HUADONG).await, 3_750);
}

#[tokio::test]
async fn what_broke_off_goes_on_where_it_was() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let mut file = file_of(7_000);
    file.insert_str(file.find("E10,").unwrap(), "X1,,\n");
    let all = messages(IMPORT, file.as_bytes(), 4_000);
    // Everything but the end is sent, then the caller is gone.
    let (sender, receiver) = mpsc::channel(all.len());
    for message in &all[..all.len() - 5] {
        sender.send(message.clone()).await.unwrap();
    }
    let mut responses = admin
        .imports
        .import_leads(ReceiverStream::new(receiver))
        .await
        .unwrap()
        .into_inner();
    let begun = responses.message().await.unwrap().unwrap();
    assert_eq!((begun.stored_count, begun.refused_count, begun.done), (2_000, 1, false));
    drop((responses, sender));

    let told = eventually("the broken call has ended", async || {
        match send(&mut leads.admin(HUADONG), all.clone()).await {
            Ok(told) => Some(told),
            Err(status) if status.code() == Code::Aborted => None,
            Err(status) => panic!("{status}"),
        }
    })
    .await;
    assert_eq!((told.row_count, counts(&told)), (7_001, (7_000, 0, 1)));
    assert_eq!(told.refused[0].line, 12, "what was refused before is told again");
    assert_eq!(stored(&leads, HUADONG).await, 7_000);
    let facts: i64 = sqlx::query_scalar("select count(*) from outbox where kind = 'reflex.leads.v1.LeadCaptured'")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(facts, 7_000);
}

#[tokio::test]
async fn an_import_goes_on_with_the_same_file_only() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let file = file_of(1_200);
    let told = import(&mut admin, IMPORT, &file).await.unwrap();
    assert_eq!(counts(&told).0, 1_200);
    let other = "began with another file or other settings";
    for changed in [
        file.replace("公司1100,", "公司X,"),
        file.replace("编号,", "单号,"),
        file_of(1_100),
        file_of(1_201),
        file_of(0),
    ] {
        assert_refused(import(&mut admin, IMPORT, &changed).await, WRONG_STATE, other);
    }
    let mut messages = messages(IMPORT, file.as_bytes(), 1_000);
    messages[0].settings.as_mut().unwrap().source = "官网".into();
    assert_refused(send(&mut admin, messages).await, WRONG_STATE, other);
    assert_eq!(stored(&leads, HUADONG).await, 1_200);
}

#[tokio::test]
async fn another_tenant_has_imports_and_leads_of_its_own() {
    let leads = Leads::start().await;
    let file = file_of(10);
    for tenant in [HUADONG, HUABEI] {
        let told = import(&mut leads.admin(tenant), IMPORT, &file).await.unwrap();
        assert_eq!(counts(&told), (10, 0, 0), "{tenant}");
        assert_eq!(stored(&leads, tenant).await, 10);
    }
    let told = import(&mut leads.admin(HUABEI), OTHER_IMPORT, "租户,公司\nhuadong,甲\n")
        .await
        .unwrap();
    assert_eq!(counts(&told), (0, 0, 1));
    let sales = import(&mut leads.caller(HUADONG, Role::Sales), OTHER_IMPORT, &file).await;
    assert_refused(sales, DENIED, "leads.import");
}

#[tokio::test]
async fn bad_requests_are_told_apart() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    assert_refused(import(&mut admin, "", "公司\n甲\n").await, INVALID, "import_id");
    assert_refused(import(&mut admin, "7", "公司\n甲\n").await, INVALID, "import_id");
    assert_refused(import(&mut admin, IMPORT, "").await, INVALID, "file: is empty");
    assert_refused(
        import(&mut admin, IMPORT, "a,b\n1,2\n").await,
        INVALID,
        "no column is known",
    );
    let mut twice = messages(OTHER_IMPORT, "公司\n甲\n".as_bytes(), 100);
    twice.push(twice[0].clone());
    assert_refused(send(&mut admin, twice).await, INVALID, "in the first message only");
    let mut unknown = messages(OTHER_IMPORT, "公司\n甲\n".as_bytes(), 100);
    unknown[0].settings.as_mut().unwrap().encoding = "klingon".into();
    assert_refused(send(&mut admin, unknown).await, INVALID, "settings.encoding");
    let header = import(&mut admin, IMPORT, "公司\n").await;
    // The empty file and the other header left nothing under the id.
    assert_eq!(counts(&header.unwrap()), (0, 0, 0));
    let again = import(&mut admin, IMPORT, "公司\n").await;
    assert_eq!(counts(&again.unwrap()), (0, 0, 0));
    let longer = import(&mut admin, IMPORT, "公司\n甲\n").await;
    assert_refused(longer, WRONG_STATE, "began with another file");
    assert_eq!(stored(&leads, HUADONG).await, 0);
}

#[tokio::test]
async fn faults_beyond_the_limit_are_counted_and_the_rest_is_stored() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let file = "公司,紧急程度\n".to_owned() + &"甲,紫\n".repeat(12_000) + "乙,红\n" + &"丙,蓝\n".repeat(10);
    let told = import(&mut admin, IMPORT, &file).await.unwrap();
    assert_eq!((told.row_count, counts(&told)), (12_011, (1, 0, 12_010)));
    assert_eq!(told.refused.len(), 10_000);
}

#[tokio::test]
async fn rows_that_were_captured_before_exist() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let lead = NewLead {
        source: "展会".into(),
        external_id: "E0".into(),
        company: "别的写法".into(),
        ..NewLead::default()
    };
    let request = reflex_proto::leads::v1::CaptureLeadRequest {
        lead: Some(lead),
        request_id: String::new(),
    };
    admin.leads.capture_lead(request).await.unwrap();
    let told = import(&mut admin, IMPORT, &file_of(2)).await.unwrap();
    assert_eq!(counts(&told), (1, 1, 0));
    let company: String = sqlx::query_scalar("select company from leads where external_id = 'E0'")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(company, "别的写法", "what is stored stays");
}
