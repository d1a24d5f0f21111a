//! Leads that cannot be routed.

use reflex_testing::eventually;
use sqlx::PgPool;

use crate::harness::{HUADONG, Leads, member};
use crate::lead_import::{file_of, import};

const IMPORT: &str = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0b01";

/// Makes changes to leads of one company fail in the database, as a defect would.
async fn poison(owner: &PgPool) {
    for statement in [
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'poison'; end $$",
        "create trigger poison before update on leads for each row when (new.company = '坏') execute function refuse()",
    ] {
        sqlx::query(statement).execute(owner).await.unwrap();
    }
}

async fn unrouted(owner: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select company from leads where state = 'captured' order by sequence")
        .fetch_all(owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_lead_that_cannot_be_routed_is_in_nobodys_way() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("east").await;
    admin.put_member(member("zhang", "east")).await;
    admin.route_all_to("teams/east").await;
    poison(&leads.owner).await;

    let bad = admin.capture("坏").await;
    let good = admin.capture("好").await;
    admin.wait_for_owner(&good, "members/zhang").await;
    let told = import(&mut admin, IMPORT, &file_of(3)).await.unwrap();
    assert_eq!(told.stored_count, 3);
    eventually("the leads of the file are routed", async || {
        (unrouted(&leads.owner).await == ["坏"]).then_some(())
    })
    .await;

    sqlx::query("drop trigger poison on leads")
        .execute(&leads.owner)
        .await
        .unwrap();
    admin.wait_for_owner(&bad, "members/zhang").await;
}

#[tokio::test]
async fn a_waiting_lead_that_cannot_be_routed_keeps_nobody_waiting() {
    let leads = Leads::start().await;
    let mut admin = leads.admin(HUADONG);
    admin.put_team("east").await;
    admin.route_all_to("teams/east").await;
    let mut waiting = Vec::new();
    for company in ["一", "坏", "二", "三"] {
        let name = admin.capture(company).await;
        admin.wait_for_owner(&name, "").await;
        waiting.push(name);
    }
    poison(&leads.owner).await;

    admin.put_member(member("zhang", "east")).await;
    for at in [0, 2, 3] {
        admin.wait_for_owner(&waiting[at], "members/zhang").await;
    }
    let requests = async || -> Vec<(bool, bool)> {
        sqlx::query_as("select apart, lead_id is not null from reroute_requests")
            .fetch_all(&leads.owner)
            .await
            .unwrap()
    };
    eventually("only the lead itself is still to be looked at", async || {
        (requests().await == [(true, true)]).then_some(())
    })
    .await;
    // Nor does it hold up what comes later, once it is known.
    admin.put_member(member("li", "east")).await;
    eventually("the next request is done", async || {
        (requests().await == [(true, true)]).then_some(())
    })
    .await;
    assert!(admin.lead(&waiting[1]).await.owner.is_empty());

    sqlx::query("drop trigger poison on leads")
        .execute(&leads.owner)
        .await
        .unwrap();
    eventually("it is routed as soon as that works", async || {
        let owner: Option<String> = sqlx::query_scalar("select owner from leads where company = '坏'")
            .fetch_one(&leads.owner)
            .await
            .unwrap();
        owner
    })
    .await;
    assert_eq!(requests().await, []);
}
