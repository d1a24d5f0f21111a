//! Imports that update what is known, and imports that are taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use reflex_proto::leads::v1::{
    AddLeadTagRequest, CancelImportRequest, ConflictDecision, ConflictResolution, GetImportRequest, GetLeadRequest,
    ImportLeadsResponse, KnownRow, Ladder, ListImportsRequest, PutCalculatedFieldRequest, PutLadderRequest,
    PutTagRuleRequest, TagRule, UndoConflict, UndoImportRequest, UndoImportResponse, WatchLeadsRequest,
    calculated_field, import::State, known_row::Outcome, ladder, lead_change::Kind, lead_file_settings::OnKnown,
    validity::Label,
};
use reflex_rpc::identity::Role;
use reflex_testing::eventually;
use sqlx::AssertSqlSafe;
use tonic::Status;

use crate::{
    harness::{
        Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, WRONG_STATE, assert_refused, member,
    },
    lead_import::{IMPORT, OTHER_IMPORT, counts, import, messages, send},
    merging::{call, capture, claim, close, furnish, merge, new_lead, unmerge},
};

fn name(import_id: &str) -> String {
    format!("imports/{import_id}")
}

/// Imports a file whose rows do something to known leads.
async fn update(
    admin: &mut Caller,
    import_id: &str,
    file: &str,
    on_known: OnKnown,
) -> Result<ImportLeadsResponse, Status> {
    let mut messages = messages(import_id, file.as_bytes(), 1_000);
    let settings = messages[0].settings.as_mut().unwrap();
    settings.source = "website".into();
    settings.on_known = on_known.into();
    messages[0].dry_run = import_id.is_empty();
    send(admin, messages).await
}

async fn undo(
    admin: &mut Caller,
    import_id: &str,
    decisions: Vec<ConflictDecision>,
    others: ConflictResolution,
) -> Result<UndoImportResponse, Status> {
    let request = UndoImportRequest {
        name: name(import_id),
        decisions,
        other_conflicts: others.into(),
    };
    let mut responses = admin.imports.undo_import(request).await?.into_inner();
    let mut all = UndoImportResponse::default();
    while let Some(response) = responses.message().await? {
        let conflicts = [all.conflicts, response.conflicts].concat();
        all = UndoImportResponse { conflicts, ..response };
    }
    assert!(all.done && all.left_count == 0, "{all:?}");
    Ok(all)
}

async fn state(admin: &mut Caller, import_id: &str) -> State {
    let request = GetImportRequest { name: name(import_id) };
    let response = admin.imports.get_import(request).await.unwrap().into_inner();
    response.import.unwrap().state()
}

/// What is not compared, and why it differs.
const NOT_COMPARED: [&str; 5] = [
    // What was told stays told, and it is told that it was taken back.
    "outbox",
    "outbox_pending",
    // The import's own record.
    "lead_imports",
    // Numbers are not given again.
    "lead_numbers",
    // Answers of requests.
    "request_ids",
];

/// Returns every row of a tenant, by table.
async fn rows(leads: &Leads, tenant: &str) -> BTreeMap<String, BTreeSet<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.table_name::text from information_schema.columns c
         where c.table_schema = 'public' and c.column_name = 'tenant_id' and c.table_name <> all ($1) order by 1",
    )
    .bind(NOT_COMPARED.map(str::to_owned).to_vec())
    .fetch_all(&leads.owner)
    .await
    .unwrap();
    assert!(tables.len() > 35, "{tables:?}");
    let mut rows = BTreeMap::new();
    for table in tables {
        let select = format!("select to_jsonb(t)::text from {table} t where tenant_id = $1");
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(select))
            .bind(tenant)
            .fetch_all(&leads.owner)
            .await
            .unwrap();
        rows.insert(table, found.into_iter().collect());
    }
    rows
}

#[track_caller]
fn assert_same(before: &BTreeMap<String, BTreeSet<String>>, after: &BTreeMap<String, BTreeSet<String>>) {
    for (table, rows) in before {
        let missing: Vec<_> = rows.difference(&after[table]).take(3).collect();
        let surplus: Vec<_> = after[table].difference(rows).take(3).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{table}: {missing:#?} became {surplus:#?}"
        );
    }
}

