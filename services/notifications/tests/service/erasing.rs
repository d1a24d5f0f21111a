//! What leads erased, merged or withdrew is not said any more.

use reflex_notifications::{
    domain::message::{Class, State},
    store::inbox::Page,
};
use reflex_proto::leads::v1 as leads;
use reflex_tenancy::TenantSet;

use crate::{
    facts::assignment,
    scene::{Scene, of_class, tenant},
};

#[tokio::test]
async fn every_message_about_an_erased_lead_is_blank_and_none_is_sent() {
    let mut scene = Scene::with_robot(1, 0).await;
    let told = [
        scene.facts.member("zhang.wei", "张伟"),
        scene.facts.assigned_with(&leads::LeadAssigned {
            contact_name: "欧阳测试甲".to_owned(),
            ..assignment("1", "zhang.wei")
        }),
        scene.facts.assigned("2", "zhang.wei"),
        scene.facts.assigned("3", "zhang.wei"),
    ];
    scene.apply(&told).await.unwrap();
    scene.send_all().await;
    let erased = leads::SubjectErased {
        lead: told[1].subject.clone(),
        erasure: "erasures/1".to_owned(),
    };
    let late = scene.facts.assigned_with(&leads::LeadAssigned {
        contact_name: "欧阳测试甲".to_owned(),
        ..assignment("1", "zhang.wei")
    });
    let erased = scene.facts.event("SubjectErased", &told[1].subject, &erased);
    scene.apply(&[late, erased.clone()]).await.unwrap();
    scene.apply(&[erased]).await.unwrap();
    let mut tx = scene.database.begin("test", &TenantSet::one(&tenant())).await.unwrap();
    let about: Vec<bool> = sqlx::query_scalar("select facts is null from messages where subject = $1")
        .bind(&told[1].subject)
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    assert!(
        !about.is_empty() && about.iter().all(|is_null| *is_null),
        "no fact is left"
    );
    drop(tx);
    let messages = scene.messages().await;
    let about: Vec<_> = messages
        .iter()
        .filter(|message| message.subject == told[1].subject)
        .collect();
    assert!(about.len() >= 4, "{about:?}");
    assert!(
        about
            .iter()
            .all(|message| message.title.is_empty() && message.body.is_empty())
    );
    assert!(about.iter().all(|message| message.state != State::Pending));
    assert!(messages.iter().all(|message| !message.body.contains("欧阳测试甲")));
    assert!(messages.iter().any(|message| !message.body.is_empty()), "others stay");
}

#[tokio::test]
async fn nobody_is_reminded_of_a_lead_while_it_stands_for_another() {
    let mut scene = Scene::with_robot(20, 5).await;
    let zhang = scene.facts.member("zhang.wei", "张伟");
    let first = scene.facts.escalated("1", "zhang.wei", &["dingtalk"]);
    let lead = first.subject.clone();
    scene.apply(&[zhang, first]).await.unwrap();
    let merged = leads::LeadMerged {
        lead: lead.clone(),
        survivor: "leads/2".to_owned(),
        ..leads::LeadMerged::default()
    };
    let merged = scene.facts.event("LeadMerged", &lead, &merged);
    scene.apply(&[merged]).await.unwrap();
    let during = scene.facts.escalated("1", "zhang.wei", &["dingtalk"]);
    scene.apply(&[during]).await.unwrap();
    let waiting = async |scene: &Scene| {
        let messages = scene.messages().await;
        let reminders = of_class(&messages, Class::Escalation);
        reminders.iter().filter(|it| it.state == State::Pending).count()
    };
    assert_eq!(waiting(&scene).await, 0);
    let unmerged = leads::LeadUnmerged {
        lead: lead.clone(),
        survivor: "leads/2".to_owned(),
        waits: true,
        ..leads::LeadUnmerged::default()
    };
    let unmerged = scene.facts.event("LeadUnmerged", &lead, &unmerged);
    let after = scene.facts.escalated("1", "zhang.wei", &["dingtalk"]);
    scene.apply(&[unmerged, after]).await.unwrap();
    assert_eq!(waiting(&scene).await, 1);
}

#[tokio::test]
async fn nothing_is_open_about_a_lead_that_is_gone() {
    let mut scene = Scene::with_robot(1, 0).await;
    let told = [
        scene.facts.member("zhang.wei", "张伟"),
        scene.facts.assigned("1", "zhang.wei"),
        scene.facts.assigned("2", "zhang.wei"),
    ];
    scene.apply(&told).await.unwrap();
    let withdrawn = |lead: &str| leads::LeadWithdrawn {
        lead: lead.to_owned(),
        ..leads::LeadWithdrawn::default()
    };
    // One whose assignment is told in the same batch, and one from before.
    let late = scene.facts.assigned("3", "zhang.wei");
    let both = [told[1].subject.clone(), late.subject.clone()];
    let gone = both
        .clone()
        .map(|lead| scene.facts.event("LeadWithdrawn", &lead, &withdrawn(&lead)));
    let batch = [&[late][..], &gone].concat();
    scene.apply(&batch).await.unwrap();
    scene.apply(&gone).await.unwrap();
    let about: Vec<_> = scene
        .messages()
        .await
        .into_iter()
        .filter(|it| both.contains(&it.subject))
        .collect();
    assert_eq!(about.len(), 4);
    assert!(about.iter().all(|message| message.state != State::Pending), "{about:?}");
    let page = Page {
        recipient: "members/zhang.wei",
        unread_only: false,
        before: None,
        limit: 10,
    };
    let (items, unread) = scene.app.list_inbox_items(&tenant(), &page).await.unwrap();
    let left: Vec<&str> = items.iter().map(|item| item.subject.as_str()).collect();
    assert_eq!((left, unread), (vec![told[2].subject.as_str()], 1));
    scene.send_all().await;
    assert_eq!(
        scene
            .robot_messages()
            .await
            .iter()
            .filter(|it| it.state == State::Delivered)
            .count(),
        1
    );
}
