//! What can be wrong with an answer, in the words of the page.

use crate::domain::member::Locale;

/// Choices that are listed; more do not help anybody.
const LISTED: usize = 10;

/// What is wrong with an answer. It never repeats the answer itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Missing,
    Control,
    TooLong {
        most: usize,
        characters: usize,
    },
    Phone,
    Email,
    /// The values there are.
    Choice(Vec<String>),
    Urgency,
    Number,
    Below(i64),
    Above(i64),
    Reversed,
    /// Labels of the fields of which one is needed.
    NoContact(Vec<String>),
}

impl Fault {
    pub(super) fn text(&self, locale: Locale) -> String {
        match locale {
            Locale::ZhCn => self.chinese(),
            Locale::En => self.english(),
        }
    }

    fn chinese(&self) -> String {
        match self {
            Self::Missing => "必填".to_owned(),
            Self::Control => "不能含有控制字符".to_owned(),
            Self::TooLong { most, characters } => format!("最多 {most} 个字符，现有 {characters} 个"),
            Self::Phone => "不是电话号码，例如 13800138000 或 021-62345678转801".to_owned(),
            Self::Email => "不是邮箱地址，例如 wang@example.cn".to_owned(),
            Self::Choice(values) => format!("只能选择：{}", list(values, "、")),
            Self::Urgency => "只能选择：红、黄、绿".to_owned(),
            Self::Number => "须为最多两位小数的数字，例如 12800.50".to_owned(),
            Self::Below(least) => format!("不能小于 {least}"),
            Self::Above(most) => format!("不能大于 {most}"),
            Self::Reversed => "不能小于最低值".to_owned(),
            Self::NoContact(labels) => format!("至少填写一项：{}", list(labels, "、")),
        }
    }

    fn english(&self) -> String {
        match self {
            Self::Missing => "must be given".to_owned(),
            Self::Control => "must not contain control characters".to_owned(),
            Self::TooLong { most, characters } => format!("must be at most {most} characters, has {characters}"),
            Self::Phone => "must be a phone number, such as 13800138000 or +86 21 62345678".to_owned(),
            Self::Email => "must be a mail address, such as wang@example.cn".to_owned(),
            Self::Choice(values) => format!("must be one of: {}", list(values, ", ")),
            Self::Urgency => "must be one of: red, yellow, green".to_owned(),
            Self::Number => "must be a number with at most two decimals, such as 12800.50".to_owned(),
            Self::Below(least) => format!("must not be below {least}"),
            Self::Above(most) => format!("must not be above {most}"),
            Self::Reversed => "must not be below the least".to_owned(),
            Self::NoContact(labels) => format!("give at least one of: {}", list(labels, ", ")),
        }
    }
}

fn list(words: &[String], between: &str) -> String {
    let mut listed = words.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>();
    if words.len() > LISTED {
        listed.push("…");
    }
    listed.join(between)
}
