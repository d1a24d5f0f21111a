//! Somebody asks what is known of them and then to be forgotten: they get it all, and afterwards nobody can say any more what
//! it was, neither where leads are kept nor where people were told.

use reflex_rpc::identity::Role;
use reflex_tenancy::TenantId;
use reflex_testing::eventually;
use reflex_tests::suite::Suite;
use serde_json::json;

use crate::any_rpc::Wires;

const NAME: &str = "欧阳测试甲";
const PHONE: &str = "13812344321";

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_to_be_forgotten_is_forgotten_everywhere() {
    let suite = Suite::start().await;
    let wires = Wires::to(&suite);
    let tenant: TenantId = "huadong".parse().unwrap();
    suite.set_up(&tenant, &["members/an"], 100).await;
    let ask = async |method: &str, request| wires.ask(&suite, &tenant, &format!("reflex.{method}"), request).await;
    let lead = json!({"source": "官网", "externalId": "E-1", "company": format!("{NAME}诊所"), "contactName": NAME,
        "phone": format!("+86 {PHONE}")});
    let captured = ask("leads.v1.LeadService/CaptureLead", json!({"lead": lead})).await;
    let name = captured["name"].as_str().unwrap().to_owned();
    let other = json!({"source": "官网", "externalId": "E-2", "company": "上海医院", "contactName": "李医生"});
    ask("leads.v1.LeadService/CaptureLead", json!({"lead": other})).await;
    let said = async || {
        let messages = ask("notifications.v1.MessageService/ListMessages", json!({})).await;
        let items = ask(
            "notifications.v1.InboxService/ListInboxItems",
            json!({"recipient": "members/an"}),
        )
        .await;
        messages.to_string() + &items.to_string()
    };
    eventually("the owner is told of both", async || {
        let said = said().await;
        (said.contains(NAME) && said.contains("上海医院")).then_some(())
    })
    .await;

    let privacy = async |role: Role, words: &[&str]| {
        let token = suite.token(&[&tenant], role, None);
        let url = suite.leads_url();
        let connection = ["--server", &url, "--token", &token];
        let arguments = ["reflexctl", "privacy"].iter().chain(words).chain(&connection);
        reflexctl::run(arguments).await.map_err(|error| format!("{error:#}"))
    };
    let denied = privacy(Role::Sales, &["find", "--phone", PHONE]).await.unwrap_err();
    assert!(denied.contains("privacy.read"), "{denied}");
    privacy(Role::Manager, &["find", "--phone", PHONE]).await.unwrap();
    privacy(Role::Manager, &["export", "--phone", PHONE]).await.unwrap();
    privacy(Role::Manager, &["erase", "--phone", PHONE, "--yes"])
        .await
        .unwrap();

    eventually("nothing is said of them any more", async || {
        let said = said().await;
        (!said.contains(NAME) && said.contains("上海医院")).then_some(())
    })
    .await;
    let left = ask("leads.v1.LeadService/GetLead", json!({"name": name}))
        .await
        .to_string();
    assert!(!left.contains(NAME) && !left.contains(PHONE), "{left}");
    // Asked once more, the same certificate says that it was done; without one there would be nothing to tell.
    let subject = json!({"subject": {"phone": format!("0086{PHONE}")}});
    let again = ask("leads.v1.PrivacyService/EraseSubject", subject).await["certificate"].take();
    let certificate = again["name"].as_str().unwrap();
    assert!(
        again["erased"]
            .as_array()
            .unwrap()
            .iter()
            .any(|held| held["kind"] == "leads")
    );
    privacy(Role::Manager, &["certificate", certificate]).await.unwrap();
    let missing = privacy(Role::Manager, &["find", "--phone", "13900000000"]).await;
    missing.unwrap();
    suite.stop().await;
}
