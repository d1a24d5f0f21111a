//! A tenant's set-up as the bundle that makes it: every kind that `apply` knows, in the order of application and by name,
//! so that two exports differ only where the set-up does.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use prost_reflect::{DynamicMessage, ReflectMessage as _};
use reflex_calendar::CalendarSpec;
use reflex_tenancy::TenantId;
use serde_json::{Map, Value};

use crate::apply::{ApplyError, Stored, json};
use crate::bundle::{Kind, text};
use crate::connection::Connection;

/// Everything of a tenant that can be read.
#[derive(Debug)]
pub struct Export {
    /// The tenant.
    pub tenant: TenantId,
    /// Its resources, as the documents of a bundle have them.
    pub documents: Vec<Document>,
}

/// One resource.
#[derive(Debug)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Its fields, `kind` first.
    pub fields: Vec<(String, Value)>,
    /// What is said above it.
    pub remark: Option<String>,
}

/// Reads the set-up of a tenant.
///
/// # Errors
///
/// [`ApplyError::Read`].
pub async fn export(connection: &Connection, tenant: &TenantId) -> Result<Export, ApplyError> {
    let connection = connection.of_tenant(tenant);
    let kinds: BTreeSet<Kind> = Kind::all().collect();
    let stored = Stored::read(&connection, &kinds)
        .await
        .map_err(|status| ApplyError::Read(Box::new(status)))?;
    let all = kinds
        .iter()
        .flat_map(|&kind| stored.of_kind(kind).map(move |message| (kind, message)));
    let documents = all
        .filter(|(kind, message)| !is_built_in(*kind, message))
        .map(|(kind, message)| Document::new(kind, message));
    Ok(Export {
        tenant: tenant.clone(),
        documents: documents.collect(),
    })
}

/// Tells whether a resource comes with the program: templates nobody has put have no version.
fn is_built_in(kind: Kind, message: &DynamicMessage) -> bool {
    let version = message.get_field_by_name("version");
    kind == Kind::Template && version.is_none_or(|version| version.as_i32() == Some(0))
}

impl Document {
    fn new(kind: Kind, message: &DynamicMessage) -> Self {
        let Value::Object(mut values) = json(message) else {
            unreachable!("a message is an object")
        };
        let hidden = kind.output_only_fields().iter().chain(kind.write_only_fields());
        for field in hidden {
            values.remove(*field);
        }
        let remark = match kind {
            Kind::Leave => {
                values.remove("name");
                None
            }
            Kind::Form => values.remove("write_key").map(|key| {
                let key = key.as_str().unwrap_or_default().to_owned();
                format!("The server keeps its key; a new installation needs it for the pages in use: write_key: {key}")
            }),
            Kind::Channel => Some(channel_remark(message)),
            Kind::Subscription => {
                Some("Its secret is not shown; give it anew where the subscription does not exist yet.".to_owned())
            }
            Kind::WebhookSource => {
                Some("Its secret is not shown; give it anew where the source does not exist yet.".to_owned())
            }
            _ => None,
        };
        let mut fields = vec![("kind".to_owned(), Value::from(kind.name()))];
        for field in message.descriptor().fields() {
            let Some(value) = values.remove(field.name()) else {
                continue;
            };
            fields.push(match (kind, field.name()) {
                (Kind::Channel, "kind") => ("channel_kind".to_owned(), value),
                (Kind::Calendar, "spec") => ("spec".to_owned(), calendar(value)),
                (Kind::WebhookSource, "mapping") => ("mapping".to_owned(), written_out(value)),
                (_, name) => (name.to_owned(), value),
            });
        }
        Self { kind, fields, remark }
    }

    /// Returns the document as an object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.fields.iter().cloned().collect::<Map<_, _>>())
    }

    fn to_yaml(&self) -> Result<String, serde_norway::Error> {
        let fields = self.fields.iter().map(|(name, value)| {
            let name = serde_norway::Value::from(name.as_str());
            Ok((name, serde_norway::to_value(value)?))
        });
        let fields: serde_norway::Mapping = fields.collect::<Result<_, serde_norway::Error>>()?;
        let yaml = serde_norway::to_string(&fields)?;
        if yaml.contains("${") {
            // Where a bundle would take it for a variable, only a quoted text can say otherwise, and JSON has no others.
            let json = format!("{:#}\n", self.to_json());
            return Ok(json.replace("${", "\\u0024{"));
        }
        Ok(yaml)
    }
}

