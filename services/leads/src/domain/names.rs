//! Finds known places and products in what people typed.
//!
//! Text and names are compared folded: full-width letters as half-width, capitals as small, spaces only between Latin
//! words. Names of places also count without 省, 市, 自治区 or 特别行政区.
//!
//! 1. The whole text is a resource name, an id or a name: that one.
//! 2. Else the known names inside the text count, from the left, the longest at each place; names of one character and
//!    names that a road has (`南京西路`) do not.
//! 3. What was meant is the one whose path upward covers everything that was named: `江苏省苏州市` is Suzhou, `南京市鼓楼区` is
//!    the Gulou in Nanjing. Where a province and its city share a name, the bare name says no more than the province.
//! 4. If several could be meant that do not contain one another, or the text names places apart, nothing is guessed: the
//!    answer is [`Recognition::Ambiguous`], and the lead is routed as one without a territory.

use std::collections::HashMap;

use super::ids::ResourceId;

/// What a typed text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognition<Id> {
    /// Nothing was typed.
    Empty,
    /// This one is meant.
    Known(Id),
    /// No known name is in it.
    Unknown,
    /// Each of these could be meant.
    Ambiguous(Vec<Id>),
}

/// Endings that people leave out of the name of a place, the longest first.
pub const PLACE_ENDINGS: &[&str] = &[
    "维吾尔自治区",
    "特别行政区",
    "壮族自治区",
    "回族自治区",
    "自治区",
    "省",
    "市",
];

/// The names of one kind of thing.
#[derive(Debug, Clone)]
pub struct Names<Id> {
    by_first_character: HashMap<char, Vec<Name<Id>>>,
}

#[derive(Debug, Clone)]
struct Name<Id> {
    text: String,
    /// Two characters at least: one alone is too often part of another word.
    findable: bool,
    bearers: Vec<Id>,
}

impl<Id: ResourceId> Names<Id> {
    /// Indexes names; several things may bear the same. Each also counts without one of `endings`.
    pub fn new<'a>(all: impl IntoIterator<Item = (&'a str, &'a Id)>, endings: &[&str]) -> Self
    where
        Id: 'a,
    {
        let mut names = Self {
            by_first_character: HashMap::new(),
        };
        for (name, id) in all {
            let name = fold(name);
            let stem = endings.iter().find_map(|ending| name.strip_suffix(ending));
            if let Some(stem) = stem.filter(|stem| stem.chars().count() > 1) {
                names.insert(stem, id);
            }
            names.insert(&name, id);
        }
        for group in names.by_first_character.values_mut() {
            group.sort_by(|one, other| {
                other
                    .text
                    .len()
                    .cmp(&one.text.len())
                    .then_with(|| one.text.cmp(&other.text))
            });
        }
        names
    }

    fn insert(&mut self, text: &str, id: &Id) {
        let Some(first) = text.chars().next() else { return };
        let group = self.by_first_character.entry(first).or_default();
        match group.iter_mut().find(|name| name.text == text) {
            Some(name) if name.bearers.contains(id) => {}
            Some(name) => name.bearers.push(id.clone()),
            None => {
                let findable = text.chars().nth(1).is_some();
                group.push(Name {
                    text: text.to_owned(),
                    findable,
                    bearers: vec![id.clone()],
                });
            }
        }
    }

