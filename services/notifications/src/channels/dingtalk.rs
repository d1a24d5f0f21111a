//! The custom robot of a `DingTalk` group (钉钉自定义机器人): signature, body, and the reading of its answers.
//!
//! The robot refuses with HTTP 200 and a business code, so the status alone says nothing; `codes.rs` says what each code
//! means. Keeping below 20 messages a minute is the budget's work, not ours: one robot is shared by many senders.

use std::time::Instant;

use ::http::HeaderMap;
use futures_util::future::BoxFuture;
use reflex_runtime::clock::SharedClock;
use reflex_signatures::dingtalk;
use secrecy::ExposeSecret;
use serde_json::json;

use super::http::HttpClient;
use super::robot::{CUT, fitting, judge, links, shorten};
use super::{Channel, Endpoint, Outcome, Rendered};
use crate::domain::channel::Kind;

mod codes;

/// Largest request body; beyond it the robot answers 460101.
const MAX_BYTES: usize = Kind::DingtalkRobot.capability().max_size;
/// Longest title kept. The banner shows far less, and a title must not eat the body's room.
const MAX_TITLE_CHARS: usize = 120;

/// Sends markdown messages through custom robots.
pub struct DingTalk {
    http: HttpClient,
    clock: SharedClock,
}

impl DingTalk {
    /// Builds the channel; one serves all robots.
    #[must_use]
    pub fn new(http: HttpClient, clock: SharedClock) -> Self {
        Self { http, clock }
    }

    async fn attempt(&self, endpoint: &Endpoint, message: &Rendered) -> Outcome {
        let address = self.signed_address(endpoint);
        let start = Instant::now();
        match self.http.post_json(&address, HeaderMap::new(), body(message)).await {
            Ok(answer) => judge(&answer, start.elapsed(), codes::verdict),
            Err(error) => Outcome::unanswered(&error),
        }
    }

    fn signed_address(&self, endpoint: &Endpoint) -> String {
        let address = endpoint.address.expose_secret();
        let Some(secret) = &endpoint.secret else {
            return address.to_owned();
        };
        let timestamp_ms = self.clock.now().as_millisecond();
        let joint = if address.contains('?') { '&' } else { '?' };
        let sign = dingtalk::in_query(&dingtalk::sign(timestamp_ms, secret.expose_secret()));
        format!("{address}{joint}timestamp={timestamp_ms}&sign={sign}")
    }
}

impl Channel for DingTalk {
    fn send<'a>(&'a self, endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome> {
        Box::pin(self.attempt(endpoint, message))
    }
}

/// Builds the request body, cutting the text where the whole would be too long.
#[must_use]
pub fn body(message: &Rendered) -> Vec<u8> {
    let title = shorten(&message.title, MAX_TITLE_CHARS);
    // A card has buttons, and calls nobody; a message that calls people has links.
    let calls = if is_card(message) {
        String::new()
    } else {
        format!("{}{}", links(&message.actions), calls(message))
    };
    let whole = serialize(message, &title, &format!("{}{calls}", message.text));
    if whole.len() <= MAX_BYTES {
        return whole;
    }
    // The calls come after the cut: a person who is called must be called in a long message, too.
    let tail = format!("{CUT}{calls}");
    let room = MAX_BYTES.saturating_sub(serialize(message, &title, &tail).len());
    serialize(message, &title, &format!("{}{tail}", fitting(&message.text, room)))
}

fn is_card(message: &Rendered) -> bool {
    !message.actions.is_empty() && message.mentions.mobiles.is_empty() && !message.mentions.everyone
}

fn serialize(message: &Rendered, title: &str, text: &str) -> Vec<u8> {
    if is_card(message) {
        let buttons = message.actions.iter();
        let buttons: Vec<_> = buttons
            .map(|button| json!({ "title": button.label, "actionURL": button.url }))
            .collect();
        let card = json!({ "title": title, "text": text, "btnOrientation": "1", "btns": buttons });
        return json!({ "msgtype": "actionCard", "actionCard": card })
            .to_string()
            .into_bytes();
    }
    json!({
        "msgtype": "markdown",
        "markdown": { "title": title, "text": text },
        "at": { "atMobiles": message.mentions.mobiles, "isAtAll": message.mentions.everyone },
    })
    .to_string()
    .into_bytes()
}

