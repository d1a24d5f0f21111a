//! Reading Rust by eye: enough to see which names a file uses, not a parser.

/// Replaces comments and the insides of literals by blanks; lines stay where they are.
pub(crate) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_or_comment_end(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|&char| if char == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Returns where the comment or literal that starts at `at` ends, or `at` when none starts there.
fn literal_or_comment_end(chars: &[char], at: usize) -> usize {
    let follows = |text: &str| {
        text.chars()
            .enumerate()
            .all(|(offset, char)| chars.get(at + offset) == Some(&char))
    };
    if follows("//") {
        return position(chars, at, |rest| rest[0] == '\n');
    }
    if follows("/*") {
        return block_comment_end(chars, at);
    }
    if follows("\"") {
        return quoted_end(chars, at, '"');
    }
    if follows("r\"") || follows("r#") {
        let in_word = at > 0 && is_word(chars[at - 1]) && chars[at - 1] != 'b';
        let hashes = chars[at + 1..].iter().take_while(|&&char| char == '#').count();
        if !in_word && chars.get(at + 1 + hashes) == Some(&'"') {
            let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let start = at + hashes + 2;
            return (position(chars, start, |rest| rest.starts_with(&closing)) + closing.len()).min(chars.len());
        }
    }
    // A quote that is not closed two characters on starts a lifetime, not a character.
    if follows("'\\") || (follows("'") && chars.get(at + 2) == Some(&'\'')) {
        return quoted_end(chars, at, '\'');
    }
    at
}

fn position(chars: &[char], from: usize, found: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len())
        .find(|&at| found(&chars[at..]))
        .unwrap_or(chars.len())
}

fn quoted_end(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < chars.len() {
        if chars[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if chars[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    chars.len()
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Returns the part of a file before its module of unit tests.
pub(crate) fn before_tests(text: &str) -> &str {
    let mut start = 0;
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let opens_tests = lines
            .peek()
            .is_some_and(|next| next.starts_with("mod ") || next.starts_with("pub(crate) mod "));
        if line.trim_end() == "#[cfg(test)]" && opens_tests {
            return &text[..start];
        }
        start += line.len();
    }
    text
}

/// Tells whether `code` names the crate: `tokio::spawn`, `use tokio;`, `#[derive(prost::Message)]`.
pub(crate) fn names_crate(code: &str, name: &str) -> bool {
    words(code).any(|(at, word)| {
        let (before, after) = (code[..at].trim_end(), code[at + word.len()..].trim_start());
        // `::tokio` is a root too, `x::tokio` is not.
        let is_root = before
            .strip_suffix("::")
            .is_none_or(|owner| !owner.ends_with(|char| is_word(char) || char == '>'));
        word == name && is_root && (after.starts_with("::") || before.ends_with("use"))
    })
}

/// Tells whether `code` calls a function of this name, whatever its path.
pub(crate) fn calls(code: &str, name: &str) -> bool {
    words(code).any(|(at, word)| word == name && code[at + word.len()..].trim_start().starts_with('('))
}

/// Returns the crate's own modules that `code` names: `crate::store::find` and `use crate::{domain, store}`.
pub(crate) fn own_modules(code: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, word) in words(code).filter(|(_, word)| *word == "crate") {
        let Some(path) = code[at + word.len()..].trim_start().strip_prefix("::") else {
            continue;
        };
        match path.trim_start().strip_prefix('{') {
            Some(group) => modules.extend(group_members(group)),
            None => modules.extend(first_word(path)),
        }
    }
    modules
}

/// Returns the first name of each member of `{…}`; `group` starts behind the brace.
fn group_members(group: &str) -> Vec<String> {
    let mut members = Vec::new();
    let (mut depth, mut start) = (1, 0);
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if (char == ',' && depth == 1) || depth == 0 {
            members.extend(first_word(&group[start..at]));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    members
}

fn first_word(code: &str) -> Option<String> {
    words(code).next().map(|(_, word)| word.to_owned())
}

/// Walks the words of `code` with their positions.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.split(|char| !is_word(char))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

#[test]
fn comments_and_literals_are_not_code() {
    let text =
        "a /* tokio::x /* y */ */ b // sqlx::z\n\"redis::\\\" q\" c r#\"prost:: \" \"# 'x' '\\'' &'a str br\"tonic::\"";
    let words: Vec<&str> = code(text)
        .split_whitespace()
        .map(str::to_owned)
        .map(String::leak)
        .map(|word| &*word)
        .collect();
    assert_eq!(words, ["a", "b", "c", "&'a", "str", "b"]);
}

#[test]
fn crates_are_recognised_by_the_root_of_a_path() {
    for code in [
        "use tokio::sync;",
        "use {serde::Serialize, tokio::time};",
        "::tokio::spawn(x)",
        "fn f(x: tokio::Y)",
        "use tokio;",
    ] {
        assert!(names_crate(code, "tokio"), "{code}");
    }
    for code in [
        "let tokio = 1;",
        "crate::tokio::x()",
        "use mytokio::x;",
        "use super::tokio::x;",
        "tokio_util::x()",
    ] {
        assert!(!names_crate(code, "tokio"), "{code}");
    }
}

#[test]
fn own_modules_are_found_in_paths_and_groups() {
    let code = "use crate::{domain::{lead, routing}, store}; crate::grpc::x(); pub(crate) fn f() {} use crate::app;";
    assert_eq!(own_modules(code), ["domain", "store", "grpc", "app"]);
}

#[test]
fn the_part_before_the_tests_ends_at_their_module() {
    assert_eq!(
        before_tests("a\n#[cfg(test)]\nfn helper() {}\n#[cfg(test)]\nmod tests {\n}\n"),
        "a\n#[cfg(test)]\nfn helper() {}\n"
    );
    assert_eq!(before_tests("a\nb\n"), "a\nb\n");
}
