//! Bundles: a tenant's calendars, people, products, policies and channels as YAML files.
//!
//! A file holds YAML documents. Each has a `kind` and the fields of that kind's proto message under their JSON names
//! (`display_name` or `displayName`); one of them also says `tenant`, for the whole file. Two things are written
//! differently from the proto: a calendar's `spec` may be written out instead of being text in text, and a channel's own
//! kind is `channel_kind`.

mod document;
mod kind;
mod variables;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use prost_reflect::DynamicMessage;
use reflex_tenancy::TenantId;

pub use kind::{Kind, Owner};
pub use variables::{Variables, parse_variable};

pub(crate) use kind::{resource_field, text};

/// What one tenant should have.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The tenant.
    pub tenant: TenantId,
    /// Everything in it, as written.
    pub resources: Vec<Resource>,
}

/// One document.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// What it is.
    pub kind: Kind,
    /// The resource as it should be.
    pub message: DynamicMessage,
    /// Where it is written, `file:line`.
    pub origin: String,
}

/// Why a bundle cannot be used; the text begins with file and line.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file or folder cannot be read.
    #[error("{}: cannot be read", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A folder has no bundle in it.
    #[error("{}: no .yaml or .yml file", .0.display())]
    Empty(PathBuf),
    /// A document is wrong.
    #[error("{file}:{line}: {problem}")]
    Document {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

impl Bundle {
    /// Reads a file, or every `.yaml` and `.yml` file of a folder in order of name; one bundle for each tenant.
    ///
    /// `tenant` is for files that name none.
    ///
    /// # Errors
    ///
    /// [`BundleError`] for the first thing wrong.
    pub fn load(path: &Path, tenant: Option<&TenantId>, variables: &Variables) -> Result<Vec<Self>, BundleError> {
        let mut bundles: BTreeMap<TenantId, Vec<Resource>> = BTreeMap::new();
        for file in files(path)? {
            let text = fs::read_to_string(&file).map_err(|error| BundleError::File(file.clone(), error))?;
            let bundle = Self::parse(&file.display().to_string(), &text, tenant, variables)?;
            bundles.entry(bundle.tenant).or_default().extend(bundle.resources);
        }
        let bundles: Vec<Self> = bundles
            .into_iter()
            .map(|(tenant, resources)| Self { tenant, resources })
            .collect();
        for bundle in &bundles {
            bundle.refuse_doubles()?;
        }
        Ok(bundles)
    }

    /// Reads the text of one file; `file` is for error messages.
    ///
    /// # Errors
    ///
    /// [`BundleError::Document`] for the first thing wrong.
    pub fn parse(
        file: &str,
        text: &str,
        tenant: Option<&TenantId>,
        variables: &Variables,
    ) -> Result<Self, BundleError> {
        let (named, resources) = read(file, text, variables)?;
        let tenant = named.as_ref().or(tenant).cloned();
        let tenant = tenant.ok_or_else(|| BundleError::Document {
            file: file.to_owned(),
            line: 1,
            problem: "no document says tenant, and none was given".to_owned(),
        })?;
        let bundle = Self { tenant, resources };
        bundle.refuse_doubles()?;
        Ok(bundle)
    }

    fn refuse_doubles(&self) -> Result<(), BundleError> {
        let mut seen: BTreeMap<(Kind, String), &str> = BTreeMap::new();
        for resource in &self.resources {
            let Some(earlier) = seen.insert((resource.kind, resource.label()), &resource.origin) else {
                continue;
            };
            let (file, line) = resource.origin.rsplit_once(':').unwrap_or((&resource.origin, "1"));
            return Err(BundleError::Document {
                file: file.to_owned(),
                line: line.parse().unwrap_or(1),
                problem: format!(
                    "{} {} is given twice; first at {earlier}",
                    resource.kind.name(),
                    resource.label()
                ),
            });
        }
        Ok(())
    }
}

/// Reads the documents of a file, and the tenant if it names one.
pub(crate) fn read(
    file: &str,
    text: &str,
    variables: &Variables,
) -> Result<(Option<TenantId>, Vec<Resource>), BundleError> {
    let wrong = |line, problem| BundleError::Document {
        file: file.to_owned(),
        line,
        problem,
    };
    let text = variables::substitute(text, variables).map_err(|(line, name)| {
        let problem = format!("${{{name}}} has no value; give one with --set {name}=VALUE");
        wrong(line, problem)
    })?;
    let mut named: Option<TenantId> = None;
    let mut resources = Vec::new();
    for (start, text) in documents(&text) {
        let syntax = |error: &serde_norway::Error| {
            let line = error.location().map_or(1, |location| location.line());
            wrong(start + line - 1, without_position(error))
        };
        let Some(head) = document::read_head(text).map_err(|error| syntax(&error))? else {
            continue;
        };
        let first = start + first_line(text);
        if let Some(text) = head.tenant {
            let id: TenantId = text
                .parse()
                .map_err(|error| wrong(first, format!("tenant {text:?}: {error}")))?;
            if let Some(other) = named.as_ref().filter(|other| **other != id) {
                return Err(wrong(first, format!("tenant {id}, but it is {other} so far")));
            }
            named = Some(id);
        }
        let Some(name) = head.kind else {
            if head.fields.is_empty() {
                continue;
            }
            return Err(wrong(first, format!("kind is missing; {}", known_kinds())));
        };
        let kind =
            Kind::named(&name).ok_or_else(|| wrong(first, format!("kind {name:?} is unknown; {}", known_kinds())))?;
        let message = document::read_body(kind, text).map_err(|error| syntax(&error))?;
        let resource = Resource {
            kind,
            message,
            origin: format!("{file}:{first}"),
        };
        resource.check_name().map_err(|problem| wrong(first, problem))?;
        resources.push(resource);
    }
    Ok((named, resources))
}

impl Resource {
    /// Returns what people call it: its resource name, `key/locale` of a template, `member start/end` of a leave.
    #[must_use]
    pub fn label(&self) -> String {
        label(self.kind, &self.message)
    }

    fn check_name(&self) -> Result<(), String> {
        let name = text(&self.message, "name");
        if self.kind == Kind::Leave {
            let rule = "Leave takes no name: it is known by member, start_time and end_time";
            return if name.is_empty() { Ok(()) } else { Err(rule.to_owned()) };
        }
        let Some(collection) = self.kind.collection() else {
            return Ok(());
        };
        let id = name.strip_prefix(collection).and_then(|rest| rest.strip_prefix('/'));
        if id.is_some_and(|id| !id.is_empty() && !id.contains('/')) {
            return Ok(());
        }
        let kind = self.kind.name();
        Err(format!("{kind} name {name:?} must be \"{collection}/\" and an id"))
    }
}

/// Returns what people call a resource of this kind.
pub(crate) fn label(kind: Kind, message: &DynamicMessage) -> String {
    match kind {
        Kind::RoutingPolicy => "routingPolicy".to_owned(),
        Kind::Holidays => {
            let table = text(message, "table");
            let table: serde_json::Value = serde_json::from_str(&table).unwrap_or_default();
            format!("{} {}", table["region"].as_str().unwrap_or_default(), table["years"])
        }
        Kind::Template => format!("{}/{}", text(message, "key"), text(message, "locale")),
        Kind::Leave => {
            let (start, end) = (instant(message, "start_time"), instant(message, "end_time"));
            format!("{} {start}/{end}", text(message, "member"))
        }
        _ => text(message, "name"),
    }
}

fn instant(message: &DynamicMessage, field: &str) -> jiff::Timestamp {
    let value = message.get_field_by_name(field);
    let seconds = value.and_then(|value| value.as_message()?.get_field_by_name("seconds")?.as_i64());
    jiff::Timestamp::from_second(seconds.unwrap_or_default()).unwrap_or_default()
}

fn files(path: &Path) -> Result<Vec<PathBuf>, BundleError> {
    let failed = |error| BundleError::File(path.to_owned(), error);
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            found.push(file);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(BundleError::Empty(path.to_owned()));
    }
    Ok(found)
}

/// Splits at `---`; each document comes with the line (from 1) it starts at.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let end = at;
        at += line.len();
        if line.trim_end() == "---" {
            documents.push((start_line, &text[start..end]));
            (start, start_line) = (at, index + 2);
        }
    }
    documents.push((start_line, &text[start..]));
    documents
}

/// Returns how many lines without content a document starts with.
fn first_line(document: &str) -> usize {
    document.lines().position(is_content).unwrap_or(0)
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

/// Returns the message without `at line 3 column 5`, which counts from the document's start.
fn without_position(error: &serde_norway::Error) -> String {
    let text = error.to_string();
    match (error.location(), text.rfind(" at line ")) {
        (Some(_), Some(at)) => text[..at].to_owned(),
        _ => text,
    }
}

fn known_kinds() -> String {
    let names: Vec<&str> = Kind::all().map(Kind::name).collect();
    format!("it is one of {}", names.join(", "))
}

#[cfg(test)]
mod tests;
