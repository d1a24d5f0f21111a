//! A salesperson says that a lead is theirs; a manager decides by the records, and the one who gets it is told.

use reflex_rpc::identity::Role;
use reflex_tenancy::TenantId;
use reflex_testing::eventually;
use reflex_tests::suite::Suite;
use serde_json::json;

use crate::any_rpc::Wires;

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_goes_to_whom_the_records_favour_and_they_are_told() {
    let suite = Suite::start().await;
    let wires = Wires::to(&suite);
    let tenant: TenantId = "huadong".parse().unwrap();
    suite.set_up(&tenant, &["members/an", "members/bo"], 100).await;
    let ask = async |method: &str, request| wires.ask(&suite, &tenant, &format!("reflex.{method}"), request).await;
    let lead = json!({"source": "展会", "externalId": "E-1", "company": "无锡康复中心"});
    let captured = ask("leads.v1.LeadService/CaptureLead", json!({"lead": lead})).await;
    let name = captured["name"].as_str().unwrap().to_owned();
    let owner = eventually("somebody has the lead", async || {
        let lead = ask("leads.v1.LeadService/GetLead", json!({"name": name})).await;
        lead["lead"]["owner"].as_str().map(str::to_owned)
    })
    .await;
    let claimant = if owner == "members/an" {
        "members/bo"
    } else {
        "members/an"
    };

    // Typed by the one who says it is theirs, then by the manager.
    let reflexctl = async |role: Role, member: Option<&str>, words: &[&str]| {
        let token = suite.token(&[&tenant], role, member);
        let url = suite.leads_url();
        let connection = ["--server", &url, "--token", &token];
        let arguments = ["reflexctl"].iter().chain(words).chain(&connection);
        reflexctl::run(arguments).await.map_err(|error| format!("{error:#}"))
    };
    let open = ["leads", "dispute", "open", &name, "--reason", "展会上是我接待的"];
    reflexctl(Role::Sales, Some(claimant), &open).await.unwrap();
    let disputes = ask("leads.v1.OwnershipService/ListDisputes", json!({"lead": name})).await;
    let dispute = disputes["disputes"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(disputes["disputes"][0]["claimant"], claimant);
    let decide = [
        "leads",
        "dispute",
        "decide",
        &dispute,
        "--owner",
        claimant,
        "--reason",
        "首次有效触达在先",
    ];
    let denied = reflexctl(Role::Sales, Some(claimant), &decide).await.unwrap_err();
    assert!(denied.contains("leads.decide_dispute"), "{denied}");
    reflexctl(Role::Manager, Some("members/boss"), &decide).await.unwrap();

    let lead = ask("leads.v1.LeadService/GetLead", json!({"name": name})).await["lead"].take();
    assert_eq!(lead["owner"], claimant);
    eventually("the new owner is told", async || {
        let request = json!({"recipient": claimant});
        let items = ask("notifications.v1.InboxService/ListInboxItems", request).await;
        items.to_string().contains("无锡康复中心").then_some(())
    })
    .await;
    let spans = ask("leads.v1.OwnershipService/ListOwnership", json!({"lead": name}))
        .await
        .to_string();
    assert!(spans.contains(&owner) && spans.contains(claimant), "{spans}");
    suite.stop().await;
}
