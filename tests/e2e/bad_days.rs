//! Days on which others fail: holidays that nobody published, providers that refuse or hang, clocks that disagree.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reflex_pg::{Database, DatabaseConfig, clock::ClockFollower, migrate::MIGRATIONS};
use reflex_runtime::clock::{Clock as _, FixedClock, SystemClock};
use reflex_tenancy::TenantId;
use reflex_testing::{TestDatabase, eventually, fixture_time};
use reflex_tests::{
    simulator::{Fault, Robot, Simulator, SimulatorOptions},
    suite::Suite,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use crate::{any_rpc::Wires, furnished::HOLIDAYS};

struct Scene {
    suite: Suite,
    wires: Wires,
    tenant: TenantId,
    clock: Arc<FixedClock>,
    simulator: Simulator,
}

impl Scene {
    async fn start(time: Timestamp) -> Self {
        let clock = Arc::new(FixedClock::new(time));
        let robots = ["east", "west"].map(|token| Robot {
            token: token.into(),
            ..Robot::default()
        });
        let options = SimulatorOptions {
            clock: clock.clone(),
            robots: robots.into(),
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.unwrap();
        let suite = Suite::start_with(&clock).await;
        Self {
            wires: Wires::to(&suite),
            suite,
            tenant: "huadong".parse().unwrap(),
            clock,
            simulator,
        }
    }

    async fn ask(&self, method: &str, request: Value) -> Value {
        self.wires
            .ask(&self.suite, &self.tenant, &format!("reflex.{method}"), request)
            .await
    }

    /// Makes two teams of one member, each with a product and a robot of its own.
    async fn set_up_two_teams(&self) {
        let mut entries = Vec::new();
        for side in ["east", "west"] {
            let (team, product) = (format!("teams/{side}"), format!("products/{side}"));
            let directory = "leads.v1.DirectoryService";
            self.ask(
                &format!("{directory}/PutTeam"),
                json!({"team": {"name": team, "displayName": side}}),
            )
            .await;
            let member = json!({"name": format!("members/{side}"), "displayName": side, "team": team,
                "role": "ROLE_SALES", "capacity": 100, "active": true});
            self.ask(&format!("{directory}/PutMember"), json!({"member": member}))
                .await;
            let line = json!({"product": {"name": product, "displayName": side}});
            self.ask(&format!("{directory}/PutProduct"), line).await;
            let channel = json!({"name": format!("channels/{side}"), "kind": "KIND_DINGTALK_ROBOT", "teams": [team],
                "endpoint": self.simulator.dingtalk_address(side), "enabled": true});
            self.ask(
                "notifications.v1.ChannelService/PutChannel",
                json!({"channel": channel}),
            )
            .await;
            entries.push(json!({"product": product, "team": team}));
        }
        self.ask(
            "leads.v1.RoutingService/PutRoutingPolicy",
            json!({"policy": {"entries": entries}}),
        )
        .await;
    }

    /// Captures a lead for one of the teams and returns its name.
    async fn capture(&self, company: &str, side: &str) -> String {
        let lead = json!({"source": "web", "externalId": company, "company": company, "product": side});
        let captured = self
            .ask("leads.v1.LeadService/CaptureLead", json!({"lead": lead}))
            .await;
        captured["name"].as_str().unwrap().to_owned()
    }

    /// Returns the message by robot about a lead, once there is one in that state.
    async fn message(&self, lead: &str, state: &str) -> Value {
        eventually("the message is in the ledger", async || {
            let request = json!({"subject": lead, "state": state});
            let listed = self.ask("notifications.v1.MessageService/ListMessages", request).await;
            let messages = listed["messages"].as_array().cloned().unwrap_or_default();
            messages.into_iter().find(|message| message["channel"] != "inbox")
        })
        .await
    }

    async fn attempts(&self, message: &Value) -> Vec<(String, String)> {
        let request = json!({"name": message["name"]});
        let found = self.ask("notifications.v1.MessageService/GetMessage", request).await;
        let attempts = found
            .pointer("/message/attempts")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        attempts
            .iter()
            .map(|attempt| (text(&attempt["providerCode"]), text(&attempt["outcome"])))
            .collect()
    }

    fn told(&self, robot: &str) -> usize {
        self.simulator.messages_of(robot).len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_time_is_provisional_until_the_holidays_are_published() {
    let scene = Scene::start("2026-12-31T15:00:00+08:00".parse().unwrap()).await;
    scene.set_up_two_teams().await;
    let ladder = json!({"name": "ladders/four-hours", "contactWithin": "14400s",
        "steps": [{"audience": "AUDIENCE_OWNER", "channels": ["inbox"]}]});
    scene
        .ask("leads.v1.RoutingService/PutLadder", json!({"ladder": ladder}))
        .await;
    let name = scene.capture("江苏恒瑞", "east").await;
    let lead = async || scene.ask("leads.v1.LeadService/GetLead", json!({"name": name})).await["lead"].clone();
    let before = eventually("the clock runs", async || {
        let lead = lead().await;
        lead["contactDueTime"].is_string().then_some(lead)
    })
    .await;
    // Three hours until the evening, the fourth on New Year's Day, as nobody said that it is a holiday.
    assert_eq!(before["contactDueTime"], "2027-01-01T02:00:00Z");
    assert_eq!(before["dueProvisional"], true);

    let imported = scene
        .ask("leads.v1.CalendarService/ImportHolidays", json!({"table": HOLIDAYS}))
        .await;
    assert!(imported["years"].to_string().contains("2027"));
    assert!(imported["recomputedCount"].as_i64() > Some(0), "{imported}");
    let after = lead().await;
    assert_eq!(after["contactDueTime"], "2027-01-04T02:00:00Z", "the Monday after");
    assert_ne!(after["dueProvisional"], true);

    // The ladder climbs by the new time and not by the old one.
    let told = async || {
        let history = scene
            .ask("leads.v1.RoutingService/ExplainAssignment", json!({"name": name}))
            .await;
        history["history"].to_string().contains("escalated")
    };
    scene.clock.set("2027-01-04T01:59:59Z".parse().unwrap());
    scene.suite.timers.wake();
    let second = scene.capture("上海联影", "east").await;
    scene.message(&second, "STATE_DELIVERED").await;
    assert!(!told().await);
    scene.clock.set("2027-01-04T02:00:00Z".parse().unwrap());
    scene.suite.timers.wake();
    eventually("the ladder climbs", told).await;
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_an_answer_of_200_is_a_refusal() {
    let scene = Scene::start(fixture_time()).await;
    scene.set_up_two_teams().await;
    let busy = Fault::Code {
        code: -1,
        message: "系统繁忙".into(),
    };
    scene.simulator.fail("east", busy, 1);
    let name = scene.capture("江苏恒瑞", "east").await;
    let waiting = scene.message(&name, "STATE_PENDING").await;
    eventually("the refusal is in the ledger", async || {
        scene.attempts(&waiting).await.len() == 1
    })
    .await;
    scene.clock.advance(SignedDuration::from_secs(10));
    let told = scene.message(&name, "STATE_DELIVERED").await;
    let outcomes = [
        ("-1".to_owned(), "retry_later".to_owned()),
        ("0".to_owned(), "delivered".to_owned()),
    ];
    assert_eq!(scene.attempts(&told).await, outcomes);

    let indecent = Fault::Code {
        code: 430_104,
        message: "含有不合适的内容".into(),
    };
    scene.simulator.fail("east", indecent, 1);
    let name = scene.capture("上海联影", "east").await;
    let failed = scene.message(&name, "STATE_FAILED").await;
    assert!(
        failed["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
        "{failed}"
    );
    assert_eq!(
        scene.attempts(&failed).await,
        [("430104".to_owned(), "give_up".to_owned())]
    );
    assert_eq!(scene.told("east"), 1);
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_delays_nobody_else() {
    let scene = Scene::start(fixture_time()).await;
    scene.set_up_two_teams().await;
    scene.simulator.fail("east", Fault::Hang { milliseconds: 3_000 }, 1);
    let stuck = scene.capture("江苏恒瑞", "east").await;
    eventually("the provider hangs", async || {
        scene.simulator.stats_of("east").faults == 1
    })
    .await;
    let passing = scene.capture("上海联影", "west").await;
    scene.message(&passing, "STATE_DELIVERED").await;
    assert_eq!(
        (scene.told("west"), scene.told("east")),
        (1, 0),
        "one is told while the other hangs"
    );
    scene.message(&stuck, "STATE_DELIVERED").await;
    assert_eq!(scene.told("east"), 1, "nothing is lost");
    scene.suite.stop().await;
}

#[tokio::test]
async fn a_clock_that_disagrees_follows_the_databases() {
    let database = TestDatabase::create(&[&MIGRATIONS]).await;
    let config = DatabaseConfig {
        app_url: database.app_url().into(),
        worker_url: database.worker_url().into(),
        owner_url: database.owner_url().into(),
        max_connections: 2,
    };
    let owner = PgPool::connect(&database.owner_url()).await.unwrap();
    for (ahead, seconds) in [("10 minutes", 600), ("-1 hour", -3_600), ("0", 0)] {
        // A machine's clock cannot be moved here, so the database's is.
        let skewed = format!(
            "create schema if not exists skewed; grant usage on schema skewed to public;
             create or replace function skewed.clock_timestamp() returns timestamptz language sql
                 as $$ select pg_catalog.clock_timestamp() + interval '{ahead}' $$;
             do $$ begin execute format('alter database %I set search_path = skewed, pg_catalog, public', current_database());
             end $$"
        );
        sqlx::raw_sql(AssertSqlSafe(skewed)).execute(&owner).await.unwrap();
        let clock = Arc::new(SystemClock::new());
        clock.set_offset(SignedDuration::from_secs(77));
        let follower = ClockFollower::new(Database::connect(&config).unwrap().worker, Arc::clone(&clock));
        let skew = follower.measure().await.unwrap();
        let close = |left: SignedDuration| {
            (left - SignedDuration::from_secs(seconds)).abs() < Duration::from_secs(1).try_into().unwrap()
        };
        assert!(close(skew), "{ahead}: {skew}");
        let corrected = clock.now().duration_since(clock.uncorrected());
        assert!(close(corrected), "{ahead}: {corrected}");
    }
    owner.close().await;
}