/// Waits until nothing is left to be routed.
async fn settled(leads: &Leads) {
    eventually("all is routed and compared", async || {
        let left: i64 = sqlx::query_scalar(
            "select (select count(*) from leads where state = 'captured') + (select count(*) from reroute_requests)
                 + (select count(*) from field_recomputes) + (select count(*) from duplicate_requests)",
        )
        .fetch_one(&leads.owner)
        .await
        .unwrap();
        (left == 0).then_some(())
    })
    .await;
}

/// Has what gives leads rows of their own: tags that expire, calculated values.
async fn set_up(leads: &Leads) -> Caller {
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    for id in ["li", "wang", "zhao"] {
        let roomy = reflex_proto::leads::v1::Member {
            capacity: 10_000,
            ..member(id, "zhang")
        };
        admin.put_member(roomy).await;
    }
    admin.route_all_to("teams/zhang").await;
    let field = reflex_proto::leads::v1::CalculatedField {
        name: "calculatedFields/length".into(),
        entity: calculated_field::Entity::Lead.into(),
        field_name: "长度".into(),
        formula: "LEN(公司)".into(),
        ..reflex_proto::leads::v1::CalculatedField::default()
    };
    let request = PutCalculatedFieldRequest {
        field: Some(field),
        ..PutCalculatedFieldRequest::default()
    };
    admin.fields.put_calculated_field(request).await.unwrap();
    let rule = TagRule {
        name: "tagRules/new".into(),
        tag: "新线索".into(),
        expire_days: 30,
        enabled: true,
        ..TagRule::default()
    };
    let request = PutTagRuleRequest {
        tag_rule: Some(rule),
        ..PutTagRuleRequest::default()
    };
    admin.tags.put_tag_rule(request).await.unwrap();
    admin
}

/// Returns a file of new leads, each tenth with an account, and rows for the leads K0 to K4.
fn file_of(rows: usize) -> String {
    let mut file = "编号,公司,电话,客户,科室\n".to_owned();
    for row in 0..rows {
        let account = if row % 10 == 0 {
            format!("客户{}", row / 20)
        } else {
            String::new()
        };
        writeln!(file, "N{row},新公司{row},139{row:08},{account},").unwrap();
        if row % (rows / 5) == 1 {
            let known = row / (rows / 5);
            writeln!(file, "K{known},改名公司{known},137{known:08},,骨科").unwrap();
            writeln!(file, "K{known},又改名公司,,,").unwrap();
        }
    }
    file
}

