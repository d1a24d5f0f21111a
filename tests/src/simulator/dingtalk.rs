//! The custom robot of a `DingTalk` group, as its documentation and recorded answers describe it: everything is HTTP 200,
//! the business code decides.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, Method, Response, header};
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Json, Router};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::limit::{Admission, Limiter};
use super::server::Connection;
use super::{Message, Shared, fault};

/// Where the robots listen.
pub(super) const PATH: &str = "/robot/send";

const MAX_BYTES: usize = 20_000;
const MAX_CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_hours(1);
const LIMIT_WINDOW: Duration = Duration::from_mins(1);

/// A robot as its owner set it up.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Robot {
    pub token: String,
    /// 加签: signatures are asked for where it is set.
    #[serde(default)]
    pub secret: Option<String>,
    /// 自定义关键词: a message must contain one of them where there are any.
    #[serde(default)]
    pub keywords: Vec<String>,
}

/// All robots, each with its limit.
pub(super) struct Robots {
    limit_per_minute: usize,
    lock: Duration,
    by_token: Mutex<BTreeMap<String, (Robot, Limiter)>>,
}

impl Robots {
    pub(super) fn new(robots: Vec<Robot>, limit_per_minute: usize, lock: Duration) -> Self {
        let this = Self {
            limit_per_minute,
            lock,
            by_token: Mutex::default(),
        };
        for robot in robots {
            this.add(robot);
        }
        this
    }

    pub(super) fn add(&self, robot: Robot) {
        let limiter = Limiter::new(self.limit_per_minute, LIMIT_WINDOW, self.lock);
        self.by_token.lock().insert(robot.token.clone(), (robot, limiter));
    }

    pub(super) fn tokens(&self) -> Vec<String> {
        self.by_token.lock().keys().cloned().collect()
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route(PATH, any(send))
}

/// A business refusal.
struct Refusal {
    code: i64,
    message: Cow<'static, str>,
}

fn refusal(code: i64, message: impl Into<Cow<'static, str>>) -> Refusal {
    let message = message.into();
    Refusal { code, message }
}

fn too_fast(limit: usize) -> Refusal {
    refusal(TOO_FAST, format!("send too fast, exceed {limit} times per minute"))
}

const TOO_FAST: i64 = 130_101;

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    access_token: String,
    timestamp: Option<String>,
    sign: Option<String>,
}

/// A call as it arrived.
struct Call {
    method: Method,
    credentials: Credentials,
    headers: HeaderMap,
    body: Bytes,
}

async fn send(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    method: Method,
    Query(credentials): Query<Credentials>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let token = credentials.access_token.clone();
    let call = Call {
        method,
        credentials,
        headers,
        body,
    };
    let Some(fault) = shared.faults.take(&token) else {
        return answer(&shared, &call);
    };
    shared.ledger.count(&token, |stats| stats.faults += 1);
    fault::inflict(fault, &connection, refuse, || answer(&shared, &call)).await
}

fn answer(shared: &Shared, call: &Call) -> Response<Body> {
    match receive(shared, call) {
        Ok(message) => {
            shared.ledger.accept(message);
            Json(json!({ "errcode": 0, "errmsg": "ok" })).into_response()
        }
        Err(refusal) => {
            shared.ledger.count(&call.credentials.access_token, |stats| {
                stats.rejected += 1;
                stats.limited += u64::from(refusal.code == TOO_FAST);
            });
            refuse(refusal.code, &refusal.message)
        }
    }
}

fn refuse(code: i64, message: &str) -> Response<Body> {
    let mut body = json!({ "errcode": code, "errmsg": message });
    if code == TOO_FAST {
        // The edge that answers this code adds words of its own; a client must not stumble over them.
        body["status"] = json!(1111);
        body["wait"] = json!(5);
        body["punish"] = json!("deny");
    }
    Json(body).into_response()
}

