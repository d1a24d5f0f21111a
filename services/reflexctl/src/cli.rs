//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use reflex_tenancy::TenantId;

use crate::commands::{
    accounts, apply, calendar, channels, claims, customers, dead_letters, decision_maps, duplicates, export, expr,
    fields, follow_ups, gate, inbox, industries, keys, leads, members, messages, notifications, nurture, privacy,
    routing, subscriptions, tags, webhooks,
};

/// Reflex from the command line: set up tenants, take leads in, see who got them and why, and who was told.
#[derive(Debug, Parser)]
#[command(
    name = "reflexctl",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
#[command(after_help = "\
Exit codes: 0 done, 1 failed (one sentence on standard error), 2 asked wrongly.

Examples:
  reflexctl apply -f deploy/demo/ --dry-run
  reflexctl leads capture --source 400来电 --company 华东骨科医院 --phone 13900000000 --territory 苏州 --product 骨科耗材
  reflexctl leads explain L000123 --lang en
  reflexctl calendar due --calendar office.yaml --start 2026-02-13T16:00 --working-minutes 240 -o json")]
pub(crate) struct Cli {
    /// What to print: tables for people, or JSON (the proto3 JSON of the response, or the object the command's help names).
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,

    /// Time zone of the times in tables.
    #[arg(
        long,
        global = true,
        env = "REFLEX_TIME_ZONE",
        default_value = "Asia/Shanghai",
        value_name = "ZONE"
    )]
    pub(crate) time_zone: String,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences.
    Table,
    /// JSON.
    Json,
}

/// Language of explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Language {
    /// Returns the text of this language.
    pub(crate) fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Apply(apply::Apply),
    Export(export::Export),
    Leads(leads::Leads),
    Claim(claims::Claim),
    Release(claims::Release),
    Followup(follow_ups::FollowUps),
    Members(members::Members),
    Routing(routing::Routing),
    Accounts(accounts::Accounts),
    Customers(customers::Customers),
    Industries(industries::Industries),
    Channels(channels::Channels),
    DecisionMap(decision_maps::DecisionMaps),
    Fields(fields::Fields),
    Tags(tags::Tags),
    Duplicates(duplicates::Duplicates),
    Gate(gate::Gate),
    Nurture(nurture::Nurture),
    Inbox(inbox::Inbox),
    Messages(messages::Messages),
    Notifications(notifications::Notifications),
    Subscriptions(subscriptions::Subscriptions),
    Privacy(privacy::Privacy),
    Dlq(dead_letters::DeadLetters),
    Calendar(calendar::Calendar),
    Expr(expr::Expr),
    Webhooks(webhooks::Webhooks),
    Token(keys::Token),
    Keys(keys::Keys),
}

/// Where the services are and who calls. What is not given comes from `client.toml`, which `make up` writes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// Leads service, for example <http://127.0.0.1:50051>.
    #[arg(long, global = true, env = "REFLEX_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,

    /// Notifications service, for example <http://127.0.0.1:50052>.
    #[arg(long, global = true, env = "REFLEX_NOTIFICATIONS", value_name = "URL")]
    pub(crate) notifications: Option<String>,

    /// Token of the caller.
    #[arg(
        long,
        global = true,
        env = "REFLEX_TOKEN",
        hide_env_values = true,
        value_name = "JWT"
    )]
    pub(crate) token: Option<String>,

    /// Tenant to act for; needed when the token has several.
    #[arg(long, global = true, env = "REFLEX_TENANT")]
    pub(crate) tenant: Option<TenantId>,

    /// Folder of `make up`, with client.toml; by default ~/.local/share/reflex, else /var/lib/reflex.
    #[arg(long, global = true, env = "REFLEX_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Which page of a list.
#[derive(Clone, Debug, Args)]
pub(crate) struct PageArgs {
    /// How many to show.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000), value_name = "N")]
    pub(crate) page_size: i32,

    /// Where to go on, as the page before says.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TOKEN")]
    pub(crate) page_token: String,
}
