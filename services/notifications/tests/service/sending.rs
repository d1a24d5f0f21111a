//! How messages reach the provider: within its limit, escalations first, nothing lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use reflex_notifications::{
    app::send::{Rest, Step},
    channels::{Fault, Outcome},
    domain::message::{Class, State},
};
use reflex_runtime::clock::{Clock, FixedClock};

use crate::scene::{ROBOT, Scene, in_state, retry_later, tenant};

#[tokio::test]
async fn a_message_is_sent_and_told_of() {
    let mut scene = Scene::with_robot(18, 4).await;
    let member = scene.facts.member("zhang.wei", "张伟");
    scene.apply(&[member]).await.unwrap();
    scene.assign([1]).await;
    assert_eq!(scene.send_all().await, Step::Rest(Rest::default()));
    let message = scene.robot_messages().await.remove(0);
    assert_eq!(message.state, State::Delivered);
    assert_eq!(message.deliver_time, Some(scene.clock.now()));
    let attempts = scene.attempts(message.id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (attempts[0].provider_code.as_str(), attempts[0].outcome.as_str()),
        ("0", "delivered")
    );
    assert_eq!(scene.told().await, ["NotificationSent"]);
    let sent = scene.provider.taken().remove(0);
    assert_eq!(
        sent.mentions.mobiles,
        ["13800000001"],
        "the person is called in the chat"
    );
    assert!(!sent.text.contains("138"), "{}", sent.text);
}

#[tokio::test]
async fn more_than_the_budget_becomes_a_digest() {
    let mut scene = Scene::with_robot(18, 4).await;
    scene.assign(1..=300).await;
    scene.send_all().await;
    let titles = scene.provider.titles();
    assert_eq!(titles.len(), 14, "18 less the 4 kept for escalations: {titles:?}");
    assert_eq!(titles[0], "新线索 L-a1：华东机床", "the oldest first");
    assert_eq!(titles[13], "287 条线索提醒");
    let digest = scene.provider.taken().remove(13);
    assert!(
        digest.text.contains("- zhang.wei：新线索 L-a14：华东机床"),
        "{}",
        digest.text
    );
    assert!(
        digest.text.ends_with("- 另有 267 条，请在收件箱查看"),
        "{}",
        digest.text
    );

    let messages = scene.robot_messages().await;
    let digest = messages.iter().find(|message| message.template == "digest@0").unwrap();
    let merged: Vec<_> = messages
        .iter()
        .filter(|message| message.state == State::Merged)
        .collect();
    assert_eq!((merged.len(), in_state(&messages, State::Delivered)), (287, 14));
    assert!(
        merged
            .iter()
            .all(|message| message.reason == format!("merged into messages/{}", digest.id))
    );
    assert!(
        merged.iter().all(|message| message.deliver_time.is_some()),
        "told by the digest"
    );
    assert_eq!(digest.cause_event, None);
    assert_eq!(scene.told().await.len(), 300, "everybody's message was told of");
}

#[tokio::test]
async fn escalations_go_first_and_keep_their_part() {
    let mut scene = Scene::with_robot(6, 2).await;
    scene.assign(1..=10).await;
    scene.send_all().await;
    assert_eq!(scene.provider.titles().len(), 4);
    scene.assign(11..=12).await;
    scene.escalate([1]).await;
    scene.send_all().await;
    assert_eq!(
        scene.provider.titles()[4..],
        ["线索 L-e1 超时未联系（1/3）"],
        "from the reserved part"
    );
    scene.escalate(2..=4).await;
    scene.send_all().await;
    assert_eq!(
        scene.provider.titles()[5..],
        ["3 条线索提醒"],
        "the last token of all is for a digest"
    );
    let Step::Rest(rest) = scene.send_all().await else {
        panic!("there is no budget left")
    };
    assert_eq!(
        rest.escalations,
        Some(scene.clock.now() + SignedDuration::from_millis(60_500))
    );

    scene.clock.advance(SignedDuration::from_secs(61));
    scene.escalate([5]).await;
    scene.send_all().await;
    assert_eq!(
        scene.provider.titles()[6..],
        [
            "线索 L-e5 超时未联系（1/3）",
            "新线索 L-a11：华东机床",
            "新线索 L-a12：华东机床"
        ]
    );
    assert_eq!(
        scene.states().await,
        [("delivered", 7), ("digest", 2), ("merged", 10)].into()
    );
}

