//! Values: calculated with the record, anew after a change, also after an interruption, and what routing makes of them.

use reflex_proto::leads::v1::{Calendar, PutCalendarRequest};

use super::*;

#[tokio::test]
async fn values_follow_definitions_and_accounts() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_customers().await;
    admin.put_field(of_account("match", "工艺匹配度", MATCH)).await.unwrap();
    admin
        .put_field(of_lead("weight", "权重", "客户.工艺匹配度 * 10"))
        .await
        .unwrap();
    let name = admin.capture_of("ningbo", "宁波询价", 100).await;
    admin.until_value(&name, "权重", Some(3.0)).await;

    admin
        .put_account(account("ningbo", &[("设备型号", "锻造压力机")]))
        .await;
    admin.until_value(&name, "权重", Some(8.0)).await;
    admin.put_account(account("ningbo", &[])).await;
    admin.until_value(&name, "权重", Some(3.0)).await;

    admin
        .put_field(of_account(
            "match",
            "工艺匹配度",
            "IF(ISBLANK(客户.设备型号), 1 / (LEN(客户) - 6), 0.5)",
        ))
        .await
        .unwrap();
    admin.until_value(&name, "权重", None).await;
    let failed = admin.account("ningbo").await.calculated_values.remove(0);
    assert_eq!(failed.error_zh, "除数为零");
    assert!(failed.error_en.contains("zero"), "{}", failed.error_en);
    assert_eq!(
        values(&admin.account("suzhou").await.calculated_values)["工艺匹配度"],
        Some(0.5)
    );

    let unknown = admin.capture_of("nobody-knows", "陌生询价", 100).await;
    admin.until_value(&unknown, "权重", None).await;
    admin.put_account(account("nobody-knows", &[("设备型号", "x")])).await;
    admin.until_value(&unknown, "权重", Some(5.0)).await;

    admin.put_field(of_lead("weight", "权重", "预算")).await.unwrap();
    admin.delete_field("match").await.unwrap();
    admin.until_value(&name, "权重", Some(1.0)).await;
    eventually("values of a deleted field are gone", async || {
        admin.account("suzhou").await.calculated_values.is_empty()
    })
    .await;
    eventually("its keys, too", async || {
        let keys: i64 = sqlx::query_scalar("select count(distinct field_key) from calculated_keys")
            .fetch_one(&leads.owner)
            .await
            .unwrap();
        keys == 1
    })
    .await;
}

#[tokio::test]
async fn values_follow_the_zone_of_the_default_calendar() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_field(of_lead("hour", "时", "HOUR(录入时间)")).await.unwrap();
    let name = admin.capture_of("", "一个", 100).await;
    let hour = |zone: &str| {
        let zone = jiff::tz::TimeZone::get(zone).unwrap();
        Some(f64::from(reflex_testing::fixture_time().to_zoned(zone).hour()))
    };
    admin.until_value(&name, "时", hour("Asia/Shanghai")).await;
    let calendar = Calendar {
        name: "calendars/default".into(),
        spec: "{time_zone: America/Lima, days: [Mon-Fri], windows: [['09:00', '18:00']]}".into(),
    };
    let request = PutCalendarRequest {
        calendar: Some(calendar),
        request_id: String::new(),
    };
    admin.calendars.put_calendar(request).await.unwrap();
    admin.until_value(&name, "时", hour("America/Lima")).await;
}

