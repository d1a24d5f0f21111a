//! `reflexctl leads validity`: which rows of a file are no leads, found here and without a server.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use reflex_table::{Dialect, MAX_RECORD_BYTES, Table as FileTable, heading_key};
use reflex_validity::{Judgement, Lead, Learned, Signals, judge};
use serde_json::json;

use crate::cli::Language;
use crate::output::{Output, Table};

pub(super) const HELP: &str = "\
Fields: id, company, contact, phone, email, remark, honeypot (a field that people do not see), seconds (how long filling in
took), user_agent, fingerprint (of the device) and label; any of them may be missing. --map FIELD=COLUMN says which column a
field is in. Without it, columns are known by their usual names. The encoding and what stands between the columns are found
out. A label is invalid, valid, 无效, 有效, 1 (invalid) or 0.

A row counts as invalid when its label is suspect or invalid. Where the file has labels, precision (of those taken for invalid,
how many are), recall (of those that are invalid, how many were found) and accuracy are told.

Results: id, label, confidence between 0.5 and 1, reasons by their codes, and why in words.

JSON: {\"rows\", \"valid\", \"suspect\", \"invalid\", \"reasons\": {\"phone_made_up\": …}, \"labelled\": {\"rows\", \"true_positive\",
       \"false_positive\", \"false_negative\", \"true_negative\", \"precision\", \"recall\", \"accuracy\"}}

Examples:
  reflexctl leads validity --input 线索.csv --results results.csv
  reflexctl leads validity --input leads.csv --map label=is_spam --map contact=name -o json";

/// Tells which rows of a CSV file are no leads: made-up numbers, disposable mail, tests, bots; needs no server.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Validity {
    /// CSV file with a header line.
    #[arg(long, value_name = "CSV")]
    input: PathBuf,
    /// Column that a field is in; may be repeated.
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = parse_mapping)]
    map: Vec<(Field, String)>,
    /// Writes what every row is taken for, and why.
    #[arg(long, value_name = "CSV")]
    results: Option<PathBuf>,
    /// Language of the reasons.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

/// What a column may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    Id,
    Company,
    Contact,
    Phone,
    Email,
    Remark,
    Honeypot,
    Seconds,
    UserAgent,
    Fingerprint,
    Label,
}

/// Headings under which fields are known without a mapping, as `heading_key` writes them.
const USUAL: [(Field, &str, &[&str]); 11] = [
    (Field::Id, "id", &["lead_id", "external_id", "编号", "线索编号", "序号"]),
    (
        Field::Company,
        "company",
        &[
            "company_name",
            "organization",
            "公司",
            "公司名称",
            "单位",
            "单位名称",
            "企业名称",
            "客户名称",
        ],
    ),
    (
        Field::Contact,
        "contact",
        &["contact_name", "name", "full_name", "联系人", "姓名", "联系人姓名"],
    ),
    (
        Field::Phone,
        "phone",
        &[
            "mobile",
            "tel",
            "telephone",
            "phone_number",
            "手机",
            "手机号",
            "电话",
            "联系电话",
            "手机号码",
        ],
    ),
    (Field::Email, "email", &["e_mail", "mail", "邮箱", "电子邮箱", "邮件"]),
    (
        Field::Remark,
        "remark",
        &[
            "message",
            "comment",
            "comments",
            "note",
            "content",
            "备注",
            "留言",
            "需求",
            "内容",
            "需求描述",
        ],
    ),
    (Field::Honeypot, "honeypot", &["hp", "蜜罐"]),
    (
        Field::Seconds,
        "seconds",
        &[
            "elapsed",
            "elapsed_seconds",
            "fill_seconds",
            "submit_seconds",
            "填写秒数",
            "填写时长",
        ],
    ),
    (Field::UserAgent, "user_agent", &["ua", "agent", "浏览器", "浏览器标识"]),
    (
        Field::Fingerprint,
        "fingerprint",
        &["device", "device_id", "device_fingerprint", "设备指纹", "设备", "指纹"],
    ),
    (
        Field::Label,
        "label",
        &[
            "is_invalid",
            "invalid",
            "expected",
            "truth",
            "标签",
            "标注",
            "是否无效",
            "有效性",
        ],
    ),
];

