//! Checking, storing and activating policies.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use reflex_proto::leads::v1::{
    ActivateRoutingPolicyRequest, CheckRoutingPolicyRequest, CheckRoutingPolicyResponse, ImportRoutingTableRequest,
    PutRoutingPolicyRequest, RoutingPolicy,
};
use reflex_tenancy::TenantId;
use tonic::{Code, Status};

use super::{Way, client, findings, table};
use crate::bundle::{self, Kind, Variables};
use crate::cli::Language;
use crate::commands::{answer, request_id};
use crate::connection::Connection;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The file.
    #[arg(required_unless_present = "version", conflicts_with = "version")]
    file: Option<PathBuf>,
    /// A stored version in place of a file.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    version: Option<i32>,
}

#[derive(Debug, Args)]
pub(super) struct Put {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    how: How,
}

/// How a policy is stored.
#[derive(Debug, Args)]
pub(super) struct How {
    /// Makes it the active one at once; otherwise it is a draft.
    #[arg(long)]
    pub(super) activate: bool,
    /// Why, at most 1000 characters.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(super) note: String,
}

#[derive(Debug, Args)]
pub(super) struct Activate {
    /// The version.
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    version: i32,
    /// Why, at most 1000 characters.
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
}

impl Check {
    pub(super) async fn run(&self, way: &Way<'_>) -> anyhow::Result<()> {
        let checked = match &self.file {
            Some(file) if table::is_table(file) => {
                let request = ImportRoutingTableRequest {
                    csv: table::read(file)?,
                    ..ImportRoutingTableRequest::default()
                };
                check_table(&way.connection.connect()?, request).await?
            }
            Some(file) => {
                let (connection, policy) = read_policy(way, file)?;
                let request = CheckRoutingPolicyRequest {
                    policy: Some(policy),
                    version: 0,
                };
                check(&connection, request).await?
            }
            None => {
                let request = CheckRoutingPolicyRequest {
                    policy: None,
                    version: self.version.unwrap_or_default(),
                };
                check(&way.connection.connect()?, request).await?
            }
        };
        show_checked(way, &checked)?;
        anyhow::ensure!(checked.activatable, "{}", cannot_be_active(&checked, way.lang));
        Ok(())
    }
}

impl Put {
    pub(super) async fn run(&self, way: &Way<'_>) -> anyhow::Result<()> {
        let (connection, policy) = read_policy(way, &self.file)?;
        let client = client(&connection)?;
        let request = PutRoutingPolicyRequest {
            policy: Some(policy.clone()),
            request_id: request_id(),
            draft: !self.how.activate,
            note: self.how.note.clone(),
        };
        let outcome = answer(async || client.clone().put_routing_policy(request.clone()).await).await;
        let response = match outcome {
            Ok(response) => response,
            Err(refused) => {
                let request = CheckRoutingPolicyRequest {
                    policy: Some(policy),
                    version: 0,
                };
                return explain(way, refused, check(&connection, request)).await;
            }
        };
        let full_name = "reflex.leads.v1.PutRoutingPolicyResponse";
        way.output.response(full_name, &response, |response| {
            let version = response.policy.as_ref().map_or(0, |policy| policy.version);
            stored(version, self.how.activate, way.lang)
                + &findings::render(&response.findings, response.finding_count, way.lang)
        })?;
        Ok(())
    }
}

impl Activate {
    pub(super) async fn run(&self, way: &Way<'_>) -> anyhow::Result<()> {
        let connection = way.connection.connect()?;
        let client = client(&connection)?;
        let request = ActivateRoutingPolicyRequest {
            version: self.version,
            note: self.note.clone(),
            request_id: request_id(),
        };
        let outcome = answer(async || client.clone().activate_routing_policy(request.clone()).await).await;
        let response = match outcome {
            Ok(response) => response,
            Err(refused) => {
                let request = CheckRoutingPolicyRequest {
                    policy: None,
                    version: self.version,
                };
                return explain(way, refused, check(&connection, request)).await;
            }
        };
        let full_name = "reflex.leads.v1.ActivateRoutingPolicyResponse";
        way.output.response(full_name, &response, |response| {
            let (version, before) = (self.version, response.previous_version);
            let done = match (before, way.lang) {
                (0, Language::Zh) => format!("版本 {version} 已启用\n"),
                (0, Language::En) => format!("version {version} is active\n"),
                (before, Language::Zh) if before == version => format!("版本 {version} 本来就在使用中\n"),
                (before, Language::En) if before == version => format!("version {version} was active already\n"),
                (before, Language::Zh) => format!("版本 {version} 已启用，此前为版本 {before}\n"),
                (before, Language::En) => format!("version {version} is active, version {before} was before\n"),
            };
            done + &findings::render(&response.findings, response.finding_count, way.lang)
        })?;
        Ok(())
    }
}

