//! `reflexctl webhooks`: mappings tried without a server, and signed bodies sent by hand.

mod send;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use reflex_mapping::{Fault, Mapped, Mapping, Targets};
use serde_json::{Value, json};

use crate::output::{Output, Table};

/// Fields of `NewLead` that the source says, and no body.
const OF_THE_SOURCE: [&str; 4] = ["source", "form", "attributes", "raw_payload"];

/// Tries the mapping of a source of webhooks, and sends signed bodies.
#[derive(Debug, Args)]
pub(crate) struct Webhooks {
    #[command(subcommand)]
    command: WebhooksCommand,
}

#[derive(Debug, Subcommand)]
enum WebhooksCommand {
    /// Shows what lead a body becomes by a mapping, or everything that is wrong with either; needs no server.
    #[command(after_help = "\
The mapping is JSON or YAML, as the field mapping of a WebhookSource: from is a JSON pointer or a list of them, * stands for
every item of a list; values translates, times multiplies (100 makes fen of yuan), otherwise is for what is not found, rest
takes what is found besides, required refuses bodies without it.

JSON: {\"lead\": {field: text}, \"places\": {field: JSON pointer}}

Example:
  reflexctl webhooks check --mapping baidu.yaml --body lead.json

baidu.yaml:
  version: 1
  fields:
    company: /data/corp
    phone: {from: [/data/phones/*/number, /data/tel], rest: attributes.备用电话, required: true}
    urgency: {from: /data/level, values: {\"1\": red, \"2\": yellow}, otherwise: green}
    budget_min_fen: {from: /data/budget_yuan, times: 100}")]
    Check {
        /// The mapping, JSON or YAML.
        #[arg(long, value_name = "FILE")]
        mapping: PathBuf,
        /// A body as the sender sends it, JSON.
        #[arg(long, value_name = "FILE")]
        body: PathBuf,
    },
    Send(send::Send),
}

impl Webhooks {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        match self.command {
            WebhooksCommand::Check { mapping, body } => check(&mapping, &body, output),
            WebhooksCommand::Send(send) => send.run(output).await,
        }
    }
}

fn check(mapping: &Path, body: &Path, output: &Output) -> anyhow::Result<()> {
    let document: Value = serde_norway::from_str(&read(mapping)?)
        .with_context(|| format!("{} is neither JSON nor YAML", mapping.display()))?;
    let names = fields_of_leads();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let targets = Targets {
        names: &names,
        open: "attributes.",
    };
    let mapping = match Mapping::parse(&document.to_string(), targets) {
        Ok(mapping) => mapping,
        Err(faults) => bail!("{}: {}", mapping.display(), listed(&faults)),
    };
    let said: Value = serde_json::from_str(&read(body)?).with_context(|| format!("{} is no JSON", body.display()))?;
    match mapping.apply(&said) {
        Ok(mapped) => {
            let object = json!({"lead": mapped.texts, "places": mapped.origins});
            Ok(output.object(&object, || table(&mapped))?)
        }
        Err(faults) => bail!("{}: {}", body.display(), listed(&faults)),
    }
}

/// Lists the fields of a lead that a body can speak of.
fn fields_of_leads() -> Vec<String> {
    let lead = reflex_proto::descriptor_pool()
        .get_message_by_name("reflex.leads.v1.NewLead")
        .expect("a message of our own protos");
    let names = lead.fields().map(|field| field.name().to_owned());
    names.filter(|name| !OF_THE_SOURCE.contains(&name.as_str())).collect()
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn listed(faults: &[Fault]) -> String {
    let said = faults.iter().map(|fault| format!("{} {}", fault.place, fault.said));
    said.collect::<Vec<_>>().join("; ").trim().to_owned()
}

fn table(mapped: &Mapped) -> String {
    let mut table = Table::new(["FIELD", "TEXT", "FROM"]);
    for (field, text) in &mapped.texts {
        let from = mapped.origins.get(field).cloned().unwrap_or_default();
        table.row([field.clone(), text.clone(), from]);
    }
    table.render(0)
}
