//! Applications of `DingTalk` and `WeCom` that tell single people: a token for the application, a person's id by their mobile,
//! then the message. Both answer HTTP 200, the business code decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Json, Router};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Manners, Refusal};
use super::dingtalk::text_of;
use super::server::Connection;
use super::{Message, Shared};

const MAX_BYTES: usize = 2_048;
const NO_TOKEN: Refusal = (40_014, "不合法的access_token");

/// An application as its company set it up.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Application {
    /// App key or corp id; faults of its messages are scripted under it, those of its tokens under "{user}/token", those of
    /// finding people under "{user}/person".
    pub user: String,
    pub secret: String,
    pub agent: i64,
    /// Ids of people by their mobiles.
    pub people: BTreeMap<String, String>,
}

/// All applications with the tokens that are good for them.
#[derive(Default)]
pub(super) struct Applications(Mutex<BTreeMap<String, Known>>);

struct Known {
    application: Application,
    tokens: BTreeSet<String>,
    given: usize,
}

impl Applications {
    pub(super) fn add(&self, application: Application) {
        let known = Known {
            tokens: BTreeSet::new(),
            given: 0,
            application,
        };
        self.0.lock().insert(known.application.user.clone(), known);
    }

    /// Ends every token of an application.
    pub(super) fn expire(&self, user: &str) {
        if let Some(known) = self.0.lock().get_mut(user) {
            known.tokens.clear();
        }
    }

    /// Counts the tokens an application was given.
    pub(super) fn tokens_given(&self, user: &str) -> usize {
        self.0.lock().get(user).map_or(0, |known| known.given)
    }

    fn give(&self, user: &str, secret: &str) -> Option<String> {
        let mut all = self.0.lock();
        let known = all.get_mut(user).filter(|known| known.application.secret == secret)?;
        known.given += 1;
        let token = format!("{user}.{}", known.given);
        known.tokens.insert(token.clone());
        Some(token)
    }

    fn by_token(&self, token: &str) -> Option<Application> {
        let all = self.0.lock();
        let known = all.values().find(|known| known.tokens.contains(token))?;
        Some(known.application.clone())
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/gettoken", any(give_token))
        .route("/cgi-bin/gettoken", any(give_token))
        .route("/topapi/v2/user/getbymobile", any(find_person))
        .route("/cgi-bin/user/getuserid", any(find_person))
        .route("/topapi/message/corpconversation/asyncsend_v2", any(send_notice))
        .route("/cgi-bin/message/send", any(send_app_message))
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(alias = "appkey", alias = "corpid")]
    user: String,
    #[serde(alias = "appsecret", alias = "corpsecret")]
    secret: String,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    access_token: String,
}

async fn give_token(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    Query(Credentials { user, secret }): Query<Credentials>,
) -> Response<Body> {
    let answer = || match shared.applications.give(&user, &secret) {
        Some(token) => {
            let said = json!({ "errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": 7200 });
            Json(said).into_response()
        }
        None => reply(40_001, "不合法的secret参数"),
    };
    let Some(fault) = shared.faults.take(&format!("{user}/token")) else {
        return answer();
    };
    super::fault::inflict(fault, &connection, reply, answer).await
}

async fn find_person(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    uri: Uri,
    Query(Token { access_token }): Query<Token>,
    Json(asked): Json<Value>,
) -> Response<Body> {
    let Some(application) = shared.applications.by_token(&access_token) else {
        return reply(NO_TOKEN.0, NO_TOKEN.1);
    };
    let answer = || {
        let mobile = asked["mobile"].as_str().unwrap_or_default();
        match application.people.get(mobile) {
            // Each vendor has the id in its own place.
            Some(person) => {
                let result = json!({ "userid": person });
                Json(json!({ "errcode": 0, "errmsg": "ok", "userid": person, "result": result })).into_response()
            }
            None if uri.path().starts_with("/cgi-bin") => reply(46_004, "不存在的用户"),
            None => reply(60_121, "找不到该用户"),
        }
    };
    let Some(fault) = shared.faults.take(&format!("{}/person", application.user)) else {
        return answer();
    };
    super::fault::inflict(fault, &connection, reply, answer).await
}

