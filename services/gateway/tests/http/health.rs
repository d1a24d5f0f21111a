//! Probes.

use serde_json::json;
use tonic_health::ServingStatus;

use crate::gateway::Gateway;

const LEADS: &str = "reflex.leads.v1.LeadService";
const INBOX: &str = "reflex.notifications.v1.InboxService";

#[tokio::test]
async fn readiness_names_who_is_not_ready() {
    let gateway = Gateway::start().await;
    let answer = gateway.client.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.json(),
        json!({"ready": false, "backends": {"leads": "not reachable", "notifications": "not reachable"}}),
        "services that serve nothing"
    );
    gateway
        .leads
        .health
        .set_service_status(LEADS, ServingStatus::Serving)
        .await;
    gateway
        .notifications
        .health
        .set_service_status(INBOX, ServingStatus::NotServing)
        .await;
    let answer = gateway.client.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.json()["backends"],
        json!({"leads": "serving", "notifications": "not serving"})
    );

    gateway
        .notifications
        .health
        .set_service_status(INBOX, ServingStatus::Serving)
        .await;
    let answer = gateway.client.get("/readyz").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["ready"], true);

    gateway.readiness.off();
    let answer = gateway.client.get("/readyz").await;
    assert_eq!((answer.status, &answer.json()["stopping"]), (503, &json!(true)));
    gateway.stop().await;
}

#[tokio::test]
async fn the_process_lives_whatever_happens_behind_it() {
    let gateway = Gateway::start_without_leads().await;
    assert_eq!(gateway.client.get("/livez").await.status, 200);
    assert_eq!(
        gateway.client.get("/readyz").await.json()["backends"]["leads"],
        "not reachable"
    );
    gateway.stop().await;
}
