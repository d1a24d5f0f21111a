//! Was X told, when, by which channel, why, with which words.

use reflex_notifications::{
    domain::{
        action::Action,
        message::{Class, INBOX},
    },
    store::messages::Filter,
};
use reflex_proto::notifications::v1::{AnswerActionRequest, GetMessageRequest, ListMessagesRequest};
use reflex_testing::eventually;
use tonic::Code;

use crate::{
    scene::{ROBOT, Scene, tenant},
    served::Served,
};

#[tokio::test]
async fn messages_are_found_by_class_channel_and_time() {
    let mut scene = Scene::with_robot(20, 5).await;
    let began = scene.app.clock.now();
    scene.assign([1]).await;
    scene.clock.advance(jiff::SignedDuration::from_mins(10));
    let later = scene.app.clock.now();
    scene.escalate([2]).await;
    let found = async |filter: Filter<'_>| {
        let mut messages = scene.app.list_messages(&tenant(), &filter, None, 100).await.unwrap();
        messages.reverse();
        messages
            .into_iter()
            .map(|message| (message.subject, message.channel))
            .collect::<Vec<_>>()
    };
    let both = |lead: &str| vec![(lead.to_owned(), INBOX.to_owned()), (lead.to_owned(), ROBOT.to_owned())];
    let escalations = Filter {
        class: Some(Class::Escalation),
        ..Filter::default()
    };
    assert_eq!(found(escalations).await, both("leads/e2"));
    let until = Filter {
        start: Some(began),
        end: Some(later),
        ..Filter::default()
    };
    assert_eq!(found(until).await, both("leads/a1"), "the end is not part of it");
    let since = Filter {
        start: Some(later),
        channel: Some(ROBOT),
        ..Filter::default()
    };
    assert_eq!(found(since).await, both("leads/e2")[1..]);
}

#[tokio::test]
async fn a_message_says_why_it_was_written_and_what_was_done_with_it() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.escalate([1]).await;
    scene.send_all().await;
    let message = scene.robot_messages().await.remove(0);
    assert_eq!(message.cause_kind, "reflex.leads.v1.LeadEscalated");
    assert_eq!(message.ladder_step, Some(1));
    let buttons = scene.provider.taken().remove(0).actions;
    let ack = buttons.iter().find(|button| button.action == Action::Ack).unwrap();
    let request = AnswerActionRequest {
        token: ack.url.rsplit_once('/').unwrap().1.to_owned(),
        request_id: String::new(),
    };
    scene.app.answer_action(&tenant(), None, &request).await.unwrap();
    for message in scene.messages().await {
        let answers = scene.app.list_answers(&tenant(), message.id).await.unwrap();
        let done: Vec<_> = answers.iter().map(|answer| answer.action).collect();
        assert_eq!(
            done,
            [Action::Ack],
            "of every message about the event: {}",
            message.channel
        );
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let mut served = Served::start().await;
    let told = served.facts.escalated("1", "liu.min", &["inbox"]);
    served.tell(&[told]).await;
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    for (request, field) in [
        (
            ListMessagesRequest {
                message_class: "rumour".into(),
                ..ListMessagesRequest::default()
            },
            "message_class",
        ),
        (
            ListMessagesRequest {
                start_time: time(2),
                end_time: time(1),
                ..ListMessagesRequest::default()
            },
            "end_time",
        ),
        (
            ListMessagesRequest {
                start_time: time(i64::MAX),
                ..ListMessagesRequest::default()
            },
            "start_time",
        ),
        (
            ListMessagesRequest {
                channel: "c".repeat(201),
                ..ListMessagesRequest::default()
            },
            "channel",
        ),
    ] {
        let refused = served.messages().list_messages(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(field), "{field}: {}", refused.message());
    }
    let asked = ListMessagesRequest {
        message_class: "escalation".into(),
        channel: "inbox".into(),
        ..ListMessagesRequest::default()
    };
    let found = eventually("it is told", async || {
        let listed = served
            .messages()
            .list_messages(asked.clone())
            .await
            .unwrap()
            .into_inner();
        listed.messages.into_iter().next()
    })
    .await;
    let request = GetMessageRequest { name: found.name };
    let message = served
        .messages()
        .get_message(request)
        .await
        .unwrap()
        .into_inner()
        .message
        .unwrap();
    assert_eq!(
        (message.cause_type.as_str(), message.ladder_step),
        ("reflex.leads.v1.LeadEscalated", 1)
    );
    served.stop().await;
}
