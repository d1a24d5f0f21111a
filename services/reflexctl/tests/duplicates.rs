//! `reflexctl leads duplicates` as people type it.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const LEADS: &str = "\u{feff}编号,公司名称,联系人,手机,邮箱,创建时间
3,言雅（东莞）家具有限公司,王怡新,13800138001,,2026-03-01T09:00:00+08:00
1,东莞市言雅家具,王总,+86 138-0013-8001,wang@yanya.com,2026-01-01T09:00:00+08:00
2,\"言雅(东莞)家具有限公司\",李娜,13800138002,,2026-02-01T09:00:00+08:00
4,洲想模具,赵强,,,
";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("leads.csv", LEADS.as_bytes());
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn read(&self, name: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_path(self.0.path().join(name))
            .unwrap();
        let rows = reader
            .records()
            .map(|row| row.unwrap().iter().map(str::to_owned).collect());
        rows.collect()
    }

    fn duplicates(&self, arguments: &[&str]) -> Output {
        let mut reflexctl = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
        reflexctl
            .current_dir(self.0.path())
            .args(["leads", "duplicates", "--input"])
            .args(arguments);
        reflexctl.env_remove("REFLEX_TIME_ZONE").output().unwrap()
    }

    fn summary(&self, arguments: &[&str]) -> Value {
        let output = self.duplicates(&[arguments, &["-o", "json"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], code: i32, sentence: &str) {
        let output = self.duplicates(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(errors.contains(sentence), "{errors}");
    }
}

#[test]
fn pairs_and_clusters_are_written_with_their_reasons() {
    let folder = Folder::new();
    let files = ["--pairs", "pairs.csv", "--clusters", "clusters.csv", "--lang", "en"];
    let summary = folder.summary(&[&["leads.csv"], &files[..]].concat());
    assert_eq!(
        summary,
        json!({
            "rows": 4,
            "model": "leads",
            "fields": ["company", "contact", "mobile", "email"],
            "threshold": 0.85,
            "compared": summary["compared"],
            "pairs": {"suspected": 0, "duplicate": 1},
            "clusters": {"count": 1, "rows": 2, "surplus": 1, "sizes": {"2": 1}},
        })
    );
    let pairs = folder.read("pairs.csv");
    assert_eq!(
        pairs[0],
        [
            "id_a", "id_b", "score", "verdict", "company", "contact", "mobile", "email", "why"
        ]
    );
    // The earlier row comes first, wherever it stands in the file.
    assert_eq!(pairs[1][..2], ["1", "3"]);
    assert_eq!(pairs[1][3], "duplicate");
    assert_eq!(pairs[1][7], "", "one of them has no mailbox");
    assert!(
        pairs[1][8].contains("mobile: the same, which decides by itself"),
        "{}",
        pairs[1][8]
    );
    assert_eq!(pairs.len(), 2);
    assert_eq!(
        folder.read("clusters.csv"),
        [["id", "cluster"], ["3", "1"], ["1", "1"], ["2", "2"], ["4", "4"]]
    );
}

#[test]
fn columns_are_named_and_joined() {
    let folder = Folder::new();
    let people = "rec;first;last;born;house;road;town
a;emily;white;1953-04-03;8;barlow street;figtree
b;white;emily;19530403;8;barlow st;figtree
c;oscar;zollo;1971-12-24;77;novar place;taree
";
    let table = gbk("编号\t单位\t人\n甲\t洲想模具\t赵强\n乙\t洲想模具有限公司\t赵强\n");
    folder.write("people.csv", people.as_bytes());
    folder.write("gbk.txt", &table);
    let maps = [
        "--map",
        "id=rec",
        "--map",
        "contact=first+last",
        "--map",
        "Birth Date=born",
    ];
    let places = [
        "--map",
        "address=house",
        "--map",
        "address=road",
        "--map",
        "city=town",
        "--clusters",
        "c.csv",
    ];
    let summary = folder.summary(&[&["people.csv"], &maps[..], &places[..]].concat());
    assert_eq!(summary["model"], "learned");
    assert_eq!(summary["fields"], json!(["contact", "address", "city", "birth_date"]));
    assert_eq!(folder.read("c.csv")[1..], [["a", "a"], ["b", "a"], ["c", "c"]]);
    let summary = folder.summary(&[
        "gbk.txt",
        "--map",
        "id=编号",
        "--map",
        "company=单位",
        "--map",
        "contact=人",
    ]);
    assert_eq!(summary["pairs"], json!({"suspected": 0, "duplicate": 1}));
}

fn gbk(text: &str) -> Vec<u8> {
    // GBK has these characters at these places; no crate is needed for so few.
    let table = [
        ('编', [0xb1, 0xe0]),
        ('号', [0xba, 0xc5]),
        ('单', [0xb5, 0xa5]),
        ('位', [0xce, 0xbb]),
        ('人', [0xc8, 0xcb]),
        ('甲', [0xbc, 0xd7]),
        ('乙', [0xd2, 0xd2]),
        ('洲', [0xd6, 0xde]),
        ('想', [0xcf, 0xeb]),
        ('模', [0xc4, 0xa3]),
        ('具', [0xbe, 0xdf]),
        ('赵', [0xd5, 0xd4]),
        ('强', [0xc7, 0xbf]),
        ('有', [0xd3, 0xd0]),
        ('限', [0xcf, 0xde]),
        ('公', [0xb9, 0xab]),
        ('司', [0xcb, 0xbe]),
    ];
    let bytes = text
        .chars()
        .flat_map(|char| match table.iter().find(|(known, _)| *known == char) {
            Some((_, bytes)) => bytes.to_vec(),
            None => vec![u8::try_from(char).unwrap()],
        });
    bytes.collect()
}

#[test]
fn weights_and_threshold_are_heeded() {
    let folder = Folder::new();
    folder.write("weights.yaml", b"threshold: 0.9\nfields: {mobile: 0, contact: 0}\n");
    let summary = folder.summary(&["leads.csv", "--weights", "weights.yaml"]);
    assert_eq!(summary["pairs"], json!({"suspected": 0, "duplicate": 0}));
    assert_eq!(summary["threshold"], json!(0.9));
    let summary = folder.summary(&["leads.csv", "--weights", "weights.yaml", "--threshold", "0.95"]);
    assert_eq!(summary["threshold"], json!(0.95));
    folder.write("wrong.yaml", b"fields: {shoe_size: 1}\n");
    folder.refused(
        &["leads.csv", "--weights", "wrong.yaml"],
        1,
        "wrong.yaml are no weights",
    );
    folder.write("wrong.yaml", b"fields: {mobile: 9}\n");
    folder.refused(
        &["leads.csv", "--weights", "wrong.yaml"],
        1,
        "fields.mobile: 9 is not between 0 and 3",
    );
    folder.refused(
        &["leads.csv", "--threshold", "0.2"],
        1,
        "threshold: 0.2 is not between 0.5 and 1",
    );
    folder.refused(
        &["leads.csv", "--threshold", "NaN"],
        1,
        "threshold: NaN is not between 0.5 and 1",
    );
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let folder = Folder::new();
    folder.refused(&["none.csv"], 1, "none.csv: the file cannot be read");
    folder.write("empty.csv", b"\n\n");
    folder.refused(&["empty.csv"], 1, "the file has no header line");
    folder.write("other.csv", b"shoe,size\n1,2\n");
    folder.refused(
        &["other.csv"],
        1,
        "no column is known; say which with --map FIELD=COLUMN; there are shoe, size",
    );
    folder.refused(
        &["leads.csv", "--map", "company=Firma"],
        1,
        "there is no column \"Firma\"; there are 编号",
    );
    folder.refused(&["leads.csv", "--map", "shoe=公司名称"], 2, "\"shoe\" is no field");
    folder.refused(&["leads.csv", "--map", "company"], 2, "write FIELD=COLUMN");
    folder.refused(
        &[
            "leads.csv",
            "--map",
            "id=编号",
            "--map",
            "id=手机",
            "--map",
            "company=公司名称",
        ],
        1,
        "one column each",
    );
    folder.refused(&["leads.csv", "--encoding", "klingon"], 1, "\"klingon\" is no encoding");
    folder.write("twice.csv", b"id,mobile\n7,1\n8,2\n7,3\n");
    folder.refused(&["twice.csv"], 1, "line 4: the id \"7\" is on line 2 already");
    folder.write("nameless.csv", b"id,mobile\n,13800138001\n");
    folder.refused(&["nameless.csv"], 1, "line 2: the row has no id");
    folder.write(
        "open.csv",
        format!("id,company\n1,\"{}", "a\n".repeat(60_000)).as_bytes(),
    );
    folder.refused(&["open.csv"], 1, "line 2: a row has at most 64 KiB");
    folder.refused(
        &["leads.csv", "--pairs", "/nowhere/pairs.csv"],
        1,
        "/nowhere/pairs.csv cannot be written",
    );
}

#[test]
fn a_header_alone_and_rows_without_anything_make_empty_files() {
    let folder = Folder::new();
    folder.write("header.csv", b"company,contact,mobile\n");
    let summary = folder.summary(&["header.csv", "--pairs", "p.csv", "--clusters", "c.csv"]);
    assert_eq!(
        (&summary["rows"], &summary["clusters"]["count"]),
        (&json!(0), &json!(0))
    );
    assert_eq!((folder.read("p.csv").len(), folder.read("c.csv").len()), (1, 1));
    folder.write("blank.csv", "company,contact\nx,\n,,\n-,?\n无,经理\n".as_bytes());
    assert_eq!(
        folder.summary(&["blank.csv"])["rows"],
        json!(3),
        "a row of blanks is none"
    );
}

#[test]
fn the_same_row_twenty_thousand_times_is_one_cluster() {
    let folder = Folder::new();
    let mut rows = String::from("company,contact,mobile\n");
    rows.push_str(&"言雅家具,王怡新,13800138001\n".repeat(20_000));
    let path: &Path = &folder.write("huge.csv", rows.as_bytes());
    let summary = folder.summary(&[path.to_str().unwrap()]);
    assert_eq!(summary["clusters"]["sizes"], json!({"20000": 1}));
}
