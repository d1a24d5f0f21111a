//! Brings a database's schema up to date, and tells whether it is.

use sqlx::{Connection, Executor, PgConnection, PgPool, migrate::Migrator};

use crate::DbError;

/// Schema shared by every service's database: tenant binding, request ids, shard leases.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// A schema could not be brought up to date or is not.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database failed.
    #[error("the database failed while migrating")]
    Database(#[from] DbError),
    /// A migration failed or was changed after it ran.
    #[error("a migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The schema lacks migrations that this program needs.
    #[error("the schema is stale, {missing} migrations are missing: run `migrate` first")]
    Stale {
        /// How many.
        missing: usize,
    },
}

/// Creates the roles if needed, then runs all migrations of all parts in the order of their versions.
///
/// Safe to run from many processes at once: migrations hold an advisory lock.
///
/// # Errors
/// When the database is away or a migration fails.
pub async fn migrate(owner_url: &str, parts: &[&Migrator]) -> Result<(), MigrateError> {
    let mut owner = PgConnection::connect(owner_url).await.map_err(DbError::from)?;
    owner.execute(CREATE_ROLES).await.map_err(DbError::from)?;
    together(parts).run_direct(None, &mut owner, false).await?;
    owner
        .execute("grant select on _sqlx_migrations to reflex_app, reflex_worker")
        .await
        .map_err(DbError::from)?;
    owner.close().await.map_err(DbError::from)?;
    Ok(())
}

/// Checks that every migration of all parts has run.
///
/// # Errors
/// [`MigrateError::Stale`] when some have not.
pub async fn check_current(pool: &PgPool, parts: &[&Migrator]) -> Result<(), MigrateError> {
    let applied: Vec<i64> = sqlx::query_scalar("select version from _sqlx_migrations where success")
        .fetch_all(pool)
        .await
        .map_err(DbError::from)?;
    let missing = together(parts)
        .iter()
        .filter(|migration| !applied.contains(&migration.version))
        .count();
    if missing > 0 {
        return Err(MigrateError::Stale { missing });
    }
    Ok(())
}

fn together(parts: &[&Migrator]) -> Migrator {
    let mut migrations: Vec<_> = parts.iter().flat_map(|part| part.iter().cloned()).collect();
    migrations.sort();
    Migrator::with_migrations(migrations)
}

/// Roles are shared by the databases of a server, so two migrations may create them at the same moment.
const CREATE_ROLES: &str = "do $$
declare
    wanted text;
begin
    foreach wanted in array array['reflex_app', 'reflex_worker'] loop
        begin
            execute format('create role %I login', wanted);
        exception when duplicate_object or unique_violation then null;
        end;
    end loop;
end $$";
