//! `reflexctl expr`: formulas without a server.

mod eval;
mod facts;
mod fault;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reflex_expr::{Lang, Program, Schema, formula, limits};
use serde_json::json;

use crate::cli::Language;
use crate::output::{Output, Table};
use fault::Fault;

/// Checks, evaluates and tidies the formulas of calculated fields; needs no server.
#[derive(Debug, Args)]
pub(crate) struct Expr {
    /// Language of what is said about a formula.
    #[arg(long, global = true, value_enum, default_value_t = Language::Zh)]
    lang: Language,
    #[command(subcommand)]
    command: ExprCommand,
}

#[derive(Debug, Subcommand)]
enum ExprCommand {
    /// Tells the type of a formula, the fields it reads and what it costs; or what is wrong with it, where, and what to write.
    #[command(after_help = "\
The schema is JSON; types are bool, number, text, date, time, text[], number[], date[], and texts may have options:
  {\"fields\": [{\"name\": \"客户.设备型号\", \"type\": \"text\"},
              {\"name\": \"客户.等级\", \"type\": \"text\", \"title\": \"级别\", \"options\": [\"A\", \"B\"]}]}

JSON: {\"type\", \"fields\": [{\"name\", \"type\"}], \"cost\", \"cost_limit\"}; of a wrong formula
  {\"error\": {\"code\", \"span\": bytes {\"start\", \"end\"}, \"position\": {\"line\", \"column\"}, \"source\", \"suggestion\", \"zh\", \"en\"}}

Example:
  reflexctl expr check --schema fields.json \"IF(CONTAINS(客户.设备型号,'锻造'),0.8,0.3)\"")]
    Check {
        #[command(flatten)]
        formula: CheckedFormula,
    },
    /// Evaluates a formula over the facts of one record or of many.
    #[command(after_help = eval::HELP)]
    Eval(eval::Eval),
    /// Writes a formula the way this program would: the same words, spaces and brackets each time.
    #[command(after_help = "\
JSON: {\"formula\"}, or {\"error\"} as of `expr check`

Example:
  reflexctl expr print \"如果(包含(客户.设备型号,'锻造'),0.8,0.3)\"")]
    Print {
        /// The formula.
        formula: String,
    },
}

#[derive(Debug, Args)]
struct CheckedFormula {
    /// Fields that formulas may read, as JSON.
    #[arg(long, value_name = "FILE")]
    schema: PathBuf,
    /// The formula.
    formula: String,
}

impl CheckedFormula {
    fn schema(&self) -> anyhow::Result<Schema> {
        let file = &self.schema;
        let text = read(file)?;
        serde_json::from_str(&text).with_context(|| format!("{} is no schema", file.display()))
    }

    fn compile(&self, schema: &Schema, says: Says<'_>) -> anyhow::Result<Program> {
        Program::compile(&self.formula, schema).or_else(|error| says.wrong(&self.formula, &error))
    }
}

/// How a wrong formula is told.
#[derive(Clone, Copy)]
struct Says<'a> {
    lang: Language,
    output: &'a Output,
}

impl Says<'_> {
    /// Fails with a sentence and the place; whoever asked for JSON gets an object too.
    fn wrong<T>(self, formula: &str, error: &reflex_expr::Error) -> anyhow::Result<T> {
        self.output
            .object(&json!({"error": error.report(formula)}), String::new)?;
        Err(Fault::new(formula, error, self.lang).into())
    }
}

impl Expr {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let says = Says {
            lang: self.lang,
            output,
        };
        match &self.command {
            ExprCommand::Check { formula } => check(formula, says),
            ExprCommand::Eval(eval) => eval.run(says),
            ExprCommand::Print { formula } => {
                let tree = formula::parse(formula).or_else(|error| says.wrong(formula, &error))?;
                let canonical = formula::print(&tree);
                output.object(&json!({"formula": canonical}), || canonical)?;
                Ok(())
            }
        }
    }
}

fn check(formula: &CheckedFormula, says: Says<'_>) -> anyhow::Result<()> {
    let schema = formula.schema()?;
    let program = formula.compile(&schema, says)?;
    let fields: Vec<_> = program.fields().iter().filter_map(|slot| schema.field(*slot)).collect();
    let kind = program.kind().name();
    let cost = program.cost();
    let listed: Vec<_> = fields
        .iter()
        .map(|field| json!({"name": field.name, "type": field.kind.name()}))
        .collect();
    let object = json!({"type": kind, "fields": listed, "cost": cost, "cost_limit": limits::COST});
    says.output.object(&object, || {
        let mut table = Table::new(["type", kind]);
        for field in &fields {
            table.row(["reads".to_owned(), format!("{} ({})", field.name, field.kind)]);
        }
        table.row(["cost".to_owned(), format!("{cost} of {}", limits::COST)]);
        table.render(0)
    })?;
    Ok(())
}

/// Reads a text file, or standard input for `-`.
fn read(file: &Path) -> anyhow::Result<String> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let text = read.with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Returns the language of the formula's library.
fn spoken(lang: Language) -> Lang {
    match lang {
        Language::Zh => Lang::Zh,
        Language::En => Lang::En,
    }
}
