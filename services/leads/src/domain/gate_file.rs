//! The lists that the gate asks, as tables: companies by domain, and visits of competitors' sites. [`reflex_table`] knows
//! encodings and delimiters.

use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, civil, tz::TimeZone};
use reflex_table::{Dialect, Record, Table, heading_key};

use super::gate::host_of;
use super::violation::{Violation, Violations};

/// Largest file, in bytes.
pub const MAX_BYTES: usize = 3 * 1024 * 1024;
const MAX_FAULTS: usize = 100;
const MAX_NAME: usize = 300;
const MAX_CODE: usize = 20;
/// Digits of a phone number.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=20;

/// A company of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanyLine {
    /// Its domain in small letters.
    pub domain: String,
    /// Its name.
    pub company: String,
    /// Its industry, or empty.
    pub industry_code: String,
}

/// A visit of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitLine {
    /// Who, as [`visitor_key`] writes it.
    pub visitor: String,
    /// Whose site.
    pub competitor: String,
    /// When.
    pub visit_time: Timestamp,
}

const COMPANY_COLUMNS: [(&str, &[&str]); 3] = [
    ("domain", &["域名", "邮箱域名", "网站"]),
    ("company", &["公司", "企业", "公司名称", "企业名称"]),
    ("industry_code", &["行业代码", "行业", "国民经济行业代码"]),
];
const VISIT_COLUMNS: [(&str, &[&str]); 3] = [
    ("visitor", &["访客", "邮箱", "手机", "电话"]),
    ("competitor", &["竞品", "竞品网站", "竞争对手"]),
    ("visit_time", &["访问时间", "时间", "日期"]),
];

/// Reads companies; a domain that stands there twice is a fault.
///
/// # Errors
/// Returns what is wrong, by line and column.
pub fn companies(file: &[u8]) -> Result<Vec<CompanyLine>, Vec<Violation>> {
    let mut seen: HashMap<String, u64> = HashMap::new();
    read(file, &COMPANY_COLUMNS, |cells, line, faults| {
        let domain = host_of(cells[0]);
        if domain.is_none() {
            faults.add(line, "domain", "must be a domain, such as \"example.com\"");
        }
        check(faults, line, "company", cells[1], 1..=MAX_NAME);
        check(faults, line, "industry_code", cells[2], 0..=MAX_CODE);
        let domain = domain?;
        if let Some(first) = seen.insert(domain.clone(), line) {
            faults.add(line, "domain", &format!("is the one of line {first} too"));
        }
        Some(CompanyLine {
            domain,
            company: cells[1].to_owned(),
            industry_code: cells[2].to_owned(),
        })
    })
}

/// Reads visits; times without a zone are of `zone`.
///
/// # Errors
/// Returns what is wrong, by line and column.
pub fn visits(file: &[u8], zone: &TimeZone, now: Timestamp) -> Result<Vec<VisitLine>, Vec<Violation>> {
    read(file, &VISIT_COLUMNS, |cells, line, faults| {
        let visitor = visitor_key(cells[0]);
        if visitor.is_none() {
            faults.add(line, "visitor", "must be a mail address, a phone number or a domain");
        }
        check(faults, line, "competitor", cells[1], 1..=MAX_NAME);
        let time = time(cells[2], zone);
        match time {
            None => faults.add(line, "visit_time", "must be a time, such as \"2026-03-05 10:00\""),
            Some(time) if time > now => faults.add(line, "visit_time", "must not be in the future"),
            Some(_) => {}
        }
        Some(VisitLine {
            visitor: visitor?,
            competitor: cells[1].to_owned(),
            visit_time: time?,
        })
    })
}

/// Returns what somebody is known by in a list of visits: a mail address in small letters, the digits of a phone number
/// without the country's, or a domain; `None` for anything else.
#[must_use]
pub fn visitor_key(text: &str) -> Option<String> {
    let text = text.trim();
    if text.contains('@') {
        let email = text.to_lowercase();
        return host_of(&email).filter(|_| !email.starts_with('@')).map(|_| email);
    }
    let known = |char: char| char.is_ascii_digit() || "+-. ()".contains(char);
    if !text.is_empty() && text.chars().all(known) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let bare = ["0086", "86"].iter().find_map(|country| digits.strip_prefix(country));
        let bare = bare.filter(|bare| bare.len() >= 10).unwrap_or(&digits);
        return PHONE_DIGITS.contains(&bare.len()).then(|| bare.to_owned());
    }
    host_of(text)
}

fn time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let text = text.replace('/', "-");
    let local = text.parse::<civil::DateTime>().ok();
    let local = local.or_else(|| Some(text.parse::<civil::Date>().ok()?.to_datetime(civil::Time::midnight())));
    Some(local?.to_zoned(zone.clone()).ok()?.timestamp())
}

/// Faults of a file; the first so many.
#[derive(Default)]
struct Faults(Violations, usize);

impl Faults {
    fn add(&mut self, line: u64, column: &str, description: &str) {
        self.1 += 1;
        if self.1 <= MAX_FAULTS {
            let place = if column.is_empty() {
                String::new()
            } else {
                format!(", column {column}")
            };
            self.0.add("csv", format!("line {line}{place}: {description}"));
        }
    }
}

fn check(faults: &mut Faults, line: u64, column: &str, cell: &str, characters: std::ops::RangeInclusive<usize>) {
    let count = cell.chars().count();
    if !characters.contains(&count) {
        faults.add(
            line,
            column,
            &format!("must be {} to {} characters", characters.start(), characters.end()),
        );
    } else if cell.chars().any(char::is_control) {
        faults.add(line, column, "must not contain control characters");
    }
}

