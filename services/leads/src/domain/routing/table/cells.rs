//! Single cells of a decision table: lists inside of one, and texts that a spreadsheet must not calculate.

use std::borrow::Cow;

/// What parts the skills of a cell; the first is written, all are read.
const SEPARATORS: [char; 6] = [';', ',', '|', '、', '，', '；'];
/// What spreadsheets take for the beginning of a formula, in half and full width.
const FORMULA_STARTS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Writes an apostrophe before a text that would be taken for a formula, or that looks as if it had one already.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    if is_formula(text.trim_start_matches('\'')) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Takes the apostrophe of [`guarded`] off again.
pub(super) fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        _ => text,
    }
}

fn is_formula(text: &str) -> bool {
    text.starts_with(FORMULA_STARTS)
}

/// Writes skills into one cell; one with a separator or quotation mark of its own is quoted.
pub(super) fn join(skills: &[String]) -> String {
    let quoted = |skill: &String| {
        if skill.contains('"') || skill.contains(SEPARATORS) {
            format!("\"{}\"", skill.replace('"', "\"\""))
        } else {
            skill.clone()
        }
    };
    let quoted: Vec<String> = skills.iter().map(quoted).collect();
    quoted.join(";")
}

/// Reads the skills of a cell; `None` if a quotation mark is not closed or stands elsewhere than around a skill.
pub(super) fn split(cell: &str) -> Option<Vec<String>> {
    let mut skills = Vec::new();
    let mut rest = cell;
    loop {
        rest = rest.trim_start();
        if rest.starts_with('"') {
            let (skill, behind) = quoted(rest)?;
            skills.push(skill);
            rest = behind.trim_start();
            if !rest.is_empty() && !rest.starts_with(SEPARATORS) {
                return None;
            }
        }
        let end = rest.find(SEPARATORS).unwrap_or(rest.len());
        let (plain, behind) = rest.split_at(end);
        let plain = plain.trim();
        if plain.contains('"') {
            return None;
        }
        if !plain.is_empty() {
            skills.push(plain.to_owned());
        }
        let mut behind = behind.chars();
        if behind.next().is_none() {
            return Some(skills);
        }
        rest = behind.as_str();
    }
}

/// Reads a text in quotation marks, doubled ones inside being one, and returns what is behind it, too.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut inside = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let end = rest.find('"')?;
        inside.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(behind) => {
                inside.push('"');
                rest = behind;
            }
            None => return Some((inside, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_calculate_is_guarded_and_comes_back() {
        for (text, written) in [
            ("华东", "华东"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("-预算 < 0", "'-预算 < 0"),
            ("＝SUM(A1)", "'＝SUM(A1)"),
            ("@家", "'@家"),
            ("'=1", "''=1"),
            ("''+1", "'''+1"),
            ("'展会' = 来源", "'展会' = 来源"),
            ("'", "'"),
            ("", ""),
        ] {
            assert_eq!(guarded(text), written);
            assert_eq!(unguarded(written), text, "{written}");
        }
    }

    #[test]
    fn skills_share_a_cell() {
        for (skills, cell) in [
            (&[][..], ""),
            (&["骨科"], "骨科"),
            (&["医保", "德系 车企"], "医保;德系 车企"),
            (&["a;b", "c"], "\"a;b\";c"),
            (&["说\"好\"", "x、y"], "\"说\"\"好\"\"\";\"x、y\""),
        ] {
            let skills: Vec<String> = skills.iter().map(ToString::to_string).collect();
            assert_eq!(join(&skills), cell);
            assert_eq!(split(cell), Some(skills), "{cell}");
        }
        let typed = |cell| split(cell).map(|skills| skills.join("+"));
        assert_eq!(typed(" 医保， 骨科、;急诊 | "), Some("医保+骨科+急诊".to_owned()));
        assert_eq!(typed("\"a\" ; b"), Some("a+b".to_owned()));
        for broken in ["\"a", "a\"b", "\"a\"b", "\"", "\"\"\""] {
            assert_eq!(split(broken), None, "{broken}");
        }
    }
}