/// Checks a call in the order in which the real endpoint does: address, lock, security settings, content, limit.
fn receive(shared: &Shared, call: &Call) -> Result<Message, Refusal> {
    if call.method != Method::POST {
        return Err(refusal(43_002, "需要POST请求"));
    }
    let token = &call.credentials.access_token;
    if token.is_empty() {
        return Err(refusal(40_035, "缺少参数 access_token"));
    }
    let now = shared.clock.now();
    let mut robots = shared.dingtalk.by_token.lock();
    let (robot, limiter) = robots.get_mut(token).ok_or(refusal(300_001, "token is not exist"))?;
    if limiter.is_locked(now) {
        return Err(too_fast(shared.dingtalk.limit_per_minute));
    }
    if let Some(secret) = &robot.secret {
        check_signature(secret, &call.credentials, now)?;
    }
    let content = Content::read(&call.headers, &call.body)?;
    let has_keyword = |keyword: &String| content.title.contains(keyword) || content.text.contains(keyword);
    if !robot.keywords.is_empty() && !robot.keywords.iter().any(has_keyword) {
        return Err(refusal(310_000, "keywords not in content"));
    }
    match limiter.admit(now) {
        Admission::Admitted => Ok(Message {
            provider: "dingtalk".into(),
            token: token.clone(),
            time: now,
            title: content.title,
            text: content.text,
            mobiles: content.mobiles,
            everyone: content.everyone,
            traceparent: text_of(&call.headers, "traceparent").map(str::to_owned),
        }),
        Admission::LockBegins => {
            shared.ledger.count(token, |stats| stats.locks += 1);
            Err(too_fast(shared.dingtalk.limit_per_minute))
        }
        Admission::Locked => Err(too_fast(shared.dingtalk.limit_per_minute)),
    }
}

fn check_signature(secret: &str, credentials: &Credentials, now: Timestamp) -> Result<(), Refusal> {
    let invalid_timestamp = || refusal(310_000, "invalid timestamp");
    let stated = credentials.timestamp.as_deref().ok_or_else(invalid_timestamp)?;
    let time = stated
        .parse()
        .ok()
        .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
        .ok_or_else(invalid_timestamp)?;
    if now.duration_since(time).abs() > MAX_CLOCK_DIFFERENCE {
        return Err(invalid_timestamp());
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{stated}\n{secret}").as_bytes());
    let sign = credentials.sign.as_deref().unwrap_or_default();
    BASE64_STANDARD
        .decode(sign)
        .ok()
        .and_then(|sign| mac.verify_slice(&sign).ok())
        .ok_or(refusal(310_000, "sign not match"))
}

/// What a message says, whatever its type.
struct Content {
    title: String,
    text: String,
    mobiles: Vec<String>,
    everyone: bool,
}

impl Content {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let content_type = text_of(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
        if !content_type.starts_with("application/json") {
            return Err(refusal(43_004, "无效的HTTP HEADER Content-Type"));
        }
        if body.len() > MAX_BYTES {
            return Err(refusal(460_101, "message too long, exceed 20000 bytes"));
        }
        let body: Value = serde_json::from_slice(body).map_err(|_invalid| refusal(40_035, "缺少参数 json"))?;
        let (title, text) = match body["msgtype"].as_str().unwrap_or_default() {
            "text" => ("/text/content", "/text/content"),
            "markdown" => ("/markdown/title", "/markdown/text"),
            "actionCard" => ("/actionCard/title", "/actionCard/text"),
            "link" => {
                required(&body, "/link/messageUrl")?;
                ("/link/title", "/link/text")
            }
            other => return Err(refusal(400_105, format!("不支持的消息类型 msgtype:{other}"))),
        };
        let buttons = match body["actionCard"].as_object() {
            Some(_) => buttons(&body)?,
            None => String::new(),
        };
        Ok(Self {
            title: required(&body, title)?,
            text: required(&body, text)? + &buttons,
            mobiles: body["at"]["atMobiles"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|mobile| mobile.as_str().map(str::to_owned))
                .collect(),
            everyone: body["at"]["isAtAll"].as_bool().unwrap_or_default(),
        })
    }
}

/// Shows the buttons of a card as people see them, as links of Markdown; a card has one at least.
fn buttons(body: &Value) -> Result<String, Refusal> {
    if body.pointer("/actionCard/singleURL").is_some() {
        let (title, url) = (
            required(body, "/actionCard/singleTitle")?,
            required(body, "/actionCard/singleURL")?,
        );
        return Ok(format!("\n[{title}]({url})"));
    }
    let count = body["actionCard"]["btns"].as_array().map_or(0, Vec::len).max(1);
    let mut links = Vec::new();
    for place in 0..count {
        let title = required(body, &format!("/actionCard/btns/{place}/title"))?;
        let url = required(body, &format!("/actionCard/btns/{place}/actionURL"))?;
        links.push(format!("\n[{title}]({url})"));
    }
    Ok(links.concat())
}

fn required(body: &Value, pointer: &str) -> Result<String, Refusal> {
    body.pointer(pointer)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
        .ok_or_else(|| refusal(40_035, format!("缺少参数 {}", &pointer[1..].replace('/', "."))))
}

pub(super) fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
