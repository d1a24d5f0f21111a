//! The entries of a policy as a decision table: a CSV file that people edit in a spreadsheet.
//!
//! What [`write_table`] writes, [`Table::read`] reads back as the same entries. Names are those people know, as long as only
//! one thing bears them; nothing is guessed. A cell that a spreadsheet would calculate is kept from it by an apostrophe.

mod cells;

use std::collections::HashMap;

use reflex_expr::Lang;
use reflex_table::{Dialect, Record};

use super::{Entry, RawEntry};
use crate::domain::catalogue::Catalogue;
use crate::domain::directory::Directory;
use crate::domain::ids::{ResourceId, TeamId};
use crate::domain::member_file::MAX_BYTES;
use crate::domain::names::fold;
use crate::domain::violation::{Violation, Violations};

/// Words for a cell of the matrix without a territory or product, beside an empty one.
const ANY: [&str; 4] = ["*", "any", "任何", "任意"];

/// What a column holds; how it is called in English and in Chinese, and otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Territory,
    Product,
    When,
    Team,
    Skills,
}

impl Column {
    /// In the order they are written in.
    const ALL: [(Self, &str, &str, &[&str]); 5] = [
        (Self::Territory, "territory", "地域", &["地区", "区域"]),
        (Self::Product, "product", "产品", &["产品线"]),
        (Self::When, "when", "条件", &["condition", "附加条件"]),
        (Self::Team, "team", "团队", &["部门", "小组"]),
        (Self::Skills, "skills", "技能", &["所需技能", "标签"]),
    ];

    fn find(heading: &str) -> Option<Self> {
        let heading = heading.trim().to_lowercase();
        let called = |(_, en, zh, others): &&(Self, &str, &str, &[&str])| {
            [*en, *zh].contains(&heading.as_str()) || others.contains(&heading.as_str())
        };
        Self::ALL.iter().find(called).map(|(column, ..)| *column)
    }

    fn heading(self, lang: Lang) -> &'static str {
        let (_, en, zh, _) = Self::ALL[self as usize];
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

/// What people call the things of a tenant.
struct Vocabulary<'a> {
    directory: &'a Directory,
    /// Teams by id and folded name.
    teams: HashMap<String, Vec<TeamId>>,
}

impl<'a> Vocabulary<'a> {
    fn new(directory: &'a Directory) -> Self {
        let mut teams: HashMap<String, Vec<TeamId>> = HashMap::new();
        for team in directory.teams() {
            for name in [fold(team.id.id()), fold(&team.display_name)] {
                let bearers = teams.entry(name).or_default();
                if !bearers.contains(&team.id) {
                    bearers.push(team.id.clone());
                }
            }
        }
        for bearers in teams.values_mut() {
            bearers.sort_unstable();
        }
        Self { directory, teams }
    }

    fn teams_called(&self, text: &str) -> Vec<TeamId> {
        self.teams.get(&fold(text)).cloned().unwrap_or_default()
    }
}

/// Writes entries as a table, in their order: the same bytes for the same entries, names and headings.
///
/// # Panics
/// Never: writing into memory does not fail.
#[must_use]
pub fn write_table(entries: &[Entry], directory: &Directory, headings: Lang) -> Vec<u8> {
    let vocabulary = Vocabulary::new(directory);
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    let mut write = |cells: [&str; 5]| writer.write_record(cells).expect("memory takes everything");
    write(Column::ALL.map(|(column, ..)| column.heading(headings)));
    for entry in entries {
        let territory = entry.territory.as_ref();
        let territory = territory.map(|id| catalogue_name(&directory.territories, id));
        let product = entry.product.as_ref();
        let product = product.map(|id| catalogue_name(&directory.products, id));
        let team = directory.find_team(&entry.team).map(|team| team.display_name.as_str());
        let team = name_of(&entry.team, team, |name| vocabulary.teams_called(name));
        let cells = [
            territory.unwrap_or_default(),
            product.unwrap_or_default(),
            entry.when.clone().unwrap_or_default(),
            team,
            cells::join(&entry.skills),
        ];
        write(
            cells
                .each_ref()
                .map(|cell| reflex_table::escape(cell))
                .each_ref()
                .map(AsRef::as_ref),
        );
    }
    writer.into_inner().expect("memory takes everything")
}

