//! What is old goes, what is needed stays.

use jiff::SignedDuration;
use reflex_notifications::{
    app::forget::{Janitor, Retention},
    domain::message::State,
    store::inbox::Page,
};

use crate::scene::{Scene, in_state, tenant};

#[tokio::test]
async fn items_go_before_messages_and_what_waits_stays() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.assign([1]).await;
    scene.send_all().await;
    scene.assign([2]).await;
    let janitor = Janitor {
        database: scene.database.clone(),
        clock: scene.clock.clone(),
        retention: Retention {
            inbox_days: 14,
            message_days: 180,
            event_days: 7,
            repeat_days: 14,
        },
    };
    let items = async |scene: &Scene| {
        let page = Page {
            recipient: "members/zhang.wei",
            unread_only: false,
            before: None,
            limit: 10,
        };
        scene.app.list_inbox_items(&tenant(), &page).await.unwrap().0.len()
    };
    assert_eq!(janitor.forget().await.unwrap(), 0);
    scene.clock.advance(SignedDuration::from_hours(24 * 15));
    scene.assign([3]).await;
    assert_eq!((janitor.forget().await.unwrap(), items(&scene).await), (2, 1));
    assert_eq!(scene.messages().await.len(), 6);
    scene.clock.advance(SignedDuration::from_hours(24 * 170));
    janitor.forget().await.unwrap();
    let left = scene.messages().await;
    assert_eq!(
        in_state(&left, State::Pending),
        2,
        "an old one that still waits, and the new one"
    );
    assert_eq!(left.len(), 3);
    assert_eq!(janitor.forget().await.unwrap(), 0);
}
