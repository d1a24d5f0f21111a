//! Definitions: refused with a reason, kept by version, tried before they are stored, apart by tenant.

use super::*;

#[tokio::test]
async fn mistakes_are_refused_with_the_nearest_name_and_users_are_named() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_customers().await;
    let misspelt = MATCH.replacen("设备型号", "设备型好", 1);
    let refused = admin.put_field(of_account("match", "工艺匹配度", &misspelt)).await;
    assert_refused(
        refused,
        INVALID,
        "field.formula: 第 1 行第 13 列：没有字段“客户.设备型好”，是否应为 客户.设备型号 ？",
    );
    let listed = admin
        .fields
        .list_calculated_fields(ListCalculatedFieldsRequest::default())
        .await
        .unwrap();
    assert!(
        listed.into_inner().fields.is_empty(),
        "nothing is kept of what was refused"
    );

    admin
        .put_field(of_account("match", "工艺匹配度/process_match", MATCH))
        .await
        .unwrap();
    admin
        .put_field(of_lead("a", "甲", "客户.工艺匹配度 + 1"))
        .await
        .unwrap();
    admin.put_field(of_lead("b", "乙", "甲 + 1")).await.unwrap();
    let circle = admin.put_field(of_lead("a", "甲", "乙 - 1")).await;
    assert_refused(
        circle,
        INVALID,
        "循环引用：甲 → 乙 → 甲 / fields read one another in a circle: 甲 → 乙 → 甲",
    );
    let passing = admin
        .put_field(of_lead("c", "丙", "DAYS(TODAY(), DATEOF(录入时间))"))
        .await;
    assert_refused(passing, INVALID, "不能使用 TODAY()");

    // A policy may use them, and then they stay as they are called.
    admin.put_team("key").await;
    let policy = |when: &str| PutRoutingPolicyRequest {
        policy: Some(RoutingPolicy {
            entries: vec![routing_policy::Entry {
                team: "teams/key".into(),
                when: when.into(),
                ..routing_policy::Entry::default()
            }],
            ..RoutingPolicy::default()
        }),
        request_id: String::new(),
        ..PutRoutingPolicyRequest::default()
    };
    let refused = admin.routing.put_routing_policy(policy("已 > 1")).await;
    assert_refused(refused, INVALID, "policy.entries[0].when");
    let refused = admin.routing.put_routing_policy(policy("乙 > '1'")).await;
    assert_refused(refused, INVALID, "policy.entries[0].when");
    admin.routing.put_routing_policy(policy("乙 > 1")).await.unwrap();
    assert_refused(
        admin.delete_field("b").await,
        WRONG_STATE,
        "entry 1 of the routing policy",
    );
    assert_refused(
        admin.delete_field("match").await,
        WRONG_STATE,
        "甲 (calculatedFields/a)",
    );
    let renamed = admin.put_field(of_lead("b", "乙乙", "甲 + 1")).await;
    assert_refused(renamed, WRONG_STATE, "分配策略第 1 条");
    admin.routing.put_routing_policy(policy("甲 > 1")).await.unwrap();
    admin.delete_field("b").await.unwrap();
    assert_refused(admin.delete_field("b").await, NOT_FOUND, "calculatedFields/b");

    let unready = admin.leads.list_leads(order("丙")).await;
    assert_refused(unready, INVALID, "没有这个计算字段；已有：甲");
    for wrong in ["甲 up", "甲 desc desc", "甲, 乙"] {
        let refused = admin.leads.list_leads(order(wrong)).await;
        assert_refused(refused, INVALID, "order_by: must be the name of one calculated field");
    }
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    assert_refused(viewer.put_field(of_lead("z", "子", "1")).await, DENIED, "fields.write");
}

