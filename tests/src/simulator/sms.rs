//! Text messages as Aliyun's documentation describes them: the code in the answer decides, whatever the status, and every
//! request is signed with the secret of an access key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::Sha1;

use super::dingtalk::text_of;
use super::server::Connection;
use super::{Message, Shared, fault};

/// Where it listens; the real one listens at the root of a host of its own.
pub(super) const PATH: &str = "/sms";

const MAX_CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(15);
const MAX_VARIABLE_CHARS: usize = 35;

/// An account as its owner set it up.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct SmsAccount {
    /// Id of its access key; faults are scripted under it.
    pub key: String,
    pub secret: String,
    pub signature: String,
    pub template: String,
    /// Messages a number gets in all; more are refused by the minute's limit.
    #[serde(default)]
    pub per_number: Option<usize>,
}

/// All accounts, with the nonces they have used and how many messages each number got.
#[derive(Default)]
pub(super) struct Accounts(Mutex<BTreeMap<String, Known>>);

struct Known {
    account: SmsAccount,
    nonces: BTreeSet<String>,
    numbers: BTreeMap<String, usize>,
}

impl Accounts {
    pub(super) fn add(&self, account: SmsAccount) {
        let known = Known {
            nonces: BTreeSet::new(),
            numbers: BTreeMap::new(),
            account,
        };
        self.0.lock().insert(known.account.key.clone(), known);
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route(PATH, post(send))
}

/// A status and a code with its words.
type Refusal = (StatusCode, &'static str, &'static str);

async fn send(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    form: String,
) -> Response<Body> {
    let fields = fields(&form);
    let key = fields.get("AccessKeyId").cloned().unwrap_or_default();
    let answer = || match receive(&shared, &headers, &fields) {
        Ok(message) => {
            shared.ledger.accept(message);
            reply(StatusCode::OK, "OK", "OK")
        }
        Err((status, code, text)) => {
            shared.ledger.count(&key, |stats| stats.rejected += 1);
            reply(status, code, text)
        }
    };
    let Some(fault) = shared.faults.take(&key) else {
        return answer();
    };
    shared.ledger.count(&key, |stats| stats.faults += 1);
    // Its codes are words: scripts write them as bodies.
    let refuse = |_code, text: &str| reply(StatusCode::OK, "isp.SYSTEM_ERROR", text);
    fault::inflict(fault, &connection, refuse, answer).await
}

fn reply(status: StatusCode, code: &str, text: &str) -> Response<Body> {
    (status, Json(json!({ "Code": code, "Message": text, "RequestId": "0" }))).into_response()
}

fn receive(shared: &Shared, headers: &HeaderMap, fields: &BTreeMap<String, String>) -> Result<Message, Refusal> {
    const OK: StatusCode = StatusCode::OK;
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let mut accounts = shared.sms.0.lock();
    let known = accounts.get_mut(field("AccessKeyId")).ok_or((
        StatusCode::NOT_FOUND,
        "InvalidAccessKeyId.NotFound",
        "Specified access key is not found.",
    ))?;
    let now = shared.clock.now();
    let stated: Option<Timestamp> = field("Timestamp").parse().ok();
    if stated.is_none_or(|stated| now.duration_since(stated).abs() > MAX_CLOCK_DIFFERENCE) {
        return Err((BAD, "InvalidTimeStamp.Expired", "Specified time stamp is expired."));
    }
    if !is_signed(fields, &known.account.secret) {
        return Err((BAD, "SignatureDoesNotMatch", "Specified signature is not matched."));
    }
    if !known.nonces.insert(field("SignatureNonce").to_owned()) {
        return Err((BAD, "SignatureNonceUsed", "Specified signature nonce was used already."));
    }
    if (field("Action"), field("Version")) != ("SendSms", "2017-05-25") {
        return Err((BAD, "InvalidAction.NotFound", "Specified api is not found."));
    }
    if field("SignName") != known.account.signature {
        return Err((OK, "isv.SMS_SIGNATURE_ILLEGAL", "短信签名不合法"));
    }
    if field("TemplateCode") != known.account.template {
        return Err((OK, "isv.SMS_TEMPLATE_ILLEGAL", "短信模板不合法"));
    }
    let number = field("PhoneNumbers");
    let is_number = number.len() == 11 && number.starts_with('1') && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err((OK, "isv.MOBILE_NUMBER_ILLEGAL", "手机号码格式错误"));
    }
    let variables: Value = serde_json::from_str(field("TemplateParam"))
        .map_err(|_invalid| (OK, "isv.INVALID_JSON_PARAM", "参数格式错误"))?;
    let title = variables["title"].as_str().unwrap_or_default();
    if title.is_empty() {
        return Err((OK, "isv.TEMPLATE_MISSING_PARAMETERS", "模板变量缺少参数"));
    }
    if title.chars().count() > MAX_VARIABLE_CHARS {
        return Err((OK, "isv.PARAM_LENGTH_LIMIT", "参数超过长度限制"));
    }
    if title.contains("://") {
        return Err((OK, "isv.PARAM_NOT_SUPPORT_URL", "变量不支持传入URL"));
    }
    let got = known.numbers.entry(number.to_owned()).or_default();
    if known.account.per_number.is_some_and(|limit| *got >= limit) {
        return Err((OK, "isv.BUSINESS_LIMIT_CONTROL", "触发分钟级流控Permits:1"));
    }
    *got += 1;
    Ok(Message {
        provider: "sms".into(),
        token: known.account.key.clone(),
        time: now,
        title: title.to_owned(),
        text: field("OutId").to_owned(),
        mobiles: vec![number.to_owned()],
        everyone: false,
        traceparent: text_of(headers, "traceparent").map(str::to_owned),
    })
}

/// Reads a form.
fn fields(form: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((decoded(name)?, decoded(value)?))
    };
    form.split('&').filter_map(pair).collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn is_signed(fields: &BTreeMap<String, String>, secret: &str) -> bool {
    let encoded = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let signed = fields.iter().filter(|(name, _)| *name != "Signature");
    let pairs: Vec<_> = signed
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    let text = format!("POST&%2F&{}", encoded(&pairs.join("&")));
    let mut mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    let stated = fields.get("Signature").map(|stated| BASE64_STANDARD.decode(stated));
    matches!(stated, Some(Ok(stated)) if mac.verify_slice(&stated).is_ok())
}
