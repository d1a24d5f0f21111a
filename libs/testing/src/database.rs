//! A database of its own for each test.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    thread,
};

use anyhow::{Context as _, Result};
use reflex_pg::migrate::migrate;
use reflex_runtime::ids::{IdSource as _, SystemIds};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, migrate::Migrator};

use crate::Backends;

/// Roles the migrations create; where the servers ask for a password, it is the name of the role.
const ROLES: [&str; 2] = ["reflex_app", "reflex_worker"];

/// An empty database with the current schema, dropped with this value.
///
/// It is copied from a template that is migrated once, for all tests whose migrations are the same.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    backends: &'static Backends,
}

impl TestDatabase {
    /// Creates a database with the schema of these parts.
    ///
    /// # Panics
    /// When there is no server or a migration fails.
    pub async fn create(parts: &[&Migrator]) -> Self {
        crate::show_logs();
        let backends = Backends::shared().await;
        match copy_template(backends, parts).await {
            Ok(name) => Self { name, backends },
            Err(error) => panic!("no database to test with: {error:#}"),
        }
    }

    /// Returns the address for the owner, who migrates and sees everything.
    #[must_use]
    pub fn owner_url(&self) -> String {
        self.backends.postgres_url(&self.name)
    }

    /// Returns the address for the role that serves requests under row security.
    #[must_use]
    pub fn app_url(&self) -> String {
        self.backends.postgres_url_of(ROLES[0], &self.name)
    }

    /// Returns the address for the role that finds work across tenants.
    #[must_use]
    pub fn worker_url(&self) -> String {
        self.backends.postgres_url_of(ROLES[1], &self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = self.backends.postgres_url("postgres");
        let drop_it = format!("drop database if exists {} with (force)", self.name);
        // A thread, because the test's runtime cannot wait here. A database that stays is no test's failure: it goes
        // with the servers, or with the next sweep.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut server = PgConnection::connect(&server).await?;
                run(&mut server, drop_it).await
            })
        });
        let _ = dropping.join();
    }
}

async fn copy_template(backends: &Backends, parts: &[&Migrator]) -> Result<String> {
    let mut server = PgConnection::connect(&backends.postgres_url("postgres")).await?;
    let template = format!("reflex_template_{:016x}", fingerprint(parts));
    if !is_ready(&mut server, &template).await? {
        make_template(backends, &mut server, &template, parts).await?;
    }
    let name = format!("reflex_test_{}", SystemIds.next().simple());
    run(&mut server, format!("create database {name} template {template}")).await?;
    server.close().await?;
    Ok(name)
}

/// Makes the template, unless another process does it while this one waits.
async fn make_template(
    backends: &Backends,
    server: &mut PgConnection,
    template: &str,
    parts: &[&Migrator],
) -> Result<()> {
    // One lock for all templates, because their migrations create the same roles. It goes with the connection.
    run(server, "select pg_advisory_lock(hashtext('reflex_template'))").await?;
    if is_ready(server, template).await? {
        return Ok(());
    }
    sweep(server).await?;
    run(server, format!("drop database if exists {template} with (force)")).await?;
    run(server, format!("create database {template}")).await?;
    migrate(&backends.postgres_url(template), parts)
        .await
        .context("migrate the template")?;
    for role in ROLES {
        run(server, format!("alter role {role} password '{role}'")).await?;
    }
    // Marks it as ready, and keeps everybody out, because a database in use cannot be copied.
    run(server, format!("alter database {template} allow_connections false")).await?;
    run(server, "select pg_advisory_unlock(hashtext('reflex_template'))").await
}

async fn is_ready(server: &mut PgConnection, template: &str) -> Result<bool> {
    let ready = "select exists (select from pg_database where datname = $1 and not datallowconn)";
    Ok(sqlx::query_scalar(ready).bind(template).fetch_one(server).await?)
}

/// Drops what killed test processes left on a server that outlives them.
async fn sweep(server: &mut PgConnection) -> Result<()> {
    let old = "select datname from pg_database where datname ~ '^reflex_(test|template)_' \
               and (pg_stat_file('base/' || oid || '/PG_VERSION', true)).modification < now() - interval '1 day'";
    let names: Vec<String> = sqlx::query_scalar(old).fetch_all(&mut *server).await?;
    for name in names {
        run(server, format!("drop database if exists {name} with (force)")).await?;
    }
    Ok(())
}

/// The same for the same migrations, whichever crate lists them.
fn fingerprint(parts: &[&Migrator]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for migration in parts.iter().flat_map(|part| part.iter()) {
        (migration.version, &migration.checksum).hash(&mut hasher);
    }
    hasher.finish()
}

/// Runs a statement that takes no values: names of databases and roles cannot be bound, and all are made here.
async fn run(server: &mut PgConnection, statement: impl Into<String>) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.into())).execute(server).await?;
    Ok(())
}
