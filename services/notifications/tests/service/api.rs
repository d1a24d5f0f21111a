//! Channels, templates and the ledger over gRPC.

use reflex_proto::{
    notifications::v1::{
        Channel, GetMessageRequest, ListChannelsRequest, ListMessagesRequest, ListTemplatesRequest, Message,
        PutChannelRequest, PutTemplateRequest, Template, channel::Kind, message::State,
        message_service_client::MessageServiceClient,
    },
    platform::v1::Reason,
};
use reflex_rpc::{identity::Role, status::reason_of};
use reflex_testing::eventually;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::served::Served;

fn robot(name: &str) -> Channel {
    Channel {
        name: format!("channels/{name}"),
        kind: Kind::DingtalkRobot.into(),
        endpoint: "https://oapi.dingtalk.com/robot/send?access_token=canary".to_owned(),
        secret: "SECcanary".to_owned(),
        teams: vec!["teams/suzhou".to_owned()],
        enabled: true,
        ..Channel::default()
    }
}

fn put(channel: Channel) -> PutChannelRequest {
    PutChannelRequest {
        channel: Some(channel),
        request_id: String::new(),
    }
}

pub(crate) fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_details_bad_request().unwrap();
    details
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

pub(crate) async fn list(served: &Served, request: ListMessagesRequest) -> Result<(Vec<Message>, String), Status> {
    let response = served.messages().list_messages(request).await?.into_inner();
    Ok((response.messages, response.next_page_token))
}

#[tokio::test]
async fn a_channel_is_set_up_and_its_secrets_never_come_back() {
    let served = Served::start().await;
    let mut channels = served.channels(Role::Admin);
    let stored = channels
        .put_channel(put(robot("suzhou")))
        .await
        .unwrap()
        .into_inner()
        .channel
        .unwrap();
    assert_eq!(stored.endpoint, "https://oapi.dingtalk.com/robot/send?access_token=***");
    assert_eq!(
        (
            stored.messages_per_minute,
            stored.reserved_for_escalations,
            stored.available_now
        ),
        (18, 4, 18)
    );

    // What was read is written back with one change: address and secret stay.
    let changed = Channel {
        messages_per_minute: 20,
        ..stored
    };
    channels.put_channel(put(changed)).await.unwrap();
    for name in ["a", "b"] {
        channels.put_channel(put(robot(name))).await.unwrap();
    }
    let page = ListChannelsRequest {
        page_size: 2,
        page_token: String::new(),
    };
    let first = channels.list_channels(page.clone()).await.unwrap().into_inner();
    let page_token = first.next_page_token;
    let second = channels
        .list_channels(ListChannelsRequest { page_token, ..page })
        .await
        .unwrap()
        .into_inner();
    let all: Vec<_> = first.channels.into_iter().chain(second.channels).collect();
    let names: Vec<_> = all.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["channels/a", "channels/b", "channels/suzhou"]);
    assert_eq!(all[2].messages_per_minute, 20);
    assert!(!format!("{all:?}").contains("canary"));
    let stored: Vec<Vec<u8>> = sqlx::query_scalar("select endpoint || secret from channels")
        .fetch_all(
            &mut *served
                .foundation
                .db
                .begin("test", &reflex_tenancy::TenantSet::one(&crate::scene::tenant()))
                .await
                .unwrap(),
        )
        .await
        .unwrap();
    assert!(
        stored
            .iter()
            .all(|bytes| !String::from_utf8_lossy(bytes).contains("canary")),
        "encrypted at rest"
    );
    served.stop().await;
}

