//! After a pause many steps of many ladders are due at once. The loops that take them do not stand in each other's way, and
//! each ladder is climbed from below.

use std::sync::Arc;

use jiff::SignedDuration;
use reflex_testing::{FixedClock, eventually, fixture_time};
use sqlx::PgPool;

use crate::scene::Scene;

const LEADS: i64 = 60;
/// Of the ladder that every tenant has.
const STEPS: i64 = 3;
/// Steps that are not in their place in the history of their lead.
const OUT_OF_ORDER: &str = "
    select count(*) from (
        select detail, row_number() over (partition by lead_id order by entry_id) as place
        from lead_history where kind = 'escalated') as steps
    where not starts_with(detail, 'step ' || place || ' ')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_loop_waits_for_another_one_that_waits_for_it() {
    let clock = Arc::new(FixedClock::new(fixture_time()));
    let scene = Scene::start_with(&clock).await;
    for number in 0..LEADS {
        scene.capture(&format!("web-{number}")).await;
    }
    let timers = "select count(*) from timers where kind = 'ladder_step'";
    eventually("every ladder runs", async || {
        count(&scene.leads_database, timers).await == LEADS
    })
    .await;

    clock.advance(SignedDuration::from_hours(24));
    scene.suite.timers.wake();
    let steps = "select count(*) from escalations";
    eventually("every step is taken", async || {
        count(&scene.leads_database, steps).await == LEADS * STEPS
    })
    .await;
    assert_eq!(count(&scene.leads_database, timers).await, 0);
    assert_eq!(
        count(&scene.leads_database, OUT_OF_ORDER).await,
        0,
        "nobody is told before whoever comes first"
    );

    // PostgreSQL counts what a connection went through when the connection ends.
    let Scene {
        suite, leads_database, ..
    } = scene;
    suite.services.off().await;
    suite.environment.tasks.stop().cancel();
    let others = "select count(*) from pg_stat_activity where datname = current_database() and usename like 'reflex_%'";
    eventually("the services have left", async || {
        count(&leads_database, others).await == 0
    })
    .await;
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(
        count(&leads_database, deadlocks).await,
        0,
        "loops that lock leads in different orders"
    );
    leads_database.close().await;
    suite.stop().await;
}

async fn count(database: &PgPool, question: &'static str) -> i64 {
    sqlx::query_scalar(question).fetch_one(database).await.unwrap()
}
