//! Finds channels with something to send and lets each send, many at a time: a provider that hangs delays its own
//! messages only.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use reflex_events::envelope::shard_of;
use reflex_pg::{
    Database, DbError,
    lease::{Hold, ShardWorker},
};
use reflex_runtime::clock::SharedClock;
use reflex_tenancy::TenantId;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::send::{Rest, SendError, Sender, Step};
use crate::{store::sending, wake::Wake};

/// Shards of the channels; each is worked by one replica.
pub const SEND_SHARDS: i16 = 2;
/// How often the loop looks unless it is woken: the safety net for what other replicas committed.
const POLL: Duration = Duration::from_millis(100);
/// Most channels that send at once.
const AT_ONCE: usize = 128;
/// How long a channel is left alone after we failed ourselves.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(2);
/// A rest is checked again after this long, as somebody may have changed the channel.
const LONGEST_REST: SignedDuration = SignedDuration::from_secs(5);

type ChannelKey = (TenantId, String);

/// Sends what waits for the channels of a shard.
pub struct SendLoop {
    /// Where messages wait.
    pub database: Database,
    /// Tells when.
    pub clock: SharedClock,
    /// Sends one.
    pub sender: Sender,
    /// Wakes the loop.
    pub wake: Wake,
}

impl SendLoop {
    /// Starts the channels of this shard that have something to send, are not at it, and do not rest.
    async fn waiting(&self, hold: &Hold, work: &Work) -> Result<Vec<ChannelKey>, DbError> {
        let now = self.clock.now();
        let mut found = sending::waiting_channels(&self.database.worker, now).await?;
        found.retain(|waiting| {
            let key = (waiting.tenant.clone(), waiting.channel.clone());
            let rest = work.rests.get(&key).copied().unwrap_or_default();
            let until = if waiting.has_escalation {
                rest.escalations
            } else {
                rest.assignments
            };
            shard_of(&waiting.tenant, &waiting.channel, SEND_SHARDS) == hold.index()
                && !work.busy.contains(&key)
                && until.is_none_or(|until| until <= now)
        });
        Ok(found
            .into_iter()
            .map(|waiting| (waiting.tenant, waiting.channel))
            .collect())
    }

    /// Sends what a channel may send, one message after the other.
    async fn drain(&self, (tenant, channel): ChannelKey, stop: &CancellationToken) -> (ChannelKey, Rest) {
        let mut rest = Rest::default();
        while !stop.is_cancelled() {
            match self.sender.send_next(&tenant, &channel).await {
                Ok(Step::Went) => {}
                Ok(Step::Rest(until)) => {
                    rest = until;
                    break;
                }
                Err(error) => {
                    log(&tenant, &channel, &error);
                    rest = Rest::until(self.clock.now() + AFTER_FAILURE);
                    break;
                }
            }
        }
        ((tenant, channel), rest)
    }
}

fn log(tenant: &TenantId, channel: &str, error: &SendError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    warn!(%tenant, channel, %error, cause, "sending failed on our side, will go on");
}

/// Which channels are sending, and which rest.
#[derive(Default)]
struct Work {
    busy: HashSet<ChannelKey>,
    rests: HashMap<ChannelKey, Rest>,
}

impl Work {
    fn finish(&mut self, key: ChannelKey, rest: Rest, now: Timestamp) {
        self.busy.remove(&key);
        self.rests.retain(|_, rest| {
            [rest.escalations, rest.assignments]
                .into_iter()
                .flatten()
                .any(|until| until > now)
        });
        if rest != Rest::default() {
            let soon = |until: Option<Timestamp>| until.map(|until| until.min(now + LONGEST_REST));
            let rest = Rest {
                escalations: soon(rest.escalations),
                assignments: soon(rest.assignments),
            };
            self.rests.insert(key, rest);
        }
    }
}

impl ShardWorker for SendLoop {
    async fn work(&self, hold: Hold, stop: CancellationToken) {
        let mut woken = self.wake.listen();
        let mut work = Work::default();
        let mut running = FuturesUnordered::new();
        while !stop.is_cancelled() {
            match self.waiting(&hold, &work).await {
                Ok(channels) => {
                    for key in channels.into_iter().take(AT_ONCE.saturating_sub(running.len())) {
                        work.busy.insert(key.clone());
                        running.push(self.drain(key, &stop));
                    }
                }
                Err(error) => warn!(shard = hold.shard(), %error, "waiting channels could not be read, will go on"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some((key, rest)) = running.next() => work.finish(key, rest, self.clock.now()),
                () = woken.woken() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        // What is being sent gets its answer written down.
        while running.next().await.is_some() {}
    }
}