impl Export {
    /// Writes the bundle.
    ///
    /// # Errors
    ///
    /// Never for what a server can send.
    pub fn to_yaml(&self) -> Result<String, serde_norway::Error> {
        let mut text = format!(
            "# The set-up of {}, as `reflexctl export` found it; `reflexctl apply -f` brings a tenant to it.\n\
             # Not in it, as the server does not show them: secrets, the values in addresses of channels (***), and\n\
             # imported holidays.\n\
             tenant: {}\n",
            self.tenant, self.tenant
        );
        for document in &self.documents {
            text += "---\n";
            if let Some(remark) = &document.remark {
                let _ = writeln!(text, "# {remark}");
            }
            text += &document.to_yaml()?;
        }
        Ok(text)
    }
}

/// Says what a channel lacks. A server that has the channel keeps what is left out or starred.
fn channel_remark(message: &DynamicMessage) -> String {
    let secret = "A secret, if it has one, is not shown; give it anew where the channel does not exist yet";
    if text(message, "endpoint").contains("***") {
        format!("{secret}, as the token of the endpoint (***).")
    } else {
        format!("{secret}.")
    }
}

/// Writes a mapping out as bundles may; one that cannot be read stays text.
fn written_out(value: Value) -> Value {
    let document = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    document.filter(Value::is_object).unwrap_or(value)
}

/// Writes a calendar out without what is empty by default, as bundles may; one that cannot be read stays text.
fn calendar(value: Value) -> Value {
    let spec = value.as_str().and_then(|text| CalendarSpec::parse(text).ok());
    let Some(Ok(Value::Object(mut fields))) = spec.map(serde_json::to_value) else {
        return value;
    };
    fields.retain(|name, field| match field {
        Value::Null => false,
        // No days at all is something else than none given.
        Value::Array(items) => !items.is_empty() || name == "days",
        Value::Object(items) => !items.is_empty(),
        _ => true,
    });
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use prost_reflect::Value as Field;

    use super::*;
    use crate::bundle::{Bundle, Variables};

    fn document(kind: &str, fields: &str) -> String {
        let text = format!("tenant: a\nkind: {kind}\n{fields}\n");
        let home = Variables::from([("HOME".to_owned(), "${HOME}".to_owned())]);
        let bundle = Bundle::parse("x", &text, None, &home).expect(&text);
        let resource = &bundle.resources[0];
        let mut message = resource.message.clone();
        for (field, value) in [("open_leads", Field::I32(3)), ("version", Field::I32(7))] {
            let _unknown = message.try_set_field_by_name(field, value);
        }
        let document = Document::new(resource.kind, &message);
        let export = Export {
            tenant: bundle.tenant,
            documents: vec![document],
        };
        let yaml = export.to_yaml().expect("written");
        let again = Bundle::parse("y", &yaml, None, &Variables::new()).expect(&yaml);
        let shown = Document::new(again.resources[0].kind, &again.resources[0].message);
        assert_eq!(shown.fields, export.documents[0].fields, "{yaml}");
        yaml.split_once("---\n").expect("a document").1.to_owned()
    }

    #[test]
    fn documents_are_those_a_bundle_reads() {
        assert_eq!(
            document(
                "Member",
                "name: members/a\nteam: teams/b\nskills: [y, x]\nrole: ROLE_SALES\ncapacity: 5"
            ),
            "kind: Member\nname: members/a\nteam: teams/b\nrole: ROLE_SALES\ncapacity: 5\nskills:\n- y\n- x\n"
        );
        let calendar = "name: calendars/a\nspec: '{\"windows\": [[\"09:00\", \"18:00\"]], \"time_zone\": \"UTC\"}'";
        let calendar = document("Calendar", calendar);
        assert!(calendar.contains("\n  time_zone: UTC\n"), "{calendar}");
        assert!(!calendar.contains("extra_off"), "{calendar}");
        let form = document("Form", "name: forms/a\ntitle: x\nsource: web\nwrite_key: wk_a_0");
        assert!(
            form.starts_with("# The server keeps its key") && form.ends_with("source: web\n"),
            "{form}"
        );
        let channel = document(
            "Channel",
            "name: channels/a\nchannel_kind: KIND_WEBHOOK\nendpoint: https://x/?k=***\nsecret: S",
        );
        assert!(
            channel.contains("(***)") && channel.contains("channel_kind: KIND_WEBHOOK\n"),
            "{channel}"
        );
        assert!(!channel.contains("secret: S"), "{channel}");
        document(
            "Leave",
            "member: members/a\nstart_time: 2026-08-03T00:00:00Z\nend_time: 2026-08-04T00:00:00Z",
        );
    }

    #[test]
    fn hostile_texts_come_back_as_they_were() {
        for text in [
            "\"${HOME} {{number}}\"",
            "'no'",
            "\"- a\\n---\\n# b\\n\"",
            "'007'",
            "\"\\u0007\"",
            "' x '",
            "'~'",
        ] {
            document(
                "Template",
                &format!("key: lead_assigned\nlocale: en\ntitle: x\nbody: {text}"),
            );
        }
    }
}
