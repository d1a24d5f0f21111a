//! Amounts as people type them.

/// Most yuan an amount may have.
pub const MAX_YUAN: i64 = 10_000_000_000_000;

/// Reads yuan such as "128000", "1,280.50" or "¥300" as fen; `None` for anything else, and above ten trillion yuan.
#[must_use]
pub fn fen(text: &str) -> Option<i64> {
    let text = text
        .trim()
        .trim_start_matches(['¥', '￥'])
        .trim_end_matches('元')
        .trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.replace([',', '，'], "");
    let fraction = fraction.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(&whole) || fraction.len() > 2 || !digits(fraction) {
        return None;
    }
    let yuan = whole.parse().ok().filter(|&yuan: &i64| yuan <= MAX_YUAN)?;
    let fen: i64 = format!("{fraction:0<2}").parse().ok()?;
    Some(yuan * 100 + fen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuan_are_read_exactly() {
        for (text, expected) in [
            ("0", 0),
            ("128000", 12_800_000),
            ("0.1", 10),
            ("0.01", 1),
            ("1,280.50", 128_050),
            ("1，280", 128_000),
            (" ¥300 ", 30_000),
            ("￥99.90元", 9_990),
            ("100000.0", 10_000_000),
            ("5.", 500),
            ("10000000000000", 1_000_000_000_000_000),
        ] {
            assert_eq!(fen(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "-1",
            "+1",
            "1.234",
            "1e5",
            "5万",
            ".5",
            "1.2.3",
            "NaN",
            "∞",
            "10000000000001",
            "１００",
        ] {
            assert_eq!(fen(text), None, "{text}");
        }
        assert_eq!(fen(&"9".repeat(1_000)), None);
    }
}
