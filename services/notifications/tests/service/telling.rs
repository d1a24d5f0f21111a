//! What becomes of an event: who is told, in which words, once.

use std::time::Instant;

use reflex_events::HandlerError;
use reflex_notifications::{
    domain::message::{Class, State},
    store::{inbox::Page, messages::Message},
};
use reflex_pg::catalogue;
use reflex_proto::leads::v1 as leads;
use reflex_tenancy::TenantSet;

use crate::{
    facts::{TEAM, assignment},
    scene::{ROBOT, Scene, in_state, of_class, tenant},
};

fn summary(messages: &[Message]) -> Vec<(&str, &str, State)> {
    messages
        .iter()
        .map(|message| (message.recipient.as_str(), message.channel.as_str(), message.state))
        .collect()
}

async fn inbox(scene: &Scene, member: &str) -> Vec<String> {
    let page = Page {
        recipient: &format!("members/{member}"),
        unread_only: false,
        before: None,
        limit: 100,
    };
    let (items, _) = scene.app.list_inbox_items(&tenant(), &page).await.unwrap();
    items.into_iter().map(|item| item.title).collect()
}

#[tokio::test]
async fn the_schema_keeps_tenants_apart() {
    let scene = Scene::start().await;
    assert_eq!(
        catalogue::findings(&scene.database.app).await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn an_owner_is_told_in_the_inbox_and_in_the_teams_chat_once() {
    let mut scene = Scene::start().await;
    scene.put_robot(18, 4, &[TEAM]).await;
    let events = [
        scene.facts.member("zhang.wei", "张伟"),
        scene.facts.assigned("1", "zhang.wei"),
    ];
    for _ in 0..3 {
        scene.apply(&events).await.unwrap();
    }
    let messages = scene.messages().await;
    assert_eq!(
        summary(&messages),
        [
            ("members/zhang.wei", "inbox", State::Delivered),
            ("members/zhang.wei", ROBOT, State::Pending)
        ]
    );
    let message = &messages[1];
    assert_eq!(message.title, "新线索 L-1：华东机床");
    assert!(message.body.contains("负责人：**张伟**"), "{}", message.body);
    assert!(
        message.body.contains("03-02 10:00"),
        "half past nine and 30 minutes, in Shanghai: {}",
        message.body
    );
    assert!(
        message.body.contains("王芳 139•••") && !message.body.contains("13912345678"),
        "{}",
        message.body
    );
    assert_eq!(message.template, "lead_assigned@0");
    assert_eq!(message.cause_event, Some(events[1].id));
    assert_eq!(inbox(&scene, "zhang.wei").await, ["新线索 L-1：华东机床"]);
}

#[tokio::test]
async fn nobody_is_lost_who_is_not_known_yet() {
    let mut scene = Scene::with_robot(18, 4).await;
    let assigned = scene.facts.assigned("1", "li.na");
    scene.apply(&[assigned]).await.unwrap();
    let messages = scene.messages().await;
    assert_eq!(messages.len(), 2, "a chat for everybody serves strangers, too");
    assert!(messages[0].body.contains("**li.na**"), "{}", messages[0].body);

    let events = [scene.facts.member("li.na", "李娜"), scene.facts.assigned("2", "li.na")];
    scene.apply(&events).await.unwrap();
    let messages = scene.messages().await;
    assert!(messages[2].body.contains("**李娜**"), "{}", messages[2].body);
    assert_eq!(inbox(&scene, "li.na").await.len(), 2);
}

#[tokio::test]
async fn an_older_change_of_a_member_changes_nothing() {
    let mut scene = Scene::start().await;
    let older = scene.facts.member("li.na", "旧名");
    let newer = scene.facts.member_with(&leads::MemberChanged {
        member: "members/li.na".to_owned(),
        display_name: "Li Na".to_owned(),
        team: TEAM.to_owned(),
        locale: "en-GB".to_owned(),
        active: true,
        ..leads::MemberChanged::default()
    });
    let assigned = scene.facts.assigned("1", "li.na");
    scene.apply(std::slice::from_ref(&newer)).await.unwrap();
    scene.apply(std::slice::from_ref(&older)).await.unwrap();
    scene.apply(&[newer, older, assigned]).await.unwrap();
    let messages = scene.messages().await;
    assert_eq!(messages[0].title, "New lead L-1: 华东机床");
    assert!(messages[0].body.contains("**Li Na**"), "{}", messages[0].body);
}

#[tokio::test]
async fn a_chat_serves_its_own_teams_only() {
    let mut scene = Scene::with_robot(18, 4).await;
    scene.put_robot(18, 4, &["teams/other"]).await;
    let events = [
        scene.facts.member("zhang.wei", "张伟"),
        scene.facts.assigned("1", "zhang.wei"),
    ];
    scene.apply(&events).await.unwrap();
    assert_eq!(
        summary(&scene.messages().await),
        [("members/zhang.wei", "inbox", State::Delivered)]
    );
}

#[tokio::test]
async fn escalations_follow_the_ladders_channels_and_always_reach_the_inbox() {
    let mut scene = Scene::with_robot(18, 4).await;
    let events = [
        scene.facts.member("liu.min", "刘敏"),
        scene.facts.escalated("1", "liu.min", &["inbox"]),
        scene.facts.escalated("2", "liu.min", &["dingtalk"]),
        scene.facts.claim_expired("3", "members/liu.min"),
        scene.facts.claim_expired("4", ""),
    ];
    scene.apply(&events).await.unwrap();
    let messages = scene.messages().await;
    let told: Vec<_> = messages
        .iter()
        .map(|message| (message.subject.as_str(), message.channel.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("leads/1", "inbox"),
            ("leads/2", "inbox"),
            ("leads/2", ROBOT),
            ("leads/3", "inbox"),
            ("leads/3", ROBOT)
        ]
    );
    assert_eq!(of_class(&messages, Class::Escalation).len(), 5);
    assert!(
        messages[4].body.contains("zhang.wei"),
        "who had it: {}",
        messages[4].body
    );
}

#[tokio::test]
async fn an_overdue_map_is_told_to_the_owner_and_their_supervisor_after_the_first_contact() {
    let mut scene = Scene::with_robot(18, 4).await;
    let (an, liu) = ("members/zhang.wei", "members/liu.min");
    let contacted = scene.facts.contacted("1");
    let overdue = scene.facts.map_overdue("1", an, liu);
    let events = [
        scene.facts.member("zhang.wei", "张伟"),
        scene.facts.member("liu.min", "刘敏"),
        contacted,
        overdue.clone(),
        scene.facts.map_overdue("2", "", liu),
        scene.facts.map_overdue("3", liu, liu),
        scene.facts.map_overdue("4", "", ""),
    ];
    scene.apply(&events).await.unwrap();
    // Told once, however often it comes.
    scene.apply(&[overdue]).await.unwrap();
    let messages = scene.messages().await;
    let inboxes: Vec<_> = messages.iter().filter(|message| message.channel == "inbox").collect();
    let told: Vec<_> = inboxes
        .iter()
        .map(|message| (message.subject.as_str(), message.recipient.as_str(), message.state))
        .collect();
    assert_eq!(
        told,
        [
            ("leads/1", an, State::Delivered),
            ("leads/1", liu, State::Delivered),
            ("leads/2", liu, State::Delivered),
            ("leads/3", liu, State::Delivered),
        ]
    );
    assert_eq!(messages.len(), 2 * inboxes.len(), "each in the chat, too");
    let first = inboxes[0];
    assert!(
        first.title.contains("L-1") && first.body.contains("采购经理、老板"),
        "{}",
        first.body
    );
    assert!(!first.body.contains("13800138000"), "{}", first.body);
}

#[tokio::test]
async fn a_first_contact_stops_what_waits_and_what_comes_later() {
    let mut scene = Scene::with_robot(18, 4).await;
    let member = scene.facts.member("liu.min", "刘敏");
    let before = scene.facts.escalated("1", "liu.min", &["dingtalk"]);
    let other = scene.facts.escalated("2", "liu.min", &["dingtalk"]);
    let assigned = scene.facts.assigned("1", "liu.min");
    let contacted = scene.facts.contacted("1");
    let after = scene.facts.escalated("1", "liu.min", &["dingtalk"]);
    scene.apply(&[member, before, other, assigned]).await.unwrap();
    scene.apply(&[contacted]).await.unwrap();
    scene.apply(&[after]).await.unwrap();
    let messages = scene.messages().await;
    let about: Vec<_> = messages
        .iter()
        .map(|message| {
            (
                message.subject.as_str(),
                message.channel.as_str(),
                message.state,
                message.reason.as_str(),
            )
        })
        .collect();
    let stopped = "no reminder is needed any more";
    assert_eq!(
        about,
        [
            ("leads/1", "inbox", State::Delivered, ""),
            ("leads/1", ROBOT, State::Stopped, stopped),
            ("leads/2", "inbox", State::Delivered, ""),
            ("leads/2", ROBOT, State::Pending, ""),
            ("leads/1", "inbox", State::Delivered, ""),
            ("leads/1", ROBOT, State::Pending, ""),
            ("leads/1", "inbox", State::Stopped, stopped),
            ("leads/1", ROBOT, State::Stopped, stopped),
        ],
        "only escalations of that lead are stopped"
    );
    assert_eq!(inbox(&scene, "liu.min").await.len(), 3);
}

#[tokio::test]
async fn a_stop_in_the_same_batch_counts() {
    let mut scene = Scene::with_robot(18, 4).await;
    let events = [
        scene.facts.escalated("1", "liu.min", &["dingtalk"]),
        scene.facts.contacted("1"),
        scene.facts.escalated("2", "liu.min", &["dingtalk"]),
    ];
    scene.apply(&events).await.unwrap();
    let messages = scene.messages().await;
    assert_eq!(in_state(&messages, State::Stopped), 2, "inbox and chat");
    assert_eq!(inbox(&scene, "liu.min").await.len(), 1);
}

#[tokio::test]
async fn an_event_without_a_person_is_refused_and_an_unknown_kind_passed_over() {
    let mut scene = Scene::start().await;
    let nobody = scene.facts.assigned_with(&leads::LeadAssigned {
        owner: String::new(),
        ..assignment("1", "")
    });
    let refused = scene.apply(&[nobody]).await.unwrap_err();
    assert!(matches!(refused, HandlerError::Rejected(_)), "{refused:?}");
    let mut broken = scene.facts.assigned("2", "zhang.wei");
    broken.data = vec![0xff];
    assert!(matches!(
        scene.apply(&[broken]).await.unwrap_err(),
        HandlerError::Rejected(_)
    ));
    let unknown = scene.facts.event("LeadForgotten", "leads/3", &());
    scene.apply(&[unknown]).await.unwrap();
    assert!(scene.messages().await.is_empty());
}

#[tokio::test]
async fn a_tenant_sees_its_own_messages_only() {
    let mut scene = Scene::start().await;
    let ours = scene.facts.assigned("1", "zhang.wei");
    scene.facts.tenant = "huabei";
    let theirs = scene.facts.assigned("1", "zhang.wei");
    scene.apply(&[ours, theirs]).await.unwrap();
    assert_eq!(scene.messages().await.len(), 1);
    let mut tx = scene.database.begin("test", &TenantSet::default()).await.unwrap();
    let unbound: i64 = sqlx::query_scalar("select count(*) from messages")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(unbound, 0, "no tenant, no rows");
}

#[tokio::test]
async fn inbox_numbers_have_no_gaps_whichever_batches_race() {
    let mut scene = Scene::start().await;
    let batches: Vec<Vec<_>> = (0..8)
        .map(|batch| {
            let owner = |number: usize| if number.is_multiple_of(2) { "zhang.wei" } else { "li.na" };
            (0..10)
                .map(|number| {
                    scene
                        .facts
                        .assigned(&format!("{batch}-{number}"), owner(number + batch))
                })
                .collect()
        })
        .collect();
    let applied = batches.iter().map(|batch| scene.apply(batch));
    for outcome in futures_util::future::join_all(applied).await {
        outcome.unwrap();
    }
    let mut tx = scene.database.begin("test", &TenantSet::one(&tenant())).await.unwrap();
    let numbers: Vec<(String, i64, i64)> =
        sqlx::query_as("select recipient, min(sequence), max(sequence) from inbox_items group by 1 order by 1")
            .fetch_all(&mut *tx)
            .await
            .unwrap();
    let expected = ["members/li.na", "members/zhang.wei"].map(|member| (member.to_owned(), 1, 40));
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn five_hundred_events_are_one_quick_batch() {
    let mut scene = Scene::with_robot(18, 4).await;
    let events: Vec<_> = (0..500)
        .map(|number| {
            scene
                .facts
                .assigned(&format!("{number}"), &format!("member-{}", number % 20))
        })
        .collect();
    let start = Instant::now();
    scene.apply(&events).await.unwrap();
    println!("500 events: {:?}", start.elapsed());
    let single = [scene.facts.assigned("one", "member-1")];
    let start = Instant::now();
    scene.apply(&single).await.unwrap();
    println!("1 event: {:?}", start.elapsed());
    assert_eq!(scene.messages().await.len(), 1_002);
}
