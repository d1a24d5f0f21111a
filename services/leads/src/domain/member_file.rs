//! Members as a table: a CSV file with a header, as a spreadsheet or a directory exports it.
//!
//! A column that the file does not have leaves that field of known members as it is; an empty cell clears it. Ids may
//! stand with or without their collection (`zhang.wei`, `members/zhang.wei`). [`reflex_table`] knows encodings and
//! delimiters.

use std::collections::HashMap;

use reflex_table::{Dialect, Record, Table, heading_key};

use super::directory::Directory;
use super::ids::MemberId;
use super::member::{Member, RawMember, Role};
use super::violation::{Violation, Violations};

/// Largest file, in bytes.
pub const MAX_BYTES: usize = 2 * 1024 * 1024;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Who it says.
    pub member: Member,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Column {
    Id,
    DisplayName,
    Team,
    Role,
    Supervisor,
    Deputy,
    Weight,
    Capacity,
    Skills,
    Calendar,
    Active,
    Mobile,
    Email,
    Locale,
}

impl Column {
    /// The name of each column, as the API calls the field, and what Chinese files call it.
    const NAMES: [(Self, &str, &[&str]); 14] = [
        (Self::Id, "id", &["工号", "编号", "账号"]),
        (Self::DisplayName, "display_name", &["姓名", "名称", "显示名"]),
        (Self::Team, "team", &["团队", "部门", "小组"]),
        (Self::Role, "role", &["角色", "岗位", "职位"]),
        (Self::Supervisor, "supervisor", &["上级", "主管", "直属上级"]),
        (Self::Deputy, "deputy", &["代理人", "代班人"]),
        (Self::Weight, "weight", &["权重"]),
        (Self::Capacity, "capacity", &["容量", "上限", "线索上限"]),
        (Self::Skills, "skills", &["技能", "标签"]),
        (Self::Calendar, "calendar", &["日历", "工作日历"]),
        (Self::Active, "active", &["在职", "状态"]),
        (Self::Mobile, "mobile", &["手机", "手机号"]),
        (Self::Email, "email", &["邮箱", "电子邮箱"]),
        (Self::Locale, "locale", &["语言"]),
    ];

    fn find(header: &str) -> Option<Self> {
        let header = heading_key(header);
        let named = |(_, name, others): &&(Self, &str, &[&str])| *name == header || others.contains(&header.as_str());
        Self::NAMES.iter().find(named).map(|(column, ..)| *column)
    }

    fn of_field(field: &str) -> &str {
        match field.strip_prefix("member.").unwrap_or(field) {
            "name" => "id",
            field => field,
        }
    }
}

/// Reads a file; `directory` knows the members as they are now.
///
/// # Errors
/// Returns everything that is wrong with it, by line and column.
pub fn parse(file: &[u8], directory: &Directory) -> Result<Vec<Line>, Vec<Violation>> {
    let mut violations = Violations::default();
    if file.len() > MAX_BYTES {
        violations.add("csv", format!("must be at most {MAX_BYTES} bytes"));
        return Err(violations.into_vec());
    }
    let mut table = Table::new(Dialect::default());
    table.feed(file);
    table.end();
    let columns = columns(table.next_record(), &mut violations);
    if !violations.is_empty() {
        return Err(violations.into_vec());
    }
    let mut lines = Vec::new();
    let mut seen: HashMap<MemberId, u64> = HashMap::new();
    while let Some(record) = table.next_record() {
        let number = record.line();
        if record.is_oversized() {
            fault(
                &mut violations,
                number,
                "",
                "is too long; is a quotation mark not closed?",
            );
            continue;
        }
        if record.is_damaged() {
            let description = "has bytes that are none of the file's encoding; save the table as \"CSV UTF-8\"";
            fault(&mut violations, number, "", description);
            continue;
        }
        if record.count() != columns.len() {
            let counts = format!("has {} cells, the header has {}", record.count(), columns.len());
            fault(&mut violations, number, "", &counts);
            continue;
        }
        match member(&columns, record, directory) {
            Ok(member) => {
                if let Some(first) = seen.insert(member.id.clone(), number) {
                    fault(
                        &mut violations,
                        number,
                        "id",
                        &format!("is the one of line {first} too"),
                    );
                }
                lines.push(Line { number, member });
            }
            Err(faults) => {
                for it in faults {
                    fault(&mut violations, number, Column::of_field(&it.field), &it.description);
                }
            }
        }
    }
    if lines.is_empty() && violations.is_empty() {
        violations.add("csv", "must have a line for at least one member");
    }
    if violations.is_empty() {
        Ok(lines)
    } else {
        Err(violations.into_vec())
    }
}

