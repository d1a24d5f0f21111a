//! The tree of industries: read from a file, and compared between versions.

use std::collections::{BTreeMap, HashMap, HashSet};

use reflex_table::{Dialect, Record, Table, heading_key, unescape};

use super::violation::{Violation, Violations};

/// Largest file.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Most industries of a version.
pub const MAX_INDUSTRIES: usize = 5_000;
/// Most versions of a tenant.
pub const MAX_VERSIONS: i32 = 1_000;
/// How deep a tree may be.
const MAX_LEVEL: i16 = 3;
/// Faults that are told; more help nobody.
const MAX_FAULTS: usize = 100;

/// An industry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Industry {
    /// Its code.
    pub code: String,
    /// Code of the industry above it.
    pub parent: Option<String>,
    /// Name in Chinese.
    pub name_zh: String,
    /// Name in English.
    pub name_en: String,
    /// How deep it is, from 1.
    pub level: i16,
}

const COLUMNS: [[&str; 2]; 4] = [
    ["code", "代码"],
    ["parent", "上级"],
    ["name_zh", "中文名"],
    ["name_en", "英文名"],
];

/// Reads the file of a tree; the industries come by code.
///
/// # Errors
/// Returns everything that is wrong with it, by line.
pub fn read_tree(file: &[u8]) -> Result<Vec<Industry>, Vec<Violation>> {
    let mut violations = Violations::default();
    if file.len() > MAX_BYTES {
        violations.add("csv", format!("must be at most {MAX_BYTES} bytes"));
        return Err(violations.into_vec());
    }
    let mut table = Table::new(Dialect::default());
    table.feed(file);
    table.end();
    let Some(places) = table.next_record().and_then(places) else {
        violations.add(
            "csv",
            "must have the columns code, parent, name_zh and name_en (代码, 上级, 中文名, 英文名)",
        );
        return Err(violations.into_vec());
    };
    let mut lines: Vec<(u64, Industry)> = Vec::new();
    while let Some(record) = table.next_record() {
        if record.is_blank() {
            continue;
        }
        if lines.len() == MAX_INDUSTRIES {
            violations.add("csv", format!("must have at most {MAX_INDUSTRIES} industries"));
            break;
        }
        lines.push((record.line(), industry(record, places, &mut violations)));
    }
    if lines.is_empty() {
        violations.add("csv", "must have a line for at least one industry");
    }
    find_levels(&mut lines, &mut violations);
    if !violations.is_empty() {
        let mut faults = violations.into_vec();
        faults.truncate(MAX_FAULTS);
        return Err(faults);
    }
    let mut tree: Vec<Industry> = lines.into_iter().map(|(_, industry)| industry).collect();
    tree.sort_by(|one, other| one.code.cmp(&other.code));
    Ok(tree)
}

/// Returns where the columns are; the English name may be left out.
fn places(header: &Record) -> Option<[Option<usize>; 4]> {
    let headings: Vec<String> = header.cells().map(heading_key).collect();
    let places = COLUMNS.map(|names| headings.iter().position(|heading| names.contains(&heading.as_str())));
    places[..3].iter().all(Option::is_some).then_some(places)
}

fn industry(record: &Record, places: [Option<usize>; 4], violations: &mut Violations) -> Industry {
    let line = record.line();
    if record.is_oversized() || record.is_damaged() {
        violations.add(field(line), "must be readable text of usual length");
    }
    let cells: Vec<&str> = record.cells().collect();
    let cell = |column: usize| {
        let cell = places[column].and_then(|place| cells.get(place).copied());
        unescape(cell.unwrap_or_default().trim())
    };
    let code = cell(0).to_owned();
    if !is_code(&code) {
        violations.add(field(line), "code must be 1 to 32 letters, digits, dots and dashes");
    }
    Industry {
        code,
        parent: Some(cell(1).to_owned()).filter(|parent| !parent.is_empty()),
        name_zh: violations.line(&field(line), cell(2), 1..=100),
        name_en: violations.line(&field(line), cell(3), 0..=200),
        level: 0,
    }
}