#[tokio::test]
async fn an_import_that_is_undone_leaves_the_database_as_it_was() {
    let leads = Leads::start().await;
    let mut admin = set_up(&leads).await;
    for known in 0..5 {
        let lead = admin.capture(&format!("K{known}")).await;
        settled(&leads).await;
        // Nothing of theirs is due, whatever the time.
        let owner = admin.lead(&lead).await.owner;
        let called = reflex_proto::leads::v1::RecordFollowUpRequest {
            follow_up: Some(reflex_proto::leads::v1::FollowUp {
                lead,
                member: owner,
                kind: reflex_proto::leads::v1::follow_up::Kind::Call.into(),
                ..reflex_proto::leads::v1::FollowUp::default()
            }),
            request_id: String::new(),
        };
        admin.follow_ups.record_follow_up(called).await.unwrap();
    }
    let ladder = Ladder {
        name: "ladders/quick".into(),
        contact_within: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        wall_clock: true,
        steps: vec![ladder::Step {
            after: Some(prost_types::Duration::default()),
            audience: ladder::Audience::Owner.into(),
            channels: vec!["inbox".into()],
        }],
        ..Ladder::default()
    };
    let request = PutLadderRequest {
        ladder: Some(ladder),
        ..PutLadderRequest::default()
    };
    admin.routing.put_ladder(request).await.unwrap();
    settled(&leads).await;
    settled(&leads).await;
    let before = rows(&leads, HUADONG).await;

    let told = update(&mut admin, IMPORT, &file_of(4_500), OnKnown::Overwrite)
        .await
        .unwrap();
    assert_eq!(counts(&told), (4_500, 10, 0));
    assert_eq!((told.updated_count, told.conflict_count), (10, 0));
    settled(&leads).await;
    // Ladders climb, and nobody has claimed anything.
    leads.advance(jiff::SignedDuration::from_mins(2));
    eventually("steps are taken", async || {
        let steps: i64 = sqlx::query_scalar("select count(*) from escalations")
            .fetch_one(&leads.owner)
            .await
            .unwrap();
        (steps > 0).then_some(())
    })
    .await;
    let renamed: i64 = sqlx::query_scalar(
        "select count(*) from leads where company = '又改名公司' and calculated ->> '长度' = '5' and attributes ->> '科室' = '骨科'",
    )
    .fetch_one(&leads.owner)
    .await
    .unwrap();
    assert_eq!(renamed, 5, "what they say is calculated from what the rows said");

    let undone = undo(&mut admin, IMPORT, Vec::new(), ConflictResolution::Unspecified)
        .await
        .unwrap();
    assert_eq!(
        (undone.removed_count, undone.restored_count, undone.kept_count),
        (4_500, 5, 0),
        "{:?}",
        undone.conflicts
    );
    settled(&leads).await;
    assert_same(&before, &rows(&leads, HUADONG).await);
    assert_eq!(state(&mut admin, IMPORT).await, State::Undone);
    let again = undo(&mut admin, IMPORT, Vec::new(), ConflictResolution::Restore)
        .await
        .unwrap();
    assert_eq!(
        (again.removed_count, again.restored_count),
        (4_500, 5),
        "asked again it tells the same"
    );
    let withdrawn: i64 =
        sqlx::query_scalar("select count(distinct subject) from outbox where kind like '%.LeadWithdrawn'")
            .fetch_one(&leads.owner)
            .await
            .unwrap();
    assert_eq!(withdrawn, 4_500);

    let told = update(&mut admin, IMPORT, &file_of(4_500), OnKnown::Overwrite).await;
    assert_refused(told, WRONG_STATE, "cancelled or undone");
    let told = update(&mut admin, OTHER_IMPORT, &file_of(10), OnKnown::Skip)
        .await
        .unwrap();
    assert_eq!((counts(&told), told.updated_count), ((10, 10, 0), 0));
}

/// Every table that has rows of leads: whoever adds one has to say here and in `store/import_undo.rs` what undoing does.
#[tokio::test]
async fn undoing_knows_every_table_about_leads() {
    let leads = Leads::start().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.columns
         where table_schema = 'public' and column_name in ('lead_id', 'lead', 'survivor') order by 1",
    )
    .fetch_all(&leads.owner)
    .await
    .unwrap();
    assert_eq!(
        tables,
        [
            "decision_maps",
            "decision_roles",
            "duplicate_keys",
            "duplicate_records",
            "duplicate_requests",
            "escalations",
            "first_orders",
            "follow_ups",
            "lead_disputes",
            "lead_facts",
            "lead_fingerprints",
            "lead_gates",
            "lead_history",
            "lead_import_updates",
            "lead_merges",
            "lead_tags",
            "leads",
            "reroute_requests",
            "routing_decisions",
            "validity_corrections",
        ]
    );
}

