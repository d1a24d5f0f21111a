//! What is signed and with what, from flags and a file.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use reflex_runtime::clock::{Clock as _, SystemClock};
use serde::Deserialize;
use serde_json::Value;

/// Flags.
#[derive(Debug, Args)]
pub(super) struct Material {
    /// The secret or key.
    #[arg(long, env = "REFLEX_SIGNING_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// When it was or is signed.
    #[arg(long, allow_hyphen_values = true)]
    timestamp: Option<String>,
    /// Id of the message.
    #[arg(long)]
    id: Option<String>,
    /// The provider's random text.
    #[arg(long)]
    nonce: Option<String>,
    /// Token of the callbacks.
    #[arg(long)]
    token: Option<String>,
    /// Key of the callbacks (`EncodingAESKey`), 43 characters.
    #[arg(long, value_name = "KEY", alias = "encoding-aes-key")]
    aes_key: Option<String>,
    /// Whom callbacks are for: corporation, application or suite.
    #[arg(long, value_name = "ID", alias = "corp-id", alias = "app-key")]
    receive_id: Option<String>,
    /// Sixteen random bytes in hexadecimal that encrypting begins with; new ones if left out.
    #[arg(long, value_name = "HEX")]
    random: Option<String>,
    /// The body.
    #[arg(long, allow_hyphen_values = true)]
    body: Option<String>,
    /// File with the body, byte for byte; - reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,
    /// Everything in a JSON file; - reads standard input.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What was said, by either way.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    pub(super) secret: Option<String>,
    #[serde(default, deserialize_with = "text_or_number")]
    timestamp: Option<String>,
    #[serde(alias = "webhook-id", alias = "msg_id")]
    id: Option<String>,
    nonce: Option<String>,
    token: Option<String>,
    #[serde(alias = "encoding_aes_key", alias = "encodingAESKey", alias = "EncodingAESKey")]
    aes_key: Option<String>,
    #[serde(
        alias = "corp_id",
        alias = "corpid",
        alias = "app_key",
        alias = "suite_key",
        alias = "receiveid"
    )]
    pub(super) receive_id: Option<String>,
    #[serde(alias = "encrypt_key")]
    encrypt_key: Option<String>,
    random: Option<String>,
    /// A text, or any other JSON, which is written without spaces.
    #[serde(
        default,
        alias = "payload",
        alias = "encrypt",
        alias = "encrypted",
        deserialize_with = "text_or_json"
    )]
    body: Option<String>,
    #[serde(alias = "sign", alias = "msg_signature", alias = "webhook-signature")]
    pub(super) signature: Option<String>,
    /// Only for those who keep the scheme in their file; the flag decides.
    #[serde(default, rename = "scheme")]
    _scheme: Option<String>,
    #[serde(skip)]
    bytes: Option<Vec<u8>>,
}

impl Material {
    pub(super) fn read(self) -> anyhow::Result<Said> {
        let mut said = match &self.json {
            None => Said::default(),
            Some(file) => {
                let text = read(file)?;
                serde_json::from_slice(&text).with_context(|| format!("{} is not what is asked for", file.display()))?
            }
        };
        if let Some(file) = &self.body_file {
            said.bytes = Some(read(file)?);
        }
        if self.body.is_some() {
            said.body = self.body;
        }
        for (flag, field) in [
            (self.secret, &mut said.secret),
            (self.timestamp, &mut said.timestamp),
            (self.id, &mut said.id),
            (self.nonce, &mut said.nonce),
            (self.token, &mut said.token),
            (self.aes_key, &mut said.aes_key),
            (self.receive_id, &mut said.receive_id),
            (self.random, &mut said.random),
        ] {
            if flag.is_some() {
                *field = flag;
            }
        }
        Ok(said)
    }
}

impl Said {
    pub(super) fn secret(&self) -> anyhow::Result<&str> {
        needed(&[&self.secret, &self.encrypt_key], "secret")
    }

    pub(super) fn id(&self) -> anyhow::Result<&str> {
        needed(&[&self.id], "id")
    }

    pub(super) fn token(&self) -> anyhow::Result<&str> {
        needed(&[&self.token, &self.secret], "token")
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    pub(super) fn has_nonce(&self) -> bool {
        self.nonce.is_some()
    }

    pub(super) fn aes_key(&self) -> anyhow::Result<&str> {
        needed(&[&self.aes_key, &self.encrypt_key, &self.secret], "aes_key")
    }

    pub(super) fn nonce(&self) -> anyhow::Result<&str> {
        needed(&[&self.nonce], "nonce")
    }

    pub(super) fn body(&self) -> anyhow::Result<&[u8]> {
        let said = self.bytes.as_deref().or(self.body.as_deref().map(str::as_bytes));
        said.context("--body or --body-file is missing")
    }

    pub(super) fn body_text(&self) -> anyhow::Result<&str> {
        std::str::from_utf8(self.body()?).context("the body is no text")
    }

    /// Returns the timestamp as it was written; now, where there is none.
    pub(super) fn timestamp(&self, in_milliseconds: bool) -> String {
        let now = || {
            let now = SystemClock::default().now();
            if in_milliseconds {
                now.as_millisecond()
            } else {
                now.as_second()
            }
        };
        self.timestamp.clone().unwrap_or_else(|| now().to_string())
    }

    pub(super) fn number(&self, in_milliseconds: bool) -> anyhow::Result<i64> {
        let text = self.timestamp(in_milliseconds);
        text.parse()
            .with_context(|| format!("the timestamp {text:?} is no whole number"))
    }

    pub(super) fn random(&self) -> anyhow::Result<[u8; 16]> {
        let Some(text) = &self.random else {
            return Ok(rand::random());
        };
        ensure!(
            text.is_ascii() && text.len() == 32,
            "random must be 32 hexadecimal digits"
        );
        let mut random = [0; 16];
        for (byte, digits) in random.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).expect("checked to be ASCII");
            *byte = u8::from_str_radix(digits, 16).context("random must be 32 hexadecimal digits")?;
        }
        Ok(random)
    }
}

fn needed<'a>(places: &[&'a Option<String>], name: &str) -> anyhow::Result<&'a str> {
    match places.iter().find_map(|place| place.as_deref()) {
        Some(text) => Ok(text),
        None => bail!("--{} is missing", name.replace('_', "-")),
    }
}

fn read(file: &PathBuf) -> anyhow::Result<Vec<u8>> {
    if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .context("standard input cannot be read")?;
        return Ok(bytes);
    }
    fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Value>::deserialize(deserializer)? {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => return Err(serde::de::Error::custom("must be a text or a number")),
    })
}

fn text_or_json<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Value>::deserialize(deserializer)? {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    })
}
