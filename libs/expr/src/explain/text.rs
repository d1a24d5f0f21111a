//! What is missing, in words.

use crate::error::{Error, Lang};
use crate::{Value, names};

use super::{Explanation, Missing, Operand, Outcome, Shape};

pub(super) fn of(missing: &Missing<'_>, lang: Lang) -> String {
    let (and, or) = match lang {
        Lang::Zh => ("，并且 ", "，或者 "),
        Lang::En => (", and ", ", or "),
    };
    match missing {
        Missing::One { condition, wanted } => single(condition, *wanted, lang),
        Missing::All(parts) => joined(parts, and, lang),
        Missing::Any(parts) => joined(parts, or, lang),
    }
}

fn joined(parts: &[Missing<'_>], word: &str, lang: Lang) -> String {
    let part = |part: &Missing<'_>| match (part, lang) {
        (Missing::One { .. }, _) => of(part, lang),
        (_, Lang::Zh) => format!("（{}）", of(part, lang)),
        (_, Lang::En) => format!("({})", of(part, lang)),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(word)
}

fn single(condition: &Explanation, wanted: bool, lang: Lang) -> String {
    let text = &condition.text;
    let needed = match (wanted, lang) {
        (true, Lang::Zh) => format!("需要 {text}"),
        (false, Lang::Zh) => format!("不应 {text}"),
        (true, Lang::En) => format!("needs {text}"),
        (false, Lang::En) => format!("must not be {text}"),
    };
    let now = match &condition.shape {
        Shape::Test { subject, values, .. } => {
            let operands = std::iter::once(subject)
                .chain(values)
                .filter(|operand| !operand.literal);
            operands.map(|operand| current(operand, lang)).collect::<Vec<_>>()
        }
        _ => vec![outcome(&condition.outcome, lang)],
    };
    match lang {
        Lang::Zh => format!("{needed}（{}）", now.join("，")),
        Lang::En => format!("{needed} ({})", now.join(", ")),
    }
}

fn current(operand: &Operand, lang: Lang) -> String {
    let value = outcome(&operand.outcome, lang);
    match lang {
        Lang::Zh => format!("{} 现为 {value}", operand.text),
        Lang::En => format!("{} is {value}", operand.text),
    }
}

fn outcome(outcome: &Outcome, lang: Lang) -> String {
    match (outcome, lang) {
        (Ok(value), Lang::Zh) if value.is_blank() => "空白".to_owned(),
        (Ok(value), Lang::En) if value.is_blank() => "blank".to_owned(),
        (Ok(Value::Bool(value)), Lang::Zh) => if *value { "是" } else { "否" }.to_owned(),
        (Ok(Value::Bool(value)), Lang::En) => if *value { "yes" } else { "no" }.to_owned(),
        (Ok(value), _) => names::shortened(&value.to_string(), 60),
        (Err(error), lang) => Error::from(*error).text(lang),
    }
}
