//! Whatever dies wherever: nobody is told of a step after its ladder stopped, no step is lost, none is told twice.
//!
//! Each run is a story about two leads, made up from a seed: leads tells facts, two replicas apply and send them, and die
//! before a commit, after it but before the stream hears of it, before the provider has a message, or after it has and before
//! that is written down. One clock, moved by the story; nothing waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reflex_events::{Envelope, Handler as _, RelayWake};
use reflex_notifications::{
    app::{
        put_channel::WantedChannel,
        send::{Sender, SenderParts, Step},
    },
    channels::{Channel, Endpoint, Outcome, Rendered},
    domain::{
        account::Account,
        budget::Limits,
        channel::Kind,
        message::{Class, INBOX, State},
    },
    store::{inbox::Page, messages::Filter},
};
use reflex_proto::{leads::v1 as leads, notifications::v1::PutChannelRequest};
use reflex_tenancy::{TenantId, TenantSet};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::scene::{ROBOT, Scene, delivered, of_every_kind, retry_later};

const RUNS: u64 = 1_000;
/// Scenes with a database each, whose runs go side by side.
const LANES: u64 = 4;
const BOSS: &str = "members/boss";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_step_is_told_after_a_stop_none_is_lost_and_none_told_twice() {
    let lanes = (0..LANES).map(|lane| async move {
        let mut scene = Scene::start().await;
        let mut seen = Seen::default();
        for seed in (lane..RUNS).step_by(usize::try_from(LANES).unwrap()) {
            Run::start(&mut scene, seed).await.play(&mut seen).await;
        }
        seen
    });
    let seen = futures_util::future::join_all(lanes).await;
    let total = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>();
    // A story in which nothing happens proves nothing.
    assert!(total(|seen| seen.told) > 1_000, "{seen:?}");
    assert!(total(|seen| seen.stopped) > 300, "{seen:?}");
    assert!(total(|seen| seen.before_commit) > 300, "{seen:?}");
    assert!(total(|seen| seen.before_ack) > 300, "{seen:?}");
    assert!(total(|seen| seen.before_send) > 100, "{seen:?}");
    assert!(total(|seen| seen.before_record) > 100, "{seen:?}");
}

/// What the runs of a lane came across.
#[derive(Debug, Default)]
struct Seen {
    told: usize,
    stopped: usize,
    before_commit: usize,
    before_ack: usize,
    before_send: usize,
    before_record: usize,
}

/// What the provider does with the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    Failed,
    /// The sender dies before the provider has it.
    DiesBefore,
    /// The sender dies after the provider has it.
    DiesAfter,
}

/// A provider under which senders die.
struct Provider {
    fate: Mutex<Fate>,
    /// Messages it has, in order.
    taken: Mutex<Vec<Uuid>>,
    /// Messages whose send began, in order.
    begun: Mutex<Vec<Uuid>>,
    died: Notify,
}

impl Channel for Provider {
    fn send<'a>(&'a self, _endpoint: &'a Endpoint, message: &'a Rendered) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.begun.lock().push(message.about.message);
            let fate = *self.fate.lock();
            if matches!(fate, Fate::Taken | Fate::DiesAfter) {
                self.taken.lock().push(message.about.message);
            }
            match fate {
                Fate::Taken => delivered(),
                Fate::Failed => retry_later(),
                Fate::DiesBefore | Fate::DiesAfter => {
                    self.died.notify_one();
                    std::future::pending().await
                }
            }
        })
    }
}

/// How leads sees one of its leads.
#[expect(clippy::struct_excessive_bools, reason = "each happens by itself")]
#[derive(Debug, Clone, Default)]
struct Lead {
    name: String,
    step: i32,
    contacted: bool,
    acknowledged: bool,
    merged: bool,
    withdrawn: bool,
}

impl Lead {
    fn climbs(&self) -> bool {
        !self.contacted && !self.acknowledged && !self.merged && !self.withdrawn
    }
}

/// What an applied fact means for the messages about a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Told,
    Stops,
    Resumes,
    Other,
}

struct Run<'s> {
    scene: &'s mut Scene,
    seed: u64,
    rng: StdRng,
    tenant: TenantId,
    leads: [Lead; 2],
    /// What leads told, in order, and what it means for which leads.
    facts: Vec<(Envelope, Vec<(String, Meaning)>)>,
    /// Facts the stream has heard of as applied.
    acknowledged: usize,
    /// Facts whose effects are committed.
    committed: usize,
    /// Leads nobody is to be reminded of, as committed.
    stopped: BTreeSet<String>,
    /// Escalations that were committed while their lead climbed, and those among them that were stopped later.
    due: BTreeMap<Uuid, String>,
    called_off: BTreeSet<Uuid>,
    provider: Arc<Provider>,
    replicas: [Sender; 2],
}

