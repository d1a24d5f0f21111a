//! A receiver of signed webhooks, as the Standard Webhooks specification wants it: it believes what is signed with its
//! secret, was signed within five minutes, and has the documented form. Repetitions are accepted and counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use super::dingtalk::text_of;
use super::server::Connection;
use super::{Message, Shared, fault};

/// What the paths of receivers begin with.
pub(super) const PATH: &str = "/hooks/";

const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A receiver as its owner set it up.
#[derive(Clone, Debug, Deserialize)]
pub struct Hook {
    /// Last part of its path.
    pub token: String,
    /// `whsec_…`
    pub secret: String,
}

/// What a receiver accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`
    pub signed_at: Timestamp,
    pub body: Value,
}

/// All receivers.
#[derive(Default)]
pub(super) struct Hooks(Mutex<BTreeMap<String, (Hook, Vec<Delivery>)>>);

impl Hooks {
    pub(super) fn new(hooks: Vec<Hook>) -> Self {
        let this = Self::default();
        for hook in hooks {
            this.add(hook);
        }
        this
    }

    pub(super) fn add(&self, hook: Hook) {
        let mut hooks = self.0.lock();
        let deliveries = hooks.remove(&hook.token).map(|(_, deliveries)| deliveries);
        hooks.insert(hook.token.clone(), (hook, deliveries.unwrap_or_default()));
    }

    pub(super) fn deliveries(&self, token: &str) -> Vec<Delivery> {
        let hooks = self.0.lock();
        hooks
            .get(token)
            .map_or_else(Vec::new, |(_, deliveries)| deliveries.clone())
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route(&format!("{PATH}{{token}}"), post(receive))
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let answer = || match accept(&shared, &token, &headers, &body) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err((status, why)) => {
            shared.ledger.count(&token, |stats| stats.rejected += 1);
            (status, why).into_response()
        }
    };
    let Some(fault) = shared.faults.take(&token) else {
        return answer();
    };
    shared.ledger.count(&token, |stats| stats.faults += 1);
    // A receiver has no business codes.
    let refuse = |_code, text: &str| (StatusCode::BAD_REQUEST, text.to_owned()).into_response();
    fault::inflict(fault, &connection, refuse, answer).await
}

/// A status with its reason.
type Refusal = (StatusCode, &'static str);

fn accept(shared: &Shared, token: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let mut hooks = shared.webhooks.0.lock();
    let (hook, deliveries) = hooks.get_mut(token).ok_or((StatusCode::NOT_FOUND, "nobody here"))?;
    let header = |name| text_of(headers, name).ok_or((StatusCode::BAD_REQUEST, "a webhook header is missing"));
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let now = shared.clock.now();
    let signed_at = timestamp
        .parse()
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .filter(|time| now.duration_since(*time).abs() <= TOLERANCE)
        .ok_or((StatusCode::BAD_REQUEST, "the timestamp is too far off"))?;
    if !is_signed(
        &hook.secret,
        &format!("{id}.{timestamp}."),
        body,
        header("webhook-signature")?,
    ) {
        return Err((StatusCode::UNAUTHORIZED, "no signature matches"));
    }
    let is_json = text_of(headers, "content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let has_time = body["timestamp"]
        .as_str()
        .is_some_and(|time| time.parse::<Timestamp>().is_ok());
    if !(is_json && has_time && body["type"].is_string() && body["data"].is_object()) {
        return Err((StatusCode::BAD_REQUEST, "the body has not the documented form"));
    }
    let text = |name: &str| body["data"][name].as_str().unwrap_or_default().to_owned();
    shared.ledger.accept(Message {
        provider: "webhook".into(),
        token: token.to_owned(),
        time: now,
        title: text("title"),
        text: text("text"),
        mobiles: Vec::new(),
        everyone: false,
        traceparent: text_of(headers, "traceparent").map(str::to_owned),
    });
    deliveries.push(Delivery {
        id: id.to_owned(),
        signed_at,
        body,
    });
    Ok(())
}

/// Tells whether one of the signatures is right for what was signed: `start` and the body after it.
fn is_signed(secret: &str, start: &str, body: &[u8], signatures: &str) -> bool {
    let key = secret.strip_prefix("whsec_").unwrap_or(secret);
    let Ok(key) = BASE64_STANDARD.decode(key) else {
        return false;
    };
    signatures.split(' ').any(|signature| {
        let signature = signature
            .strip_prefix("v1,")
            .map(|base64| BASE64_STANDARD.decode(base64));
        let Some(Ok(signature)) = signature else {
            return false;
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
        mac.update(start.as_bytes());
        mac.update(body);
        mac.verify_slice(&signature).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const START: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.";
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    /// The specification's own vector.
    #[test]
    fn the_public_vector_is_believed_and_nothing_near_it() {
        let verdict = |start: &str, body: &str, signatures: &str| is_signed(SECRET, start, body.as_bytes(), signatures);
        assert!(verdict(START, BODY, SIGNATURE));
        assert!(verdict(START, BODY, &format!("v1,bm9ldHU= v2,nonsense {SIGNATURE}")));
        for (start, body, signatures) in [
            ("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265331.", BODY, SIGNATURE),
            ("msg_p5jXN8AQM9LWM0D4loKWxJe.k1614265330.", BODY, SIGNATURE),
            (START, r#"{"test":2432232314}"#, SIGNATURE),
            (START, BODY, "v1,G0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            (START, BODY, "v1,"),
            (START, BODY, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            (START, BODY, ""),
        ] {
            assert!(!verdict(start, body, signatures), "{start} {body} {signatures}");
        }
        assert!(!is_signed(
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
            START,
            BODY.as_bytes(),
            SIGNATURE
        ));
    }
}
