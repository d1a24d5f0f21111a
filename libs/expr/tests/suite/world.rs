//! One schema for all tests, with a field of every type.

use std::collections::BTreeMap;

use jiff::tz::{self, TimeZone};
use reflex_expr::{Context, Facts, Field, Item, Schema, Type, Value};

/// Facts by name, owned.
pub(crate) type Known = BTreeMap<String, Value<'static>>;

pub(crate) const LEVELS: [&str; 3] = ["A", "B", "C"];
pub(crate) const TAGS: [&str; 3] = ["新", "老", "重点"];

pub(crate) fn schema() -> Schema {
    let titled = |name: &str, title: &str, kind| Field {
        title: Some(title.to_owned()),
        ..Field::new(name, kind)
    };
    Schema::new(vec![
        titled("客户.设备型号", "型号", Type::Text),
        Field::new("客户.等级", Type::Text).with_options(LEVELS),
        Field::new("客户.备注 1", Type::Text),
        Field::new("预算", Type::Number),
        Field::new("数量", Type::Number),
        Field::new("已签约", Type::Bool),
        Field::new("创建.日期", Type::Date),
        Field::new("更新.时间", Type::Time),
        Field::new("标签", Type::List(Item::Text)).with_options(TAGS),
        Field::new("分数", Type::List(Item::Number)),
        Field::new("到访", Type::List(Item::Date)),
    ])
    .unwrap()
}

/// Noon of a Tuesday in China, eight hours ahead all the year.
pub(crate) fn context() -> Context {
    Context::new("2026-02-03T04:00:00Z".parse().unwrap(), TimeZone::fixed(tz::offset(8)))
}

pub(crate) fn facts<'a>(schema: &'a Schema, known: &Known) -> Facts<'a> {
    let mut facts = Facts::new(schema);
    for (name, value) in known {
        facts.set(name, value.clone()).unwrap();
    }
    facts
}
