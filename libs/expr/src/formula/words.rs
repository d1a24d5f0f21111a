//! The words of the formula face: functions by all their names, and the names that mean something else than a field.

use crate::{Function, names};

/// What a word before an opening parenthesis calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Callee {
    Function(Function),
    And,
    Or,
    In,
    Concat,
}

/// A word that is an operator or a value by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
    In,
    True,
    False,
}

const KEYWORDS: [(&str, Keyword); 14] = [
    ("AND", Keyword::And),
    ("并且", Keyword::And),
    ("且", Keyword::And),
    ("OR", Keyword::Or),
    ("或者", Keyword::Or),
    ("或", Keyword::Or),
    ("NOT", Keyword::Not),
    ("非", Keyword::Not),
    ("IN", Keyword::In),
    ("属于", Keyword::In),
    ("TRUE", Keyword::True),
    ("真", Keyword::True),
    ("FALSE", Keyword::False),
    ("假", Keyword::False),
];

const CHINESE: [(&str, Function); 32] = [
    ("如果", Function::If),
    ("首个非空", Function::Coalesce),
    ("为空", Function::IsBlank),
    ("包含", Function::Contains),
    ("开头是", Function::StartsWith),
    ("结尾是", Function::EndsWith),
    ("包含任一", Function::AnyOf),
    ("包含全部", Function::AllOf),
    ("长度", Function::Len),
    ("小写", Function::Lower),
    ("大写", Function::Upper),
    ("去空格", Function::Trim),
    ("四舍五入", Function::Round),
    ("绝对值", Function::Abs),
    ("最小值", Function::Min),
    ("最大值", Function::Max),
    ("求和", Function::Sum),
    ("计数", Function::Count),
    ("今天", Function::Today),
    ("现在", Function::Now),
    ("日期", Function::Date),
    ("日期部分", Function::DateOf),
    ("相差天数", Function::Days),
    ("相差小时", Function::Hours),
    ("相差分钟", Function::Minutes),
    ("年", Function::Year),
    ("月", Function::Month),
    ("日", Function::Day),
    ("星期", Function::Weekday),
    ("小时", Function::Hour),
    ("加天数", Function::AddDays),
    ("加小时", Function::AddHours),
];

/// Functions of this face alone: they are operators of the core.
const OPERATORS: [(&str, Callee); 9] = [
    ("AND", Callee::And),
    ("并且", Callee::And),
    ("且", Callee::And),
    ("OR", Callee::Or),
    ("或者", Callee::Or),
    ("或", Callee::Or),
    ("IN", Callee::In),
    ("属于", Callee::In),
    ("CONCAT", Callee::Concat),
];

const JOIN: (&str, Callee) = ("连接", Callee::Concat);

/// Finds the keyword that a whole name is; letters may be of either case.
pub(super) fn keyword(name: &str) -> Option<Keyword> {
    KEYWORDS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, keyword)| *keyword)
}

/// Finds what a name before a parenthesis calls; letters may be of either case.
pub(super) fn callee(name: &str) -> Option<Callee> {
    let operator = OPERATORS
        .iter()
        .chain([&JOIN])
        .find(|(word, _)| word.eq_ignore_ascii_case(name));
    let english = || {
        Function::ALL
            .iter()
            .find(|function| function.name().eq_ignore_ascii_case(name))
    };
    let chinese = || {
        CHINESE
            .iter()
            .find(|(word, _)| *word == name)
            .map(|(_, function)| function)
    };
    operator
        .map(|(_, callee)| *callee)
        .or_else(|| english().or_else(chinese).map(|f| Callee::Function(*f)))
}

/// Finds the function that a misspelt name most likely meant.
pub(super) fn nearest_function(name: &str) -> Option<&'static str> {
    let english = Function::ALL.iter().map(|function| function.name());
    let chinese = CHINESE.iter().map(|(word, _)| *word);
    let operators = OPERATORS.iter().chain([&JOIN]).map(|(word, _)| *word);
    names::nearest(name, english.chain(chinese).chain(operators).chain(["NOT", "非"]))
}

/// Finds the Chinese operator that a name starts with: Chinese is written without spaces, but formulas need them there.
pub(super) fn leading_operator(name: &str) -> Option<&'static str> {
    let chinese = KEYWORDS
        .iter()
        .filter(|(word, _)| !word.is_ascii())
        .map(|(word, _)| *word);
    let longest = chinese
        .filter(|word| name.starts_with(word) && name.len() > word.len())
        .max_by_key(|word| word.len())?;
    matches!(keyword(longest), Some(Keyword::And | Keyword::Or | Keyword::In)).then_some(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_one_name_in_each_language() {
        for function in Function::ALL {
            assert_eq!(
                callee(&function.name().to_lowercase()),
                Some(Callee::Function(function))
            );
            assert_eq!(
                CHINESE.iter().filter(|(_, named)| *named == function).count(),
                1,
                "{function:?}"
            );
        }
        assert_eq!(callee("如果"), Some(Callee::Function(Function::If)));
        assert_eq!(callee("连接"), Some(Callee::Concat));
        assert_eq!(callee("Or"), Some(Callee::Or));
        assert_eq!(callee("如何"), None);
    }

    #[test]
    fn misspelt_words_are_recognised() {
        assert_eq!(nearest_function("CONTANS"), Some("CONTAINS"));
        assert_eq!(nearest_function("包函"), Some("包含"));
        assert_eq!(nearest_function("包含全"), Some("包含"));
        assert_eq!(leading_operator("并且客户"), Some("并且"));
        assert_eq!(leading_operator("或者客户"), Some("或者"));
        assert_eq!(leading_operator("或许"), Some("或"));
        assert_eq!(leading_operator("并且"), None);
        assert_eq!(leading_operator("真的"), None);
    }
}
