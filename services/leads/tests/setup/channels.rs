//! What channels cost and bring: the table that the requirements name, and what counts as what.

use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::{
    CaptureLeadRequest, ChannelCost, ChannelFigures, CloseLeadRequest, DataSubject, EraseSubjectRequest,
    ExportChannelReportRequest, FirstOrder, FollowUp, GetChannelReportRequest, GetChannelReportResponse,
    ListChannelCostsRequest, NewLead, PutChannelCostRequest, RecordFirstOrderRequest, RecordFollowUpRequest, follow_up,
    lead,
};
use reflex_rpc::identity::Role;
use reflex_runtime::clock::Clock as _;
use tonic::Status;
use uuid::Uuid;

use crate::{
    harness::{Caller, DENIED, HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, OTHER_PAGE, REUSED, assert_refused},
    merging::{furnish, merge},
};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A channel of the table: leads a month, fen a lead, percent followed up, days to the first order.
struct Row {
    source: &'static str,
    leads: i64,
    fen: i64,
    percent: i64,
    days: i64,
    /// How many of a single month's leads are followed up: no whole number of them is exactly the percentage.
    followed: i64,
    /// What an effectively followed lead costs.
    expected: &'static str,
}

const TABLE: [Row; 4] = [
    Row {
        source: "百度",
        leads: 86,
        fen: 21_700,
        percent: 92,
        days: 38,
        followed: 79,
        expected: "235.87",
    },
    Row {
        source: "抖音",
        leads: 142,
        fen: 8_900,
        percent: 76,
        days: 52,
        followed: 108,
        expected: "117.11",
    },
    Row {
        source: "展会",
        leads: 53,
        fen: 15_600,
        percent: 61,
        days: 29,
        followed: 32,
        expected: "255.74",
    },
    Row {
        source: "转介绍",
        leads: 31,
        fen: 0,
        percent: 100,
        days: 17,
        followed: 31,
        expected: "0.00",
    },
];

/// Over so many months each percentage is a whole number of leads.
const MONTHS: i64 = 100;

impl Caller {
    async fn capture_from(&mut self, source: &str, id: &str) -> String {
        let lead = NewLead {
            source: source.into(),
            external_id: id.into(),
            company: id.into(),
            ..NewLead::default()
        };
        let request = CaptureLeadRequest {
            lead: Some(lead),
            request_id: String::new(),
        };
        self.leads.capture_lead(request).await.unwrap().into_inner().name
    }

    async fn contact(&mut self, lead: &str, kind: follow_up::Kind) {
        let follow_up = FollowUp {
            lead: lead.into(),
            member: "members/wang".into(),
            kind: kind.into(),
            ..FollowUp::default()
        };
        let request = RecordFollowUpRequest {
            follow_up: Some(follow_up),
            request_id: String::new(),
        };
        self.follow_ups.record_follow_up(request).await.unwrap();
    }

    async fn put_cost(&mut self, cost: ChannelCost) -> Result<ChannelCost, Status> {
        let request = PutChannelCostRequest {
            channel_cost: Some(cost),
            request_id: String::new(),
        };
        let response = self.channels.put_channel_cost(request).await?;
        Ok(response.into_inner().channel_cost.unwrap())
    }

    async fn order(&mut self, lead: &str, order: &str, at: Timestamp, amount_fen: i64) -> Result<FirstOrder, Status> {
        let request = RecordFirstOrderRequest {
            first_order: Some(first_order(lead, order, at, amount_fen)),
            request_id: String::new(),
        };
        let response = self.channels.record_first_order(request).await?;
        Ok(response.into_inner().first_order.unwrap())
    }

    async fn report(&mut self, first: &str, last: &str) -> Result<GetChannelReportResponse, Status> {
        let request = GetChannelReportRequest {
            first_month: first.into(),
            last_month: last.into(),
        };
        Ok(self.channels.get_channel_report(request).await?.into_inner())
    }

    async fn figures(&mut self, source: &str) -> ChannelFigures {
        let report = self.report("2026-03", "").await.unwrap();
        let found = report.channels.into_iter().find(|channel| channel.source == source);
        found.unwrap_or_default()
    }

