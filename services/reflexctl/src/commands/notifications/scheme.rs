//! The schemes, each with what it can do.

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use reflex_runtime::clock::{Clock as _, SystemClock};
use reflex_signatures::standard_webhooks::{Headers, ID_HEADER, Keys, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use reflex_signatures::{callback, dingtalk, feishu};
use serde_json::{Map, Value, json};

use super::material::Said;

type Answer = Map<String, Value>;

/// How a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scheme {
    /// Webhooks of other programs, <https://www.standardwebhooks.com>.
    StandardWebhooks,
    /// Custom robots of `DingTalk` groups.
    DingtalkRobot,
    /// Events that `DingTalk` sends to an application.
    DingtalkCallback,
    /// Custom robots of Feishu groups.
    FeishuBot,
    /// Events that Feishu sends to an application.
    FeishuEvent,
    /// Events and messages that `WeCom` sends to an application.
    WecomCallback,
}

impl Scheme {
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value().expect("no variant is skipped");
        value.get_name().to_owned()
    }

    pub(super) fn sign(self, said: &Said) -> anyhow::Result<Answer> {
        Ok(match self {
            Self::StandardWebhooks => {
                let (id, timestamp) = (said.id()?, said.number(false)?);
                let keys = keys(said)?;
                if !keys.can_sign() {
                    bail!("a public key cannot sign");
                }
                let signature = keys.sign(id, timestamp, said.body()?);
                let headers =
                    json!({ID_HEADER: id, TIMESTAMP_HEADER: timestamp.to_string(), SIGNATURE_HEADER: &signature});
                answer([
                    ("timestamp", timestamp.to_string().into()),
                    ("signature", signature.into()),
                    ("headers", headers),
                ])
            }
            Self::DingtalkRobot => {
                let timestamp = said.number(true)?;
                let signature = dingtalk::sign(timestamp, said.secret()?);
                let encoded = dingtalk::in_query(&signature);
                answer([
                    ("timestamp", timestamp.to_string().into()),
                    ("query", format!("timestamp={timestamp}&sign={encoded}").into()),
                    ("encoded", encoded.into()),
                    ("signature", signature.into()),
                ])
            }
            Self::FeishuBot => {
                let timestamp = said.number(false)?;
                let signature = feishu::sign(timestamp, said.secret()?);
                answer([
                    ("timestamp", timestamp.to_string().into()),
                    ("body", json!({"timestamp": timestamp.to_string(), "sign": &signature})),
                    ("signature", signature.into()),
                ])
            }
            Self::FeishuEvent => {
                let timestamp = said.timestamp(false);
                let signature = feishu::sign_event(&timestamp, said.nonce()?, said.secret()?, said.body()?);
                answer([("timestamp", timestamp.into()), ("signature", signature.into())])
            }
            Self::DingtalkCallback | Self::WecomCallback => {
                let timestamp = said.timestamp(self == Self::DingtalkCallback);
                let envelope = envelope(said.body_text()?);
                let signature = callback::sign(said.token()?, &timestamp, said.nonce()?, &envelope);
                answer([("timestamp", timestamp.into()), ("signature", signature.into())])
            }
        })
    }

    /// Returns why a message is not believed, if it is not.
    pub(super) fn verify(self, said: &Said, tolerance: Option<u64>) -> anyhow::Result<Option<String>> {
        let signature = said.signature.as_deref().unwrap_or_default();
        let in_milliseconds = matches!(self, Self::DingtalkRobot | Self::DingtalkCallback);
        let timestamp = said.timestamp(in_milliseconds);
        let is_right = match self {
            Self::StandardWebhooks => {
                let headers = Headers {
                    id: said.id()?,
                    timestamp: &timestamp,
                    signature,
                };
                // Of its own instant: whether that is near enough is asked below.
                let verdict = keys(said)?.verify(headers, said.body()?, said.number(false)?);
                match verdict {
                    Ok(()) => true,
                    Err(reflex_signatures::standard_webhooks::Refusal::Signature) => false,
                    Err(other) => return Ok(Some(other.to_string())),
                }
            }
            Self::DingtalkRobot => dingtalk::is_signed(said.number(true)?, said.secret()?, signature),
            Self::FeishuBot => feishu::is_signed(said.number(false)?, said.secret()?, signature),
            Self::FeishuEvent => {
                feishu::is_event_signed(&timestamp, said.nonce()?, said.secret()?, said.body()?, signature)
            }
            Self::DingtalkCallback | Self::WecomCallback => {
                let envelope = envelope(said.body_text()?);
                callback::is_signed(said.token()?, &timestamp, said.nonce()?, &envelope, signature)
            }
        };
        if !is_right {
            return Ok(Some("the signature is not of this message and secret".to_owned()));
        }
        let Some(tolerance) = tolerance else { return Ok(None) };
        let seconds = said.number(in_milliseconds)? / if in_milliseconds { 1_000 } else { 1 };
        let age = SystemClock::default().now().as_second().abs_diff(seconds);
        Ok((age > tolerance).then(|| format!("the timestamp is {age} seconds from now")))
    }

    pub(super) fn encrypt(self, said: &Said) -> anyhow::Result<Answer> {
        match self {
            Self::FeishuEvent => {
                let encrypted = feishu::encrypt(said.secret()?, said.random()?, said.body()?);
                let mut found = answer([]);
                if said.has_nonce() {
                    let timestamp = said.timestamp(false);
                    // What is sent, and signed, is the JSON around it.
                    let body = json!({"encrypt": &encrypted}).to_string();
                    let signature = feishu::sign_event(&timestamp, said.nonce()?, said.secret()?, body.as_bytes());
                    found = answer([
                        ("timestamp", timestamp.into()),
                        ("nonce", said.nonce()?.into()),
                        ("body", body.into()),
                        ("signature", signature.into()),
                    ]);
                }
                found.insert("encrypted".into(), encrypted.into());
                Ok(found)
            }
            Self::DingtalkCallback | Self::WecomCallback => {
                let receiver = said.receive_id.as_deref().unwrap_or_default();
                let encrypted = aes_key(said)?.seal(said.random()?, said.body()?, receiver);
                let mut found = answer([]);
                if said.has_token() && said.has_nonce() {
                    let timestamp = said.timestamp(self == Self::DingtalkCallback);
                    let signature = callback::sign(said.token()?, &timestamp, said.nonce()?, &encrypted);
                    found = answer([
                        ("timestamp", timestamp.into()),
                        ("nonce", said.nonce()?.into()),
                        ("signature", signature.into()),
                    ]);
                }
                found.insert("encrypted".into(), encrypted.into());
                Ok(found)
            }
            other => bail!("{} encrypts nothing", other.name()),
        }
    }

    pub(super) fn decrypt(self, said: &Said) -> anyhow::Result<Answer> {
        match self {
            Self::FeishuEvent => {
                let text = feishu::decrypt(said.secret()?, &envelope(said.body_text()?))?;
                Ok(answer([("text", plain(text)?)]))
            }
            Self::DingtalkCallback | Self::WecomCallback => {
                let receiver = said.receive_id.as_deref().unwrap_or_default();
                let opened = aes_key(said)?.open(&envelope(said.body_text()?), receiver)?;
                Ok(answer([
                    ("text", plain(opened.text)?),
                    ("receive_id", opened.receiver.into()),
                ]))
            }
            other => bail!("{} encrypts nothing", other.name()),
        }
    }
}