#[tokio::test]
async fn senders_that_race_share_one_budget() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.assign(1..=200).await;
    scene.escalate(1..=10).await;
    // Each look at the clock by the provider is later than the reservation: the hardest case for the window.
    for round in 0..40 {
        let senders = (0..4).map(|_| {
            let sender = Arc::clone(&scene.sender);
            async move { while sender.send_next(&tenant(), ROBOT).await.unwrap() == Step::Went {} }
        });
        futures_util::future::join_all(senders).await;
        scene.assign((0..3).map(|number| 1_000 + round * 10 + number)).await;
        scene.clock.advance(SignedDuration::from_secs(7));
    }
    assert!(
        scene.provider.busiest_minute() <= 20,
        "{}",
        scene.provider.busiest_minute()
    );
    scene.clock.advance(SignedDuration::from_secs(61));
    scene.send_all().await;
    let states = scene.states().await;
    assert_eq!(states.get("pending"), None, "{states:?}");
    assert_eq!(states["delivered"] + states["merged"], 200 + 10 + 120);
    let delivered = scene.provider.titles().len();
    assert_eq!(states["delivered"] + states["digest"], delivered, "nothing twice");
}

#[tokio::test]
async fn a_failed_message_is_tried_again_and_given_up_after_an_hour() {
    let mut scene = Scene::with_robot(20, 0).await;
    scene.assign([1]).await;
    scene.provider.script((0..8).map(|_| retry_later()));
    let mut tries = 0;
    while scene.states().await.contains_key("pending") {
        scene.send_all().await;
        tries += 1;
        scene.clock.advance(SignedDuration::from_mins(37));
        assert!(tries < 20);
    }
    let message = scene.robot_messages().await.remove(0);
    assert_eq!(
        (message.state, message.reason.as_str()),
        (State::Failed, "timeout: no complete answer in time")
    );
    let attempts = scene.attempts(message.id).await;
    assert_eq!(attempts.len(), 8);
    assert!(attempts.iter().all(|attempt| attempt.outcome == "retry_later"));
    assert_eq!(scene.told().await, ["NotificationFailed"]);
}

#[tokio::test]
async fn retries_wait_longer_each_time() {
    let mut scene = Scene::with_robot(20, 0).await;
    scene.assign([1]).await;
    scene.provider.script([retry_later(), retry_later()]);
    scene.send_all().await;
    for (wait, expected) in [(3, 1), (3, 2), (11, 2), (7, 3)] {
        scene.clock.advance(SignedDuration::from_secs(wait));
        scene.send_all().await;
        let message = scene.robot_messages().await.remove(0);
        assert_eq!(
            scene.attempts(message.id).await.len(),
            expected,
            "after {wait} more seconds"
        );
    }
    assert_eq!(scene.states().await, [("delivered", 1)].into());
}

#[tokio::test]
async fn a_message_at_fault_fails_at_once_and_a_channel_at_fault_may_be_repaired() {
    let mut scene = Scene::with_robot(20, 0).await;
    let give_up = |fault| Outcome::GiveUp {
        provider_code: "1".to_owned(),
        reason: "no".to_owned(),
        fault,
    };
    scene.assign([1, 2]).await;
    scene
        .provider
        .script([give_up(Fault::Message), give_up(Fault::Endpoint)]);
    scene.send_all().await;
    assert_eq!(scene.states().await, [("failed", 1), ("pending", 1)].into());
    scene.clock.advance(SignedDuration::from_secs(10));
    scene.send_all().await;
    assert_eq!(scene.states().await, [("failed", 1), ("delivered", 1)].into());
}

#[tokio::test]
async fn an_endpoint_that_is_gone_ends_its_messages_at_once_and_gets_single_probes() {
    let mut scene = Scene::start().await;
    scene.put_webhook(600).await;
    scene.assign(1..=7).await;
    let gone = |_| Outcome::GiveUp {
        provider_code: "http_410".to_owned(),
        reason: "the endpoint says that it is gone for good".to_owned(),
        fault: Fault::Gone,
    };
    scene.provider.script((0..6).map(gone));
    scene.send_all().await;
    assert_eq!(scene.states().await, [("failed", 6), ("pending", 1)].into());
    let messages = scene.robot_messages().await;
    let failed = messages.iter().find(|message| message.state == State::Failed).unwrap();
    assert_eq!(failed.reason, "http_410: the endpoint says that it is gone for good");
    assert_eq!(scene.attempts(failed.id).await.len(), 1);
    assert_eq!(scene.told().await, ["NotificationFailed"; 6]);
    scene.clock.advance(SignedDuration::from_secs(30));
    scene.send_all().await;
    assert_eq!(scene.states().await, [("failed", 6), ("delivered", 1)].into());
}

