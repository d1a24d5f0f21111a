//! Telephone numbers: which may exist, which cannot, and which people type instead of theirs.

use reflex_matching::text::fold;

use crate::Reason;

/// What a cell of numbers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phone {
    /// Nothing was typed.
    Missing,
    /// At least one number may exist.
    Sound,
    /// None has the form of a number.
    Malformed,
    /// All that have the form look made up.
    MadeUp,
}

impl Phone {
    pub(crate) fn reason(self) -> Option<Reason> {
        match self {
            Self::Missing => None,
            Self::Sound => Some(Reason::PhoneSound),
            Self::Malformed => Some(Reason::PhoneMalformed),
            Self::MadeUp => Some(Reason::PhoneMadeUp),
        }
    }

    pub(crate) fn is_reachable(self) -> bool {
        self == Self::Sound
    }
}

/// Numbers that stand in manuals and examples.
const OF_EXAMPLES: [&str; 4] = ["13800138000", "13900139000", "13012345678", "13512345678"];

/// Looks at a cell, which may have several numbers.
pub(crate) fn look(cell: &str) -> Phone {
    let cell = fold(cell);
    if cell.trim().is_empty() {
        return Phone::Missing;
    }
    let mut found = Phone::Malformed;
    for part in cell.split(['/', '、', ',', ';', '|', '，', '；', '或']) {
        match one(part) {
            Phone::Sound => return Phone::Sound,
            Phone::MadeUp => found = Phone::MadeUp,
            Phone::Missing | Phone::Malformed => {}
        }
    }
    // A number with a slash in it, 310/246-1501.
    if found == Phone::Malformed && cell.contains('/') && one(&cell.replace('/', "-")) == Phone::Sound {
        return Phone::Sound;
    }
    found
}

fn one(text: &str) -> Phone {
    let main = ["分机", "转", "ext", "#"]
        .iter()
        .find_map(|mark| Some(text.split_once(mark)?.0));
    let main = main.unwrap_or(text).trim();
    let is_foreign = main.starts_with('+') || main.starts_with("00");
    let mut digits: String = main.chars().filter(char::is_ascii_digit).collect();
    let noise = main.chars().filter(|char| char.is_alphabetic()).count();
    if digits.len() < 5 || noise > 6 {
        return Phone::Malformed;
    }
    if is_made_up(&digits) {
        return Phone::MadeUp;
    }
    digits = digits.strip_prefix("00").map(str::to_owned).unwrap_or(digits);
    let home = digits.strip_prefix("86").filter(|rest| is_foreign || rest.len() == 11);
    if is_foreign && home.is_none() {
        return if (7..=15).contains(&digits.len()) {
            Phone::Sound
        } else {
            Phone::Malformed
        };
    }
    let digits = home.unwrap_or(&digits);
    // A mobile that is dialled over a trunk line.
    let bare = digits
        .strip_prefix('0')
        .filter(|rest| is_mobile(rest))
        .unwrap_or(digits);
    // The sign before an extension is often lost: 0512-66886688-801.
    let without_extension = main.rsplit_once('-').map(|(before, _)| {
        let kept: String = before.chars().filter(char::is_ascii_digit).collect();
        kept
    });
    let sound = is_mobile(bare)
        || is_landline(bare)
        || (home.is_some() && is_landline(&format!("0{bare}")))
        || is_hotline(bare)
        || is_nearby(bare, main)
        || without_extension.is_some_and(|kept| is_landline(&kept) || is_hotline(&kept) || is_local(&kept));
    if sound { Phone::Sound } else { Phone::Malformed }
}

fn is_mobile(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    bytes.len() == 11 && bytes[0] == b'1' && (b'3'..=b'9').contains(&bytes[1])
}

/// Area code and number: 010 and 02x with eight digits, all others with seven or eight.
fn is_landline(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    match bytes {
        [b'0', b'1', b'0', rest @ ..] | [b'0', b'2', b'0'..=b'9', rest @ ..] => {
            (7..=8).contains(&rest.len()) && (b'2'..=b'9').contains(&rest[0])
        }
        [b'0', b'3'..=b'9', _, _, rest @ ..] => (7..=8).contains(&rest.len()) && (b'2'..=b'9').contains(&rest[0]),
        _ => is_local(digits),
    }
}

