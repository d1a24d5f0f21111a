//! People's names: Chinese ones with titles, in characters or pinyin, and Western ones.

use crate::similarity::jaro_winkler;
use crate::spelling::{reads_as, sounds_alike, spell, split, syllables};
use crate::tables::{Gender, tables};
use crate::text::{fold, is_han, words};

/// A person's name; all of it may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// Surname in characters.
    pub surname: String,
    /// Given name in characters; empty where only the surname is known.
    pub given: String,
    /// The words of a name in letters.
    pub words: Vec<String>,
    /// What the title says.
    pub gender: Option<Gender>,
    spelled: Option<(String, Vec<String>)>,
}

/// How two names relate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NameLikeness {
    /// One of them is missing.
    Missing,
    /// They are the same.
    Same,
    /// They sound the same, or one is the other in pinyin.
    Sounds,
    /// One slip apart.
    Near,
    /// One has initials where the other has a given name.
    Initials,
    /// One is a surname alone, the other begins with it or is the same surname.
    Surname,
    /// The surname is the same, and one title is a man's and the other a woman's.
    OtherGender,
    /// The surname is the same and the given name another.
    OtherGiven,
    /// They are different.
    Other,
}

impl Person {
    /// Reads a name; titles are understood and left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let folded = fold(text);
        let mut gender = None;
        if folded.chars().any(is_han) {
            let outside = without_brackets(&folded);
            // Of several people, the first.
            let first = outside.split(['/', '、', ',', ';', '|', '&']).next().unwrap_or_default();
            let name: String = first.chars().filter(|char| is_han(*char)).collect();
            let name = strip_titles(&name, &mut gender);
            return Self::from_characters(name, gender);
        }
        let table = &tables().person_words;
        let mut names = Vec::new();
        for word in words(&folded) {
            match word.as_str() {
                "mr" | "sir" => gender = Some(Gender::Male),
                "mrs" | "ms" | "miss" | "madam" => gender = Some(Gender::Female),
                _ => {}
            }
            if !table.contains_key(word.as_str()) && !word.bytes().all(|byte| byte.is_ascii_digit()) && names.len() < 8 {
                names.push(word.replace("lyu", "lv"));
            }
        }
        let spelled = spelled_words(&names);
        Self {
            words: names,
            gender,
            spelled,
            ..Self::default()
        }
    }

    fn from_characters(name: &str, gender: Option<Gender>) -> Self {
        let tables = tables();
        let mut chars: Vec<char> = name.chars().collect();
        // 小王 and 老李 are their surnames alone.
        if chars.len() == 2 && matches!(chars[0], '小' | '老' | '阿') {
            chars.remove(0);
        }
        let two: String = chars.iter().take(2).collect();
        let count = if chars.len() >= 2 && tables.compound_surnames.contains(two.as_str()) { 2 } else { 1 };
        // What is longer than names are is a department, a remark or a foreign name; it is compared as it stands.
        let surname: String = chars.iter().take(count).collect();
        let given: String = chars.iter().skip(count).take(8).collect();
        if surname.is_empty() {
            return Self { gender, ..Self::default() };
        }
        let reading = tables.surname_readings.get(surname.as_str());
        let spelled = reading.map_or_else(|| spell(&surname), |reading| (*reading).to_owned());
        let spelled = spelled.is_ascii().then(|| (spelled, syllables(&given)));
        Self { surname, given, words: Vec::new(), gender, spelled }
    }

    /// Returns whether nothing of the name is known.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.surname.is_empty() && self.words.is_empty()
    }

    /// Returns whether surname and given name are known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.given.is_empty() || self.words.len() > 1 || self.spelled.as_ref().is_some_and(|(_, given)| !given.is_empty())
    }

    /// Returns the surname in letters.
    #[must_use]
    pub fn surname_spelled(&self) -> Option<&str> {
        self.spelled.as_ref().map(|(surname, _)| surname.as_str()).filter(|surname| !surname.is_empty())
    }

    /// Returns the given name in letters, a syllable each.
    #[must_use]
    pub fn given_spelled(&self) -> &[String] {
        self.spelled.as_ref().map_or(&[], |(_, given)| given)
    }

    /// Returns the name in letters, the same for all ways of writing it as far as possible.
    #[must_use]
    pub fn letters(&self) -> String {
        match &self.spelled {
            Some((surname, given)) => format!("{surname}{}", given.concat()),
            None => self.words.concat(),
        }
    }

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
            return if contradict { NameLikeness::OtherGender } else { NameLikeness::Surname };
        }
        if self.surname == other.surname && self.given == other.given {
            return NameLikeness::Same;
        }
        if same_surname && (self.given == other.given || sounds_alike(&self.given, &other.given)) {
            return NameLikeness::Sounds;
        }
        let (left, right) = (self.given.chars().count(), other.given.chars().count());
        // 欧阳 that was taken for 欧, and a character left out or changed in a name of three.
        let whole = (format!("{}{}", self.surname, self.given), format!("{}{}", other.surname, other.given));
        if whole.0 == whole.1 {
            return NameLikeness::Same;
        }
        let slips = crate::similarity::distance(&whole.0, &whole.1);
        if slips == 1 && left.max(right) >= 2 && whole.0.chars().count().max(whole.1.chars().count()) >= 3 {
            return NameLikeness::Near;
        }
        if self.surname == other.surname { NameLikeness::OtherGiven } else { NameLikeness::Other }
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
            return if has { NameLikeness::Surname } else { NameLikeness::Other };
        }
        let is_read = |letters: &str| {
            let behind = letters.strip_prefix(surname).is_some_and(|given| reads_as(&self.given, given));
            let before = letters.strip_suffix(surname).is_some_and(|given| reads_as(&self.given, given));
            behind || before || reads_as(&format!("{}{}", self.surname, self.given), letters)
        };
        if is_read(&joined) {
            return NameLikeness::Sounds;
        }
        if other.words.len() == 1 && surnames(&joined) {
            return NameLikeness::Surname;
        }
        let Some(at) = other.words.iter().position(|word| surnames(word)).filter(|_| other.words.len() > 1) else {
            return NameLikeness::Other;
        };
        let rest: String = other.words.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, word)| word.as_str()).collect();
        let initials: String = self.given_spelled().iter().filter_map(|part| part.chars().next()).collect();
        if rest == initials || rest == initials[..1.min(initials.len())] {
            return NameLikeness::Initials;
        }
        let spelled = self.given_spelled().concat();
        if spelled.len() > 3 && crate::similarity::distance(&rest, &spelled) == 1 {
            return NameLikeness::Near;
        }
        NameLikeness::OtherGiven
    }

    /// Compares two names in letters, whatever the order of their words.
    fn compare_words(&self, other: &Self) -> NameLikeness {
        if self.words == other.words || self.words.concat() == other.words.concat() {
            return NameLikeness::Same;
        }
        let likeness = WordLikeness::of(&self.words, &other.words, is_near);
        let (left, right) = (self.words.len(), other.words.len());
        if likeness.equal == left && left == right {
            return NameLikeness::Same;
        }
        let reversed: String = self.words.iter().rev().map(String::as_str).collect();
        if reversed == other.words.concat() {
            return NameLikeness::Same;
        }
        if likeness.equal > 0 && (likeness.equal == left.min(right)) {
            // A middle name more, or a surname alone.
            return if left.min(right) == 1 { NameLikeness::Surname } else { NameLikeness::Near };
        }
        if likeness.equal > 0 && likeness.initials > 0 {
            return NameLikeness::Initials;
        }
        if likeness.equal + likeness.near >= left.max(right) {
            return NameLikeness::Near;
        }
        if likeness.equal > 0 { NameLikeness::OtherGiven } else { NameLikeness::Other }
    }
}