/// Tells whether a text can be the code of an industry.
#[must_use]
pub fn is_code(code: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    (1..=32).contains(&code.len()) && code.bytes().all(allowed)
}

/// Finds how deep each industry is; codes that are repeated, parents that are not there, circles and depths are faults.
fn find_levels(lines: &mut [(u64, Industry)], violations: &mut Violations) {
    let mut parents: HashMap<String, Option<String>> = HashMap::new();
    for (line, industry) in lines.iter() {
        if parents.insert(industry.code.clone(), industry.parent.clone()).is_some() {
            violations.add(field(*line), format!("code {} is there twice", industry.code));
        }
    }
    for (line, industry) in lines {
        let (mut level, mut above) = (1, industry.parent.as_ref());
        while let Some(code) = above {
            let Some(parent) = parents.get(code) else {
                violations.add(field(*line), format!("parent {code} is not there"));
                break;
            };
            level += 1;
            if level > MAX_LEVEL {
                violations.add(
                    field(*line),
                    format!("must not be deeper than {MAX_LEVEL} levels, or below itself"),
                );
                break;
            }
            above = parent.as_ref();
        }
        industry.level = level;
    }
}

fn field(line: u64) -> String {
    format!("csv line {line}")
}

/// What became of an industry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveKind {
    /// Same code, another name or parent.
    Changed,
    /// Another code.
    Moved,
    /// Not there any more.
    Removed,
    /// Not there before.
    Added,
}

/// What became of an industry, by codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Its code before.
    pub from: Option<String>,
    /// Its code now.
    pub to: Option<String>,
    /// What happened.
    pub kind: MoveKind,
}

/// Compares two versions; also returns how many industries are the same.
///
/// What keeps its code is the same industry. Of the others, one that is gone is the new one with its Chinese name where exactly
/// one of each has the name: nothing is guessed beyond that.
#[must_use]
pub fn compare(from: &[Industry], to: &[Industry]) -> (Vec<Move>, usize) {
    let before: BTreeMap<&str, &Industry> = from.iter().map(|it| (it.code.as_str(), it)).collect();
    let after: BTreeMap<&str, &Industry> = to.iter().map(|it| (it.code.as_str(), it)).collect();
    let added = unique_names(to.iter().filter(|it| !before.contains_key(it.code.as_str())));
    let gone = unique_names(from.iter().filter(|it| !after.contains_key(it.code.as_str())));
    let (mut moves, mut same, mut found) = (Vec::new(), 0, HashSet::new());
    for (code, industry) in &before {
        let (kind, to) = match after.get(code) {
            Some(now) if now == industry => {
                same += 1;
                continue;
            }
            Some(_) => (MoveKind::Changed, Some((*code).to_owned())),
            None => {
                let name = industry.name_zh.as_str();
                let is_only = gone.get(name).is_some_and(|only| *only == Some(*code));
                match added.get(name).copied().flatten().filter(|_| is_only) {
                    Some(now) => {
                        found.insert(now);
                        (MoveKind::Moved, Some(now.to_owned()))
                    }
                    None => (MoveKind::Removed, None),
                }
            }
        };
        let from = Some((*code).to_owned());
        moves.push(Move { from, to, kind });
    }
    let new = after
        .keys()
        .filter(|code| !before.contains_key(**code) && !found.contains(**code));
    moves.extend(new.map(|code| Move {
        from: None,
        to: Some((*code).to_owned()),
        kind: MoveKind::Added,
    }));
    (moves, same)
}