#[tokio::test]
async fn a_channel_that_cannot_work_is_refused() {
    let served = Served::start().await;
    let mut channels = served.channels(Role::Admin);
    for (channel, field) in [
        (
            Channel {
                name: "channels/Ä".to_owned(),
                ..robot("a")
            },
            "channel.name",
        ),
        (Channel { kind: 0, ..robot("a") }, "channel.kind"),
        (
            Channel {
                endpoint: String::new(),
                ..robot("a")
            },
            "channel.endpoint",
        ),
        (
            Channel {
                endpoint: "http://oapi.dingtalk.com/".to_owned(),
                ..robot("a")
            },
            "channel.endpoint",
        ),
        (
            Channel {
                endpoint: "https://169.254.169.254/".to_owned(),
                ..robot("a")
            },
            "channel.endpoint",
        ),
        (
            Channel {
                endpoint: "https://evil.example/".to_owned(),
                ..robot("a")
            },
            "channel.endpoint",
        ),
        (
            Channel {
                teams: vec!["suzhou".to_owned()],
                ..robot("a")
            },
            "channel.teams[0]",
        ),
        (
            Channel {
                teams: vec!["teams/a".to_owned(); 101],
                ..robot("a")
            },
            "channel.teams",
        ),
        (
            Channel {
                messages_per_minute: 21,
                ..robot("a")
            },
            "channel.messages_per_minute",
        ),
        (
            Channel {
                reserved_for_escalations: 18,
                ..robot("a")
            },
            "channel.reserved_for_escalations",
        ),
        (
            Channel {
                secret: "a\0".to_owned(),
                ..robot("a")
            },
            "channel.secret",
        ),
    ] {
        let refused = channels.put_channel(put(channel)).await.unwrap_err();
        assert_eq!(fields(&refused), [field], "{refused}");
    }
    for role in [Role::Manager, Role::Sales, Role::Viewer, Role::Service] {
        let refused = served.channels(role).put_channel(put(robot("a"))).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{role}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_repeated_write_gets_its_first_answer() {
    let served = Served::start().await;
    let mut channels = served.channels(Role::Admin);
    let first = PutChannelRequest {
        channel: Some(robot("a")),
        request_id: "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".to_owned(),
    };
    let answer = channels.put_channel(first.clone()).await.unwrap().into_inner();
    let other = Channel {
        enabled: false,
        ..robot("a")
    };
    channels.put_channel(put(other.clone())).await.unwrap();
    assert_eq!(channels.put_channel(first.clone()).await.unwrap().into_inner(), answer);
    let changed = PutChannelRequest {
        channel: Some(other),
        ..first
    };
    let refused = channels.put_channel(changed).await.unwrap_err();
    assert_eq!(reason_of(&refused), Some(Reason::RequestIdReused));
    let listed = channels
        .list_channels(ListChannelsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(!listed.channels[0].enabled, "the repetition changed nothing");
    served.stop().await;
}

#[tokio::test]
async fn templates_are_checked_versioned_and_used() {
    let mut served = Served::start().await;
    let mut templates = served.templates();
    let publish = |title: &str, body: &str| PutTemplateRequest {
        template: Some(Template {
            key: "lead_assigned".to_owned(),
            locale: "zh-CN".to_owned(),
            title: title.to_owned(),
            body: body.to_owned(),
            ..Template::default()
        }),
        request_id: String::new(),
    };
    let refused = templates
        .put_template(publish("{{number}}", "{{phone}}"))
        .await
        .unwrap_err();
    assert_eq!(fields(&refused), ["template.body", "template.body"]);
    assert!(
        refused.get_details_bad_request().unwrap().field_violations[0]
            .description
            .contains("{{phone}}")
    );
    let unknown = PutTemplateRequest {
        template: Some(Template {
            key: "lead_lost".to_owned(),
            locale: "fr".to_owned(),
            ..Template::default()
        }),
        request_id: String::new(),
    };
    assert_eq!(
        fields(&templates.put_template(unknown).await.unwrap_err()),
        ["template.key", "template.locale"]
    );

    for expected in [1, 1] {
        let stored = templates
            .put_template(publish("来单 {{number}}", "{{company}}"))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            stored.template.unwrap().version,
            expected,
            "the same words are the same version"
        );
    }
    let stored = templates
        .put_template(publish("来单啦 {{number}}", "{{company}}"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stored.template.unwrap().version, 2);
    let mut page = ListTemplatesRequest {
        page_size: 3,
        ..ListTemplatesRequest::default()
    };
    let mut listed = Vec::new();
    loop {
        let response = templates.list_templates(page.clone()).await.unwrap().into_inner();
        listed.extend(response.templates);
        page.page_token = response.next_page_token;
        if page.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed.len(), 12, "six kinds in two languages");
    assert_eq!(listed.iter().filter(|template| template.version == 0).count(), 11);

    let assigned = served.facts.assigned("1", "zhang.wei");
    served.tell(&[assigned]).await;
    let message = eventually("the owner is told", async || {
        list(&served, ListMessagesRequest::default()).await.unwrap().0.pop()
    })
    .await;
    assert_eq!(
        (message.template.as_str(), message.title.as_str()),
        ("lead_assigned@2", "来单啦 L-1")
    );
    served.stop().await;
}

#[tokio::test]
async fn the_ledger_is_paged_filtered_and_the_tenants_own() {
    let mut served = Served::start().await;
    let events: Vec<_> = (0..7)
        .map(|number| served.facts.assigned(&format!("{number}"), "zhang.wei"))
        .collect();
    let other = served.facts.assigned("x", "li.na");
    served.tell(&events).await;
    served.tell(&[other]).await;
    eventually("all are told", async || {
        list(&served, ListMessagesRequest::default()).await.unwrap().0.len() == 8
    })
    .await;
    let mut request = ListMessagesRequest {
        page_size: 3,
        recipient: "members/zhang.wei".to_owned(),
        state: State::Delivered.into(),
        ..ListMessagesRequest::default()
    };
    let mut names = Vec::new();
    loop {
        let (messages, token) = list(&served, request.clone()).await.unwrap();
        assert!(messages.len() <= 3);
        names.extend(messages.into_iter().map(|message| message.name));
        request.page_token = token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names.len(), 7);
    assert!(names.windows(2).all(|pair| pair[0] > pair[1]), "newest first");

    let (_, page_token) = list(
        &served,
        ListMessagesRequest {
            page_size: 1,
            ..ListMessagesRequest::default()
        },
    )
    .await
    .unwrap();
    let foreign = ListMessagesRequest {
        page_token,
        subject: "leads/1".to_owned(),
        ..ListMessagesRequest::default()
    };
    assert_eq!(
        reason_of(&list(&served, foreign).await.unwrap_err()),
        Some(Reason::PageTokenMismatch)
    );
    let unknown = ListMessagesRequest {
        state: 99,
        ..ListMessagesRequest::default()
    };
    assert_eq!(fields(&list(&served, unknown).await.unwrap_err()), ["state"]);

    let name = names.pop().unwrap();
    let got = served
        .messages()
        .get_message(GetMessageRequest { name: name.clone() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(got.message.unwrap().name, name);
    let huabei = "huabei".parse().unwrap();
    let mut neighbour = MessageServiceClient::new(served.caller_of(&huabei, Role::Admin, None));
    for name in [
        name,
        "messages/0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b".to_owned(),
        "nonsense".to_owned(),
    ] {
        let refused = neighbour.get_message(GetMessageRequest { name }).await.unwrap_err();
        assert_eq!(reason_of(&refused), Some(Reason::NotFound));
    }
    assert!(
        neighbour
            .list_messages(ListMessagesRequest::default())
            .await
            .unwrap()
            .into_inner()
            .messages
            .is_empty()
    );
    served.stop().await;
}