#[tokio::test]
async fn messages_to_programs_wait_instead_of_being_merged() {
    let mut scene = Scene::start().await;
    scene.put_webhook(10).await;
    scene.assign(1..=25).await;
    for told in [10, 20, 25] {
        scene.send_all().await;
        assert_eq!(scene.provider.titles().len(), told);
        scene.clock.advance(SignedDuration::from_secs(61));
    }
    assert_eq!(scene.states().await, [("delivered", 25)].into());
    let messages = scene.robot_messages().await;
    for (message, taken) in messages.iter().zip(scene.provider.taken()) {
        let about = taken.about;
        assert_eq!((about.message, about.create_time), (message.id, message.create_time));
        assert_eq!(
            (about.subject, about.recipient),
            (message.subject.clone(), message.recipient.clone())
        );
        assert_eq!(
            (about.template.as_str(), about.class.as_str()),
            ("lead_assigned", "assignment")
        );
    }
}

#[tokio::test]
async fn a_digest_says_what_it_is_in_every_attempt() {
    let mut scene = Scene::with_robot(1, 0).await;
    scene.assign(1..=3).await;
    scene.provider.script([retry_later()]);
    scene.send_all().await;
    scene.clock.advance(SignedDuration::from_mins(2));
    scene.send_all().await;
    let about = scene.provider.taken().remove(0).about;
    let messages = scene.robot_messages().await;
    let digest = messages.iter().find(|message| message.template == "digest@0").unwrap();
    assert_eq!((about.message, about.create_time), (digest.id, digest.create_time));
    assert_eq!((about.template.as_str(), about.subject.as_str()), ("digest", ""));
}

#[tokio::test]
async fn a_hit_limit_silences_the_channel_and_loses_nothing() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.assign([1, 2]).await;
    scene.escalate([1]).await;
    scene.provider.script([Outcome::LimitHit {
        provider_code: "130101".to_owned(),
        reason: "send too fast".to_owned(),
        locked_for: Duration::from_mins(10),
    }]);
    let ten_minutes = scene.clock.now() + SignedDuration::from_mins(10);
    let rest = Rest {
        escalations: Some(ten_minutes),
        assignments: Some(ten_minutes),
    };
    assert_eq!(scene.send_all().await, Step::Rest(rest));
    assert!(scene.provider.titles().is_empty());
    scene.clock.advance(SignedDuration::from_secs(599));
    assert_eq!(scene.send_all().await, Step::Rest(rest));
    scene.clock.advance(SignedDuration::from_secs(1));
    scene.send_all().await;
    assert_eq!(scene.states().await, [("delivered", 3)].into());
}

#[tokio::test]
async fn a_failing_channel_gets_single_probes() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.assign(1..=12).await;
    scene.provider.script((0..6).map(|_| retry_later()));
    scene.send_all().await;
    // Five failures open the breaker, the sixth message is its first probe.
    let attempts = async |scene: &Scene| {
        let mut attempts = 0;
        for message in scene.robot_messages().await {
            attempts += scene.attempts(message.id).await.len();
        }
        attempts
    };
    assert_eq!(attempts(&scene).await, 6);
    scene.clock.advance(SignedDuration::from_secs(29));
    scene.send_all().await;
    assert_eq!(attempts(&scene).await, 6, "the next probe is 30 seconds later");
    scene.clock.advance(SignedDuration::from_secs(1));
    scene.send_all().await;
    let states = scene.states().await;
    assert_eq!(
        states.get("pending"),
        None,
        "one success opens the channel again: {states:?}"
    );
}

