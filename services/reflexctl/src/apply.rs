//! Brings a tenant to what a bundle says: compare, show, put. Applying twice changes nothing the second time.
//!
//! Nothing is ever deleted, as the API has no such calls. Each call carries an id of its own, which its retries repeat; a
//! run that was broken off is simply started again, as it compares anew. (An id made of the content would be wrong: after
//! a change and its undoing the same change would get the first one's answer and do nothing.)

mod diff;
mod order;
mod references;
mod stored;

use std::collections::BTreeSet;
use std::fmt;

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use reflex_runtime::ids::IdSource;
use reflex_tenancy::TenantId;
use tonic::Status;

use crate::bundle::{Bundle, Kind, Resource, resource_field, text};
use crate::connection::Connection;
use crate::failure;

pub use diff::FieldChange;
pub(crate) use diff::json;
use references::references;
pub(crate) use stored::Stored;

/// What has to be done for a bundle.
#[derive(Debug)]
pub struct Plan {
    /// The tenant.
    pub tenant: TenantId,
    /// Every resource of the bundle and what becomes of it.
    pub items: Vec<Item>,
    /// What only the server has, of the kinds in the bundle; it stays as it is.
    pub only_stored: Vec<(Kind, String)>,
    /// Teams and members that exist, so that others can name them at once.
    existing: BTreeSet<String>,
}

/// A resource and what becomes of it.
#[derive(Debug)]
pub struct Item {
    /// The resource as it should be.
    pub resource: Resource,
    /// What becomes of it.
    pub change: Change,
}

/// What becomes of a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is new.
    Create,
    /// It is stored and differs.
    Update(Vec<FieldChange>),
    /// The server cannot be asked what it has (holidays, secrets), so it is sent; a repeat is harmless.
    Send,
    /// It is stored as it should be.
    Nothing,
}

/// How to plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanOptions {
    /// Whether to send resources with a write-only field (a channel's secret) although nothing else differs.
    pub send_secrets: bool,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Resources that were new.
    pub created: usize,
    /// Resources that differed.
    pub updated: usize,
    /// Resources that were sent without comparing.
    pub sent: usize,
    /// Resources that were as they should be.
    pub unchanged: usize,
    /// What the server told beside it, for example that due times were computed anew.
    pub remarks: Vec<String>,
}

/// Why a bundle cannot be planned or applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Something is named that is neither in the bundle nor stored.
    #[error("{origin}: {field} names {name:?}, which is neither in the bundle nor on the server")]
    Unknown {
        /// Where the resource is written.
        origin: String,
        /// The field.
        field: String,
        /// The name.
        name: String,
    },
    /// What is stored cannot be read.
    #[error("what the server has cannot be read: {}", failure::sentence(.0))]
    Read(Box<Status>),
    /// The server refused a resource; those before it are applied.
    #[error("{origin}: {label} was refused after {done} calls: {}", failure::sentence(.status))]
    Refused {
        /// Where the resource is written.
        origin: String,
        /// The resource.
        label: String,
        /// Calls that were made before.
        done: usize,
        /// The answer.
        status: Box<Status>,
    },
}

/// Compares a bundle with what the server has.
///
/// # Errors
///
/// [`ApplyError::Read`] and [`ApplyError::Unknown`].
pub async fn plan(connection: &Connection, bundle: &Bundle, options: PlanOptions) -> Result<Plan, ApplyError> {
    let connection = connection.of_tenant(&bundle.tenant);
    let written: BTreeSet<Kind> = bundle.resources.iter().map(|resource| resource.kind).collect();
    let named = bundle
        .resources
        .iter()
        .flat_map(references)
        .map(|reference| reference.kind);
    let kinds: BTreeSet<Kind> = written.iter().copied().chain(named).collect();
    let stored = Stored::read(&connection, &kinds)
        .await
        .map_err(|status| ApplyError::Read(Box::new(status)))?;
    check_references(bundle, &stored)?;

    let items = bundle.resources.iter().map(|resource| {
        let change = change(resource, &stored, options);
        let mut resource = resource.clone();
        // A bundle knows a leave by who and when, the server by the name it gave it.
        if let (Kind::Leave, Change::Update(_), Some(present)) = (resource.kind, &change, stored.find(&resource)) {
            let name = Value::String(text(present, "name"));
            resource.message.set_field_by_name("name", name);
        }
        Item { resource, change }
    });
    let items = items.collect();
    let is_written = |kind: Kind, name: &str| {
        let same = |resource: &Resource| resource.kind == kind && resource.label() == name;
        bundle.resources.iter().any(same)
    };
    let only_stored = written.iter().flat_map(|&kind| {
        let unwritten = stored.labels(kind).filter(move |name| !is_written(kind, name));
        unwritten.map(move |name| (kind, name.clone()))
    });
    Ok(Plan {
        tenant: bundle.tenant.clone(),
        only_stored: only_stored.collect(),
        existing: [Kind::Team, Kind::Member]
            .into_iter()
            .flat_map(|kind| stored.labels(kind).cloned())
            .collect(),
        items,
    })
}