/// How many words of two names pair up, each once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WordLikeness {
    /// The same.
    pub(crate) equal: usize,
    /// Alike.
    pub(crate) near: usize,
    /// One is the other's first letter.
    pub(crate) initials: usize,
}

impl WordLikeness {
    pub(crate) fn of(left: &[String], right: &[String], is_near: fn(&str, &str) -> bool) -> Self {
        let mut taken = [false; 64];
        let right = &right[..right.len().min(taken.len())];
        let mut found = Self::default();
        let mut open: Vec<&String> = Vec::new();
        for word in left {
            match (0..right.len()).find(|at| !taken[*at] && right[*at] == *word) {
                Some(at) => {
                    taken[at] = true;
                    found.equal += 1;
                }
                None => open.push(word),
            }
        }
        for word in open {
            let initial = |other: &String| {
                (word.len() == 1 && other.starts_with(word.as_str())) || (other.len() == 1 && word.starts_with(other.as_str()))
            };
            let near = |other: &String| is_near(word, other);
            if let Some(at) = (0..right.len()).find(|at| !taken[*at] && near(&right[*at])) {
                taken[at] = true;
                found.near += 1;
            } else if let Some(at) = (0..right.len()).find(|at| !taken[*at] && initial(&right[*at])) {
                taken[at] = true;
                found.initials += 1;
            }
        }
        found
    }
}

/// Returns whether two words are a slip of the same.
pub(crate) fn is_near(left: &str, right: &str) -> bool {
    let shortest = left.len().min(right.len());
    let has_digit = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    shortest >= 3 && !has_digit(left) && !has_digit(right) && jaro_winkler(left, right) >= 0.88
}

/// Returns whether two words are a slip of the same, or one is cut short: deli and delicatessen.
pub(crate) fn is_near_or_short(left: &str, right: &str) -> bool {
    let (shorter, longer) = if left.len() < right.len() { (left, right) } else { (right, left) };
    is_near(left, right) || (shorter.len() >= 4 && shorter.bytes().all(|byte| byte.is_ascii_alphabetic()) && longer.starts_with(shorter))
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0_usize;
    let mut outside = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '(' | '[' | '【' | '<' => depth += 1,
            ')' | ']' | '】' | '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(char),
            _ => {}
        }
    }
    if outside.trim().is_empty() { text.to_owned() } else { outside }
}

