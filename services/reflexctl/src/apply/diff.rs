//! What differs between a resource as written and as stored.
//!
//! Both are compared as JSON. Order does not matter where it means nothing (skills, aliases, cells of the routing matrix),
//! a calendar file is compared by its meaning, and fields that the server fills in, hides or writes itself are left out.

use std::fmt;

use prost_reflect::{DynamicMessage, SerializeOptions};
use reflex_calendar::CalendarSpec;
use serde_json::{Map, Value};

use crate::bundle::Kind;

/// A field that differs.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FieldChange {
    /// Where, for example `steps[1].after`.
    pub path: String,
    /// As stored; null when it is not set.
    pub before: Value,
    /// As wanted; null when it is not set.
    pub after: Value,
}

impl fmt::Display for FieldChange {
    /// Shows a short value before and after, and of a text of several lines the lines that differ.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Value::String(before), Value::String(after)) = (&self.before, &self.after) else {
            return write!(
                formatter,
                "      {}: {} → {}",
                self.path,
                short(&self.before),
                short(&self.after)
            );
        };
        if !before.contains('\n') && !after.contains('\n') {
            return write!(formatter, "      {}: {before} → {after}", self.path);
        }
        write!(formatter, "      {}:", self.path)?;
        let is_in = |text: &str, line: &str| text.lines().any(|other| other == line);
        for line in before.lines().filter(|line| !is_in(after, line)) {
            write!(formatter, "\n        - {line}")?;
        }
        for line in after.lines().filter(|line| !is_in(before, line)) {
            write!(formatter, "\n        + {line}")?;
        }
        Ok(())
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "(not set)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Compares a resource as stored with one as wanted.
pub(super) fn differences(kind: Kind, stored: &DynamicMessage, wanted: &DynamicMessage) -> Vec<FieldChange> {
    let (mut stored, mut wanted) = (comparable(kind, stored), comparable(kind, wanted));
    for field in kind.filled_in_fields() {
        if !wanted.contains_key(*field) {
            stored.remove(*field);
        }
    }
    if let (Some(Value::String(shown)), Some(Value::String(given))) = (stored.get("endpoint"), wanted.get("endpoint"))
        && matches!(kind, Kind::Channel | Kind::Subscription)
        && is_masked_form(shown, given)
    {
        wanted.insert("endpoint".to_owned(), Value::String(shown.clone()));
    }
    let mut changes = Vec::new();
    compare("", &Value::Object(stored), &Value::Object(wanted), &mut changes);
    changes
}

/// Returns the resource as JSON under the proto's own field names, defaults left out.
pub(crate) fn json(message: &DynamicMessage) -> Value {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .expect("a message of our protos has a JSON form")
}

fn comparable(kind: Kind, message: &DynamicMessage) -> Map<String, Value> {
    let Value::Object(mut fields) = json(message) else {
        return Map::new();
    };
    for field in kind.output_only_fields().iter().chain(kind.write_only_fields()) {
        fields.remove(*field);
    }
    for (name, value) in &mut fields {
        match (kind, name.as_str()) {
            (Kind::Calendar, "spec") => *value = calendar(value),
            (Kind::RoutingPolicy, "entries") => *value = matrix(value),
            _ => sort_texts(value),
        }
    }
    fields
}

fn calendar(text: &Value) -> Value {
    let spec = text.as_str().and_then(|text| CalendarSpec::parse(text).ok());
    spec.and_then(|spec| serde_json::to_value(spec).ok())
        .unwrap_or_else(|| text.clone())
}

/// Turns the list of cells into an object by cell, `territory × product`, then `territory × product (2)`.
fn matrix(entries: &Value) -> Value {
    let mut cells = Map::new();
    for entry in entries.as_array().into_iter().flatten() {
        let mut cell = entry.as_object().cloned().unwrap_or_default();
        let mut part = |field| match cell.remove(field) {
            Some(Value::String(name)) => name,
            _ => "any".to_owned(),
        };
        let name = format!("{} × {}", part("territory"), part("product"));
        let mut cell = Value::Object(cell);
        sort_texts(&mut cell);
        // Entries of one cell are tried in their order, so they are compared by it.
        let mut numbered = (2..).map(|number| format!("{name} ({number})"));
        let mut free = name.clone();
        while cells.contains_key(&free) {
            free = numbered.next().expect("there are more numbers than entries");
        }
        cells.insert(free, cell);
    }
    Value::Object(cells)
}