/// Reads FIELD=COLUMN.
fn parse_mapping(text: &str) -> Result<(Field, String), String> {
    let (field, column) = text.split_once('=').ok_or("must be FIELD=COLUMN")?;
    let known = USUAL.iter().find(|(_, name, _)| *name == field.trim());
    let names = USUAL.map(|(_, name, _)| name).join(", ");
    let (field, ..) = known.ok_or_else(|| format!("fields are {names}"))?;
    Ok((*field, column.trim().to_owned()))
}

type Row = HashMap<Field, String>;

/// What came of rows with labels.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    true_positive: usize,
    false_positive: usize,
    false_negative: usize,
    true_negative: usize,
}

impl Score {
    fn add(&mut self, is_invalid: bool, found: bool) {
        *match (is_invalid, found) {
            (true, true) => &mut self.true_positive,
            (false, true) => &mut self.false_positive,
            (true, false) => &mut self.false_negative,
            (false, false) => &mut self.true_negative,
        } += 1;
    }

    fn rows(&self) -> usize {
        self.true_positive + self.false_positive + self.false_negative + self.true_negative
    }

    fn precision(&self) -> f64 {
        share(self.true_positive, self.true_positive + self.false_positive)
    }

    fn recall(&self) -> f64 {
        share(self.true_positive, self.true_positive + self.false_negative)
    }

    fn accuracy(&self) -> f64 {
        share(self.true_positive + self.true_negative, self.rows())
    }
}

/// A share, 1 of nothing.
#[expect(clippy::cast_precision_loss, reason = "no file has 2^52 rows")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

impl Validity {
    pub(super) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let rows = read(&self.input, &self.map).with_context(|| self.input.display().to_string())?;
        let alike = people_alike(&rows);
        let learned = Learned::default();
        let judged: Vec<Judgement> = rows
            .iter()
            .zip(alike)
            .map(|(row, alike)| judge(&lead(row, alike), &learned))
            .collect();
        let mut score = Score::default();
        let mut reasons: HashMap<&str, usize> = HashMap::new();
        for (at, (row, judgement)) in rows.iter().zip(&judged).enumerate() {
            let label = row.get(&Field::Label).map(String::as_str).unwrap_or_default();
            if !label.is_empty() {
                let is_invalid = read_label(label).with_context(|| format!("row {}: the label {label:?}", at + 1))?;
                score.add(is_invalid, judgement.is_against());
            }
            for finding in judgement.findings.iter().filter(|finding| finding.weight > 0.0) {
                *reasons.entry(finding.reason.code()).or_default() += 1;
            }
        }
        if let Some(path) = &self.results {
            self.write(path, &rows, &judged)
                .with_context(|| path.display().to_string())?;
        }
        show(output, &judged, &reasons, &score)?;
        Ok(())
    }

    fn write(&self, path: &Path, rows: &[Row], judged: &[Judgement]) -> anyhow::Result<()> {
        let mut file = csv::Writer::from_path(path)?;
        file.write_record(["id", "label", "confidence", "reasons", "why"])?;
        for (at, (row, judgement)) in rows.iter().zip(judged).enumerate() {
            let against = || judgement.findings.iter().filter(|finding| finding.weight > 0.0);
            let codes: Vec<&str> = against().map(|finding| finding.reason.code()).collect();
            let words = against().map(|finding| match self.lang {
                Language::Zh => finding.reason.zh(),
                Language::En => finding.reason.en(),
            });
            file.write_record([
                row.get(&Field::Id).cloned().unwrap_or_else(|| (at + 1).to_string()),
                judgement.label.as_str().to_owned(),
                format!("{:.3}", judgement.confidence()),
                codes.join(" "),
                words.collect::<Vec<_>>().join("；"),
            ])?;
        }
        file.flush()?;
        Ok(())
    }
}

