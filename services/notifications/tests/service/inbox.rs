//! Inboxes over gRPC: read, watched, confirmed.

use reflex_proto::{
    notifications::v1::{
        ListInboxItemsRequest, ListInboxItemsResponse, MarkInboxItemReadRequest, WatchInboxRequest, WatchInboxResponse,
    },
    platform::v1::Reason,
};
use reflex_rpc::{identity::Role, status::reason_of};
use reflex_testing::eventually;
use tonic::{Code, Status, Streaming};

use crate::served::Served;

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

#[tokio::test]
async fn a_reader_too_slow_is_let_go_and_hurts_nobody() {
    let mut served = Served::start_with(|config| {
        config.watch.queue = 4;
        config.watch.patience_seconds = 0;
    })
    .await;
    let slow = watch(&served, "").await;
    // More than the buffers of both sides hold: each item is some hundred bytes, a window 64 KiB.
    let events: Vec<_> = (0..400)
        .map(|number| served.facts.assigned(&format!("{number}"), "zhang.wei"))
        .collect();
    served.tell(&events).await;
    eventually("all items are there", async || {
        list(&served, ListInboxItemsRequest::default())
            .await
            .unwrap()
            .unread_count
            == 400
    })
    .await;
    let (mut subjects, mut resume_token) = read_to_the_end(slow).await;
    assert!(subjects.len() < 400, "the slow reader was let go");
    while subjects.len() < 400 {
        let (more, token) = read_to_the_end(watch(&served, &resume_token).await).await;
        subjects.extend(more);
        resume_token = token;
    }
    subjects.sort_unstable();
    subjects.dedup();
    assert_eq!(
        subjects.len(),
        400,
        "who comes back misses nothing and sees nothing twice"
    );
    served.stop().await;
}

/// Reads what was kept for a reader who was let go.
async fn read_to_the_end(mut stream: Streaming<WatchInboxResponse>) -> (Vec<String>, String) {
    let (mut subjects, mut resume_token) = (Vec::new(), String::new());
    loop {
        match stream.message().await {
            Ok(response) => {
                let response = response.unwrap();
                subjects.push(response.item.unwrap().subject);
                resume_token = response.resume_token;
            }
            Err(ended) => {
                assert_eq!(reason_of(&ended), Some(Reason::Overloaded), "{ended}");
                return (subjects, resume_token);
            }
        }
    }
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
    let tenants = reflex_tenancy::TenantSet::one(&crate::scene::tenant());
    let mut tx = served.foundation.db.begin("test", &tenants).await.unwrap();
    let told: Vec<String> = sqlx::query_scalar("select kind from outbox")
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    assert_eq!(told, ["reflex.notifications.v1.NotificationAcknowledged"], "once");
    drop(tx);
    served.stop().await;
}
