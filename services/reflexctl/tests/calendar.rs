//! `reflexctl calendar` as it is typed.
#![cfg(test)]

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

const OFFICE: &str = "time_zone: Asia/Shanghai\ndays: Mon-Fri\nwindows: [[\"09:00\", \"18:00\"]]\nstatutory: CN\n";

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// Runs `reflexctl calendar` with `--calendar FILE` and these arguments.
fn calendar(command: &str, file: &PathBuf, arguments: &[&str]) -> Output {
    let mut reflexctl = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
    reflexctl
        .args(["calendar", command, "--calendar"])
        .arg(file)
        .args(arguments);
    reflexctl.output().unwrap()
}

fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The five rows of PLT-30: start, then due with the right calendar, without make-up days, with weekends only.
const PLT_30: [[&str; 4]; 5] = [
    [
        "2026-02-13T16:00",
        "2026-02-14T11:00",
        "2026-02-24T11:00",
        "2026-02-16T11:00",
    ],
    [
        "2026-02-16T10:00",
        "2026-02-24T13:00",
        "2026-02-24T13:00",
        "2026-02-16T14:00",
    ],
    [
        "2026-09-19T11:00",
        "2026-09-20T13:00",
        "2026-09-21T13:00",
        "2026-09-21T13:00",
    ],
    [
        "2026-09-30T17:00",
        "2026-10-08T12:00",
        "2026-10-08T12:00",
        "2026-10-01T12:00",
    ],
    [
        "2026-05-08T17:30",
        "2026-05-09T12:30",
        "2026-05-11T12:30",
        "2026-05-11T12:30",
    ],
];

#[test]
fn due_times_of_plt_30() {
    let files = Files::new();
    let office = files.write("office.yaml", OFFICE);
    let weekends = files.write("weekends.yaml", &OFFICE.replace("CN", "none"));
    let table = include_str!("../../../libs/calendar/data/cn_holidays_2024_2026.json");
    let mut table: serde_json::Value = serde_json::from_str(table).unwrap();
    table["makeup_workdays"] = serde_json::json!([]);
    let holidays = files.write("holidays.json", &table.to_string());
    let holidays = holidays.to_str().unwrap();

    for [start, right, without_makeup, weekends_only] in PLT_30 {
        let due = |file, more: &[&str]| {
            let arguments = [&["--start", start, "--working-minutes", "240", "-o", "json"], more].concat();
            stdout(&calendar("due", file, &arguments))
        };
        let expected = |due: &str| format!("{{\"due\":\"{due}:00+08:00\",\"provisional\":false}}\n");
        assert_eq!(due(&office, &[]), expected(right), "{start}");
        assert_eq!(
            due(&office, &["--holidays", holidays]),
            expected(without_makeup),
            "{start}"
        );
        assert_eq!(due(&weekends, &[]), expected(weekends_only), "{start}");

        let elapsed = calendar("elapsed", &office, &["--start", start, "--end", right, "-o", "json"]);
        assert_eq!(
            stdout(&elapsed),
            "{\"working_minutes\":240,\"provisional\":false}\n",
            "{start}"
        );
    }
}

#[test]
fn answers_for_people_and_guesses() {
    let files = Files::new();
    let office = files.write(
        "office.json",
        r#"{"time_zone": "Asia/Shanghai", "windows": [["09:00", "18:00"]], "statutory": "CN"}"#,
    );
    let due = calendar(
        "due",
        &office,
        &["--start", "2027-01-04T10:00:00+08:00", "--working-minutes", "60.5"],
    );
    let guess = "2027-01-04T11:00:30+08:00 (provisional: holidays of a year are not published yet)\n";
    assert_eq!(stdout(&due), guess);
    let elapsed = [
        "--start",
        "2026-03-02T01:00:00Z",
        "--end",
        "2026-03-02T09:00:20",
        "-o",
        "json",
    ];
    let elapsed = stdout(&calendar("elapsed", &office, &elapsed));
    assert_eq!(
        elapsed,
        "{\"working_minutes\":0.3333333333333333,\"provisional\":false}\n"
    );
}

#[test]
fn the_offset_is_the_zones_own() {
    let files = Files::new();
    let berlin = files.write(
        "berlin.yaml",
        "time_zone: Europe/Berlin\ndays: Mon-Sun\nwindows: [['00:00', '24:00']]\n",
    );
    let due = calendar(
        "due",
        &berlin,
        &["--start", "2026-03-29T00:00", "--working-minutes", "180", "-o", "json"],
    );
    assert_eq!(
        stdout(&due),
        "{\"due\":\"2026-03-29T04:00:00+02:00\",\"provisional\":false}\n"
    );
}

#[test]
fn mistakes_are_one_sentence_and_exit_1() {
    let files = Files::new();
    let office = files.write("office.yaml", OFFICE);
    let due = |file: &PathBuf, start: &str| calendar("due", file, &["--start", start, "--working-minutes", "1"]);
    let cases = [
        (
            due(&files.0.path().join("none.yaml"), "2026-03-02"),
            "none.yaml cannot be read",
        ),
        (
            due(&files.write("a", "time_zone: Mars"), "2026-03-02"),
            "time_zone: \"Mars\" is not an IANA time zone",
        ),
        (
            due(&files.write("b", "time_zone: UTC\nwindow: []"), "2026-03-02"),
            "unknown field `window`",
        ),
        (
            due(&files.write("c", "time_zone: UTC"), "2026-03-02"),
            "no working minute",
        ),
        (due(&files.write("d", "\u{0}"), "2026-03-02"), "calendar cannot be read"),
        (due(&office, "tomorrow"), "--start: \"tomorrow\" is neither an instant"),
        (
            calendar("elapsed", &office, &["--start", "2026-03-03", "--end", "2026-03-02"]),
            "lies before the start",
        ),
        (
            calendar(
                "due",
                &office,
                &[
                    "--start",
                    "2026-03-02",
                    "--working-minutes",
                    "1",
                    "--holidays",
                    office.to_str().unwrap(),
                ],
            ),
            "office.yaml",
        ),
    ];
    for (output, expected) in cases {
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.starts_with("error: ") && error.contains(expected),
            "{error:?} lacks {expected:?}"
        );
        assert_eq!(error.lines().count(), 1, "{error:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn wrong_usage_exits_2() {
    let files = Files::new();
    let office = files.write("office.yaml", OFFICE);
    for arguments in [
        &["--start", "2026-03-02"][..],
        &["--start", "2026-03-02", "--working-minutes", "-5"],
        &["--begin", "x"],
    ] {
        let output = calendar("due", &office, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
