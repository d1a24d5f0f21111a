//! How two names relate.

use super::{NameLikeness, Person};
use crate::similarity::is_slip;
use crate::spelling::{reads_as, sounds_alike};
use crate::word_pairs::{WordLikeness, is_near};

impl Person {
    /// Compares two names.
    #[must_use]
    pub fn compare(&self, other: &Self) -> NameLikeness {
        if self.is_missing() || other.is_missing() {
            return NameLikeness::Missing;
        }
        match (self.surname.is_empty(), other.surname.is_empty()) {
            (false, false) => self.compare_characters(other),
            (false, true) => self.compare_letters(other),
            (true, false) => other.compare_letters(self),
            (true, true) => self.compare_words(other),
        }
    }

    fn compare_characters(&self, other: &Self) -> NameLikeness {
        let same_surname = self.surname == other.surname || sounds_alike(&self.surname, &other.surname);
        if self.given.is_empty() || other.given.is_empty() {
            if self.surname != other.surname {
                return NameLikeness::Other;
            }
            let contradict = matches!((self.gender, other.gender), (Some(one), Some(two)) if one != two);
            return if contradict {
                NameLikeness::OtherGender
            } else {
                NameLikeness::Surname
            };
        }
        if self.surname == other.surname && self.given == other.given {
            return NameLikeness::Same;
        }
        if same_surname && (self.given == other.given || sounds_alike(&self.given, &other.given)) {
            return NameLikeness::Sounds;
        }
        let (left, right) = (self.given.chars().count(), other.given.chars().count());
        // 欧阳 that was taken for 欧, and a character left out or changed in a name of three.
        let whole = (
            format!("{}{}", self.surname, self.given),
            format!("{}{}", other.surname, other.given),
        );
        if whole.0 == whole.1 {
            return NameLikeness::Same;
        }
        if is_slip(&whole.0, &whole.1)
            && left.max(right) >= 2
            && whole.0.chars().count().max(whole.1.chars().count()) >= 3
        {
            return NameLikeness::Near;
        }
        if self.surname == other.surname {
            NameLikeness::OtherGiven
        } else {
            NameLikeness::Other
        }
    }

    /// Compares a name in characters with one in letters.
    fn compare_letters(&self, other: &Self) -> NameLikeness {
        let surname = self.surname_spelled().unwrap_or_default();
        let joined = other.words.concat();
        let surnames = |letters: &str| letters == surname || reads_as(&self.surname, letters);
        if self.given.is_empty() {
            let mut ends = other.words.first().into_iter().chain(other.words.last());
            let begins = other.words.len() == 1 && joined.starts_with(surname) && joined.len() > surname.len();
            let has = begins || ends.any(|word| surnames(word));
            return if has {
                NameLikeness::Surname
            } else {
                NameLikeness::Other
            };
        }
        let is_read = |letters: &str| {
            let behind = letters
                .strip_prefix(surname)
                .is_some_and(|given| reads_as(&self.given, given));
            let before = letters
                .strip_suffix(surname)
                .is_some_and(|given| reads_as(&self.given, given));
            behind || before || reads_as(&format!("{}{}", self.surname, self.given), letters)
        };
        if is_read(&joined) {
            return NameLikeness::Sounds;
        }
        if other.words.len() == 1 && surnames(&joined) {
            return NameLikeness::Surname;
        }
        let Some(at) = other
            .words
            .iter()
            .position(|word| surnames(word))
            .filter(|_| other.words.len() > 1)
        else {
            return NameLikeness::Other;
        };
        let rest: String = other
            .words
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != at)
            .map(|(_, word)| word.as_str())
            .collect();
        let initials: String = self
            .given_spelled()
            .iter()
            .filter_map(|part| part.chars().next())
            .collect();
        if rest == initials || rest == initials[..1.min(initials.len())] {
            return NameLikeness::Initials;
        }
        let spelled = self.given_spelled().concat();
        if spelled.len() > 3 && is_slip(&rest, &spelled) {
            return NameLikeness::Near;
        }
        NameLikeness::OtherGiven
    }

    /// Compares two names in letters, whatever the order of their words.
    fn compare_words(&self, other: &Self) -> NameLikeness {
        let length = |words: &[String]| words.iter().map(String::len).sum::<usize>();
        let same_length = length(&self.words) == length(&other.words);
        if self.words == other.words || (same_length && self.words.concat() == other.words.concat()) {
            return NameLikeness::Same;
        }
        let likeness = WordLikeness::of(&self.words, &other.words, is_near);
        let (left, right) = (self.words.len(), other.words.len());
        if likeness.equal == left && left == right {
            return NameLikeness::Same;
        }
        if same_length && self.words.iter().rev().map(String::as_str).collect::<String>() == other.words.concat() {
            return NameLikeness::Same;
        }
        if likeness.equal > 0 && (likeness.equal == left.min(right)) {
            // A middle name more, or a surname alone.
            return if left.min(right) == 1 {
                NameLikeness::Surname
            } else {
                NameLikeness::Near
            };
        }
        if likeness.equal > 0 && likeness.initials > 0 {
            return NameLikeness::Initials;
        }
        if likeness.equal + likeness.near >= left.max(right) {
            return NameLikeness::Near;
        }
        if likeness.equal > 0 {
            NameLikeness::OtherGiven
        } else {
            NameLikeness::Other
        }
    }
}
