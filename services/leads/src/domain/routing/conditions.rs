//! The conditions of a policy's entries: checked when a policy is put, compiled once a version, asked for each lead.

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};
use reflex_expr::ast::Expr;
use reflex_expr::{Context, Error, Explanation, Facts, Lang, Predicate, Schema, Slot, analyse, formula};

use crate::domain::assign::LeadFacts;
use crate::domain::calculated::{Entity, Names, Record, Source, read_names};
use crate::domain::decision::Missing;
use crate::domain::lead_fields::is_of_tags;

/// Longest condition.
pub(in crate::domain) const MAX_CHARACTERS: usize = 2000;
/// Longest text of a condition or of what is missing that a decision keeps.
const KEPT_CHARACTERS: usize = 300;
/// Costliest condition that is explained part by part; of others it is said only that they do not hold.
const EXPLAINED_COST: u32 = 200;

/// The compiled conditions of a policy.
#[derive(Debug, Clone)]
pub struct Conditions {
    schema: Schema,
    /// By place of the entry.
    predicates: Vec<Option<Result<Predicate, Error>>>,
    /// How the fields that conditions use are read, so that no lead is asked for the others.
    sources: Vec<(Slot, Source)>,
    /// What an entry without a condition asks.
    always: Predicate,
}

impl Conditions {
    /// Compiles conditions by the places of their entries, over the fields of leads and these names; `None` if there are none
    /// at all.
    ///
    /// # Panics
    /// Never: a constant is a condition.
    #[must_use]
    pub fn compile<'a>(sources: impl IntoIterator<Item = Option<&'a str>>, names: &Names) -> Option<Self> {
        let parsed: Vec<Option<Result<Expr, Error>>> =
            sources.into_iter().map(|source| source.map(formula::parse)).collect();
        if parsed.iter().all(Option::is_none) {
            return None;
        }
        let read: BTreeSet<String> = parsed.iter().flatten().flatten().flat_map(read_names).collect();
        let schema = names.used_schema(Entity::Lead, &read);
        let check = |parsed: Result<Expr, Error>| {
            let parsed = parsed?;
            // Only the schema of everything that is known can tell what was meant.
            Predicate::check(parsed.clone(), &schema).map_err(|error| {
                let known = names.known_schema(Entity::Lead, &read);
                Predicate::check(parsed, &known).err().unwrap_or(error)
            })
        };
        let predicates: Vec<_> = parsed.into_iter().map(|parsed| parsed.map(check)).collect();
        let sound = predicates.iter().flatten().flatten();
        let used: BTreeSet<Slot> = sound.flat_map(|predicate| predicate.fields().iter().copied()).collect();
        let source = |slot: Slot| Some((slot, names.resolve(Entity::Lead, &schema.field(slot)?.name)?.0));
        let sources = used.into_iter().filter_map(source).collect();
        let always = Predicate::compile("TRUE", &schema).expect("a constant is a condition");
        Some(Self {
            schema,
            predicates,
            sources,
            always,
        })
    }

    /// Tells whether a condition reads anything of an account but its key.
    #[must_use]
    pub fn read_accounts(&self) -> bool {
        self.sources.iter().any(|(_, source)| source.needs_account())
    }

    /// Tells whether a condition reads the tags of a lead.
    #[must_use]
    pub fn read_tags(&self) -> bool {
        let name = |(slot, _): &(Slot, Source)| self.schema.field(*slot).is_some_and(|it| is_of_tags(&it.name));
        self.sources.iter().any(name)
    }

    /// Tells whether a condition reads a calculated field.
    #[must_use]
    pub fn read_calculated(&self) -> bool {
        self.sources.iter().any(|(_, source)| source.calculated().is_some())
    }

    /// Returns what is wrong with the condition at a place, if anything is.
    #[must_use]
    pub fn error(&self, place: usize) -> Option<&Error> {
        self.predicates.get(place)?.as_ref()?.as_ref().err()
    }

    /// Tells whether the condition at a place certainly holds for no lead at all.
    #[must_use]
    pub fn is_never(&self, place: usize) -> bool {
        self.predicate(place)
            .is_some_and(|predicate| analyse::is_never(predicate, &self.schema))
    }

    /// Tells whether the condition at a place certainly holds wherever the other does; none at all holds always.
    #[must_use]
    pub fn covers(&self, earlier: usize, later: usize) -> bool {
        let unconditional = |place: usize| self.predicates.get(place).is_none_or(Option::is_none);
        match (self.predicate(earlier), self.predicate(later)) {
            (None, _) => unconditional(earlier),
            (Some(earlier), Some(later)) => analyse::covers(earlier, later, &self.schema),
            (Some(earlier), None) => unconditional(later) && analyse::covers(earlier, &self.always, &self.schema),
        }
    }

    fn predicate(&self, place: usize) -> Option<&Predicate> {
        self.predicates.get(place)?.as_ref()?.as_ref().ok()
    }

    /// Begins to ask the conditions about a lead.
    #[must_use]
    pub fn inquire<'a>(&'a self, lead: &'a LeadFacts, now: Timestamp, zone: &TimeZone) -> Inquiry<'a> {
        let record = Record::of_lead(lead, now);
        let mut facts = Facts::new(&self.schema);
        for (slot, source) in &self.sources {
            // What does not fit stays blank: a lead captured under other limits must not stop those behind it.
            let _ = facts.set_slot(*slot, source.read(&record));
        }
        Inquiry {
            conditions: self,
            facts,
            context: Context::new(now, zone.clone()),
        }
    }
}

