//! Where the services keep their data.

use anyhow::Context;
use reflex_host::{RedisConfig, Schema};
use reflex_pg::{DatabaseConfig, migrate};
use reflex_runtime::servers::PrivateServers;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::secrets::Secrets;

/// Connections each service may open.
const MAX_CONNECTIONS: u32 = 16;

/// The databases of the services, and their Redis.
#[derive(Clone)]
pub struct Places {
    /// Database of leads.
    pub leads: DatabaseConfig,
    /// Database of notifications.
    pub notifications: DatabaseConfig,
    /// Redis of all.
    pub redis: RedisConfig,
}

impl Places {
    /// Makes the databases on private servers, as far as they are not there, and brings their schemas up to date.
    ///
    /// # Errors
    /// When a server fails or a migration does.
    pub async fn make(servers: &PrivateServers, secrets: &Secrets) -> anyhow::Result<Self> {
        let places = Self {
            leads: database(servers, secrets, "reflex_leads"),
            notifications: database(servers, secrets, "reflex_notifications"),
            redis: RedisConfig {
                url: servers.redis_url().into(),
                prefix: "reflex:".into(),
            },
        };
        let mut server = PgConnection::connect(&servers.postgres_url("postgres")).await?;
        for (name, database, schema) in [
            ("reflex_leads", &places.leads, reflex_leads::SCHEMA),
            (
                "reflex_notifications",
                &places.notifications,
                reflex_notifications::SCHEMA,
            ),
        ] {
            prepare(&mut server, name, database, schema)
                .await
                .with_context(|| format!("preparing {name}"))?;
        }
        for (role, password) in [
            ("reflex_app", &secrets.app_password),
            ("reflex_worker", &secrets.worker_password),
        ] {
            // Letters and digits only, made by us.
            server
                .execute(AssertSqlSafe(format!("alter role {role} login password '{password}'")))
                .await?;
        }
        server.close().await?;
        Ok(places)
    }
}

async fn prepare(
    server: &mut PgConnection,
    name: &str,
    database: &DatabaseConfig,
    schema: Schema,
) -> anyhow::Result<()> {
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut *server)
        .await?;
    if !exists {
        server.execute(AssertSqlSafe(format!("create database {name}"))).await?;
    }
    migrate::migrate(database.owner_url.expose_secret(), schema.parts).await?;
    Ok(())
}

fn database(servers: &PrivateServers, secrets: &Secrets, name: &str) -> DatabaseConfig {
    let owner = servers.postgres_url(name);
    let as_role = |role: &str, password: &str| -> SecretString {
        let at = owner.rfind('@').map_or("", |at| &owner[at..]);
        format!("postgres://{role}:{password}{at}").into()
    };
    DatabaseConfig {
        app_url: as_role("reflex_app", &secrets.app_password),
        worker_url: as_role("reflex_worker", &secrets.worker_password),
        owner_url: owner.clone().into(),
        max_connections: MAX_CONNECTIONS,
    }
}
