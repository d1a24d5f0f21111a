//! The robot of a Feishu group (飞书自定义机器人): body with its signature, and the reading of its answers.
//!
//! A message is a card: only cards have a title and Markdown. A robot cannot call people by their phone numbers.

use std::time::Instant;

use ::http::HeaderMap;
use futures_util::future::BoxFuture;
use reflex_runtime::clock::SharedClock;
use reflex_signatures::feishu;
use reflex_templates::Format as TextFormat;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::http::HttpClient;
use super::robot::{CUT, judge, shorten};
use super::{Button, Channel, Endpoint, Outcome, Rendered};
use crate::domain::channel::Kind;

mod codes;

/// Largest request body.
const MAX_BYTES: usize = Kind::FeishuRobot.capability().max_size;
/// Longest title kept. The banner shows far less, and a title must not eat the body's room.
const MAX_TITLE_CHARS: usize = 120;

/// Sends cards through group robots.
pub struct Feishu {
    http: HttpClient,
    clock: SharedClock,
}

impl Feishu {
    /// Builds the channel; one serves all robots.
    #[must_use]
    pub fn new(http: HttpClient, clock: SharedClock) -> Self {
        Self { http, clock }
    }

    async fn attempt(&self, endpoint: &Endpoint, message: &Rendered) -> Outcome {
        let secret = endpoint.secret.as_ref().map(ExposeSecret::expose_secret);
        let signed = secret.map(|secret| (self.clock.now().as_second(), secret));
        let address = endpoint.address.expose_secret();
        let start = Instant::now();
        match self
            .http
            .post_json(address, HeaderMap::new(), body(message, signed))
            .await
        {
            Ok(answer) => judge(&answer, start.elapsed(), |code, _text| codes::verdict(code)),
            Err(error) => Outcome::unanswered(&error),
        }
    }
}

impl Channel for Feishu {
    fn send<'a>(&'a self, endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome> {
        Box::pin(self.attempt(endpoint, message))
    }
}

/// Builds the request body, signed with a second and a secret if there is one, cutting the text where the whole would be
/// too long.
#[must_use]
pub fn body(message: &Rendered, signed: Option<(i64, &str)>) -> Vec<u8> {
    let title = shorten(&message.title, MAX_TITLE_CHARS);
    // The robot refuses a card without words.
    let words = if message.text.trim().is_empty() {
        &message.title
    } else {
        &message.text
    };
    let words = TextFormat::FeishuMarkdown.body(words);
    let call = if message.mentions.everyone {
        "\n<at id=all></at>"
    } else {
        ""
    };
    let serialize = |text: &str| serialize(&title, text, &message.actions, signed);
    let whole = serialize(&format!("{words}{call}"));
    if whole.len() <= MAX_BYTES {
        return whole;
    }
    let tail = format!("{CUT}{call}");
    let room = MAX_BYTES.saturating_sub(serialize(&tail).len());
    serialize(&format!("{}{tail}", super::robot::fitting(&words, room)))
}

fn serialize(title: &str, text: &str, actions: &[Button], signed: Option<(i64, &str)>) -> Vec<u8> {
    let mut elements = vec![json!({ "tag": "markdown", "content": text })];
    if !actions.is_empty() {
        let buttons = actions.iter().enumerate().map(|(place, button)| {
            json!({
                "tag": "button",
                "text": { "tag": "plain_text", "content": button.label },
                "type": if place == 0 { "primary" } else { "default" },
                "url": button.url,
            })
        });
        elements.push(json!({ "tag": "action", "actions": buttons.collect::<Vec<_>>() }));
    }
    let mut body = json!({
        "msg_type": "interactive",
        "card": {
            "header": { "title": { "tag": "plain_text", "content": title } },
            "elements": elements,
        },
    });
    if let (Some((second, secret)), Value::Object(fields)) = (signed, &mut body) {
        fields.insert("timestamp".into(), second.to_string().into());
        fields.insert("sign".into(), feishu::sign(second, secret).into());
    }
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{channels::Mentions, domain::action::Action};

    fn message(text: &str, everyone: bool) -> Rendered {
        Rendered {
            title: "新线索".into(),
            text: text.into(),
            mentions: Mentions {
                mobiles: vec!["13800000001".into()],
                everyone,
            },
            ..Rendered::default()
        }
    }

    #[test]
    fn builds_a_card_with_its_signature() {
        let read = |body: Vec<u8>| serde_json::from_slice::<Value>(&body).unwrap();
        let unsigned = read(body(&message("**华东机床**", false), None));
        assert_eq!(
            unsigned,
            json!({
                "msg_type": "interactive",
                "card": {
                    "header": {"title": {"tag": "plain_text", "content": "新线索"}},
                    "elements": [{"tag": "markdown", "content": "**华东机床**"}],
                },
            })
        );
        let signed = read(body(&message("<at id=all></at>", true), Some((1_599_360_473, "demo"))));
        assert_eq!(signed["timestamp"], "1599360473");
        assert_eq!(signed["sign"], "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
        assert_eq!(
            signed["card"]["elements"][0]["content"],
            "＜at id=all></at>\n<at id=all></at>"
        );
        assert_eq!(
            read(body(&message(" ", false), None))["card"]["elements"][0]["content"],
            "新线索"
        );
    }

    #[test]
    fn what_can_be_done_is_a_button() {
        let button = Button {
            action: Action::Ack,
            label: "知道了",
            url: "https://reflex.example/v1/actions/huadong.a".into(),
            expire_time: jiff::Timestamp::UNIX_EPOCH,
        };
        let message = Rendered {
            actions: vec![button],
            ..message(&"线".repeat(30_000), false)
        };
        let bytes = body(&message, None);
        assert!(
            bytes.len() <= MAX_BYTES && bytes.len() > MAX_BYTES - 12,
            "{}",
            bytes.len()
        );
        let read: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            read["card"]["elements"][1],
            json!({"tag": "action", "actions": [{
                "tag": "button",
                "text": {"tag": "plain_text", "content": "知道了"},
                "type": "primary",
                "url": "https://reflex.example/v1/actions/huadong.a",
            }]})
        );
    }

    #[test]
    fn no_text_makes_a_body_that_is_refused() {
        for unit in ["线索\"🚀\n", "a", "\u{1}", "<at"] {
            for everyone in [false, true] {
                let body = body(&message(&unit.repeat(30_000), everyone), Some((1, "secret")));
                assert!(body.len() <= MAX_BYTES, "{unit:?}");
                assert!(body.len() > MAX_BYTES - 12, "{unit:?} loses no more than it must");
                let read: Value = serde_json::from_slice(&body).unwrap();
                let text = read["card"]["elements"][0]["content"].as_str().unwrap();
                assert_eq!(text.ends_with("<at id=all></at>"), everyone);
            }
        }
    }
}
