//! What a change of the setup does to leads that wait or are owned.

use jiff::SignedDuration;
use reflex_proto::leads::v1::{DeleteLeaveRequest, ImportMembersRequest, Member};
use reflex_testing::eventually;

use crate::{
    harness::{HUADONG, Leads, member},
    leaves::{leave, put},
};

#[tokio::test]
async fn a_policy_frees_what_waits_for_one() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    let lead = admin.capture("华东医院").await;
    admin.wait_for_owner(&lead, "").await;
    admin.put_team("zhang").await;
    admin.put_member(member("wang", "zhang")).await;
    admin.route_all_to("teams/zhang").await;
    admin.wait_for_owner(&lead, "members/wang").await;
}

#[tokio::test]
async fn room_frees_what_waits_for_it() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    admin
        .put_member(Member {
            capacity: 1,
            ..member("wang", "zhang")
        })
        .await;
    admin.route_all_to("teams/zhang").await;
    let (first, second) = (admin.capture("一院").await, admin.capture("二院").await);
    admin.wait_for_owner(&first, "members/wang").await;
    let waiting = admin.wait_for_owner(&second, "").await;
    assert_eq!(waiting.team, "teams/zhang");
    admin
        .put_member(Member {
            capacity: 2,
            ..member("wang", "zhang")
        })
        .await;
    admin.wait_for_owner(&second, "members/wang").await;

    let third = admin.capture("三院").await;
    admin.wait_for_owner(&third, "").await;
    admin.put_member(member("new", "zhang")).await;
    admin.wait_for_owner(&third, "members/new").await;
}

#[tokio::test]
async fn whoever_is_back_gets_what_waits() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    admin.put_member(member("wang", "zhang")).await;
    admin.route_all_to("teams/zhang").await;
    let away = admin
        .directory
        .put_leave(put(leave("wang", -1..10)))
        .await
        .unwrap()
        .into_inner()
        .leave
        .unwrap();
    let first = admin.capture("一院").await;
    admin.wait_for_owner(&first, "").await;
    leads.advance(SignedDuration::from_hours(11));
    admin.wait_for_owner(&first, "members/wang").await;

    let longer = reflex_proto::leads::v1::Leave {
        end_time: leave("wang", 0..50).end_time,
        ..away
    };
    admin.directory.put_leave(put(longer.clone())).await.unwrap();
    let second = admin.capture("二院").await;
    admin.wait_for_owner(&second, "").await;
    let delete = DeleteLeaveRequest {
        name: longer.name,
        request_id: String::new(),
    };
    admin.directory.delete_leave(delete).await.unwrap();
    admin.wait_for_owner(&second, "members/wang").await;
}

#[tokio::test]
async fn leads_of_a_leaver_find_new_owners() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    admin.put_member(member("wang", "zhang")).await;
    admin.route_all_to("teams/zhang").await;
    let mut names = Vec::new();
    for company in ["一院", "二院", "三院"] {
        names.push(admin.capture(company).await);
    }
    for name in &names {
        admin.wait_for_owner(name, "members/wang").await;
    }
    admin.put_member(member("li", "zhang")).await;
    let request = ImportMembersRequest {
        csv: "id\nli\n".into(),
        deactivate_missing: true,
        dry_run: true,
        ..ImportMembersRequest::default()
    };
    let told = admin.directory.import_members(request).await.unwrap().into_inner();
    assert_eq!((told.changes.len(), told.rehomed_leads), (1, 3));
    let rehomed = admin
        .put_member(Member {
            active: false,
            ..member("wang", "zhang")
        })
        .await;
    assert_eq!(rehomed, 3);
    for name in &names {
        admin.wait_for_owner(name, "members/li").await;
    }
}

#[tokio::test]
async fn whoever_leaves_while_leads_pour_in_keeps_none() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("zhang").await;
    let (wang, li) = (
        Member {
            capacity: 1_000,
            ..member("wang", "zhang")
        },
        Member {
            capacity: 1_000,
            ..member("li", "zhang")
        },
    );
    admin.put_member(li).await;
    admin.route_all_to("teams/zhang").await;
    for round in 0..10 {
        admin.put_member(wang.clone()).await;
        let mut capturing = leads.admin(HUADONG);
        let capture = async {
            let mut names = Vec::new();
            for number in 0..20 {
                names.push(capturing.capture(&format!("第{round}-{number}医院")).await);
            }
            names
        };
        let leave = async {
            eventually("the leaver got a lead of this round", async || {
                open_leads(&leads, "wang").await > 0
            })
            .await;
            let gone = Member {
                active: false,
                ..wang.clone()
            };
            admin.put_member(gone).await;
        };
        let (names, ()) = tokio::join!(capture, leave);
        for name in names {
            admin.wait_for_owner(&name, "members/li").await;
        }
        assert_eq!(open_leads(&leads, "wang").await, 0);
    }
}

async fn open_leads(leads: &Leads, member: &str) -> i32 {
    sqlx::query_scalar("select open_leads from members where member_id = $1")
        .bind(member)
        .fetch_one(&leads.owner)
        .await
        .unwrap()
}
