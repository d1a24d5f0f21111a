//! `reflexctl industries`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reflex_proto::leads::v1::industry_service_client::IndustryServiceClient;
use reflex_proto::leads::v1::{
    ImportIndustriesRequest, ListIndustriesRequest, ListIndustryVersionsRequest, MapIndustriesRequest,
};

use super::{answer, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::output::{Output, Table, more, word};

/// Imports and shows the tree of industries that customers are in.
#[derive(Debug, Args)]
pub(crate) struct Industries {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: IndustriesCommand,
}

#[derive(Debug, Subcommand)]
enum IndustriesCommand {
    /// Stores a CSV file (`code`, `parent`, `name_zh`, `name_en`, or 代码, 上级, 中文名, 英文名) as the next version.
    #[command(
        after_help = "Example:\n  reflexctl industries import deploy/demo/industries.csv --title 'GB/T 4754-2017'"
    )]
    Import {
        /// The file.
        file: PathBuf,
        /// What it is.
        #[arg(long)]
        title: String,
    },
    /// Lists the industries of a version, or those with a text as code or in a name.
    #[command(after_help = "Examples:\n  reflexctl industries list\n  reflexctl industries list 转向节 --version 1")]
    List {
        /// Code or part of a name; all if left out.
        #[arg(default_value = "", hide_default_value = true)]
        text: String,
        /// The version; the newest one if left out.
        #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N")]
        version: i32,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Lists the versions, the newest first.
    #[command(after_help = "Example:\n  reflexctl industries versions")]
    Versions {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows what became of the industries of a version in a later one.
    #[command(after_help = "Example:\n  reflexctl industries map 1 --to 2")]
    Map {
        /// The version before.
        from: i32,
        /// The version after; the newest one if left out.
        #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N")]
        to: i32,
    },
}

impl Industries {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = self.call(output).await;
        self.connection.explain(outcome)
    }

    async fn call(&self, output: &Output) -> anyhow::Result<()> {
        let client = IndustryServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        match &self.command {
            IndustriesCommand::Import { file, title } => {
                let request = ImportIndustriesRequest {
                    csv: fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?,
                    title: title.clone(),
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().import_industries(request.clone()).await).await?;
                output.response("reflex.leads.v1.ImportIndustriesResponse", &response, |response| {
                    let version = response.version.clone().unwrap_or_default();
                    format!(
                        "version {}: {} industries, {}\n",
                        version.version, version.industry_count, version.title
                    )
                })?;
            }
            IndustriesCommand::List { text, version, page } => {
                let request = ListIndustriesRequest {
                    version: *version,
                    text: text.clone(),
                    page_size: page.page_size,
                    page_token: page.page_token.clone(),
                };
                let response = answer(async || client.clone().list_industries(request.clone()).await).await?;
                output.response("reflex.leads.v1.ListIndustriesResponse", &response, |response| {
                    let mut table = Table::new(["CODE", "PARENT", "LEVEL", "NAME", "ENGLISH"]);
                    for it in &response.industries {
                        let level = it.level.to_string();
                        table.row([
                            it.code.clone(),
                            it.parent.clone(),
                            level,
                            it.name_zh.clone(),
                            it.name_en.clone(),
                        ]);
                    }
                    format!(
                        "version {}\n{}{}",
                        response.version,
                        table.render(0),
                        more(&response.next_page_token)
                    )
                })?;
            }
            IndustriesCommand::Versions { page } => {
                let request = ListIndustryVersionsRequest {
                    page_size: page.page_size.min(500),
                    page_token: page.page_token.clone(),
                };
                let response = answer(async || client.clone().list_industry_versions(request.clone()).await).await?;
                output.response("reflex.leads.v1.ListIndustryVersionsResponse", &response, |response| {
                    let mut table = Table::new(["VERSION", "TITLE", "INDUSTRIES", "STORED"]);
                    for it in &response.versions {
                        let (version, count) = (it.version.to_string(), it.industry_count.to_string());
                        table.row([version, it.title.clone(), count, output.time(it.create_time.as_ref())]);
                    }
                    table.render(0) + &more(&response.next_page_token)
                })?;
            }
            IndustriesCommand::Map { from, to } => {
                let request = MapIndustriesRequest {
                    from_version: *from,
                    to_version: *to,
                };
                let response = answer(async || client.clone().map_industries(request).await).await?;
                output.response("reflex.leads.v1.MapIndustriesResponse", &response, |response| {
                    let mut table = Table::new(["BEFORE", "AFTER", "WHAT"]);
                    for it in &response.moves {
                        let kind = word(it.kind().as_str_name(), "KIND_");
                        table.row([it.from_code.clone(), it.to_code.clone(), kind]);
                    }
                    format!("{}{} are the same\n", table.render(0), response.same_count)
                })?;
            }
        }
        Ok(())
    }
}
