//! Sources of signed bodies: what one must look like, and what lead its bodies are.

use std::collections::HashMap;

use reflex_mapping::{Mapped, Mapping, Targets};
use serde_json::Value;

use super::ids::WebhookSourceId;
use super::lead::Urgency;
use super::new_lead::{NewLead, RawLead};
use super::violation::{Violation, Violations};

/// Posts a minute of a source that does not say.
const DEFAULT_POSTS_PER_MINUTE: i32 = 600;
const MAX_POSTS_PER_MINUTE: i32 = 60_000;
/// What names of further fields begin with.
const OPEN: &str = "attributes.";

/// What a mapping may fill: the fields of `NewLead` that a body can speak of. `reflexctl webhooks check` reads them from the
/// proto, and a test there compares both.
pub const TARGETS: Targets<'static> = Targets {
    names: &[
        "external_id",
        "company",
        "contact_name",
        "phone",
        "email",
        "territory",
        "product",
        "urgency",
        "budget_min_fen",
        "budget_max_fen",
        "remark",
        "account",
    ],
    open: OPEN,
};

/// A source as it was sent, not checked.
#[derive(Debug, Clone, Default)]
pub struct RawWebhookSource {
    /// `webhookSources/{webhook_source}`.
    pub name: String,
    /// Source of its leads.
    pub source: String,
    /// The mapping as JSON.
    pub mapping: String,
    /// Product of leads for which the mapping gives none.
    pub default_product: String,
    /// Signed bodies a minute; 0 means [`DEFAULT_POSTS_PER_MINUTE`].
    pub posts_per_minute: i32,
    /// Whether bodies are taken.
    pub enabled: bool,
}

/// A source of signed bodies, its secret aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSource {
    /// Who it is.
    pub id: WebhookSourceId,
    /// Source of its leads.
    pub source: String,
    /// The mapping as it was typed.
    pub mapping: String,
    /// Product of leads for which the mapping gives none.
    pub default_product: String,
    /// Signed bodies a minute.
    pub posts_per_minute: i32,
    /// Whether bodies are taken.
    pub enabled: bool,
}

impl WebhookSource {
    /// Checks a source. Fields of the violations start with `source.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it, its mapping included.
    pub fn parse(raw: &RawWebhookSource) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("source.name", &raw.name);
        let source = violations.line("source.source", &raw.source, 1..=64);
        let default_product = violations.line("source.default_product", &raw.default_product, 0..=100);
        let posts = raw.posts_per_minute;
        violations.number("source.posts_per_minute", posts, 0..=MAX_POSTS_PER_MINUTE);
        for fault in Mapping::parse(&raw.mapping, TARGETS).err().unwrap_or_default() {
            let path = ["source.mapping", &fault.place].join(".");
            violations.add(path.trim_end_matches('.'), fault.said);
        }
        match id {
            Some(id) if violations.is_empty() => Ok(Self {
                id,
                source,
                mapping: raw.mapping.clone(),
                default_product,
                posts_per_minute: if posts == 0 { DEFAULT_POSTS_PER_MINUTE } else { posts },
                enabled: raw.enabled,
            }),
            _ => Err(violations.into_vec()),
        }
    }

    /// Makes the lead of a body; without an external id of its own it is known by the message's.
    ///
    /// # Errors
    /// Returns the places of the body that are missing or wrong, as JSON pointers.
    pub fn read(&self, webhook_id: &str, body: &[u8]) -> Result<NewLead, Vec<Violation>> {
        let faulty = |faults: Vec<reflex_mapping::Fault>| -> Vec<Violation> {
            let violation = |fault: reflex_mapping::Fault| Violation {
                field: fault.place,
                description: fault.said,
            };
            faults.into_iter().map(violation).collect()
        };
        // Checked when it was put; a mapping that this release cannot read is told like one that was not.
        let mapping = Mapping::parse(&self.mapping, TARGETS).map_err(faulty)?;
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            vec![Violation {
                field: String::new(),
                description: format!("the body is no JSON: {error}"),
            }]
        })?;
        let mapped = mapping.apply(&value).map_err(faulty)?;
        let raw = self.raw_lead(&mapped, webhook_id, body)?;
        NewLead::parse(raw).map_err(|violations| violations.into_iter().map(|it| placed(it, &mapped)).collect())
    }

    fn raw_lead(&self, mapped: &Mapped, webhook_id: &str, body: &[u8]) -> Result<RawLead, Vec<Violation>> {
        let mut violations = Violations::default();
        let text = |field: &str| mapped.texts.get(field).cloned().unwrap_or_default();
        let mut amount = |field: &str| match mapped.texts.get(field).map(|text| text.parse()) {
            None => 0,
            Some(Ok(fen)) => fen,
            Some(Err(_)) => {
                violations.add(
                    format!("lead.{field}"),
                    "must be a whole number of fen; \"times\": 100 reads yuan",
                );
                0
            }
        };
        let (budget_min_fen, budget_max_fen) = (amount("budget_min_fen"), amount("budget_max_fen"));
        let urgency = match mapped.texts.get("urgency") {
            None => None,
            Some(text) => {
                let urgency = Urgency::read(text);
                if urgency.is_none() {
                    violations.add(
                        "lead.urgency",
                        "must be red, yellow or green; \"values\" translates others",
                    );
                }
                urgency
            }
        };
        if !violations.is_empty() {
            let violations = violations.into_vec().into_iter();
            return Err(violations.map(|violation| placed(violation, mapped)).collect());
        }
        let open = mapped.texts.iter();
        let attributes: HashMap<String, String> = open
            .filter_map(|(field, text)| Some((field.strip_prefix(OPEN)?.to_owned(), text.clone())))
            .collect();
        let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
        Ok(RawLead {
            source: self.source.clone(),
            external_id: or(text("external_id"), webhook_id),
            company: text("company"),
            contact_name: text("contact_name"),
            phone: text("phone"),
            email: text("email"),
            territory: text("territory"),
            product: or(text("product"), &self.default_product),
            urgency,
            budget_min_fen,
            budget_max_fen,
            remark: text("remark"),
            account: text("account"),
            attributes,
            raw_payload: body.to_vec(),
            ..RawLead::default()
        })
    }
}