fn check_references(bundle: &Bundle, stored: &Stored) -> Result<(), ApplyError> {
    let written: BTreeSet<(Kind, String)> = bundle
        .resources
        .iter()
        .map(|resource| (resource.kind, text(&resource.message, "name")))
        .collect();
    for resource in &bundle.resources {
        for reference in references(resource) {
            let is_written = written.contains(&(reference.kind, reference.name.clone()));
            if !is_written && !stored.has(reference.kind, &reference.name) {
                return Err(ApplyError::Unknown {
                    origin: resource.origin.clone(),
                    field: reference.field,
                    name: reference.name,
                });
            }
        }
    }
    Ok(())
}

fn change(resource: &Resource, stored: &Stored, options: PlanOptions) -> Change {
    if resource.kind.read_method().is_none() {
        return Change::Send;
    }
    let Some(present) = stored.find(resource) else {
        return Change::Create;
    };
    let differences = diff::differences(resource.kind, present, &resource.message);
    let has_secret = || {
        let mut fields = resource.kind.write_only_fields().iter();
        fields.any(|field| resource.message.has_field_by_name(field))
    };
    if !differences.is_empty() {
        Change::Update(differences)
    } else if options.send_secrets && has_secret() {
        Change::Send
    } else {
        Change::Nothing
    }
}

impl Plan {
    /// Tells whether nothing has to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Returns how many resources are created, changed or sent.
    #[must_use]
    pub fn count(&self) -> usize {
        let changed = self.items.iter().filter(|item| item.change != Change::Nothing);
        changed.count()
    }

    /// Puts everything that differs, in the order of what refers to what; `progress` hears of each call made.
    ///
    /// # Errors
    ///
    /// [`ApplyError::Refused`] for the first refusal; what was put before stays.
    pub async fn run(
        &self,
        connection: &Connection,
        ids: &dyn IdSource,
        mut progress: impl FnMut(&Resource),
    ) -> Result<Report, ApplyError> {
        let connection = connection.of_tenant(&self.tenant);
        let changed = self.items.iter().enumerate();
        let wanted: Vec<(usize, Kind, &DynamicMessage)> = changed
            .filter(|(_, item)| item.change != Change::Nothing)
            .map(|(at, item)| (at, item.resource.kind, &item.resource.message))
            .collect();
        let mut report = self.counts();
        for (done, step) in order::steps(&wanted, &self.existing).into_iter().enumerate() {
            let resource = &self.items[step.item].resource;
            let remarks = put(&connection, resource.kind, step.message, ids)
                .await
                .map_err(|status| ApplyError::Refused {
                    origin: resource.origin.clone(),
                    label: resource.label(),
                    done,
                    status: Box::new(status),
                })?;
            for remark in remarks {
                report.remarks.push(format!("{}: {remark}", resource.label()));
            }
            progress(resource);
        }
        Ok(report)
    }

    fn counts(&self) -> Report {
        let mut report = Report::default();
        for item in &self.items {
            match item.change {
                Change::Create => report.created += 1,
                Change::Update(_) => report.updated += 1,
                Change::Send => report.sent += 1,
                Change::Nothing => report.unchanged += 1,
            }
        }
        report
    }
}

async fn put(
    connection: &Connection,
    kind: Kind,
    message: DynamicMessage,
    ids: &dyn IdSource,
) -> Result<Vec<String>, Status> {
    let method = kind.put_method();
    // The import of holidays is its own request.
    let mut request = if message.descriptor() == method.input() {
        message
    } else {
        let field = resource_field(&method.input()).expect("tested: a put request holds its resource");
        let mut request = DynamicMessage::new(method.input());
        request.set_field(&field, Value::Message(message));
        request
    };
    request.set_field_by_name("request_id", Value::String(ids.next().to_string()));
    let response = connection.call(kind.owner(), &method, request).await?;
    Ok(stored::remarks(&response))
}

impl fmt::Display for Plan {
    /// Shows what changes, one resource a line and one differing field a line below it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}:", self.tenant)?;
        for Item { resource, change } in &self.items {
            let sign = match change {
                Change::Create => '+',
                Change::Update(_) => '~',
                Change::Send => '>',
                Change::Nothing => continue,
            };
            writeln!(formatter, "  {sign} {:<13} {}", resource.kind.name(), resource.label())?;
            if let Change::Update(fields) = change {
                fields.iter().try_for_each(|field| writeln!(formatter, "{field}"))?;
            }
        }
        let report = self.counts();
        write!(
            formatter,
            "  {} to create, {} to change, {} to send, {} unchanged",
            report.created, report.updated, report.sent, report.unchanged
        )
    }
}
