//! What leads erased or merged is not said any more.

use reflex_notifications::domain::message::{Class, State};
use reflex_proto::leads::v1 as leads;

use crate::{
    facts::assignment,
    scene::{Scene, of_class},
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
