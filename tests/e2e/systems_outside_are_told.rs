//! Facts go to systems outside: signed, in order per subject, past endpoints that hang or are gone, and again when these are back.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use jiff::SignedDuration;
use prost::Message;
use reflex_events::{NewEvent, outbox};
use reflex_pg::Database;
use reflex_proto::{
    leads::v1::{LeadAssigned, LeadQueued, SubjectErased},
    notifications::v1::{
        DeleteSubscriptionRequest, Delivery, GetSubscriptionRequest, ListDeliveriesRequest, ListSubscriptionsRequest,
        PauseSubscriptionRequest, PutSubscriptionRequest, ReplaySubscriptionRequest, ResumeSubscriptionRequest,
        RetryDeliveryRequest, RotateSubscriptionSecretRequest, Subscription, TestSubscriptionRequest,
        delivery::State as Progress, subscription::State, subscription_service_client::SubscriptionServiceClient,
    },
};
use reflex_rpc::identity::Role;
use reflex_runtime::{
    clock::{Clock as _, FixedClock},
    ids::{IdSource as _, SystemIds},
};
use reflex_tenancy::{TenantId, TenantSet};
use reflex_testing::{eventually, fixture_time};
use reflex_tests::{
    simulator::{Delivery as Taken, Fault, Hook, Simulator, SimulatorOptions},
    suite::{Suite, Wire},
};
use serde_json::{Value, json};
use tonic::Code;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const TENANT: &str = "huadong";
const HOOK: &str = "mes";
const NAME: &str = "subscriptions/mes";

struct Scene {
    clock: Arc<FixedClock>,
    simulator: Simulator,
    suite: Suite,
    leads: Database,
    tenant: TenantId,
}

impl Scene {
    async fn start() -> Self {
        let clock = Arc::new(FixedClock::new(fixture_time()));
        let simulator = Simulator::start(SimulatorOptions {
            clock: clock.clone(),
            ..SimulatorOptions::default()
        })
        .await
        .unwrap();
        let suite = Suite::start_with(&clock).await;
        Self {
            leads: Database::connect(&suite.places.leads).unwrap(),
            tenant: TENANT.parse().unwrap(),
            clock,
            simulator,
            suite,
        }
    }

    fn client(&self, role: Role) -> SubscriptionServiceClient<Wire> {
        SubscriptionServiceClient::new(self.suite.notifications(&self.tenant, role, None))
    }

    fn admin(&self) -> SubscriptionServiceClient<Wire> {
        self.client(Role::Admin)
    }

    /// Sets up an endpoint with a subscription to leads that are queued.
    async fn subscribe(&self, hook: &str) -> Subscription {
        self.put(self.wanted(hook)).await.unwrap()
    }

    fn wanted(&self, hook: &str) -> Subscription {
        self.simulator.add_webhook(Hook {
            token: hook.to_owned(),
            secret: SECRET.to_owned(),
        });
        Subscription {
            name: format!("subscriptions/{hook}"),
            endpoint: self.simulator.webhook_address(hook),
            event_types: vec!["lead.queued.v1".to_owned()],
            secret: SECRET.to_owned(),
            ..Subscription::default()
        }
    }

    async fn put(&self, subscription: Subscription) -> Result<Subscription, tonic::Status> {
        let request = PutSubscriptionRequest {
            subscription: Some(subscription),
            request_id: SystemIds.next().to_string(),
        };
        let put = self.admin().put_subscription(request).await?;
        Ok(put.into_inner().subscription.unwrap())
    }

    async fn get(&self, name: &str) -> Subscription {
        let request = GetSubscriptionRequest { name: name.to_owned() };
        let got = self.admin().get_subscription(request).await.unwrap();
        got.into_inner().subscription.unwrap()
    }

