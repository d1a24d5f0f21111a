//! The stored fields of a lead that conditions and formulas may read, each by a Chinese and by an English name.
//!
//! Name, telephone and e-mail of the contact are not among them: what a condition or a formula read is told, also to those
//! who may not see contacts.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use reflex_expr::{Field, Item, Type, Value};
use rust_decimal::Decimal;

use super::account::Account;
use super::assign::LeadFacts;
use super::lead::Urgency;

/// What only conditions and formulas want to know of a lead; empty where the tenant has neither.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// Its tags, also those that are over.
    pub tags: Vec<HeldTag>,
    /// What is known of its account.
    pub customer: Option<Arc<Account>>,
    /// The account's calculated values, by the places of their definitions.
    pub customer_values: Vec<Value<'static>>,
    /// Its own calculated values, by the places of their definitions.
    pub values: Vec<Value<'static>>,
}

/// A tag and when the lead has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTag {
    /// The tag.
    pub tag: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None` for ever.
    pub until: Option<Timestamp>,
    /// Whether it tells how far the sale is.
    pub progress: bool,
}

impl HeldTag {
    fn is_held(&self, now: Timestamp) -> bool {
        self.since <= now && self.until.is_none_or(|until| now < until)
    }
}

/// How a field is read.
pub(super) type Read = for<'a> fn(&'a LeadFacts, Timestamp) -> Value<'a>;

/// Every field but the attributes.
pub(super) const FIELDS: [(&str, Type, Read); 34] = [
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
    ("标签", Type::List(Item::Text), tags),
    ("tags", Type::List(Item::Text), tags),
    ("进展", Type::Text, progress),
    ("progress", Type::Text, progress),
];

const SECONDS_PER_HOUR: i64 = 3600;

/// Tells whether a field of this name changes with the tags of a lead.
pub(super) fn is_of_tags(name: &str) -> bool {
    ["标签", "tags", "进展", "progress"].contains(&name)
}

/// Finds a field by one of its names.
pub(super) fn find(name: &str) -> Option<&'static (&'static str, Type, Read)> {
    FIELDS.iter().find(|(known, ..)| *known == name)
}

/// Describes a field to whoever checks expressions.
pub(super) fn described((name, kind, _): &(&str, Type, Read)) -> Field {
    match *name {
        "紧急程度" => Field::new(*name, *kind).with_options(["红", "黄", "绿"]),
        "urgency" => Field::new(*name, *kind).with_options(["red", "yellow", "green"]),
        _ => Field::new(*name, *kind),
    }
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

/// Reads the tags held now; a lead without any has an empty list, so that a condition may ask for the absence of one.
fn tags(lead: &LeadFacts, now: Timestamp) -> Value<'_> {
    let held = lead.details.tags.iter().filter(|tag| tag.is_held(now));
    Value::List(held.map(|tag| tag.tag.as_str().into()).collect())
}

fn progress(lead: &LeadFacts, now: Timestamp) -> Value<'_> {
    let mut held = lead.details.tags.iter().filter(|tag| tag.is_held(now));
    held.find(|tag| tag.progress)
        .map_or(Value::Blank, |tag| tag.tag.as_str().into())
}
