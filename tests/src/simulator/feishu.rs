//! The robot of a Feishu group, as its documentation describes it: everything is HTTP 200, the code in the body decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Method, Response};
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

use super::call::{Call, Manners, Refusal};
use super::dingtalk::text_of;
use super::limit::{Admission, Limiter};
use super::server::Connection;
use super::{Message, Shared};

/// Where the robots listen, before their token.
pub(super) const PATH: &str = "/open-apis/bot/v2/hook";

const MAX_BYTES: usize = 20 * 1_024;
const MAX_CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: (usize, Duration) = (100, Duration::from_mins(1));
const SECOND: (usize, Duration) = (5, Duration::from_secs(1));
const TOO_FAST: (i64, &str) = (11_232, "create message trigger frequency limit");
const UNSIGNED: (i64, &str) = (
    19_021,
    "sign match fail or timestamp is not within one hour from current time",
);

/// A robot as its owner set it up.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct FeishuRobot {
    pub token: String,
    /// 签名校验: signatures are asked for where it is set.
    #[serde(default)]
    pub secret: Option<String>,
}

struct Robot {
    secret: Option<String>,
    minute: Limiter,
    second: Limiter,
}

/// All robots, each with its limits.
#[derive(Default)]
pub(super) struct Robots {
    by_token: Mutex<BTreeMap<String, Robot>>,
}

impl Robots {
    pub(super) fn new(robots: Vec<FeishuRobot>) -> Self {
        let this = Self::default();
        for robot in robots {
            this.add(robot);
        }
        this
    }

    pub(super) fn add(&self, FeishuRobot { token, secret }: FeishuRobot) {
        // Nothing is locked: what is refused simply does not count.
        let limiter = |(messages, per)| Limiter::new(messages, per, Duration::ZERO);
        let robot = Robot {
            secret,
            minute: limiter(MINUTE),
            second: limiter(SECOND),
        };
        self.by_token.lock().insert(token, robot);
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route(&format!("{PATH}/{{token}}"), any(send))
}

const MANNERS: Manners = Manners {
    receive,
    reply,
    success: "success",
    too_fast: TOO_FAST.0,
};

async fn send(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    method: Method,
    Path(token): Path<String>,
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
    Json(json!({ "code": code, "msg": text, "data": {} })).into_response()
}

fn receive(shared: &Shared, call: &Call) -> Result<Message, Refusal> {
    const BAD_REQUEST: Refusal = (9_499, "Bad Request");
    if call.method != Method::POST || call.body.len() > MAX_BYTES {
        return Err(BAD_REQUEST);
    }
    let body: Value = serde_json::from_slice(&call.body).map_err(|_invalid| BAD_REQUEST)?;
    let now = shared.clock.now();
    let mut robots = shared.feishu.by_token.lock();
    let robot = robots
        .get_mut(&call.token)
        .ok_or((19_001, "param invalid: incoming webhook access token invalid"))?;
    if let Some(secret) = &robot.secret {
        check_signature(secret, &body, now)?;
    }
    let (title, text) = content(&body)?;
    for limiter in [&mut robot.second, &mut robot.minute] {
        if limiter.admit(now) != Admission::Admitted {
            return Err(TOO_FAST);
        }
    }
    Ok(Message {
        provider: "feishu".into(),
        token: call.token.clone(),
        time: now,
        title,
        everyone: text.contains("<at id=all></at>"),
        text,
        mobiles: Vec::new(),
        traceparent: text_of(&call.headers, "traceparent").map(str::to_owned),
    })
}

fn check_signature(secret: &str, body: &Value, now: Timestamp) -> Result<(), Refusal> {
    let stated = body["timestamp"].as_str().ok_or(UNSIGNED)?;
    let second = stated.parse().map_err(|_no_number| UNSIGNED)?;
    let time = Timestamp::from_second(second).map_err(|_out_of_range| UNSIGNED)?;
    if now.duration_since(time).abs() > MAX_CLOCK_DIFFERENCE {
        return Err(UNSIGNED);
    }
    let key = format!("{stated}\n{secret}");
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    let sign = BASE64_STANDARD.decode(body["sign"].as_str().unwrap_or_default());
    let sign = sign.map_err(|_no_base64| UNSIGNED)?;
    mac.verify_slice(&sign).map_err(|_other| UNSIGNED)
}

/// Returns title and words of a message, whatever its type.
fn content(body: &Value) -> Result<(String, String), Refusal> {
    let (title, text) = match body["msg_type"].as_str() {
        Some("text") => (&Value::Null, &body["content"]["text"]),
        Some("interactive") => (
            &body["card"]["header"]["title"]["content"],
            &body["card"]["elements"][0]["content"],
        ),
        _ => return Err((19_002, "params error, msg_type need")),
    };
    let text = text.as_str().filter(|text| !text.trim().is_empty());
    let text = text.ok_or((10_003, "invalid param"))?;
    Ok((title.as_str().unwrap_or_default().to_owned(), text.to_owned()))
}
