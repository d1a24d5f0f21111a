//! `reflexctl export`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::cli::{ConnectionArgs, Format};
use crate::export::{Document, Export as Exported, export};
use crate::output::{Output, print};

/// Writes the set-up of a tenant as the bundle that `apply` reads, the same text for the same set-up.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything that can be listed is in it: calendars, territories, products, teams, members, leaves, the routing policy,
ladders, the pool policy, the gate, forms, webhook sources, channels and the templates that were put. What the server does not show is not, and the bundle
says so: secrets of webhook sources and channels, the values in their addresses, and imported holidays. Applying it to the same tenant changes nothing.

JSON: {\"tenant\", \"resources\": [{\"kind\", ...}]}

Examples:
  reflexctl export --tenant huakang-east > huakang-east.yaml
  reflexctl export --tenant huakang-east --dir bundles/")]
pub(crate) struct Export {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Folder to write TENANT.yaml into, in place of what is there; standard output unless given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Export {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        self.connection.explain(self.export(output).await)
    }

    async fn export(&self, output: &Output) -> anyhow::Result<()> {
        let tenant = self.connection.address()?.tenant;
        let tenant = tenant.context("whose set-up? give --tenant, as the bundle names it")?;
        let exported = export(&self.connection.connect()?, &tenant).await?;
        let Some(folder) = &self.dir else {
            return show(&exported, output);
        };
        let file = folder.join(format!("{tenant}.yaml"));
        let unwritable = || format!("{} cannot be written", file.display());
        std::fs::create_dir_all(folder).with_context(unwritable)?;
        // Whole or not at all: half a bundle would look like a smaller set-up.
        let mut text = tempfile::NamedTempFile::new_in(folder).with_context(unwritable)?;
        std::io::Write::write_all(&mut text, exported.to_yaml()?.as_bytes()).with_context(unwritable)?;
        text.persist(&file).with_context(unwritable)?;
        eprintln!("{} resources in {}", exported.documents.len(), file.display());
        Ok(())
    }
}

fn show(exported: &Exported, output: &Output) -> anyhow::Result<()> {
    if output.format == Format::Table {
        return Ok(print(&exported.to_yaml()?)?);
    }
    let resources: Vec<_> = exported.documents.iter().map(Document::to_json).collect();
    let object = json!({ "tenant": exported.tenant.as_str(), "resources": resources });
    Ok(output.object(&object, String::new)?)
}
