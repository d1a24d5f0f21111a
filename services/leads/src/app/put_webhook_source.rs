//! Creating, changing and listing sources of signed bodies.

use reflex_proto::leads::v1::{
    ListWebhookSourcesRequest, ListWebhookSourcesResponse, PutWebhookSourceRequest, PutWebhookSourceResponse,
    WebhookSource as WebhookSourceMessage,
};
use reflex_rpc::identity::Caller;
use reflex_sealing::{Place, Sealer};
use reflex_signatures::standard_webhooks::Keys;
use reflex_tenancy::{TenantId, TenantSet};

use super::{App, change_setup::Begun, paging::Page};
use crate::{
    convert,
    domain::webhook::{RawWebhookSource, WebhookSource},
    error::Error,
    store::webhook_sources::{self, Stored},
};

/// Mappings are long: a page holds 50 of 64 KiB in less than the largest message.
const LARGEST_PAGE: i32 = 50;

impl App {
    /// Creates or changes a source; without a secret it keeps the one it has.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::WrongState`] without a key to seal the secret with.
    pub(crate) async fn put_webhook_source(
        &self,
        caller: &Caller,
        request: &PutWebhookSourceRequest,
    ) -> Result<PutWebhookSourceResponse, Error> {
        let message = request.source.as_ref();
        let message = message.ok_or_else(|| Error::invalid("source", "must be given"))?;
        let source = WebhookSource::parse(&raw(message))?;
        let sealer = self.sealer()?;
        let mut change = match self
            .begin_change("put_webhook_source", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let present = webhook_sources::find(&mut change.tx, &change.tenant, &source.id).await?;
        let stored = match present {
            Some(present) if message.secret.is_empty() && present.source == source => present,
            earlier => {
                let kept = earlier.map(|earlier| earlier.secret);
                let stored = Stored {
                    secret: secret(sealer, &change.tenant, &source, &message.secret, kept)?,
                    update_time: self.clock.now(),
                    source,
                };
                webhook_sources::put(&mut change.tx, &change.tenant, &stored).await?;
                stored
            }
        };
        let response = PutWebhookSourceResponse {
            source: Some(shown(&stored)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Lists sources by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_webhook_sources(
        &self,
        caller: &Caller,
        request: &ListWebhookSourcesRequest,
    ) -> Result<ListWebhookSourcesResponse, Error> {
        let query = ("webhook_sources", caller.tenant.as_str());
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self
            .db
            .begin("list_webhook_sources", &TenantSet::one(&caller.tenant))
            .await?;
        let mut sources = webhook_sources::list(&mut tx, &caller.tenant, page.after.as_deref(), page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut sources, |stored| stored.source.id.id().to_owned());
        Ok(ListWebhookSourcesResponse {
            sources: sources.iter().map(shown).collect(),
            next_page_token,
        })
    }

    /// Returns what seals secrets.
    pub(super) fn sealer(&self) -> Result<&Sealer, Error> {
        let missing = || Error::WrongState("the service has no sealing_key to keep secrets with".into());
        self.sealer.as_ref().ok_or_else(missing)
    }
}

/// Returns the place of a source's secret, which it opens in only.
pub(super) fn place<'a>(tenant: &'a TenantId, name: &'a str) -> Place<'a> {
    Place {
        tenant,
        resource: name,
        part: "secret",
    }
}

fn secret(
    sealer: &Sealer,
    tenant: &TenantId,
    source: &WebhookSource,
    given: &str,
    kept: Option<Vec<u8>>,
) -> Result<Vec<u8>, Error> {
    if let (Some(kept), true) = (kept, given.is_empty()) {
        return Ok(kept);
    }
    if Keys::parse(given).is_none() {
        return Err(Error::invalid(
            "source.secret",
            "must be whsec_ and the base64 of 24 to 64 bytes, whpk_ and the base64 of the sender's Ed25519 key, or two of \
             these with a space between them",
        ));
    }
    let name = source.id.to_string();
    let result = sealer.seal(place(tenant, &name), given);
    result.map_err(|error| Error::Refused(Box::new(reflex_rpc::status::internal(&error))))
}

fn raw(message: &WebhookSourceMessage) -> RawWebhookSource {
    RawWebhookSource {
        name: message.name.clone(),
        source: message.source.clone(),
        mapping: message.mapping.clone(),
        default_product: message.default_product.clone(),
        posts_per_minute: message.posts_per_minute,
        enabled: message.enabled,
    }
}

fn shown(stored: &Stored) -> WebhookSourceMessage {
    let source = &stored.source;
    WebhookSourceMessage {
        name: source.id.to_string(),
        source: source.source.clone(),
        secret: String::new(),
        mapping: source.mapping.clone(),
        default_product: source.default_product.clone(),
        posts_per_minute: source.posts_per_minute,
        enabled: source.enabled,
        update_time: Some(convert::timestamp(stored.update_time)),
    }
}
