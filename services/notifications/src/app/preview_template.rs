//! Shows templates: their versions, and how one would read.

use reflex_templates::{Format, Key, Locale, Problem, Template, Words, template::Facts};
use reflex_tenancy::{TenantId, TenantSet};
use uuid::Uuid;

use super::{App, put_template::shipped};
use crate::{
    error::Error,
    store::{
        messages,
        templates::{self, OwnTemplate, Versions},
    },
};

/// What is to be shown.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is for.
    pub key: Key,
    /// Its language.
    pub locale: Locale,
    /// Title and body, of a draft.
    pub draft: Option<(String, String)>,
    /// Version of what is stored; none means the one in use.
    pub version: Option<i32>,
}

/// What is put in.
#[derive(Debug, Clone)]
pub enum Material {
    /// These facts.
    Facts(Facts),
    /// Those of this message.
    Message(Uuid),
}

/// How a template reads.
#[derive(Debug)]
pub struct Preview {
    /// Name and version, of what is stored.
    pub template: String,
    /// Its words with the facts in them, or what keeps it from being published.
    pub words: Result<Words, Vec<Problem>>,
}

impl Preview {
    /// Returns the words in every format.
    #[must_use]
    pub fn renderings(&self) -> Vec<(Format, Words)> {
        let Ok(words) = &self.words else {
            return Vec::new();
        };
        let shown = |format: Format| Words {
            title: format.title(&words.title),
            body: format.body(&words.body),
        };
        Format::ALL.into_iter().map(|format| (format, shown(format))).collect()
    }
}

impl App {
    /// Returns a version of a template, or the one in use.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn get_template(
        &self,
        tenant: &TenantId,
        key: Key,
        locale: Locale,
        version: Option<i32>,
    ) -> Result<OwnTemplate, Error> {
        let up_to = version.unwrap_or(i32::MAX);
        let found = self.list_template_versions(tenant, key, locale, up_to, 1).await?;
        let found = found.into_iter().next();
        let found = found.filter(|found| version.is_none_or(|version| found.version == version));
        found.ok_or_else(|| {
            let version = version.unwrap_or_default();
            Error::NotFound(format!("{}@{version} ({})", key.as_str(), locale.as_str()))
        })
    }

    /// Lists versions of a template, newest first from `up_to`, down to the built-in one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_template_versions(
        &self,
        tenant: &TenantId,
        key: Key,
        locale: Locale,
        up_to: i32,
        limit: usize,
    ) -> Result<Vec<OwnTemplate>, Error> {
        let wanted = Versions {
            key,
            locale,
            up_to,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        let tenants = TenantSet::one(tenant);
        let mut tx = self.database.begin("list_template_versions", &tenants).await?;
        let mut found = templates::versions(&mut tx, tenant, &wanted).await?;
        if found.len() < limit && up_to >= 0 {
            found.push(shipped(key, locale));
        }
        Ok(found)
    }

    /// Shows how a template would read.
    ///
    /// # Errors
    /// When there is no such version, or the message has no facts.
    pub async fn preview_template(
        &self,
        tenant: &TenantId,
        wanted: Wanted,
        material: Material,
    ) -> Result<Preview, Error> {
        let (template, title, body) = if let Some((title, body)) = wanted.draft {
            (String::new(), title, body)
        } else {
            let stored = self
                .get_template(tenant, wanted.key, wanted.locale, wanted.version)
                .await?;
            let name = format!("{}@{}", stored.key.as_str(), stored.version);
            (name, stored.title, stored.body)
        };
        let facts = match material {
            Material::Facts(facts) => facts,
            Material::Message(id) => {
                let mut tx = self.database.begin("preview_template", &TenantSet::one(tenant)).await?;
                let facts = messages::facts(&mut tx, tenant, id).await?;
                facts.ok_or_else(|| Error::NotFound(format!("facts of messages/{id}")))?
            }
        };
        let parsed = Template::parse(wanted.key, &title, &body);
        Ok(Preview {
            template,
            words: parsed.map(|parsed| parsed.fill(wanted.key, &facts)),
        })
    }
}
