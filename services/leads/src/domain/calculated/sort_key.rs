//! Where values stand in an ordered list: texts whose byte order is that of the values of one type.

use reflex_expr::Value;
use rust_decimal::Decimal;

/// Characters of a text that count; equal beginnings are told apart by the record.
const TEXT_CHARACTERS: usize = 128;

/// Returns the key of a value; `None` for a blank.
#[must_use]
pub fn of(value: &Value<'_>) -> Option<String> {
    Some(match value {
        Value::Bool(value) => number(Decimal::from(u8::from(*value))),
        Value::Number(value) => number(*value),
        Value::Text(text) if !text.is_empty() => text.chars().take(TEXT_CHARACTERS).collect(),
        Value::Date(day) => number(Decimal::from(day.since(jiff::civil::Date::ZERO).ok()?.get_days())),
        Value::Time(time) => number(Decimal::from(time.as_microsecond())),
        Value::Blank | Value::Text(_) | Value::List(_) => return None,
    })
}

/// Writes all digits a decimal can have, those of a negative one turned round: `9` for `0`, so that more is less.
fn number(number: Decimal) -> String {
    let digits = number.abs().to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let digits = format!("{whole:0>29}.{fraction:0<28}");
    if number.is_zero() || number.is_sign_positive() {
        return format!("1{digits}");
    }
    let turned = digits.bytes().map(|digit| {
        if digit == b'.' {
            '.'
        } else {
            char::from(b'9' - (digit - b'0'))
        }
    });
    std::iter::once('0').chain(turned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_keep_their_order() {
        let ascending = [
            "-79228162514264337593543950335",
            "-10",
            "-9.5",
            "-0.0000000000000000000000000001",
            "0",
            "0.0000000000000000000000000001",
            "0.3",
            "0.6",
            "0.8",
            "9",
            "10",
            "79228162514264337593543950335",
        ];
        let keys: Vec<_> = ascending.map(|text| number(decimal(text))).into();
        assert!(keys.is_sorted_by(|one, other| one < other), "{keys:#?}");
        assert!(keys.iter().all(|key| key.len() == keys[0].len()), "{keys:#?}");
        assert_eq!(number(-Decimal::ZERO), number(decimal("0.00")));
    }

    proptest! {
        #[test]
        fn any_two_numbers_keep_their_order(
            (a, b) in (any::<i64>(), any::<i64>()), (x, y) in (0_u32..20, 0_u32..20),
        ) {
            let (a, b) = (Decimal::new(a, x), Decimal::new(b, y));
            prop_assert_eq!(number(a).cmp(&number(b)), a.cmp(&b));
        }
    }

    #[test]
    fn other_values_keep_their_order_and_blanks_have_no_key() {
        let key = |value: Value<'_>| of(&value);
        assert!(key(Value::Bool(false)) < key(Value::Bool(true)));
        let day = |text: &str| key(Value::Date(text.parse().unwrap()));
        assert!(day("-000001-12-31") < day("0001-01-01") && day("1999-12-31") < day("2026-02-03"));
        let time = |text: &str| key(Value::Time(text.parse().unwrap()));
        assert!(time("1969-12-31T23:59:59Z") < time("2026-02-03T00:00:05Z"));
        assert!(time("2026-02-03T00:00:05Z") < time("2026-02-03T00:00:05.5Z"));
        assert!(key("A".into()) < key("B".into()));
        assert_eq!(
            key("长".repeat(500).as_str().into()),
            Some("长".repeat(TEXT_CHARACTERS))
        );
        for blank in [Value::Blank, "".into()] {
            assert_eq!(key(blank), None);
        }
    }
}