/// Returns the code of each name that only one has; none for names of several.
fn unique_names<'a>(industries: impl Iterator<Item = &'a Industry>) -> HashMap<&'a str, Option<&'a str>> {
    let mut names = HashMap::new();
    for industry in industries {
        names
            .entry(industry.name_zh.as_str())
            .and_modify(|code| *code = None)
            .or_insert(Some(industry.code.as_str()));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "code,parent,name_zh,name_en\nC36,,汽车制造业,Manufacture of automobiles\n\
        C367,C36,汽车零部件,Automotive parts\nC367-1,C367,转向节,Steering knuckle\nC367-2,C367,控制臂,Control arm\n";

    #[test]
    fn a_tree_is_read_in_either_language() {
        let tree = read_tree(TREE.as_bytes()).unwrap();
        let levels: Vec<_> = tree.iter().map(|it| (it.code.as_str(), it.level)).collect();
        assert_eq!(levels, [("C36", 1), ("C367", 2), ("C367-1", 3), ("C367-2", 3)]);
        let chinese = "代码,上级,中文名\r\nC367-1,C36,转向节\r\nC36,,汽车制造业\r\n,,\r\n";
        let tree = read_tree(chinese.as_bytes()).unwrap();
        assert_eq!((tree[1].parent.as_deref(), tree[1].level), (Some("C36"), 2));
    }

    #[test]
    fn faults_name_their_line() {
        let lines = |lines: &str| format!("code,parent,name_zh,name_en\n{lines}");
        for (file, line, telling) in [
            (String::new(), "csv", "columns"),
            ("code,name_zh\nA,x".into(), "csv", "columns"),
            (lines(""), "csv", "at least one"),
            (lines("A,,x,\nA,,y,"), "csv line 3", "twice"),
            (lines("A,B,x,"), "csv line 2", "parent B"),
            (lines("A,A,x,"), "csv line 2", "below itself"),
            (lines("A,,x,\nB,A,x,\nC,B,x,\nD,C,x,"), "csv line 5", "3 levels"),
            (lines("A B,,x,"), "csv line 2", "code must"),
            (lines("A,,,"), "csv line 2", "empty"),
        ] {
            let faults = read_tree(file.as_bytes()).unwrap_err();
            assert_eq!(faults[0].field, line, "{file:?}");
            assert!(faults[0].description.contains(telling), "{:?}", faults[0]);
        }
        let many: Vec<String> = (0..=MAX_INDUSTRIES).map(|at| format!("A{at},,x,\n")).collect();
        let many = many.concat();
        assert!(read_tree(lines(&many).as_bytes()).is_err());
        assert!(read_tree(&vec![b'x'; MAX_BYTES + 1]).is_err());
        let circle = lines("A,B,x,\nB,A,x,");
        assert_eq!(read_tree(circle.as_bytes()).unwrap_err().len(), 2);
        let nothing_but_faults = lines(&"!,,x,\n".repeat(400));
        assert_eq!(read_tree(nothing_but_faults.as_bytes()).unwrap_err().len(), MAX_FAULTS);
    }

    #[test]
    fn versions_are_compared_without_guessing() {
        let before = read_tree(TREE.as_bytes()).unwrap();
        let after = "code,parent,name_zh,name_en\nC36,,汽车制造业,Manufacture of automobiles\n\
            C367,C36,汽车零部件及配件,Automotive parts\nC3671,C367,转向节,Steering knuckle\nC3673,C367,转向轴,\n";
        let after = read_tree(after.as_bytes()).unwrap();
        let (moves, same) = compare(&before, &after);
        let told: Vec<_> = moves
            .iter()
            .map(|it| (it.from.as_deref(), it.to.as_deref(), it.kind))
            .collect();
        assert_eq!(
            told,
            [
                (Some("C367"), Some("C367"), MoveKind::Changed),
                (Some("C367-1"), Some("C3671"), MoveKind::Moved),
                (Some("C367-2"), None, MoveKind::Removed),
                (None, Some("C3673"), MoveKind::Added),
            ]
        );
        assert_eq!(same, 1);
        assert_eq!(compare(&before, &before), (Vec::new(), 4));
        // Two that are gone have the name of one that is new.
        let of = |text: &str| read_tree(format!("code,parent,name_zh\n{text}").as_bytes()).unwrap();
        let (moves, _) = compare(&of("A,,其他\nB,,其他"), &of("C,,其他"));
        assert!(moves.iter().all(|it| it.kind != MoveKind::Moved), "{moves:?}");
    }
}
