//! Applications of chats, which tell single people: a short-lived token for the application, the person's id found by
//! their mobile number, then the message. Vendors differ in paths, bodies and codes: that is a [`Dialect`].

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ::http::HeaderMap;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use reflex_signatures::aliyun::encode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::http::{Answer, Error, HttpClient};
use super::robot::{Verdict, business, conclude};
use super::{Channel, Endpoint, Fault, Outcome, Rendered};

/// How long before its end a token is not used any more.
const TOKEN_MARGIN: Duration = Duration::from_mins(5);
/// How long a person's id is believed.
const PERSON_KEPT: Duration = Duration::from_hours(24);
/// Most people whose ids are kept.
const MAX_PEOPLE: usize = 20_000;

/// What one vendor does in its own way.
pub(super) struct Dialect {
    /// Path and query that ask for a token: user and secret are in it, as both vendors want it.
    pub token_path: fn(user: &str, secret: &str) -> String,
    /// Path that finds a person by `mobile`.
    pub person_path: &'static str,
    /// Where the person's id stands in the answer.
    pub person_at: &'static str,
    /// Path that takes messages.
    pub send_path: &'static str,
    /// Builds a message for a person.
    pub body: fn(agent: i64, person: &str, message: &Rendered) -> Value,
    /// Tells what a code means.
    pub verdict: fn(code: i64) -> Verdict,
    /// Codes that say no more than that the token is over.
    pub is_stale: fn(code: i64) -> bool,
}

/// Sends through applications of one vendor.
pub struct Application {
    http: HttpClient,
    dialect: &'static Dialect,
    tokens: Mutex<HashMap<Key, Token>>,
    people: Mutex<HashMap<(Key, String), (String, Instant)>>,
}

/// Address, user and secret, none of which can be read from it.
type Key = [u8; 32];

struct Token {
    value: SecretString,
    until: Instant,
}

/// Why a call brought nothing.
enum Refusal {
    /// The token is over; what it means when a new one is refused, too.
    Stale(Outcome),
    Final(Outcome),
}

impl Application {
    pub(super) fn new(http: HttpClient, dialect: &'static Dialect) -> Self {
        Self {
            http,
            dialect,
            tokens: Mutex::default(),
            people: Mutex::default(),
        }
    }

    async fn attempt(&self, endpoint: &Endpoint, message: &Rendered) -> Outcome {
        if message.to.mobile.is_empty() {
            return Outcome::no_address("mobile number");
        }
        // All calls together take no longer than one may: a reservation counts on it.
        let whole = self.http.timeouts().whole;
        match tokio::time::timeout(whole, self.send_once_or_twice(endpoint, message)).await {
            Ok(Ok(outcome) | Err(outcome)) => outcome,
            Err(_elapsed) => Outcome::unanswered(&Error::Timeout),
        }
    }

    /// Sends, and again with a new token when the one at hand is over.
    async fn send_once_or_twice(&self, endpoint: &Endpoint, message: &Rendered) -> Result<Outcome, Outcome> {
        let key = key(endpoint);
        let token = self.token(endpoint, key).await?;
        match self.send_with(endpoint, key, &token, message).await {
            Err(Refusal::Stale(_)) => {}
            Err(Refusal::Final(outcome)) => return Err(outcome),
            Ok(outcome) => return Ok(outcome),
        }
        self.tokens.lock().remove(&key);
        let token = self.token(endpoint, key).await?;
        match self.send_with(endpoint, key, &token, message).await {
            Err(Refusal::Stale(outcome) | Refusal::Final(outcome)) => Err(outcome),
            Ok(outcome) => Ok(outcome),
        }
    }

    async fn token(&self, endpoint: &Endpoint, key: Key) -> Result<SecretString, Outcome> {
        if let Some(token) = self.tokens.lock().get(&key)
            && token.until > Instant::now()
        {
            return Ok(token.value.clone());
        }
        let secret = endpoint.secret.as_ref().map_or("", |secret| secret.expose_secret());
        let path = (self.dialect.token_path)(&endpoint.account.user, secret);
        let start = Instant::now();
        let answer = self.http.get(&address(endpoint, &path)).await;
        let answer = answer.map_err(|error| Outcome::unanswered(&error))?;
        let found = match self.read(&answer, start) {
            Ok(found) => found,
            Err(Refusal::Stale(outcome) | Refusal::Final(outcome)) => return Err(outcome),
        };
        let Some(value) = found["access_token"].as_str().filter(|token| !token.is_empty()) else {
            return Err(malformed());
        };
        let seconds = Duration::from_secs(found["expires_in"].as_u64().unwrap_or(0));
        let token = Token {
            value: value.into(),
            until: start + seconds.saturating_sub(TOKEN_MARGIN),
        };
        let value = token.value.clone();
        let mut tokens = self.tokens.lock();
        tokens.retain(|_, token| token.until > start);
        tokens.insert(key, token);
        Ok(value)
    }

