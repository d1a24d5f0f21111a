//! Inboxes over gRPC: read, watched, confirmed.

use std::{sync::Arc, time::Duration};

use reflex_notifications::app::watch_inbox::Ended;
use reflex_proto::{
    notifications::v1::{
        ListInboxItemsRequest, ListInboxItemsResponse, MarkInboxItemReadRequest, WatchInboxRequest, WatchInboxResponse,
    },
    platform::v1::Reason,
};
use reflex_rpc::{identity::Role, status::reason_of};
use reflex_runtime::tasks::Tasks;
use reflex_testing::eventually;
use tonic::{Code, Status, Streaming};

use crate::{
    scene::{Scene, tenant},
    served::Served,
};

const OWNER: Option<&str> = Some("zhang.wei");

async fn list(served: &Served, request: ListInboxItemsRequest) -> Result<ListInboxItemsResponse, Status> {
    Ok(served
        .inbox(Role::Sales, OWNER)
        .list_inbox_items(request)
        .await?
        .into_inner())
}

async fn watch(served: &Served, resume_token: &str) -> Streaming<WatchInboxResponse> {
    let request = WatchInboxRequest {
        recipient: String::new(),
        resume_token: resume_token.to_owned(),
    };
    served
        .inbox(Role::Sales, OWNER)
        .watch_inbox(request)
        .await
        .unwrap()
        .into_inner()
}

async fn next(stream: &mut Streaming<WatchInboxResponse>) -> (String, String) {
    let response = stream.message().await.unwrap().unwrap();
    (response.item.unwrap().subject, response.resume_token)
}

#[tokio::test]
async fn items_are_shown_as_they_come_and_after_a_break() {
    let mut served = Served::start().await;
    let early = served.facts.assigned("early", "zhang.wei");
    served.tell(&[early]).await;
    eventually("the first item is there", async || {
        list(&served, ListInboxItemsRequest::default())
            .await
            .unwrap()
            .unread_count
            == 1
    })
    .await;
    let mut stream = watch(&served, "").await;
    let now = [
        served.facts.assigned("1", "zhang.wei"),
        served.facts.assigned("of-another", "li.na"),
        served.facts.assigned("2", "zhang.wei"),
    ];
    served.tell(&now[..1]).await;
    let (subject, resume_token) = next(&mut stream).await;
    assert_eq!(subject, "leads/1", "what was there before is not shown again");
    drop(stream);
    served.tell(&now[1..]).await;
    eventually("the others are there", async || {
        list(&served, ListInboxItemsRequest::default())
            .await
            .unwrap()
            .unread_count
            == 3
    })
    .await;
    let mut stream = watch(&served, &resume_token).await;
    assert_eq!(next(&mut stream).await.0, "leads/2", "nothing is missed in a break");

    let foreign = WatchInboxRequest {
        recipient: "members/li.na".to_owned(),
        resume_token,
    };
    let refused = served
        .inbox(Role::Manager, None)
        .watch_inbox(foreign)
        .await
        .unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::PageTokenMismatch));

    let stop = served.tasks.stop();
    stop.cancel();
    let ended = stream.message().await.unwrap_err();
    assert_eq!(
        ended.code(),
        Code::Unavailable,
        "a reader learns that it must go elsewhere"
    );
    drop(stream);
    served.stop().await;
}

