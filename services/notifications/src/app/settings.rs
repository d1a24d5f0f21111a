//! Words and ways of each tenant, kept for a moment: the path from an event to its message must not ask for them each time.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use reflex_pg::DbError;
use reflex_templates::{Key, Locale, Template, built_in};
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use tracing::warn;

use crate::store::{
    channels::{self, Way},
    templates,
};

/// How long another replica's change may go unnoticed. This replica's own changes are noticed at once.
const FRESH: Duration = Duration::from_secs(2);

/// What decides how the people of a tenant are told.
#[derive(Debug)]
pub struct Settings {
    /// Channels that are used.
    pub ways: Vec<Way>,
    /// The tenant's own words.
    own: HashMap<(Key, Locale), Worded>,
    built_in: Arc<HashMap<(Key, Locale), Worded>>,
}

/// A template that is ready for use.
#[derive(Debug)]
pub struct Worded {
    /// Key and version, for example `lead_assigned@1`.
    pub name: String,
    /// The template.
    pub template: Template,
}

impl Settings {
    /// Returns the words for a kind of message in a language.
    #[must_use]
    pub fn words(&self, key: Key, locale: Locale) -> &Worded {
        self.own
            .get(&(key, locale))
            .unwrap_or_else(|| &self.built_in[&(key, locale)])
    }
}

/// The settings of the tenants that were needed lately.
#[derive(Debug)]
pub struct SettingsCache {
    kept: Mutex<HashMap<TenantId, (Instant, Arc<Settings>)>>,
    built_in: Arc<HashMap<(Key, Locale), Worded>>,
}

impl Default for SettingsCache {
    fn default() -> Self {
        let all = Key::ALL
            .into_iter()
            .flat_map(|key| Locale::ALL.map(|locale| (key, locale)));
        let built_in = all.map(|(key, locale)| {
            let (title, body) = built_in(key, locale);
            let template = Template::parse(key, title, body).expect("a test parses every built-in template");
            let name = format!("{}@0", key.as_str());
            ((key, locale), Worded { name, template })
        });
        Self {
            kept: Mutex::default(),
            built_in: Arc::new(built_in.collect()),
        }
    }
}

impl SettingsCache {
    /// Returns the settings of a tenant that is bound to the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(&self, tx: &mut PgConnection, tenant: &TenantId) -> Result<Arc<Settings>, DbError> {
        if let Some((since, settings)) = self.kept.lock().get(tenant)
            && since.elapsed() < FRESH
        {
            return Ok(Arc::clone(settings));
        }
        let since = Instant::now();
        let settings = Arc::new(self.load(tx, tenant).await?);
        self.kept.lock().insert(tenant.clone(), (since, Arc::clone(&settings)));
        Ok(settings)
    }

    /// Forgets the settings of a tenant, after a change of them was committed.
    pub fn forget(&self, tenant: &TenantId) {
        self.kept.lock().remove(tenant);
    }

    async fn load(&self, tx: &mut PgConnection, tenant: &TenantId) -> Result<Settings, DbError> {
        let ways = channels::ways(tx, tenant).await?;
        let mut own = HashMap::new();
        for stored in templates::active(tx, tenant).await? {
            // Checked when it was published, but perhaps by a release that knew more variables.
            match Template::parse(stored.key, &stored.title, &stored.body) {
                Ok(template) => {
                    let name = format!("{}@{}", stored.key.as_str(), stored.version);
                    own.insert((stored.key, stored.locale), Worded { name, template });
                }
                Err(problems) => {
                    warn!(%tenant, template = stored.key.as_str(), ?problems, "a template is unusable, the built-in one is used");
                }
            }
        }
        Ok(Settings {
            ways,
            own,
            built_in: Arc::clone(&self.built_in),
        })
    }
}