fn catalogue_name<Id: ResourceId>(catalogue: &Catalogue<Id>, id: &Id) -> String {
    let known = catalogue.find(id).map(|node| node.display_name.as_str());
    name_of(id, known, |name| catalogue.called(name))
}

/// Returns the name people know if it is read as this very thing again, else the resource name.
fn name_of<Id: ResourceId>(id: &Id, known: Option<&str>, called: impl Fn(&str) -> Vec<Id>) -> String {
    let is_plain = |name: &&str| *name == name.trim() && name.parse::<Id>().is_err() && !ANY.contains(name);
    let means_it = |name: &&str| called(name) == std::slice::from_ref(id);
    known
        .filter(is_plain)
        .filter(means_it)
        .map_or_else(|| id.to_string(), str::to_owned)
}

/// A table as it was read.
#[derive(Debug, Clone)]
pub struct Table {
    /// The entries it says, in its order.
    pub entries: Vec<RawEntry>,
    /// The line each entry starts on, from 1.
    lines: Vec<u64>,
}

impl Table {
    /// Reads a file; `directory` knows what names mean.
    ///
    /// # Errors
    /// Returns everything that is wrong with it, by line and column.
    pub fn read(file: &[u8], directory: &Directory) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        if file.len() > MAX_BYTES {
            let zh = format!("不得超过 {MAX_BYTES} 字节");
            let said = (zh.as_str(), &*format!("must be at most {MAX_BYTES} bytes"));
            add(&mut violations, 1, None, said);
            return Err(violations.into_vec());
        }
        let mut reader = reflex_table::Table::new(Dialect::default());
        reader.feed(file);
        reader.end();
        let columns = columns(reader.next_record(), &mut violations);
        if !violations.is_empty() {
            return Err(violations.into_vec());
        }
        let vocabulary = Vocabulary::new(directory);
        let mut table = Self {
            entries: Vec::new(),
            lines: Vec::new(),
        };
        while let Some(record) = reader.next_record() {
            let line = record.line();
            // Spreadsheets leave lines of nothing but commas behind.
            if record.is_blank() {
                continue;
            }
            if let Some((zh, en)) = unreadable(record, columns.len()) {
                add(&mut violations, line, None, (&zh, &en));
                continue;
            }
            let mut row = Row {
                vocabulary: &vocabulary,
                violations: &mut violations,
                line,
            };
            table.entries.push(row.entry(&columns, record));
            table.lines.push(line);
        }
        if violations.is_empty() {
            Ok(table)
        } else {
            Err(violations.into_vec())
        }
    }

    /// Returns a violation of the policy as one of the table, where it is about one of its entries.
    #[must_use]
    pub fn locate(&self, violation: Violation) -> Violation {
        let place = violation.field.strip_prefix("policy.entries[").and_then(|rest| {
            let (place, field) = rest.split_once("].")?;
            let line = *self.lines.get(place.parse::<usize>().ok()?)?;
            Some((line, Column::find(field)?))
        });
        let Some((line, column)) = place else {
            return violation;
        };
        let (zh, en) = (column.heading(Lang::Zh), column.heading(Lang::En));
        Violation {
            field: "csv".to_owned(),
            description: format!(
                "第 {line} 行“{zh}”列 / line {line}, column {en}: {}",
                violation.description
            ),
        }
    }
}

/// Says why a record has no cells to read.
fn unreadable(record: &Record, wanted: usize) -> Option<(String, String)> {
    if record.is_oversized() {
        let (zh, en) = (
            "太长，是否有引号没有配对？",
            "is too long; is a quotation mark not closed?",
        );
        return Some((zh.into(), en.into()));
    }
    if record.is_damaged() {
        let zh = "有不属于文件编码的字节；请另存为“CSV UTF-8”";
        let en = "has bytes that are none of the file's encoding; save the table as \"CSV UTF-8\"";
        return Some((zh.into(), en.into()));
    }
    let has = record.count();
    let counts = || {
        let zh = format!("有 {has} 格，表头有 {wanted} 格");
        (zh, format!("has {has} cells, the header has {wanted}"))
    };
    (has != wanted).then(counts)
}

