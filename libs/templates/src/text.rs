//! Texts of others inside our messages: no markup, no mentions, no links, no phone numbers.

use super::key::Kind;

/// Stands for a value that is empty.
pub const NOTHING: &str = "—";
/// Longest value kept, in characters.
const MAX_CHARS: usize = 120;

/// Makes a value harmless inside Markdown.
///
/// Signs with a meaning become their full-width twins, which look alike and mean nothing: robots differ in what a
/// backslash does, and a reader should not see one.
#[must_use]
pub fn harmless(value: &str) -> String {
    let value = one_line(value);
    if value.is_empty() {
        return NOTHING.to_owned();
    }
    let twin = |sign: char| match sign {
        '*' | '_' | '#' | '`' | '[' | ']' | '<' | '>' | '!' | '|' | '~' | '@' | '\\' | '{' | '}' => {
            // The full-width forms of ASCII are its own, 0xfee0 higher.
            char::from_u32(u32::from(sign) + 0xfee0).unwrap_or(' ')
        }
        other => other,
    };
    // Chats make links of whatever looks like an address.
    value.chars().map(twin).collect::<String>().replace("://", "：//")
}

/// Writes a fact into a title, which is plain text.
pub(crate) fn in_title(kind: Kind, fact: &str) -> String {
    let line = match kind {
        Kind::Ours => one_line(fact),
        Kind::Typed => one_line(&without_phones(fact)),
        Kind::Lines => return String::new(),
    };
    if line.is_empty() { NOTHING.to_owned() } else { line }
}

/// Writes a fact into a body, which is Markdown.
pub(crate) fn in_body(kind: Kind, fact: &str) -> String {
    match kind {
        Kind::Ours => harmless(fact),
        Kind::Typed => harmless(&without_phones(fact)),
        Kind::Lines => {
            let lines = fact.lines().map(|line| line.trim_start_matches("- "));
            let shown = lines
                .filter(|line| !line.trim().is_empty())
                .map(|line| format!("- {}", harmless(line)));
            shown.collect::<Vec<_>>().join("\n")
        }
    }
}

/// Joins the lines of a text, drops control characters, and cuts what is too long.
#[must_use]
pub fn one_line(value: &str) -> String {
    let words = value.split(|character: char| character.is_whitespace() || character.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// Hides what looks like a phone number: eight and more digits, also with single spaces or dashes in between.
#[must_use]
pub fn without_phones(value: &str) -> String {
    let chars: Vec<char> = value.chars().collect();
    let mut shown = String::with_capacity(value.len());
    let mut at = 0;
    while at < chars.len() {
        let end = number_end(&chars, at);
        let digits = chars[at..end].iter().filter(|char| is_digit(**char)).count();
        if digits >= 8 {
            shown.extend(&chars[at..at + 3]);
            shown.push_str("•••");
            at = end;
        } else {
            let end = end.max(at + 1);
            shown.extend(&chars[at..end]);
            at = end;
        }
    }
    shown
}

/// Returns where the run of digits that starts at `at` ends.
fn number_end(chars: &[char], at: usize) -> usize {
    let is_digit_at = |at: usize| chars.get(at).is_some_and(|char| is_digit(*char));
    let mut end = at;
    loop {
        if is_digit_at(end) {
            end += 1;
        } else if end > at && matches!(chars.get(end), Some(' ' | '-' | '.')) && is_digit_at(end + 1) {
            end += 2;
        } else {
            return end;
        }
    }
}

fn is_digit(char: char) -> bool {
    char.is_ascii_digit() || ('０'..='９').contains(&char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_mentions_and_links_lose_their_meaning() {
        for (value, expected) in [
            ("华东机床", "华东机床"),
            ("", NOTHING),
            (" \n\t ", NOTHING),
            ("[点我](http://evil.example)", "［点我］(http：//evil.example)"),
            ("**假的** # 标题\n- 列表", "＊＊假的＊＊ ＃ 标题 - 列表"),
            ("@all @13800000001", "＠all ＠13800000001"),
            ("a_b `c` <d> {{number}}", "a＿b ｀c｀ ＜d＞ ｛｛number｝｝"),
            ("a\0b\u{7}c", "a b c"),
        ] {
            assert_eq!(harmless(value), expected);
        }
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(one_line(&"长".repeat(1_000)).chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn phone_numbers_are_hidden_and_other_numbers_stay() {
        for (value, expected) in [
            ("张三 13800000001", "张三 138•••"),
            ("138-0000-0001 王总", "138••• 王总"),
            ("+86 138 0000 0001 王总", "+86 ••• 王总"),
            ("021-55550000", "021•••"),
            ("１３８００００００００１", "１３８•••"),
            ("数控 DMG-5000, 3 台, 2026 年", "数控 DMG-5000, 3 台, 2026 年"),
            ("", ""),
        ] {
            assert_eq!(without_phones(value), expected);
        }
    }
}