    async fn file(&mut self, first: &str, last: &str, language: &str) -> Result<String, Status> {
        let request = ExportChannelReportRequest {
            first_month: first.into(),
            last_month: last.into(),
            language: language.into(),
        };
        let response = self.channels.export_channel_report(request).await?.into_inner();
        Ok(String::from_utf8(response.csv).unwrap())
    }
}

fn first_order(lead: &str, order: &str, at: Timestamp, amount_fen: i64) -> FirstOrder {
    FirstOrder {
        lead: lead.into(),
        order: order.into(),
        order_time: Some(prost_types::Timestamp {
            seconds: at.as_second(),
            nanos: 0,
        }),
        amount_fen,
    }
}

fn cost(id: &str, source: &str, amount_fen: i64, first_month: &str, month_count: i32) -> ChannelCost {
    ChannelCost {
        name: format!("channelCosts/{id}"),
        source: source.into(),
        title: "投放".into(),
        amount_fen,
        first_month: first_month.into(),
        month_count,
        ..ChannelCost::default()
    }
}

/// Captures a month of the table, calls those who are called, and takes two orders a channel.
async fn work_a_month(leads: &Leads, admin: &mut Caller) {
    let captured = leads.clock.now();
    let mut ordering = Vec::new();
    for row in &TABLE {
        for number in 0..row.leads {
            let lead = admin
                .capture_from(row.source, &format!("{}-{number}", row.source))
                .await;
            if number < row.followed {
                admin.contact(&lead, follow_up::Kind::Call).await;
            }
            if number < 2 {
                // A day before and a day after the average.
                let at = captured + DAY * i32::try_from(row.days + 2 * number - 1).unwrap();
                ordering.push((lead, format!("SO-{}-{number}", row.source), at));
            }
        }
    }
    leads.advance(DAY * 60);
    for (lead, order, at) in ordering {
        admin.order(&lead, &order, at, 100_000).await.unwrap();
    }
}

