//! `reflexctl token` and `reflexctl keys`: identities, made offline.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::SignedDuration;
use reflex_rpc::auth::{Claims, Minter, Tenants, generate_keys};
use reflex_rpc::identity::Role;
use reflex_runtime::clock::{Clock as _, SystemClock};
use reflex_tenancy::TenantId;
use serde_json::{Value, json};

use super::named;
use crate::output::Output;

const PRIVATE_KEY: &str = "private.pem";
const KEY_SET: &str = "jwks.json";

/// Mints a token offline with a private key; prints nothing but the token.
#[derive(Debug, Args)]
#[command(after_help = "\
JSON: {\"token\": the token, \"expire_time\": RFC 3339}

Examples:
  reflexctl token --key keys/private.pem --tenant huakang-east --role manager
  export REFLEX_TOKEN=$(reflexctl token --key keys/private.pem --tenant huakang-east --role sales --member li.na --ttl 8h)")]
pub(crate) struct Token {
    /// Private key in PEM form; jwks.json beside it tells its id.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Id of the key, if there is no jwks.json beside it.
    #[arg(long)]
    kid: Option<String>,
    /// Tenants the holder may act for; * for every one (services only).
    #[arg(long = "tenant", required = true, num_args = 1.., value_name = "TENANT")]
    tenants: Vec<String>,
    /// What the holder is to them.
    #[arg(long = "role", required = true, num_args = 1.., value_name = "ROLE",
        value_parser = PossibleValuesParser::new(Role::ALL.map(Role::as_str)))]
    roles: Vec<String>,
    /// The member of the directory the holder is, for example li.na.
    #[arg(long)]
    member: Option<String>,
    /// Whom the token is issued to; the member, or else reflexctl, if left out.
    #[arg(long)]
    subject: Option<String>,
    /// How long it is good, for example 30m, 8h or 90d.
    #[arg(long, default_value = "1h", value_parser = parse_ttl)]
    ttl: SignedDuration,
    /// Issuer that the services expect.
    #[arg(long, default_value = "reflex")]
    issuer: String,
}

/// Makes keys for tokens.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Writes private.pem (for whoever mints tokens) and jwks.json (for the services that check them).
    #[command(after_help = "\
JSON: {\"kid\": id of the key, \"private_key\": path, \"jwks\": path}

Example:
  reflexctl keys generate --out keys/")]
    Generate {
        /// Folder to write to; made if it is not there. Keys in it are never overwritten.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

impl Token {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let pem = fs::read_to_string(&self.key).with_context(|| format!("{} cannot be read", self.key.display()))?;
        let kid = match &self.kid {
            Some(kid) => kid.clone(),
            None => kid_beside(&self.key)?,
        };
        let clock = Arc::new(SystemClock::new());
        let expire_time = clock.now().checked_add(self.ttl).context("--ttl is too long")?;
        let minter = Minter::new(&pem, &kid, &self.issuer, clock).context(self.key.display().to_string())?;
        let ttl = self.ttl.unsigned_abs();
        let token = minter.mint(&self.claims()?, ttl);
        output.object(
            &json!({ "token": &token, "expire_time": expire_time.to_string() }),
            || token.clone(),
        )?;
        Ok(())
    }

    fn claims(&self) -> anyhow::Result<Claims> {
        let tenants = if self.tenants.iter().any(|tenant| tenant == "*") {
            anyhow::ensure!(
                self.roles.iter().all(|role| role == Role::Service.as_str()),
                "only the role service may act for every tenant"
            );
            Tenants::Every
        } else {
            let ids = self.tenants.iter().map(|tenant| {
                let id: Result<TenantId, _> = tenant.parse();
                id.with_context(|| format!("tenant {tenant:?}"))
            });
            Tenants::Of(ids.collect::<anyhow::Result<_>>()?)
        };
        let member = self.member.as_deref().map(|member| named("members", member));
        let subject = self.subject.clone().or_else(|| member.clone());
        Ok(Claims {
            subject: subject.unwrap_or_else(|| "reflexctl".to_owned()),
            tenants,
            roles: self.roles.iter().filter_map(|role| Role::find(role)).collect(),
            member,
        })
    }
}

/// Reads the id of the only key in the key set beside a private key.
fn kid_beside(key: &Path) -> anyhow::Result<String> {
    let file = key.with_file_name(KEY_SET);
    let text = fs::read_to_string(&file)
        .with_context(|| format!("{} cannot be read; give the key's id with --kid", file.display()))?;
    let set: Value = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
    match set["keys"].as_array().map(Vec::as_slice) {
        Some([key]) => key["kid"].as_str().map(str::to_owned),
        _ => None,
    }
    .with_context(|| format!("{} does not have exactly one key; say which with --kid", file.display()))
}

impl Keys {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let KeysCommand::Generate { out } = &self.command;
        fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
        let (private_key, jwks) = (out.join(PRIVATE_KEY), out.join(KEY_SET));
        anyhow::ensure!(!jwks.exists(), "{} is there already", jwks.display());
        let keys = generate_keys();
        write_new(&private_key, &keys.private_pem, 0o600)?;
        write_new(&jwks, &keys.jwks_json, 0o644)?;
        let object = json!({
            "kid": keys.kid,
            "private_key": private_key.display().to_string(),
            "jwks": jwks.display().to_string(),
        });
        output.object(&object, || {
            format!("{} and {} (key {})", private_key.display(), jwks.display(), keys.kid)
        })?;
        Ok(())
    }
}

fn write_new(file: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(mode).open(file);
    let written = opened.and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.with_context(|| format!("{} cannot be written", file.display()))
}

fn parse_ttl(text: &str) -> Result<SignedDuration, String> {
    // Durations know no days, as days differ in length; for a token 24 hours are meant.
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    let ttl = match days {
        Some(days) => days.checked_mul(24 * 3600).map(SignedDuration::from_secs),
        None => text.parse().ok(),
    };
    ttl.filter(SignedDuration::is_positive)
        .ok_or_else(|| "must be a time such as 30m, 8h or 90d".to_owned())
}
