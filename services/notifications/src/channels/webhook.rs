//! Programs that check signatures (Standard Webhooks): body, headers, and the reading of their answers.
//!
//! The status alone decides; bodies of answers are not looked at. Every attempt is signed anew with its own timestamp,
//! and has the id of its message, by which a receiver knows a repetition.

use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderValue, StatusCode};
use futures_util::future::BoxFuture;
use reflex_runtime::clock::SharedClock;
use reflex_signatures::standard_webhooks::Keys;
use secrecy::ExposeSecret;
use serde_json::json;

use super::http::{Answer, Error, HttpClient};
use super::{Channel, Endpoint, Fault, Outcome, Rendered};
use crate::domain::channel::Kind;

/// Largest body; far above what templates can make.
const MAX_BYTES: usize = Kind::Webhook.capability().max_size;

/// Posts messages to programs.
pub struct Webhook {
    http: HttpClient,
    clock: SharedClock,
}

impl Webhook {
    /// Builds the channel; one serves all endpoints.
    #[must_use]
    pub fn new(http: HttpClient, clock: SharedClock) -> Self {
        Self { http, clock }
    }

    async fn attempt(&self, endpoint: &Endpoint, message: &Rendered) -> Outcome {
        let body = body(message);
        if body.len() > MAX_BYTES {
            return Outcome::GiveUp {
                provider_code: "too_long".into(),
                reason: format!("the message has more than {MAX_BYTES} bytes"),
                fault: Fault::Message,
            };
        }
        let Some(keys) = keys(endpoint) else {
            return Outcome::GiveUp {
                provider_code: "secret".into(),
                reason: "the signing secret is missing or no key".into(),
                fault: Fault::Endpoint,
            };
        };
        let headers = headers(message, &keys, self.clock.now().as_second(), &body);
        let address = endpoint.address.expose_secret();
        let start = Instant::now();
        match self.http.post_json(address, headers, body).await {
            Ok(answer) => judge(&answer, start.elapsed()),
            // It has said yes, and then said on.
            Err(Error::AnswerTooLong(status)) if status.is_success() => delivered(status, start.elapsed()),
            Err(error) => Outcome::unanswered(&error),
        }
    }
}

impl Channel for Webhook {
    fn send<'a>(&'a self, endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome> {
        Box::pin(self.attempt(endpoint, message))
    }
}

/// Builds the request body: type, time and data of the message, the same in every attempt.
#[must_use]
pub fn body(message: &Rendered) -> Vec<u8> {
    let about = &message.about;
    let mut body = json!({
        "type": format!("notification.{}", about.template),
        "timestamp": about.create_time.to_string(),
        "data": {
            "message": format!("messages/{}", about.message),
            "message_class": about.class,
            "subject": about.subject,
            "recipient": about.recipient,
            "title": message.title,
            "text": message.text,
        },
    });
    if !message.actions.is_empty() {
        let actions = message.actions.iter().map(|button| {
            json!({
                "action": button.action.as_str(),
                "label": button.label,
                "url": button.url,
                "expire_time": button.expire_time.to_string(),
            })
        });
        body["data"]["actions"] = actions.collect();
    }
    body.to_string().into_bytes()
}

fn keys(endpoint: &Endpoint) -> Option<Keys> {
    Keys::parse(endpoint.secret.as_ref()?.expose_secret())
}

fn headers(message: &Rendered, keys: &Keys, timestamp_seconds: i64, body: &[u8]) -> HeaderMap {
    let id = message.about.message.to_string();
    let signature = keys.sign(&id, timestamp_seconds, body);
    let value = |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are visible ASCII");
    HeaderMap::from_iter([
        (::http::HeaderName::from_static("webhook-id"), value(&id)),
        (
            ::http::HeaderName::from_static("webhook-timestamp"),
            timestamp_seconds.into(),
        ),
        (::http::HeaderName::from_static("webhook-signature"), value(&signature)),
    ])
}

fn judge(answer: &Answer, latency: Duration) -> Outcome {
    let status = answer.status;
    if status.is_success() {
        return delivered(status, latency);
    }
    let provider_code = code(status);
    if status == StatusCode::GONE {
        return Outcome::GiveUp {
            provider_code,
            reason: "the endpoint says that it is gone for good".into(),
            fault: Fault::Gone,
        };
    }
    if status.is_redirection() {
        return Outcome::GiveUp {
            provider_code,
            reason: "the endpoint points elsewhere, which is not followed".into(),
            fault: Fault::Endpoint,
        };
    }
    Outcome::RetryLater {
        provider_code,
        reason: "the endpoint did not take it".into(),
        after: answer.retry_after,
    }
}

fn delivered(status: StatusCode, latency: Duration) -> Outcome {
    Outcome::Delivered {
        provider_code: code(status),
        latency,
    }
}

fn code(status: StatusCode) -> String {
    format!("http_{}", status.as_u16())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::channels::About;

    fn message() -> Rendered {
        Rendered {
            title: "新线索 L-1".into(),
            text: "- 客户：**华东机床**".into(),
            about: About {
                message: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
                template: "lead_assigned".into(),
                class: "assignment".into(),
                subject: "leads/a".into(),
                recipient: "members/zhang.wei".into(),
                create_time: "2026-02-13T08:00:00.5Z".parse().unwrap(),
            },
            ..Rendered::default()
        }
    }

    #[test]
    fn the_body_has_type_time_and_data() {
        let body: Value = serde_json::from_slice(&body(&message())).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "notification.lead_assigned",
                "timestamp": "2026-02-13T08:00:00.5Z",
                "data": {
                    "message": "messages/01890a5d-ac96-774b-bcce-b302099a8057",
                    "message_class": "assignment",
                    "subject": "leads/a",
                    "recipient": "members/zhang.wei",
                    "title": "新线索 L-1",
                    "text": "- 客户：**华东机床**",
                },
            })
        );
    }

    #[test]
    fn the_headers_name_the_message_and_sign_this_attempt() {
        let keys = Keys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let headers = headers(&message(), &keys, 0, r#"{"公司":"华东机床"}"#.as_bytes());
        for (name, value) in [
            ("webhook-id", "01890a5d-ac96-774b-bcce-b302099a8057"),
            ("webhook-timestamp", "0"),
            ("webhook-signature", "v1,PS/JhcbXtDb20MjnlwUqh0FuuJ3K4epOJvQ/PVZSkWE="),
        ] {
            assert_eq!(headers[name], value);
        }
    }
}
