//! A public rule engine in a process of its own.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::Rule;
use crate::bench::measured::{Latencies, Measured};

/// Where the engines are installed, seen from this crate.
const HOME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// Which engine for Node.
#[derive(Debug, Clone, Copy)]
pub(in crate::bench) enum Engine {
    /// `GoRules` zen, an engine in Rust with bindings for Node.
    Zen,
    /// json-rules-engine, in JavaScript.
    JsonRulesEngine,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Zen => "zen",
            Self::JsonRulesEngine => "json",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Zen => "@gorules/zen-engine",
            Self::JsonRulesEngine => "json-rules-engine",
        }
    }
}

/// The engine, running; ends with this value.
pub(super) struct Process {
    _child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

#[derive(Deserialize)]
struct Found {
    matches: usize,
}

#[derive(Deserialize)]
struct Evaluated {
    evaluations: usize,
    seconds: f64,
}

impl Process {
    /// Starts the engine with these rules and returns how many hold over all leads; none where it is not installed.
    pub(super) async fn start(
        engine: Engine,
        rules: &[Rule],
        leads: &[Value],
    ) -> anyhow::Result<Option<(Self, usize)>> {
        if !Path::new(HOME).join("node_modules").join(engine.package()).is_dir() {
            return Ok(None);
        }
        let mut child = Command::new("node")
            .arg("rules.mjs")
            .current_dir(HOME)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting node")?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("both ends were asked for");
        };
        let mut process = Self {
            _child: child,
            questions,
            answers: BufReader::new(answers).lines(),
        };
        let task = json!({"engine": engine.name(), "rules": rules, "leads": leads});
        let found: Found = process.ask(&task).await?;
        Ok(Some((process, found.matches)))
    }

    /// Lets the engine evaluate for `span`.
    pub(super) async fn evaluate(&mut self, span: Duration) -> anyhow::Result<Measured> {
        let question = json!({"milliseconds": u64::try_from(span.as_millis())?});
        let evaluated: Evaluated = self.ask(&question).await?;
        Ok(Measured {
            per_second: Measured::rate(evaluated.evaluations, Duration::from_secs_f64(evaluated.seconds)),
            latencies: Latencies::default(),
            errors: 0,
        })
    }

    async fn ask<A: for<'a> Deserialize<'a>>(&mut self, question: &Value) -> anyhow::Result<A> {
        self.questions.write_all(format!("{question}\n").as_bytes()).await?;
        let answer = self.answers.next_line().await?.context("the engine ended, see above")?;
        serde_json::from_str(&answer).with_context(|| format!("the engine answered {answer}"))
    }
}
