//! Splink in a process of its own, over the same leads.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use serde::{Deserialize, de::DeserializeOwned};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::leads::Customers;
use crate::bench::measured::{Latencies, Measured};

/// Where it is installed, seen from this crate.
const HOME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// Splink, running; ends with this value.
pub(super) struct Splink {
    _child: Child,
    _listed: NamedTempFile,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

#[derive(Deserialize)]
struct Ready {
    ready: bool,
}

#[derive(Deserialize)]
struct LookedUp {
    seconds: Vec<f64>,
}

#[derive(Deserialize)]
struct Deduplicated {
    cpu_seconds: f64,
    pairs: usize,
}

impl Splink {
    /// Starts it over these leads, trained for `task`; none where it is not installed.
    pub(super) async fn start(leads: Customers, task: &str) -> anyhow::Result<Option<Self>> {
        let home = Path::new(HOME);
        if !home.join("python/splink").is_dir() {
            return Ok(None);
        }
        let listed = NamedTempFile::new()?;
        let mut rows = csv::Writer::from_path(listed.path())?;
        rows.write_record(["unique_id", "company", "contact", "mobile", "email", "city"])?;
        for (number, it) in leads.enumerate() {
            // Its users normalise first: only the digits, without the country's.
            let digits: String = it.mobile.chars().filter(char::is_ascii_digit).collect();
            let mobile = digits
                .strip_prefix("86")
                .filter(|rest| rest.len() == 11)
                .unwrap_or(&digits);
            rows.write_record([
                &number.to_string(),
                &it.company,
                &it.contact,
                mobile,
                &it.email,
                &it.city,
            ])?;
        }
        rows.flush()?;
        let mut child = Command::new("python3")
            .args(["duplicates.py", task])
            .arg(listed.path())
            .env("PYTHONPATH", home.join("python"))
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("starting python3")?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("python3 was started without its pipes");
        };
        let mut splink = Self {
            _child: child,
            _listed: listed,
            questions,
            answers: BufReader::new(answers).lines(),
        };
        let ready: Ready = splink.answer().await?;
        Ok(ready.ready.then_some(splink))
    }

    /// Looks leads up for `span`, at least one.
    pub(super) async fn look_up(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let question = format!("{}\n", span.as_secs_f64());
        self.questions.write_all(question.as_bytes()).await?;
        let told: LookedUp = self.answer().await?;
        let times: Vec<Duration> = told
            .seconds
            .iter()
            .map(|seconds| Duration::from_secs_f64(*seconds))
            .collect();
        Ok(Measured {
            per_second: Measured::rate(times.len(), times.iter().sum()),
            errors: u64::from(times.is_empty()),
            latencies: Latencies::new(times),
        })
    }

    /// Compares all of them with each other.
    pub(super) async fn deduplicate(&mut self, count: usize) -> anyhow::Result<Measured> {
        self.questions.write_all(b"all\n").await?;
        let told: Deduplicated = self.answer().await?;
        Ok(Measured {
            per_second: Measured::rate(count, Duration::from_secs_f64(told.cpu_seconds)),
            latencies: Latencies::default(),
            errors: u64::from(told.pairs == 0),
        })
    }

    async fn answer<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = self.answers.next_line().await?.context("Splink ended")?;
        Ok(serde_json::from_str(&line)?)
    }
}
