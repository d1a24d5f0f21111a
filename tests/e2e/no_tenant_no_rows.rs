//! The database itself keeps tenants apart: without a tenant there are no rows, and a schema with a hole serves nobody.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use reflex_pg::{Database, DatabaseConfig, catalogue, migrate::MIGRATIONS};
use reflex_runtime::clock::FixedClock;
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{TestDatabase, fixture_time};
use reflex_tests::suite::Suite;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::{any_rpc::Wires, furnished::Furnished};

/// SQLSTATE of a refusal, by a missing grant as well as by row security.
const REFUSED: &str = "42501";

/// What the worker role may read, by table; `*` means all columns.
const WORKER_READS: &[(&str, &[&str])] = &[
    ("_sqlx_migrations", &["*"]),
    ("channels", &["channel", "enabled", "tenant_id"]),
    (
        "company_lookups",
        &["domain", "next_attempt_time", "shard", "tenant_id"],
    ),
    (
        "deliveries",
        &[
            "create_time",
            "next_attempt_time",
            "sequence",
            "state",
            "subscription",
            "tenant_id",
        ],
    ),
    ("delivery_attempts", &["create_time", "tenant_id"]),
    ("duplicate_requests", &["*"]),
    ("duplicate_sweeps", &["*"]),
    ("field_recomputes", &["*"]),
    ("inbox", &["create_time"]),
    ("inbox_items", &["create_time"]),
    (
        "leads",
        &["from_file", "lead_id", "sequence", "shard", "state", "tenant_id"],
    ),
    (
        "messages",
        &[
            "channel",
            "class",
            "create_time",
            "message",
            "next_attempt_time",
            "state",
            "tenant_id",
        ],
    ),
    ("outbox", &["*"]),
    ("outbox_pending", &["*"]),
    ("relay_marks", &["*"]),
    ("request_ids", &["create_time"]),
    ("reroute_requests", &["*"]),
    ("shard_leases", &["*"]),
    ("shard_members", &["*"]),
    ("subscription_events", &["create_time", "tenant_id"]),
    (
        "subscriptions",
        &[
            "event_types",
            "failures",
            "filter",
            "personal_data",
            "probe_time",
            "state",
            "subscription",
            "tenant_id",
        ],
    ),
    ("timers", &["*"]),
];

/// Tables without tenants.
const OF_NOBODY: [&str; 4] = ["_sqlx_migrations", "relay_marks", "shard_leases", "shard_members"];

/// Rows for tables that are empty once everything is done.
const FILLERS: &[(&str, &str)] = &[
    (
        "shard_members",
        "insert into shard_members values ('x', gen_random_uuid(), now())",
    ),
    (
        "company_lookups",
        "insert into company_lookups (tenant_id, domain, shard, next_attempt_time) values ('huadong', 'x.cn', 0, now())",
    ),
    ("outbox_pending", "insert into outbox_pending values (1, 'huadong')"),
    (
        "lead_imports",
        "insert into lead_imports (tenant_id, import_id, row_count, digest, stored_count, existed_count, create_time, update_time)
         values ('huadong', gen_random_uuid(), 0, '', 0, 0, now(), now())",
    ),
    (
        "lead_import_updates",
        "insert into lead_import_updates (tenant_id, import_id, batch, lead_id, before, after)
         values ('huadong', gen_random_uuid(), 1, gen_random_uuid(), '{}', '{}')",
    ),
    (
        "lead_import_refunds",
        "insert into lead_import_refunds (tenant_id, import_id, team, skills, member, cost, first_decision, finish_before,
             number_before)
         values ('huadong', gen_random_uuid(), 'x', '', 'x', 1, gen_random_uuid(), 0, 0)",
    ),
    ("lead_picks", "insert into lead_picks (tenant_id, member, day, picks) values ('huadong', 'x', '2026-03-02', 1)"),
    ("field_recomputes", "insert into field_recomputes (tenant_id, shard, target) values ('huadong', 0, 'leads')"),
    (
        "duplicate_requests",
        "insert into duplicate_requests (tenant_id, lead_id, shard) values ('huadong', gen_random_uuid(), 0)",
    ),
    (
        "lead_fingerprints",
        "insert into lead_fingerprints (tenant_id, fingerprint, lead_id, person, capture_time)
         select tenant_id, 1, lead_id, 1, now() from leads where tenant_id = 'huadong' limit 1",
    ),
    ("duplicate_sweeps", "insert into duplicate_sweeps (tenant_id, shard) values ('huadong', 0)"),
    ("reroute_requests", "insert into reroute_requests (tenant_id, shard, trigger) values ('huadong', 0, 'x')"),
    (
        "request_ids",
        "insert into request_ids (tenant_id, method, request_id, payload_hash)
         values ('huadong', 'x', gen_random_uuid(), '')",
    ),
    (
        "timers",
        "insert into timers (tenant_id, kind, key, shard, due_time, payload)
         values ('huadong', 'x', 'x', 0, now(), '{}')",
    ),
    (
        "dead_letters",
        "insert into dead_letters (tenant_id, event_id, stream, shard, source, kind, subject, time, data, reason, attempts)
         values ('huadong', gen_random_uuid(), 'x', 0, 'x', 'x', 'x', now(), '', 'x', 1)",
    ),
    ("inbox", "insert into inbox (tenant_id, event_id) values ('huadong', gen_random_uuid())"),
];

