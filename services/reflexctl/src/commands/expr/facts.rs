//! Files of facts.

use anyhow::Context as _;
use reflex_expr::{FactError, Facts, Schema, limits};
use serde_json::Value as Json;

use crate::cli::Language;

/// Records as a file has them.
#[derive(Debug)]
pub(super) struct Records {
    /// Whether the file is one object and nothing else.
    pub(super) is_single: bool,
    pub(super) records: Vec<Json>,
}

impl Records {
    /// Reads one object, objects one after the other (JSON lines), or arrays of objects.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut records = Vec::new();
        let mut is_single = true;
        for value in serde_json::Deserializer::from_str(text).into_iter() {
            match value.context("the facts are no JSON")? {
                Json::Array(items) => {
                    is_single = false;
                    records.extend(items);
                }
                record => records.push(record),
            }
        }
        is_single &= records.len() == 1;
        Ok(Self { is_single, records })
    }
}

/// Fits a record to the schema; `Err` says in the language why it does not fit.
pub(super) fn read<'a>(schema: &'a Schema, record: &Json, lang: Language) -> Result<Facts<'a>, String> {
    Facts::from_json(schema, record).map_err(|error| match lang {
        Language::En => error.to_string(),
        Language::Zh => chinese(&error),
    })
}

fn chinese(error: &FactError) -> String {
    match error {
        FactError::UnknownField {
            name,
            suggestion: Some(near),
        } => format!("没有字段“{name}”，是否应为 {near} ？"),
        FactError::UnknownField { name, suggestion: None } => format!("没有字段“{name}”"),
        FactError::WrongType { name, expected, found } => {
            format!("字段“{name}”的类型是 {expected}，这里不是：{found}")
        }
        FactError::UnknownOption { name, found } => format!("字段“{name}”没有选项“{found}”"),
        FactError::TooLarge { name } => format!(
            "字段“{name}”的值超过 {} 字节或 {} 项",
            limits::FACT_BYTES,
            limits::FACT_ITEMS
        ),
        FactError::NotAnObject => "每条记录应为一个 JSON 对象".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_come_in_any_number() {
        for (text, is_single, count) in [
            ("", false, 0),
            ("{\n \"a\": 1\n}\n", true, 1),
            ("{\"a\": 1}\n{\"a\": 2}\n", false, 2),
            ("[{\"a\": 1}]", false, 1),
            ("[{}, {}]", false, 2),
        ] {
            let found = Records::parse(text).expect("JSON");
            assert_eq!((found.is_single, found.records.len()), (is_single, count), "{text:?}");
        }
        assert!(Records::parse("{").is_err());
        assert!(Records::parse(&"[".repeat(100_000)).is_err(), "nested too deeply");
    }

    #[test]
    fn what_does_not_fit_is_told_in_both_languages() {
        let schema: Schema = serde_json::from_str(
            r#"{"fields": [{"name": "客户.等级", "type": "text", "options": ["A"]}, {"name": "预算", "type": "number"}]}"#,
        )
        .expect("a schema");
        for (record, zh, en) in [
            (
                r#"{"预标": 1}"#,
                "没有字段“预标”，是否应为 预算 ？",
                "did you mean '预算'?",
            ),
            (r#"{"预算": "many"}"#, "的类型是 number", "is of type number"),
            (r#"{"客户": {"等级": "C"}}"#, "没有选项“C”", "has no option 'C'"),
            ("7", "每条记录应为一个 JSON 对象", "facts are a JSON object"),
        ] {
            let record: Json = serde_json::from_str(record).expect("JSON");
            for (lang, expected) in [(Language::Zh, zh), (Language::En, en)] {
                let text = read(&schema, &record, lang).expect_err("it does not fit");
                assert!(text.contains(expected), "{text}");
            }
        }
    }
}