/// No loop runs: what arrives was handed on by whoever wrote it.
#[tokio::test]
async fn what_is_written_goes_straight_to_those_who_have_all_before_it() {
    let mut scene = Scene::start().await;
    scene.assign(1..=2).await;
    let watchers = Arc::clone(&scene.events.watchers);
    let recipient = "members/zhang.wei";
    let mut current = watchers.watch(&tenant(), recipient, None).await.unwrap();
    let mut behind = watchers.watch(&tenant(), recipient, Some(1)).await.unwrap();

    scene.assign(3..=6).await;
    for sequence in 3..=6 {
        assert_eq!(current.next().await.unwrap().sequence, sequence);
    }
    scene.assign(7..=12).await;
    for sequence in 7..=10 {
        assert_eq!(
            current.next().await.unwrap().sequence,
            sequence,
            "as many as there is room for"
        );
    }
    assert!(
        futures_util::poll!(std::pin::pin!(behind.next())).is_pending(),
        "an item is not handed on past one that is missing"
    );

    let tasks = Tasks::new();
    tasks.spawn("watch-inboxes", Arc::clone(&watchers).run(tasks.stop()));
    for sequence in 2..=5 {
        assert_eq!(
            behind.next().await.unwrap().sequence,
            sequence,
            "the loop finds the rest"
        );
    }
    for sequence in 11..=12 {
        assert_eq!(
            current.next().await.unwrap().sequence,
            sequence,
            "the loop finds the rest"
        );
    }
    tasks.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_reader_too_slow_is_let_go_and_misses_nothing() {
    let mut scene = Scene::start().await;
    let watchers = Arc::clone(&scene.events.watchers);
    let tasks = Tasks::new();
    tasks.spawn("watch-inboxes", Arc::clone(&watchers).run(tasks.stop()));
    let recipient = "members/zhang.wei";
    let mut slow = watchers.watch(&tenant(), recipient, None).await.unwrap();
    let mut idle = watchers.watch(&tenant(), "members/li.na", None).await.unwrap();
    let refused = watchers.watch(&tenant(), recipient, None).await.err().map(Status::from);
    assert_eq!(
        reason_of(&refused.unwrap()),
        Some(Reason::Overloaded),
        "there are only so many"
    );

    scene.assign(1..=10).await;
    let place = eventually("a place is free again", async || {
        scene.inbox_wake.wake();
        watchers.watch(&tenant(), recipient, Some(4)).await.ok()
    });
    let mut next = place.await;
    for sequence in 1..=4 {
        assert_eq!(
            slow.next().await.unwrap().sequence,
            sequence,
            "what was kept for the slow one"
        );
    }
    assert_eq!(slow.next().await.unwrap_err(), Ended::TooSlow);
    assert_eq!(
        next.next().await.unwrap().sequence,
        5,
        "who comes back goes on where they were"
    );

    tasks.shutdown(Duration::from_secs(10)).await.unwrap();
    assert_eq!(
        idle.next().await.unwrap_err(),
        Ended::Stopping,
        "silence is no slowness"
    );
}

#[tokio::test]
async fn an_inbox_is_its_owners() {
    let mut served = Served::start().await;
    let assigned = served.facts.assigned("1", "li.na");
    served.tell(&[assigned]).await;
    let of_li_na = ListInboxItemsRequest {
        recipient: "members/li.na".to_owned(),
        ..ListInboxItemsRequest::default()
    };
    let item = eventually("the item is there", async || {
        let listed = served
            .inbox(Role::Manager, None)
            .list_inbox_items(of_li_na.clone())
            .await
            .unwrap();
        listed.into_inner().items.pop()
    })
    .await;
    let refused = list(&served, of_li_na.clone()).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::PermissionDenied));
    let nobody = served
        .inbox(Role::Viewer, None)
        .list_inbox_items(ListInboxItemsRequest::default())
        .await;
    assert_eq!(nobody.unwrap_err().code(), Code::InvalidArgument);
    let refused = served
        .inbox(Role::Sales, OWNER)
        .mark_inbox_item_read(MarkInboxItemReadRequest {
            name: item.name.clone(),
            request_id: String::new(),
        })
        .await
        .unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::NotFound), "as if it were not there");

    let mut own = served.inbox(Role::Sales, Some("li.na"));
    for _ in 0..2 {
        let request = MarkInboxItemReadRequest {
            name: item.name.clone(),
            request_id: String::new(),
        };
        let read = own
            .mark_inbox_item_read(request)
            .await
            .unwrap()
            .into_inner()
            .item
            .unwrap();
        assert!(read.read_time.is_some());
    }
    let unread = ListInboxItemsRequest {
        unread_only: true,
        ..ListInboxItemsRequest::default()
    };
    let listed = own.list_inbox_items(unread).await.unwrap().into_inner();
    assert_eq!((listed.items.len(), listed.unread_count), (0, 0));
    let tenants = reflex_tenancy::TenantSet::one(&tenant());
    let mut tx = served.foundation.db.begin("test", &tenants).await.unwrap();
    let told: Vec<String> = sqlx::query_scalar("select kind from outbox")
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    assert_eq!(told, ["reflex.notifications.v1.NotificationAcknowledged"], "once");
    drop(tx);
    served.stop().await;
}
