//! Every event of leads is delivered three times over: doubled on the wire, then the whole stream again from its
//! beginning. Nobody is told twice.

use redis::{AsyncCommands as _, streams::StreamRangeReply};

use crate::scene::{GROUP, Scene};

const LEADS: usize = 40;

#[tokio::test]
async fn nobody_is_told_twice() {
    let scene = Scene::start().await;
    let mut redis = scene.redis().await;
    for key in scene.stream_keys() {
        // A group that reads nothing: the streams keep everything for it.
        let created = redis.xgroup_create_mkstream(&key, "slow", "0");
        let _answer: String = created.await.unwrap();
    }
    let mut names = Vec::new();
    for number in 0..LEADS {
        names.push(scene.capture(&format!("web-{number}")).await);
    }
    for name in &names {
        scene.announced(name).await;
    }
    let items = items(&scene).await;
    assert_eq!(items, i64::try_from(LEADS).unwrap());

    let mut delivered_again = 0;
    for key in scene.stream_keys() {
        let entries: StreamRangeReply = redis.xrange_all(&key).await.unwrap();
        for entry in entries.ids {
            let fields: Vec<(String, Vec<u8>)> = entry
                .map
                .into_iter()
                .map(|(name, value)| (name, redis::from_redis_value(value).unwrap()))
                .collect();
            let _id: String = redis.xadd(&key, "*", &fields).await.unwrap();
            delivered_again += 1;
        }
    }
    assert!(
        delivered_again > 2 * LEADS,
        "captures and assignments at least: {delivered_again}"
    );
    scene.consumed().await;
    for key in scene.stream_keys() {
        let _set: String = redis.xgroup_setid(&key, GROUP, "0").await.unwrap();
    }
    scene.consumed().await;

    assert_eq!(scene.messages("").await.len(), LEADS);
    assert_eq!(self::items(&scene).await, items);
    assert!(scene.dead_letters().await.is_empty());
    scene.stop().await;
}

async fn items(scene: &Scene) -> i64 {
    sqlx::query_scalar("select count(*) from inbox_items")
        .fetch_one(&scene.notifications_database)
        .await
        .unwrap()
}
