//! Text messages by Aliyun (阿里云短信 SendSms): a template the provider has approved, with the title as its variable.
//!
//! The code in the answer decides, whatever the status: the provider refuses with 200, 400, 403 and 404 alike.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use reflex_runtime::clock::SharedClock;
use reflex_signatures::aliyun;
use reflex_templates::text;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::http::{Answer, HttpClient};
use super::robot::{business, conclude, shorten};
use super::{Channel, Endpoint, Fault, Outcome, Rendered};
use crate::domain::channel::Kind;

mod codes;

/// Longest value of a variable.
const MAX_CHARS: usize = Kind::Sms.capability().max_size;

/// Sends text messages.
pub struct Sms {
    http: HttpClient,
    clock: SharedClock,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    code: String,
    #[serde(default)]
    message: String,
}

impl Sms {
    /// Builds the channel; one serves all accounts.
    #[must_use]
    pub fn new(http: HttpClient, clock: SharedClock) -> Self {
        Self { http, clock }
    }

    async fn attempt(&self, endpoint: &Endpoint, message: &Rendered) -> Outcome {
        let mobile: String = message
            .to
            .mobile
            .chars()
            .filter(|char| char.is_ascii_digit() || *char == '+')
            .collect();
        if mobile.is_empty() {
            return Outcome::no_address("mobile number");
        }
        let Some(secret) = &endpoint.secret else {
            return Outcome::GiveUp {
                provider_code: "secret".into(),
                reason: "the secret of the access key is missing".into(),
                fault: Fault::Endpoint,
            };
        };
        let form = self.form(endpoint, message, &mobile, secret.expose_secret());
        let start = Instant::now();
        match self.http.post_form(endpoint.address.expose_secret(), form).await {
            Ok(answer) => judge(&answer, start.elapsed()),
            Err(error) => Outcome::unanswered(&error),
        }
    }

    fn form(&self, endpoint: &Endpoint, message: &Rendered, mobile: &str, secret: &str) -> String {
        let now = self.clock.now();
        let timestamp = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let id = message.about.message.to_string();
        // Another one in each attempt, as the provider refuses one it has seen.
        let nonce = format!("{id}-{}", now.as_microsecond());
        let variables = json!({ "title": title(&message.title) }).to_string();
        let mut parameters = vec![
            ("AccessKeyId", endpoint.account.user.as_str()),
            ("Action", "SendSms"),
            ("Format", "JSON"),
            ("OutId", &id),
            ("PhoneNumbers", mobile),
            ("RegionId", "cn-hangzhou"),
            ("SignName", &endpoint.account.sender),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", &nonce),
            ("SignatureVersion", "1.0"),
            ("TemplateCode", &endpoint.account.template),
            ("TemplateParam", &variables),
            ("Timestamp", &timestamp),
            ("Version", "2017-05-25"),
        ];
        let signature = aliyun::sign("POST", &parameters, secret);
        parameters.push(("Signature", &signature));
        aliyun::encoded(&parameters)
    }
}

impl Channel for Sms {
    fn send<'a>(&'a self, endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome> {
        Box::pin(self.attempt(endpoint, message))
    }
}

/// Returns what stands for the template's variable: one line, no link, and no bracket that could pass for a signature.
fn title(title: &str) -> String {
    let line = text::harmless(title).replace('【', "［").replace('】', "］");
    shorten(&line, MAX_CHARS)
}

fn judge(answer: &Answer, latency: Duration) -> Outcome {
    let said = serde_json::from_slice(&answer.body).map_or_else(|_invalid| business(answer), Ok);
    let Said { code, message } = match said {
        Ok(said) => said,
        Err(outcome) => return outcome,
    };
    let verdict = codes::verdict(&code, &message);
    conclude(shorten(&code, 60), &message, verdict, answer.retry_after, latency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_one_harmless_line() {
        for (given, expected) in [
            ("新线索 L-1", "新线索 L-1"),
            ("【银行】\n点 http://evil.example", "［银行］ 点 http：//evil.example"),
        ] {
            assert_eq!(title(given), expected);
        }
        assert_eq!(title(&"长".repeat(100)).chars().count(), MAX_CHARS);
    }
}