/// A number without its area code.
fn is_local(digits: &str) -> bool {
    (7..=8).contains(&digits.len()) && (b'2'..=b'9').contains(&digits.as_bytes()[0])
}

/// Numbers of companies: 400 and 800 with seven digits, and the short ones of banks and insurers.
fn is_hotline(digits: &str) -> bool {
    ((digits.starts_with("400") || digits.starts_with("800")) && digits.len() == 10)
        || (digits.starts_with("95") && (5..=8).contains(&digits.len()))
}

/// Hong Kong, Macao, Taiwan and North America as people there type them.
fn is_nearby(digits: &str, typed: &str) -> bool {
    let rest_of = |code| digits.strip_prefix(code).map_or(0, str::len);
    let parted = typed.contains(['-', ' ', '(', '.']);
    rest_of("852") == 8
        || rest_of("853") == 8
        || (8..=9).contains(&rest_of("886"))
        || (parted && digits.len() == 10 && (b'2'..=b'9').contains(&digits.as_bytes()[0]))
        || (parted && digits.len() == 11 && digits.starts_with('1') && (b'2'..=b'9').contains(&digits.as_bytes()[1]))
}

/// Tells whether a number is one that people type instead of theirs: one digit over and over, or counted up or down.
fn is_made_up(digits: &str) -> bool {
    if OF_EXAMPLES.contains(&digits) {
        return true;
    }
    let bytes = digits.as_bytes();
    let run = |step: i16| {
        let mut longest = 1;
        let mut length = 1;
        for pair in bytes.windows(2) {
            let continues = i16::from(pair[1]) - i16::from(pair[0]) == step;
            length = if continues { length + 1 } else { 1 };
            longest = longest.max(length);
        }
        longest
    };
    let same = run(0);
    let counted = run(1).max(run(-1));
    let kinds = bytes.iter().collect::<std::collections::HashSet<_>>().len();
    let repeats =
        |length: usize| bytes.len() >= 3 * length && bytes.chunks(length).skip(1).all(|chunk| bytes.starts_with(chunk));
    same >= 7 || counted >= 7 || (digits.len() >= 8 && kinds == 1) || (digits.len() >= 9 && (2..=3).any(repeats))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart() {
        for (cell, expected) in [
            ("13816245670", Phone::Sound),
            ("138 1624 5670", Phone::Sound),
            ("+86-139-0217-3345", Phone::Sound),
            ("0086 13902173345", Phone::Sound),
            ("86 512 66886680", Phone::Sound),
            ("+86 512 66886680", Phone::Sound),
            ("１３９０２１７３３４５", Phone::Sound),
            ("013902173345", Phone::Sound),
            ("0512-66886680", Phone::Sound),
            ("010-62781234 转 801", Phone::Sound),
            ("(021) 5836-1177-12", Phone::Sound),
            ("66886680", Phone::Sound),
            ("400-820-8820", Phone::Sound),
            ("8008208820", Phone::Sound),
            ("95588", Phone::Sound),
            ("+1 (310) 246-1501", Phone::Sound),
            ("310-246-1501", Phone::Sound),
            ("+49 89 32168 11", Phone::Sound),
            ("85228016375", Phone::Sound),
            ("13902173345 / 0512-66886680", Phone::Sound),
            ("12902173345", Phone::Malformed),
            ("1390217334", Phone::Malformed),
            ("139021733456", Phone::Malformed),
            ("23902173345", Phone::Malformed),
            ("123", Phone::Malformed),
            ("没有电话", Phone::Malformed),
            ("11111111111", Phone::MadeUp),
            ("13800000000", Phone::MadeUp),
            ("13888888888", Phone::MadeUp),
            ("12345678901", Phone::MadeUp),
            ("13812345678", Phone::MadeUp),
            ("13987654321", Phone::MadeUp),
            ("13800138000", Phone::MadeUp),
            ("123123123", Phone::MadeUp),
            ("00000000", Phone::MadeUp),
            ("", Phone::Missing),
            ("  ", Phone::Missing),
        ] {
            assert_eq!(look(cell), expected, "{cell}");
        }
    }
}