impl<'s> Run<'s> {
    async fn start(scene: &'s mut Scene, seed: u64) -> Self {
        let tenant: TenantId = format!("t{seed}").parse().unwrap();
        let provider = Arc::new(Provider {
            fate: Mutex::new(Fate::Taken),
            taken: Mutex::default(),
            begun: Mutex::default(),
            died: Notify::new(),
        });
        let replica = || {
            Sender::new(SenderParts {
                database: scene.database.clone(),
                clock: scene.clock.clone(),
                ids: scene.app.ids.clone(),
                sealer: scene.app.sealer.clone(),
                providers: of_every_kind(&provider),
                links: scene.app.links.clone(),
                settings: scene.app.settings.clone(),
                zone: scene.app.zone.clone(),
                relay_wake: RelayWake::default(),
            })
        };
        let replicas = [replica(), replica()];
        // Programs get each message by itself, so that a digest hides nothing.
        let wanted = WantedChannel {
            name: ROBOT.to_owned(),
            kind: Kind::Webhook,
            endpoint: "https://hooks.example/reflex".into(),
            secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
            account: Account::default(),
            teams: Vec::new(),
            limits: Limits {
                per_minute: 600,
                reserved: 100,
            },
            enabled: true,
        };
        let request = PutChannelRequest::default();
        scene.app.put_channel(&tenant, wanted, None, &request).await.unwrap();
        let lead = |number: u64| Lead {
            name: format!("leads/{seed}-{number}"),
            ..Lead::default()
        };
        Self {
            rng: StdRng::seed_from_u64(seed),
            seed,
            tenant,
            leads: [lead(1), lead(2)],
            facts: Vec::new(),
            acknowledged: 0,
            committed: 0,
            stopped: BTreeSet::new(),
            due: BTreeMap::new(),
            called_off: BTreeSet::new(),
            provider,
            replicas,
            scene,
        }
    }

    async fn play(mut self, seen: &mut Seen) {
        for place in 0..2 {
            self.assign(place);
        }
        for _ in 0..24 {
            match self.rng.random_range(0..10) {
                0..3 => self.happen(),
                3..6 => self.consume(seen).await,
                6..9 => self.send(seen).await,
                _ => {
                    let seconds = self.rng.random_range(1..90);
                    self.scene.clock.advance(SignedDuration::from_secs(seconds));
                }
            }
        }
        self.end(seen).await;
        self.judge(seen).await;
    }

    fn tell(&mut self, kind: &str, place: usize, message: &impl prost::Message, means: Vec<(String, Meaning)>) {
        let name = self.leads[place].name.clone();
        let mut event = self.scene.facts.event(kind, &name, message);
        event.tenant = self.tenant.clone();
        self.facts.push((event, means));
    }

    fn assign(&mut self, place: usize) {
        let lead = self.leads[place].name.clone();
        let assigned = leads::LeadAssigned {
            lead: lead.clone(),
            number: lead.clone(),
            owner: "members/an".into(),
            fencing_token: 1,
            ..leads::LeadAssigned::default()
        };
        self.tell("LeadAssigned", place, &assigned, vec![(lead, Meaning::Other)]);
    }