fn columns(header: Option<&Record>, violations: &mut Violations) -> Vec<Column> {
    let mut columns = Vec::new();
    for heading in header.into_iter().flat_map(Record::cells) {
        match Column::find(heading) {
            Some(column) if columns.contains(&column) => {
                add(violations, 1, Some(heading), ("重复出现", "occurs twice"));
            }
            Some(column) => columns.push(column),
            None => {
                let known = |lang| Column::ALL.map(|(column, ..)| column.heading(lang));
                let zh = format!("不是已知的列；已知的列有 {}", known(Lang::Zh).join("、"));
                let en = format!("is no known column; known are {}", known(Lang::En).join(", "));
                add(violations, 1, Some(heading), (&zh, &en));
            }
        }
    }
    // A column that got lost would make every entry apply to more leads than before.
    let missing = Column::ALL.iter().filter(|(column, ..)| !columns.contains(column));
    if violations.is_empty() {
        for (_, heading, ..) in missing {
            let said = (
                "缺少这一列；没有内容的格可以留空",
                "must be there; its cells may be empty",
            );
            add(violations, 1, Some(heading), said);
        }
    }
    columns
}

/// One line being read.
struct Row<'a> {
    vocabulary: &'a Vocabulary<'a>,
    violations: &'a mut Violations,
    line: u64,
}

impl Row<'_> {
    fn entry(&mut self, columns: &[Column], record: &Record) -> RawEntry {
        let directory = self.vocabulary.directory;
        let mut entry = RawEntry::default();
        for (column, cell) in columns.iter().zip(record.cells()) {
            let cell = reflex_table::unescape(cell.trim()).trim();
            match column {
                Column::Territory => {
                    entry.territory = self.place(*column, cell, |text| directory.territories.called(text));
                }
                Column::Product => entry.product = self.place(*column, cell, |text| directory.products.called(text)),
                Column::When => cell.clone_into(&mut entry.when),
                Column::Team if cell.is_empty() => self.add(*column, ("请填写团队", "must be given")),
                Column::Team => {
                    let called = |text: &str| self.vocabulary.teams_called(text);
                    entry.team = self.name(*column, cell, &called(cell));
                }
                Column::Skills => match cells::split(cell) {
                    Some(skills) => entry.skills = skills,
                    None => self.add(
                        *column,
                        ("有引号没有配对", "has a quotation mark without its other half"),
                    ),
                },
            }
        }
        entry
    }

    /// Reads a territory or product; empty for any.
    fn place<Id: ResourceId>(&mut self, column: Column, cell: &str, called: impl Fn(&str) -> Vec<Id>) -> String {
        let found = called(cell);
        if cell.is_empty() || (found.is_empty() && ANY.contains(&fold(cell).as_str())) {
            return String::new();
        }
        self.name(column, cell, &found)
    }

    /// Returns the resource name of what a cell names.
    fn name<Id: ResourceId>(&mut self, column: Column, cell: &str, found: &[Id]) -> String {
        if cell.starts_with(&format!("{}/", Id::COLLECTION)) {
            return cell.to_owned();
        }
        let shown: String = cell.chars().take(60).collect();
        match found {
            [only] => return only.to_string(),
            [] => self.add(
                column,
                (
                    &format!("没有叫“{shown}”的；请写完整名称、别名或编号"),
                    &format!("nothing is called {shown}; write a name, an alias or an id"),
                ),
            ),
            several => {
                let names: Vec<String> = several.iter().take(5).map(ToString::to_string).collect();
                let names = names.join(", ");
                self.add(
                    column,
                    (
                        &format!("“{shown}”可以指 {names}；请写其中一个"),
                        &format!("{shown} may be {names}; write one of them"),
                    ),
                );
            }
        }
        String::new()
    }

    fn add(&mut self, column: Column, said: (&str, &str)) {
        add(self.violations, self.line, Some(column.heading(Lang::En)), said);
    }
}

/// Adds a fault of a place in the file, in Chinese and in English.
fn add(violations: &mut Violations, line: u64, column: Option<&str>, (zh, en): (&str, &str)) {
    let (zh_column, en_column) = match column {
        None => (String::new(), String::new()),
        Some(heading) => {
            let zh = Column::find(heading).map_or(heading, |column| column.heading(Lang::Zh));
            (format!("“{zh}”列"), format!(", column {heading}"))
        }
    };
    violations.add(
        "csv",
        format!("第 {line} 行{zh_column}：{zh} / line {line}{en_column}: {en}"),
    );
}

#[cfg(test)]
mod tests;
