//! Times somebody is away.

use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::{DeleteLeaveRequest, Leave, ListLeavesRequest, PutLeaveRequest};
use reflex_testing::fixture_time;

use crate::harness::{HUABEI, HUADONG, INVALID, Leads, NOT_FOUND, assert_refused, member};

/// Makes a leave from so many hours after the start of the test to so many.
pub(crate) fn leave(member: &str, hours: std::ops::Range<i64>) -> Leave {
    let at = |hours| {
        let time: Timestamp = fixture_time() + SignedDuration::from_hours(hours);
        prost_types::Timestamp {
            seconds: time.as_second(),
            nanos: 0,
        }
    };
    Leave {
        name: String::new(),
        member: format!("members/{member}"),
        start_time: Some(at(hours.start)),
        end_time: Some(at(hours.end)),
        reason: "年假".into(),
    }
}

pub(crate) fn put(leave: Leave) -> PutLeaveRequest {
    PutLeaveRequest {
        leave: Some(leave),
        request_id: String::new(),
    }
}

async fn timers(leads: &Leads) -> Vec<(String, String)> {
    sqlx::query_as("select key, payload ->> 'team' from timers where kind = 'leave_ended' order by due_time")
        .fetch_all(&leads.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn leaves_are_listed_latest_first_and_end_with_a_timer() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    for id in ["wang", "li"] {
        admin.put_member(member(id, "zhang")).await;
    }
    let mut stored = Vec::new();
    for (who, hours) in [("wang", 10..20), ("li", 5..50), ("wang", 30..40)] {
        let answer = admin
            .directory
            .put_leave(put(leave(who, hours)))
            .await
            .unwrap()
            .into_inner();
        stored.push(answer.leave.unwrap());
    }
    let request = ListLeavesRequest {
        page_size: 2,
        ..ListLeavesRequest::default()
    };
    let page = admin.directory.list_leaves(request.clone()).await.unwrap().into_inner();
    assert_eq!(page.leaves, [stored[2].clone(), stored[0].clone()]);
    let rest = ListLeavesRequest {
        page_token: page.next_page_token,
        ..request
    };
    assert_eq!(
        admin.directory.list_leaves(rest).await.unwrap().into_inner().leaves,
        [stored[1].clone()]
    );
    let of_li = ListLeavesRequest {
        member: "members/li".into(),
        ..ListLeavesRequest::default()
    };
    assert_eq!(
        admin.directory.list_leaves(of_li).await.unwrap().into_inner().leaves,
        [stored[1].clone()]
    );
    let keys = |order: &[usize]| -> Vec<_> {
        order
            .iter()
            .map(|place| (stored[*place].name.clone(), "teams/zhang".to_owned()))
            .collect()
    };
    assert_eq!(timers(&leads).await, keys(&[0, 2, 1]));

    let longer = Leave {
        end_time: leave("wang", 10..99).end_time,
        ..stored[0].clone()
    };
    let version = leads.version(HUADONG).await;
    let answer = admin
        .directory
        .put_leave(put(longer.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.leave, Some(longer));
    assert!(leads.version(HUADONG).await > version);
    assert_eq!(timers(&leads).await, keys(&[2, 1, 0]), "the timer moves with the leave");

    let delete = DeleteLeaveRequest {
        name: stored[2].name.clone(),
        request_id: String::new(),
    };
    admin.directory.delete_leave(delete.clone()).await.unwrap();
    assert_eq!(timers(&leads).await, keys(&[1, 0]));
    assert_refused(admin.directory.delete_leave(delete).await, NOT_FOUND, &stored[2].name);
}

#[tokio::test]
async fn leaves_are_checked() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    admin.put_member(member("wang", "zhang")).await;
    let mut refused = async |leave: Leave, expected, telling: &str| {
        assert_refused(admin.directory.put_leave(put(leave)).await, expected, telling);
    };
    refused(leave("nobody", 1..2), NOT_FOUND, "members/nobody").await;
    refused(leave("wang", 2..2), INVALID, "leave.end_time").await;
    refused(leave("Wang", 1..2), INVALID, "leave.member").await;
    refused(
        Leave {
            start_time: None,
            ..leave("wang", 1..2)
        },
        INVALID,
        "leave.start_time",
    )
    .await;
    refused(
        Leave {
            reason: "长".repeat(201),
            ..leave("wang", 1..2)
        },
        INVALID,
        "leave.reason",
    )
    .await;
    let absurd = prost_types::Timestamp {
        seconds: -200_000_000_000,
        nanos: 0,
    };
    refused(
        Leave {
            start_time: Some(absurd),
            ..leave("wang", 1..2)
        },
        INVALID,
        "leave.start_time",
    )
    .await;
    let unknown = "leaves/0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
    refused(
        Leave {
            name: unknown.into(),
            ..leave("wang", 1..2)
        },
        NOT_FOUND,
        unknown,
    )
    .await;
    refused(
        Leave {
            name: "leaves/1".into(),
            ..leave("wang", 1..2)
        },
        INVALID,
        "leave.name",
    )
    .await;
    // Less than a microsecond is no time at all.
    let tiny = Leave {
        end_time: leave("wang", 1..2).start_time,
        ..leave("wang", 1..2)
    };
    let tiny = Leave {
        end_time: tiny.end_time.map(|end| prost_types::Timestamp { nanos: 1, ..end }),
        ..tiny
    };
    refused(tiny, INVALID, "leave.end_time").await;

    let stored = admin
        .directory
        .put_leave(put(leave("wang", 1..2)))
        .await
        .unwrap()
        .into_inner()
        .leave
        .unwrap();
    let mut other = leads.admin(HUABEI);
    let delete = DeleteLeaveRequest {
        name: stored.name.clone(),
        request_id: String::new(),
    };
    assert_refused(other.directory.delete_leave(delete).await, NOT_FOUND, &stored.name);
}
