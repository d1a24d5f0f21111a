//! Names of fields as people write them: full-width letters and digits mean the same as the narrow ones, dots part them.

/// Makes full-width forms narrow, and leaves every other character alone.
pub(crate) fn fold_char(character: char) -> char {
    match character {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(character as u32 - 0xFEE0).unwrap_or(character),
        '\u{3000}' => ' ',
        _ => character,
    }
}

/// Makes the full-width forms of a name narrow, as formulas read it.
#[must_use]
pub fn fold(name: &str) -> String {
    name.chars().map(fold_char).collect()
}

/// Tells whether a name may start with this (folded) character without brackets.
pub(crate) fn starts_name(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

/// Tells whether a name may go on with this (folded) character without brackets.
pub(crate) fn continues_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Tells whether a part of a name can do without brackets; only the first part must not start with a digit.
pub(crate) fn is_plain(part: &str, first: bool) -> bool {
    !part.is_empty()
        && part.chars().all(|c| continues_name(c) && fold_char(c) == c)
        && (!first || part.starts_with(starts_name))
}

/// Cuts a text that is quoted in a message to so many characters.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Finds the candidate that a misspelt word most likely meant.
///
/// A candidate that ends in `.word` is meant by everybody who forgot the prefix; otherwise the fewest edits (insertion,
/// deletion, replacement, exchange of neighbours) win, of characters and not of bytes, if they are at most a third of
/// the word. Among equals the first wins.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    const LONGEST: usize = 80;
    let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).take(LONGEST + 1).collect();
    if letters.is_empty() || letters.len() > LONGEST {
        return None;
    }
    let allowed = (letters.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other: Vec<char> = candidate
            .chars()
            .flat_map(char::to_lowercase)
            .take(LONGEST + 1)
            .collect();
        let distance = if other.len() > letters.len()
            && other.ends_with(&letters)
            && other[other.len() - letters.len() - 1] == '.'
        {
            1
        } else if other.len().abs_diff(letters.len()) > allowed {
            continue;
        } else {
            strsim::generic_damerau_levenshtein(&letters, &other)
        };
        // One edit of a one-letter word is another word.
        if distance <= allowed && distance < letters.len().max(2) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_by_characters() {
        let names = ["客户.设备型号", "客户.设备数量", "客户.区域", "budget", "公司.名称"];
        for (word, meant) in [
            ("客户.设备型好", Some("客户.设备型号")),
            ("客户.型号设备", None),
            ("客户.设备号型", Some("客户.设备型号")),
            ("设备型号", Some("客户.设备型号")),
            ("客户.地域", Some("客户.区域")),
            ("bugdet", Some("budget")),
            ("BUDGET", Some("budget")),
            ("预算", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
        assert_eq!(nearest(&"长".repeat(100_000), names), None);
    }

    #[test]
    fn full_width_forms_are_narrow() {
        assert_eq!(fold("客户．Ａ１"), "客户.A1");
        assert!(is_plain("设备型号", true) && is_plain("3D打印", false) && !is_plain("3D打印", true));
        assert!(!is_plain("预算 金额", true) && !is_plain("Ａ", true));
    }
}
