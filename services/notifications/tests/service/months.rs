//! What channels to single people, months, paces and bounces mean for what is sent.

use jiff::SignedDuration;
use reflex_notifications::{
    app::{put_quota::WantedQuota, send::Step},
    channels::{Fault, Outcome},
    domain::{
        bounce::Bounce,
        budget::Limits,
        channel::Kind,
        message::State,
        quota::{Monthly, Scope},
    },
    error::Error,
};
use reflex_proto::{
    leads::v1::MemberChanged,
    notifications::v1::{PutQuotaRequest, ReportBounceRequest},
};

use reflex_runtime::clock::Clock as _;

use crate::scene::{ROBOT, Scene, in_state, tenant};

const ROOMY: Limits = Limits {
    per_minute: 90,
    reserved: 20,
};

async fn put_quota(scene: &Scene, scope: Scope, messages: i32, reserved: i32) {
    let wanted = WantedQuota {
        name: "quotas/q".to_owned(),
        scope,
        monthly: Some(Monthly { messages, reserved }),
        administrators: vec!["members/admin".to_owned()],
    };
    let request = PutQuotaRequest::default();
    scene.app.put_quota(&tenant(), wanted, None, &request).await.unwrap();
}

async fn used(scene: &Scene) -> i64 {
    scene.app.list_quotas(&tenant(), None, 10).await.unwrap().0[0].used
}

async fn know_zhang(scene: &mut Scene, email: &str) {
    let member = scene.facts.member_with(&MemberChanged {
        member: "members/zhang.wei".into(),
        display_name: "张伟".into(),
        mobile: "13800000001".into(),
        email: email.into(),
        active: true,
        ..MemberChanged::default()
    });
    scene.apply(&[member]).await.unwrap();
}

#[tokio::test]
async fn a_month_that_is_used_up_leaves_the_rest_to_escalations_and_tells_once() {
    for scope in [
        Scope::Channel(ROBOT.to_owned()),
        Scope::Kind(Kind::WecomApp),
        Scope::Every,
    ] {
        let mut scene = Scene::start().await;
        scene.put_kind(Kind::WecomApp, ROOMY).await;
        put_quota(&scene, scope, 10, 2).await;
        scene.assign(1..=12).await;
        scene.escalate(1..=3).await;
        scene.send_all().await;
        // Escalations go first: three of them, then assignments until two are left.
        assert_eq!(scene.provider.titles().len(), 8);
        let messages = scene.robot_messages().await;
        assert_eq!(in_state(&messages, State::Failed), 7);
        assert!(
            messages
                .iter()
                .filter(|message| message.state == State::Failed)
                .all(|message| message.reason == "quota: quotas/q is used up for assignment")
        );
        scene.escalate(4..=9).await;
        scene.send_all().await;
        assert_eq!((scene.provider.titles().len(), used(&scene).await), (10, 10));
        let told = |messages: Vec<reflex_notifications::store::messages::Message>| -> Vec<String> {
            let alarms = messages
                .into_iter()
                .filter(|message| message.recipient == "members/admin");
            alarms.map(|message| message.title).collect()
        };
        assert_eq!(
            told(scene.messages().await),
            ["消息额度已用 80%（quotas/q）", "消息额度已用 100%（quotas/q）"]
        );
        let failed = |told: &Vec<String>| told.iter().filter(|kind| *kind == "NotificationFailed").count();
        assert_eq!(failed(&scene.told().await), 7 + 4, "nobody is left to wonder");

        scene.clock.advance(SignedDuration::from_hours(24 * 31));
        scene.assign([100]).await;
        scene.send_all().await;
        assert_eq!((scene.provider.titles().len(), used(&scene).await), (11, 1));
    }
}

#[tokio::test]
async fn what_another_channel_sends_is_not_counted_and_what_was_refused_is_given_back() {
    let mut scene = Scene::with_robot(20, 0).await;
    put_quota(&scene, Scope::Kind(Kind::Sms), 1, 0).await;
    scene.assign(1..=3).await;
    scene.send_all().await;
    assert_eq!((scene.provider.titles().len(), used(&scene).await), (3, 0));

    put_quota(&scene, Scope::Every, 5, 0).await;
    scene.provider.script([
        Outcome::GiveUp {
            provider_code: "40035".into(),
            reason: "no".into(),
            fault: Fault::Message,
        },
        crate::scene::retry_later(),
    ]);
    scene.assign(4..=5).await;
    scene.send_all().await;
    assert_eq!(used(&scene).await, 1, "a refusal costs nothing, a lost answer may have");
}

#[tokio::test]
async fn senders_that_race_share_one_month() {
    let mut scene = Scene::start().await;
    scene.put_kind(Kind::WecomApp, ROOMY).await;
    put_quota(&scene, Scope::Every, 30, 0).await;
    scene.assign(1..=60).await;
    let senders = (0..4).map(|_| {
        let sender = std::sync::Arc::clone(&scene.sender);
        async move { while sender.send_next(&tenant(), ROBOT).await.unwrap() == Step::Went {} }
    });
    futures_util::future::join_all(senders).await;
    assert_eq!((scene.provider.titles().len(), used(&scene).await), (30, 30));
    assert_eq!(in_state(&scene.robot_messages().await, State::Failed), 30);
}

