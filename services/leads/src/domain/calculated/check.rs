//! Whether a definition is sound, by itself and beside the others; what is wrong is said in Chinese and in English.

use std::collections::BTreeSet;

use reflex_expr::ast::{Expr, Node};
use reflex_expr::{Error, Function, Lang, Program, Type, formula};

use super::graph::Graph;
use super::names::Names;
use super::{CalculatedFields, Definition, Entity, read_names};
use crate::domain::ids::CalculatedFieldId;
use crate::domain::lead_fields::is_of_tags;
use crate::domain::pool::PoolSpec;
use crate::domain::routing::PolicySpec;
use crate::domain::tags::TagRules;
use crate::domain::violation::{Violation, Violations};

/// Fields of one entity.
pub const MAX_FIELDS: usize = 50;
/// Fields on the way from one to what it reads at last.
pub const MAX_DEPTH: usize = 8;
/// Operations that all fields of one entity may take for one record.
pub const MAX_COST: u32 = 10_000;
const MAX_NAME_CHARACTERS: usize = 40;
const MAX_FORMULA_CHARACTERS: usize = 4000;
/// What changes as time passes, beside the tags, which expire.
const PASSING: [&str; 2] = ["等待小时", "age_hours"];

/// A definition as it was sent, not checked.
#[derive(Debug, Clone, Default)]
pub struct RawDefinition {
    /// `calculatedFields/{calculated_field}`.
    pub name: String,
    /// Whose field it is; must be there.
    pub entity: Option<Entity>,
    /// What formulas call it.
    pub field_name: String,
    /// What else they call it, or empty.
    pub alias: String,
    /// As it was typed.
    pub formula: String,
}

/// A definition that is sound by itself.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What the tenant calls the resource; `None` for one that is only tried.
    pub id: Option<CalculatedFieldId>,
    /// Whose field it is.
    pub entity: Entity,
    /// What formulas call it.
    pub field_name: String,
    /// What else they call it; may be empty.
    pub alias: String,
    /// As it was typed.
    pub formula: String,
    expr: Expr,
}

/// What a draft comes to beside the other fields.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What it results in.
    pub kind: Type,
    /// The names it reads, as it writes them.
    pub reads: BTreeSet<String>,
    /// All names, with the draft in its place.
    pub names: Names,
}

/// Whether a draft needs a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It will be stored.
    Store,
    /// It is only tried.
    Try,
}

impl Draft {
    /// Checks a definition by itself. Fields of the violations start with `field.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawDefinition, purpose: Purpose) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let tried = purpose == Purpose::Try;
        let id = if tried {
            violations.optional_name("field.name", &raw.name)
        } else {
            violations.name("field.name", &raw.name)
        };
        if raw.entity.is_none() {
            violations.add("field.entity", "must be given");
        }
        let name = raw.field_name.trim();
        let may_be_empty = tried && name.is_empty();
        if !may_be_empty && !is_name(name) {
            violations.add(
                "field.field_name",
                format!(
                    "须为 1 到 {MAX_NAME_CHARACTERS} 个字母（汉字）、数字或下划线，不以数字开头，且不是公式中的词 / must be 1 to \
                     {MAX_NAME_CHARACTERS} letters, digits or \"_\", no digit first, and no word of formulas"
                ),
            );
        }
        let alias = raw.alias.trim();
        let ascii = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_alias = is_name(alias) && alias.bytes().all(ascii);
        if !alias.is_empty() && !is_alias {
            violations.add(
                "field.alias",
                format!(
                    "must be 1 to {MAX_NAME_CHARACTERS} of a-z, 0-9, \"_\", no digit first, and no word of formulas"
                ),
            );
        }
        if !alias.is_empty() && alias == name {
            violations.add("field.alias", "must differ from field_name");
        }
        let typed = violations.text("field.formula", &raw.formula, 1..=MAX_FORMULA_CHARACTERS);
        let expr = formula::parse(&typed);
        match &expr {
            Err(error) if violations.is_empty() => violations.add("field.formula", fault(error, &typed)),
            Ok(expr) => {
                if let Some(word) = passing(expr) {
                    violations.add(
                        "field.formula",
                        format!(
                            "不能使用 {word}：它随时间变化，而计算字段的值只在数据变化时重算；请改用 录入时间 等已存字段，或在分配条件中使用 \
                             / must not use {word}, which changes as time passes, while values are only calculated anew when data \
                             change; use a stored field such as create_time, or a condition of the routing policy"
                        ),
                    );
                }
            }
            Err(_) => {}
        }
        match (raw.entity, expr) {
            (Some(entity), Ok(expr)) if violations.is_empty() => Ok(Self {
                id,
                entity,
                field_name: name.to_owned(),
                alias: alias.to_owned(),
                formula: typed,
                expr,
            }),
            _ => Err(violations.into_vec()),
        }
    }

    /// Tells whether a definition says the same.
    #[must_use]
    pub fn says(&self, definition: &Definition) -> bool {
        (&self.field_name, &self.alias, &self.formula)
            == (&definition.field_name, &definition.alias, &definition.formula)
    }
}

