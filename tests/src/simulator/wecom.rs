//! The robot of a `WeCom` group, as its documentation and recorded answers describe it: everything is HTTP 200, the
//! business code decides. Only texts call people by phone number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, Method, Response};
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Json, Router};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Manners, Refusal};
use super::dingtalk::text_of;
use super::limit::{Admission, Limiter};
use super::server::Connection;
use super::{Message, Shared};

/// Where the robots listen.
pub(super) const PATH: &str = "/cgi-bin/webhook/send";

const LIMIT_WINDOW: Duration = Duration::from_mins(1);
/// The vendor names no lock; a robot that went too far is heard again a minute later.
const LOCK: Duration = Duration::from_mins(1);
const TOO_FAST: (i64, &str) = (45_009, "api freq out of limit");

/// A robot; whoever has its key may send.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct WecomRobot {
    pub key: String,
}

/// All robots, each with its limit.
pub(super) struct Robots {
    limit_per_minute: usize,
    by_key: Mutex<BTreeMap<String, Limiter>>,
}

impl Robots {
    pub(super) fn new(robots: Vec<WecomRobot>, limit_per_minute: usize) -> Self {
        let this = Self {
            limit_per_minute,
            by_key: Mutex::default(),
        };
        for robot in robots {
            this.add(robot);
        }
        this
    }

    pub(super) fn add(&self, robot: WecomRobot) {
        let limiter = Limiter::new(self.limit_per_minute, LIMIT_WINDOW, LOCK);
        self.by_key.lock().insert(robot.key, limiter);
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route(PATH, any(send))
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    key: String,
}

const MANNERS: Manners = Manners {
    receive,
    reply,
    success: "ok",
    too_fast: TOO_FAST.0,
};

async fn send(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    method: Method,
    Query(Credentials { key: token }): Query<Credentials>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let call = Call {
        method,
        token,
        headers,
        body,
    };
    MANNERS.meet(&shared, &connection, &call).await
}

fn reply(code: i64, text: &str) -> Response<Body> {
    // The real one adds a hint and where to look it up.
    let hint = match code {
        0 => "",
        _ => ", hint: [1], more info at https://open.work.weixin.qq.com",
    };
    Json(json!({ "errcode": code, "errmsg": format!("{text}{hint}") })).into_response()
}

fn receive(shared: &Shared, call: &Call) -> Result<Message, Refusal> {
    if call.method != Method::POST {
        return Err((43_002, "require POST method"));
    }
    let now = shared.clock.now();
    let mut robots = shared.wecom.by_key.lock();
    let limiter = robots.get_mut(&call.token).ok_or((93_000, "invalid webhook url"))?;
    if limiter.is_locked(now) {
        return Err(TOO_FAST);
    }
    let content = Content::read(&call.body)?;
    match limiter.admit(now) {
        Admission::Admitted => Ok(Message {
            provider: "wecom".into(),
            token: call.token.clone(),
            time: now,
            title: String::new(),
            text: content.text,
            mobiles: content.mobiles,
            everyone: content.everyone,
            traceparent: text_of(&call.headers, "traceparent").map(str::to_owned),
        }),
        Admission::LockBegins => {
            shared.ledger.count(&call.token, |stats| stats.locks += 1);
            Err(TOO_FAST)
        }
        Admission::Locked => Err(TOO_FAST),
    }
}

/// What a message says, whatever its type.
struct Content {
    text: String,
    mobiles: Vec<String>,
    everyone: bool,
}

impl Content {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|_invalid| (47_001, "data format error"))?;
        let (part, max_bytes, too_long) = match body["msgtype"].as_str() {
            Some("text") => (&body["text"], 2_048, "text.content exceed max length 2048"),
            Some("markdown") => (&body["markdown"], 4_096, "markdown.content exceed max length 4096"),
            _ => return Err((40_008, "invalid message type")),
        };
        let text = part["content"].as_str().unwrap_or_default();
        if text.trim().is_empty() {
            return Err((44_004, "empty content"));
        }
        if text.len() > max_bytes {
            return Err((40_058, too_long));
        }
        // Markdown has no such list: there it is overlooked, as everything unknown is.
        let list = if body["msgtype"] == "text" {
            part["mentioned_mobile_list"].as_array()
        } else {
            None
        };
        let (everyone, mobiles): (Vec<_>, Vec<_>) = list
            .into_iter()
            .flatten()
            .filter_map(|called| called.as_str().map(str::to_owned))
            .partition(|called| called == "@all");
        Ok(Self {
            text: text.to_owned(),
            mobiles,
            everyone: !everyone.is_empty(),
        })
    }
}