#[tokio::test]
async fn rows_fill_overwrite_or_leave_what_is_known() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let mut known = new_lead("A");
    known.phone = "1".into();
    known.attributes = [("同意营销".to_owned(), "否".to_owned())].into();
    let lead = capture(&mut admin, known).await;
    let closed = capture(&mut admin, new_lead("B")).await;
    close(&mut admin, &closed).await.unwrap();
    let (survivor, loser) = (
        capture(&mut admin, new_lead("C")).await,
        capture(&mut admin, new_lead("D")).await,
    );
    merge(&mut admin, &survivor, &loser).await.unwrap();
    let file = "编号,公司,电话,邮箱,同意营销\n\
        A,上海医院,2,a@b.cn,是\nB,改,,,\nC,改,,,\nD,改,,,\nE,新,3,,\nA,上海医院,,,\n";

    for (on_known, expected, phone) in [
        (OnKnown::Skip, (1, 5, 0, 0), "1"),
        (OnKnown::Fill, (1, 5, 1, 0), "1"),
        (OnKnown::Overwrite, (1, 5, 1, 3), "2"),
    ] {
        settled(&leads).await;
        let before = rows(&leads, HUADONG).await;
        let told = update(&mut admin, "", file, on_known).await.unwrap();
        let of = |told: &ImportLeadsResponse| {
            (
                told.stored_count,
                told.existed_count,
                told.updated_count,
                told.conflict_count,
            )
        };
        assert_eq!(of(&told), expected, "{on_known:?} previewed");
        assert_same(&before, &rows(&leads, HUADONG).await);
        let shown =
            |outcome| -> Vec<&KnownRow> { told.known_rows.iter().filter(|row| row.outcome() == outcome).collect() };
        let updated = shown(Outcome::Updated);
        assert_eq!(i64::try_from(updated.len()).unwrap(), expected.2);
        if let Some(row) = updated.first() {
            let differences: Vec<_> = row
                .differences
                .iter()
                .map(|it| (it.field.as_str(), it.before.as_str(), it.after.as_str()))
                .collect();
            let wanted: &[_] = match on_known {
                OnKnown::Fill => &[("email", "", "a@b.cn")],
                _ => &[("email", "", "a@b.cn"), ("phone", "1", "2")],
            };
            assert_eq!(
                (row.line, row.lead.as_str(), differences.as_slice()),
                (2, lead.as_str(), wanted)
            );
        }
        let conflicts: Vec<_> = shown(Outcome::Conflict)
            .iter()
            .map(|row| (row.line, row.description.as_str()))
            .collect();
        if expected.3 > 0 {
            let wanted = [
                (3, "is closed"),
                (4, "had others merged into it since"),
                (5, "was merged into another lead"),
            ];
            assert_eq!(conflicts, wanted);
        }

        settled(&leads).await;
        let before = rows(&leads, HUADONG).await;
        let import_id = format!("0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0b{:02x}", on_known as i32);
        let told = update(&mut admin, &import_id, file, on_known).await.unwrap();
        assert_eq!(of(&told), expected, "{on_known:?} imported");
        assert_eq!(
            i64::try_from(told.known_rows.len()).unwrap(),
            expected.3,
            "conflicts are told"
        );
        let now = admin.lead(&lead).await;
        assert_eq!((now.phone.as_str(), now.attributes["同意营销"].as_str()), (phone, "否"));
        settled(&leads).await;
        let undone = undo(&mut admin, &import_id, Vec::new(), ConflictResolution::Unspecified)
            .await
            .unwrap();
        assert_eq!(
            (undone.removed_count, undone.restored_count, undone.kept_count),
            (1, expected.2, 0)
        );
        settled(&leads).await;
        assert_same(&before, &rows(&leads, HUADONG).await);
    }
    assert_eq!(leads.told("reflex.leads.v1.LeadUpdated", &lead).await, 4);
    let unknown = messages(IMPORT, b"", 10);
    let mut unknown = unknown;
    unknown[0].settings.as_mut().unwrap().on_known = 9;
    assert_refused(send(&mut admin, unknown).await, INVALID, "settings.on_known");
}

