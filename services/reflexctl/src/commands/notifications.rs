//! `reflexctl notifications`: signatures and envelopes of providers, and the words of messages, tried without a server; the
//! ledger; and what channels can take, what is used of quotas, and what mail servers send back.

mod ledger;
mod material;
mod scheme;
mod template;
mod ways;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::output::{Output, Table};
use ledger::Ledger;
use material::Material;
use scheme::Scheme;

/// Signs, verifies, encrypts and decrypts as providers do, and shows how messages read, without a server; shows the ledger,
/// channels and quotas, hands bounces in.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Notifications {
    #[command(subcommand)]
    command: NotificationsCommand,
}

const HELP: &str = "\
What a scheme takes, by flags or as the same names in a JSON file (--json FILE; flags go first):

  standard-webhooks   secret (whsec_…, whsk_…, to verify also whpk_…), id, timestamp in seconds, body
  dingtalk-robot      secret, timestamp in milliseconds
  feishu-bot          secret, timestamp in seconds
  dingtalk-callback   token, aes_key (43 characters), receive_id, timestamp, nonce, body
  wecom-callback      as dingtalk-callback; receive_id is the corporation's id
  feishu-event        secret (the Encrypt Key), timestamp, nonce, body

Of callbacks, sign and verify take the encrypted text as body, or the JSON or XML it came in; encrypt takes the plain one.
Where token or aes_key is left out, secret stands for it. A timestamp that is left out is now.

Examples:
  reflexctl notifications sign --scheme feishu-bot --secret demo --timestamp 1599360473 -o json
  reflexctl notifications verify --scheme standard-webhooks --json message.json
  reflexctl notifications decrypt --scheme feishu-event --secret 'test key' \\
      --body P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=";

#[derive(Debug, Subcommand)]
enum NotificationsCommand {
    /// Signs a message as the provider wants it, or would itself.
    #[command(after_help = "\
JSON: {\"scheme\", \"timestamp\", \"signature\"} and where it goes: \"headers\", \"query\" or \"body\"

Example:
  reflexctl notifications sign --scheme dingtalk-robot --secret SEC0123456789abcdef -o json")]
    Sign(Asked),
    /// Tells whether a signature is right, and exits with 1 where it is not.
    #[command(after_help = "\
JSON: {\"scheme\", \"valid\", \"reason\"}. With --tolerance the timestamp must also be within so many seconds of now.

Example:
  reflexctl notifications verify --scheme standard-webhooks --json message.json --tolerance 300")]
    Verify(Verify),
    /// Encrypts a text as the provider would.
    #[command(after_help = "\
JSON: {\"scheme\", \"encrypted\"}; with a token or, of feishu-event, a nonce also \"timestamp\", \"nonce\" and \"signature\"

Example:
  reflexctl notifications encrypt --scheme feishu-event --secret 'test key' --body 'hello world'")]
    Encrypt(Asked),
    /// Decrypts what a provider has sent.
    #[command(after_help = "\
JSON: {\"scheme\", \"text\"}; of callbacks also \"receive_id\"

Example:
  reflexctl notifications decrypt --scheme wecom-callback --aes-key KEY --receive-id wx5823bf96d3bd56c7 --body-file sent.xml")]
    Decrypt(Asked),
    Template(template::Template),
    /// Lists who was told what, when, by which channel and why.
    #[command(after_help = "\
Example:
  reflexctl notifications ledger --recipient zhang.wei --from 2026-03-01T00:00 --to 2026-04-01T00:00 --csv > told.csv")]
    Ledger(Box<Ledger>),
    #[command(flatten)]
    Ways(ways::Ways),
}

#[derive(Debug, Args)]
struct Asked {
    /// How it is signed.
    #[arg(long, value_enum)]
    scheme: Scheme,
    #[command(flatten)]
    material: Material,
}

#[derive(Debug, Args)]
struct Verify {
    #[command(flatten)]
    asked: Asked,
    /// The signature; of standard-webhooks one or several, as the header has them.
    #[arg(long)]
    signature: Option<String>,
    /// Seconds the timestamp may be from now; without it any time will do.
    #[arg(long, value_name = "SECONDS")]
    tolerance: Option<u64>,
}

impl Notifications {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        match self.command {
            NotificationsCommand::Ledger(ledger) => ledger.run(output).await,
            NotificationsCommand::Sign(asked) => {
                show(output, asked.scheme, asked.scheme.sign(&asked.material.read()?)?)
            }
            NotificationsCommand::Encrypt(asked) => {
                show(output, asked.scheme, asked.scheme.encrypt(&asked.material.read()?)?)
            }
            NotificationsCommand::Decrypt(asked) => {
                show(output, asked.scheme, asked.scheme.decrypt(&asked.material.read()?)?)
            }
            NotificationsCommand::Verify(verify) => verify.run(output),
            NotificationsCommand::Template(template) => template.run(output).await,
            NotificationsCommand::Ways(ways) => ways.run(output).await,
        }
    }
}

impl Verify {
    fn run(self, output: &Output) -> anyhow::Result<()> {
        let scheme = self.asked.scheme;
        let mut said = self.asked.material.read()?;
        said.signature = self.signature.or(said.signature);
        said.signature.as_ref().context("--signature is missing")?;
        let reason = scheme.verify(&said, self.tolerance)?;
        let mut answer = Map::new();
        answer.insert("valid".into(), reason.is_none().into());
        answer.insert("reason".into(), reason.clone().into());
        show(output, scheme, answer)?;
        match reason {
            None => Ok(()),
            Some(reason) => bail!("{reason}"),
        }
    }
}

fn show(output: &Output, scheme: Scheme, answer: Map<String, Value>) -> anyhow::Result<()> {
    let mut object = Map::new();
    object.insert("scheme".into(), scheme.name().into());
    object.extend(answer);
    let object = Value::Object(object);
    Ok(output.object(&object, || table(&object))?)
}

fn table(object: &Value) -> String {
    let mut table = Table::new(["NAME", "VALUE"]);
    for (name, value) in object.as_object().into_iter().flatten() {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Object(fields) => {
                let pairs = fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()));
                pairs.collect::<Vec<_>>().join("; ")
            }
            other => other.to_string(),
        };
        table.row([name.clone(), text]);
    }
    table.render(0)
}