/// Puts 99 months like the first before it, as rows: with it each channel's percentage is exact.
async fn put_history(leads: &Leads) {
    sqlx::query(
        "insert into leads (tenant_id, lead_id, shard, number, state, source, payload_hash, company, contact_name, phone,
             email, territory, product, budget_min_fen, budget_max_fen, remark, account, attributes, raw_payload, create_time)
         select tenant_id, gen_random_uuid(), shard, number + 1000 * back, 'closed', source, payload_hash, company,
             contact_name, phone, email, territory, product, 0, 0, remark, account, attributes, raw_payload,
             create_time - make_interval(months => back)
         from leads cross join generate_series(1, $1) as back where tenant_id = $2",
    )
    .bind(i32::try_from(MONTHS - 1).unwrap())
    .bind(HUADONG)
    .execute(&leads.owner)
    .await
    .unwrap();
    for row in &TABLE {
        sqlx::query(
            "insert into follow_ups (tenant_id, follow_up_id, lead_id, member, kind, next_action, note, screening_complete,
                 occur_time, create_time)
             select tenant_id, gen_random_uuid(), lead_id, 'wang', 'visit', '', '', false,
                 create_time + interval '168 hours', create_time + interval '10 days'
             from leads where tenant_id = $1 and source = $2 and state = 'closed' order by lead_id limit $3",
        )
        .bind(HUADONG)
        .bind(row.source)
        .bind(row.leads * MONTHS * row.percent / 100 - row.followed)
        .execute(&leads.owner)
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn the_table_of_channels_comes_out_to_the_fen() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    // Each for a hundred months; the trade fair's is its booth, written off month by month, and the journeys there.
    for (id, source, monthly) in [
        ("baidu", "百度", 86 * 21_700),
        ("douyin", "抖音", 142 * 8_900),
        ("booth", "展会", 450_000),
        ("journeys", "展会", 53 * 15_600 - 450_000),
    ] {
        admin
            .put_cost(cost(id, source, monthly * MONTHS, "2017-12", 100))
            .await
            .unwrap();
    }
    work_a_month(&leads, &mut admin).await;

    let month = admin.report("2026-03", "").await.unwrap();
    let total = month.total.unwrap();
    assert_eq!((total.lead_count, total.cost_fen), (312, 3_956_800));
    assert_eq!(total.cost_per_lead_fen, Some(12_682));
    assert_eq!((total.due_lead_count, total.followed_lead_count), (312, 250));
    for row in &TABLE {
        let channel = month.channels.iter().find(|it| it.source == row.source).unwrap();
        assert_eq!(
            (channel.lead_count, channel.cost_per_lead_fen),
            (row.leads, Some(row.fen))
        );
        assert_eq!(channel.followed_lead_count, row.followed);
        assert_eq!(channel.first_order_cycle.as_ref().unwrap().seconds, row.days * 86_400);
        assert_eq!((channel.first_order_count, channel.converted_lead_count), (2, 2));
        assert_eq!(channel.revenue_fen, 200_000);
    }

    put_history(&leads).await;
    let all = admin.report("2017-12", "2026-03").await.unwrap();
    let shown: Vec<&str> = all.channels.iter().map(|channel| channel.source.as_str()).collect();
    assert_eq!(shown, ["抖音", "百度", "展会", "转介绍"], "most leads first");
    let total = all.total.unwrap();
    assert_eq!((total.lead_count, total.leads_per_month), (312 * MONTHS, 312));
    assert_eq!((total.cost_fen / MONTHS, total.cost_fen % MONTHS), (3_956_800, 0));
    assert_eq!(total.cost_per_lead_fen, Some(12_682));
    assert_eq!(total.follow_up_permille, Some(802));
    let file = admin.file("2017-12", "2026-03", "zh").await.unwrap();
    for row in &TABLE {
        let channel = all.channels.iter().find(|it| it.source == row.source).unwrap();
        assert_eq!(
            (channel.leads_per_month, channel.cost_per_lead_fen),
            (row.leads, Some(row.fen))
        );
        assert_eq!(channel.follow_up_permille.map(i64::from), Some(row.percent * 10));
        assert_eq!(channel.first_order_cycle.as_ref().unwrap().seconds, row.days * 86_400);
        let fen = channel.cost_per_followed_lead_fen.unwrap();
        assert_eq!(format!("{}.{:02}", fen / 100, fen % 100), row.expected);
        let line = file.lines().find(|line| line.starts_with(row.source)).unwrap();
        let cells: Vec<_> = line.split(',').collect();
        let (leads, cost) = (row.leads.to_string(), format!("{}.00", row.fen / 100));
        assert_eq!((cells[2], cells[4]), (leads.as_str(), cost.as_str()));
        assert_eq!(
            (cells[7], cells[10]),
            (format!("{}.0", row.percent).as_str(), row.expected)
        );
        assert_eq!(cells[14], format!("{}.0", row.days));
    }
    assert!(
        file.lines()
            .last()
            .unwrap()
            .starts_with("合计,31200,312,3956800.00,126.82,31200,25037,80.2,0,0,")
    );
}