    /// Tells facts as leads does, in one transaction.
    async fn tell(&self, facts: &[NewEvent]) {
        let mut tx = self.leads.begin("tell", &TenantSet::one(&self.tenant)).await.unwrap();
        outbox::push(&mut tx, facts).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn fact(&self, kind: &'static str, subject: &str, message: &impl Message) -> NewEvent {
        NewEvent {
            tenant: self.tenant.clone(),
            id: SystemIds.next(),
            kind,
            subject: subject.to_owned(),
            time: self.clock.now(),
            traceparent: None,
            causation_id: None,
            data: message.encode_to_vec(),
        }
    }

    fn queued(&self, lead: &str, number: usize) -> NewEvent {
        let queued = LeadQueued {
            lead: lead.to_owned(),
            number: format!("L-{number}"),
            reason: "at_capacity".to_owned(),
            team: "teams/suzhou".to_owned(),
        };
        self.fact("reflex.leads.v1.LeadQueued", lead, &queued)
    }

    fn assigned(&self, lead: &str, territory: &str) -> NewEvent {
        let assigned = LeadAssigned {
            lead: lead.to_owned(),
            owner: "members/zhang.wei".to_owned(),
            contact_name: "王芳 13912345678".to_owned(),
            territory: territory.to_owned(),
            // Nobody is told of what they took themselves.
            trigger: "picked".to_owned(),
            ..LeadAssigned::default()
        };
        self.fact("reflex.leads.v1.LeadAssigned", lead, &assigned)
    }

    /// Returns what an endpoint has taken, each event once, as it first came.
    fn taken(&self, hook: &str) -> Vec<Taken> {
        let mut seen = HashSet::new();
        let mut taken = self.simulator.deliveries(hook);
        taken.retain(|delivery| seen.insert(delivery.id.clone()));
        taken
    }

    async fn taken_in_all(&self, hook: &str, count: usize) -> Vec<Taken> {
        eventually("the endpoint has taken everything", async || {
            let taken = self.taken(hook);
            (taken.len() >= count).then_some(taken)
        })
        .await
    }

    async fn deliveries(&self, name: &str, state: Progress) -> Vec<Delivery> {
        let request = ListDeliveriesRequest {
            parent: name.to_owned(),
            state: state.into(),
            ..ListDeliveriesRequest::default()
        };
        self.admin()
            .list_deliveries(request)
            .await
            .unwrap()
            .into_inner()
            .deliveries
    }

    /// Moves the clock until a state is there: what waits for minutes or hours becomes due.
    async fn in_time(&self, what: &str, mut look: impl AsyncFnMut() -> bool) {
        eventually(what, async || {
            self.clock.advance(SignedDuration::from_secs(20));
            look().await
        })
        .await;
    }
}

/// Returns the numbers that came for each subject, in the order in which they came.
fn numbers(taken: &[Taken]) -> BTreeMap<String, Vec<String>> {
    let mut numbers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for delivery in taken {
        numbers
            .entry(text(&delivery.body["subject"]))
            .or_default()
            .push(text(&delivery.body["data"]["number"]));
    }
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_and_a_dead_endpoint_hold_nobody_up_and_get_everything_in_order_once_they_are_back() {
    const EVENTS: usize = 40;
    const SUBJECTS: usize = 8;
    let scene = Scene::start().await;
    let healthy: Vec<String> = (0..98).map(|number| format!("healthy-{number}")).collect();
    for hook in healthy.iter().map(String::as_str).chain(["slow", "dead"]) {
        scene.subscribe(hook).await;
    }
    scene.simulator.fail(
        "slow",
        Fault::Hang {
            milliseconds: 3_600_000,
        },
        usize::MAX,
    );
    scene.simulator.fail("dead", Fault::Reset, usize::MAX);

    let subject = |number: usize| format!("leads/{}", number % SUBJECTS);
    let facts: Vec<_> = (0..EVENTS)
        .map(|number| scene.queued(&subject(number), number))
        .collect();
    let (first, second) = facts.split_at(EVENTS / 2);
    scene.tell(first).await;
    scene.tell(second).await;
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for number in 0..EVENTS {
        expected.entry(subject(number)).or_default().push(format!("L-{number}"));
    }
    for hook in &healthy {
        let taken = scene.taken_in_all(hook, EVENTS).await;
        assert_eq!(numbers(&taken), expected, "{hook}");
    }
    assert_eq!((scene.taken("slow").len(), scene.taken("dead").len()), (0, 0));
    let dead = eventually("the dead endpoint is left in peace", async || {
        let dead = scene.get("subscriptions/dead").await;
        (dead.failures >= 5).then_some(dead)
    })
    .await;
    assert!(dead.probe_time.is_some());
    assert_eq!(dead.state, i32::from(State::Active));

    scene.simulator.heal("slow");
    scene.simulator.heal("dead");
    for hook in ["slow", "dead"] {
        scene
            .in_time("the endpoint that is back has everything", async || {
                scene.taken(hook).len() == EVENTS
            })
            .await;
        assert_eq!(numbers(&scene.taken(hook)), expected, "{hook}");
    }
    let name = "subscriptions/dead";
    eventually("everything is written down", async || {
        scene.deliveries(name, Progress::Delivered).await.len() == EVENTS
    })
    .await;
    let healed = scene.get(name).await;
    assert_eq!((healed.failures, healed.probe_time), (0, None));
    let delivered = scene.deliveries(name, Progress::Delivered).await;
    assert!(delivered.iter().any(|delivery| delivery.attempt_count > 1));
    let attempts: Vec<_> = delivered
        .iter()
        .map(|delivery| delivery.attempts.last().unwrap().outcome.as_str())
        .collect();
    assert_eq!(attempts, ["delivered"; EVENTS]);
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_says_what_happened_and_hides_people() {
    let scene = Scene::start().await;
    let subscription = Subscription {
        event_types: vec!["lead.assigned.v1".to_owned(), "subject.erased.v1".to_owned()],
        filter: "type = 'subject.erased.v1' OR territory = '华东'".to_owned(),
        ..scene.wanted(HOOK)
    };
    scene.put(subscription).await.unwrap();
    let whole = Subscription {
        personal_data: true,
        ..scene.wanted("crm")
    };
    let whole = Subscription {
        event_types: vec!["lead.assigned.v1".to_owned()],
        ..whole
    };
    let mut manager = scene.client(Role::Manager);
    let denied = manager.put_subscription(PutSubscriptionRequest {
        subscription: Some(whole.clone()),
        request_id: SystemIds.next().to_string(),
    });
    assert_eq!(denied.await.unwrap_err().code(), Code::PermissionDenied);
    scene.put(whole).await.unwrap();

    let passes = scene.assigned("leads/a", "华东");
    scene.tell(&[scene.assigned("leads/b", "华北"), passes.clone()]).await;
    let taken = scene.taken_in_all(HOOK, 1).await;
    let body = &taken[0].body;
    assert_eq!(taken[0].id, passes.id.to_string());
    assert_eq!(
        (
            &body["type"],
            &body["id"],
            &body["tenant"],
            &body["subject"],
            &body["timestamp"]
        ),
        (
            &json!("lead.assigned.v1"),
            &json!(passes.id.to_string()),
            &json!(TENANT),
            &json!("leads/a"),
            &json!(fixture_time().to_string())
        )
    );
    assert_eq!(body["data"]["contact_name"], "王**");
    assert_eq!(body["data"]["territory"], "华东");
    let taken = scene.taken_in_all("crm", 2).await;
    assert!(
        taken
            .iter()
            .all(|delivery| delivery.body["data"]["contact_name"] == "王芳 13912345678")
    );

    // What is erased is not kept for anybody, and that it was goes out.
    let erased = SubjectErased {
        lead: "leads/a".to_owned(),
        erasure: "erasures/1".to_owned(),
    };
    scene
        .tell(&[scene.fact("reflex.leads.v1.SubjectErased", "leads/a", &erased)])
        .await;
    let taken = scene.taken_in_all(HOOK, 2).await;
    assert_eq!(taken[1].body["type"], "subject.erased.v1");
    let retry = RetryDeliveryRequest {
        name: format!("{NAME}/deliveries/{}", passes.id),
        request_id: SystemIds.next().to_string(),
    };
    assert_eq!(
        scene.admin().retry_delivery(retry).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_out_when_it_is_resumed() {
    let scene = Scene::start().await;
    scene.subscribe(HOOK).await;
    let mut admin = scene.admin();
    let pause = PauseSubscriptionRequest {
        name: NAME.to_owned(),
        request_id: SystemIds.next().to_string(),
    };
    let paused = admin.pause_subscription(pause.clone()).await.unwrap().into_inner();
    assert_eq!(paused.subscription.unwrap().state, i32::from(State::Paused));
    let again = admin.pause_subscription(pause).await.unwrap().into_inner();
    assert_eq!(again.subscription.unwrap().state, i32::from(State::Paused));
    let facts: Vec<_> = (0..3).map(|number| scene.queued("leads/a", number)).collect();
    scene.tell(&facts).await;
    eventually("everything waits", async || {
        scene.deliveries(NAME, Progress::Pending).await.len() == 3
    })
    .await;
    assert!(scene.taken(HOOK).is_empty());
    let resume = ResumeSubscriptionRequest {
        name: NAME.to_owned(),
        request_id: SystemIds.next().to_string(),
    };
    admin.resume_subscription(resume).await.unwrap();
    assert_eq!(
        numbers(&scene.taken_in_all(HOOK, 3).await)["leads/a"],
        ["L-0", "L-1", "L-2"]
    );

    // An endpoint that says it is gone gets nothing more until somebody resumes it.
    let gone = Fault::Status {
        status: 410,
        retry_after_seconds: None,
    };
    scene.simulator.fail(HOOK, gone, 1);
    scene.tell(&[scene.queued("leads/b", 3)]).await;
    let disabled = eventually("the subscription is disabled", async || {
        let subscription = scene.get(NAME).await;
        (subscription.state == i32::from(State::Disabled)).then_some(subscription)
    })
    .await;
    assert!(disabled.reason.contains("410"));
    let resume = ResumeSubscriptionRequest {
        name: NAME.to_owned(),
        request_id: SystemIds.next().to_string(),
    };
    admin.resume_subscription(resume).await.unwrap();
    scene.taken_in_all(HOOK, 4).await;

    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_can_be_had_again() {
    let scene = Scene::start().await;
    scene.subscribe(HOOK).await;
    let mut admin = scene.admin();
    let facts: Vec<_> = (0..4).map(|number| scene.queued("leads/a", number)).collect();
    scene.tell(&facts).await;
    scene.taken_in_all(HOOK, 4).await;
    // A new subscription gets what was kept, one that had it gets it again under the same ids.
    scene.subscribe("late").await;
    for (hook, already) in [("late", 0), (HOOK, 4)] {
        let replay = ReplaySubscriptionRequest {
            name: format!("subscriptions/{hook}"),
            request_id: SystemIds.next().to_string(),
            ..ReplaySubscriptionRequest::default()
        };
        let replayed = admin.replay_subscription(replay).await.unwrap().into_inner();
        assert_eq!((replayed.replayed, replayed.next_cursor.as_str()), (4, ""));
        eventually("the events came again", async || {
            scene.simulator.deliveries(hook).len() == already + 4
        })
        .await;
        assert_eq!(scene.taken(hook).len(), 4);
    }
    let foreign = ReplaySubscriptionRequest {
        name: NAME.to_owned(),
        cursor: "nonsense".to_owned(),
        ..ReplaySubscriptionRequest::default()
    };
    assert_eq!(
        admin.replay_subscription(foreign).await.unwrap_err().code(),
        Code::InvalidArgument
    );

    // One of them, too.
    let retry = RetryDeliveryRequest {
        name: format!("{NAME}/deliveries/{}", facts[1].id),
        request_id: SystemIds.next().to_string(),
    };
    admin.retry_delivery(retry).await.unwrap();
    eventually("the one came again", async || {
        scene.simulator.deliveries(HOOK).len() == 9
    })
    .await;
    let retry = RetryDeliveryRequest {
        name: format!("{NAME}/deliveries/{}", SystemIds.next()),
        request_id: SystemIds.next().to_string(),
    };
    assert_eq!(admin.retry_delivery(retry).await.unwrap_err().code(), Code::NotFound);
    let delete = DeleteSubscriptionRequest {
        name: NAME.to_owned(),
        request_id: SystemIds.next().to_string(),
    };
    admin.delete_subscription(delete.clone()).await.unwrap();
    admin.delete_subscription(delete.clone()).await.unwrap();
    let other_id = DeleteSubscriptionRequest {
        request_id: SystemIds.next().to_string(),
        ..delete
    };
    assert_eq!(
        admin.delete_subscription(other_id).await.unwrap_err().code(),
        Code::NotFound
    );
    let listed = admin
        .list_subscriptions(ListSubscriptionsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.subscriptions.len(), 1);
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_sign_while_a_receiver_changes_over() {
    let scene = Scene::start().await;
    scene.subscribe(HOOK).await;
    let mut admin = scene.admin();
    let mut pinged = async || {
        let test = TestSubscriptionRequest { name: NAME.to_owned() };
        let attempt = admin
            .test_subscription(test)
            .await
            .unwrap()
            .into_inner()
            .attempt
            .unwrap();
        (attempt.outcome, attempt.status_code)
    };
    assert_eq!(pinged().await, ("delivered".to_owned(), 204));
    let rotate = RotateSubscriptionSecretRequest {
        name: NAME.to_owned(),
        secret: OTHER_SECRET.to_owned(),
        request_id: SystemIds.next().to_string(),
        ..RotateSubscriptionSecretRequest::default()
    };
    let rotated = scene
        .admin()
        .rotate_subscription_secret(rotate.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(rotated.subscription.unwrap().overlap_end_time.is_some());
    let nothing = RotateSubscriptionSecretRequest {
        secret: "SEC".to_owned(),
        ..rotate
    };
    let refused = scene.admin().rotate_subscription_secret(nothing).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(pinged().await.1, 204, "the old one still signs");
    scene.simulator.add_webhook(Hook {
        token: HOOK.to_owned(),
        secret: OTHER_SECRET.to_owned(),
    });
    assert_eq!(pinged().await.1, 204, "the new one signs already");
    scene.tell(&[scene.queued("leads/a", 1)]).await;
    eventually("the event is believed", async || {
        scene
            .taken(HOOK)
            .iter()
            .any(|delivery| delivery.body["type"] == "lead.queued.v1")
    })
    .await;
    scene.simulator.add_webhook(Hook {
        token: HOOK.to_owned(),
        secret: SECRET.to_owned(),
    });
    scene.clock.advance(SignedDuration::from_hours(23));
    assert_eq!(pinged().await.1, 204);
    scene.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(pinged().await, ("retry_later".to_owned(), 401), "the old one is over");
    scene.suite.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_with_what_was_probably_meant() {
    let scene = Scene::start().await;
    let wanted = scene.wanted(HOOK);
    let with = |change: fn(&mut Subscription)| {
        let mut subscription = wanted.clone();
        change(&mut subscription);
        scene.put(subscription)
    };
    for (put, said) in [
        (
            with(|it| it.event_types = vec!["lead.asigned.v1".to_owned()]).await,
            "\"lead.assigned.v1\"",
        ),
        (with(|it| it.filter = "numbr = 'L-1'".to_owned()).await, "number"),
        (with(|it| it.filter = "number".to_owned()).await, "filter"),
        (with(|it| it.secret = "SEC1".to_owned()).await, "whsec_"),
        (with(|it| it.secret = String::new()).await, "whsec_"),
        (with(|it| it.endpoint = String::new()).await, "endpoint"),
        (
            with(|it| it.endpoint = "https://10.0.0.7/hook".to_owned()).await,
            "endpoint",
        ),
        (with(|it| it.name = "mes".to_owned()).await, "subscriptions/"),
    ] {
        let refused = put.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{said}");
        assert!(refused.message().contains(said), "{said}: {}", refused.message());
        assert!(!refused.message().contains("SEC1"));
    }
    let put = with(|it| it.endpoint.push_str("?key=canary")).await.unwrap();
    assert!(put.secret.is_empty() && put.endpoint.ends_with("?key=***"));
    // As it is shown it can be put back.
    let kept = Subscription {
        filter: "reason = 'at_capacity'".to_owned(),
        secret: String::new(),
        ..put
    };
    assert_eq!(scene.put(kept).await.unwrap().filter, "reason = 'at_capacity'");
    scene.tell(&[scene.queued("leads/a", 1)]).await;
    scene.taken_in_all(HOOK, 1).await;
    scene.suite.stop().await;
}