async fn send_notice(
    state: State<Arc<Shared>>,
    connection: Extension<Connection>,
    method: Method,
    token: Query<Token>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    meet(&NOTICE, &state, &connection, method, &token, headers, body).await
}

async fn send_app_message(
    state: State<Arc<Shared>>,
    connection: Extension<Connection>,
    method: Method,
    token: Query<Token>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    meet(&APP_MESSAGE, &state, &connection, method, &token, headers, body).await
}

const NOTICE: Manners = Manners {
    receive: receive_notice,
    reply,
    success: "ok",
    too_fast: 90_018,
};

const APP_MESSAGE: Manners = Manners {
    receive: receive_app_message,
    reply,
    success: "ok",
    too_fast: 45_009,
};

async fn meet(
    manners: &Manners,
    shared: &Shared,
    connection: &Connection,
    method: Method,
    token: &Token,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(application) = shared.applications.by_token(&token.access_token) else {
        return reply(NO_TOKEN.0, NO_TOKEN.1);
    };
    let call = Call {
        method,
        token: application.user,
        headers,
        body,
    };
    manners.meet(shared, connection, &call).await
}

fn reply(code: i64, text: &str) -> Response<Body> {
    Json(json!({ "errcode": code, "errmsg": text })).into_response()
}

fn receive_notice(shared: &Shared, call: &Call) -> Result<Message, Refusal> {
    let body = read(call)?;
    let msg = &body["msg"];
    let (title, text) = (&msg["markdown"]["title"], &msg["markdown"]["text"]);
    let is_known = msg["msgtype"] == "markdown" && msg.to_string().len() <= MAX_BYTES;
    if !is_known || title.as_str().is_none_or(str::is_empty) {
        return Err((400_002, "无效的参数"));
    }
    accept(
        shared,
        call,
        &body["agent_id"],
        &body["userid_list"],
        (title, text),
        "dingtalk_notice",
    )
}

fn receive_app_message(shared: &Shared, call: &Call) -> Result<Message, Refusal> {
    let body = read(call)?;
    let text = &body["markdown"]["content"];
    let is_known = body["msgtype"] == "markdown" && text.as_str().is_some_and(|text| text.len() <= MAX_BYTES);
    if !is_known {
        return Err((40_058, "markdown.content exceed max length 2048"));
    }
    accept(
        shared,
        call,
        &body["agentid"],
        &body["touser"],
        (&Value::Null, text),
        "wecom_app",
    )
}

fn read(call: &Call) -> Result<Value, Refusal> {
    if call.method != Method::POST {
        return Err((43_002, "需要POST请求"));
    }
    serde_json::from_slice(&call.body).map_err(|_invalid| (47_001, "data format error"))
}

fn accept(
    shared: &Shared,
    call: &Call,
    agent: &Value,
    person: &Value,
    (title, text): (&Value, &Value),
    provider: &str,
) -> Result<Message, Refusal> {
    let all = shared.applications.0.lock();
    let application = all.get(&call.token).map(|known| &known.application).ok_or(NO_TOKEN)?;
    if agent.as_i64() != Some(application.agent) {
        return Err((40_056, "不合法的agentid"));
    }
    let person = person.as_str().unwrap_or_default();
    let mobile = application.people.iter().find(|(_, id)| *id == person);
    let (mobile, _) = mobile.ok_or((40_003, "无效的UserID"))?;
    let text = text.as_str().filter(|text| !text.trim().is_empty());
    Ok(Message {
        provider: provider.to_owned(),
        token: call.token.clone(),
        time: shared.clock.now(),
        title: title.as_str().unwrap_or_default().to_owned(),
        text: text.ok_or((44_004, "empty content"))?.to_owned(),
        mobiles: vec![mobile.clone()],
        everyone: false,
        traceparent: text_of(&call.headers, "traceparent").map(str::to_owned),
    })
}
