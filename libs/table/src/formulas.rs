//! Cells that a spreadsheet must not calculate.

use std::borrow::Cow;

/// What spreadsheets take for the beginning of a formula, in half and full width.
const FORMULA_STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Writes an apostrophe before a text that would be taken for a formula, or that looks as if it had one already. Numbers are
/// written without: they shall be calculated with.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if is_formula(text.trim_start_matches('\'')) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Takes the apostrophe of [`escape`] off again.
#[must_use]
pub fn unescape(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        _ => text,
    }
}

fn is_formula(text: &str) -> bool {
    text.starts_with(FORMULA_STARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_calculate_is_escaped_and_comes_back() {
        for (text, written) in [
            ("华东", "华东"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("-预算 < 0", "'-预算 < 0"),
            ("+1", "'+1"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("＝SUM(A1)", "'＝SUM(A1)"),
            ("@家", "'@家"),
            ("'=1", "''=1"),
            ("''+1", "'''+1"),
            ("'展会' = 来源", "'展会' = 来源"),
            ("'", "'"),
            ("", ""),
        ] {
            assert_eq!(escape(text), written);
            assert_eq!(unescape(written), text, "{written}");
        }
    }
}
