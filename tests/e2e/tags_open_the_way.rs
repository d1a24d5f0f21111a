//! A download that another system saw gives a lead a tag, and the tag gives it a salesperson: from a bundle to the message.

use reflex_rpc::identity::Role;
use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_tenancy::TenantId;
use reflex_testing::eventually;
use reflex_tests::suite::Suite;
use reflexctl::{
    apply::{PlanOptions, plan},
    bundle::{Bundle, Variables},
    connection::{Address, Connection},
};
use serde_json::json;

use crate::any_rpc::Wires;

const BUNDLE: &str = "
tenant: huadong
---
{kind: Team, name: teams/sales, display_name: 销售一部}
---
{kind: Member, name: members/an, display_name: 安, team: teams/sales, role: ROLE_SALES, capacity: 10, active: true}
---
kind: TagRule
name: tagRules/whitepaper
tag: 技术决策者-初步关注
condition: 来源 = '官网'
event: whitepaper_downloaded
expire_days: 90
enabled: true
---
kind: RoutingPolicy
entries:
  - team: teams/sales
    when: 包含(标签, '技术决策者-初步关注')
";

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_waits_until_its_tag_opens_the_way() {
    let suite = Suite::start().await;
    let wires = Wires::to(&suite);
    let tenant: TenantId = "huadong".parse().unwrap();
    let address = Address {
        server: Some(suite.leads_url()),
        notifications: Some(suite.notifications_url()),
        token: Some(suite.token(&[&tenant], Role::Admin, None)),
        tenant: Some(tenant.clone()),
    };
    let connection = Connection::new(&address).unwrap();
    let bundle = Bundle::parse("huadong.yaml", BUNDLE, None, &Variables::new()).unwrap();
    let changes = plan(&connection, &bundle, PlanOptions::default()).await.unwrap();
    changes.run(&connection, &SystemIds, |_| {}).await.unwrap();
    let again = plan(&connection, &bundle, PlanOptions::default()).await.unwrap();
    assert_eq!(again.count(), 0, "applied once, there is nothing to change");

    let ask = async |method: &str, request| {
        wires
            .ask(&suite, &tenant, &format!("reflex.leads.v1.{method}"), request)
            .await
    };
    let lead = json!({"source": "官网", "externalId": "E-1", "company": "苏州锻压"});
    let captured = ask("LeadService/CaptureLead", json!({"lead": lead})).await;
    let name = captured["name"].as_str().unwrap();
    eventually("the lead waits", async || {
        let lead = ask("LeadService/GetLead", json!({"name": name})).await;
        (lead["lead"]["state"] == "STATE_QUEUED").then_some(())
    })
    .await;

    let download = SystemIds.next().to_string();
    let fact = json!({"id": download, "kind": "whitepaper_downloaded", "object": "锻造工艺白皮书",
        "occurTime": "2026-01-01T00:00:00Z"});
    ask("TagService/RecordLeadFacts", json!({"lead": name, "facts": [fact]})).await;
    let owned = eventually("somebody has the lead", async || {
        let lead = ask("LeadService/GetLead", json!({"name": name})).await["lead"].take();
        (lead["owner"] == "members/an").then_some(lead)
    })
    .await;
    assert_eq!(owned["tags"][0]["evidence"], format!("leadFacts/{download}"));
    let explained = ask("RoutingService/ExplainAssignment", json!({"name": name})).await;
    let decisions = explained["decisions"].to_string();
    assert!(decisions.contains("tags_changed"), "{decisions}");
    eventually("the owner was told", async || {
        let request = json!({"recipient": "members/an"});
        let messages = wires
            .ask(
                &suite,
                &tenant,
                "reflex.notifications.v1.MessageService/ListMessages",
                request,
            )
            .await;
        messages.to_string().contains("苏州锻压").then_some(())
    })
    .await;
    suite.stop().await;
}