#[tokio::test]
async fn a_stop_during_the_send_leaves_the_truth_in_the_ledger() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.escalate([1, 2]).await;
    let contacted = [scene.facts.contacted("e1"), scene.facts.contacted("e2")];
    let scene = Arc::new(scene);
    let during = Arc::downgrade(&scene);
    scene.provider.during(move || {
        let (scene, contacted) = (during.upgrade().unwrap(), contacted.clone());
        Box::pin(async move { scene.apply(&contacted).await.unwrap() })
    });
    scene.send_all().await;
    assert_eq!(
        scene.provider.titles().len(),
        1,
        "the second was stopped before its turn"
    );
    assert_eq!(scene.states().await, [("delivered", 1), ("stopped", 1)].into());
}

#[tokio::test]
async fn what_a_dead_sender_had_begun_is_sent_after_its_hold() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.assign([1]).await;
    let (entered, has_entered) = tokio::sync::oneshot::channel();
    let entered = parking_lot::Mutex::new(Some(entered));
    scene.provider.during(move || {
        let entered = entered.lock().take();
        Box::pin(async move {
            if let Some(entered) = entered {
                entered.send(()).unwrap();
                std::future::pending::<()>().await;
            }
        })
    });
    {
        let tenant = tenant();
        let dying = scene.sender.send_next(&tenant, ROBOT);
        tokio::select! {
            _never = dying => panic!("the send hangs"),
            reached = has_entered => reached.unwrap(),
        }
    }
    scene.clock.advance(SignedDuration::from_secs(69));
    scene.send_all().await;
    assert!(scene.provider.titles().is_empty(), "somebody may still be sending it");
    scene.clock.advance(SignedDuration::from_secs(1));
    scene.send_all().await;
    assert_eq!(scene.provider.titles().len(), 1);
    assert_eq!(scene.states().await, [("delivered", 1)].into());
}

/// Stands still between two looks, then jumps: a process that was paused.
struct Paused {
    clock: Arc<FixedClock>,
    looks: AtomicUsize,
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        if self.looks.fetch_add(1, Ordering::SeqCst) == 1 {
            self.clock.advance(SignedDuration::from_secs(5));
        }
        self.clock.now()
    }
}

#[tokio::test]
async fn a_send_that_would_begin_too_late_is_given_back() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.assign([1]).await;
    let sender = scene.sender_with(Arc::new(Paused {
        clock: Arc::clone(&scene.clock),
        looks: AtomicUsize::new(0),
    }));
    assert_eq!(sender.send_next(&tenant(), ROBOT).await.unwrap(), Step::Went);
    assert!(
        scene.provider.titles().is_empty(),
        "the budget of five seconds ago is not sure any more"
    );
    assert_eq!(sender.send_next(&tenant(), ROBOT).await.unwrap(), Step::Went);
    assert_eq!(scene.provider.titles().len(), 1);
    assert_eq!(scene.states().await, [("delivered", 1)].into());
}

#[tokio::test]
async fn a_digest_that_failed_is_sent_before_anything_is_merged_again() {
    let mut scene = Scene::with_robot(2, 0).await;
    scene.assign(1..=5).await;
    scene.provider.script([crate::scene::delivered(), retry_later()]);
    scene.send_all().await;
    scene.assign(6..=8).await;
    scene.clock.advance(SignedDuration::from_secs(61));
    scene.send_all().await;
    let titles = scene.provider.titles();
    assert_eq!(titles, ["新线索 L-a1：华东机床", "4 条线索提醒", "3 条线索提醒"]);
    let messages = scene.robot_messages().await;
    assert_eq!(in_state(&messages, State::Merged), 7);
    assert!(messages.iter().all(|message| message.class == Class::Assignment));
    assert_eq!(scene.told().await.len(), 8);
}

#[tokio::test]
async fn a_disabled_channel_keeps_what_waits() {
    let mut scene = Scene::with_robot(20, 5).await;
    scene.assign([1]).await;
    let mut tx = scene
        .database
        .begin("test", &reflex_tenancy::TenantSet::one(&tenant()))
        .await
        .unwrap();
    sqlx::query("update channels set enabled = false")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(
        scene.send_all().await,
        Step::Rest(Rest {
            escalations: Some(_),
            ..
        })
    ));
    assert_eq!(scene.states().await, [("pending", 1)].into());
    scene.put_robot(20, 5, &[]).await;
    scene.send_all().await;
    assert_eq!(scene.states().await, [("delivered", 1)].into());
}
