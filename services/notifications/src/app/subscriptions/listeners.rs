//! Who listens to what, in memory: whether an event concerns a subscription must not cost the database a question.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use parking_lot::RwLock;
use reflex_expr::{Context, Error as FilterError, Facts, Predicate, Schema, Value};
use reflex_pg::{Database, DbError};
use reflex_runtime::clock::SharedClock;
use reflex_tenancy::TenantId;
use serde_json::{Map, Value as Json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::catalogue::{Entry, catalogue};
use crate::store::subscriptions::{self, Wish};

/// How long what another replica changed may go unnoticed. This replica's own changes are noticed at once.
const FRESH: Duration = Duration::from_secs(1);

/// One subscription, as far as it decides about events.
#[derive(Debug)]
pub struct Listener {
    /// "subscriptions/{subscription}".
    pub name: String,
    wish: Wish,
    types: HashSet<String>,
    filter: Option<Filter>,
}

/// A condition over events.
#[derive(Debug)]
pub struct Filter {
    schema: Schema,
    predicate: Predicate,
}

/// What is known of an event.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// What it is called.
    pub event_type: &'a str,
    /// What it is about.
    pub subject: &'a str,
    /// What it says, unmasked.
    pub data: &'a Map<String, Json>,
}

impl Filter {
    /// Reads a filter over events of these types.
    ///
    /// # Errors
    /// What is wrong with it, with the nearest name for one that is unknown.
    pub fn compile(source: &str, types: &[String], personal: bool) -> Result<Self, FilterError> {
        let schema = catalogue().schema(types, personal);
        let predicate = Predicate::compile(source, &schema)?;
        Ok(Self { schema, predicate })
    }

    /// Tells whether an event passes. One for which it cannot be computed does: better one too many than one lost.
    #[must_use]
    pub fn passes(&self, said: Said<'_>, context: &Context) -> bool {
        let mut facts = Facts::new(&self.schema);
        for slot in self.predicate.fields() {
            let Some(field) = self.schema.field(*slot) else {
                continue;
            };
            let value = match (said.data.get(&field.name), field.name.as_str()) {
                (Some(json), _) => Value::from_json(json, field.kind).unwrap_or(Value::Blank),
                (None, "type") => said.event_type.into(),
                (None, "subject") => said.subject.into(),
                (None, _) => Value::Blank,
            };
            // What is too large to be compared is not known.
            let _too_large = facts.set_slot(*slot, value);
        }
        self.predicate.holds(&facts, context).unwrap_or(true)
    }
}

impl Listener {
    /// Reads what a subscription wants.
    #[must_use]
    pub fn new(name: String, wish: Wish) -> Self {
        let filter = (!wish.filter.is_empty())
            .then(|| Filter::compile(&wish.filter, &wish.event_types, wish.personal_data))
            .and_then(|compiled| {
                // Checked when it was put, but perhaps by a release that knew more fields.
                let said = compiled.inspect_err(|error| {
                    let why = error.text(reflex_expr::Lang::En);
                    warn!(subscription = name, why, "a filter is unusable, everything passes");
                });
                said.ok()
            });
        let types = wish.event_types.iter().cloned().collect();
        Self {
            name,
            wish,
            types,
            filter,
        }
    }

    /// Tells whether it wants events of this name.
    #[must_use]
    pub fn wants(&self, event_type: &str) -> bool {
        self.types.is_empty() || self.types.contains(event_type)
    }

    /// Tells whether it wants this event.
    #[must_use]
    pub fn hears(&self, said: Said<'_>, context: &Context) -> bool {
        self.wants(said.event_type) && self.filter.as_ref().is_none_or(|filter| filter.passes(said, context))
    }

    /// Tells whether it has a filter, so that what an event says must be read.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.filter.is_some()
    }
}

/// The subscriptions of a tenant.
pub type OfTenant = Arc<Vec<Arc<Listener>>>;

/// All subscriptions of all tenants.
pub struct Listeners {
    database: Database,
    clock: SharedClock,
    zone: TimeZone,
    kept: RwLock<HashMap<TenantId, OfTenant>>,
}

impl Listeners {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(database: Database, clock: SharedClock, zone: TimeZone) -> Self {
        Self {
            database,
            clock,
            zone,
            kept: RwLock::default(),
        }
    }

    /// Returns the subscriptions of a tenant; none for the many that have none.
    #[must_use]
    pub fn of(&self, tenant: &TenantId) -> Option<OfTenant> {
        self.kept.read().get(tenant).cloned()
    }

    /// Returns how an event is called that somebody of the tenant wants.
    #[must_use]
    pub fn wanted(&self, tenant: &TenantId, kind: &str) -> Option<&'static Entry> {
        let kept = self.kept.read();
        let listeners = kept.get(tenant)?;
        let entry = catalogue().of_kind(kind)?;
        listeners
            .iter()
            .any(|listener| listener.wants(&entry.name))
            .then_some(entry)
    }

    /// Returns when and where filters are computed.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new(self.now(), self.zone.clone())
    }

    /// Returns the present time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads all subscriptions again; those that did not change are kept with their compiled filters.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refresh(&self) -> Result<(), DbError> {
        let wishes = subscriptions::wishes(&self.database.worker).await?;
        let before = self.kept.read().clone();
        let mut found: HashMap<TenantId, Vec<Arc<Listener>>> = HashMap::new();
        for (tenant, name, wish) in wishes {
            let known = before
                .get(&tenant)
                .and_then(|of| of.iter().find(|listener| listener.name == name));
            let listener = match known {
                Some(known) if known.wish == wish => Arc::clone(known),
                _ => Arc::new(Listener::new(name, wish)),
            };
            found.entry(tenant).or_default().push(listener);
        }
        let found = found
            .into_iter()
            .map(|(tenant, listeners)| (tenant, Arc::new(listeners)));
        *self.kept.write() = found.collect();
        Ok(())
    }

    /// Keeps up with what other replicas change, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.refresh().await {
                warn!(%error, "subscriptions could not be read, will try again");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(FRESH) => {}
            }
        }
    }
}
