//! One attempt: the event's body, its signatures, the exchange, and what the answer means.

use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use reflex_runtime::clock::SharedClock;
use reflex_sealing::{Place, SealError, Sealer};
use reflex_signatures::standard_webhooks::{ID_HEADER, Keys, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use reflex_tenancy::TenantId;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::line::Job;
use crate::{
    app::subscriptions::catalogue::catalogue,
    channels::http::{Answer, Error, HttpClient},
    domain::subscription::Outcome,
    store::dispatching::{Due, Key, Sealed},
};

/// Address and keys of a subscription, opened.
pub struct Keychain {
    address: SecretString,
    keys: Keys,
    /// The former key, and until when it signs besides.
    former: Option<(Keys, Timestamp)>,
    personal_data: bool,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What follows from it.
    pub outcome: Outcome,
    /// HTTP status; 0 without an answer.
    pub status: i32,
    /// What went wrong.
    pub detail: String,
    /// How long it took.
    pub latency: SignedDuration,
}

/// What is wrong with the address or a secret of a subscription.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is no key.
    #[error("its secret is no key that signs")]
    Key,
}

/// Where a secret of a subscription is sealed to.
pub(in crate::app::subscriptions) fn place<'a>(tenant: &'a TenantId, name: &'a str, part: &'static str) -> Place<'a> {
    Place {
        tenant,
        resource: name,
        part,
    }
}

impl Keychain {
    /// Opens what is needed to send to a subscription.
    ///
    /// # Errors
    /// When it was sealed with another key, or is no key.
    pub fn open(sealer: &Sealer, (tenant, name): &Key, stored: &Sealed) -> Result<Self, Unusable> {
        let keys = |bytes: &[u8]| -> Result<Keys, Unusable> {
            let secret = sealer.open(place(tenant, name, "secret"), bytes)?;
            Keys::parse(secret.expose_secret()).ok_or(Unusable::Key)
        };
        let former = match &stored.former {
            Some((bytes, until)) => Some((keys(bytes)?, *until)),
            None => None,
        };
        Ok(Self {
            address: sealer.open(place(tenant, name, "endpoint"), &stored.endpoint)?,
            keys: keys(&stored.secret)?,
            former,
            personal_data: stored.personal_data,
        })
    }

    /// Posts a signed body.
    pub(in crate::app::subscriptions) async fn post(
        &self,
        http: &HttpClient,
        now: Timestamp,
        id: Uuid,
        body: Vec<u8>,
    ) -> Verdict {
        let headers = self.headers(now, id, &body);
        let started = Instant::now();
        let answered = http.post_json(self.address.expose_secret(), headers, body).await;
        judge(&answered, started.elapsed())
    }

    fn headers(&self, now: Timestamp, id: Uuid, body: &[u8]) -> HeaderMap {
        let id = id.to_string();
        let mut signatures = self.keys.sign(&id, now.as_second(), body);
        if let Some((former, _)) = self.former.as_ref().filter(|(_, until)| now < *until) {
            signatures = format!("{signatures} {}", former.sign(&id, now.as_second(), body));
        }
        let value = |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are ASCII");
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ID_HEADER, value(&id));
        headers.insert(TIMESTAMP_HEADER, HeaderValue::from(now.as_second()));
        headers.insert(SIGNATURE_HEADER, value(&signatures));
        headers
    }
}

/// Makes an attempt.
pub(super) async fn send(http: &HttpClient, clock: &SharedClock, job: &Job) -> Verdict {
    let Some(body) = event_body(&job.key.0, &job.due, job.keychain.personal_data) else {
        return Verdict {
            outcome: Outcome::RetryLater(None),
            status: 0,
            detail: "this release does not know the event".to_owned(),
            latency: SignedDuration::ZERO,
        };
    };
    job.keychain.post(http, clock.now(), job.due.event, body).await
}

fn event_body(tenant: &TenantId, due: &Due, personal: bool) -> Option<Vec<u8>> {
    let entry = catalogue().of_kind(&due.kind)?;
    let data = entry.data(&due.data, personal)?;
    Some(body(tenant, &entry.name, (due.event, due.time), &due.subject, &data))
}

/// Writes the body of an event.
pub(in crate::app::subscriptions) fn body(
    tenant: &TenantId,
    event_type: &str,
    (id, time): (Uuid, Timestamp),
    subject: &str,
    data: &Map<String, Json>,
) -> Vec<u8> {
    let body = json!({
        "type": event_type,
        "timestamp": time.to_string(),
        "id": id.to_string(),
        "tenant": tenant.as_str(),
        "subject": subject,
        "data": data,
    });
    body.to_string().into_bytes()
}

fn judge(answered: &Result<Answer, Error>, latency: Duration) -> Verdict {
    let (outcome, status, detail) = match answered {
        Ok(answer) => {
            let (outcome, detail) = judge_status(answer.status, answer.retry_after);
            (outcome, answer.status.as_u16().into(), detail)
        }
        // It has said yes, and then said on.
        Err(Error::AnswerTooLong(status)) => {
            let (outcome, detail) = judge_status(*status, None);
            (outcome, status.as_u16().into(), detail)
        }
        Err(error) => (Outcome::RetryLater(None), 0, error.to_string()),
    };
    Verdict {
        outcome,
        status,
        detail,
        latency: SignedDuration::try_from(latency).unwrap_or_default(),
    }
}

fn judge_status(status: StatusCode, retry_after: Option<Duration>) -> (Outcome, String) {
    let asked = retry_after.and_then(|asked| SignedDuration::try_from(asked).ok());
    if status.is_success() {
        (Outcome::Delivered, String::new())
    } else if status == StatusCode::GONE {
        (Outcome::Gone, "the endpoint is gone".to_owned())
    } else if status.is_redirection() {
        (Outcome::RetryLater(asked), "redirects are not followed".to_owned())
    } else {
        (Outcome::RetryLater(asked), format!("the endpoint answered {status}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_their_consequences() {
        let asked = Some(SignedDuration::from_secs(7));
        for (status, outcome) in [
            (200, Outcome::Delivered),
            (204, Outcome::Delivered),
            (302, Outcome::RetryLater(asked)),
            (400, Outcome::RetryLater(asked)),
            (410, Outcome::Gone),
            (429, Outcome::RetryLater(asked)),
            (503, Outcome::RetryLater(asked)),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                judge_status(status, Some(Duration::from_secs(7))).0,
                outcome,
                "{status}"
            );
        }
    }
}