#[tokio::test]
async fn versions_are_kept_and_a_repeated_request_changes_nothing() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let request = |formula: &str| PutCalculatedFieldRequest {
        field: Some(of_lead("a", "甲", formula)),
        request_id: Uuid::from_u128(7).to_string(),
    };
    let first = admin
        .fields
        .put_calculated_field(request("1"))
        .await
        .unwrap()
        .into_inner();
    let again = admin
        .fields
        .put_calculated_field(request("1"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    let reused = admin.fields.put_calculated_field(request("2")).await;
    assert_refused(reused, REUSED, "");
    let version = leads.version(HUADONG).await;
    let same = admin.put_field(of_lead("a", "甲", "1")).await.unwrap();
    assert_eq!(
        (same.version, leads.version(HUADONG).await),
        (1, version),
        "what is the same changes nothing"
    );
    let second = admin.put_field(of_lead("a", "甲/a", "预算 * 2")).await.unwrap();
    assert_eq!(second.version, 2);
    let earlier = admin.field("a", 1).await;
    assert_eq!(
        (earlier.version, earlier.formula.as_str(), earlier.alias.as_str()),
        (1, "1", "")
    );
    assert_eq!(admin.field("a", 2).await.formula, "预算 * 2");
    let absent = admin.fields.get_calculated_field(GetCalculatedFieldRequest {
        name: "calculatedFields/a".into(),
        version: 3,
    });
    assert_refused(absent.await, NOT_FOUND, "version 3");

    let put = |model: &str| PutAccountRequest {
        account: Some(account(
            "suzhou",
            &[("设备型号", model), ("年产值", "1"), ("行业", "x")],
        )),
        request_id: Uuid::from_u128(8).to_string(),
    };
    let first = admin.accounts.put_account(put("锻造")).await.unwrap().into_inner();
    let again = admin.accounts.put_account(put("锻造")).await.unwrap().into_inner();
    assert_eq!(first, again);
    assert_refused(admin.accounts.put_account(put("车床")).await, REUSED, "");
}

#[tokio::test]
async fn a_preview_shows_values_inputs_and_errors_and_writes_nothing() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_customers().await;
    let name = admin.capture_of("suzhou", "苏州询价", 5_000).await;
    admin.wait_for_owner(&name, "").await;
    let preview = |field: CalculatedField, records: &[&str]| PreviewCalculatedFieldRequest {
        field: Some(field),
        records: records.iter().map(|record| (*record).to_owned()).collect(),
        page_size: 0,
    };
    let count = async || -> Vec<i64> {
        sqlx::query_scalar(
            "select count(*) from calculated_fields union all select count(*) from calculated_keys
             union all select count(*) from field_recomputes union all select count(*) from setup_versions",
        )
        .fetch_all(&leads.owner)
        .await
        .unwrap()
    };
    let before = count().await;
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    let draft = CalculatedField {
        name: String::new(),
        field_name: String::new(),
        ..of_account("x", "x", MATCH)
    };
    let shown = viewer
        .fields
        .preview_calculated_field(preview(draft, &[]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(shown.r#type(), calculated_field::Type::Number);
    let rows: Vec<_> = shown
        .rows
        .iter()
        .map(|row| (row.record.as_str(), number(row.result.as_ref().unwrap())))
        .collect();
    assert_eq!(
        rows,
        [
            ("accounts/ningbo", Some(0.3)),
            ("accounts/suzhou", Some(0.8)),
            ("accounts/wuxi", Some(0.6))
        ]
    );
    assert_eq!(shown.rows[0].label, "ningbo 公司");
    let input = &shown.rows[0].inputs[0];
    assert_eq!(input.field, "客户.设备型号");
    assert_eq!(
        input.value.as_ref().unwrap().kind,
        Some(Kind::StringValue("注塑机".into()))
    );

    let failing = of_lead("x", "比例", "1 / (预算 - 50) & 客户.设备型号");
    let shown = admin
        .fields
        .preview_calculated_field(preview(failing, &[&name]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((shown.rows.len(), shown.rows[0].label.as_str()), (1, "L000001"));
    assert_eq!(shown.rows[0].result.as_ref().unwrap().error_zh, "除数为零");
    assert_eq!(shown.rows[0].inputs.len(), 2);
    assert_eq!(count().await, before, "nothing is written");

    let misspelt = of_lead("x", "比例", "预祘");
    assert_refused(
        admin.fields.preview_calculated_field(preview(misspelt, &[])).await,
        INVALID,
        "预算",
    );
    let absent = format!("leads/{}", Uuid::nil());
    let refused = admin
        .fields
        .preview_calculated_field(preview(of_lead("x", "比例", "预算"), &[&absent]))
        .await;
    assert_refused(refused, NOT_FOUND, &absent);
    let refused = admin
        .fields
        .preview_calculated_field(preview(of_lead("x", "比例", "预算"), &["accounts/suzhou"]))
        .await;
    assert_refused(refused, INVALID, "records[0]");
}

#[tokio::test]
async fn tenants_have_fields_and_accounts_of_their_own() {
    let leads = Leads::start().await;
    let (mut admin, mut other) = (leads.admin(HUADONG), leads.admin(HUABEI));
    admin.put_customers().await;
    admin.put_field(of_account("match", "工艺匹配度", MATCH)).await.unwrap();
    let misspelt = other.put_field(of_account("match", "工艺匹配度", MATCH)).await;
    assert_refused(misspelt, INVALID, "没有字段“客户.设备型号”");
    let absent = other
        .accounts
        .get_account(GetAccountRequest {
            name: "accounts/suzhou".into(),
        })
        .await;
    assert_refused(absent, NOT_FOUND, "accounts/suzhou");
    assert_refused(other.delete_field("match").await, NOT_FOUND, "calculatedFields/match");
    other.put_account(account("suzhou", &[("设备型号", "注塑机")])).await;
    other
        .put_field(of_account("match", "工艺匹配度", "LEN(客户.设备型号)"))
        .await
        .unwrap();
    other.settled("match").await;
    admin.settled("match").await;
    assert_eq!(
        values(&other.account("suzhou").await.calculated_values)["工艺匹配度"],
        Some(3.0)
    );
    assert_eq!(
        values(&admin.account("suzhou").await.calculated_values)["工艺匹配度"],
        Some(0.8)
    );
    let listed = other.accounts.list_accounts(ListAccountsRequest {
        order_by: "工艺匹配度".into(),
        ..ListAccountsRequest::default()
    });
    assert_eq!(listed.await.unwrap().into_inner().accounts.len(), 1);
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    let denied = viewer.accounts.put_account(PutAccountRequest::default()).await;
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
    let listed = viewer
        .accounts
        .list_accounts(ListAccountsRequest::default())
        .await
        .unwrap();
    assert_eq!(listed.into_inner().accounts.len(), 3);
}
