//! Numbers of bodies, multiplied exactly.

/// Digits behind the point that are read.
const MAX_SCALE: usize = 9;

/// Multiplies a decimal number; none for what is no number, or no whole one afterwards, or too great.
pub(crate) fn times(text: &str, factor: i64) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > MAX_SCALE {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let number: i128 = format!("{whole}{fraction}").parse().ok()?;
    let product = number.checked_mul(i128::from(factor))?;
    let exact = (product % scale == 0).then_some(product / scale)?;
    i64::try_from(if negative { -exact } else { exact }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_exact_or_none() {
        for (text, factor, expected) in [
            ("128000", 100, Some(12_800_000)),
            ("12.5", 100, Some(1250)),
            ("12.50", 100, Some(1250)),
            ("-0.01", 100, Some(-1)),
            ("0.001", 100, None),
            ("1.", 100, Some(100)),
            (".5", 100, None),
            ("", 100, None),
            ("1e3", 100, None),
            ("¥5", 100, None),
            ("99999999999999999999", 1, None),
            ("999999999999999999999999999999999999999999", 1, None),
            ("1.0000000001", 1, None),
        ] {
            assert_eq!(times(text, factor), expected, "{text:?} × {factor}");
        }
    }
}