fn answer<const N: usize>(fields: [(&str, Value); N]) -> Answer {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn keys(said: &Said) -> anyhow::Result<Keys> {
    Keys::parse(said.secret()?).context(
        "the secret must be whsec_ and the base64 of 24 to 64 bytes, whsk_ and that of an Ed25519 key, or whpk_ and that of a public one",
    )
}

fn aes_key(said: &Said) -> anyhow::Result<callback::Key> {
    callback::Key::parse(said.aes_key()?).context("the key must have 43 characters of base64")
}

fn plain(text: Vec<u8>) -> anyhow::Result<Value> {
    Ok(String::from_utf8(text).context("what was encrypted is no text")?.into())
}

/// Takes the encrypted text out of the JSON or XML that a provider sends it in; anything else is the text itself.
fn envelope(body: &str) -> String {
    let body = body.trim();
    if let Ok(Value::Object(fields)) = serde_json::from_str(body)
        && let Some(text) = fields.get("encrypt").and_then(Value::as_str)
    {
        return text.to_owned();
    }
    let inner = body
        .split_once("<Encrypt>")
        .and_then(|(_, rest)| rest.split_once("</Encrypt>"));
    match inner {
        Some((inner, _)) => inner
            .trim()
            .trim_start_matches("<![CDATA[")
            .trim_end_matches("]]>")
            .to_owned(),
        None => body.to_owned(),
    }
}