#[tokio::test]
async fn what_somebody_worked_on_is_kept_until_it_is_decided() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let known = capture(&mut admin, new_lead("K")).await;
    let other = capture(&mut admin, new_lead("O")).await;
    let file = "编号,公司,电话\nA,甲,1\nB,乙,2\nC,丙,3\nD,丁,4\nE,戊,5\nF,己,6\nG,庚,8\nK,改,7\n";
    update(&mut admin, IMPORT, file, OnKnown::Overwrite).await.unwrap();
    settled(&leads).await;
    let listed: Vec<(String, String)> = sqlx::query_as("select external_id, 'leads/' || lead_id from leads")
        .fetch_all(&leads.owner)
        .await
        .unwrap();
    let of = |id: &str| listed.iter().find(|(external, _)| external == id).unwrap().1.clone();
    claim(&mut admin, &of("A")).await.unwrap();
    call(&mut admin, &of("B")).await.unwrap();
    close(&mut admin, &of("C")).await.unwrap();
    let tag = AddLeadTagRequest {
        lead: of("D"),
        tag: "重点".into(),
        ..AddLeadTagRequest::default()
    };
    admin.tags.add_lead_tag(tag).await.unwrap();
    admin.correct(&of("G"), Label::Valid, "", "").await.unwrap();
    let merged = merge(&mut admin, &of("E"), &other).await.unwrap().merge.unwrap().name;
    update(&mut admin, OTHER_IMPORT, "编号,公司,电话\nK,改,8\n", OnKnown::Overwrite)
        .await
        .unwrap();

    let told = undo(&mut admin, IMPORT, Vec::new(), ConflictResolution::Unspecified)
        .await
        .unwrap();
    assert_eq!((told.removed_count, told.restored_count, told.kept_count), (1, 1, 7));
    let conflict = |name: &str| -> UndoConflict {
        let mut found = told.conflicts.iter();
        found
            .find(|conflict| conflict.name == name)
            .unwrap_or_else(|| panic!("{name}: {told:?}"))
            .clone()
    };
    for (id, telling) in [
        ("A", "was claimed since"),
        ("B", "was contacted since"),
        ("C", "was closed since"),
        ("D", "was tagged since"),
        ("E", "was merged since; what was ever merged is kept"),
        ("G", "was called valid or invalid since"),
    ] {
        let conflict = conflict(&of(id));
        assert_eq!(conflict.description, telling);
        assert_eq!(conflict.resolution(), ConflictResolution::Keep);
        assert!(!conflict.description_zh.is_empty());
    }
    let phone = conflict(&format!("{known}/phone"));
    assert_eq!((phone.kept_value.as_str(), phone.restored_value.as_str()), ("8", ""));
    let now = admin.lead(&known).await;
    assert_eq!((now.company.as_str(), now.phone.as_str()), ("上海医院", "8"));
    let gone = admin.leads.get_lead(GetLeadRequest { name: of("F") }).await;
    assert_refused(gone, NOT_FOUND, "does not exist");

    // One is decided by name, the rest stays.
    let decision = ConflictDecision {
        conflict: of("A"),
        resolution: ConflictResolution::Restore.into(),
    };
    let told = undo(&mut admin, IMPORT, vec![decision], ConflictResolution::Keep)
        .await
        .unwrap();
    assert_eq!((told.removed_count, told.kept_count), (2, 6));
    // All are, but for what was merged.
    let told = undo(&mut admin, IMPORT, Vec::new(), ConflictResolution::Restore)
        .await
        .unwrap();
    assert_eq!((told.removed_count, told.restored_count, told.kept_count), (6, 2, 1));
    assert_eq!(admin.lead(&known).await.phone, "");
    let left: Vec<String> = sqlx::query_scalar("select external_id from leads order by 1")
        .fetch_all(&leads.owner)
        .await
        .unwrap();
    assert_eq!(left, ["E", "K", "O"]);
    unmerge(&mut admin, &merged, ConflictResolution::Restore).await.unwrap();
    let held: i32 = sqlx::query_scalar("select open_leads from members where tenant_id = $1")
        .bind(HUADONG)
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(held, 3);
    // What the other import said was overwritten by a decision; nothing is left of it to be taken back.
    let told = undo(&mut admin, OTHER_IMPORT, Vec::new(), ConflictResolution::Unspecified)
        .await
        .unwrap();
    assert_eq!((told.removed_count, told.restored_count, told.kept_count), (0, 0, 1));
}

