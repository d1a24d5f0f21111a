//! Reading migrations by eye: which tables, policies and views they make, not a parser.

use std::collections::BTreeSet;

/// Replaces comments and the insides of string literals by blanks. Dollar-quoted bodies are code and stay.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let skipped = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if char == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else {
            code.push(char);
            rest = &rest[char.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// What the migrations of one database leave behind, as far as row security is concerned.
#[derive(Default)]
pub(crate) struct Schema {
    /// Tables with a column `tenant_id`.
    pub(crate) tenant_tables: BTreeSet<String>,
    pub(crate) secured: BTreeSet<String>,
    pub(crate) forced: BTreeSet<String>,
    pub(crate) with_policy: BTreeSet<String>,
    /// Views that run with their owner's rights and so show every tenant's rows.
    pub(crate) owner_views: BTreeSet<String>,
}

impl Schema {
    /// Reads one more migration.
    pub(crate) fn apply(&mut self, text: &str) {
        let code = code(text).to_lowercase();
        for statement in code.split(';') {
            let words: Vec<&str> = words(statement).collect();
            for at in 0..words.len() {
                self.apply_words(&words[at..]);
            }
        }
    }

    fn apply_words(&mut self, words: &[&str]) {
        match words {
            ["create", "table", rest @ ..] | ["create", "unlogged", "table", rest @ ..] => {
                if let [name, "(", columns @ ..] = skip(rest, &["if", "not", "exists"])
                    && has_column(columns, "tenant_id")
                {
                    self.tenant_tables.insert(table(name));
                }
            }
            ["alter", "table", rest @ ..] => {
                let [name, changes @ ..] = skip(skip(rest, &["if", "exists"]), &["only"]) else {
                    return;
                };
                let makes = |change: &[&str]| changes.windows(change.len()).any(|window| window == change);
                if makes(&["enable", "row", "level", "security"]) {
                    self.secured.insert(table(name));
                }
                if makes(&["force", "row", "level", "security"]) {
                    self.forced.insert(table(name));
                }
                if makes(&["add", "column", "tenant_id"])
                    || makes(&["add", "column", "if", "not", "exists", "tenant_id"])
                {
                    self.tenant_tables.insert(table(name));
                }
            }
            ["create", "policy", _, "on", name, ..] => {
                self.with_policy.insert(table(name));
            }
            ["drop", "table", rest @ ..] => {
                if let [name, ..] = skip(rest, &["if", "exists"]) {
                    self.tenant_tables.remove(&table(name));
                }
            }
            ["create", rest @ ..] => {
                if let ["view", name, head @ ..] | ["materialized", "view", name, head @ ..] =
                    skip(rest, &["or", "replace"])
                {
                    let head = head.split(|&word| word == "as").next().unwrap_or_default();
                    if !head.contains(&"security_invoker") {
                        self.owner_views.insert(table(name));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Tells whether a column of this name is declared; `columns` starts behind the bracket.
fn has_column(columns: &[&str], name: &str) -> bool {
    let mut depth = 1;
    let mut starts = true;
    for word in columns {
        match *word {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ if starts && *word == name => return true,
            _ => {}
        }
        starts = depth == 1 && *word == ",";
        if depth == 0 {
            break;
        }
    }
    false
}

fn skip<'w>(words: &'w [&'w str], prefix: &[&'w str]) -> &'w [&'w str] {
    words.strip_prefix(prefix).unwrap_or(words)
}

fn table(name: &str) -> String {
    name.replace('"', "").trim_start_matches("public.").to_owned()
}

/// Splits into names (with their dots and quotes) and single signs.
fn words(statement: &str) -> impl Iterator<Item = &str> {
    let is_name = |char: char| char.is_alphanumeric() || matches!(char, '_' | '.' | '"');
    let mut rest = statement;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let length = if is_name(first) {
            rest.find(|char| !is_name(char)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        Some(word)
    })
}

#[test]
fn comments_and_literals_are_not_code() {
    assert_eq!(
        code("a -- B\nc /* D */ 'E''F' g $$H$$")
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["a", "c", "g", "$$H$$"]
    );
}