fn show(output: &Output, judged: &[Judgement], reasons: &HashMap<&str, usize>, score: &Score) -> anyhow::Result<()> {
    let count = |word: &str| judged.iter().filter(|it| it.label.as_str() == word).count();
    let mut object = json!({"rows": judged.len(), "valid": count("valid"), "suspect": count("suspect"),
        "invalid": count("invalid"), "reasons": reasons});
    if score.rows() > 0 {
        object["labelled"] = json!({"rows": score.rows(), "true_positive": score.true_positive,
            "false_positive": score.false_positive, "false_negative": score.false_negative,
            "true_negative": score.true_negative, "precision": score.precision(), "recall": score.recall(),
            "accuracy": score.accuracy()});
    }
    output.object(&object, || {
        let mut text = format!(
            "{} rows: {} valid, {} suspect, {} invalid\n",
            judged.len(),
            count("valid"),
            count("suspect"),
            count("invalid")
        );
        let mut found: Vec<_> = reasons.iter().collect();
        found.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), **code));
        let mut table = Table::new(["REASON", "ROWS"]);
        for (code, count) in found {
            table.row([(*code).to_owned(), count.to_string()]);
        }
        text += &table.render(0);
        if score.rows() > 0 {
            let _ = writeln!(
                text,
                "precision {:.2} %, recall {:.2} %, accuracy {:.2} % of {} rows with a label",
                score.precision() * 100.0,
                score.recall() * 100.0,
                score.accuracy() * 100.0,
                score.rows()
            );
        }
        text
    })?;
    Ok(())
}

fn lead(row: &Row, people_alike: u32) -> Lead<'_> {
    let cell = |field| row.get(&field).map(String::as_str).unwrap_or_default();
    let seconds: Option<f64> = cell(Field::Seconds).parse().ok();
    Lead {
        company: cell(Field::Company),
        contact: cell(Field::Contact),
        phone: cell(Field::Phone),
        email: cell(Field::Email),
        remark: cell(Field::Remark),
        signals: Signals {
            honeypot: cell(Field::Honeypot),
            elapsed: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            user_agent: cell(Field::UserAgent),
            people_alike,
        },
    }
}

/// Tells for each row how many different people of the file have its fingerprint, or its mobile number. Colleagues share a
/// switchboard, so landlines do not count.
fn people_alike(rows: &[Row]) -> Vec<u32> {
    let cell = |row: &Row, field| {
        row.get(&field)
            .map(|text| text.trim().to_lowercase())
            .unwrap_or_default()
    };
    let mobile = |row: &Row| {
        let digits: String = cell(row, Field::Phone).chars().filter(char::is_ascii_digit).collect();
        let digits = digits.strip_prefix("86").map(str::to_owned).unwrap_or(digits);
        Some(digits).filter(|digits| digits.len() == 11 && digits.starts_with('1'))
    };
    let keys = |row: &Row| {
        let device = Some(cell(row, Field::Fingerprint)).filter(|text| !text.is_empty());
        [
            device.map(|text| format!("d{text}")),
            mobile(row).map(|text| format!("m{text}")),
        ]
    };
    let mut people: HashMap<String, HashSet<String>> = HashMap::new();
    for row in rows {
        let person = cell(row, Field::Contact) + "|" + &cell(row, Field::Email);
        for key in keys(row).into_iter().flatten() {
            people.entry(key).or_default().insert(person.clone());
        }
    }
    let most = |row: &Row| {
        keys(row)
            .into_iter()
            .flatten()
            .map(|key| people[&key].len())
            .max()
            .unwrap_or(1)
    };
    rows.iter()
        .map(|row| u32::try_from(most(row)).unwrap_or(u32::MAX))
        .collect()
}

/// Reads a label: whether it says that the row is no lead.
fn read_label(text: &str) -> anyhow::Result<bool> {
    match text.trim().to_lowercase().as_str() {
        "invalid" | "无效" | "1" | "true" | "yes" | "是" | "spam" | "bad" | "suspect" => Ok(true),
        "valid" | "有效" | "0" | "false" | "no" | "否" | "ok" | "good" => Ok(false),
        _ => anyhow::bail!("must be valid or invalid, 有效 or 无效, 0 or 1"),
    }
}

