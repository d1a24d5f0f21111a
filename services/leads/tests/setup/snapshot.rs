//! The cached setup: read again exactly when it changed, never half of a change, nothing of what was rolled back.

use std::sync::Arc;

use reflex_leads::{SCHEMA, setup::Setups};
use reflex_pg::{Database, DatabaseConfig};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{FixedClock, TestDatabase, fixture_time};
use sqlx::PgConnection;

use crate::harness::{HUABEI, HUADONG};

struct Store {
    db: Database,
    setups: Setups,
    tenant: TenantId,
    _database: TestDatabase,
}

impl Store {
    async fn create() -> Self {
        let database = TestDatabase::create(SCHEMA.parts).await;
        let config = DatabaseConfig {
            app_url: database.app_url().into(),
            worker_url: database.worker_url().into(),
            owner_url: database.owner_url().into(),
            max_connections: 4,
        };
        Self {
            db: Database::connect(&config).unwrap(),
            setups: Setups::new(Arc::new(FixedClock::new(fixture_time()))),
            tenant: HUADONG.parse().unwrap(),
            _database: database,
        }
    }

    async fn begin(&self) -> reflex_pg::Transaction {
        self.db.begin("test", &TenantSet::one(&self.tenant)).await.unwrap()
    }

    async fn add_team(&self, tx: &mut PgConnection, id: &str) {
        sqlx::query("insert into teams (tenant_id, team_id, display_name, create_time, update_time) values ($1, $2, $2, now(), now())")
            .bind(self.tenant.as_str())
            .bind(id)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(
            "insert into setup_versions values ($1, nextval('setup_version_numbers'))
             on conflict (tenant_id) do update set version = nextval('setup_version_numbers')",
        )
        .bind(self.tenant.as_str())
        .execute(tx)
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_setup_is_read_again_when_its_version_changed() {
    let store = Store::create().await;
    let mut tx = store.begin().await;
    let empty = store.setups.get(&mut tx, &store.tenant).await.unwrap();
    assert_eq!(empty.version, 0);
    assert!(Arc::ptr_eq(
        &empty,
        &store.setups.get(&mut tx, &store.tenant).await.unwrap()
    ));
    drop(tx);

    let mut tx = store.begin().await;
    store.add_team(&mut tx, "zhang").await;
    tx.commit().await.unwrap();
    let mut tx = store.begin().await;
    let changed = store.setups.get(&mut tx, &store.tenant).await.unwrap();
    let zhang = "teams/zhang".parse().unwrap();
    assert!(changed.version > 0 && changed.directory.find_team(&zhang).is_some());
    assert!(
        empty.directory.find_team(&zhang).is_none(),
        "who holds the old one keeps it"
    );
    let stale = store.setups.at(&mut tx, &store.tenant, 0).await.unwrap();
    assert_eq!(
        stale.version, changed.version,
        "a version that is over gives the present one"
    );
}

#[tokio::test]
async fn what_is_rolled_back_is_not_kept() {
    let store = Store::create().await;
    let mut tx = store.begin().await;
    store.add_team(&mut tx, "ghost").await;
    let seen = store.setups.get(&mut tx, &store.tenant).await.unwrap();
    let ghost = "teams/ghost".parse().unwrap();
    assert!(
        seen.directory.find_team(&ghost).is_some(),
        "the transaction sees its own writes"
    );
    drop(tx);

    let mut tx = store.begin().await;
    store.add_team(&mut tx, "zhang").await;
    tx.commit().await.unwrap();
    let mut tx = store.begin().await;
    let present = store.setups.get(&mut tx, &store.tenant).await.unwrap();
    assert!(present.directory.find_team(&ghost).is_none());
    assert_ne!(present.version, seen.version, "no version is given twice");
}

#[tokio::test]
async fn a_setup_is_never_half_of_a_change() {
    const TEAMS: usize = 30;
    let store = Store::create().await;
    let write = async {
        for number in 0..TEAMS {
            let mut tx = store.begin().await;
            store.add_team(&mut tx, &format!("t{number}")).await;
            sqlx::query(
                "insert into territories (tenant_id, territory_id, display_name, aliases, create_time, update_time)
                 values ($1, $2, $2, '{}', now(), now())",
            )
            .bind(store.tenant.as_str())
            .bind(format!("t{number}"))
            .execute(&mut *tx)
            .await
            .unwrap();
            tx.commit().await.unwrap();
        }
    };
    let read = async {
        loop {
            let mut tx = store.begin().await;
            let setup = store.setups.get(&mut tx, &store.tenant).await.unwrap();
            let has_team = |number: usize| {
                setup
                    .directory
                    .find_team(&format!("teams/t{number}").parse().unwrap())
                    .is_some()
            };
            let has_place = |number: usize| {
                setup
                    .directory
                    .territories
                    .find(&format!("territories/t{number}").parse().unwrap())
                    .is_some()
            };
            for number in 0..TEAMS {
                assert_eq!(
                    has_team(number),
                    has_place(number),
                    "team and territory {number} belong together"
                );
            }
            if has_team(TEAMS - 1) {
                return;
            }
        }
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn the_database_itself_keeps_tenants_apart() {
    let store = Store::create().await;
    assert_eq!(reflex_pg::catalogue::findings(&store.db.app).await.unwrap(), [""; 0]);
    let mut tx = store.begin().await;
    store.add_team(&mut tx, "zhang").await;
    tx.commit().await.unwrap();
    let other: TenantId = HUABEI.parse().unwrap();
    let mut tx = store.db.begin("test", &TenantSet::one(&other)).await.unwrap();
    let spied = store.setups.get(&mut tx, &store.tenant).await.unwrap();
    assert_eq!(spied.version, 0, "bound to another tenant, the rows are not there");
    let stolen = sqlx::query("insert into teams (tenant_id, team_id, display_name, create_time, update_time) values ($1, 'x', 'x', now(), now())")
        .bind(store.tenant.as_str())
        .execute(&mut *tx)
        .await;
    assert!(stolen.is_err());
    for table in [
        "members",
        "leaves",
        "forms",
        "calendars",
        "holiday_tables",
        "routing_policies",
        "ladders",
        "setup_versions",
    ] {
        let allowed: bool = sqlx::query_scalar("select has_table_privilege('reflex_worker', $1, 'select')")
            .bind(table)
            .fetch_one(&store.db.app)
            .await
            .unwrap();
        assert!(!allowed, "the worker role has no business in {table}");
    }
}
