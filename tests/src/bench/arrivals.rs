//! Who waits for what to arrive at the far end of a chain.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// What arrived, by the lead it is about; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrivals(Arc<Mutex<HashMap<String, Arrival>>>);

#[derive(Debug, Default)]
struct Arrival {
    times: u64,
    waiting: Option<oneshot::Sender<()>>,
}

impl Arrivals {
    /// Notes that something about `subject` arrived.
    pub(super) fn note(&self, subject: &str) {
        let mut arrivals = self.lock();
        let arrival = arrivals.entry(subject.to_owned()).or_default();
        arrival.times += 1;
        if let Some(waiting) = arrival.waiting.take() {
            // Whoever gave up waiting has counted it as lost.
            let _waits_no_more = waiting.send(());
        }
    }

    /// Waits until something about `subject` has arrived, also before this call.
    pub(super) async fn wait_for(&self, subject: &str) {
        let arriving = {
            let mut arrivals = self.lock();
            let arrival = arrivals.entry(subject.to_owned()).or_default();
            if arrival.times > 0 {
                return;
            }
            let (sender, receiver) = oneshot::channel();
            arrival.waiting = Some(sender);
            receiver
        };
        arriving.await.expect("what is waited for stays in the map");
    }

    /// Forgets everything, and returns how many arrived more often than once.
    pub(super) fn take_doubled(&self) -> u64 {
        let doubled = std::mem::take(&mut *self.lock());
        doubled.values().map(|arrival| arrival.times.saturating_sub(1)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arrival>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn arrivals_are_seen_before_and_after_the_wait_and_doubles_are_counted() {
        let arrivals = Arrivals::default();
        arrivals.note("leads/1");
        arrivals.wait_for("leads/1").await;
        let mut waiting = Box::pin(arrivals.wait_for("leads/2"));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        arrivals.note("leads/2");
        waiting.await;
        arrivals.note("leads/2");
        assert_eq!((arrivals.take_doubled(), arrivals.take_doubled()), (1, 0));
    }
}
