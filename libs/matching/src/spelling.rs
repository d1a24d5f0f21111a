//! How Chinese characters are read, so that what sounds alike and what is written in pinyin can be compared.

use std::sync::LazyLock;

use pinyin::{ToPinyin as _, ToPinyinMulti as _};
use rustc_hash::FxHashSet;

use crate::text::is_han;

/// Longest run of letters that is read as syllables.
const MAX_LETTERS: usize = 40;

/// Returns how a text is usually read, a character as it stands where it is no Chinese one; ü is written v.
#[must_use]
pub fn spell(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len() * 2);
    for char in text.chars() {
        match char.to_pinyin() {
            Some(reading) => push(&mut spelled, reading.plain()),
            None => spelled.push(char),
        }
    }
    spelled
}

/// Returns the usual reading of each Chinese character of a text.
#[must_use]
pub fn syllables(text: &str) -> Vec<String> {
    let readings = text.chars().filter_map(|char| char.to_pinyin());
    readings
        .map(|reading| {
            let mut spelled = String::new();
            push(&mut spelled, reading.plain());
            spelled
        })
        .collect()
}

/// Returns whether letters are one of the readings of a Chinese text, all of it.
#[must_use]
pub fn reads_as(text: &str, letters: &str) -> bool {
    let Some(char) = text.chars().next() else {
        return letters.is_empty();
    };
    let rest = &text[char.len_utf8()..];
    let Some(readings) = char.to_pinyin_multi() else {
        return letters.strip_prefix(char).is_some_and(|left| reads_as(rest, left));
    };
    readings.into_iter().any(|reading| {
        let mut spelled = String::new();
        push(&mut spelled, reading.plain());
        let left = letters.strip_prefix(spelled.as_str()).or_else(|| {
            // 吕 is written Lv, Lu and Lyu.
            let others = [spelled.replace('v', "u"), spelled.replace('v', "yu")];
            let mut others = others.iter().filter(|_| spelled.contains('v'));
            others.find_map(|other| letters.strip_prefix(other.as_str()))
        });
        left.is_some_and(|left| reads_as(rest, left))
    })
}

/// Returns whether letters are whole syllables of pinyin, two of them at least.
#[must_use]
pub fn is_pinyin(letters: &str) -> bool {
    split(letters).is_some_and(|syllables| syllables.len() >= 2) || SYLLABLES.contains(letters)
}

/// Parts letters into syllables of pinyin, the fewest and the first ones as long as possible; none where they are no pinyin.
#[must_use]
pub fn split(letters: &str) -> Option<Vec<&str>> {
    if letters.is_empty() || letters.len() > MAX_LETTERS || !letters.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    // The fewest syllables that reach each place, and how long the last one is.
    let mut best: Vec<Option<(usize, usize)>> = vec![None; letters.len() + 1];
    best[0] = Some((0, 0));
    for start in 0..letters.len() {
        let Some((count, _)) = best[start] else { continue };
        for length in 1..=6.min(letters.len() - start) {
            let is_better = best[start + length].is_none_or(|(other, _)| count + 1 < other);
            if is_better && SYLLABLES.contains(&letters[start..start + length]) {
                best[start + length] = Some((count + 1, length));
            }
        }
    }
    let mut parts = Vec::new();
    let mut end = letters.len();
    while end > 0 {
        let (_, length) = best[end]?;
        parts.push(&letters[end - length..end]);
        end -= length;
    }
    parts.reverse();
    Some(parts)
}

/// Returns whether letters are a syllable with one or two initials before or behind it, as in wangyx.
#[must_use]
pub fn has_surname_and_initials(letters: &str) -> bool {
    // Wang is no Wa whose initials are N and G.
    if SYLLABLES.contains(letters) {
        return false;
    }
    (1..=2).any(|count| {
        let Some(at) = letters.len().checked_sub(count).filter(|at| *at >= 2) else {
            return false;
        };
        let is_initial = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_lowercase() && !b"aeiouv".contains(&byte))
        };
        letters.is_char_boundary(at)
            && letters.is_char_boundary(count)
            && ((SYLLABLES.contains(&letters[..at]) && is_initial(&letters[at..]))
                || (SYLLABLES.contains(&letters[count..]) && is_initial(&letters[..count])))
    })
}

/// Returns whether two Chinese texts of the same length sound alike without being the same.
#[must_use]
pub fn sounds_alike(left: &str, right: &str) -> bool {
    left != right
        && left.chars().count() == right.chars().count()
        && left
            .chars()
            .zip(right.chars())
            .all(|(left, right)| left == right || (is_han(left) && is_han(right) && read_alike(left, right)))
}

fn read_alike(left: char, right: char) -> bool {
    match (left.to_pinyin(), right.to_pinyin()) {
        (Some(left), Some(right)) => left.plain() == right.plain(),
        _ => false,
    }
}

fn push(spelled: &mut String, reading: &str) {
    spelled.extend(reading.chars().map(|char| if char == 'ü' { 'v' } else { char }));
}

static SYLLABLES: LazyLock<FxHashSet<String>> = LazyLock::new(|| {
    let mut all = FxHashSet::default();
    for char in '\u{4e00}'..='\u{9fa5}' {
        if let Some(reading) = char.to_pinyin() {
            let mut spelled = String::new();
            push(&mut spelled, reading.plain());
            if spelled.bytes().all(|byte| byte.is_ascii_lowercase()) {
                all.insert(spelled);
            }
        }
    }
    all
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_spelled() {
        assert_eq!(spell("王怡新"), "wangyixin");
        assert_eq!(spell("吕abc"), "lvabc");
        assert_eq!(
            syllables("长珠"),
            ["zhang", "zhu"].map(str::to_owned).to_vec().as_slice()
        );
    }

    #[test]
    fn letters_are_compared_with_every_reading() {
        for (text, letters, expected) in [
            ("王怡新", "wangyixin", true),
            ("长珠", "changzhu", true),
            ("吕云怡", "luyunyi", true),
            ("吕云怡", "lyuyunyi", true),
            ("王怡新", "wangyixing", false),
            ("王怡新", "wangyi", false),
            ("", "", true),
        ] {
            assert_eq!(reads_as(text, letters), expected, "{text} {letters}");
        }
    }

    #[test]
    fn pinyin_is_told_from_other_letters() {
        assert_eq!(split("wangchaozhen").unwrap(), ["wang", "chao", "zhen"]);
        assert_eq!(split("liufei").unwrap(), ["liu", "fei"]);
        assert!(split("smith").is_none() && split("").is_none() && split(&"a".repeat(1000)).is_none());
        assert!(has_surname_and_initials("wangyx") && has_surname_and_initials("yxwang"));
        assert!(!has_surname_and_initials("wang"));
        assert!(!has_surname_and_initials("smith") && !has_surname_and_initials("é") && !has_surname_and_initials(""));
    }

    #[test]
    fn homophones_sound_alike() {
        assert!(sounds_alike("王星昌", "王兴昌") && sounds_alike("清石", "庆石"));
        assert!(
            !sounds_alike("王星昌", "王星昌") && !sounds_alike("王星", "王星昌") && !sounds_alike("李红信", "李红言")
        );
    }
}