#[tokio::test]
async fn only_calls_within_seven_days_count_and_only_once_these_are_over() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let (called, written) = (
        admin.capture_from("网站", "1").await,
        admin.capture_from("网站", "2").await,
    );
    let (late, _) = (
        admin.capture_from("网站", "3").await,
        admin.capture_from("网站", "4").await,
    );
    admin.contact(&called, follow_up::Kind::Visit).await;
    admin.contact(&written, follow_up::Kind::Message).await;
    let figures = admin.figures("网站").await;
    assert_eq!((figures.due_lead_count, figures.open_lead_count), (0, 4));
    assert_eq!(
        (figures.open_followed_lead_count, figures.follow_up_permille),
        (1, None)
    );
    assert_eq!(figures.cost_per_followed_lead_fen, None, "nothing to divide by");
    leads.advance(DAY * 7 - SignedDuration::from_secs(1));
    assert_eq!(admin.figures("网站").await.open_lead_count, 4);
    leads.advance(SignedDuration::from_secs(1));
    let figures = admin.figures("网站").await;
    assert_eq!((figures.due_lead_count, figures.followed_lead_count), (4, 1));
    leads.advance(SignedDuration::from_secs(1));
    admin.contact(&late, follow_up::Kind::Call).await;
    let figures = admin.figures("网站").await;
    assert_eq!(
        (figures.followed_lead_count, figures.follow_up_permille),
        (1, Some(250))
    );

    let close = CloseLeadRequest {
        name: late,
        outcome: lead::Outcome::Converted.into(),
        ..CloseLeadRequest::default()
    };
    admin.leads.close_lead(close).await.unwrap();
    let figures = admin.figures("网站").await;
    assert_eq!((figures.converted_lead_count, figures.first_order_count), (1, 0));
    assert_eq!(
        (figures.conversion_permille, figures.first_order_cycle),
        (Some(250), None)
    );
    let other = leads.admin(HUABEI).report("2026-03", "").await.unwrap();
    assert_eq!((other.channels.len(), other.total.unwrap().lead_count), (0, 0));
}

#[tokio::test]
async fn merged_leads_are_one_and_erased_ones_still_count() {
    let leads = Leads::start().await;
    let mut admin = furnish(&leads, HUADONG).await;
    let first = admin.capture_from("网站", "1").await;
    leads.advance(DAY);
    let second = admin.capture_from("网站", "2").await;
    admin.contact(&first, follow_up::Kind::Call).await;
    for lead in [&first, &second] {
        admin.wait_for_owner(lead, "members/wang").await;
    }
    let captured = leads.clock.now();
    leads.advance(DAY * 20);
    admin.order(&first, "SO-2", captured + DAY * 4, 20).await.unwrap();
    merge(&mut admin, &second, &first).await.unwrap();
    let figures = admin.figures("网站").await;
    assert_eq!((figures.lead_count, figures.followed_lead_count), (1, 1));
    assert_eq!(
        (
            figures.first_order_count,
            figures.first_order_cycle.as_ref().unwrap().seconds
        ),
        (1, 5 * 86_400),
        "from the first capture"
    );
    // Told of the one that is merged, it is the survivor's; the earliest stands.
    let told = admin.order(&first, "SO-9", captured + DAY * 9, 90).await.unwrap();
    assert_eq!((told.lead.as_str(), told.order.as_str()), (second.as_str(), "SO-2"));
    let told = admin.order(&second, "SO-1", captured + DAY * 3, 10).await.unwrap();
    assert_eq!((told.order.as_str(), told.amount_fen), ("SO-1", 10));
    assert_eq!(admin.figures("网站").await.revenue_fen, 10);

    let subject = DataSubject {
        lead: second,
        ..DataSubject::default()
    };
    let request = EraseSubjectRequest { subject: Some(subject) };
    admin.privacy.erase_subject(request).await.unwrap();
    let figures = admin.figures("网站").await;
    assert_eq!((figures.lead_count, figures.revenue_fen), (1, 10));
    let orders: i64 = sqlx::query_scalar("select count(*) from first_orders where order_id <> ''")
        .fetch_one(&leads.owner)
        .await
        .unwrap();
    assert_eq!(orders, 0, "numbers of orders lead to people");
}

