//! The sentences. They speak to whoever writes formulas, not to programmers: what is wrong, and what to do about it.

use super::{Expected, Failure, Lang, Problem};
use crate::names::shortened;
use crate::{Type, limits};

/// Says what is wrong, and what to write where that is known.
pub(super) fn of(problem: &Problem, lang: Lang) -> String {
    match (lang, problem.suggestion()) {
        (Lang::Zh, None) => zh(problem),
        (Lang::Zh, Some(suggestion)) => format!("{}，是否应为 {suggestion} ？", zh(problem)),
        (Lang::En, None) => en(problem),
        (Lang::En, Some(suggestion)) => format!("{}, did you mean {suggestion} ?", en(problem)),
    }
}

fn zh(problem: &Problem) -> String {
    match problem {
        Problem::SourceTooLong { bytes } => {
            format!("公式太长：{bytes} 字节，最多 {} 字节", limits::SOURCE_BYTES)
        }
        Problem::TooDeep => format!("括号或函数嵌套太深，最多 {} 层", limits::DEPTH),
        Problem::TooManyNodes => format!("公式太大，最多 {} 个组成部分", limits::NODES),
        Problem::Empty => "公式是空的".to_owned(),
        Problem::UnexpectedCharacter { character } => format!("公式中不能使用字符 {}", visible(*character)),
        Problem::UnclosedText => "文本缺少结尾的引号".to_owned(),
        Problem::UnclosedName => "字段名缺少结尾的方括号 ]".to_owned(),
        Problem::BadName => "字段名不完整：点号和方括号之间要有名称".to_owned(),
        Problem::BadNumber { text } => format!("不是正确的数字：{}（最多 28 位）", shortened(text, 40)),
        Problem::BadDate { text } => {
            format!(
                "不是正确的日期：{}（写法如 #2026-02-03# 或 #2026-02-03T09:00:00+08:00#）",
                shortened(text, 40)
            )
        }
        Problem::Unexpected { expected, found } => {
            let expected = match expected {
                Expected::Operand => "值、字段或函数",
                Expected::Operator => "运算符或公式结尾",
                Expected::Closing => "逗号或右括号",
                Expected::Opening => "左括号",
            };
            format!("这里应为{expected}，却是{}", found_zh(found))
        }
        Problem::SpaceNeeded { word, rest } => {
            format!("“{word}”后面要有空格：{word} {}", shortened(rest, 20))
        }
        Problem::ChainedComparison => "比较不能连写，请用 AND 连接，如 1 < a AND a < 5".to_owned(),
        Problem::UnknownFunction { name, .. } => format!("没有函数“{}”", shortened(name, 40)),
        Problem::ArgumentCount {
            name,
            least,
            most,
            found,
        } => {
            let wanted = match (*least, *most) {
                (least, usize::MAX) => format!("至少 {least} 个"),
                (least, most) if least == most => format!("{least} 个"),
                (least, most) => format!("{least} 到 {most} 个"),
            };
            format!("函数 {name} 需要{wanted}参数，这里有 {found} 个")
        }
        Problem::UnknownField { name, .. } => format!("没有字段“{}”", shortened(name, 40)),
        Problem::UnknownOption { field, option, .. } => {
            format!("字段“{field}”没有选项“{}”", shortened(option, 40))
        }
        Problem::WrongType { expected, found, .. } => {
            format!("这里需要{}，却是{}", kinds(expected, Lang::Zh), kind_zh(*found))
        }
        Problem::NotComparable { left, right, .. } => format!("{}不能与{}比较", kind_zh(*left), kind_zh(*right)),
        Problem::NoOrder { kind } => {
            format!("{}没有大小，只能用 = 和 <> 比较", kind_zh(*kind))
        }
        Problem::BranchesDiffer { function, first, other } => {
            format!(
                "{} 的各个结果类型必须相同：前面是{}，这里是{}",
                function.name(),
                kind_zh(*first),
                kind_zh(*other)
            )
        }
        Problem::WrongResult { expected, found } => {
            format!("公式的结果应为{}，却是{}", kind_zh(*expected), kind_zh(*found))
        }
        Problem::TooCostly { cost } => format!("公式计算量太大：{cost}，最多 {}", limits::COST),
        Problem::Failed(failure) => match failure {
            Failure::DivisionByZero => "除数为零",
            Failure::NumberTooLarge => "数字超出范围（最多 28 位）",
            Failure::NoSuchDate => "没有这一天，或日期超出范围",
            Failure::NotWhole => "这里需要整数",
            Failure::DecimalPlaces => "小数位数应为 0 到 28",
            Failure::TooMuchData => "文本或列表太长，无法计算",
            Failure::OtherSchema => "字段定义已变更，请重新保存公式",
        }
        .to_owned(),
    }
}

