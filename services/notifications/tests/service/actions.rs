//! The links of messages: what they do, once, and what is no use.

use std::sync::Arc;

use jiff::SignedDuration;
use reflex_notifications::{
    app::put_channel::WantedChannel,
    channels::Button,
    domain::{account::Account, action::Action, action_link::Links, budget::Limits, channel::Kind},
    error::Error,
    store::inbox::Page,
};
use reflex_proto::{
    leads::v1 as leads,
    notifications::v1::{
        AnswerActionRequest, AnswerActionResponse, MarkInboxItemReadRequest, PutChannelRequest,
        action::{self, State},
    },
};
use reflex_rpc::identity::{Caller, Role};
use reflex_tenancy::TenantId;

use crate::{
    facts::assignment,
    scene::{Scene, tenant},
};

/// Returns the token of a link.
fn token(buttons: &[Button], action: Action) -> String {
    let button = buttons.iter().find(|button| button.action == action).unwrap();
    button.url.rsplit_once('/').unwrap().1.to_owned()
}

async fn answer(scene: &Scene, token: &str) -> Result<AnswerActionResponse, Error> {
    let request = AnswerActionRequest {
        token: token.to_owned(),
        request_id: String::new(),
    };
    scene.app.answer_action(&tenant(), None, &request).await
}

async fn state(scene: &Scene, token: &str) -> Result<State, Error> {
    Ok(scene.app.get_action(&tenant(), token).await?.state())
}

/// Assigns a lead to Zhang Wei and returns the buttons of the robot's message.
async fn assigned(scene: &mut Scene, lead: &str) -> Vec<Button> {
    let told = scene.facts.assigned_with(&leads::LeadAssigned {
        fencing_token: 7,
        ..assignment(lead, "zhang.wei")
    });
    scene.apply(&[told]).await.unwrap();
    scene.send_all().await;
    scene.provider.taken().pop().unwrap().actions
}

async fn unread(scene: &Scene, member: &str) -> i64 {
    let page = Page {
        recipient: member,
        unread_only: true,
        before: None,
        limit: 10,
    };
    scene.app.list_inbox_items(&tenant(), &page).await.unwrap().1
}

#[tokio::test]
async fn a_message_to_one_person_has_links_that_say_what_they_do() {
    let mut scene = Scene::with_robot(20, 5).await;
    let zhang = scene.facts.member("zhang.wei", "张伟");
    scene.apply(&[zhang]).await.unwrap();
    let buttons = assigned(&mut scene, "1").await;
    let labels: Vec<_> = buttons.iter().map(|button| (button.action, button.label)).collect();
    assert_eq!(
        labels,
        [
            (Action::Claim, "认领"),
            (Action::Confirm, "已联系客户"),
            (Action::Ignore, "忽略")
        ]
    );
    assert!(buttons[0].url.starts_with("https://reflex.example/v1/actions/huadong."));
    let claim = token(&buttons, Action::Claim);
    let shown = scene.app.get_action(&tenant(), &claim).await.unwrap();
    assert_eq!((shown.kind(), shown.state()), (action::Kind::Claim, State::Open));
    assert_eq!((shown.subject.as_str(), shown.fencing_token), ("leads/1", 7));
    assert_eq!(
        (shown.recipient.as_str(), shown.recipient_display_name.as_str()),
        ("members/zhang.wei", "张伟")
    );
    assert_eq!(shown.effect_request_id.len(), 36);

    let first = answer(&scene, &claim).await.unwrap();
    assert!(!first.existed);
    scene.clock.advance(SignedDuration::from_mins(5));
    let again = answer(&scene, &claim).await.unwrap();
    assert!(again.existed);
    let time = |response: &AnswerActionResponse| response.action.as_ref().unwrap().answer_time;
    assert_eq!(time(&again), time(&first), "a second click shows when it was done");
    assert_eq!(state(&scene, &claim).await.unwrap(), State::Answered);
    assert_eq!(
        state(&scene, &token(&buttons, Action::Confirm)).await.unwrap(),
        State::Open
    );
    assert_eq!(scene.told().await, ["NotificationSent", "NotificationAnswered"]);
}

#[tokio::test]
async fn acknowledging_reads_the_inbox_item_and_is_told_once() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.escalate([1, 2]).await;
    scene.send_all().await;
    let taken = scene.provider.taken();
    assert_eq!(unread(&scene, "members/liu.min").await, 2);
    answer(&scene, &token(&taken[0].actions, Action::Ack)).await.unwrap();
    assert_eq!(unread(&scene, "members/liu.min").await, 1);

    let page = Page {
        recipient: "members/liu.min",
        unread_only: true,
        before: None,
        limit: 10,
    };
    let item = scene.app.list_inbox_items(&tenant(), &page).await.unwrap().0.remove(0);
    let request = MarkInboxItemReadRequest {
        name: format!("inboxItems/{}", item.id),
        request_id: String::new(),
    };
    let liu = Caller {
        tenant: tenant(),
        subject: "liu.min".into(),
        member: Some("members/liu.min".into()),
        roles: vec![Role::Sales],
        request_deadline: None,
    };
    scene
        .app
        .mark_inbox_item_read(&liu, item.id, None, &request)
        .await
        .unwrap();
    answer(&scene, &token(&taken[1].actions, Action::Ack)).await.unwrap();
    let mut told = scene.told().await;
    told.retain(|kind| kind != "NotificationSent");
    assert_eq!(
        told,
        [
            "NotificationAnswered",
            "NotificationAcknowledged",
            "NotificationAcknowledged",
            "NotificationAnswered"
        ],
        "reading in the inbox is acknowledging, too"
    );
}

