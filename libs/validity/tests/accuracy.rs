//! How often the rules are right on labelled rows; a sample nobody wrote rules by decides.
#![cfg(test)]

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use reflex_validity::{Lead, Learned, Signals, judge};

struct Score {
    right: usize,
    wrong: Vec<String>,
    true_positive: usize,
    positive: usize,
    found: usize,
}

fn score(file: &str) -> Score {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/validity")
        .join(file);
    let mut reader = csv::Reader::from_path(path).unwrap();
    let headings = reader.headers().unwrap().clone();
    let rows: Vec<HashMap<String, String>> = reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            let cells = headings.iter().zip(record.iter());
            cells
                .map(|(heading, cell)| (heading.to_owned(), cell.to_owned()))
                .collect()
        })
        .collect();
    let mut people: HashMap<&str, HashSet<(&str, &str)>> = HashMap::new();
    for row in &rows {
        people
            .entry(&row["fingerprint"])
            .or_default()
            .insert((&row["contact"], &row["email"]));
    }
    let mut score = Score {
        right: 0,
        wrong: Vec::new(),
        true_positive: 0,
        positive: 0,
        found: 0,
    };
    for row in &rows {
        let seconds: Option<f64> = row["seconds"].parse().ok();
        let lead = Lead {
            company: &row["company"],
            contact: &row["contact"],
            phone: &row["phone"],
            email: &row["email"],
            remark: &row["remark"],
            signals: Signals {
                honeypot: &row["honeypot"],
                elapsed: seconds.map(Duration::from_secs_f64),
                user_agent: &row["user_agent"],
                people_alike: u32::try_from(people[row["fingerprint"].as_str()].len()).unwrap(),
            },
        };
        let judgement = judge(&lead, &Learned::default());
        let (is_invalid, found) = (row["label"] == "invalid", judgement.is_against());
        score.positive += usize::from(is_invalid);
        score.found += usize::from(found);
        score.true_positive += usize::from(is_invalid && found);
        if is_invalid == found {
            score.right += 1;
        } else {
            let codes: Vec<&str> = judgement.findings.iter().map(|it| it.reason.code()).collect();
            score
                .wrong
                .push(format!("{} is {}: {row:?} {codes:?}", row["id"], row["label"]));
        }
    }
    score
}

#[expect(clippy::cast_precision_loss, reason = "a sample has few rows")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[test]
fn the_rules_are_right_as_often_as_they_have_to_be() {
    for (file, least) in [("known.csv", 0.99), ("held_out.csv", 0.982)] {
        let score = score(file);
        let rows = score.right + score.wrong.len();
        assert!(
            rows >= 600 && score.positive * 5 > rows,
            "{file} is a sample of both kinds"
        );
        let accuracy = share(score.right, rows);
        let precision = share(score.true_positive, score.found);
        let recall = share(score.true_positive, score.positive);
        eprintln!("{file}: {rows} rows, precision {precision:.4}, recall {recall:.4}, accuracy {accuracy:.4}");
        assert!(
            accuracy >= least,
            "{file}: {accuracy:.4} with\n{}",
            score.wrong.join("\n")
        );
    }
}