/// Makes the violation of a place in the file.
#[must_use]
pub fn violation(line: u64, column: &str, description: &str) -> Violation {
    let place = if column.is_empty() {
        String::new()
    } else {
        format!(", column {column}")
    };
    Violation {
        field: "csv".into(),
        description: format!("line {line}{place}: {description}"),
    }
}

fn fault(violations: &mut Violations, line: u64, column: &str, description: &str) {
    let Violation { field, description } = violation(line, column, description);
    violations.add(field, description);
}

fn columns(header: Option<&Record>, violations: &mut Violations) -> Vec<Column> {
    let mut columns = Vec::new();
    for name in header.into_iter().flat_map(Record::cells) {
        match Column::find(name) {
            Some(column) if columns.contains(&column) => fault(violations, 1, name, "occurs twice"),
            Some(column) => columns.push(column),
            None => {
                let known = Column::NAMES.map(|(_, name, _)| name).join(", ");
                fault(violations, 1, name, &format!("is no known column; known are {known}"));
            }
        }
    }
    if violations.is_empty() && !columns.contains(&Column::Id) {
        fault(violations, 1, "id", "must be there");
    }
    columns
}

fn member(columns: &[Column], record: &Record, directory: &Directory) -> Result<Member, Vec<Violation>> {
    let mut violations = Violations::default();
    let cells = || columns.iter().copied().zip(record.cells().map(str::trim));
    let id = cells()
        .find(|(column, _)| *column == Column::Id)
        .map_or("", |(_, cell)| cell);
    let name = in_collection("members", id);
    let known = name.parse().ok().and_then(|id| directory.find_member(&id));
    let mut raw = known.map_or_else(
        || RawMember {
            active: true,
            ..RawMember::default()
        },
        RawMember::from,
    );
    raw.name = name;
    for (column, cell) in cells() {
        match column {
            Column::Id => {}
            Column::DisplayName => cell.clone_into(&mut raw.display_name),
            Column::Team => raw.team = in_collection("teams", cell),
            Column::Role => raw.role = role(cell),
            Column::Supervisor => raw.supervisor = in_collection("members", cell),
            Column::Deputy => raw.deputy = in_collection("members", cell),
            Column::Weight if cell.is_empty() => raw.weight = 0,
            Column::Weight => raw.weight = number(&mut violations, "weight", cell),
            Column::Capacity => raw.capacity = number(&mut violations, "capacity", cell),
            Column::Skills => raw.skills = skills(cell),
            Column::Calendar => raw.calendar = in_collection("calendars", cell),
            Column::Active => match active(cell) {
                Some(active) => raw.active = active,
                None => violations.add("active", "must be true or false (在职 or 离职)"),
            },
            Column::Mobile => cell.clone_into(&mut raw.mobile),
            Column::Email => cell.clone_into(&mut raw.email),
            Column::Locale => cell.clone_into(&mut raw.locale),
        }
    }
    if known.is_none() && !columns.contains(&Column::Capacity) {
        violations.add("capacity", "must be there, as the member is new");
    }
    let parsed = Member::parse(&raw);
    let mut faults = violations.into_vec();
    match parsed {
        Ok(member) if faults.is_empty() => Ok(member),
        Ok(_) => Err(faults),
        Err(others) => {
            faults.extend(others);
            Err(faults)
        }
    }
}

