//! What people write into cells.

use super::reason::{self, Reason};
use crate::domain::lead::Urgency;

/// Reads an urgency.
pub(super) fn urgency(cell: &str) -> Option<Urgency> {
    match cell.to_lowercase().as_str() {
        "red" | "high" | "urgent" | "红" | "红色" | "高" | "紧急" => Some(Urgency::Red),
        "yellow" | "medium" | "normal" | "黄" | "黄色" | "中" | "一般" => Some(Urgency::Yellow),
        "green" | "low" | "绿" | "绿色" | "低" => Some(Urgency::Green),
        _ => None,
    }
}

/// Reads an amount in yuan, such as `120000`, `1,200.50`, `¥99` or `12万`; returns fen.
pub(super) fn amount(cell: &str, in_ten_thousands: bool) -> Result<i64, Reason> {
    let text = cell.trim_start_matches(['¥', '￥']).trim_end_matches('元').trim();
    let (text, decimals_allowed) = match text.strip_suffix('万') {
        Some(text) => (text.trim(), 6),
        None if in_ten_thousands => (text, 6),
        None => (text, 2),
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = ungrouped(whole).ok_or_else(reason::no_amount)?;
    let decimals = decimals.trim_end_matches('0');
    if whole.is_empty() || !digits(&whole) || !digits(decimals) || decimals.len() > decimals_allowed {
        return Err(reason::no_amount());
    }
    format!("{whole}{decimals:0<decimals_allowed$}")
        .parse()
        .map_err(|_| reason::no_amount())
}

/// Takes the commas out of `1,200,000`; none if they stand elsewhere than before three digits.
fn ungrouped(whole: &str) -> Option<String> {
    let mut groups = whole.split([',', '，']);
    let first = groups.next()?;
    let mut text = first.to_owned();
    for group in groups {
        if group.len() != 3 || first.is_empty() || first.len() > 3 {
            return None;
        }
        text.push_str(group);
    }
    Some(text)
}

/// Returns whether a spreadsheet took a phone number for a number and cut it to `1.38E+10`.
pub(super) fn is_cut_number(cell: &str) -> bool {
    let Some((number, exponent)) = cell.split_once(['E', 'e']) else {
        return false;
    };
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_number(number) && is_number(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (cell, fen) in [
            ("0", 0),
            ("12", 1_200),
            ("99.99", 9_999),
            ("0.50", 50),
            ("1,200,000.5", 120_000_050),
            ("¥99", 9_900),
            ("￥ 99 元", 9_900),
            ("12万", 12_000_000),
            ("1.2345 万元", 1_234_500),
        ] {
            assert_eq!(amount(cell, false).ok(), Some(fen), "{cell}");
        }
        assert_eq!(amount("12.5", true).ok(), Some(12_500_000));
        assert_eq!(amount("12.5万", true).ok(), Some(12_500_000));
        for bad in [
            "-1",
            "1.234",
            ".5",
            "1,00",
            "12,3456",
            ",123",
            "20-50万",
            "1e5",
            "约12万",
            "99999999999999999999",
            "=1+1",
            "１２",
        ] {
            assert!(amount(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_that_were_cut_are_seen() {
        for cell in ["1.38E+10", "1.38001E+10", "8.6e12"] {
            assert!(is_cut_number(cell), "{cell}");
        }
        for cell in ["13800138000", "+86 138", "E", "ext. 5", "abcE+10", "1E", ""] {
            assert!(!is_cut_number(cell), "{cell}");
        }
    }
}
