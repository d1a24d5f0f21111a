//! `reflexctl apply`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reflex_runtime::ids::SystemIds;
use serde_json::{Value, json};

use crate::apply::{Change, Plan, PlanOptions, Report, plan};
use crate::bundle::{Bundle, parse_variable};
use crate::cli::{ConnectionArgs, Format};
use crate::output::{Output, print};

/// Brings tenants to what a bundle says: compares, shows the difference, asks, and puts what differs.
#[derive(Debug, Args)]
#[command(after_help = "\
A bundle is YAML: documents with kind (Calendar, Holidays, Territory, Product, Team, Member, Leave, RoutingPolicy, Ladder,
PoolPolicy, GatePolicy, DuplicatePolicy, DecisionMapPolicy, ChannelCost, Form, WebhookSource, Channel, Quota, Template, Subscription) and the fields of that resource; one document of a file says tenant. A channel's own kind is
channel_kind. Applying twice changes nothing the second time; nothing is ever deleted.

JSON: {\"tenants\": [{\"tenant\", \"changes\": [{\"action\": create, update or send, \"kind\", \"name\", \"origin\",
\"fields\": [{\"path\", \"before\", \"after\"}]}], \"unchanged\", \"applied\", \"remarks\"}]}

Examples:
  reflexctl apply -f deploy/demo/ --dry-run --set SIMULATOR_URL=http://127.0.0.1:18080
  reflexctl apply -f huakang-east.yaml --yes")]
pub(crate) struct Apply {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Bundle, or folder of bundles.
    #[arg(short, long, value_name = "FILE|DIR")]
    file: PathBuf,
    /// Only shows what would change.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
    /// What to do with what only the server has: nothing (no), or name it (list). The API deletes nothing.
    #[arg(long, value_enum, default_value_t = Prune::No)]
    prune: Prune,
    /// Value of ${NAME} in the bundle; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
    /// Also sends channels with a secret of which nothing else differs, as the server never shows secrets.
    #[arg(long)]
    send_secrets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Prune {
    No,
    List,
}

impl Apply {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        self.connection.explain(self.apply(output).await)
    }

    async fn apply(&self, output: &Output) -> anyhow::Result<()> {
        let address = self.connection.address()?;
        let connection = self.connection.connect()?;
        let variables = self.variables.iter().cloned().collect();
        let options = PlanOptions {
            send_secrets: self.send_secrets,
        };
        let bundles = Bundle::load(&self.file, address.tenant.as_ref(), &variables)?;
        if let Some(given) = &self.connection.tenant {
            let other = bundles.iter().find(|bundle| bundle.tenant != *given);
            anyhow::ensure!(
                other.is_none(),
                "--tenant says {given}, but a bundle is for {}",
                other.map_or("", |bundle| bundle.tenant.as_str())
            );
        }
        let mut plans = Vec::new();
        for bundle in &bundles {
            plans.push(plan(&connection, bundle, options).await?);
        }
        if output.format == Format::Table {
            plans.iter().try_for_each(|plan| print(&self.shown(plan)))?;
        }

        let wanted: usize = plans.iter().map(Plan::count).sum();
        let mut done = Vec::new();
        if wanted > 0 && !self.dry_run {
            self.ask(wanted)?;
            for plan in plans {
                let progress = progress_bar(&plan);
                let report = plan.run(&connection, &SystemIds, |_| progress.inc(1)).await?;
                progress.finish_and_clear();
                done.push((plan, Some(report)));
            }
        } else {
            done.extend(plans.into_iter().map(|plan| (plan, None)));
        }
        let object = json!({ "tenants": done.iter().map(tenant_json).collect::<Vec<_>>() });
        output.object(&object, || summary(&done, self.dry_run))?;
        Ok(())
    }

    fn shown(&self, plan: &Plan) -> String {
        let mut text = format!("{plan}\n");
        if self.prune == Prune::List {
            for (kind, name) in &plan.only_stored {
                let _ = writeln!(text, "  ? {:<13} {name} is only on the server", kind.name());
            }
        }
        text
    }

    fn ask(&self, changes: usize) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        anyhow::ensure!(
            io::stdin().is_terminal(),
            "nobody is there to confirm {changes} changes; give --yes"
        );
        let mut screen = io::stderr().lock();
        write!(screen, "Apply {changes} changes? [y/N] ")?;
        screen.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).context("no answer")?;
        anyhow::ensure!(matches!(answer.trim(), "y" | "Y" | "yes"), "nothing was changed");
        Ok(())
    }
}

fn progress_bar(plan: &Plan) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos} calls, {elapsed}");
    let bar = ProgressBar::new(plan.count() as u64).with_prefix(plan.tenant.to_string());
    bar.with_style(style.expect("the template is a literal"))
}

fn summary(done: &[(Plan, Option<Report>)], dry_run: bool) -> String {
    if done.iter().all(|(plan, _)| plan.is_empty()) {
        return "nothing to do".to_owned();
    }
    if dry_run {
        return "dry run: nothing was changed".to_owned();
    }
    let mut text = String::new();
    for (plan, report) in done {
        let Some(report) = report else { continue };
        let _ = writeln!(
            text,
            "{}: {} created, {} changed, {} sent, {} unchanged",
            plan.tenant, report.created, report.updated, report.sent, report.unchanged
        );
        for remark in &report.remarks {
            let _ = writeln!(text, "  {remark}");
        }
    }
    text
}

fn tenant_json((plan, report): &(Plan, Option<Report>)) -> Value {
    let mut changes = Vec::new();
    for item in &plan.items {
        let (action, fields) = match &item.change {
            Change::Create => ("create", json!([])),
            Change::Update(fields) => ("update", json!(fields)),
            Change::Send => ("send", json!([])),
            Change::Nothing => continue,
        };
        changes.push(json!({
            "action": action,
            "kind": item.resource.kind.name(),
            "name": item.resource.label(),
            "origin": item.resource.origin,
            "fields": fields,
        }));
    }
    json!({
        "tenant": plan.tenant.as_str(),
        "unchanged": plan.items.len() - changes.len(),
        "changes": changes,
        "applied": report.is_some(),
        "remarks": report.as_ref().map(|report| report.remarks.clone()).unwrap_or_default(),
    })
}