fn read(path: &Path, mappings: &[(Field, String)]) -> anyhow::Result<Vec<Row>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let mut table = FileTable::new(Dialect::default());
    table.feed(&bytes);
    table.end();
    let mut columns: Option<Vec<Option<Field>>> = None;
    let mut rows = Vec::new();
    while let Some(record) = table.next_record() {
        let line = record.line();
        anyhow::ensure!(
            !record.is_oversized(),
            "line {line}: a row has at most {} KiB; most likely a quotation mark is never closed",
            MAX_RECORD_BYTES / 1024
        );
        if record.is_blank() {
            continue;
        }
        let cells: Vec<&str> = record.cells().collect();
        let Some(columns) = &columns else {
            columns = Some(assign(&cells, mappings)?);
            continue;
        };
        let mut row = Row::new();
        for (field, cell) in columns.iter().zip(cells) {
            if let Some(field) = field {
                let kept = row.entry(*field).or_default();
                // Mobile and telephone may have columns of their own.
                if !cell.trim().is_empty() {
                    if !kept.is_empty() {
                        kept.push('/');
                    }
                    kept.push_str(cell.trim());
                }
            }
        }
        rows.push(row);
    }
    anyhow::ensure!(columns.is_some(), "the file has no header line");
    Ok(rows)
}

fn assign(headings: &[&str], mappings: &[(Field, String)]) -> anyhow::Result<Vec<Option<Field>>> {
    for (_, column) in mappings {
        let is_there = headings.iter().any(|heading| heading.trim() == column);
        anyhow::ensure!(is_there, "the file has no column {column:?}");
    }
    let of = |heading: &&str| {
        if let Some((field, _)) = mappings.iter().find(|(_, column)| heading.trim() == column) {
            return Some(*field);
        }
        let key = heading_key(heading);
        let named = |(_, name, others): &&(Field, &str, &[&str])| *name == key || others.contains(&key.as_str());
        let (field, ..) = USUAL.iter().find(named)?;
        // A column that was named explicitly stands for its field alone.
        Some(*field).filter(|field| !mappings.iter().any(|(mapped, _)| mapped == field))
    };
    let columns: Vec<Option<Field>> = headings.iter().map(of).collect();
    let judged = [
        Field::Company,
        Field::Contact,
        Field::Phone,
        Field::Email,
        Field::Remark,
    ];
    let has_any = columns.iter().flatten().any(|field| judged.contains(field));
    anyhow::ensure!(has_any, "no column has a known name; name them with --map FIELD=COLUMN");
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[(Field, &str)]) -> Row {
        cells.iter().map(|(field, text)| (*field, (*text).to_owned())).collect()
    }

    #[test]
    fn people_on_one_device_or_mobile_are_counted_once_each() {
        let of = |name: &str, phone: &str, device: &str| {
            row(&[
                (Field::Contact, name),
                (Field::Phone, phone),
                (Field::Fingerprint, device),
            ])
        };
        let rows = [
            of("甲", "13902173345", "a"),
            of("乙", "+86 139 0217 3345", "b"),
            of("乙", "13902173345", "c"),
            of("丙", "0512-66886680", "a"),
            of("丁", "0512-66886680", ""),
        ];
        assert_eq!(people_alike(&rows), [2, 2, 2, 2, 1]);
    }

    #[test]
    fn columns_are_known_by_their_usual_names_or_by_mappings() {
        let columns = assign(&["姓名", "手机号", "座位", "spam?"], &[(Field::Label, "spam?".into())]).unwrap();
        assert_eq!(
            columns,
            [Some(Field::Contact), Some(Field::Phone), None, Some(Field::Label)]
        );
        assert!(assign(&["a", "b"], &[]).is_err());
        assert!(assign(&["phone"], &[(Field::Label, "nowhere".into())]).is_err());
        assert!(parse_mapping("label=是否无效").is_ok() && parse_mapping("colour=x").is_err());
    }

    #[test]
    fn shares_are_told_of_what_was_found_and_what_is() {
        let mut score = Score::default();
        for (is_invalid, found) in [(true, true), (true, true), (true, false), (false, true), (false, false)] {
            score.add(is_invalid, found);
        }
        assert!((score.precision() - 2.0 / 3.0).abs() < 1e-9);
        assert!((score.recall() - 2.0 / 3.0).abs() < 1e-9);
        assert!((score.accuracy() - 0.6).abs() < 1e-9);
        assert!(read_label("无效").unwrap() && !read_label("0").unwrap() && read_label("?").is_err());
    }
}
