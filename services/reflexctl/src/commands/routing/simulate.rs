//! `reflexctl routing simulate`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use indicatif::ProgressBar;
use prost::Message;
use prost_reflect::DynamicMessage;
use reflex_proto::leads::v1::routing_service_client::RoutingServiceClient;
use reflex_proto::leads::v1::simulate_routing_response::{Difference, Fate, Part, Summary};
use reflex_proto::leads::v1::{Calendar, Ladder, RoutingPolicy, SimulateRoutingRequest};
use serde_json::{Value, json};

use super::plot;
use crate::bundle::{Bundle, Owner, Resource, parse_variable};
use crate::cli::{ConnectionArgs, Format};
use crate::dynamic::to_json;
use crate::output::{Output, Table};

/// Rehearses a policy, ladders and calendars on the leads of the last days, and shows what would have come out otherwise.
/// Nothing is changed and nobody is told.
#[derive(Debug, Args)]
#[command(after_help = "\
The file is a bundle as `apply` reads it; its RoutingPolicy, Ladder and Calendar documents are rehearsed, others are refused.
Without a file the active policy is rehearsed, or that of --version: what then differs has other reasons, above all people,
leaves and products that changed since. Calls, returns and closings stay when they happened.

JSON: {\"summary\": {\"leadCount\", \"differenceCount\", \"loads\", ...}, \"differences\": [{\"lead\", \"before\", \"after\", \"fields\"}]}

Examples:
  reflexctl routing simulate policy.yaml --days 14 --plot load.svg
  reflexctl routing simulate --version 3 -o json")]
pub(super) struct Simulate {
    /// Bundle with what to rehearse.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Stored version of the policy to rehearse; 0 is the active one.
    #[arg(long, default_value_t = 0, value_name = "N")]
    version: i32,
    /// How many days back.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i32).range(1..=366), value_name = "N")]
    days: i32,
    /// Differences to show; all are counted.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=100_000), value_name = "N")]
    show: i32,
    /// Draws what each member was and would have been given as SVG.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Value of ${NAME} in the bundle; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
}

impl Simulate {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let request = self.request(connection)?;
        let mut client = RoutingServiceClient::new(connection.connect()?.to(Owner::Leads)?);
        let bar = progress_bar(output);
        let mut parts = client.simulate_routing(request).await?.into_inner();
        let (mut differences, mut summary) = (Vec::new(), None);
        while let Some(response) = parts.message().await? {
            match response.part {
                Some(Part::Progress(progress)) => {
                    let total = progress.lead_count + progress.decision_count;
                    bar.set_length(u64::try_from(total).unwrap_or(0));
                    bar.set_position(u64::try_from(progress.read_count + progress.decided_count).unwrap_or(0));
                }
                Some(Part::Difference(difference)) => differences.push(difference),
                Some(Part::Summary(last)) => summary = Some(last),
                None => {}
            }
        }
        bar.finish_and_clear();
        let summary = summary.context("the answer broke off before its end")?;
        if let Some(file) = &self.plot {
            let picture = plot::loads(&summary);
            std::fs::write(file, picture).with_context(|| format!("{} cannot be written", file.display()))?;
        }
        output.object(&as_json(&summary, &differences), || {
            self.shown(&summary, &differences, output)
        })?;
        Ok(())
    }

    fn request(&self, connection: &ConnectionArgs) -> anyhow::Result<SimulateRoutingRequest> {
        let mut request = SimulateRoutingRequest {
            version: self.version,
            days: self.days,
            max_differences: self.show,
            ..SimulateRoutingRequest::default()
        };
        let Some(file) = &self.file else { return Ok(request) };
        let variables = self.variables.iter().cloned().collect();
        let tenant = connection.address()?.tenant;
        for bundle in Bundle::load(file, tenant.as_ref(), &variables)? {
            let other = tenant.as_ref().is_some_and(|tenant| *tenant != bundle.tenant);
            anyhow::ensure!(!other, "{} is for {}", file.display(), bundle.tenant);
            for resource in &bundle.resources {
                add(&mut request, resource)?;
            }
        }
        Ok(request)
    }

    fn shown(&self, summary: &Summary, differences: &[Difference], output: &Output) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{} leads since {}: {} come out otherwise, {} of them with another owner",
            summary.lead_count,
            output.time(summary.start_time.as_ref()),
            summary.difference_count,
            summary.owner_count
        );
        if summary.unreproduced_count > 0 {
            let _ = writeln!(
                text,
                "{} would come out otherwise today without any change: people, leaves or products have changed since",
                summary.unreproduced_count
            );
        }
        let _ = writeln!(
            text,
            "waiting at the end: {} before, {} after",
            summary.waiting_before, summary.waiting_after
        );
        text.push('\n');
        let mut loads = Table::new(["MEMBER", "GIVEN", "THEN", "MOST AT ONCE", "THEN"]);
        for load in &summary.loads {
            loads.row([
                load.member.clone(),
                load.given_before.to_string(),
                load.given_after.to_string(),
                load.peak_before.to_string(),
                load.peak_after.to_string(),
            ]);
        }
        text.push_str(&loads.render(0));
        let mut steps = Table::new(["ESCALATED TO", "BEFORE", "AFTER"]);
        for told in &summary.escalations {
            steps.row([
                told.audience.clone(),
                told.before_count.to_string(),
                told.after_count.to_string(),
            ]);
        }
        if !summary.escalations.is_empty() {
            text.push('\n');
            text.push_str(&steps.render(0));
        }
        if !differences.is_empty() {
            text.push('\n');
            text.push_str(&differences_table(differences, output).render(0));
        }
        let more = usize::try_from(summary.difference_count)
            .unwrap_or(0)
            .saturating_sub(differences.len());
        if more > 0 {
            let _ = writeln!(text, "and {more} more; --show says how many are shown");
        }
        if let Some(file) = &self.plot {
            let _ = writeln!(text, "\nthe loads are drawn in {}", file.display());
        }
        text
    }
}