#[tokio::test]
async fn what_two_channels_brought_is_done_once_however_many_click() {
    let mut scene = Scene::with_robot(20, 5).await;
    let second = WantedChannel {
        name: "channels/second".into(),
        kind: Kind::DingtalkRobot,
        endpoint: "https://oapi.dingtalk.com/robot/send?access_token=u".into(),
        secret: "SEC1".into(),
        account: Account::default(),
        teams: Vec::new(),
        limits: Limits {
            per_minute: 20,
            reserved: 5,
        },
        enabled: true,
    };
    let request = PutChannelRequest::default();
    scene.app.put_channel(&tenant(), second, None, &request).await.unwrap();
    let one = assigned(&mut scene, "1").await;
    scene.sender.send_next(&tenant(), "channels/second").await.unwrap();
    let other = scene.provider.taken().pop().unwrap().actions;
    let (one, other) = (token(&one, Action::Claim), token(&other, Action::Claim));
    assert_ne!(one, other);
    let effect = async |token: &str| scene.app.get_action(&tenant(), token).await.unwrap().effect_request_id;
    assert_eq!(effect(&one).await, effect(&other).await, "leads is asked the same, too");

    let clicks = (0..20).map(|number| answer(&scene, if number % 2 == 0 { &one } else { &other }));
    let answers = futures_util::future::join_all(clicks).await;
    let first = answers
        .iter()
        .filter(|answer| !answer.as_ref().unwrap().existed)
        .count();
    assert_eq!(first, 1);
    let told = scene.told().await;
    assert_eq!(told.iter().filter(|kind| *kind == "NotificationAnswered").count(), 1);
}

#[tokio::test]
async fn links_about_what_is_gone_say_so() {
    let mut scene = Scene::with_robot(20, 5).await;
    let erased = assigned(&mut scene, "1").await;
    let withdrawn = assigned(&mut scene, "2").await;
    let done = token(&withdrawn, Action::Claim);
    answer(&scene, &done).await.unwrap();
    let erasure = leads::SubjectErased {
        lead: "leads/1".into(),
        erasure: "erasures/1".into(),
    };
    let withdrawal = leads::LeadWithdrawn {
        lead: "leads/2".into(),
        ..leads::LeadWithdrawn::default()
    };
    let gone = [
        scene.facts.event("SubjectErased", "leads/1", &erasure),
        scene.facts.event("LeadWithdrawn", "leads/2", &withdrawal),
    ];
    scene.apply(&gone).await.unwrap();
    scene.apply(&gone).await.unwrap();
    let (erased, open) = (token(&erased, Action::Ignore), token(&withdrawn, Action::Ignore));
    let shown = scene.app.get_action(&tenant(), &erased).await.unwrap();
    assert_eq!((shown.state(), shown.title.as_str()), (State::Erased, ""));
    assert_eq!(state(&scene, &open).await.unwrap(), State::Withdrawn);
    for token in [&erased, &open] {
        let refused = answer(&scene, token).await.unwrap_err();
        assert!(matches!(refused, Error::WrongState(_)), "{refused}");
    }
    assert!(answer(&scene, &done).await.unwrap().existed, "what was done stays done");
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_not_told() {
    let mut scene = Scene::with_robot(20, 5).await;
    let buttons = assigned(&mut scene, "1").await;
    let good = token(&buttons, Action::Claim);
    let expected = "the action of this link does not exist";
    let verdict = async |tenant: &str, token: &str| {
        let tenant: TenantId = tenant.parse().unwrap();
        scene
            .app
            .get_action(&tenant, token)
            .await
            .map_err(|error| error.to_string())
            .err()
    };
    assert_eq!(verdict("huadong", &good).await, None);
    let foreign = good.replace("huadong.", "huabei.");
    for (tenant, token) in [
        ("huabei", good.as_str()),
        ("huabei", &foreign),
        ("huadong", "x"),
        ("huadong", ""),
    ] {
        assert_eq!(verdict(tenant, token).await.as_deref(), Some(expected), "{tenant}");
    }
    // Signed with the right key, about a message that somebody else has.
    let links = scene.app.links.clone().unwrap();
    let mut claim = links.read(&tenant(), &good, scene.app.clock.now()).unwrap();
    claim.recipient = "members/liu.min".into();
    assert_eq!(
        verdict("huadong", &links.token(&claim)).await.as_deref(),
        Some(expected)
    );
    let stranger = Links::new(
        "https://reflex.example",
        vec![vec![1; 32]],
        SignedDuration::from_hours(1),
    );
    claim.recipient = "members/zhang.wei".into();
    assert_eq!(
        verdict("huadong", &stranger.token(&claim)).await.as_deref(),
        Some(expected)
    );

    scene.clock.advance(SignedDuration::from_hours(72));
    assert_eq!(verdict("huadong", &good).await.as_deref(), Some(expected), "expired");
    let refused = answer(&scene, &good).await.unwrap_err().to_string();
    assert_eq!(refused, expected);
    scene.app.links = None;
    let rotated = Arc::new(stranger).token(&claim);
    assert_eq!(
        scene.app.get_action(&tenant(), &rotated).await.unwrap_err().to_string(),
        expected
    );
}

#[tokio::test]
async fn digests_have_no_links() {
    let mut scene = Scene::with_robot(2, 0).await;
    scene.assign(1..=5).await;
    scene.send_all().await;
    let taken = scene.provider.taken();
    assert_eq!(taken.len(), 2, "one message and one digest");
    assert_eq!((taken[0].actions.len(), taken[1].actions.len()), (3, 0));
}