#[tokio::test]
async fn orders_are_told_in_any_sequence_and_once() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let lead = admin.capture_from("网站", "1").await;
    let captured = leads.clock.now();
    leads.advance(DAY * 30);
    for (order, days, amount, stands) in [
        ("SO-2", 10, 200, ("SO-2", 200)),
        ("SO-3", 20, 300, ("SO-2", 200)),
        ("SO-1", 5, 100, ("SO-1", 100)),
        ("SO-2", 10, 200, ("SO-1", 100)),
        ("SO-1", 5, 111, ("SO-1", 111)),
    ] {
        let told = admin.order(&lead, order, captured + DAY * days, amount).await.unwrap();
        assert_eq!((told.order.as_str(), told.amount_fen), stands);
    }
    let request = |amount| RecordFirstOrderRequest {
        first_order: Some(first_order(&lead, "SO-0", captured + DAY, amount)),
        request_id: Uuid::from_u128(7).to_string(),
    };
    for _ in 0..2 {
        let told = admin
            .channels
            .record_first_order(request(1))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(told.first_order.unwrap().order, "SO-0");
    }
    assert_refused(admin.channels.record_first_order(request(2)).await, REUSED, "");
    for (at, field) in [(captured - DAY, "order_time"), (captured + DAY * 31, "order_time")] {
        assert_refused(admin.order(&lead, "x", at, 1).await, INVALID, field);
    }
    assert_refused(admin.order(&lead, " ", captured, 1).await, INVALID, "order");
    assert_refused(admin.order(&lead, "x", captured, -1).await, INVALID, "amount_fen");
    let mut foreign = leads.admin(HUABEI);
    assert_refused(foreign.order(&lead, "x", captured, 1).await, NOT_FOUND, "leads/");
    let mut sales = leads.caller(HUADONG, Role::Sales);
    assert_refused(sales.order(&lead, "x", captured, 1).await, DENIED, "");
    assert_refused(sales.report("2026-03", "").await, DENIED, "acquisition.read");
}

#[tokio::test]
async fn costs_are_replaced_listed_and_never_formulas() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let hostile = "=HYPERLINK(\"http://evil\")";
    let stored = admin.put_cost(cost("fair", hostile, 100, "2026-03", 3)).await.unwrap();
    assert_eq!((stored.source.as_str(), stored.month_count), (hostile, 3));
    admin.put_cost(cost("more", "@网站", 50, "2026-02", 0)).await.unwrap();
    let report = admin.report("2026-03", "2026-04").await.unwrap();
    assert_eq!(
        (report.channels.len(), report.channels[0].cost_fen),
        (1, 67),
        "34 and 33 of 100"
    );
    assert_eq!(
        (report.channels[0].lead_count, report.channels[0].cost_per_lead_fen),
        (0, None)
    );
    let file = admin.file("2026-03", "", "en").await.unwrap();
    assert!(file.starts_with("\u{feff}channel,leads,"));
    assert!(
        file.contains("\r\n\"'=HYPERLINK(\"\"http://evil\"\")\",0,0,0.34,,"),
        "{file}"
    );
    admin.put_cost(cost("fair", hostile, 0, "2026-03", 3)).await.unwrap();
    assert_eq!(admin.report("2026-03", "").await.unwrap().channels.len(), 0);

    let mut list = ListChannelCostsRequest {
        page_size: 1,
        page_token: String::new(),
    };
    let first = admin
        .channels
        .list_channel_costs(list.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.channel_costs[0].name, "channelCosts/fair");
    list.page_token = first.next_page_token;
    let second = admin
        .channels
        .list_channel_costs(list.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (second.channel_costs[0].month_count, second.next_page_token.as_str()),
        (1, "")
    );
    let mut foreign = leads.admin(HUABEI);
    assert_refused(foreign.channels.list_channel_costs(list).await, OTHER_PAGE, "");
    for (refused, field) in [
        (cost("x", "", 1, "2026-03", 1), "source"),
        (cost("x", "a", -1, "2026-03", 1), "amount_fen"),
        (cost("x", "a", 1, "2026-13", 1), "first_month"),
        (cost("x", "a", 1, "2026-03", 121), "month_count"),
        (cost("X", "a", 1, "2026-03", 1), "name"),
    ] {
        assert_refused(admin.put_cost(refused).await, INVALID, field);
    }
    for (first, last) in [("2026", ""), ("2026-03", "2026-02"), ("2016-03", "2026-03"), ("", "x")] {
        assert_refused(admin.report(first, last).await, INVALID, "month");
    }
    assert_refused(admin.file("", "", "fr").await, INVALID, "language");
    let mut viewer = leads.caller(HUADONG, Role::Viewer);
    assert_refused(
        viewer.put_cost(cost("x", "a", 1, "2026-03", 1)).await,
        DENIED,
        "acquisition.write",
    );
}
