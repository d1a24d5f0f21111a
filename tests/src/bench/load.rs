//! Callers that keep calls in flight.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use super::measured::{Latencies, Measured};

/// A call that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Failures that are told; the rest is counted.
const TOLD: u64 = 3;

/// Makes one call after the other.
pub(super) trait Caller: Send + 'static {
    /// Makes one call; done when all that the goal measures has happened.
    fn call(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What became of the calls of one caller.
#[derive(Default)]
struct Outcome {
    latencies: Vec<Duration>,
    errors: u64,
}

impl Outcome {
    async fn add(&mut self, caller: &mut impl Caller) {
        let started = Instant::now();
        match timeout(PATIENCE, caller.call()).await.context("no answer").flatten() {
            Ok(()) => self.latencies.push(started.elapsed()),
            Err(error) => {
                self.errors += 1;
                if self.errors <= TOLD {
                    eprintln!("    a call failed: {error:#}");
                }
            }
        }
    }
}

/// Lets each caller make its next call as soon as the last one is answered, and gives the callers back. Calls that were
/// begun within `span` are waited for.
pub(super) async fn closed_loop<C: Caller>(callers: Vec<C>, span: Duration) -> anyhow::Result<(Vec<C>, Measured)> {
    let started = Instant::now();
    let mut running = JoinSet::new();
    for mut caller in callers {
        running.spawn(async move {
            let mut outcome = Outcome::default();
            while started.elapsed() < span {
                outcome.add(&mut caller).await;
            }
            (caller, outcome)
        });
    }
    let mut callers = Vec::new();
    let mut total = Outcome::default();
    while let Some(ended) = running.join_next().await {
        let (caller, outcome) = ended.context("a caller died")?;
        callers.push(caller);
        total.latencies.extend(outcome.latencies);
        total.errors += outcome.errors;
    }
    Ok((callers, measured(total, started.elapsed())?))
}

/// Begins `per_second` calls a second, whether or not earlier ones are answered, and waits for all of them.
pub(super) async fn open_loop<C: Caller + Clone>(
    caller: &C,
    per_second: u32,
    span: Duration,
) -> anyhow::Result<Measured> {
    let started = Instant::now();
    let mut due = interval(Duration::from_secs(1) / per_second);
    // A generator that was late catches up, or the load would be less than it says.
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut running = JoinSet::new();
    while started.elapsed() < span {
        due.tick().await;
        let mut caller = caller.clone();
        running.spawn(async move {
            let mut outcome = Outcome::default();
            outcome.add(&mut caller).await;
            outcome
        });
    }
    let mut total = Outcome::default();
    while let Some(ended) = running.join_next().await {
        let outcome = ended.context("a caller died")?;
        total.latencies.extend(outcome.latencies);
        total.errors += outcome.errors;
    }
    measured(total, started.elapsed())
}

fn measured(total: Outcome, elapsed: Duration) -> anyhow::Result<Measured> {
    ensure!(!total.latencies.is_empty(), "not a single call was answered");
    let latencies = Latencies::new(total.latencies);
    Ok(Measured {
        per_second: Measured::rate(latencies.count(), elapsed),
        latencies,
        errors: total.errors,
    })
}
