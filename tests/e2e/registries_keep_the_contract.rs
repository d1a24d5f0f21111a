//! Every registry of companies that a gate may ask answers alike, and says when it cannot answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use reflex_leads::{
    SCHEMA,
    ports::{CompanyRegistry, HttpRegistry, Outage, RegistryConfig, SnapshotRegistry},
};
use reflex_pg::Database;
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{FixedClock, TestDatabase, fixture_time};
use reflex_tests::simulator::{Fault, Simulator, SimulatorOptions};

const LISTED: [(&str, &str, &str); 3] = [
    ("duanya.cn", "苏州锻压机床有限公司", "C3421"),
    ("group.com.cn", "某集团", "S91"),
    ("plant.group.com.cn", "某集团工厂", "3484"),
];

/// What every registry answers that lists [`LISTED`]: the domain that was asked, the one it was found under, the code.
const ANSWERS: [(&str, Option<(&str, &str)>); 7] = [
    ("duanya.cn", Some(("duanya.cn", "C3421"))),
    ("DuanYa.CN", Some(("duanya.cn", "C3421"))),
    ("mail.duanya.cn", Some(("duanya.cn", "C3421"))),
    ("mx1.plant.group.com.cn", Some(("plant.group.com.cn", "3484"))),
    ("other.group.com.cn", Some(("group.com.cn", "S91"))),
    ("notduanya.cn", None),
    ("com.cn", None),
];

async fn keeps_the_contract(registry: &mut impl CompanyRegistry) {
    let asked: Vec<String> = ANSWERS.iter().map(|(domain, _)| (*domain).to_owned()).collect();
    let found = registry.find(&asked).await.unwrap();
    let found: BTreeMap<&str, (&str, &str)> = found
        .iter()
        .map(|(asked, company)| {
            (
                asked.as_str(),
                (company.domain.as_str(), company.industry_code.as_str()),
            )
        })
        .collect();
    let expected = ANSWERS
        .into_iter()
        .filter_map(|(domain, answer)| Some((domain, answer?)));
    assert_eq!(found, expected.collect());
    assert!(registry.find(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_imported_list_keeps_it() {
    let database = TestDatabase::create(SCHEMA.parts).await;
    let config: reflex_pg::DatabaseConfig = toml::from_str(&format!(
        "app_url = '{}'\nworker_url = '{}'\nowner_url = '{}'\nmax_connections = 4",
        database.app_url(),
        database.worker_url(),
        database.owner_url()
    ))
    .unwrap();
    let (huadong, huabei): (TenantId, TenantId) = ("huadong".parse().unwrap(), "huabei".parse().unwrap());
    let database = Database::connect(&config).unwrap();
    let mut tx = database.begin("list", &TenantSet::one(&huadong)).await.unwrap();
    for (domain, company, code) in LISTED {
        sqlx::query("insert into gate_companies values ('huadong', 3, $1, $2, $3)")
            .bind(domain)
            .bind(company)
            .bind(code)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    let mut registry = SnapshotRegistry {
        tx: &mut tx,
        tenant: &huadong,
        version: 3,
    };
    keeps_the_contract(&mut registry).await;
    // Neither another version nor another tenant's list is asked.
    registry.version = 2;
    assert!(registry.find(&["duanya.cn".to_owned()]).await.unwrap().is_empty());
    (registry.version, registry.tenant) = (3, &huabei);
    assert!(registry.find(&["duanya.cn".to_owned()]).await.unwrap().is_empty());
}

fn over_http(simulator: &Simulator, clock: &Arc<FixedClock>) -> HttpRegistry {
    let config = RegistryConfig {
        url: simulator.registry_url(),
        token: String::new().into(),
        timeout_millis: 500,
        failures: 2,
        pause_seconds: 30,
    };
    HttpRegistry::new(&config, clock.clone()).unwrap()
}

#[tokio::test]
async fn the_registry_behind_http_keeps_it() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    for (domain, company, code) in LISTED {
        simulator.list_company(domain, company, code);
    }
    let clock = Arc::new(FixedClock::new(fixture_time()));
    keeps_the_contract(&mut over_http(&simulator, &clock)).await;
}

#[tokio::test]
async fn whatever_goes_wrong_is_an_outage_and_after_some_the_registry_is_left_alone() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    simulator.list_company("duanya.cn", "苏州锻压机床有限公司", "C3421");
    let clock = Arc::new(FixedClock::new(fixture_time()));
    let asked = ["duanya.cn".to_owned()];
    for fault in [
        Fault::Status {
            status: 503,
            retry_after_seconds: None,
        },
        Fault::Body { body: "<html>".into() },
        Fault::Reset,
        Fault::Hang { milliseconds: 5_000 },
    ] {
        simulator.fail("registry", fault.clone(), 1);
        let answer = over_http(&simulator, &clock).find(&asked).await;
        assert!(matches!(answer, Err(Outage::Down(_))), "{fault:?}: {answer:?}");
    }
    let mut registry = over_http(&simulator, &clock);
    let failing = Fault::Status {
        status: 500,
        retry_after_seconds: None,
    };
    simulator.fail("registry", failing, 2);
    for _ in 0..3 {
        assert!(registry.find(&asked).await.is_err(), "two failures, then the breaker");
    }
    clock.advance(SignedDuration::from_secs(31));
    assert_eq!(
        registry.find(&asked).await.unwrap().len(),
        1,
        "after the pause it is tried again"
    );
}