    /// Lets something happen in leads that may happen there.
    fn happen(&mut self) {
        let place = self.rng.random_range(0..2_usize);
        let lead = self.leads[place].clone();
        let name = lead.name.clone();
        match self.rng.random_range(0..10) {
            0..5 if lead.climbs() => {
                self.leads[place].step += 1;
                let escalated = leads::LeadEscalated {
                    lead: name.clone(),
                    number: name.clone(),
                    step: lead.step + 1,
                    step_count: 10,
                    recipient: BOSS.into(),
                    channels: vec!["dingtalk".into()],
                    ..leads::LeadEscalated::default()
                };
                self.tell("LeadEscalated", place, &escalated, vec![(name, Meaning::Told)]);
            }
            5 if !lead.merged && !lead.withdrawn && !lead.contacted => {
                self.leads[place].contacted = true;
                let contacted = leads::LeadFirstContacted {
                    lead: name.clone(),
                    member: "members/an".into(),
                    occur_time: None,
                };
                self.tell("LeadFirstContacted", place, &contacted, vec![(name, Meaning::Stops)]);
            }
            6 if lead.climbs() && lead.step > 0 => {
                self.leads[place].acknowledged = true;
                let acknowledged = leads::LeadEscalationAcknowledged {
                    lead: name.clone(),
                    member: BOSS.into(),
                    step: lead.step,
                    ladder_stopped: true,
                };
                self.tell(
                    "LeadEscalationAcknowledged",
                    place,
                    &acknowledged,
                    vec![(name, Meaning::Stops)],
                );
            }
            7 if !lead.merged && !lead.withdrawn && !self.leads[1 - place].merged => {
                self.leads[place].merged = true;
                let merged = leads::LeadMerged {
                    lead: name.clone(),
                    survivor: self.leads[1 - place].name.clone(),
                    ..leads::LeadMerged::default()
                };
                self.tell("LeadMerged", place, &merged, vec![(name, Meaning::Stops)]);
            }
            8 if lead.merged => {
                self.leads[place].merged = false;
                let waits = !lead.contacted;
                let unmerged = leads::LeadUnmerged {
                    lead: name.clone(),
                    survivor: self.leads[1 - place].name.clone(),
                    waits,
                    ..leads::LeadUnmerged::default()
                };
                let meaning = if waits { Meaning::Resumes } else { Meaning::Other };
                self.tell("LeadUnmerged", place, &unmerged, vec![(name, meaning)]);
            }
            9 if !lead.withdrawn && !lead.merged && !self.leads[1 - place].merged => {
                self.leads[place].withdrawn = true;
                let withdrawn = leads::LeadWithdrawn {
                    lead: name.clone(),
                    ..leads::LeadWithdrawn::default()
                };
                self.tell("LeadWithdrawn", place, &withdrawn, vec![(name, Meaning::Stops)]);
            }
            _ => {}
        }
    }

    /// Applies a batch of what the stream has not heard of, as a consumer does: what was applied before falls away by its id.
    async fn consume(&mut self, seen: &mut Seen) {
        let end = (self.acknowledged + self.rng.random_range(1..5_usize)).min(self.facts.len());
        let batch: Vec<Envelope> = self.facts[self.acknowledged..end]
            .iter()
            .map(|(event, _)| event.clone())
            .collect();
        if batch.is_empty() {
            return;
        }
        let tenants = TenantSet::one(&self.tenant);
        let mut tx = self.scene.database.begin("apply_events", &tenants).await.unwrap();
        let ids: Vec<Uuid> = batch.iter().map(|event| event.id).collect();
        let new: Vec<Uuid> = sqlx::query_scalar(
            "insert into inbox (tenant_id, event_id) select $1, * from unnest($2::uuid[])
             on conflict do nothing returning event_id",
        )
        .bind(self.tenant.as_str())
        .bind(ids)
        .fetch_all(&mut *tx)
        .await
        .unwrap();
        let batch: Vec<Envelope> = batch.into_iter().filter(|event| new.contains(&event.id)).collect();
        let after = self.scene.events.apply(&mut tx, &batch).await.unwrap();
        if self.rng.random_ratio(1, 4) {
            seen.before_commit += 1;
            return;
        }
        tx.commit().await.unwrap();
        self.committed(end);
        if self.rng.random_ratio(1, 4) {
            seen.before_ack += 1;
            return;
        }
        self.scene.events.applied(after);
        self.acknowledged = end;
    }

    /// Notes what is so from now on. A stop and its end that come together never were.
    fn committed(&mut self, end: usize) {
        let from = self.committed.min(end);
        let called_off = self.called_off.clone();
        for (event, means) in &self.facts[from..end] {
            for (lead, meaning) in means {
                match meaning {
                    Meaning::Told => {
                        self.due.insert(event.id, lead.clone());
                    }
                    Meaning::Stops => {
                        let off = self.due.iter().filter(|(_, about)| *about == lead).map(|(id, _)| *id);
                        self.called_off.extend(off.collect::<Vec<_>>());
                        self.stopped.insert(lead.clone());
                    }
                    Meaning::Resumes => {
                        self.stopped.remove(lead);
                        let due = &self.due;
                        self.called_off
                            .retain(|id| called_off.contains(id) || due.get(id) != Some(lead));
                    }
                    Meaning::Other => {}
                }
            }
        }
        self.committed = self.committed.max(end);
    }

    /// Lets a replica send one message, and perhaps die over it.
    async fn send(&mut self, seen: &mut Seen) {
        let fate = match self.rng.random_range(0..8) {
            0 => Fate::DiesBefore,
            1 => Fate::DiesAfter,
            2 => Fate::Failed,
            _ => Fate::Taken,
        };
        *self.provider.fate.lock() = fate;
        let replica = &self.replicas[self.rng.random_range(0..2_usize)];
        let begun = self.provider.begun.lock().len();
        let died = tokio::select! {
            // Looked at first: a message that is on its way is on its way.
            biased;
            step = replica.send_next(&self.tenant, ROBOT) => {
                step.unwrap();
                false
            }
            () = self.provider.died.notified() => true,
        };
        match fate {
            Fate::DiesBefore if died => seen.before_send += 1,
            Fate::DiesAfter if died => seen.before_record += 1,
            _ => assert!(!died, "seed {}", self.seed),
        }
        self.check_begun(begun).await;
    }