#[tokio::test]
async fn an_interrupted_recompute_goes_on_where_it_was() {
    const LEADS: i64 = 1_300;
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let first = admin.capture_of("", "第一个", 100).await;
    admin.wait_for_owner(&first, "").await;
    sqlx::query(
        "insert into leads (tenant_id, lead_id, shard, number, state, source, payload_hash, company, contact_name, phone, email,
             territory, product, budget_min_fen, budget_max_fen, remark, account, attributes, raw_payload, create_time)
         select tenant_id, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, shard, 1000 + n, 'closed', source,
             payload_hash, 'c' || n, '', '', '', '', '', 0, n * 100, '', '', '{}', '', create_time
         from leads, generate_series(1, $1) as n",
    )
    .bind(LEADS)
    .execute(&leads.owner)
    .await
    .unwrap();
    // Somebody else holds a lead of the second batch, so that only the first one is committed.
    let mut other = leads.owner.begin().await.unwrap();
    sqlx::query("select from leads where number = 1000 + 900 for update")
        .execute(&mut *other)
        .await
        .unwrap();
    admin.put_field(of_lead("amount", "金额", "预算")).await.unwrap();
    let cursor = eventually("the first batch is done", async || {
        let cursor: Option<String> = sqlx::query_scalar("select cursor from field_recomputes where target = 'leads'")
            .fetch_optional(&leads.owner)
            .await
            .unwrap()
            .flatten();
        cursor
    })
    .await;
    assert!(cursor.ends_with("0001f4"), "500 leads are done: {cursor}");
    let unready = admin.leads.list_leads(order("金额")).await;
    assert_refused(unready, WRONG_STATE, "还在首次计算");
    // The worker's connection is cut, as it is when its process dies in the middle of a batch.
    let cut: bool = eventually("the worker waits and is cut off", async || {
        sqlx::query_scalar(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock' and query like '%for update%' limit 1",
        )
        .fetch_optional(&leads.owner)
        .await
        .unwrap()
    })
    .await;
    assert!(cut);
    let untouched: i64 = sqlx::query_scalar("select count(*) from leads where calculated is null")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(untouched, LEADS + 1 - 500, "half a batch is none");
    // What is done is not done again: a mark on it stays.
    sqlx::query("update leads set calculated = '{\"金额\": -1}' where number = 1001")
        .execute(&leads.owner)
        .await
        .unwrap();
    other.rollback().await.unwrap();
    admin.settled("amount").await;
    let (marked, wrong): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where (calculated ->> '金额')::numeric = -1),
             count(*) filter (where (calculated ->> '金额')::numeric is distinct from budget_max_fen / 100) from leads",
    )
    .fetch_one(&leads.owner)
    .await
    .unwrap();
    assert_eq!((marked, wrong), (1, 1));
    let top = admin.ordered(1000, &order("金额 desc")).await;
    assert_eq!((top.len(), top[0].as_str(), top[1].as_str()), (1301, "c1300", "c1299"));
}

#[tokio::test]
async fn leads_are_routed_by_their_calculated_values() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_customers().await;
    admin.put_field(of_account("match", "工艺匹配度", MATCH)).await.unwrap();
    admin
        .put_field(of_lead("weight", "权重", "客户.工艺匹配度 * 预算"))
        .await
        .unwrap();
    for (team, person) in [("key", "an"), ("rest", "bo")] {
        admin.put_team(team).await;
        admin.put_member(member(person, team)).await;
    }
    let entry = |team: &str, when: &str| routing_policy::Entry {
        team: team.into(),
        when: when.into(),
        ..routing_policy::Entry::default()
    };
    let request = PutRoutingPolicyRequest {
        policy: Some(RoutingPolicy {
            entries: vec![
                entry("teams/key", "权重 >= 40"),
                entry("teams/rest", "客户.工艺匹配度 < 0.5 且 account.name <> ''"),
            ],
            ..RoutingPolicy::default()
        }),
        request_id: String::new(),
        ..PutRoutingPolicyRequest::default()
    };
    admin.routing.put_routing_policy(request).await.unwrap();
    let strong = admin.capture_of("suzhou", "苏州大单", 10_000).await;
    admin.wait_for_owner(&strong, "members/an").await;
    let weak = admin.capture_of("ningbo", "宁波小单", 10_000).await;
    admin.wait_for_owner(&weak, "members/bo").await;
    // Neither holds, so it waits, and goes on its way when its account turns out to be a better one.
    let between = admin.capture_of("wuxi", "无锡小单", 5_000).await;
    admin.wait_for_owner(&between, "").await;
    admin.put_account(account("wuxi", &[("设备型号", "锻造压力机")])).await;
    admin.wait_for_owner(&between, "members/an").await;
}
