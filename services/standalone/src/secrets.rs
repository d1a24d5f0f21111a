//! What only this installation knows: made at the first start, kept in the data directory, readable by its owner only.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;
use rand::{Rng, distr::Alphanumeric};
use reflex_rpc::auth::generate_keys;
use serde::{Deserialize, Serialize};

/// Issuer of this installation's tokens.
pub const ISSUER: &str = "reflex-standalone";

/// Keys and passwords of an installation.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// Private key that signs tokens, PEM.
    pub private_pem: String,
    /// Its id.
    pub kid: String,
    /// The public keys, JWKS.
    pub jwks_json: String,
    /// Signs page tokens.
    pub page_token_key: String,
    /// Encrypts the secrets of channels and webhook sources.
    pub sealing_key: String,
    /// Password of the database's role `reflex_app`.
    pub app_password: String,
    /// Password of the database's role `reflex_worker`.
    pub worker_password: String,
}

impl Secrets {
    /// Makes new ones.
    #[must_use]
    pub fn generate() -> Self {
        let keys = generate_keys();
        Self {
            private_pem: keys.private_pem,
            kid: keys.kid,
            jwks_json: keys.jwks_json,
            page_token_key: random_text(),
            sealing_key: random_text(),
            app_password: random_text(),
            worker_password: random_text(),
        }
    }

    /// Reads those kept in a directory, or makes and keeps new ones.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn keep_in(directory: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        let path = directory.join("secrets.json");
        if path.exists() {
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            return serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()));
        }
        let secrets = Self::generate();
        // Written beside and moved over, so that a death in between leaves no half of it.
        let draft = directory.join("secrets.json.draft");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .with_context(|| format!("creating {}", draft.display()))?;
        file.write_all(serde_json::to_string_pretty(&secrets)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path).with_context(|| format!("writing {}", path.display()))?;
        Ok(secrets)
    }
}

fn random_text() -> String {
    rand::rng()
        .sample_iter(&Alphanumeric)
        .take(43)
        .map(char::from)
        .collect()
}