fn read<T>(
    file: &[u8],
    known: &[(&str, &[&str]); 3],
    mut parse: impl FnMut([&str; 3], u64, &mut Faults) -> Option<T>,
) -> Result<Vec<T>, Vec<Violation>> {
    let mut faults = Faults::default();
    if file.len() > MAX_BYTES {
        faults.0.add("csv", format!("must be at most {MAX_BYTES} bytes"));
        return Err(faults.0.into_vec());
    }
    let mut table = Table::new(Dialect::default());
    table.feed(file);
    table.end();
    let places = columns(table.next_record(), known, &mut faults);
    if !faults.0.is_empty() {
        return Err(faults.0.into_vec());
    }
    let mut lines = Vec::new();
    while let Some(record) = table.next_record() {
        let number = record.line();
        if record.is_blank() {
            continue;
        }
        if record.is_oversized() {
            faults.add(number, "", "is too long; is a quotation mark not closed?");
            continue;
        }
        if record.is_damaged() {
            let description = "has bytes that are none of the file's encoding; save the table as \"CSV UTF-8\"";
            faults.add(number, "", description);
            continue;
        }
        let cells: Vec<&str> = record.cells().map(str::trim).collect();
        let cell = |place: usize| places[place].and_then(|at| cells.get(at).copied()).unwrap_or_default();
        lines.extend(parse([cell(0), cell(1), cell(2)], number, &mut faults));
    }
    if lines.is_empty() && faults.0.is_empty() {
        faults.0.add("csv", "must have at least one line below its header");
    }
    if faults.0.is_empty() {
        Ok(lines)
    } else {
        Err(faults.0.into_vec())
    }
}

fn columns(header: Option<&Record>, known: &[(&str, &[&str]); 3], faults: &mut Faults) -> [Option<usize>; 3] {
    let mut places = [None; 3];
    let mut named = HashSet::new();
    for (at, heading) in header.into_iter().flat_map(Record::cells).enumerate() {
        let key = heading_key(heading);
        let of = |(name, others): &(&str, &[&str])| *name == key || others.contains(&key.as_str());
        match known.iter().position(of) {
            Some(place) if !named.insert(place) => faults.add(1, heading, "occurs twice"),
            Some(place) => places[place] = Some(at),
            // Lists come with more than is asked for.
            None => {}
        }
    }
    for (place, (name, _)) in known.iter().enumerate() {
        if places[place].is_none() {
            faults.add(1, name, "must be there");
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_771_200_000, 0);

    #[test]
    fn companies_are_read_with_chinese_headings_and_further_columns() {
        let file = "公司名称,备注,域名,行业代码\n苏州锻压机床有限公司,x,https://www.Duanya.cn/a,C3421\n某贸易公司,,maoyi.com,\n";
        let lines = companies(file.as_bytes()).unwrap();
        let rows: Vec<_> = lines
            .iter()
            .map(|it| (it.domain.as_str(), it.company.as_str(), it.industry_code.as_str()))
            .collect();
        assert_eq!(
            rows,
            [
                ("www.duanya.cn", "苏州锻压机床有限公司", "C3421"),
                ("maoyi.com", "某贸易公司", "")
            ]
        );
    }

    #[test]
    fn faults_name_line_and_column() {
        let texts = |faults: Vec<Violation>| faults.into_iter().map(|it| it.description).collect::<Vec<_>>();
        let file = "domain,company,industry_code\nnone,甲,C1\na.cn,,C1\na.cn,乙,C1\n";
        assert_eq!(
            texts(companies(file.as_bytes()).unwrap_err()),
            [
                "line 2, column domain: must be a domain, such as \"example.com\"",
                "line 3, column company: must be 1 to 300 characters",
                "line 4, column domain: is the one of line 3 too"
            ]
        );
        assert_eq!(
            texts(companies(b"domain,domain\n").unwrap_err()),
            [
                "line 1, column domain: occurs twice",
                "line 1, column company: must be there",
                "line 1, column industry_code: must be there"
            ]
        );
        assert_eq!(companies(&vec![b'x'; MAX_BYTES + 1]).unwrap_err().len(), 1);
        let many = format!("domain,company,industry_code\n{}", "x,y,z\n".repeat(1_000));
        assert_eq!(companies(many.as_bytes()).unwrap_err().len(), MAX_FAULTS);
        let file = "visitor,competitor,visit_time\n?,x,soon\nli@a.cn,x,2036-01-01\n";
        assert_eq!(visits(file.as_bytes(), &TimeZone::UTC, NOW).unwrap_err().len(), 3);
    }

    #[test]
    fn visits_are_read_in_the_zone_of_the_tenant() {
        let file = "访客,竞品,访问时间\nLi@Duanya.cn,rival.com,2026-02-01 08:00\n+86 138-1234-5678,rival.com,2026/02/01\n\
                    duanya.cn,rival.com,2026-02-01T00:00:00Z\n";
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let lines = visits(file.as_bytes(), &zone, NOW).unwrap();
        let rows: Vec<_> = lines
            .iter()
            .map(|it| (it.visitor.as_str(), it.visit_time.to_string()))
            .collect();
        assert_eq!(
            rows,
            [
                ("li@duanya.cn", "2026-02-01T00:00:00Z".to_owned()),
                ("13812345678", "2026-01-31T16:00:00Z".to_owned()),
                ("duanya.cn", "2026-02-01T00:00:00Z".to_owned())
            ]
        );
    }
}