/// Names a fault by the place of the body that it came from, where there is one.
fn placed(violation: Violation, mapped: &Mapped) -> Violation {
    let field = violation.field.strip_prefix("lead.").unwrap_or(&violation.field);
    match mapped.origins.get(field) {
        Some(place) => Violation {
            description: format!("{} (as {field})", violation.description),
            field: place.clone(),
        },
        None => violation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str = r#"{"version": 1, "fields": {
        "external_id": "/id",
        "company": "/corp",
        "phone": {"from": "/tel/*", "rest": "attributes.备用电话", "required": true},
        "urgency": {"from": "/level", "values": {"1": "red"}},
        "budget_min_fen": {"from": "/yuan", "times": 100},
        "budget_max_fen": "/fen"
    }}"#;

    fn raw() -> RawWebhookSource {
        RawWebhookSource {
            name: "webhookSources/baidu".into(),
            source: "百度推广".into(),
            mapping: MAPPING.into(),
            default_product: "骨科耗材".into(),
            enabled: true,
            ..RawWebhookSource::default()
        }
    }

    fn fields(raw: &RawWebhookSource) -> Vec<String> {
        let parsed = WebhookSource::parse(raw);
        parsed.map_or_else(|found| found.into_iter().map(|it| it.field).collect(), |_| Vec::new())
    }

    #[test]
    fn sources_are_checked_with_their_mappings() {
        assert_eq!(WebhookSource::parse(&raw()).unwrap().posts_per_minute, 600);
        let wrong = RawWebhookSource {
            name: "webhookSources/a_b".into(),
            source: String::new(),
            mapping: r#"{"version": 1, "fields": {"campany": "/a"}}"#.into(),
            default_product: "x".repeat(101),
            posts_per_minute: -1,
            enabled: true,
        };
        let expected = [
            "name",
            "source",
            "default_product",
            "posts_per_minute",
            "mapping.fields.campany",
        ];
        assert_eq!(fields(&wrong), expected.map(|field| format!("source.{field}")));
        let none = RawWebhookSource {
            mapping: String::new(),
            ..raw()
        };
        assert_eq!(fields(&none), ["source.mapping"]);
    }

    #[test]
    fn a_body_is_a_lead_with_its_raw_payload() {
        let source = WebhookSource::parse(&raw()).unwrap();
        let body = r#"{"id": 77, "corp": "苏州锻压", "tel": ["13800138000", "0512"], "level": 1, "yuan": "12.5"}"#;
        let lead = source.read("msg_1", body.as_bytes()).unwrap();
        assert_eq!((lead.source.as_str(), lead.external_id.as_str()), ("百度推广", "77"));
        assert_eq!(
            (lead.company.as_str(), lead.phone.as_str()),
            ("苏州锻压", "13800138000")
        );
        assert_eq!((lead.product.as_str(), lead.urgency), ("骨科耗材", Some(Urgency::Red)));
        assert_eq!((lead.budget_min_fen, lead.budget_max_fen), (1250, 0));
        assert_eq!(lead.attributes["备用电话"], "0512");
        assert_eq!(lead.raw_payload, body.as_bytes());
        let without = source.read("msg_1", br#"{"tel": [1]}"#).unwrap();
        assert_eq!(without.external_id, "msg_1", "the message's id is what remains");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place_in_the_body() {
        let source = WebhookSource::parse(&raw()).unwrap();
        let wrong = |body: &str| -> Vec<String> {
            let faults = source.read("msg_1", body.as_bytes()).unwrap_err();
            faults.into_iter().map(|it| it.field).collect()
        };
        assert_eq!(wrong("{}"), ["/tel/*"]);
        assert_eq!(wrong("{"), [""]);
        assert_eq!(wrong(r#"{"tel": [1], "level": 7}"#), ["/level"]);
        assert_eq!(wrong(r#"{"tel": [1], "fen": "viel"}"#), ["/fen"]);
        let long = format!(r#"{{"tel": [1], "corp": "{}"}}"#, "司".repeat(301));
        assert_eq!(wrong(&long), ["/corp"]);
    }
}