/// Says which version was stored.
pub(super) fn stored(version: i32, active: bool, lang: Language) -> String {
    match (active, lang) {
        (true, Language::Zh) => format!("版本 {version} 已启用\n"),
        (true, Language::En) => format!("version {version} is active\n"),
        (false, Language::Zh) => format!("已存为版本 {version}\n"),
        (false, Language::En) => format!("stored as version {version}\n"),
    }
}

/// Asks what speaks against a policy.
async fn check(
    connection: &Connection,
    request: CheckRoutingPolicyRequest,
) -> anyhow::Result<CheckRoutingPolicyResponse> {
    let client = client(connection)?;
    Ok(answer(async || client.clone().check_routing_policy(request.clone()).await).await?)
}

/// Asks what speaks against a decision table.
pub(super) async fn check_table(
    connection: &Connection,
    request: ImportRoutingTableRequest,
) -> anyhow::Result<CheckRoutingPolicyResponse> {
    let client = client(connection)?;
    let request = ImportRoutingTableRequest {
        validate_only: true,
        ..request
    };
    let response = answer(async || client.clone().import_routing_table(request.clone()).await).await?;
    Ok(CheckRoutingPolicyResponse {
        activatable: findings::refusals(&response.findings) == 0,
        findings: response.findings,
        finding_count: response.finding_count,
    })
}

/// Shows why a policy was refused in the language asked for, where it is for what a check finds; else says the refusal.
pub(super) async fn explain(
    way: &Way<'_>,
    refused: Status,
    checking: impl Future<Output = anyhow::Result<CheckRoutingPolicyResponse>>,
) -> anyhow::Result<()> {
    if !matches!(refused.code(), Code::FailedPrecondition | Code::InvalidArgument) {
        return Err(refused.into());
    }
    match checking.await {
        Ok(checked) if !checked.activatable => {
            show_checked(way, &checked)?;
            anyhow::bail!("{}", cannot_be_active(&checked, way.lang))
        }
        _ => Err(refused.into()),
    }
}

fn show_checked(way: &Way<'_>, checked: &CheckRoutingPolicyResponse) -> anyhow::Result<()> {
    let full_name = "reflex.leads.v1.CheckRoutingPolicyResponse";
    way.output.response(full_name, checked, |checked| {
        if checked.findings.is_empty() {
            return way
                .lang
                .pick("没有发现问题\n", "nothing speaks against it\n")
                .to_owned();
        }
        findings::render(&checked.findings, checked.finding_count, way.lang)
    })?;
    Ok(())
}

fn cannot_be_active(checked: &CheckRoutingPolicyResponse, lang: Language) -> String {
    let count = findings::refusals(&checked.findings);
    match (count, lang) {
        (_, Language::Zh) => format!("有 {count} 处问题，不能启用"),
        (1, Language::En) => "it cannot become active for 1 reason".to_owned(),
        (_, Language::En) => format!("it cannot become active for {count} reasons"),
    }
}

/// Reads the policy of a bundle, and prepares the way to the tenant the bundle names.
fn read_policy(way: &Way<'_>, file: &Path) -> anyhow::Result<(Connection, RoutingPolicy)> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let name = file.display().to_string();
    let (tenant, resources) = bundle::read(&name, &text, &Variables::new())?;
    let mut policies = resources.iter().filter(|resource| resource.kind == Kind::RoutingPolicy);
    let policy = policies
        .next()
        .with_context(|| format!("{name}: no document of kind RoutingPolicy"))?;
    anyhow::ensure!(policies.next().is_none(), "{name}: more than one RoutingPolicy");
    let policy: RoutingPolicy = policy.message.transcode_to().context("it is no routing policy")?;
    let connection = way.connection.connect()?;
    Ok((for_tenant(way, connection, tenant.as_ref())?, policy))
}

/// Acts for the tenant that a file names, as long as nobody asked for another.
fn for_tenant(way: &Way<'_>, connection: Connection, tenant: Option<&TenantId>) -> anyhow::Result<Connection> {
    match (tenant, &way.connection.tenant) {
        (Some(named), Some(given)) if named != given => {
            anyhow::bail!("the file is for tenant {named}, and --tenant says {given}")
        }
        (Some(named), _) => Ok(connection.of_tenant(named)),
        (None, _) => Ok(connection),
    }
}