    async fn send_with(
        &self,
        endpoint: &Endpoint,
        key: Key,
        token: &SecretString,
        message: &Rendered,
    ) -> Result<Outcome, Refusal> {
        let agent: i64 = endpoint.account.sender.parse().map_err(|_no_number| {
            Refusal::Final(Outcome::GiveUp {
                provider_code: "address".into(),
                reason: "the agent is no number".into(),
                fault: Fault::Endpoint,
            })
        })?;
        let person = self.person(endpoint, key, token, &message.to.mobile).await?;
        let body = (self.dialect.body)(agent, &person, message);
        let start = Instant::now();
        let answer = self.post(endpoint, token, self.dialect.send_path, &body).await?;
        let said = match self.read(&answer, start) {
            Ok(said) => said,
            Err(refusal) => {
                if matches!(
                    refusal,
                    Refusal::Final(Outcome::GiveUp {
                        fault: Fault::Address,
                        ..
                    })
                ) {
                    self.forget(key, &message.to.mobile);
                }
                return Err(refusal);
            }
        };
        // Yes to the call, no to the person.
        let invalid = said["invaliduser"].as_str().unwrap_or_default();
        if invalid.split('|').any(|invalid| invalid.eq_ignore_ascii_case(&person)) {
            self.forget(key, &message.to.mobile);
            return Err(Refusal::Final(Outcome::GiveUp {
                provider_code: "invaliduser".into(),
                reason: "the provider does not tell this person".into(),
                fault: Fault::Address,
            }));
        }
        Ok(Outcome::Delivered {
            provider_code: "0".into(),
            latency: start.elapsed(),
        })
    }

    /// Finds a person's id by their mobile number.
    async fn person(
        &self,
        endpoint: &Endpoint,
        key: Key,
        token: &SecretString,
        mobile: &str,
    ) -> Result<String, Refusal> {
        let place = (key, mobile.to_owned());
        if let Some((person, since)) = self.people.lock().get(&place)
            && since.elapsed() < PERSON_KEPT
        {
            return Ok(person.clone());
        }
        let start = Instant::now();
        let answer = self
            .post(endpoint, token, self.dialect.person_path, &json!({ "mobile": mobile }))
            .await?;
        let found = self.read(&answer, start)?;
        let person = found.pointer(self.dialect.person_at).and_then(Value::as_str);
        let person = person.filter(|person| !person.is_empty());
        let person = person.ok_or_else(|| Refusal::Final(malformed()))?.to_owned();
        let mut people = self.people.lock();
        if people.len() >= MAX_PEOPLE {
            people.clear();
        }
        people.insert(place, (person.clone(), start));
        Ok(person)
    }

    fn forget(&self, key: Key, mobile: &str) {
        self.people.lock().remove(&(key, mobile.to_owned()));
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        token: &SecretString,
        path: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        let path = format!("{path}?access_token={}", encode(token.expose_secret()));
        let body = body.to_string().into_bytes();
        let answer = self
            .http
            .post_json(&address(endpoint, &path), HeaderMap::new(), body)
            .await;
        answer.map_err(|error| Refusal::Final(Outcome::unanswered(&error)))
    }

    /// Returns an answer that says yes.
    fn read(&self, answer: &Answer, start: Instant) -> Result<Value, Refusal> {
        let said: Value = business(answer).map_err(Refusal::Final)?;
        let Some(code) = code(&said) else {
            return Err(Refusal::Final(malformed()));
        };
        let verdict = (self.dialect.verdict)(code);
        if verdict == Verdict::Delivered {
            return Ok(said);
        }
        let text = said["errmsg"].as_str().unwrap_or_default();
        let outcome = conclude(code.to_string(), text, verdict, answer.retry_after, start.elapsed());
        Err(if (self.dialect.is_stale)(code) {
            Refusal::Stale(outcome)
        } else {
            Refusal::Final(outcome)
        })
    }
}

impl Channel for Application {
    fn send<'a>(&'a self, endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome> {
        Box::pin(self.attempt(endpoint, message))
    }
}

/// Returns the business code; `DingTalk`'s 88 only says that there is a better one beside it.
fn code(said: &Value) -> Option<i64> {
    let code = said["errcode"].as_i64()?;
    let detail = match &said["sub_code"] {
        Value::String(text) => text.parse().ok(),
        number => number.as_i64(),
    };
    Some(if code == 88 { detail.unwrap_or(code) } else { code })
}

fn malformed() -> Outcome {
    Outcome::RetryLater {
        provider_code: "malformed".into(),
        reason: "the answer is not the provider's JSON".into(),
        after: None,
    }
}

fn address(endpoint: &Endpoint, path: &str) -> String {
    format!("{}{path}", endpoint.address.expose_secret().trim_end_matches('/'))
}

fn key(endpoint: &Endpoint) -> Key {
    let mut hash = Sha256::new();
    let secret = endpoint.secret.as_ref().map_or("", |secret| secret.expose_secret());
    for part in [endpoint.address.expose_secret(), &endpoint.account.user, secret] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Finds the meaning of a code in a table. A code nobody documented is tried again: the provider did refuse, so nothing is
/// sent twice, and a caller's attempts are bounded.
pub(super) fn find(codes: &[(i64, Verdict)], code: i64) -> Verdict {
    codes
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(Verdict::Retry, |(_, verdict)| *verdict)
}
