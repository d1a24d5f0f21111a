//! The robot of a `WeCom` group (企业微信群机器人): body, and the reading of its answers.
//!
//! Its Markdown calls nobody by phone number, only its plain text does. So a message that calls people goes as text, the
//! marks of Markdown taken out, and every other one as Markdown. The address has the key; nothing is signed.

use std::time::Instant;

use ::http::HeaderMap;
use futures_util::future::BoxFuture;
use reflex_templates::Format as TextFormat;
use secrecy::ExposeSecret;
use serde_json::json;

use super::http::HttpClient;
use super::robot::{CUT, judge, links};
use super::{Channel, Endpoint, Outcome, Rendered};
use crate::domain::channel::Kind;

mod codes;

/// Longest content of a Markdown message, in bytes of UTF-8.
const MAX_MARKDOWN_BYTES: usize = Kind::WecomRobot.capability().max_size;
/// Longest content of a text message.
const MAX_TEXT_BYTES: usize = 2_048;

/// Sends messages through group robots.
pub struct Wecom {
    http: HttpClient,
}

impl Wecom {
    /// Builds the channel; one serves all robots.
    #[must_use]
    pub fn new(http: HttpClient) -> Self {
        Self { http }
    }

    async fn attempt(&self, endpoint: &Endpoint, message: &Rendered) -> Outcome {
        let address = endpoint.address.expose_secret();
        let start = Instant::now();
        match self.http.post_json(address, HeaderMap::new(), body(message)).await {
            Ok(answer) => judge(&answer, start.elapsed(), |code, _text| codes::verdict(code)),
            Err(error) => Outcome::unanswered(&error),
        }
    }
}

impl Channel for Wecom {
    fn send<'a>(&'a self, endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome> {
        Box::pin(self.attempt(endpoint, message))
    }
}

/// Builds the request body, cutting the text where it would be too long.
#[must_use]
pub fn body(message: &Rendered) -> Vec<u8> {
    // The robot refuses what is empty.
    let words = if message.text.trim().is_empty() {
        &message.title
    } else {
        &message.text
    };
    let mentions = &message.mentions;
    let body = if mentions.mobiles.is_empty() && !mentions.everyone {
        let content = with_tail(
            &TextFormat::WecomMarkdown.body(words),
            &links(&message.actions),
            MAX_MARKDOWN_BYTES,
        );
        json!({ "msgtype": "markdown", "markdown": { "content": content } })
    } else {
        let everyone = mentions.everyone.then_some("@all");
        let called: Vec<_> = mentions.mobiles.iter().map(String::as_str).chain(everyone).collect();
        let links = message.actions.iter();
        let links = links.map(|button| format!("\n{}：{}", button.label, button.url));
        let content = with_tail(
            &TextFormat::Plain.body(words),
            &links.collect::<String>(),
            MAX_TEXT_BYTES,
        );
        json!({ "msgtype": "text", "text": { "content": content, "mentioned_mobile_list": called } })
    };
    body.to_string().into_bytes()
}

/// Adds a tail to a text, which is cut where both would be too long.
pub(super) fn with_tail(text: &str, tail: &str, max_bytes: usize) -> String {
    match max_bytes.checked_sub(tail.len()).filter(|room| *room >= CUT.len()) {
        Some(room) => format!("{}{tail}", cut(text, room)),
        None => cut(text, max_bytes),
    }
}

