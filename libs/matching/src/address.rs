//! Addresses, Chinese and Western: street, number, building and room, however much of them is written.

use crate::company::place_of;
use crate::similarity::real;
use crate::tables::tables;
use crate::text::{fold, is_han, words};
use crate::word_pairs::{WordLikeness, is_near_or_short};

/// An address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// What stands before the number of a Chinese address, from its end on: districts are often left out.
    street: String,
    /// Number in the street; none in a Western address, whose numbers are words.
    number: Option<u32>,
    /// Building and room.
    inside: Vec<u32>,
    /// The words of a Western address.
    words: Vec<String>,
    /// City that a Chinese address begins with.
    pub city: String,
}

/// How two addresses relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressLikeness {
    /// One of them is missing, or they cannot be compared.
    Missing,
    /// The same, to the room or to what both say.
    Same,
    /// The same house, and different rooms.
    SameHouse,
    /// Slips apart.
    Near,
    /// The same street, or many of its words.
    Alike,
    /// They are different.
    Other,
}

/// Characters that end the name of a street.
const STREETS: [char; 8] = ['路', '街', '道', '巷', '弄', '村', '园', '区'];

impl Address {
    /// Reads an address; none where nothing is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let folded = fold(text);
        let address = if folded.chars().any(is_han) {
            Self::from_characters(&folded)
        } else {
            Self {
                words: western_words(&folded),
                ..Self::default()
            }
        };
        (!address.street.is_empty() || !address.words.is_empty()).then_some(address)
    }

    fn from_characters(folded: &str) -> Self {
        let plain: Vec<char> = folded
            .chars()
            .filter(|char| char.is_alphanumeric() || *char == '-')
            .collect();
        let mut address = Self {
            city: leading_city(&plain),
            ..Self::default()
        };
        // The first number behind a street, then 号; a number of a lane (弄) belongs to the street.
        let mut at = 0;
        let mut start = None;
        while at < plain.len() {
            if plain[at].is_ascii_digit() {
                let end = (at..plain.len())
                    .find(|end| !plain[*end].is_ascii_digit())
                    .unwrap_or(plain.len());
                let after = plain.get(end);
                let before = at.checked_sub(1).map(|before| plain[before]);
                let is_house = after == Some(&'号') || before.is_some_and(|before| STREETS.contains(&before));
                if is_house && after != Some(&'弄') {
                    start = Some((at, end));
                    break;
                }
                at = end;
            } else {
                at += 1;
            }
        }
        let (street, rest) = match start {
            Some((start, end)) => {
                let digits: String = plain[start..end].iter().collect();
                address.number = digits.parse().ok();
                (&plain[..start], &plain[end..])
            }
            None => (&plain[..], &plain[plain.len()..]),
        };
        address.street = street.iter().collect();
        let mut number = String::new();
        for char in rest.iter().chain(std::iter::once(&' ')) {
            if char.is_ascii_digit() {
                number.push(*char);
            } else if let (Ok(value), true) = (number.parse(), address.inside.len() < 4) {
                address.inside.push(value);
                number.clear();
            } else {
                number.clear();
            }
        }
        address
    }

    /// Returns what all ways of writing the address have in common; none where it is too little.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        if let Some(number) = self.number {
            let tail: Vec<char> = self.street.chars().rev().take(3).collect();
            return (tail.len() == 3).then(|| format!("{}{number}", tail.iter().collect::<String>()));
        }
        let number = self
            .words
            .iter()
            .find(|word| word.bytes().any(|byte| byte.is_ascii_digit()))?;
        let street = self
            .words
            .iter()
            .find(|word| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic()))?;
        Some(format!("{number}{}", street.chars().take(4).collect::<String>()))
    }

    /// Returns the words of a Western address.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Compares two addresses.
    #[must_use]
    pub fn compare(&self, other: &Self) -> AddressLikeness {
        match (self.words.is_empty(), other.words.is_empty()) {
            (true, true) => self.compare_characters(other),
            (false, false) => self.compare_words(other),
            _ => AddressLikeness::Missing,
        }
    }

    fn compare_characters(&self, other: &Self) -> AddressLikeness {
        let common = self
            .street
            .chars()
            .rev()
            .zip(other.street.chars().rev())
            .take_while(|(left, right)| left == right)
            .count();
        let shortest = self.street.chars().count().min(other.street.chars().count());
        let same_street = common >= 3.min(shortest.max(2)) && !cities_differ(&self.city, &other.city);
        match (self.number, other.number) {
            (Some(left), Some(right)) if same_street && left == right => {
                let both = self.inside.len().min(other.inside.len());
                let is_same = self.inside[..both] == other.inside[..both];
                if is_same {
                    AddressLikeness::Same
                } else {
                    AddressLikeness::SameHouse
                }
            }
            (None, None) if self.street == other.street => AddressLikeness::Same,
            (Some(_), Some(_)) if same_street => AddressLikeness::Alike,
            (None, _) | (_, None) => {
                let (left, right) = (&self.street, &other.street);
                let holds = left.contains(right.as_str()) || right.contains(left.as_str());
                if holds {
                    AddressLikeness::Alike
                } else {
                    AddressLikeness::Missing
                }
            }
            _ => AddressLikeness::Other,
        }
    }

    fn compare_words(&self, other: &Self) -> AddressLikeness {
        let (left, right) = (&self.words, &other.words);
        let length = |words: &[String]| words.iter().map(String::len).sum::<usize>();
        if left == right || (length(left) == length(right) && left.concat() == right.concat()) {
            return AddressLikeness::Same;
        }
        let pairs = WordLikeness::of(left, right, is_near_or_short);
        let (shortest, longest) = (left.len().min(right.len()), left.len().max(right.len()));
        let share_number = left.iter().any(|word| is_house_number(word) && right.contains(word));
        let has_number = |words: &[String]| words.iter().any(|word| is_house_number(word));
        let paired = pairs.equal + pairs.near;
        if pairs.equal == longest {
            return AddressLikeness::Same;
        }
        let share = 2.0 * real(paired) / real(left.len() + right.len());
        if (share_number || !has_number(left) || !has_number(right))
            && (share >= 0.74 || (paired == shortest && shortest >= 2))
        {
            return AddressLikeness::Near;
        }
        if share >= 0.5 || (share_number && paired >= 2) {
            AddressLikeness::Alike
        } else {
            AddressLikeness::Other
        }
    }
}

