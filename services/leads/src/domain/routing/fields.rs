//! The fields of a lead that the condition of an entry may read, each by a Chinese and by an English name.
//!
//! Name, telephone and e-mail of the contact are not among them: what a condition read is told with the decision, also to
//! those who may not see contacts.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use reflex_expr::ast::{Expr, Node};
use reflex_expr::{Facts, Field, Schema, Slot, Type, Value};
use rust_decimal::Decimal;

use crate::domain::assign::LeadFacts;
use crate::domain::lead::Urgency;

/// What only conditions want to know of a lead; empty where the policy has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Channel.
    pub source: String,
    /// Company as typed.
    pub company: String,
    /// Free text.
    pub remark: String,
    /// `forms/{form}` or empty.
    pub form: String,
    /// How soon the customer wants an answer.
    pub urgency: Option<Urgency>,
    /// Lowest budget in fen, 0 when not given.
    pub budget_min_fen: i64,
    /// Highest budget in fen, 0 when not given.
    pub budget_max_fen: i64,
    /// Whether there is a number to call.
    pub has_phone: bool,
    /// Whether there is an address to write to.
    pub has_email: bool,
    /// When the lead was captured.
    pub create_time: Option<Timestamp>,
    /// Further fields by name.
    pub attributes: HashMap<String, String>,
}

/// How a field is read.
pub(super) type Read = for<'a> fn(&'a LeadFacts, Timestamp) -> Value<'a>;

/// Every field but the attributes.
pub(super) const FIELDS: [(&str, Type, Read); 30] = [
    ("来源", Type::Text, source),
    ("source", Type::Text, source),
    ("公司", Type::Text, company),
    ("company", Type::Text, company),
    ("客户", Type::Text, account),
    ("account", Type::Text, account),
    ("地域", Type::Text, territory),
    ("territory", Type::Text, territory),
    ("产品", Type::Text, product),
    ("product", Type::Text, product),
    ("备注", Type::Text, remark),
    ("remark", Type::Text, remark),
    ("表单", Type::Text, form),
    ("form", Type::Text, form),
    ("紧急程度", Type::Text, urgency_zh),
    ("urgency", Type::Text, urgency_en),
    ("预算", Type::Number, budget),
    ("budget", Type::Number, budget),
    ("预算下限", Type::Number, budget_min),
    ("budget_min", Type::Number, budget_min),
    ("预算上限", Type::Number, budget_max),
    ("budget_max", Type::Number, budget_max),
    ("有电话", Type::Bool, has_phone),
    ("has_phone", Type::Bool, has_phone),
    ("有邮箱", Type::Bool, has_email),
    ("has_email", Type::Bool, has_email),
    ("录入时间", Type::Time, create_time),
    ("create_time", Type::Time, create_time),
    ("等待小时", Type::Number, age_hours),
    ("age_hours", Type::Number, age_hours),
];

/// What the names of attributes start with.
const ATTRIBUTES: [&str; 2] = ["属性.", "attributes."];

/// Most attributes that the conditions of one policy may read, each name counted once.
const MAX_ATTRIBUTES: usize = 1000;
/// Longest name of an attribute, as leads have it.
const MAX_NAME_CHARACTERS: usize = 64;

const SECONDS_PER_HOUR: i64 = 3600;

/// Makes the schema of a policy: every field, and the attributes that its conditions name, as attributes are whatever
/// the forms of the tenant ask.
pub(super) fn schema<'a>(conditions: impl IntoIterator<Item = &'a Expr>) -> Schema {
    let mut attributes = BTreeSet::new();
    for condition in conditions {
        collect_attributes(condition, &mut attributes);
    }
    let known = |attributes: BTreeSet<&str>| {
        let texts = attributes.into_iter().map(|name| Field::new(name, Type::Text));
        FIELDS.iter().map(field).chain(texts).collect()
    };
    // Names that a formula may have are names a schema may have; without them they are unknown, which is told.
    Schema::new(known(attributes))
        .or_else(|_| Schema::new(known(BTreeSet::new())))
        .expect("the fields' own names are sound")
}

fn field((name, kind, _): &(&str, Type, Read)) -> Field {
    match *name {
        "紧急程度" => Field::new(*name, *kind).with_options(["红", "黄", "绿"]),
        "urgency" => Field::new(*name, *kind).with_options(["red", "yellow", "green"]),
        _ => Field::new(*name, *kind),
    }
}