struct Roles {
    app: PgConnection,
    worker: PgConnection,
    owner: PgConnection,
}

impl Roles {
    async fn of(database: &DatabaseConfig) -> Self {
        let connect = async |url: &SecretString| PgConnection::connect(url.expose_secret()).await.unwrap();
        Self {
            app: connect(&database.app_url).await,
            worker: connect(&database.worker_url).await,
            owner: connect(&database.owner_url).await,
        }
    }

    /// Returns the tables, each with whether its rows belong to tenants.
    async fn tables(&mut self) -> Vec<String> {
        sqlx::query_scalar(
            "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
             order by 1",
        )
        .fetch_all(&mut self.owner)
        .await
        .unwrap()
    }
}

/// Counts rows; nothing when that is refused.
async fn count(connection: &mut PgConnection, table: &str) -> Option<i64> {
    let counted = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(connection)
        .await;
    match counted {
        Ok(count) => Some(count),
        Err(error) => {
            assert_eq!(code(&error).as_deref(), Some(REFUSED), "{table}: {error}");
            None
        }
    }
}

/// Runs a statement and returns how many rows it touched; none when it is refused.
async fn touched(connection: &mut PgConnection, statement: String) -> u64 {
    match connection.execute(AssertSqlSafe(statement.clone())).await {
        Ok(done) => done.rows_affected(),
        Err(error) => {
            assert_eq!(code(&error).as_deref(), Some(REFUSED), "{statement}: {error}");
            0
        }
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Starts a suite, fills every table and stops all loops.
async fn filled() -> Suite {
    let clock = Arc::new(FixedClock::new(fixture_time()));
    let suite = Suite::start_with(&clock).await;
    let _furnished = Furnished::create(&suite, &Wires::to(&suite), &clock).await;
    suite.environment.tasks.shutdown(Duration::from_secs(10)).await.unwrap();
    for database in [&suite.places.leads, &suite.places.notifications] {
        let mut roles = Roles::of(database).await;
        for table in roles.tables().await {
            if count(&mut roles.owner, &table).await == Some(0) {
                let (_, filler) = FILLERS
                    .iter()
                    .find(|(name, _)| *name == table)
                    .unwrap_or_else(|| panic!("{table} is empty"));
                roles.owner.execute(*filler).await.unwrap();
            }
        }
    }
    suite
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_requests_sees_and_changes_nothing_without_a_tenant() {
    let suite = filled().await;
    for database in [&suite.places.leads, &suite.places.notifications] {
        let mut roles = Roles::of(database).await;
        for table in roles.tables().await {
            let rows = count(&mut roles.owner, &table).await.unwrap();
            assert!(rows > 0, "{table} has rows");
            if OF_NOBODY.contains(&table.as_str()) {
                let seen = count(&mut roles.app, &table).await;
                assert!(
                    table == "_sqlx_migrations" || seen.is_none(),
                    "{table} is none of its business"
                );
                assert_eq!(touched(&mut roles.app, format!("delete from {table}")).await, 0);
                continue;
            }
            // Unset, reset, and set to what binds nobody.
            for binding in [
                "reset reflex.tenants",
                "set reflex.tenants = ''",
                "set reflex.tenants = ','",
            ] {
                roles.app.execute(binding).await.unwrap();
                assert_eq!(count(&mut roles.app, &table).await, Some(0), "{table} after {binding}");
                let row: String = sqlx::query_scalar(AssertSqlSafe(format!(
                    "select to_jsonb(t)::text from {table} t limit 1"
                )))
                .fetch_one(&mut roles.owner)
                .await
                .unwrap();
                let insert = format!(
                    "insert into {table} overriding system value select * from jsonb_populate_record(null::{table}, $row${row}$row$)"
                );
                for statement in [
                    insert,
                    format!("update {table} set tenant_id = tenant_id"),
                    format!("delete from {table}"),
                ] {
                    assert_eq!(touched(&mut roles.app, statement).await, 0, "{table} after {binding}");
                }
            }
            assert_eq!(
                count(&mut roles.owner, &table).await,
                Some(rows),
                "{table} is as it was"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_forgets_its_tenant_with_the_transaction() {
    let suite = filled().await;
    let one_connection = DatabaseConfig {
        max_connections: 1,
        ..suite.places.leads.clone()
    };
    let database = Database::connect(&one_connection).unwrap();
    let tenant: TenantId = "huadong".parse().unwrap();
    let leads = "select count(*) from leads";
    for commits in [true, false] {
        let mut tx = database.begin("test", &TenantSet::one(&tenant)).await.unwrap();
        let bound: i64 = sqlx::query_scalar(leads).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(bound, 13);
        if commits {
            tx.commit().await.unwrap();
        } else {
            let failed = sqlx::query("select 1 / 0").execute(&mut *tx).await;
            assert!(failed.is_err());
            drop(tx);
        }
        let next: i64 = sqlx::query_scalar(leads).fetch_one(&database.app).await.unwrap();
        assert_eq!(next, 0, "the next user of the connection is bound to nobody");
        let mut tx = database
            .begin("test", &TenantSet::one(&"huabei".parse().unwrap()))
            .await
            .unwrap();
        let other: i64 = sqlx::query_scalar(leads).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(other, 0, "or to somebody else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_loops_sees_queues_only() {
    let suite = filled().await;
    let expected: BTreeMap<_, _> = WORKER_READS.iter().copied().collect();
    for database in [&suite.places.leads, &suite.places.notifications] {
        let mut roles = Roles::of(database).await;
        for table in roles.tables().await {
            let columns: Vec<(String, bool)> = sqlx::query_as(
                "select attname::text, has_column_privilege('reflex_worker', attrelid, attnum, 'select')
                 from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by 1",
            )
            .bind(&table)
            .fetch_all(&mut roles.owner)
            .await
            .unwrap();
            let all = columns.iter().all(|(_, readable)| *readable);
            let readable: Vec<_> = columns
                .iter()
                .filter(|(_, readable)| *readable)
                .map(|(name, _)| name.as_str())
                .collect();
            let readable = if all { vec!["*"] } else { readable };
            assert_eq!(
                readable,
                expected.get(table.as_str()).copied().unwrap_or_default(),
                "{table}"
            );
        }
    }
    let mut leads = Roles::of(&suite.places.leads).await;
    let routed: i64 = sqlx::query_scalar("select count(sequence) from leads")
        .fetch_one(&mut leads.worker)
        .await
        .unwrap();
    assert_eq!(routed, 0, "of leads only those that nobody has routed yet");
    let changed = touched(&mut leads.worker, "update leads set state = 'closed'".to_owned()).await;
    assert_eq!(changed, 0);
}

/// A hole, what makes it, and what closes it again.
const HOLES: &[(&str, &str, &str)] = &[
    (
        "table t: row level security is not both enabled and forced",
        "create table t (tenant_id text primary key)",
        "drop table t",
    ),
    (
        "table request_ids: row level security is not both enabled and forced",
        "alter table request_ids no force row level security",
        "alter table request_ids force row level security",
    ),
    (
        "table t: no policy binds the tenant for reflex_app",
        "create table t (tenant_id text primary key);
         alter table t enable row level security; alter table t force row level security",
        "drop table t",
    ),
    (
        "table t: no policy binds the tenant for reflex_app",
        "create table t (tenant_id text primary key);
         alter table t enable row level security; alter table t force row level security;
         create policy p on t to reflex_app using (tenant_id = any ((select bound_tenants())::text[])) with check (true)",
        "drop table t",
    ),
    (
        "policy wide on request_ids: lets reflex_app past the tenant",
        "create policy wide on request_ids for select to reflex_app using (true)",
        "drop policy wide on request_ids",
    ),
    (
        "policy wide on request_ids: lets reflex_app past the tenant",
        "create policy wide on request_ids for insert with check (true)",
        "drop policy wide on request_ids",
    ),
    (
        "table request_ids: owned by the role that serves requests",
        "alter table request_ids owner to reflex_app",
        "alter table request_ids owner to current_user",
    ),
    (
        "table t: has no tenant_id, yet reflex_app may use it",
        "create table t (secret text); grant select on t to reflex_app",
        "drop table t",
    ),
    (
        "view v: runs with its owner's rights",
        "create view v as select * from request_ids",
        "drop view v",
    ),
    (
        "view v: runs with its owner's rights",
        "create materialized view v as select * from request_ids",
        "drop materialized view v",
    ),
    (
        "function f: security definer and not listed",
        "create function f() returns int language sql security definer as 'select 1'",
        "drop function f",
    ),
    (
        "key wide_key: does not start with tenant_id",
        "create unique index wide_key on request_ids (request_id)",
        "drop index wide_key",
    ),
    (
        "foreign key wide: does not start with tenant_id",
        "create table parent (id uuid primary key);
         alter table request_ids add constraint wide foreign key (request_id) references parent",
        "alter table request_ids drop constraint wide; drop table parent",
    ),
];

#[tokio::test]
async fn a_schema_with_a_hole_is_found_out() {
    let database = TestDatabase::create(&[&MIGRATIONS]).await;
    let app = sqlx::PgPool::connect(&database.app_url()).await.unwrap();
    let owner = sqlx::PgPool::connect(&database.owner_url()).await.unwrap();
    let none: [&str; 0] = [];
    for (finding, make, close) in HOLES {
        assert_eq!(catalogue::findings(&app).await.unwrap(), none, "before {finding}");
        sqlx::raw_sql(*make).execute(&owner).await.unwrap();
        let found = catalogue::findings(&app).await.unwrap();
        assert!(
            found.iter().any(|found| found == finding),
            "{make}: {finding:?} is not in {found:?}"
        );
        sqlx::raw_sql(*close).execute(&owner).await.unwrap();
    }
    let as_superuser = catalogue::findings(&owner).await.unwrap();
    assert!(
        as_superuser
            .iter()
            .any(|finding| finding.ends_with("superuser or bypasses row level security"))
    );
    app.close().await;
    owner.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schemas_of_all_services_are_sound() {
    for schema in [reflex_leads::SCHEMA, reflex_notifications::SCHEMA] {
        let database = TestDatabase::create(schema.parts).await;
        let app = sqlx::PgPool::connect(&database.app_url()).await.unwrap();
        assert_eq!(catalogue::findings(&app).await.unwrap(), [""; 0]);
        app.close().await;
    }
}