/// Cuts a text between two characters, and says so.
fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max_bytes - CUT.len());
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::channels::{Button, Mentions};
    use crate::domain::action::Action;

    fn of(text: &str, mobiles: &[&str], everyone: bool) -> Value {
        let message = Rendered {
            title: "标题".into(),
            text: text.into(),
            mentions: Mentions {
                mobiles: mobiles.iter().map(|&mobile| mobile.to_owned()).collect(),
                everyone,
            },
            ..Rendered::default()
        };
        serde_json::from_slice(&body(&message)).unwrap()
    }

    #[test]
    fn a_message_that_calls_nobody_is_markdown() {
        assert_eq!(
            of("### 新线索\n- 客户：**华东机床**", &[], false),
            json!({ "msgtype": "markdown", "markdown": { "content": "### 新线索\n- 客户：**华东机床**" } })
        );
        assert_eq!(of(" ", &[], false)["markdown"]["content"], "标题");
    }

    #[test]
    fn what_can_be_done_is_a_link_behind_the_cut() {
        let button = Button {
            action: Action::Claim,
            label: "认领",
            url: "https://reflex.example/v1/actions/huadong.a".into(),
            expire_time: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut message = Rendered {
            text: "线".repeat(5_000),
            actions: vec![button],
            ..Rendered::default()
        };
        let content = |message: &Rendered, part: &str| {
            let body: Value = serde_json::from_slice(&body(message)).unwrap();
            body[part]["content"].as_str().unwrap().to_owned()
        };
        let markdown = content(&message, "markdown");
        assert!(markdown.len() <= MAX_MARKDOWN_BYTES, "{}", markdown.len());
        let link = "https://reflex.example/v1/actions/huadong.a";
        assert!(markdown.ends_with(&format!("{CUT}\n\n[认领]({link})")), "{markdown}");
        message.mentions.everyone = true;
        let text = content(&message, "text");
        assert!(text.len() <= MAX_TEXT_BYTES, "{}", text.len());
        assert!(text.ends_with(&format!("{CUT}\n认领：{link}")), "{text}");
        message.actions[0].url = "a".repeat(MAX_TEXT_BYTES);
        assert!(content(&message, "text").len() <= MAX_TEXT_BYTES);
    }

    #[test]
    fn a_message_that_calls_people_is_text_without_marks() {
        let body = of(
            "### 新线索 #1\n- 客户：**华东机床**\n> `引用`\n#话题",
            &["13800000001", "13800000002"],
            false,
        );
        assert_eq!(
            body,
            json!({ "msgtype": "text", "text": {
                "content": "新线索 #1\n- 客户：华东机床\n引用\n#话题",
                "mentioned_mobile_list": ["13800000001", "13800000002"],
            } })
        );
        assert_eq!(of("停机", &[], true)["text"]["mentioned_mobile_list"], json!(["@all"]));
    }

    #[test]
    fn texts_of_others_call_nobody_and_colour_nothing() {
        for (value, expected) in [
            ("<@all>", "＜＠all＞"),
            ("<@zhangsan> 请看", "＜＠zhangsan＞ 请看"),
            (
                "<font color=\"warning\">假</font>",
                "＜font color=\"warning\"＞假＜/font＞",
            ),
            ("[点我](https://evil.example)", "［点我］(https：//evil.example)"),
            ("**a** `b` > c", "＊＊a＊＊ ｀b｀ ＞ c"),
        ] {
            let content = of(
                &format!("- 客户：{}", reflex_templates::text::harmless(value)),
                &[],
                false,
            );
            assert_eq!(content["markdown"]["content"], format!("- 客户：{expected}"));
        }
        assert_eq!(of("<@all> 请看", &[], false)["markdown"]["content"], "＜@all> 请看");
    }

    #[test]
    fn long_texts_are_cut_to_the_last_fitting_character() {
        for (mobiles, part, max) in [
            (&[][..], "markdown", MAX_MARKDOWN_BYTES),
            (&["13800000001"], "text", MAX_TEXT_BYTES),
        ] {
            for unit in ["a", "线", "\n", "\"", "🚀", "线\"a"] {
                let body = of(&format!("x{}", unit.repeat(5_000)), mobiles, false);
                let content = body[part]["content"].as_str().unwrap();
                assert!(content.len() <= max, "{unit:?}: {}", content.len());
                assert!(content.len() > max - 4, "{unit:?}: {}", content.len());
                assert!(content.ends_with(CUT), "{unit:?}");
            }
            let fits = "a".repeat(max);
            assert_eq!(of(&fits, mobiles, false)[part]["content"], fits);
        }
    }
}
