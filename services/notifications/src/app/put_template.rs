//! Publishes templates and shows those in use.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reflex_pg::once::{self, Once};
use reflex_proto::notifications::v1::{PutTemplateRequest, PutTemplateResponse};
use reflex_rpc::identity::Caller;
use reflex_templates::{Key, Locale, Part, Template, built_in};
use reflex_tenancy::{TenantId, TenantSet};
use uuid::Uuid;

use super::App;
use crate::{
    api,
    domain::Problem,
    error::Error,
    store::templates::{self, OwnTemplate},
};

/// A template as somebody wants it.
#[derive(Debug, Clone)]
pub struct WantedTemplate {
    /// What it is for.
    pub key: Key,
    /// Its language.
    pub locale: Locale,
    /// With variables.
    pub title: String,
    /// With variables.
    pub body: String,
}

impl App {
    /// Publishes a template as the next version, or returns the present one when nothing differs.
    ///
    /// # Errors
    /// When it uses a variable that is not there, or leaves a required one out.
    pub async fn put_template(
        &self,
        caller: &Caller,
        wanted: WantedTemplate,
        request_id: Option<Uuid>,
        request: &PutTemplateRequest,
    ) -> Result<PutTemplateResponse, Error> {
        const METHOD: &str = "/reflex.notifications.v1.TemplateService/PutTemplate";
        let tenant = &caller.tenant;
        Template::parse(wanted.key, &wanted.title, &wanted.body)
            .map_err(|problems| Error::Invalid(problems.iter().map(violation).collect()))?;
        let now = self.clock.now();
        let mut tx = self.database.begin("put_template", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, METHOD, request_id, request).await? {
            Once::New(claim) => claim,
            Once::Answered(response) => return Ok(response),
        };
        templates::lock(&mut tx, tenant).await?;
        let active = active(templates::active(&mut tx, tenant).await?);
        let present = &active[&(wanted.key, wanted.locale)];
        let template = if present.title == wanted.title && present.body == wanted.body {
            present.clone()
        } else {
            let next = OwnTemplate {
                key: wanted.key,
                locale: wanted.locale,
                version: present.version + 1,
                title: wanted.title,
                body: wanted.body,
                publish_time: now,
                publisher: caller.member.clone().unwrap_or_default(),
            };
            templates::insert(&mut tx, tenant, &next).await?;
            next
        };
        let response = PutTemplateResponse {
            template: Some(api::template(template)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.settings.forget(tenant);
        Ok(response)
    }

    /// Lists the templates in use, by key and locale.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_templates(&self, tenant: &TenantId) -> Result<Vec<OwnTemplate>, Error> {
        let mut tx = self.database.begin("list_templates", &TenantSet::one(tenant)).await?;
        let own = templates::active(&mut tx, tenant).await?;
        let mut all: Vec<OwnTemplate> = active(own).into_values().collect();
        all.sort_by_key(|template| (template.key.as_str(), template.locale.as_str()));
        Ok(all)
    }
}

fn violation(problem: &reflex_templates::Problem) -> Problem {
    Problem::new(field(problem.part), problem.to_string())
}

/// Returns the path of a part of a template in requests.
#[must_use]
pub fn field(part: Part) -> &'static str {
    match part {
        Part::Title => "template.title",
        Part::Body => "template.body",
    }
}

/// Puts a tenant's own templates over the built-in ones.
fn active(own: Vec<OwnTemplate>) -> BTreeMap<(Key, Locale), OwnTemplate> {
    let all = Key::ALL
        .into_iter()
        .flat_map(|key| Locale::ALL.map(|locale| (key, locale)));
    let built_in = all.map(|(key, locale)| shipped(key, locale));
    built_in
        .chain(own)
        .map(|template| ((template.key, template.locale), template))
        .collect()
}

/// Returns the version everybody begins with.
pub(super) fn shipped(key: Key, locale: Locale) -> OwnTemplate {
    let (title, body) = built_in(key, locale);
    OwnTemplate {
        key,
        locale,
        version: 0,
        title: title.to_owned(),
        body: body.to_owned(),
        publish_time: Timestamp::UNIX_EPOCH,
        publisher: String::new(),
    }
}