#[tokio::test]
async fn escalations_whose_part_lasts_go_together_within_five_seconds() {
    let mut scene = Scene::with_robot(20, 14).await;
    scene.assign(1..=100).await;
    scene.send_all().await;
    let before = scene.provider.titles().len();
    assert_eq!(before, 6, "assignments have their part");
    // One a second for three minutes: more than the robot takes.
    let mut created = Vec::new();
    for number in 0..180 {
        scene.escalate([number]).await;
        created.push(scene.clock.now());
        scene.send_all().await;
        scene.clock.advance(SignedDuration::from_secs(1));
    }
    for _ in 0..5 {
        scene.send_all().await;
        scene.clock.advance(SignedDuration::from_secs(1));
    }
    let messages = scene.robot_messages().await;
    let escalations = messages
        .iter()
        .filter(|message| message.template.starts_with("lead_escalated"));
    let mut count = 0;
    for message in escalations {
        eprintln!(
            "XX {} {:?} {:?} {}",
            message.create_time, message.deliver_time, message.state, message.reason
        );
        let waited = message.deliver_time.unwrap().duration_since(message.create_time);
        assert!(waited <= SignedDuration::from_secs(5), "{waited}");
        count += 1;
    }
    assert_eq!(count, 180);
    assert!(scene.provider.busiest_minute() <= 20);
}

#[tokio::test]
async fn digests_of_feishu_keep_off_the_full_hour_and_escalations_do_not() {
    let mut scene = Scene::start().await;
    let limits = Limits {
        per_minute: 3,
        reserved: 1,
    };
    scene.put_kind(Kind::FeishuRobot, limits).await;
    let step = SignedDuration::from_millis(250);
    let send = async |scene: &Scene| {
        for _ in 0..4 {
            scene.send_all().await;
            scene.clock.advance(step);
        }
    };
    let past_hour = scene.clock.now().as_second().rem_euclid(3_600);
    scene.clock.advance(SignedDuration::from_secs(3_600 - past_hour));
    // At the very hour: single messages go, what would be merged waits.
    scene.assign(1..=9).await;
    scene.escalate([1]).await;
    send(&scene).await;
    assert_eq!(scene.provider.titles().len(), 1);
    assert_eq!(in_state(&scene.robot_messages().await, State::Pending), 9);
    let Step::Rest(rest) = scene.send_all().await else {
        panic!("the digest waits")
    };
    let until = rest.assignments.unwrap();
    assert!(until >= scene.clock.now() + SignedDuration::from_secs(80));
    scene.clock.advance(until.duration_since(scene.clock.now()));
    send(&scene).await;
    assert_eq!(in_state(&scene.robot_messages().await, State::Pending), 0);
}

#[tokio::test]
async fn a_bounce_tells_the_truth_and_spares_a_dead_address() {
    let mut scene = Scene::start().await;
    scene.put_kind(Kind::Email, ROOMY).await;
    know_zhang(&mut scene, "Zhang.Wei@example.com").await;
    scene.assign([1]).await;
    scene.send_all().await;
    let message = scene.robot_messages().await.remove(0);
    let to = &scene.provider.taken()[0].to;
    assert_eq!((to.email.as_str(), to.is_bounced), ("Zhang.Wei@example.com", false));

    let bounce = Bounce {
        message: message.id,
        address: "zhang.wei@EXAMPLE.com".into(),
        is_final: true,
        status: "5.1.1".into(),
        diagnostic: "550 no such user".into(),
    };
    let report = async |scene: &Scene, bounce: &Bounce| {
        let request = ReportBounceRequest::default();
        scene.app.report_bounce(&tenant(), bounce.clone(), None, &request).await
    };
    for _ in 0..2 {
        let response = report(&scene, &bounce).await.unwrap();
        assert!(response.address_dead);
    }
    let failed = scene.robot_messages().await.remove(0);
    assert_eq!(
        (failed.state, failed.reason.as_str()),
        (State::Failed, "bounced: 5.1.1")
    );
    assert_eq!(failed.deliver_time, None);
    assert_eq!(scene.attempts(message.id).await.len(), 2, "told twice, written once");
    let told = scene.told().await;
    assert_eq!(told.iter().filter(|kind| *kind == "NotificationFailed").count(), 1);

    let is_bounced = async |scene: &mut Scene, number| {
        scene.assign([number]).await;
        scene.send_all().await;
        scene.provider.taken().pop().unwrap().to.is_bounced
    };
    assert!(is_bounced(&mut scene, 2).await);
    scene.clock.advance(SignedDuration::from_hours(24 * 31));
    assert!(!is_bounced(&mut scene, 3).await, "after a month it is tried again");
    report(&scene, &bounce).await.unwrap();
    assert!(is_bounced(&mut scene, 4).await);
    know_zhang(&mut scene, "zhang@example.com").await;
    assert!(!is_bounced(&mut scene, 5).await, "another address is another matter");

    let of = |message| Bounce {
        message,
        ..bounce.clone()
    };
    let inbox = scene.messages().await;
    let inbox = inbox.iter().find(|message| message.channel == "inbox").unwrap();
    let another_way = report(&scene, &of(inbox.id)).await;
    assert!(matches!(another_way, Err(Error::WrongState(_))), "{another_way:?}");
    let unknown = report(&scene, &of(uuid::Uuid::nil())).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))), "{unknown:?}");
}
