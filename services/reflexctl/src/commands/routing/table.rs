//! The entries of a policy as a table for spreadsheets.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use reflex_proto::leads::v1::{ExportRoutingTableRequest, ImportRoutingTableRequest};
use serde_json::json;

use super::change::{How, check_table, explain, stored};
use super::{Way, client, findings};
use crate::cli::Format;
use crate::commands::{answer, request_id};

#[derive(Debug, Subcommand)]
pub(super) enum TableCommand {
    /// Writes the entries of a version as a CSV file that spreadsheets open: territory, product, when, team, skills.
    #[command(after_help = "\
JSON, with a file: {\"version\", \"file\", \"bytes\"}; without one the response, with the table in base64

Examples:
  reflexctl routing table export matrix.csv
  reflexctl routing table export --version 3 --lang en")]
    Export {
        /// Where to; standard output if left out.
        file: Option<PathBuf>,
        /// The version; the active one if left out.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        version: Option<i32>,
    },
    /// Stores the entries of a CSV file as a draft, or makes them the active ones at once; all lines or none.
    #[command(after_help = "\
Columns are territory, product, when, team, skills, or 地域, 产品, 条件, 团队, 技能. Territories, products and teams are named as
people know them, or by id. The rest of the policy (default team, claim fuse) is that of the active version, or of --base.

Examples:
  reflexctl routing table import matrix.csv --note 华东换组
  reflexctl routing table import matrix.csv --activate")]
    Import {
        /// The table.
        file: PathBuf,
        /// Version that the rest of the policy is taken from; the active one if left out.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        base: Option<i32>,
        #[command(flatten)]
        how: How,
    },
}

impl TableCommand {
    pub(super) async fn run(&self, way: &Way<'_>) -> anyhow::Result<()> {
        match self {
            Self::Export { file, version } => export(way, file.as_deref(), version.unwrap_or_default()).await,
            Self::Import { file, base, how } => import(way, file, base.unwrap_or_default(), how).await,
        }
    }
}

async fn export(way: &Way<'_>, file: Option<&Path>, version: i32) -> anyhow::Result<()> {
    let client = way.client()?;
    let request = ExportRoutingTableRequest {
        version,
        language: way.lang.pick("zh", "en").to_owned(),
    };
    let response = answer(async || client.clone().export_routing_table(request.clone()).await).await?;
    let Some(file) = file else {
        if way.output.format == Format::Json {
            way.output
                .response("reflex.leads.v1.ExportRoutingTableResponse", &response, |_| {
                    String::new()
                })?;
        } else {
            io::stdout().lock().write_all(&response.csv)?;
        }
        return Ok(());
    };
    fs::write(file, &response.csv).with_context(|| format!("{} cannot be written", file.display()))?;
    let (version, name) = (response.version, file.display().to_string());
    let object = json!({"version": version, "file": name, "bytes": response.csv.len()});
    way.output.object(&object, || {
        let (zh, en) = (
            format!("版本 {version} 已写入 {name}\n"),
            format!("version {version} is in {name}\n"),
        );
        way.lang.pick(&zh, &en).to_owned()
    })?;
    Ok(())
}

async fn import(way: &Way<'_>, file: &Path, base: i32, how: &How) -> anyhow::Result<()> {
    let connection = way.connection.connect()?;
    let client = client(&connection)?;
    let request = ImportRoutingTableRequest {
        csv: read(file)?,
        base_version: base,
        draft: !how.activate,
        note: how.note.clone(),
        validate_only: false,
        request_id: request_id(),
    };
    let outcome = answer(async || client.clone().import_routing_table(request.clone()).await).await;
    let response = match outcome {
        Ok(response) => response,
        Err(refused) => return explain(way, refused, check_table(&connection, request)).await,
    };
    let full_name = "reflex.leads.v1.ImportRoutingTableResponse";
    way.output.response(full_name, &response, |response| {
        let version = response.policy.as_ref().map_or(0, |policy| policy.version);
        stored(version, how.activate, way.lang)
            + &findings::render(&response.findings, response.finding_count, way.lang)
    })?;
    Ok(())
}

/// Tells whether a file is a decision table by its name.
pub(super) fn is_table(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}
