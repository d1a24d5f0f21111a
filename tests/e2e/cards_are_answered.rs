//! A salesperson reads a card on the phone and presses a button: the lead is theirs, once, whoever else presses it again.

use std::time::Duration;

use reflex_rpc::identity::Role;
use reflex_tenancy::TenantId;
use reflex_testing::eventually;
use reflex_tests::{
    simulator::{Robot, Simulator, SimulatorOptions},
    suite::Suite,
    web,
};
use serde_json::{Value, json};

use crate::any_rpc::Wires;

const ROBOT: &str = "team-robot";

struct Scene {
    suite: Suite,
    wires: Wires,
    tenant: TenantId,
    simulator: Simulator,
}

impl Scene {
    async fn start() -> Self {
        let options = SimulatorOptions {
            robots: vec![Robot {
                token: ROBOT.into(),
                ..Robot::default()
            }],
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.unwrap();
        let suite = Suite::start().await;
        let wires = Wires::to(&suite);
        let tenant: TenantId = "huadong".parse().unwrap();
        suite.set_up(&tenant, &["members/an"], 100).await;
        let scene = Self {
            suite,
            wires,
            tenant,
            simulator,
        };
        let channel = json!({"name": "channels/team", "kind": "KIND_DINGTALK_ROBOT", "enabled": true,
            "endpoint": scene.simulator.dingtalk_address(ROBOT)});
        scene
            .ask(
                "notifications.v1.ChannelService/PutChannel",
                json!({"channel": channel}),
            )
            .await;
        scene
    }

    async fn ask(&self, method: &str, request: Value) -> Value {
        self.wires
            .ask(&self.suite, &self.tenant, &format!("reflex.{method}"), request)
            .await
    }

    /// Captures a lead and returns it with the links of its card: claim, confirm, ignore.
    async fn card(&self, id: &str) -> (String, Vec<String>) {
        let lead = json!({"source": "官网", "externalId": id, "company": format!("{id}医院")});
        let captured = self
            .ask("leads.v1.LeadService/CaptureLead", json!({"lead": lead}))
            .await;
        let number = captured["number"].as_str().unwrap().to_owned();
        let links = eventually("the card is there", async || {
            let cards = self.simulator.messages();
            let card = cards.into_iter().find(|card| card.title.contains(&number))?;
            Some(
                card.text
                    .split("](")
                    .skip(1)
                    .map(|rest| rest.split(')').next().unwrap().to_owned())
                    .collect(),
            )
        })
        .await;
        (captured["name"].as_str().unwrap().to_owned(), links)
    }

    async fn lead(&self, name: &str) -> Value {
        self.ask("leads.v1.LeadService/GetLead", json!({"name": name})).await["lead"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_claims_the_lead_and_a_second_click_says_who_did() {
    let scene = Scene::start().await;
    let (lead, links) = scene.card("甲").await;
    let [claim, confirm, _ignore] = links.as_slice() else {
        panic!("{links:?}");
    };
    assert!(claim.starts_with(&scene.suite.gateway_url()), "{claim}");
    let looked = web::get(claim).await;
    assert!(
        looked.status == 200 && looked.text.contains("将以 an 的名义认领这条线索"),
        "{}",
        looked.text
    );
    assert_eq!(
        scene.lead(&lead).await["state"],
        "STATE_ASSIGNED",
        "a preview claims nothing"
    );

    let done = web::post(claim, &[], "").await;
    assert!(
        done.status == 200 && done.text.contains("完成：an 已认领"),
        "{}",
        done.text
    );
    let claimed = scene.lead(&lead).await;
    assert_eq!(
        (&claimed["state"], &claimed["owner"]),
        (&json!("STATE_CLAIMED"), &json!("members/an"))
    );
    let again = web::post(claim, &[], "").await;
    assert!(
        again.status == 200 && again.text.contains("此前已处理：an 已认领"),
        "{}",
        again.text
    );

    let listed = scene
        .ask(
            "notifications.v1.MessageService/ListMessages",
            json!({"subject": lead, "messageClass": "assignment"}),
        )
        .await;
    let message = json!({"name": listed["messages"][0]["name"]});
    let message = scene.ask("notifications.v1.MessageService/GetMessage", message).await["message"].clone();
    assert_eq!(message["causeType"], "reflex.leads.v1.LeadAssigned");
    assert_eq!(message["answers"][0]["kind"], "KIND_CLAIM", "{message}");
    let token = scene.suite.token(&[&scene.tenant], Role::Admin, None);
    let url = scene.suite.notifications_url();
    let ledger = [
        "reflexctl",
        "notifications",
        "ledger",
        "--csv",
        "--notifications",
        &url,
        "--token",
        &token,
    ];
    reflexctl::run(ledger).await.unwrap();

    let none: [(&str, String); 0] = [];
    let clicks = (0..10).map(|_| web::post(confirm, &none, ""));
    for answer in futures_util::future::join_all(clicks).await {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let recorded = scene
        .ask("leads.v1.FollowUpService/ListFollowUps", json!({"lead": lead}))
        .await;
    assert_eq!(
        recorded["followUps"].as_array().unwrap().len(),
        1,
        "ten clicks, one call"
    );
    assert_eq!(scene.lead(&lead).await["state"], "STATE_CONTACTED");

    let forged = claim.replace("/huadong.", "/huabei.");
    let (forged, cut) = (web::get(&forged).await, web::get(&claim[..claim.len() - 3]).await);
    assert_eq!((forged.status, cut.status, &forged.text), (404, 404, &cut.text));
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_moved_on_is_not_claimed_by_an_old_card() {
    let scene = Scene::start().await;
    let (lead, links) = scene.card("乙").await;
    let release =
        json!({"name": lead, "member": "members/an", "fencingToken": scene.lead(&lead).await["fencingToken"]});
    scene.ask("leads.v1.ClaimService/ReleaseLead", release).await;
    let json = [("accept", "application/json".to_owned())];
    let refused = web::post(&links[0], &json, "").await;
    assert_eq!(
        (refused.status, refused.json()["reason"].clone()),
        (409, json!("WRONG_STATE"))
    );
    let shown = web::get(&links[0]).await;
    assert!(shown.text.contains("<form"), "nothing was done by it: {}", shown.text);

    let token = scene.suite.token(&[&scene.tenant], Role::Admin, None);
    let url = scene.suite.notifications_url();
    let arguments = [
        "reflexctl",
        "messages",
        "link",
        &links[0],
        "--notifications",
        &url,
        "--token",
        &token,
    ];
    reflexctl::run(arguments).await.unwrap();
    let garbled = links[0].replace("huadong.", "huadong.x");
    let arguments = [
        "reflexctl",
        "messages",
        "link",
        &garbled,
        "--notifications",
        &url,
        "--token",
        &token,
    ];
    let error = reflexctl::run(arguments).await.unwrap_err();
    assert!(format!("{error:#}").contains("does not exist"), "{error:#}");
    scene
        .suite
        .environment
        .tasks
        .shutdown(Duration::from_secs(10))
        .await
        .unwrap();
}