/// What the conditions say of one lead.
#[derive(Debug)]
pub struct Inquiry<'a> {
    conditions: &'a Conditions,
    facts: Facts<'a>,
    context: Context,
}

impl Inquiry<'_> {
    /// Tells whether the condition at a place holds; one that cannot be calculated does not, nor one that an older release
    /// accepted and this one cannot read.
    #[must_use]
    pub fn holds(&self, place: usize) -> bool {
        match self.conditions.predicates.get(place) {
            Some(Some(Ok(predicate))) => predicate.holds(&self.facts, &self.context).unwrap_or(false),
            Some(Some(Err(_))) => false,
            Some(None) | None => true,
        }
    }

    /// Tells what would have to be otherwise for the condition at a place to hold.
    #[must_use]
    pub fn missing(&self, place: usize) -> Missing {
        let said = |say: &dyn Fn(Lang) -> String| Missing {
            zh: shortened(&say(Lang::Zh)),
            en: shortened(&say(Lang::En)),
        };
        match self.conditions.predicates.get(place) {
            Some(Some(Ok(predicate))) if predicate.cost() <= EXPLAINED_COST => {
                let explained = Explanation::of(predicate.source(), &self.facts, &self.context);
                let missing = explained.as_ref().ok().and_then(Explanation::missing);
                missing.map_or_else(|| said(&unexplained), |missing| said(&|lang| missing.text(lang)))
            }
            Some(Some(Err(error))) => said(&|lang| error.text(lang)),
            _ => said(&unexplained),
        }
    }
}

fn unexplained(lang: Lang) -> String {
    match lang {
        Lang::Zh => "条件不成立".to_owned(),
        Lang::En => "the condition does not hold".to_owned(),
    }
}

/// Cuts a text to what a decision keeps.
pub(in crate::domain) fn shortened(text: &str) -> String {
    match text.char_indices().nth(KEPT_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Says what is wrong with a condition and where.
pub(in crate::domain) fn fault(error: &Error, source: &str, lang: Lang) -> String {
    let at = error.span.position(source);
    let (text, hint) = (error.text(lang), hint(error, lang));
    match lang {
        Lang::Zh => format!("条件第 {} 行第 {} 列有误：{text}{hint}", at.line, at.column),
        Lang::En => format!(
            "the condition has a mistake at line {}, column {}: {text}{hint}",
            at.line, at.column
        ),
    }
}

/// Tells how to write an attribute to whoever names a field that nothing is near to.
fn hint(error: &Error, lang: Lang) -> &'static str {
    match (error.problem.code(), error.problem.suggestion(), lang) {
        ("UNKNOWN_FIELD", None, Lang::Zh) => "；表单里的其他字段写作 属性.名称",
        ("UNKNOWN_FIELD", None, Lang::En) => "; further fields of forms are written attributes.name",
        _ => "",
    }
}