    /// Finds what `text` means; `path_of` gives an id and all above it, the nearest first.
    pub fn recognise<'a>(&'a self, text: &str, path_of: impl Fn(&Id) -> &'a [Id]) -> Recognition<Id> {
        let text = fold(text);
        if text.is_empty() {
            return Recognition::Empty;
        }
        let mentions = match self.bearers_of(&text) {
            Some(bearers) => vec![bearers],
            None => self.mentions(&text),
        };
        if mentions.is_empty() {
            return Recognition::Unknown;
        }
        // Each candidate explains every mention: the mentioned thing is the candidate or above it.
        let mut candidates: Vec<&Id> = Vec::new();
        for id in mentions.iter().copied().flatten() {
            let path = path_of(id);
            let explains_all = mentions
                .iter()
                .all(|bearers| bearers.iter().any(|bearer| path.contains(bearer)));
            if explains_all && !candidates.contains(&id) {
                candidates.push(id);
            }
        }
        let widest = candidates.iter().min_by_key(|id| path_of(id).len());
        match widest {
            Some(widest) if candidates.iter().all(|id| path_of(id).contains(widest)) => {
                Recognition::Known((*widest).clone())
            }
            _ => {
                let mut all: Vec<Id> = mentions.into_iter().flatten().cloned().collect();
                all.sort_unstable();
                all.dedup();
                Recognition::Ambiguous(all)
            }
        }
    }

    /// Returns everything that bears exactly this name.
    #[must_use]
    pub fn bearing(&self, name: &str) -> &[Id] {
        self.bearers_of(&fold(name)).unwrap_or_default()
    }

    fn bearers_of(&self, text: &str) -> Option<&[Id]> {
        let group = self.by_first_character.get(&text.chars().next()?)?;
        group
            .iter()
            .find(|name| name.text == text)
            .map(|name| name.bearers.as_slice())
    }

    /// Returns the bearers of each name inside `text`.
    fn mentions(&self, text: &str) -> Vec<&[Id]> {
        let mut mentions: Vec<&[Id]> = Vec::new();
        let mut before = None;
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let group = self.by_first_character.get(&first).map_or(&[][..], Vec::as_slice);
            let found = group.iter().find(|name| {
                let after = rest
                    .strip_prefix(name.text.as_str())
                    .and_then(|after| after.chars().next());
                name.findable && rest.starts_with(&name.text) && !splits_word(before, &name.text, after)
            });
            let length = found.map_or(first.len_utf8(), |name| name.text.len());
            let (passed, remaining) = rest.split_at(length);
            if let Some(name) = found.filter(|_| !is_road(remaining)) {
                mentions.push(&name.bearers);
            }
            before = passed.chars().next_back();
            rest = remaining;
        }
        mentions
    }
}

/// Folds full-width to half-width, capitals to small letters, and drops spaces but those between Latin words.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut space = false;
    for character in text.chars() {
        let character = match character {
            '\u{3000}' => ' ',
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(character) - 0xFEE0).unwrap_or(character),
            other => other,
        };
        if character.is_whitespace() {
            space = true;
            continue;
        }
        let between_words = character.is_ascii() && folded.ends_with(|last: char| last.is_ascii());
        if space && between_words {
            folded.push(' ');
        }
        space = false;
        folded.extend(character.to_lowercase());
    }
    folded
}

/// Tells whether a name of Latin letters starts or ends inside a longer word: `plc` is not in `plcs`.
fn splits_word(before: Option<char>, name: &str, after: Option<char>) -> bool {
    let word = |character: Option<char>| character.is_some_and(|character| character.is_ascii_alphanumeric());
    (word(before) && word(name.chars().next())) || (word(name.chars().next_back()) && word(after))
}

/// Tells whether what follows a name makes it the name of a road.
fn is_road(after: &str) -> bool {
    let after = after.strip_prefix(['东', '西', '南', '北', '中']).unwrap_or(after);
    ["路", "街", "大道"].iter().any(|road| after.starts_with(road))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_makes_spellings_equal() {
        for (typed, folded) in [
            ("ＰＬＣ　控制器", "plc控制器"),
            (" East  China ", "east china"),
            ("上海 浦东", "上海浦东"),
            ("PLC 传感器", "plc传感器"),
            ("（华东）", "(华东)"),
            ("\t \n", ""),
        ] {
            assert_eq!(fold(typed), folded, "{typed:?}");
        }
    }

    #[test]
    fn latin_names_are_whole_words() {
        assert!(splits_word(None, "plc", Some('s')));
        assert!(splits_word(Some('x'), "plc", None));
        assert!(!splits_word(Some('用'), "plc", Some('控')));
        assert!(!splits_word(Some('a'), "骨科", Some('b')));
    }

    #[test]
    fn roads_are_not_places() {
        for road in ["路12号", "西路", "大道", "东大道", "街道"] {
            assert!(is_road(road), "{road}");
        }
        for place in ["", "市", "西站", "东"] {
            assert!(!is_road(place), "{place}");
        }
    }
}
