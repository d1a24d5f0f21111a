//! Workers that are paused, and do not know that somebody else has their shard: the fence refuses what they write, so
//! nothing happens twice and nothing is left out.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use reflex_runtime::ids::{IdSource as _, SystemIds};
use reflex_testing::eventually;
use sqlx::PgPool;

use crate::scene::Scene;

const LEADS: usize = 200;
/// Takes a shard away from whoever has it, as somebody who is then gone at once.
const TAKE_OVER: &str = "update shard_leases set owner = $1, fence = fence + 1, expire_time = now() where shard = $2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_by_a_worker_that_lost_its_shard() {
    let scene = Scene::start().await;
    let before = fences(&scene).await;
    let arriving = AtomicBool::new(true);
    let (names, taken) = tokio::join!(
        async {
            let mut names = Vec::new();
            for number in 0..LEADS {
                names.push(scene.capture(&format!("web-{number}")).await);
            }
            arriving.store(false, Ordering::Relaxed);
            names
        },
        async {
            let mut taken = 0;
            while arriving.load(Ordering::Relaxed) || taken < 3 {
                for database in [&scene.leads_database, &scene.notifications_database] {
                    take_over(database).await;
                }
                taken += 1;
                // Whoever lost them comes back for them: each round takes them from a worker that was at work again.
                came_back(&scene).await;
            }
            taken
        }
    );
    for name in &names {
        scene.announced(name).await;
    }
    for name in &names {
        let lead = scene.get(name).await;
        assert_eq!(lead.fencing_token, 1, "{lead:?}");
        let history = scene.history(name).await;
        assert_eq!(
            history.iter().filter(|entry| entry.kind == "assigned").count(),
            1,
            "{history:?}"
        );
        assert_eq!(scene.messages(name).await.len(), 1);
    }
    assert!(scene.dead_letters().await.is_empty());
    let after = fences(&scene).await;
    for (shard, fence) in after {
        // One for the taking, one for the coming back.
        let moves = fence - before.get(&shard).copied().unwrap_or_default();
        assert!(
            moves >= 2 * taken,
            "{shard} moved {moves} times, and was taken {taken} times"
        );
    }
    scene.stop().await;
}

async fn take_over(database: &PgPool) {
    let shards: Vec<String> = sqlx::query_scalar("select shard from shard_leases")
        .fetch_all(database)
        .await
        .unwrap();
    // One at a time, as replicas do.
    for shard in shards {
        let owner = SystemIds.next();
        sqlx::query(TAKE_OVER)
            .bind(owner)
            .bind(shard)
            .execute(database)
            .await
            .unwrap();
    }
}

async fn came_back(scene: &Scene) {
    for database in [&scene.leads_database, &scene.notifications_database] {
        eventually("every shard has a worker again", async || {
            let held = "select bool_and(expire_time > now()) from shard_leases";
            sqlx::query_scalar::<_, bool>(held).fetch_one(database).await.unwrap()
        })
        .await;
    }
}

async fn fences(scene: &Scene) -> BTreeMap<String, i64> {
    let mut fences = BTreeMap::new();
    for (service, database) in [
        ("leads", &scene.leads_database),
        ("notifications", &scene.notifications_database),
    ] {
        let rows: Vec<(String, i64)> = sqlx::query_as("select shard, fence from shard_leases")
            .fetch_all(database)
            .await
            .unwrap();
        fences.extend(
            rows.into_iter()
                .map(|(shard, fence)| (format!("{service}: {shard}"), fence)),
        );
    }
    fences
}
