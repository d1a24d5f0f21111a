//! From facts to deliveries, on a real database: who gets what, once, and what a tenant without subscriptions pays.

use jiff::SignedDuration;
use reflex_events::{Envelope, Handler as _};
use reflex_notifications::{
    Error,
    app::{
        forget::{Janitor, Retention},
        subscriptions::put::WantedSubscription,
    },
    store::{
        deliveries::Delivery,
        dispatching::{self, Wanted},
        subscriptions::Wish,
    },
};
use reflex_proto::{
    leads::v1::{LeadQueued, LeadWithdrawn},
    notifications::v1::PutSubscriptionRequest,
};
use reflex_runtime::clock::Clock as _;
use reflex_tenancy::TenantSet;
use reflex_testing::fixture_time;

use crate::{
    facts::Facts,
    scene::{Scene, tenant},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NAME: &str = "subscriptions/mes";

impl Scene {
    async fn subscribe(&self, name: &str, types: &[&str], filter: &str) {
        let wanted = WantedSubscription {
            name: name.to_owned(),
            endpoint: "https://hooks.invalid/reflex?key=k".into(),
            secret: SECRET.into(),
            wish: Wish {
                event_types: types.iter().map(|&name| name.to_owned()).collect(),
                filter: filter.to_owned(),
                personal_data: false,
            },
            may_read_contact: false,
        };
        let request = PutSubscriptionRequest::default();
        self.app
            .put_subscription(&tenant(), wanted, None, &request)
            .await
            .unwrap();
    }

    async fn deliveries(&self, name: &str) -> Vec<Delivery> {
        let mut deliveries = self
            .app
            .list_deliveries(&tenant(), name, None, None, 1_000)
            .await
            .unwrap();
        deliveries.reverse();
        deliveries
    }

    /// Returns the subjects of what may be sent now, in order.
    async fn due(&self, held: Vec<i64>, count: i64) -> Vec<String> {
        let now = self.clock.now();
        let due = dispatching::due(&self.database.worker, now).await.unwrap();
        let wanted: Vec<_> = due
            .into_iter()
            .map(|key| Wanted {
                key,
                count,
                held: held.clone(),
            })
            .collect();
        let mut tx = self.database.begin("test", &TenantSet::one(&tenant())).await.unwrap();
        let loaded = dispatching::load(&mut tx, &wanted, now).await.unwrap();
        loaded
            .into_iter()
            .flat_map(|(.., items)| items)
            .map(|item| item.subject)
            .collect()
    }

    async fn rows(&self, table: &'static str) -> i64 {
        let statement = match table {
            "events" => "select count(*) from subscription_events",
            "deliveries" => "select count(*) from deliveries",
            _ => "select count(*) from inbox",
        };
        let mut tx = self.database.begin("test", &TenantSet::one(&tenant())).await.unwrap();
        sqlx::query_scalar(statement).fetch_one(&mut *tx).await.unwrap()
    }
}

fn queued(facts: &mut Facts, lead: &str, team: &str) -> Envelope {
    let queued = LeadQueued {
        lead: lead.to_owned(),
        team: team.to_owned(),
        ..LeadQueued::default()
    };
    facts.event("LeadQueued", lead, &queued)
}

#[tokio::test]
async fn each_fact_becomes_one_delivery_for_each_who_wants_it() {
    let mut scene = Scene::start().await;
    let ignored = queued(&mut scene.facts, "leads/0", "teams/a");
    assert!(!scene.events.takes(&ignored), "nobody listens, so it costs nothing");
    scene.apply(&[ignored]).await.unwrap();
    assert_eq!((scene.rows("events").await, scene.rows("deliveries").await), (0, 0));

    scene.subscribe(NAME, &["lead.queued.v1"], "").await;
    scene
        .subscribe("subscriptions/a", &["lead.queued.v1"], "team = 'teams/a'")
        .await;
    scene.subscribe("subscriptions/other", &["lead.claimed.v1"], "").await;
    let facts = [("leads/1", "teams/a"), ("leads/2", "teams/b"), ("leads/1", "teams/b")];
    let facts = facts.map(|(lead, team)| queued(&mut scene.facts, lead, team));
    assert!(scene.events.takes(&facts[0]));
    scene.apply(&facts).await.unwrap();
    scene.apply(&facts).await.unwrap();
    let ids = |deliveries: Vec<Delivery>| {
        deliveries
            .into_iter()
            .map(|delivery| delivery.event)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(scene.deliveries(NAME).await), facts.each_ref().map(|fact| fact.id));
    assert_eq!(ids(scene.deliveries("subscriptions/a").await), [facts[0].id]);
    assert!(scene.deliveries("subscriptions/other").await.is_empty());
    assert_eq!(scene.rows("events").await, 3);

    let mut elsewhere = queued(&mut scene.facts, "leads/1", "teams/a");
    elsewhere.tenant = "huabei".parse().unwrap();
    assert!(!scene.events.takes(&elsewhere), "another tenant's facts are theirs");
}

#[tokio::test]
async fn what_waits_behind_a_failure_of_its_subject_is_not_read() {
    let mut scene = Scene::start().await;
    scene.subscribe(NAME, &[], "").await;
    let subjects = ["leads/1", "leads/2", "leads/1", "leads/3"];
    let facts = subjects.map(|lead| queued(&mut scene.facts, lead, ""));
    scene.apply(&facts).await.unwrap();
    assert_eq!(scene.due(Vec::new(), 100).await, subjects);
    assert_eq!(scene.due(Vec::new(), 2).await, subjects[..2]);
    let sequences: Vec<i64> = scene
        .deliveries(NAME)
        .await
        .iter()
        .map(|delivery| delivery.sequence)
        .collect();
    assert_eq!(scene.due(sequences[1..3].to_vec(), 100).await, ["leads/1", "leads/3"]);

    let mut tx = scene.database.begin("test", &TenantSet::one(&tenant())).await.unwrap();
    sqlx::query("update deliveries set next_attempt_time = next_attempt_time + interval '1 hour' where sequence = $1")
        .bind(sequences[0])
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(scene.due(Vec::new(), 100).await, ["leads/2", "leads/3"]);
    scene.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(scene.due(Vec::new(), 100).await, subjects);
}

#[tokio::test]
async fn what_was_withdrawn_is_neither_kept_nor_delivered() {
    let mut scene = Scene::start().await;
    scene.subscribe(NAME, &[], "").await;
    let before = queued(&mut scene.facts, "leads/1", "");
    scene.apply(&[before]).await.unwrap();
    let same_batch = queued(&mut scene.facts, "leads/1", "");
    let other = queued(&mut scene.facts, "leads/2", "");
    let gone = LeadWithdrawn {
        lead: "leads/1".to_owned(),
        ..LeadWithdrawn::default()
    };
    let gone = scene.facts.event("LeadWithdrawn", "leads/1", &gone);
    scene.apply(&[same_batch, other, gone]).await.unwrap();
    assert_eq!(scene.due(Vec::new(), 100).await, ["leads/2", "leads/1"]);
    let reasons: Vec<_> = scene
        .deliveries(NAME)
        .await
        .into_iter()
        .map(|delivery| delivery.reason)
        .collect();
    assert_eq!(reasons, ["what it is about was erased or withdrawn", "", ""]);
}

#[tokio::test]
async fn what_is_old_is_given_up_and_then_forgotten() {
    let mut scene = Scene::start().await;
    scene.subscribe(NAME, &[], "").await;
    let fact = queued(&mut scene.facts, "leads/1", "");
    scene.apply(&[fact]).await.unwrap();
    let janitor = Janitor {
        database: scene.database.clone(),
        clock: scene.clock.clone(),
        retention: Retention {
            inbox_days: 14,
            message_days: 180,
            event_days: 7,
            repeat_days: 14,
        },
    };
    let after = |days: i64| fixture_time() + SignedDuration::from_hours(24 * days + 1);
    scene.clock.set(after(3));
    janitor.forget().await.unwrap();
    assert_eq!(scene.due(Vec::new(), 100).await.len(), 1);
    scene.clock.set(after(4));
    janitor.forget().await.unwrap();
    assert_eq!(scene.due(Vec::new(), 100).await.len(), 0);
    assert_eq!(
        scene.deliveries(NAME).await[0].reason,
        "the endpoint could not be reached for days"
    );
    scene.clock.set(after(7));
    janitor.forget().await.unwrap();
    assert_eq!((scene.rows("events").await, scene.rows("deliveries").await), (0, 0));
}

#[tokio::test]
async fn peoples_data_is_only_given_by_those_who_may_read_it() {
    let scene = Scene::start().await;
    let wanted = |may_read_contact| WantedSubscription {
        name: NAME.to_owned(),
        endpoint: "https://hooks.invalid/reflex".into(),
        secret: SECRET.into(),
        wish: Wish {
            event_types: Vec::new(),
            filter: String::new(),
            personal_data: true,
        },
        may_read_contact,
    };
    let request = PutSubscriptionRequest::default();
    let put = async |may| scene.app.put_subscription(&tenant(), wanted(may), None, &request).await;
    assert!(matches!(put(false).await, Err(Error::Denied("leads.read_contact"))));
    assert!(put(true).await.is_ok());
}