fn in_collection(collection: &str, cell: &str) -> String {
    if cell.is_empty() || cell.starts_with(&format!("{collection}/")) {
        cell.to_owned()
    } else {
        format!("{collection}/{cell}")
    }
}

fn role(cell: &str) -> Option<Role> {
    match cell {
        "销售" | "业务员" | "业务" => Some(Role::Sales),
        "主管" | "经理" | "组长" => Some(Role::Supervisor),
        "总监" => Some(Role::Director),
        "助理" | "内勤" => Some(Role::Assistant),
        word => Role::find(&word.to_lowercase()),
    }
}

fn active(cell: &str) -> Option<bool> {
    match cell.to_lowercase().as_str() {
        "" | "true" | "1" | "yes" | "y" | "是" | "在职" => Some(true),
        "false" | "0" | "no" | "n" | "否" | "离职" => Some(false),
        _ => None,
    }
}

fn number(violations: &mut Violations, column: &str, cell: &str) -> i32 {
    cell.parse().unwrap_or_else(|_| {
        violations.add(column, "must be a whole number");
        0
    })
}

fn skills(cell: &str) -> Vec<String> {
    let parts = cell.split([',', ';', '|', '、', '，', '；']).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

impl From<&Member> for RawMember {
    fn from(member: &Member) -> Self {
        let name = |id: &Option<MemberId>| id.as_ref().map(ToString::to_string).unwrap_or_default();
        Self {
            name: member.id.to_string(),
            display_name: member.display_name.clone(),
            team: member.team.to_string(),
            role: Some(member.role),
            supervisor: name(&member.supervisor),
            deputy: name(&member.deputy),
            weight: member.weight.cast_signed(),
            capacity: member.capacity.cast_signed(),
            skills: member.skills.clone(),
            calendar: member.calendar.as_ref().map(ToString::to_string).unwrap_or_default(),
            active: member.active,
            mobile: member.mobile.clone(),
            email: member.email.clone(),
            locale: member.locale.as_str().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::directory::DirectoryRows;

    fn directory() -> Directory {
        let raw = RawMember {
            name: "members/li.na".into(),
            display_name: "李娜".into(),
            team: "teams/li".into(),
            role: Some(Role::Sales),
            weight: 200,
            capacity: 30,
            skills: vec!["康复".into()],
            active: true,
            mobile: "13800000000".into(),
            ..RawMember::default()
        };
        let members = vec![Member::parse(&raw).unwrap()];
        Directory::new(DirectoryRows {
            members,
            ..DirectoryRows::default()
        })
    }

    fn read(text: &str) -> Vec<Line> {
        parse(text.as_bytes(), &directory()).unwrap()
    }

    fn faults(text: &str) -> Vec<String> {
        let found = parse(text.as_bytes(), &directory()).expect_err(text);
        assert!(found.iter().all(|violation| violation.field == "csv"));
        found.into_iter().map(|violation| violation.description).collect()
    }

    #[test]
    fn chinese_and_english_headers_read_the_same() {
        let english = "id,display_name,team,role,supervisor,capacity,skills,active\n\
                       wang,王强,zhang,sales,members/zhang.wei,20,骨科;医保,true\n";
        let chinese = "\u{feff}工号,姓名,部门,岗位,上级,容量,技能,在职\r\n\
                       wang,王强,teams/zhang,销售,zhang.wei,20,\"医保，骨科\",在职\r\n";
        let lines = read(english);
        assert_eq!(lines, read(chinese));
        let member = &lines[0].member;
        assert_eq!((lines[0].number, member.weight, member.capacity), (2, 100, 20));
        assert_eq!(member.skills, ["医保", "骨科"]);
        assert_eq!(member.supervisor.as_ref().unwrap().id(), "zhang.wei");
    }

    #[test]
    fn absent_columns_keep_what_is_known_and_empty_cells_clear_it() {
        let kept = &read("id,capacity\nli.na,5\n")[0].member;
        assert_eq!(
            (kept.capacity, kept.weight, &*kept.mobile, kept.skills.len()),
            (5, 200, "13800000000", 1)
        );
        let cleared = &read("id,weight,mobile,skills\nli.na,,,\n")[0].member;
        assert_eq!(
            (cleared.capacity, cleared.weight, &*cleared.mobile, cleared.skills.len()),
            (30, 100, "", 0)
        );
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        let text = "id,display_name,team,role,capacity\n\
                    wang,\"王\n强\",zhang,sales,20\n\n\
                    zhao,赵敏,zhang,boss,20\n";
        assert_eq!(faults(text), ["line 5, column role: must be given"]);
    }

    #[test]
    fn faults_name_line_and_column() {
        let head = "id,display_name,team,role,capacity,active";
        for (rows, expected) in [
            (
                "wang,王强,zhang,sales,many,是",
                "line 2, column capacity: must be a whole number",
            ),
            (
                "wang,王强,zhang,sales,,是",
                "line 2, column capacity: must be a whole number",
            ),
            (
                "wang,王强,zhang,sales,-1,是",
                "line 2, column capacity: must be 0 to 100000",
            ),
            (
                "wang,王强,zhang,sales,1,maybe",
                "line 2, column active: must be true or false (在职 or 离职)",
            ),
            (
                "wang,,zhang,sales,1,是",
                "line 2, column display_name: must not be empty",
            ),
            ("wang,王强,zhang,sales,1", "line 2: has 5 cells, the header has 6"),
            (
                "wang,王强,a,sales,1,\nwang,王强,a,sales,1,",
                "line 3, column id: is the one of line 2 too",
            ),
        ] {
            assert_eq!(faults(&format!("{head}\n{rows}\n")), [expected]);
        }
        let unknown = faults(&format!("{head}\nWang,王强,,sales,1,\n"));
        assert!(unknown[0].starts_with("line 2, column id: must be"), "{unknown:?}");
        assert!(unknown[1].starts_with("line 2, column team: must be"), "{unknown:?}");
    }

    #[test]
    fn headers_are_checked_first() {
        assert!(faults("id,salary\nwang,1\n")[0].starts_with("line 1, column salary: is no known column"));
        assert_eq!(
            faults("id,姓名,名称\nwang,a,b\n"),
            ["line 1, column 名称: occurs twice"]
        );
        assert_eq!(faults("display_name\n王强\n"), ["line 1, column id: must be there"]);
        assert_eq!(
            faults("id,display_name,team,role\nwang,王强,zhang,sales\n"),
            ["line 2, column capacity: must be there, as the member is new"]
        );
        assert_eq!(faults("id,team\n"), ["must have a line for at least one member"]);
        assert_eq!(faults(""), ["line 1, column id: must be there"]);
    }

    #[test]
    fn other_encodings_are_read_and_damage_and_huge_files_refused() {
        let (gbk, _, _) = encoding_rs::GBK.encode("工号;姓名;团队;角色;容量\nwang;王强;zhang;销售;5\n");
        let lines = parse(&gbk, &directory()).unwrap();
        assert_eq!(lines[0].member.display_name, "王强");
        let found = parse(b"\xef\xbb\xbfid,capacity\nli.na,\xff\n", &directory()).unwrap_err();
        assert!(found[0].description.starts_with("line 2: has bytes"), "{found:?}");
        let open = format!("id,capacity\nli.na,\"{}", "x".repeat(100_000));
        assert!(faults(&open)[0].starts_with("line 2: is too long"));
        let found = parse(&vec![b'a'; MAX_BYTES + 1], &directory()).unwrap_err();
        assert_eq!(found[0].field, "csv");
    }
}
