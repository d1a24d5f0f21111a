//! People's names: Chinese ones with titles, in characters or pinyin, and Western ones.

mod compare;

use crate::spelling::{spell, split, syllables};
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
            let first = outside
                .split(['/', '、', ',', ';', '|', '&'])
                .next()
                .unwrap_or_default();
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
            if !table.contains_key(word.as_str()) && !word.bytes().all(|byte| byte.is_ascii_digit()) && names.len() < 8
            {
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
        let count = if chars.len() >= 2 && tables.compound_surnames.contains(two.as_str()) {
            2
        } else {
            1
        };
        // What is longer than names are is a department, a remark or a foreign name; it is compared as it stands.
        let surname: String = chars.iter().take(count).collect();
        let given: String = chars.iter().skip(count).take(8).collect();
        if surname.is_empty() {
            return Self {
                gender,
                ..Self::default()
            };
        }
        let reading = tables.surname_readings.get(surname.as_str());
        let spelled = reading.map_or_else(|| spell(&surname), |reading| (*reading).to_owned());
        let spelled = spelled.is_ascii().then(|| (spelled, syllables(&given)));
        Self {
            surname,
            given,
            words: Vec::new(),
            gender,
            spelled,
        }
    }

    /// Returns whether nothing of the name is known.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.surname.is_empty() && self.words.is_empty()
    }

    /// Returns whether surname and given name are known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.given.is_empty()
            || self.words.len() > 1
            || self.spelled.as_ref().is_some_and(|(_, given)| !given.is_empty())
    }

    /// Returns the surname in letters.
    #[must_use]
    pub fn surname_spelled(&self) -> Option<&str> {
        self.spelled
            .as_ref()
            .map(|(surname, _)| surname.as_str())
            .filter(|surname| !surname.is_empty())
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
    if outside.trim().is_empty() {
        text.to_owned()
    } else {
        outside
    }
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
    if rest.chars().count() == 2 && rest.ends_with('工') {
        &rest[..rest.len() - '工'.len_utf8()]
    } else {
        rest
    }
}

/// Returns surname and syllables of the given name, as far as letters tell.
fn spelled_words(words: &[String]) -> Option<(String, Vec<String>)> {
    let parts = |word: &String| -> Vec<String> {
        split(word).map_or_else(
            || vec![word.clone()],
            |parts| parts.into_iter().map(str::to_owned).collect(),
        )
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
mod tests;