/// Returns whether a word is the number of a house: 12 and 12a are, 3rd is the name of a street.
fn is_house_number(word: &str) -> bool {
    let letters = word.trim_start_matches(|char: char| char.is_ascii_digit());
    letters.len() < word.len() && letters.len() <= 1
}

fn western_words(folded: &str) -> Vec<String> {
    let table = &tables().address_words;
    let read = words(folded)
        .into_iter()
        .take(24)
        .map(|word| match table.get(word.as_str()) {
            Some(read) => (*read).to_owned(),
            None => word,
        });
    read.filter(|word| !word.is_empty()).collect()
}

/// Returns the city that an address begins with; its province where no city follows.
fn leading_city(plain: &[char]) -> String {
    let table = &tables().province_of;
    let mut found = String::new();
    let mut at = 0;
    for _ in 0..2 {
        let longest = (2..=4).rev().find_map(|count| {
            let name: String = plain.get(at..at + count)?.iter().collect();
            table.contains_key(name.as_str()).then_some((name, count))
        });
        let Some((name, count)) = longest else { break };
        let is_inside = found.is_empty() || table.get(name.as_str()) == Some(&found.as_str());
        if !is_inside {
            break;
        }
        found = name;
        at += count;
        if plain.get(at).is_some_and(|sign| matches!(sign, '省' | '市')) {
            at += 1;
        } else if plain
            .get(at..at + 3)
            .is_some_and(|sign| sign.iter().collect::<String>() == "自治区")
        {
            at += 3;
        }
    }
    found
}

/// Returns a city as it is compared: its short name where it is known.
#[must_use]
pub fn city(text: &str) -> String {
    let folded = fold(text);
    if !folded.chars().any(is_han) {
        return words(&folded).join(" ");
    }
    let plain: Vec<char> = folded.chars().filter(|char| is_han(*char)).collect();
    let known = leading_city(&plain);
    if !known.is_empty() {
        return known;
    }
    let plain: String = plain.into_iter().collect();
    place_of(&plain)
        .unwrap_or(plain.trim_end_matches(['市', '省', '县', '区']))
        .to_owned()
}

/// Returns whether two cities are known to be different ones; a province holds its cities.
#[must_use]
pub fn cities_differ(left: &str, right: &str) -> bool {
    if left.is_empty() || right.is_empty() || left == right {
        return false;
    }
    let table = &tables().province_of;
    match (table.get(left), table.get(right)) {
        (Some(province), Some(other)) => !(*province == right || *other == left),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::AddressLikeness::{Alike, Missing, Near, Other, Same, SameHouse};
    use super::*;

    #[test]
    fn addresses_are_compared() {
        for (left, right, likeness) in [
            (
                "江苏省南京市雨花台区科创街653号26幢396室",
                "南京雨花台科创街653号",
                Same,
            ),
            (
                "江苏省南京市雨花台区科创街653号26幢396室",
                "南京市雨花台区科创街653号26号楼396",
                Same,
            ),
            (
                "江苏省南京市雨花台区科创街６５３号",
                "江苏省南京市雨花台区科创街653号26幢",
                Same,
            ),
            (
                "大连市甘井子区科创街1730号13幢475室",
                "大连市甘井子区科创街1730号13幢476室",
                SameHouse,
            ),
            ("大连甘井子科创街1730号", "大连甘井子科创街1731号", Alike),
            ("大连甘井子科创街1730号", "沈阳和平科创街1730号", Other),
            ("大连甘井子科创街1730号", "大连甘井子解放路1730号", Other),
            ("科创园", "大连市甘井子区科创街1号", Missing),
            ("8 Main Street, Suite 5", "8 main st. ste 5", Same),
            ("12224 Ventura Blvd.", "12224 ventura blvd", Same),
            ("9560 dayton way", "9560 dayton", Near),
            ("701 stone canyon rd.", "701 n stone canyon road", Near),
            ("12 Church Lane", "40 Church Lane", Alike),
            ("12 Church Lane", "7 River Road", Other),
            ("12 Church Lane", "南京科创街653号", Missing),
        ] {
            let (left, right) = (Address::parse(left).unwrap(), Address::parse(right).unwrap());
            assert_eq!(left.compare(&right), likeness, "{left:?} {right:?}");
            assert_eq!(right.compare(&left), likeness, "{right:?} {left:?}");
        }
        assert_eq!(Address::parse(" -"), None);
        let _ = Address::parse(&"1号".repeat(10_000));
    }

    #[test]
    fn cities_are_named_shortly() {
        for (text, short) in [
            ("大连市", "大连"),
            ("辽宁省 大连市", "大连"),
            ("辽宁省", "辽宁"),
            ("大連", "大连"),
            ("诸暨市", "诸暨"),
            ("New  York", "new york"),
            ("", ""),
        ] {
            assert_eq!(city(text), short, "{text}");
        }
        assert!(cities_differ("大连", "沈阳") && !cities_differ("辽宁", "沈阳") && !cities_differ("", "沈阳"));
    }
}
