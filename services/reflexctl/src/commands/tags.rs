//! `reflexctl tags`.

use clap::{Args, Subcommand};
use reflex_proto::leads::v1::tag_service_client::TagServiceClient;
use reflex_proto::leads::v1::{
    ListProgressTagsRequest, ListProgressTagsResponse, ListTagRulesRequest, ListTagRulesResponse,
};

use super::answer;
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::output::{Output, Table, more, one_line, word};

/// Shows what tags leads are given by; bundles set it up (`kind: TagRule`, `kind: ProgressTag`).
#[derive(Debug, Args)]
pub(crate) struct Tags {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: TagsCommand,
}

#[derive(Debug, Subcommand)]
enum TagsCommand {
    /// Lists the rules: which fact gives which tag to which leads, and for how long.
    #[command(after_help = "Example:\n  reflexctl tags rules --tenant huakang-east")]
    Rules {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Lists the progress tags that salespeople choose from, with the stage each means.
    #[command(after_help = "Example:\n  reflexctl tags progress --tenant huakang-east")]
    Progress {
        #[command(flatten)]
        page: PageArgs,
    },
}

impl Tags {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            TagsCommand::Rules { page } => self.rules(page, output).await,
            TagsCommand::Progress { page } => self.progress(page, output).await,
        };
        self.connection.explain(outcome)
    }

    async fn rules(&self, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
        let client = TagServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let request = ListTagRulesRequest {
            page_size: page.page_size.min(500),
            page_token: page.page_token.clone(),
        };
        let response = answer(async || client.clone().list_tag_rules(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListTagRulesResponse", &response, render_rules)?;
        Ok(())
    }

    async fn progress(&self, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
        let client = TagServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let request = ListProgressTagsRequest {
            page_size: page.page_size.min(500),
            page_token: page.page_token.clone(),
        };
        let response = answer(async || client.clone().list_progress_tags(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListProgressTagsResponse", &response, render_progress)?;
        Ok(())
    }
}

fn render_rules(response: &ListTagRulesResponse) -> String {
    let mut table = Table::new(["RULE", "TAG", "FACT", "DAYS", "ENABLED", "VERSION", "CONDITION"]);
    for rule in &response.tag_rules {
        let days = match rule.expire_days {
            0 => "for ever".to_owned(),
            days => days.to_string(),
        };
        table.row([
            rule.name.clone(),
            rule.tag.clone(),
            if rule.event.is_empty() {
                "any".to_owned()
            } else {
                rule.event.clone()
            },
            days,
            yes_or_no(rule.enabled),
            rule.version.to_string(),
            one_line(&rule.condition),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn render_progress(response: &ListProgressTagsResponse) -> String {
    let mut table = Table::new(["PROGRESS TAG", "LABEL", "STAGE", "ENABLED"]);
    for progress_tag in &response.progress_tags {
        table.row([
            progress_tag.name.clone(),
            progress_tag.label.clone(),
            word(progress_tag.stage().as_str_name(), "PROGRESS_STAGE_"),
            yes_or_no(progress_tag.enabled),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
