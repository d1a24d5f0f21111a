//! Unified social credit codes (统一社会信用代码): which texts are one. GB 32100-2015 has the signs and the check.

use crate::text::fold;

const SIGNS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Weight of the nth sign: 3 to the power of n, modulo 31.
const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// Returns the code a text holds, in capitals; none where it has another length or sign, or its check does not hold.
#[must_use]
pub fn parse(text: &str) -> Option<String> {
    let folded = fold(text).to_uppercase();
    let code: String = folded.chars().filter(|char| !matches!(char, ' ' | '-')).collect();
    let places: Option<Vec<usize>> = code
        .bytes()
        .map(|byte| SIGNS.iter().position(|sign| *sign == byte))
        .collect();
    let places = places.filter(|places| places.len() == 18)?;
    let sum: usize = places.iter().zip(WEIGHTS).map(|(place, weight)| place * weight).sum();
    (places[17] == (31 - sum % 31) % 31).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_checked() {
        // Their last signs were computed by the rule of the standard, independently of this program.
        assert_eq!(parse("91350100M000100Y43").as_deref(), Some("91350100M000100Y43"));
        assert!(parse("914403001922038216").is_some());
        assert_eq!(parse(" 9135 0100-m000 100y43 ").as_deref(), Some("91350100M000100Y43"));
        for wrong in [
            "",
            "91350100M000100Y4X",
            "91350100M000100Y4",
            "91350100I000100Y43",
            "123456789012345679",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
