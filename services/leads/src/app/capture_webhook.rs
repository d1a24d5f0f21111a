//! A signed body becomes a lead.
//!
//! Whoever has no secret learns nothing by the time an answer takes: a source that does not exist is checked against a key of
//! nobody's.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use reflex_proto::leads::v1::{CaptureWebhookRequest, CaptureWebhookResponse};
use reflex_rpc::{identity::Caller, status};
use reflex_signatures::standard_webhooks::{Headers, Keys};
use reflex_tenancy::{TenantId, TenantSet};
use secrecy::ExposeSecret as _;

use super::{App, put_webhook_source::place};
use crate::{
    domain::{
        ids::{LeadId, WebhookSourceId},
        webhook::WebhookSource,
    },
    error::Error,
    store::{leads::number_text, webhook_sources},
};

/// Nobody's key: what it signs is believed nowhere.
const NOBODYS: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const WINDOW: Duration = Duration::from_mins(1);

impl App {
    /// Stores the lead of a signed body, once for each external id.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unsigned`], [`Error::Violations`], [`Error::Refused`] above the source's limit, and those
    /// of a capture.
    pub(crate) async fn capture_webhook(
        &self,
        caller: &Caller,
        request: CaptureWebhookRequest,
    ) -> Result<CaptureWebhookResponse, Error> {
        let tenant = &caller.tenant;
        let known = self.find_source(tenant, &request.name).await?;
        let nobodys = || Keys::parse(NOBODYS).expect("a constant of the right shape");
        let headers = Headers {
            id: &request.webhook_id,
            timestamp: &request.webhook_timestamp,
            signature: &request.webhook_signature,
        };
        let now = self.clock.now();
        let keys = known.as_ref().map(|(_, keys)| keys);
        let verified = keys
            .unwrap_or(&nobodys())
            .verify(headers, &request.body, now.as_second());
        let Some((source, _)) = &known else {
            return Err(Error::NotFound(request.name));
        };
        verified.map_err(Error::Unsigned)?;
        self.webhook_posts
            .count(tenant, source, now)
            .map_err(|wait| Error::Refused(Box::new(status::overloaded(wait))))?;
        let lead = source.read(&request.webhook_id, &request.body)?;
        let captured = self.capture_lead(tenant.clone(), lead, None).await?;
        Ok(CaptureWebhookResponse {
            name: LeadId(captured.lead_id).to_string(),
            number: number_text(captured.number),
        })
    }

    /// Finds a source that takes bodies, with the keys they are signed with.
    async fn find_source(&self, tenant: &TenantId, name: &str) -> Result<Option<(WebhookSource, Keys)>, Error> {
        let Ok(id) = name.parse::<WebhookSourceId>() else {
            return Ok(None);
        };
        let mut tx = self.db.begin("capture_webhook", &TenantSet::one(tenant)).await?;
        let stored = webhook_sources::find(&mut tx, tenant, &id).await?;
        drop(tx);
        let Some(stored) = stored.filter(|stored| stored.source.enabled) else {
            return Ok(None);
        };
        let Some(sealer) = &self.sealer else {
            tracing::error!(%tenant, name, "the sealing_key is gone that the secrets of webhook sources are kept with");
            return Err(Error::Refused(Box::new(status::unavailable(WINDOW))));
        };
        let opened = sealer.open(place(tenant, name), &stored.secret);
        let secret = opened.map_err(|error| Error::Refused(Box::new(status::internal(&error))))?;
        let keys = Keys::parse(secret.expose_secret()).expect("checked before it was sealed");
        Ok(Some((stored.source, keys)))
    }
}

/// Counts the signed bodies of each source, minute by minute.
#[derive(Debug, Default)]
pub(crate) struct WebhookPosts(Mutex<HashMap<(TenantId, WebhookSourceId), (Timestamp, i32)>>);

impl WebhookPosts {
    /// Counts a body, or tells how long until there is room for one. Only sources with a right signature are counted, so
    /// nobody else fills the memory, nor a source's limit.
    fn count(&self, tenant: &TenantId, source: &WebhookSource, now: Timestamp) -> Result<(), Duration> {
        let mut minutes = self.0.lock();
        let (began, posts) = minutes.entry((tenant.clone(), source.id.clone())).or_insert((now, 0));
        let passed = Duration::try_from(now.duration_since(*began));
        // A clock that was set back begins a minute anew.
        let left = passed
            .ok()
            .and_then(|passed| WINDOW.checked_sub(passed))
            .unwrap_or_default();
        if left.is_zero() {
            (*began, *posts) = (now, 0);
        }
        if *posts >= source.posts_per_minute {
            return Err(left);
        }
        *posts += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::webhook::RawWebhookSource;

    #[test]
    fn a_minute_has_as_many_posts_as_the_source_allows() {
        let raw = RawWebhookSource {
            name: "webhookSources/baidu".into(),
            source: "百度推广".into(),
            mapping: r#"{"version": 1, "fields": {"phone": "/tel"}}"#.into(),
            posts_per_minute: 2,
            ..RawWebhookSource::default()
        };
        let source = WebhookSource::parse(&raw).unwrap();
        let (huadong, huabei): (TenantId, TenantId) = ("huadong".parse().unwrap(), "huabei".parse().unwrap());
        let posts = WebhookPosts::default();
        let begin: Timestamp = "2026-03-05T10:00:00Z".parse().unwrap();
        let at = |seconds| begin + SignedDuration::from_secs(seconds);
        assert_eq!(posts.count(&huadong, &source, at(0)), Ok(()));
        assert_eq!(posts.count(&huadong, &source, at(20)), Ok(()));
        assert_eq!(posts.count(&huadong, &source, at(50)), Err(Duration::from_secs(10)));
        assert_eq!(posts.count(&huabei, &source, at(50)), Ok(()), "tenants are apart");
        assert_eq!(posts.count(&huadong, &source, at(60)), Ok(()));
        assert_eq!(posts.count(&huadong, &source, at(-3600)), Ok(()), "a clock set back");
    }
}