impl CalculatedFields {
    /// Finds a field.
    #[must_use]
    pub fn find(&self, id: &CalculatedFieldId) -> Option<&Definition> {
        self.names().all().find(|definition| definition.id == *id)
    }

    /// Checks a draft beside the other fields.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn check(&self, draft: &Draft) -> Result<Checked, Vec<Violation>> {
        let before = draft.id.as_ref().and_then(|id| self.find(id));
        let others = before.map_or_else(|| self.names().clone(), |before| self.names().without(before.key));
        let mut violations = Violations::default();
        self.check_name(&mut violations, draft, before, &others);
        let reads = read_names(&draft.expr);
        // Its own names mean itself, so that a formula that reads itself is told as a circle and not as unknown.
        let provisional = Definition {
            key: before.map_or(0, |before| before.key),
            id: draft.id.clone().unwrap_or_else(CalculatedFieldId::of_draft),
            version: 0,
            entity: draft.entity,
            field_name: draft.field_name.clone(),
            alias: draft.alias.clone(),
            formula: draft.formula.clone(),
            kind: before.map_or(Type::Number, |before| before.kind),
        };
        let names = others.with(provisional.clone());
        check_circle(&mut violations, &names, draft.entity);
        if !violations.is_empty() {
            return Err(violations.into_vec());
        }
        let checked = Program::check(draft.expr.clone(), &others.known_schema(draft.entity, &reads));
        let program = match checked {
            Ok(program) => program,
            Err(error) => {
                violations.add(
                    "field.formula",
                    fault(&error, &draft.formula) + hint(&error, draft.entity),
                );
                return Err(violations.into_vec());
            }
        };
        let kind = program.kind();
        check_kind(&mut violations, kind, before);
        self.check_cost(&mut violations, &program, draft, before);
        if !violations.is_empty() {
            return Err(violations.into_vec());
        }
        Ok(Checked {
            kind,
            reads,
            names: others.with(Definition { kind, ..provisional }),
        })
    }

    fn check_name(&self, violations: &mut Violations, draft: &Draft, before: Option<&Definition>, others: &Names) {
        if before.is_some_and(|before| before.entity != draft.entity) {
            violations.add("field.entity", "cannot change; delete the field and define another");
        }
        if before.is_none() && others.definitions(draft.entity).len() >= MAX_FIELDS {
            violations.add(
                "field",
                format!("已有 {MAX_FIELDS} 个计算字段，不能再多 / there are {MAX_FIELDS} calculated fields already, the limit"),
            );
        }
        for (path, name) in [("field.field_name", &draft.field_name), ("field.alias", &draft.alias)] {
            if name.is_empty() {
                continue;
            }
            let taken = others
                .definitions(draft.entity)
                .iter()
                .find(|other| other.is_called(name));
            if let Some(other) = taken {
                let other = other.label();
                violations.add(
                    path,
                    format!("“{name}”已是计算字段 {other} 的名称 / {name} is a name of {other}"),
                );
            } else if Names::is_stored(draft.entity, name) {
                violations.add(
                    path,
                    format!("“{name}”是已有字段的名称 / {name} is the name of a stored field"),
                );
            } else if draft.entity == Entity::Account && self.names().has_attribute(name) {
                violations.add(
                    path,
                    format!("“{name}”是客户已有属性的名称 / {name} is the name of an attribute that accounts have"),
                );
            }
        }
    }

    fn check_cost(&self, violations: &mut Violations, program: &Program, draft: &Draft, before: Option<&Definition>) {
        let replaced = before.and_then(|before| {
            let read = before.reads();
            let schema = self.names().known_schema(before.entity, &read);
            Program::compile(&before.formula, &schema).ok()
        });
        let replaced = replaced.map_or(0, |program| program.cost());
        let others = self.plan(draft.entity).cost().saturating_sub(replaced);
        let cost = others + program.cost();
        if cost > MAX_COST {
            violations.add(
                "field.formula",
                format!(
                    "全部计算字段合计计算量为 {cost}，最多 {MAX_COST} / all fields together take {cost} operations, the limit is \
                     {MAX_COST}"
                ),
            );
        }
    }
}

/// Who may read calculated fields besides each other.
#[derive(Debug, Clone, Copy)]
pub struct Readers<'a> {
    /// The active routing policy.
    pub policy: Option<&'a PolicySpec>,
    /// Rules of the pool.
    pub pool: Option<&'a PoolSpec>,
    /// Rules that give tags.
    pub tags: &'a TagRules,
}

