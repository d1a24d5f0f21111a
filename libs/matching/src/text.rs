//! Text as it is compared: one width, one script, one case. What the words mean is left to the other modules.

use unicode_normalization::UnicodeNormalization as _;

use crate::tables::tables;

/// Longest text that is looked at, in characters; no name or address of the world is longer, hostile ones are.
const MAX_CHARS: usize = 200;

/// Returns a text in half width, simplified characters and lower case, with single spaces and none at its ends.
#[must_use]
pub fn fold(text: &str) -> String {
    let simplified = &tables().simplified;
    let mut folded = String::with_capacity(text.len());
    let mut space = false;
    for char in text.chars().take(MAX_CHARS).nfkc() {
        if char.is_whitespace() || char.is_control() || char == '\u{feff}' || char == '\u{200b}' {
            space = !folded.is_empty();
            continue;
        }
        if space {
            folded.push(' ');
            space = false;
        }
        match simplified.get(&char) {
            Some(simple) => folded.push(*simple),
            None => folded.extend(char.to_lowercase()),
        }
    }
    folded
}

/// Returns whether a character is a Chinese one.
#[must_use]
pub fn is_han(char: char) -> bool {
    matches!(char, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

/// Returns the words of a folded text: letters and digits, without accents; what stands between them parts them.
#[must_use]
pub fn words(folded: &str) -> Vec<String> {
    let plain: String = folded.replace('\'', "").replace('&', " and ");
    let plain: String = plain
        .nfd()
        .filter(|char| !unicode_normalization::char::is_combining_mark(*char))
        .collect();
    let parts = plain.split(|char: char| !char.is_alphanumeric());
    parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Returns the digits of a text, whatever script they are written in.
#[must_use]
pub fn digits(folded: &str) -> String {
    folded.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_folded_to_one_form() {
        for (text, folded) in [
            ("　ＡＢＣ　有限公司 ", "abc 有限公司"),
            ("廣東電子科技（深圳）", "广东电子科技(深圳)"),
            ("138\u{a0}0013\t8000", "138 0013 8000"),
            ("\u{feff}王\u{200b}伟", "王 伟"),
            ("", ""),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
        assert_eq!(fold(&"长".repeat(10_000)).chars().count(), MAX_CHARS);
    }

    #[test]
    fn words_are_without_accents_and_marks() {
        assert_eq!(words("café d'or & co."), ["cafe", "dor", "and", "co"]);
        assert!(words(" -/ ").is_empty());
    }
}