fn collect_attributes<'a>(expr: &'a Expr, found: &mut BTreeSet<&'a str>) {
    if let Node::Field(name) = &expr.node
        && found.len() < MAX_ATTRIBUTES
        && attribute(name).is_some_and(|name| name.chars().count() <= MAX_NAME_CHARACTERS)
    {
        found.insert(name);
    }
    for part in expr.parts() {
        collect_attributes(part, found);
    }
}

fn attribute(field: &str) -> Option<&str> {
    ATTRIBUTES.iter().find_map(|prefix| field.strip_prefix(prefix))
}

/// How the fields that conditions use are read, so that no lead is asked for the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Reader {
    fields: Vec<(Slot, Read)>,
    attributes: bool,
}

impl Reader {
    /// Makes the reader of these fields of a schema.
    pub(super) fn new(used: impl IntoIterator<Item = Slot>, schema: &Schema) -> Self {
        let used: BTreeSet<Slot> = used.into_iter().collect();
        let mut reader = Self::default();
        for slot in used {
            let name = schema.field(slot).map_or("", |field| field.name.as_str());
            match FIELDS.iter().find(|(known, ..)| *known == name) {
                Some((.., read)) => reader.fields.push((slot, *read)),
                None => reader.attributes = true,
            }
        }
        reader
    }

    /// Reads what the conditions want to know of a lead.
    pub(super) fn facts<'a>(&self, schema: &'a Schema, lead: &'a LeadFacts, now: Timestamp) -> Facts<'a> {
        let mut facts = Facts::new(schema);
        for (slot, read) in &self.fields {
            set(&mut facts, *slot, read(lead, now));
        }
        if self.attributes {
            let mut name = String::new();
            for (attribute, value) in &lead.details.attributes {
                for prefix in ATTRIBUTES {
                    name.clear();
                    name.push_str(prefix);
                    name.push_str(attribute);
                    if let Some((slot, _)) = schema.find(&name) {
                        set(&mut facts, slot, text(value));
                    }
                }
            }
        }
        facts
    }
}

fn set<'a>(facts: &mut Facts<'a>, slot: Slot, value: Value<'a>) {
    // What does not fit stays blank: a lead captured under other limits must not stop those behind it.
    let _ = facts.set_slot(slot, value);
}

fn text(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Blank } else { text.into() }
}

fn source(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    text(&lead.details.source)
}

fn company(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    text(&lead.details.company)
}

fn account(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    text(&lead.account)
}

fn territory(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    text(&lead.territory)
}

fn product(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    text(&lead.product)
}

fn remark(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    text(&lead.details.remark)
}

fn form(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    text(&lead.details.form)
}

fn urgency_zh(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    lead.details.urgency.map_or(Value::Blank, |urgency| match urgency {
        Urgency::Red => "红".into(),
        Urgency::Yellow => "黄".into(),
        Urgency::Green => "绿".into(),
    })
}

fn urgency_en(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    lead.details.urgency.map_or(Value::Blank, |urgency| match urgency {
        Urgency::Red => "red".into(),
        Urgency::Yellow => "yellow".into(),
        Urgency::Green => "green".into(),
    })
}

fn yuan(fen: i64) -> Value<'static> {
    if fen == 0 {
        Value::Blank
    } else {
        Value::Number(Decimal::new(fen, 2))
    }
}

fn budget(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    match lead.details.budget_max_fen {
        0 => yuan(lead.details.budget_min_fen),
        highest => yuan(highest),
    }
}

fn budget_min(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    yuan(lead.details.budget_min_fen)
}

fn budget_max(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    yuan(lead.details.budget_max_fen)
}

fn has_phone(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    Value::Bool(lead.details.has_phone)
}

fn has_email(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    Value::Bool(lead.details.has_email)
}

fn create_time(lead: &LeadFacts, _: Timestamp) -> Value<'_> {
    lead.details.create_time.map_or(Value::Blank, Value::Time)
}

fn age_hours(lead: &LeadFacts, now: Timestamp) -> Value<'_> {
    lead.details.create_time.map_or(Value::Blank, |at| {
        let seconds = now.duration_since(at).as_secs();
        let hours = Decimal::from(seconds) / Decimal::from(SECONDS_PER_HOUR);
        Value::Number(hours.round_dp(4))
    })
}