fn en(problem: &Problem) -> String {
    match problem {
        Problem::SourceTooLong { bytes } => {
            format!(
                "the formula is too long: {bytes} bytes, the limit is {}",
                limits::SOURCE_BYTES
            )
        }
        Problem::TooDeep => format!(
            "parentheses or functions are nested too deeply, the limit is {} levels",
            limits::DEPTH
        ),
        Problem::TooManyNodes => format!("the formula is too large, the limit is {} parts", limits::NODES),
        Problem::Empty => "the formula is empty".to_owned(),
        Problem::UnexpectedCharacter { character } => {
            format!("the character {} has no meaning in a formula", visible(*character))
        }
        Problem::UnclosedText => "the closing quote of this text is missing".to_owned(),
        Problem::UnclosedName => "the closing bracket ] of this field name is missing".to_owned(),
        Problem::BadName => "this field name is incomplete: dots and brackets need a name between them".to_owned(),
        Problem::BadNumber { text } => format!("not a number of up to 28 digits: {}", shortened(text, 40)),
        Problem::BadDate { text } => {
            format!(
                "not a date: {} (write #2026-02-03# or #2026-02-03T09:00:00+08:00#)",
                shortened(text, 40)
            )
        }
        Problem::Unexpected { expected, found } => {
            let expected = match expected {
                Expected::Operand => "a value, a field or a function",
                Expected::Operator => "an operator or the end of the formula",
                Expected::Closing => "a comma or a closing parenthesis",
                Expected::Opening => "an opening parenthesis",
            };
            let found = if found.is_empty() {
                "the end of the formula".to_owned()
            } else {
                shortened(found, 40)
            };
            format!("expected {expected}, found {found}")
        }
        Problem::SpaceNeeded { word, rest } => {
            format!("a space is needed after {word}: {word} {}", shortened(rest, 20))
        }
        Problem::ChainedComparison => "comparisons cannot be chained, join them by AND: 1 < a AND a < 5".to_owned(),
        Problem::UnknownFunction { name, .. } => format!("there is no function {}", shortened(name, 40)),
        Problem::ArgumentCount {
            name,
            least,
            most,
            found,
        } => {
            let wanted = match (*least, *most) {
                (least, usize::MAX) => format!("at least {least}"),
                (least, most) if least == most => format!("{least}"),
                (least, most) => format!("{least} to {most}"),
            };
            format!("the number of arguments of {name} is {wanted}, not {found}")
        }
        Problem::UnknownField { name, .. } => format!("there is no field {}", shortened(name, 40)),
        Problem::UnknownOption { field, option, .. } => {
            format!("the field {field} has no option '{}'", shortened(option, 40))
        }
        Problem::WrongType { expected, found, .. } => {
            format!("expected {}, this is {}", kinds(expected, Lang::En), kind_en(*found))
        }
        Problem::NotComparable { left, right, .. } => {
            format!("{} cannot be compared with {}", kind_en(*left), kind_en(*right))
        }
        Problem::NoOrder { kind } => {
            format!(
                "{} is neither less nor greater than another: use = and <>",
                kind_en(*kind)
            )
        }
        Problem::BranchesDiffer { function, first, other } => {
            let (first, other) = (kind_en(*first), kind_en(*other));
            format!(
                "the results of {} must be of one type: the first is {first}, this is {other}",
                function.name()
            )
        }
        Problem::WrongResult { expected, found } => {
            format!(
                "the formula must result in {}, not in {}",
                kind_en(*expected),
                kind_en(*found)
            )
        }
        Problem::TooCostly { cost } => format!("the formula costs too much: {cost}, the limit is {}", limits::COST),
        Problem::Failed(failure) => match failure {
            Failure::DivisionByZero => "division by zero",
            Failure::NumberTooLarge => "the number is out of range (28 digits)",
            Failure::NoSuchDate => "there is no such day, or it is out of range",
            Failure::NotWhole => "a whole number is needed here",
            Failure::DecimalPlaces => "decimal places are 0 to 28",
            Failure::TooMuchData => "the texts or lists are too long to calculate with",
            Failure::OtherSchema => "the fields have changed since the formula was saved: save it again",
        }
        .to_owned(),
    }
}

fn found_zh(found: &str) -> String {
    if found.is_empty() {
        "公式结尾".to_owned()
    } else {
        format!(" {}", shortened(found, 40))
    }
}

fn visible(character: char) -> String {
    if character.is_control() || character.is_whitespace() || matches!(character, '\u{E000}'..='\u{F8FF}') {
        format!("U+{:04X}", character as u32)
    } else {
        character.to_string()
    }
}

fn kinds(kinds: &[Type], lang: Lang) -> String {
    let (name, or): (fn(Type) -> &'static str, _) = match lang {
        Lang::Zh => (kind_zh, "或"),
        Lang::En => (kind_en, " or "),
    };
    kinds.iter().map(|kind| name(*kind)).collect::<Vec<_>>().join(or)
}

fn kind_zh(kind: Type) -> &'static str {
    match kind {
        Type::Bool => "是否条件",
        Type::Number => "数字",
        Type::Text => "文本",
        Type::Date => "日期",
        Type::Time => "时间",
        Type::List(crate::Item::Text) => "多选文本",
        Type::List(crate::Item::Number) => "数字列表",
        Type::List(crate::Item::Date) => "日期列表",
    }
}

fn kind_en(kind: Type) -> &'static str {
    match kind {
        Type::Bool => "a yes/no condition",
        Type::Number => "a number",
        Type::Text => "a text",
        Type::Date => "a date",
        Type::Time => "a time",
        Type::List(crate::Item::Text) => "a list of texts",
        Type::List(crate::Item::Number) => "a list of numbers",
        Type::List(crate::Item::Date) => "a list of dates",
    }
}