/// Names the mobiles the text does not name yet: the robot highlights, and notifies for, only those it finds there.
fn calls(message: &Rendered) -> String {
    let missing: Vec<_> = message
        .mentions
        .mobiles
        .iter()
        .map(|mobile| format!("@{mobile}"))
        .filter(|call| !message.text.contains(call.as_str()))
        .collect();
    if missing.is_empty() {
        String::new()
    } else {
        format!("\n\n{}", missing.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::{
        channels::{Button, Mentions},
        domain::action::Action,
    };

    fn read(body: &[u8]) -> Value {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn builds_markdown_and_calls_people_who_are_not_in_the_text_yet() {
        let body = read(&body(&Rendered {
            title: "新线索".into(),
            text: "请 @13800000001 跟进".into(),
            mentions: Mentions {
                mobiles: vec!["13800000001".into(), "13800000002".into()],
                everyone: false,
            },
            ..Rendered::default()
        }));
        assert_eq!(body["msgtype"], "markdown");
        assert_eq!(body["markdown"]["title"], "新线索");
        assert_eq!(body["markdown"]["text"], "请 @13800000001 跟进\n\n@13800000002");
        assert_eq!(body["at"]["atMobiles"][1], "13800000002");
        assert_eq!(body["at"]["isAtAll"], false);
    }

    #[test]
    fn what_can_be_done_is_a_button_or_a_link_where_people_are_called() {
        let button = |action: Action, label| Button {
            action,
            label,
            url: format!("https://reflex.example/v1/actions/huadong.{}", action.as_str()),
            expire_time: Timestamp::UNIX_EPOCH,
        };
        let mut message = Rendered {
            title: "新线索".into(),
            text: "线".repeat(30_000),
            actions: vec![button(Action::Claim, "认领"), button(Action::Ignore, "忽略")],
            ..Rendered::default()
        };
        let bytes = body(&message);
        assert!(
            bytes.len() <= MAX_BYTES && bytes.len() > MAX_BYTES - 6,
            "{}",
            bytes.len()
        );
        let card = read(&bytes);
        assert_eq!(card["msgtype"], "actionCard");
        assert_eq!(card["actionCard"]["title"], "新线索");
        assert_eq!(
            card["actionCard"]["btns"],
            json!([
                { "title": "认领", "actionURL": "https://reflex.example/v1/actions/huadong.claim" },
                { "title": "忽略", "actionURL": "https://reflex.example/v1/actions/huadong.ignore" },
            ])
        );
        message.mentions.mobiles = vec!["13800000001".into()];
        let bytes = body(&message);
        assert!(bytes.len() <= MAX_BYTES, "{}", bytes.len());
        let text = read(&bytes)["markdown"]["text"].as_str().unwrap().to_owned();
        assert!(
            text.ends_with(
                "…(截断)\n\n[认领](https://reflex.example/v1/actions/huadong.claim) | \
                 [忽略](https://reflex.example/v1/actions/huadong.ignore)\n\n@13800000001"
            ),
            "{}",
            &text[text.len() - 300..]
        );
    }

    #[test]
    fn long_texts_are_cut_to_the_last_fitting_character() {
        for unit in ["a", "线", "\n", "\"", "\u{1}", "🚀", "线\"a\u{1}"] {
            let message = Rendered {
                title: "长".repeat(500),
                text: unit.repeat(30_000),
                mentions: Mentions {
                    mobiles: vec!["13800000001".into()],
                    everyone: true,
                },
                ..Rendered::default()
            };
            let bytes = body(&message);
            assert!(bytes.len() <= MAX_BYTES, "{unit:?}: {}", bytes.len());
            assert!(bytes.len() > MAX_BYTES - 6, "{unit:?}: {}", bytes.len());
            let text = read(&bytes)["markdown"]["text"].as_str().unwrap().to_owned();
            let kept = text.strip_suffix("…(截断)\n\n@13800000001").unwrap();
            assert!(message.text.starts_with(kept));
        }
    }

    #[test]
    fn a_text_that_just_fits_is_not_cut() {
        let mut message = Rendered::default();
        let room = MAX_BYTES - body(&message).len();
        message.text = "a".repeat(room);
        assert_eq!(body(&message).len(), MAX_BYTES);
        assert_eq!(read(&body(&message))["markdown"]["text"], message.text);
        message.text.push('a');
        assert!(
            read(&body(&message))["markdown"]["text"]
                .as_str()
                .unwrap()
                .ends_with(CUT)
        );
    }
}
