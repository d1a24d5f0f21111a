//! Settings: the defaults of the service, then a file, then the environment; unknown ones are refused.

use std::{collections::HashMap, path::Path};

use ::config::{Config, Environment, File, FileFormat};
use serde::de::DeserializeOwned;

/// The settings cannot be used; the text names the key.
#[derive(Debug, thiserror::Error)]
#[error("settings: {0}")]
pub struct ConfigError(#[from] ::config::ConfigError);

/// Reads settings: `defaults` (TOML, part of the program), over them `file` (TOML), over that environment variables.
///
/// With the prefix `REFLEX_LEADS` the variable `REFLEX_LEADS__DATABASE__APP_URL` sets `database.app_url`. `T` and the
/// structs in it say `deny_unknown_fields`, so a mistyped key fails here instead of being ignored.
///
/// # Errors
///
/// Fails on an unreadable file, a missing or unknown key and a value of the wrong type.
pub fn load<T: DeserializeOwned>(defaults: &str, file: Option<&Path>, env_prefix: &str) -> Result<T, ConfigError> {
    read(defaults, file, env_prefix, None)
}

/// Reads settings; `variables` stands in for the process environment in tests.
fn read<T: DeserializeOwned>(
    defaults: &str,
    file: Option<&Path>,
    env_prefix: &str,
    variables: Option<HashMap<String, String>>,
) -> Result<T, ConfigError> {
    let mut builder = Config::builder().add_source(File::from_str(defaults, FileFormat::Toml));
    if let Some(path) = file {
        builder = builder.add_source(File::from(path).format(FileFormat::Toml));
    }
    let environment = Environment::with_prefix(env_prefix)
        .prefix_separator("__")
        .separator("__")
        .source(variables);
    Ok(builder.add_source(environment).build()?.try_deserialize()?)
}

#[cfg(test)]
mod tests {
    use secrecy::{ExposeSecret as _, SecretString};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        listen: String,
        database: Database,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Database {
        app_url: SecretString,
        max_connections: u32,
        durable: bool,
    }

    const DEFAULTS: &str = "listen = \"[::]:50051\"\n[database]\nmax_connections = 16\ndurable = true\n";

    fn with(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let variables = variables
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        read(DEFAULTS, None, "REFLEX_LEADS", Some(variables))
    }

    #[test]
    fn the_environment_wins_and_is_parsed() {
        let settings = with(&[
            ("REFLEX_LEADS__DATABASE__APP_URL", "postgres://app:hunter2@db/leads"),
            ("REFLEX_LEADS__DATABASE__MAX_CONNECTIONS", "3"),
            ("REFLEX_LEADS__DATABASE__DURABLE", "false"),
            ("REFLEX_LEADSX__LISTEN", "other"),
            ("REFLEX_NOTIFICATIONS__LISTEN", "other"),
        ])
        .unwrap();
        assert_eq!(
            (settings.database.max_connections, settings.database.durable),
            (3, false)
        );
        assert_eq!(settings.listen, "[::]:50051");
        assert!(settings.database.app_url.expose_secret().contains("hunter2"));
        assert!(
            !format!("{settings:?}").contains("hunter2"),
            "secrets stay out of debug texts"
        );
    }

    #[test]
    fn errors_name_the_key() {
        const URL: (&str, &str) = ("REFLEX_LEADS__DATABASE__APP_URL", "postgres://db");
        for (variables, key) in [
            (vec![], "app_url"),
            (vec![URL, ("REFLEX_LEADS__DATABASE__APP_URI", "x")], "app_uri"),
            (
                vec![URL, ("REFLEX_LEADS__DATABASE__MAX_CONNECTIONS", "many")],
                "max_connections",
            ),
            (vec![URL, ("REFLEX_LEADS__LISTENER", "x")], "listener"),
        ] {
            let error = with(&variables).unwrap_err().to_string();
            assert!(error.contains(key), "{error:?} does not name {key}");
        }
    }

    #[test]
    fn a_file_stands_between_defaults_and_environment() {
        let path = std::env::temp_dir().join(format!("reflex-config-{}.toml", std::process::id()));
        std::fs::write(
            &path,
            "[database]\napp_url = \"postgres://file\"\nmax_connections = 8\n",
        )
        .unwrap();
        let variables = HashMap::from([("P__DATABASE__MAX_CONNECTIONS".to_owned(), "9".to_owned())]);
        let settings: Result<Settings, _> = read(DEFAULTS, Some(&path), "P", Some(variables));
        std::fs::remove_file(&path).unwrap();
        let settings = settings.unwrap();
        assert_eq!(settings.database.app_url.expose_secret(), "postgres://file");
        assert_eq!(settings.database.max_connections, 9);
        let absent: Result<Settings, _> = load(DEFAULTS, Some(&path), "P");
        assert!(
            absent.unwrap_err().to_string().contains("reflex-config-"),
            "an absent file is an error"
        );
    }
}