fn differences_table(differences: &[Difference], output: &Output) -> Table {
    let mut table = Table::new(["LEAD", "COMPANY", "BEFORE", "AFTER", "DIFFERS", "ENTRY"]);
    let end = |fate: Option<&Fate>| fate.map(|fate| end_of(fate, output)).unwrap_or_default();
    for difference in differences {
        let entry = difference.after.as_ref().map_or(0, |after| after.entry);
        table.row([
            difference.number.clone(),
            difference.company.clone(),
            end(difference.before.as_ref()),
            end(difference.after.as_ref()),
            difference.fields.join(", "),
            if entry == 0 { "-".to_owned() } else { entry.to_string() },
        ]);
    }
    table
}

fn end_of(fate: &Fate, output: &Output) -> String {
    let who = if fate.owner.is_empty() {
        format!("waits ({})", fate.reason)
    } else {
        fate.owner.clone()
    };
    match output.time(fate.contact_due_time.as_ref()) {
        due if due.is_empty() => who,
        due => format!("{who}, call by {due}"),
    }
}

fn add(request: &mut SimulateRoutingRequest, resource: &Resource) -> anyhow::Result<()> {
    match resource.kind.name() {
        "RoutingPolicy" => request.policy = Some(message::<RoutingPolicy>(&resource.message)?),
        "Ladder" => request.ladders.push(message::<Ladder>(&resource.message)?),
        "Calendar" => request.calendars.push(message::<Calendar>(&resource.message)?),
        other => anyhow::bail!("{}: a {other} cannot be rehearsed", resource.origin),
    }
    Ok(())
}

fn message<M: Message + Default>(dynamic: &DynamicMessage) -> anyhow::Result<M> {
    Ok(dynamic.transcode_to::<M>()?)
}

fn as_json(summary: &Summary, differences: &[Difference]) -> Value {
    const RESPONSE: &str = "reflex.leads.v1.SimulateRoutingResponse";
    let differences: Vec<Value> = differences
        .iter()
        .map(|difference| to_json(&format!("{RESPONSE}.Difference"), difference))
        .collect();
    json!({
        "summary": to_json(&format!("{RESPONSE}.Summary"), summary),
        "differences": differences,
    })
}

fn progress_bar(output: &Output) -> ProgressBar {
    if output.format == Format::Table && io::stderr().is_terminal() {
        ProgressBar::new(0)
    } else {
        ProgressBar::hidden()
    }
}