/// Sorts every list of texts but `channels`, whose order is a preference.
fn sort_texts(value: &mut Value) {
    match value {
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
        Value::Array(items) => items.iter_mut().for_each(sort_texts),
        Value::Object(fields) => {
            for (_, field) in fields.iter_mut().filter(|(name, _)| *name != "channels") {
                sort_texts(field);
            }
        }
        _ => {}
    }
}

fn compare(path: &str, before: &Value, after: &Value, changes: &mut Vec<FieldChange>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|name| !old.contains_key(*name));
            for name in old.keys().chain(added) {
                let part = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
                compare(&field_path(path, name), &part(old), &part(new), changes);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.iter().chain(new).all(Value::is_object) => {
            for at in 0..old.len().max(new.len()) {
                let part = |items: &[Value]| items.get(at).cloned().unwrap_or_default();
                compare(&format!("{path}[{at}]"), &part(old), &part(new), changes);
            }
        }
        _ if before == after => {}
        _ => changes.push(FieldChange {
            path: path.to_owned(),
            before: before.clone(),
            after: after.clone(),
        }),
    }
}

fn field_path(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else if name.contains(' ') {
        format!("{path}[{name}]")
    } else {
        format!("{path}.{name}")
    }
}

/// Tells whether `shown` is `given` with a part of it replaced by stars or dots.
fn is_masked_form(shown: &str, given: &str) -> bool {
    let is_mask = |char| matches!(char, '*' | '…' | '•');
    let (Some(start), Some(end)) = (shown.find(is_mask), shown.rfind(is_mask)) else {
        return false;
    };
    let behind = shown[end..].trim_start_matches(is_mask);
    given.starts_with(&shown[..start]) && given.ends_with(behind) && given.len() >= start + behind.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, Variables};

    fn resource(kind: &str, fields: &str) -> DynamicMessage {
        let text = format!("tenant: a\nkind: {kind}\n{fields}\n");
        Bundle::parse("x", &text, None, &Variables::new())
            .expect(&text)
            .resources[0]
            .message
            .clone()
    }

    fn paths(kind: &str, stored: &str, wanted: &str) -> Vec<String> {
        let known = Kind::named(kind).expect(kind);
        differences(known, &resource(kind, stored), &resource(kind, wanted))
            .into_iter()
            .map(|change| format!("{}: {} → {}", change.path, change.before, change.after))
            .collect()
    }

    #[test]
    fn only_what_means_something_else_differs() {
        let member = "name: members/a\nskills: [x, y]\nweight: 100\nlocale: zh-CN\nopen_leads: 7";
        assert_eq!(paths("Member", member, "name: members/a\nskills: [y, x]"), [""; 0]);
        assert_eq!(
            paths(
                "Member",
                member,
                "name: members/a\nskills: [y]\nweight: 50\ndeputy: members/b"
            ),
            [
                "skills: [\"x\",\"y\"] → [\"y\"]",
                "weight: 100 → 50",
                "deputy: null → \"members/b\""
            ]
        );
        assert_eq!(
            paths(
                "Member",
                "name: members/a\nactive: true\ndeputy: members/b",
                "name: members/a"
            ),
            ["active: true → null", "deputy: \"members/b\" → null"]
        );
    }

    #[test]
    fn steps_and_cells_are_told_apart() {
        let step = |after| format!("{{after: {after}, audience: AUDIENCE_OWNER, channels: [inbox, dingtalk]}}");
        let ladder = |steps: &[String]| format!("name: ladders/a\nsteps: [{}]", steps.join(", "));
        assert_eq!(
            paths(
                "Ladder",
                &ladder(&[step("10s"), step("20s")]),
                &ladder(&[step("10s"), step("30s")])
            ),
            ["steps[1].after: \"20s\" → \"30s\""]
        );
        let swapped = ladder(&[step("10s").replace("inbox, dingtalk", "dingtalk, inbox")]);
        assert_eq!(
            paths("Ladder", &ladder(&[step("10s")]), &swapped).len(),
            1,
            "the order is a preference"
        );

        let east = "{territory: territories/east, product: products/a, team: teams/a}";
        let any = "{team: teams/b}";
        assert_eq!(
            paths(
                "RoutingPolicy",
                &format!("entries: [{east}, {any}]"),
                &format!("entries: [{any}, {east}]")
            ),
            [""; 0]
        );
        assert_eq!(
            paths(
                "RoutingPolicy",
                &format!("entries: [{east}]"),
                &format!("entries: [{}]", east.replace("teams/a", "teams/c"))
            ),
            ["entries[territories/east × products/a].team: \"teams/a\" → \"teams/c\""]
        );
        let when = |condition: &str| format!("{{team: teams/b, when: {condition}}}");
        assert_eq!(
            paths(
                "RoutingPolicy",
                &format!("entries: [{}, {}, {any}]", when("有电话"), when("有邮箱")),
                &format!("entries: [{}, {}, {any}]", when("有邮箱"), when("有电话"))
            ),
            [
                "entries[any × any].when: \"有电话\" → \"有邮箱\"",
                "entries[any × any (2)].when: \"有邮箱\" → \"有电话\""
            ],
            "entries of one cell are tried in their order"
        );
    }

    #[test]
    fn schemas_are_compared_field_by_field() {
        let form = |fields: &str| format!("name: forms/a\nschema: {{fields: [{fields}]}}");
        let company = "{id: company, kind: KIND_SHORT_TEXT, label: {zh: 公司}, fills: LEAD_FIELD_COMPANY}";
        let devices = |values: &str| format!("{{id: devices, kind: KIND_MULTI_SELECT, options: [{values}]}}");
        let stored = form(&format!("{company}, {}", devices("{value: PLC}"))) + "\nversion: 3\nwrite_key: wk";
        assert_eq!(paths("Form", &stored, &stored), [""; 0]);
        assert_eq!(paths("Form", &stored, "name: forms/a"), [""; 0], "left out, it stays");
        let wanted = form(&format!("{company}, {}", devices("{value: PLC}, {value: 传感器}")));
        assert_eq!(
            paths("Form", &stored, &wanted),
            ["schema.fields[1].options[1]: null → {\"value\":\"传感器\"}"]
        );
        let renamed = stored.replace("公司", "单位");
        assert_eq!(
            paths("Form", &stored, &renamed),
            ["schema.fields[0].label.zh: \"公司\" → \"单位\""]
        );
    }

    #[test]
    fn calendars_are_compared_by_meaning() {
        let block = "name: calendars/a\nspec:\n  time_zone: UTC\n  windows: [['09:00', '18:00']]";
        let json = "name: calendars/a\nspec: '{\"windows\": [[\"09:00\", \"18:00\"]], \"time_zone\": \"UTC\"}'";
        assert_eq!(paths("Calendar", json, block), [""; 0]);
        assert_eq!(
            paths("Calendar", json, &block.replace("18:00", "17:00")),
            ["spec.windows: [[\"09:00\",\"18:00\"]] → [[\"09:00\",\"17:00\"]]"]
        );
    }

    #[test]
    fn changes_are_short_to_read() {
        let change = |before: Value, after: Value| {
            let path = "body".to_owned();
            FieldChange { path, before, after }.to_string()
        };
        assert_eq!(change(Value::Null, 5.into()), "      body: (not set) → 5");
        assert_eq!(change("a".into(), "b".into()), "      body: a → b");
        assert_eq!(
            change("same\nold".into(), "same\nnew\nmore".into()),
            "      body:\n        - old\n        + new\n        + more"
        );
    }

    #[test]
    fn hidden_tokens_do_not_differ() {
        let channel = |endpoint| format!("name: channels/a\nendpoint: {endpoint}\nsecret: SEC1");
        let given = channel("https://x/send?access_token=abcdefgh");
        for shown in [
            "https://x/send?access_token=***",
            "https://x/send?access_token=ab****gh",
            "https://x/send?access_token=…",
        ] {
            assert_eq!(paths("Channel", &channel(shown), &given), [""; 0], "{shown}");
        }
        assert_eq!(
            paths("Channel", &channel("https://y/send?access_token=***"), &given).len(),
            1
        );
    }
}
