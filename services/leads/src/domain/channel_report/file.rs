//! A report as a file for spreadsheets.

use reflex_expr::Lang;

use super::{Figures, Report};

/// The columns in both languages.
const HEADINGS: [(&str, &str); 16] = [
    ("渠道", "channel"),
    ("线索数", "leads"),
    ("月均线索数", "leads per month"),
    ("成本（元）", "cost (yuan)"),
    ("单条线索成本（元）", "cost per lead (yuan)"),
    ("满 7 天线索数", "leads of 7 days"),
    ("7 天内有效跟进", "followed up within 7 days"),
    ("7 天有效跟进率（%）", "7-day follow-up (%)"),
    ("未满 7 天线索数", "leads not yet of 7 days"),
    ("其中已跟进", "followed up of these"),
    ("单条有效跟进线索成本（元）", "cost per followed lead (yuan)"),
    ("成交线索数", "converted"),
    ("转化率（%）", "conversion (%)"),
    ("首单数", "first orders"),
    ("平均首单周期（天）", "first-order cycle (days)"),
    ("归因收入（元）", "attributed revenue (yuan)"),
];

/// Writes a report: UTF-8 with a byte order mark; names cannot be formulas, numbers are bare.
///
/// # Panics
/// Never: writing into memory does not fail.
#[must_use]
pub fn write_file(report: &Report, headings: Lang) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    let pick = |zh: &'static str, en: &'static str| match headings {
        Lang::Zh => zh,
        Lang::En => en,
    };
    let mut write = |cells: &[String]| writer.write_record(cells).expect("memory takes everything");
    write(&HEADINGS.map(|(zh, en)| pick(zh, en).to_owned()));
    for channel in &report.channels {
        let name = match &channel.source {
            Some(source) => reflex_table::escape(source).into_owned(),
            None => pick("其他", "others").to_owned(),
        };
        write(&cells(name, &channel.figures, report));
    }
    write(&cells(pick("合计", "total").to_owned(), &report.total, report));
    writer.into_inner().expect("memory takes everything")
}

fn cells(name: String, figures: &Figures, report: &Report) -> [String; 16] {
    let maybe = |number: Option<i64>, write: fn(i64) -> String| number.map(write).unwrap_or_default();
    [
        name,
        figures.leads.to_string(),
        figures.leads_per_month(report.period).to_string(),
        yuan(figures.cost_fen),
        maybe(figures.cost_per_lead(), yuan),
        figures.due.to_string(),
        figures.followed.to_string(),
        maybe(figures.follow_up_permille(), tenths),
        figures.open().to_string(),
        figures.open_followed.to_string(),
        maybe(figures.cost_per_followed_lead(), yuan),
        figures.converted.to_string(),
        maybe(figures.conversion_permille(), tenths),
        figures.orders.to_string(),
        maybe(days(figures), tenths),
        yuan(figures.revenue_fen),
    ]
}

/// Returns the first-order cycle in tenths of a day, rounded once.
fn days(figures: &Figures) -> Option<i64> {
    const TENTH_OF_A_DAY: i128 = 8_640;
    super::ratio(
        figures.order_seconds.into(),
        i128::from(figures.orders) * TENTH_OF_A_DAY,
    )
}

fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

fn tenths(number: i64) -> String {
    format!("{}.{}", number / 10, number % 10)
}

#[cfg(test)]
mod tests {
    use super::{super::Channel, *};
    use crate::domain::month::Period;

    #[test]
    fn names_are_texts_and_numbers_are_numbers() {
        let month = "2026-11".parse().unwrap();
        let figures = Figures {
            leads: 3,
            due: 2,
            followed: 1,
            orders: 2,
            order_seconds: 2 * 86_400 * 38 + 8_640,
            revenue_fen: 5,
            cost_fen: 100,
            ..Figures::default()
        };
        let sources = ["=HYPERLINK(\"http://x\")", "+1", "-1", "@x", "百度,搜索"];
        let channel = |source: &&str| Channel {
            source: Some((*source).to_owned()),
            figures,
        };
        let report = Report {
            period: Period {
                first: month,
                last: month,
            },
            channels: sources.iter().map(channel).collect(),
            total: figures,
        };
        let text = String::from_utf8(write_file(&report, Lang::Zh)).unwrap();
        let lines: Vec<_> = text.split("\r\n").collect();
        assert!(lines[0].starts_with("\u{feff}渠道,线索数,"));
        let numbers = "3,3,1.00,0.33,2,1,50.0,1,0,0.67,0,0.0,2,38.1,0.05";
        assert_eq!(lines[1], format!("\"'=HYPERLINK(\"\"http://x\"\")\",{numbers}"));
        assert_eq!(lines[2], format!("'+1,{numbers}"));
        assert_eq!(lines[3], format!("'-1,{numbers}"));
        assert_eq!(lines[4], format!("'@x,{numbers}"));
        assert_eq!(lines[5], format!("\"百度,搜索\",{numbers}"));
        assert_eq!(lines[6], format!("合计,{numbers}"));
        let english = String::from_utf8(write_file(&report, Lang::En)).unwrap();
        assert!(english.starts_with("\u{feff}channel,leads,"));
    }
}