/// Lists who reads a calculated field that `after` has no more under the name they write, or that means another one there.
#[must_use]
pub fn left_behind(before: &Names, after: &Names, readers: &Readers<'_>) -> Vec<String> {
    let meaning = |names: &Names, entity, name: &str| {
        let (source, _) = names.resolve(entity, name)?;
        let (of, place) = source.calculated()?;
        names.definitions(of).get(place).map(|definition| definition.key)
    };
    let loses = |entity, read: &BTreeSet<String>| {
        read.iter().any(|name| {
            let key = meaning(before, entity, name);
            key.is_some() && meaning(after, entity, name) != key
        })
    };
    let stays = |definition: &&Definition| after.all().any(|other| other.key == definition.key);
    let mut found: Vec<String> = before
        .all()
        .filter(stays)
        .filter(|definition| {
            // As it reads afterwards: the field that changes may give up what it read itself.
            let now = after.all().find(|other| other.key == definition.key);
            now.is_some_and(|now| loses(now.entity, &now.reads()))
        })
        .map(Definition::label)
        .collect();
    for (number, when) in readers.policy.into_iter().flat_map(PolicySpec::conditions) {
        if formula::parse(when).is_ok_and(|expr| loses(Entity::Lead, &read_names(&expr))) {
            found.push(format!("分配策略第 {number} 条 / entry {number} of the routing policy"));
        }
    }
    for (title, when) in readers.pool.into_iter().flat_map(PoolSpec::conditions) {
        if formula::parse(when).is_ok_and(|expr| loses(Entity::Lead, &read_names(&expr))) {
            found.push(format!("公海规则“{title}” / the rule {title:?} of the pool"));
        }
    }
    found.extend(readers.tags.readers(|read| loses(Entity::Lead, read)));
    found
}

fn check_circle(violations: &mut Violations, names: &Names, entity: Entity) {
    let definitions = names.definitions(entity);
    let graph = Graph::new(names, entity);
    let draft = definitions.len() - 1;
    if let Some(circle) = graph.circle(draft) {
        let way: Vec<&str> = circle
            .iter()
            .map(|place| definitions[*place].field_name.as_str())
            .collect();
        let way = way.join(" → ");
        violations.add(
            "field.formula",
            format!("循环引用：{way} / fields read one another in a circle: {way}"),
        );
        return;
    }
    let deepest = graph.depths().into_iter().max().unwrap_or(0);
    if deepest > MAX_DEPTH {
        violations.add(
            "field.formula",
            format!("计算字段逐层引用达 {deepest} 层，最多 {MAX_DEPTH} 层 / fields read one another {deepest} deep, the limit is {MAX_DEPTH}"),
        );
    }
}

fn check_kind(violations: &mut Violations, kind: Type, before: Option<&Definition>) {
    if let Type::List(_) = kind {
        violations.add("field.formula", "结果不能是列表 / must not result in a list");
    }
    if let Some(before) = before.filter(|before| before.kind != kind) {
        violations.add(
            "field.formula",
            format!(
                "结果类型不能改变：原为 {was}，现为 {kind}；请删除后另建字段 / cannot change its type from {was} to {kind}; delete the field \
                 and define another",
                was = before.kind
            ),
        );
    }
}

fn is_name(name: &str) -> bool {
    let field = |expr: Expr| matches!(expr.node, Node::Field(found) if found == name);
    name.chars().count() <= MAX_NAME_CHARACTERS
        && !name.contains(['.', '[', ']'])
        && formula::parse(name).is_ok_and(field)
}

/// Finds what changes as time passes.
fn passing(expr: &Expr) -> Option<String> {
    let own = match &expr.node {
        Node::Call { function, .. } if matches!(function, Function::Now | Function::Today) => {
            Some(format!("{}()", function.name()))
        }
        Node::Field(name) => (PASSING.contains(&name.as_str()) || is_of_tags(name)).then(|| name.clone()),
        _ => None,
    };
    own.or_else(|| expr.parts().into_iter().find_map(passing))
}

/// Says what is wrong with an expression and where, in Chinese and in English.
#[must_use]
pub fn fault(error: &Error, source: &str) -> String {
    let at = error.span.position(source);
    format!(
        "第 {line} 行第 {column} 列：{zh} / line {line}, column {column}: {en}",
        line = at.line,
        column = at.column,
        zh = error.text(Lang::Zh),
        en = error.text(Lang::En),
    )
}

/// Tells when attributes can be read to whoever names one that nothing is near to.
fn hint(error: &Error, entity: Entity) -> &'static str {
    match (error.problem.code(), error.problem.suggestion(), entity) {
        ("UNKNOWN_FIELD", None, Entity::Account) => {
            "（客户的属性写作 属性.名称，须先在某个客户上出现 / attributes are written attributes.name, and some account must have one first）"
        }
        ("UNKNOWN_FIELD", None, Entity::Lead) => {
            "（表单的其他字段写作 属性.名称；客户的属性写作 客户.名称，须先在某个客户上出现 / further fields of forms are written attributes.name; \
             attributes of accounts are written account.name, and some account must have one first）"
        }
        _ => "",
    }
}