    /// Checks that what has just begun to be sent was to be told.
    async fn check_begun(&self, from: usize) {
        let begun = self.provider.begun.lock()[from..].to_vec();
        for message in begun {
            let (message, _) = self.scene.app.get_message(&self.tenant, message).await.unwrap();
            let cause = message.cause_event.unwrap();
            let is_off = message.class == Class::Escalation && self.called_off.contains(&cause);
            assert!(
                !is_off,
                "seed {}: {} was told after it was called off",
                self.seed, message.subject
            );
        }
    }

    /// Lets everything come to its end: nothing dies any more.
    async fn end(&mut self, _seen: &mut Seen) {
        while self.acknowledged < self.facts.len() {
            let mut quiet = Seen::default();
            self.consume(&mut quiet).await;
        }
        *self.provider.fate.lock() = Fate::Taken;
        // Longer than a dead sender's hold, and than the longest wait for another try, again and again.
        for _ in 0..12 {
            self.scene.clock.advance(SignedDuration::from_mins(31));
            loop {
                let begun = self.provider.begun.lock().len();
                let step = self.replicas[0].send_next(&self.tenant, ROBOT).await.unwrap();
                self.check_begun(begun).await;
                if step != Step::Went {
                    break;
                }
            }
        }
    }

    async fn judge(&self, tally: &mut Seen) {
        let seed = self.seed;
        let filter = Filter::default();
        let messages = self
            .scene
            .app
            .list_messages(&self.tenant, &filter, None, 1_000)
            .await
            .unwrap();
        let mut tellings = BTreeSet::new();
        for told in &messages {
            let place = (told.cause_event, told.recipient.clone(), told.channel.clone());
            assert!(tellings.insert(place), "seed {seed}: two rows for one telling");
            assert_ne!(
                told.state,
                State::Pending,
                "seed {seed}: {} waits for ever",
                told.subject
            );
            assert_ne!(told.state, State::Failed, "seed {seed}");
        }
        let taken = self.provider.taken.lock().clone();
        for (cause, lead) in &self.due {
            let by_channel = messages
                .iter()
                .find(|message| message.cause_event == Some(*cause) && message.channel == ROBOT)
                .unwrap_or_else(|| panic!("seed {seed}: a step of {lead} is lost"));
            let times = taken.iter().filter(|id| **id == by_channel.id).count();
            if self.called_off.contains(cause) {
                tally.stopped += usize::from(by_channel.state == State::Stopped);
            } else {
                assert_eq!(
                    by_channel.state,
                    State::Delivered,
                    "seed {seed}: a step of {lead} was not told"
                );
                assert!(times >= 1, "seed {seed}");
                tally.told += 1;
            }
            // Once more only where a sender died with the provider's answer.
            let attempts = self.scene.app.get_message(&self.tenant, by_channel.id).await.unwrap().1;
            let recorded = attempts.iter().filter(|attempt| attempt.outcome == "delivered").count();
            assert!(recorded <= 1, "seed {seed}: told {recorded} times on record");
            let deaths = self
                .provider
                .begun
                .lock()
                .iter()
                .filter(|id| **id == by_channel.id)
                .count()
                - attempts.len();
            assert!(
                times <= recorded + deaths,
                "seed {seed}: told {times} times, {deaths} deaths"
            );
        }
        let told_boss = messages
            .iter()
            .filter(|message| message.recipient == BOSS && message.channel == INBOX);
        let told_boss = told_boss.filter(|message| message.state == State::Delivered).count();
        let page = Page {
            recipient: BOSS,
            unread_only: false,
            before: None,
            limit: 1_000,
        };
        let items = self.scene.app.list_inbox_items(&self.tenant, &page).await.unwrap().0;
        let withdrawn = |subject: &str| self.leads.iter().any(|lead| lead.withdrawn && lead.name == subject);
        let kept = messages.iter().filter(|message| {
            message.recipient == BOSS
                && message.channel == INBOX
                && message.state == State::Delivered
                && !withdrawn(&message.subject)
        });
        assert!(items.len() <= told_boss, "seed {seed}");
        assert_eq!(items.len(), kept.count(), "seed {seed}: one item for each telling");
    }
}
