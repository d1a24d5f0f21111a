//! Waiting for a state; the only place where a test sleeps.

use std::{panic::Location, time::Duration};

use tokio::time::{Instant, sleep, timeout};

/// How long a state may take to come about; far more than any needs, so that a busy machine fails no test.
const LIMIT: Duration = Duration::from_secs(20);

/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Looks until the state is there and returns it; fails the test with the description when it does not come about.
///
/// ```
/// # async fn example(sent: impl AsyncFn() -> Vec<String>) {
/// let mail = reflex_testing::eventually("the owner is notified", async || sent().await.pop()).await;
/// # }
/// ```
///
/// # Panics
/// When the state is not there after 20 seconds, or one look takes that long.
#[track_caller]
pub fn eventually<S: Seen>(what: &str, look: impl AsyncFnMut() -> S) -> impl Future<Output = S::State> {
    let place = Location::caller();
    async move {
        match seen_within(LIMIT, look).await {
            Some(state) => state,
            None => panic!("waited {LIMIT:?} in vain until {what}, at {place}"),
        }
    }
}

async fn seen_within<S: Seen>(limit: Duration, mut look: impl AsyncFnMut() -> S) -> Option<S::State> {
    let patience_ends = Instant::now() + limit;
    let mut pause = Duration::from_millis(2);
    loop {
        let left = patience_ends.saturating_duration_since(Instant::now());
        if let Some(state) = timeout(left, look()).await.ok()?.state() {
            return Some(state);
        }
        if left.is_zero() {
            return None;
        }
        sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What a look at the state returns: whether it is there, or what was found.
pub trait Seen {
    /// What is known once the state is there.
    type State;

    /// Returns nothing while the state is not there yet.
    fn state(self) -> Option<Self::State>;
}

impl Seen for bool {
    type State = ();

    fn state(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Seen for Option<T> {
    type State = T;

    fn state(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn returns_what_was_seen() {
        let mut looks = 0;
        let found = eventually("the third look", async || {
            looks += 1;
            (looks == 3).then_some("there")
        });
        assert_eq!(found.await, "there");
        assert_eq!(looks, 3);
        eventually("truth", async || true).await;
    }

    #[tokio::test]
    async fn gives_up_on_a_state_that_never_comes() {
        let limit = Duration::from_millis(20);
        assert_eq!(seen_within(limit, async || false).await, None);
        assert_eq!(
            seen_within(limit, async || std::future::pending::<bool>().await).await,
            None,
            "a look that hangs"
        );
    }
}
