//! The control API: what a test or a person asks of a simulator in another process.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::{Application, Fault, FeishuRobot, Hook, Message, Robot, Shared, SmsAccount, Stats, WecomRobot};

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/control/robots", post(add_robot).get(list_robots))
        .route("/control/wecom-robots", post(add_wecom_robot))
        .route("/control/feishu-robots", post(add_feishu_robot))
        .route("/control/webhooks", post(add_webhook))
        .route("/control/applications", post(add_application))
        .route("/control/sms-accounts", post(add_sms_account))
        .route("/control/faults", post(script_fault).delete(clear_faults))
        .route("/control/messages", get(list_messages))
        .route("/control/stats", get(get_stats))
}

#[derive(Deserialize)]
struct OneOrAll {
    token: Option<String>,
}

#[derive(Deserialize)]
struct One {
    token: String,
}

#[derive(Deserialize)]
struct Script {
    token: String,
    #[serde(default = "once")]
    times: usize,
    #[serde(flatten)]
    fault: Fault,
}

fn once() -> usize {
    1
}

async fn add_robot(State(shared): State<Arc<Shared>>, Json(robot): Json<Robot>) -> StatusCode {
    shared.dingtalk.add(robot);
    StatusCode::NO_CONTENT
}

/// Lists tokens only: secrets stay in.
async fn list_robots(State(shared): State<Arc<Shared>>) -> Json<Vec<String>> {
    Json(shared.dingtalk.tokens())
}

async fn add_wecom_robot(State(shared): State<Arc<Shared>>, Json(robot): Json<WecomRobot>) -> StatusCode {
    shared.wecom.add(robot);
    StatusCode::NO_CONTENT
}

async fn add_feishu_robot(State(shared): State<Arc<Shared>>, Json(robot): Json<FeishuRobot>) -> StatusCode {
    shared.feishu.add(robot);
    StatusCode::NO_CONTENT
}

async fn add_webhook(State(shared): State<Arc<Shared>>, Json(hook): Json<Hook>) -> StatusCode {
    shared.webhooks.add(hook);
    StatusCode::NO_CONTENT
}

async fn add_application(State(shared): State<Arc<Shared>>, Json(application): Json<Application>) -> StatusCode {
    shared.applications.add(application);
    StatusCode::NO_CONTENT
}

async fn add_sms_account(State(shared): State<Arc<Shared>>, Json(account): Json<SmsAccount>) -> StatusCode {
    shared.sms.add(account);
    StatusCode::NO_CONTENT
}

async fn script_fault(State(shared): State<Arc<Shared>>, Json(script): Json<Script>) -> StatusCode {
    shared.faults.script(&script.token, script.fault, script.times);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(shared): State<Arc<Shared>>, Query(one): Query<One>) -> StatusCode {
    shared.faults.clear(&one.token);
    StatusCode::NO_CONTENT
}

async fn list_messages(State(shared): State<Arc<Shared>>, Query(which): Query<OneOrAll>) -> Json<Vec<Message>> {
    Json(shared.ledger.messages(which.token.as_deref()))
}

async fn get_stats(State(shared): State<Arc<Shared>>, Query(which): Query<OneOrAll>) -> Json<Stats> {
    Json(shared.ledger.stats(which.token.as_deref()))
}