/// Takes titles off the end as long as a name is left.
fn strip_titles<'a>(name: &'a str, gender: &mut Option<Gender>) -> &'a str {
    let tables = tables();
    let mut rest = name;
    while let Some((title, says)) = tables.titles.iter().find(|(title, _)| rest.ends_with(title)) {
        // A title alone names nobody; 董 and 总 alone are surnames.
        let before = &rest[..rest.len() - title.len()];
        if before.is_empty() && title.chars().count() == 1 {
            break;
        }
        *gender = gender.or(*says);
        rest = before;
        if rest.is_empty() {
            break;
        }
    }
    // 王工 is Wang the engineer; in 王建工 it is part of the name.
    if rest.chars().count() == 2 && rest.ends_with('工') { &rest[..rest.len() - '工'.len_utf8()] } else { rest }
}

/// Returns surname and syllables of the given name, as far as letters tell.
fn spelled_words(words: &[String]) -> Option<(String, Vec<String>)> {
    let parts = |word: &String| -> Vec<String> {
        split(word).map_or_else(|| vec![word.clone()], |parts| parts.into_iter().map(str::to_owned).collect())
    };
    match words {
        [] => None,
        [word] => {
            let mut parts = parts(word).into_iter();
            let surname = parts.next()?;
            Some((surname, parts.collect()))
        }
        [first, rest @ ..] => {
            let is_surname = |word: &String| split(word).is_some_and(|parts| parts.len() == 1);
            // Chuanting Zhao, where only one of both can be a surname.
            if let ([last], false) = (rest, is_surname(first))
                && is_surname(last)
            {
                return Some((last.clone(), parts(first)));
            }
            Some((first.clone(), rest.iter().flat_map(parts).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_told_from_names() {
        for (text, surname, given, gender) in [
            ("张伟", "张", "伟", None),
            ("张伟经理", "张", "伟", None),
            ("張偉總經理", "张", "伟", None),
            ("张总", "张", "", None),
            ("肖伟总", "肖", "伟", None),
            ("王先生", "王", "", Some(Gender::Male)),
            ("吕云怡女士", "吕", "云怡", Some(Gender::Female)),
            ("王主任", "王", "", None),
            ("王工", "王", "", None),
            ("王建工", "王", "建工", None),
            ("小王", "王", "", None),
            ("欧阳娜娜", "欧阳", "娜娜", None),
            ("司马先生", "司马", "", Some(Gender::Male)),
            ("董总", "董", "", None),
            ("董", "董", "", None),
            ("李娜（采购）", "李", "娜", None),
            ("李娜/王伟", "李", "娜", None),
            ("经理", "", "", None),
            ("", "", "", None),
        ] {
            let person = Person::parse(text);
            assert_eq!((person.surname.as_str(), person.given.as_str(), person.gender), (surname, given, gender), "{text}");
        }
    }

    #[test]
    fn names_are_compared() {
        use NameLikeness::{Initials, Missing, Near, Other, OtherGender, OtherGiven, Same, Sounds, Surname};
        for (left, right, likeness) in [
            ("张伟", "张伟总", Same),
            ("张 伟", "張偉", Same),
            ("王星昌", "王兴昌", Sounds),
            ("王怡新", "Wang Yixin", Sounds),
            ("王怡新", "Yixin Wang", Sounds),
            ("王怡新", "wangyixin", Sounds),
            ("单晓", "Shan Xiao", Sounds),
            ("曾乐", "Zeng Yue", Sounds),
            ("吕云怡", "Lyu Yunyi", Sounds),
            ("王怡新", "Y. Wang", Initials),
            ("王怡新", "王经理", Surname),
            ("王经理", "王总", Surname),
            ("Wang Yixin", "王总", Surname),
            ("王先生", "王女士", OtherGender),
            ("王先生", "王怡新女士", OtherGender),
            ("王怡新", "王琳德", OtherGiven),
            ("李红信", "李红言", Near),
            ("王伟", "王强", OtherGiven),
            ("王怡新", "Wang Linde", OtherGiven),
            ("王怡新", "Li Na", Other),
            ("王怡新", "李总", Other),
            ("", "王怡新", Missing),
            ("John Smith", "Smith, John", Same),
            ("John Smith", "Jon Smith", Near),
            ("John Smith", "J. Smith", Initials),
            ("John Smith", "Mary Smith", OtherGiven),
            ("John Smith", "Peter Brown", Other),
            ("José García", "jose garcia", Same),
        ] {
            assert_eq!(Person::parse(left).compare(&Person::parse(right)), likeness, "{left} {right}");
            assert_eq!(Person::parse(right).compare(&Person::parse(left)), likeness, "{right} {left}");
        }
    }

    #[test]
    fn hostile_names_are_read_too() {
        for text in ["\u{0}", "))))((((", "总总总总总", "👍", &"王".repeat(100_000), &"a ".repeat(100_000)] {
            let person = Person::parse(text);
            let _ = person.compare(&Person::parse("王怡新"));
            let _ = person.letters();
        }
    }
}