#[tokio::test]
async fn imports_are_listed_cancelled_and_kept_apart() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    import(&mut admin, IMPORT, "公司\n甲\n").await.unwrap();
    leads.clock.advance(jiff::SignedDuration::from_secs(1));
    // Only its beginning is sent.
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    sender.send(messages(OTHER_IMPORT, b"", 10).remove(0)).await.unwrap();
    let open = admin.imports.clone();
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let opened = async move { open.clone().import_leads(stream).await.map(drop) };
    let mut opening = tokio::task::JoinSet::new();
    opening.spawn(opened);
    eventually("it is begun", async || {
        let request = GetImportRequest {
            name: name(OTHER_IMPORT),
        };
        admin.imports.clone().get_import(request).await.ok()
    })
    .await;
    assert_eq!(state(&mut admin, OTHER_IMPORT).await, State::Running);
    leads.clock.advance(jiff::SignedDuration::from_mins(2));
    assert_eq!(state(&mut admin, OTHER_IMPORT).await, State::BrokenOff);

    let mut page = ListImportsRequest {
        page_size: 1,
        page_token: String::new(),
    };
    let first = admin.imports.list_imports(page.clone()).await.unwrap().into_inner();
    assert_eq!(first.imports[0].name, name(OTHER_IMPORT));
    page.page_token = first.next_page_token;
    let second = admin.imports.list_imports(page.clone()).await.unwrap().into_inner();
    assert_eq!(
        (second.imports[0].name.clone(), second.next_page_token.as_str()),
        (name(IMPORT), "")
    );
    assert_eq!(
        (second.imports[0].state(), second.imports[0].stored_count),
        (State::Complete, 1)
    );
    assert_eq!(second.imports[0].source, "展会");

    let cancel = |import_id: &str| CancelImportRequest {
        name: name(import_id),
        request_id: String::new(),
    };
    assert_refused(
        admin.imports.cancel_import(cancel(IMPORT)).await,
        WRONG_STATE,
        "is complete",
    );
    let cancelled = admin
        .imports
        .cancel_import(cancel(OTHER_IMPORT))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(cancelled.import.unwrap().state(), State::Cancelled);
    drop(sender);
    // It ends with a refusal, or with nothing, as its file had not even a header.
    drop(opening.join_all().await);
    let told = import(&mut admin, OTHER_IMPORT, "公司\n甲\n").await;
    assert_refused(told, WRONG_STATE, "cancelled or undone");

    let mut stranger = leads.admin(HUABEI);
    assert_refused(stranger.imports.list_imports(page).await, OTHER_PAGE, "");
    assert_refused(stranger.imports.cancel_import(cancel(IMPORT)).await, NOT_FOUND, IMPORT);
    let keep = ConflictResolution::Keep;
    assert_refused(undo(&mut stranger, IMPORT, Vec::new(), keep).await, NOT_FOUND, IMPORT);
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(undo(&mut sales, IMPORT, Vec::new(), keep).await, DENIED, "leads.import");
    for (conflict, resolution, telling) in [
        ("members/x", keep, "decisions[0].conflict"),
        ("leads/x", ConflictResolution::Unspecified, "decisions[0].resolution"),
    ] {
        let decision = ConflictDecision {
            conflict: conflict.into(),
            resolution: resolution.into(),
        };
        let told = undo(&mut admin, IMPORT, vec![decision], keep).await;
        assert_refused(told, INVALID, telling);
    }
    sqlx::query("update lead_imports set keeps_images = false")
        .execute(&leads.owner)
        .await
        .unwrap();
    assert_refused(
        undo(&mut admin, IMPORT, Vec::new(), keep).await,
        WRONG_STATE,
        "before imports kept",
    );
}

#[tokio::test]
async fn who_watches_leads_sees_them_updated_and_withdrawn() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let known = capture(&mut admin, new_lead("K")).await;
    let mut watch = admin
        .leads
        .watch_leads(WatchLeadsRequest::default())
        .await
        .unwrap()
        .into_inner();
    watch.message().await.unwrap().unwrap();
    let mut next = async |wanted: Kind| loop {
        let change = watch.message().await.unwrap().unwrap().change;
        if let Some(change) = change.filter(|change| change.kind() == wanted) {
            break change.lead.unwrap();
        }
    };
    update(&mut admin, IMPORT, "编号,公司\nK,改\nN,新\n", OnKnown::Overwrite)
        .await
        .unwrap();
    let updated = next(Kind::Updated).await;
    assert_eq!(
        (updated.name.as_str(), updated.company.as_str()),
        (known.as_str(), "改")
    );
    let assigned = next(Kind::Assigned).await;
    undo(&mut admin, IMPORT, Vec::new(), ConflictResolution::Keep)
        .await
        .unwrap();
    assert_eq!(next(Kind::Updated).await.company, "上海医院");
    let gone = next(Kind::Withdrawn).await;
    assert_eq!((gone.name, gone.company.as_str()), (assigned.name, ""));
}
