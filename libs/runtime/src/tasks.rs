//! The tasks of a process: all are known, all are waited for, and the death of one ends the process.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt::Display,
    future::pending,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

/// Starts tasks and stops them together; clones share the same tasks.
#[derive(Clone, Default)]
pub struct Tasks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tracker: TaskTracker,
    /// Asks every task to end.
    stop: CancellationToken,
    /// Drops those that did not end in time.
    kill: CancellationToken,
    /// How many of each name are running.
    running: Mutex<BTreeMap<&'static str, usize>>,
    died: OnceLock<TaskDied>,
}

/// A task that ended although nobody asked it to, or did not end although somebody did.
#[derive(Debug, Clone, thiserror::Error)]
#[error("task {task} {cause}")]
pub struct TaskDied {
    /// Name the task was spawned with.
    pub task: &'static str,
    /// What happened to it.
    pub cause: Cause,
}

/// What happened to a task.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    /// Returned before the stop.
    #[error("ended before it was asked to")]
    Ended,
    /// Returned an error.
    #[error("failed: {0}")]
    Failed(String),
    /// Panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// Was still running when the grace of the shutdown was over.
    #[error("did not end in time")]
    Overdue,
}

/// What a task may return: nothing, or a result whose error ends the process.
pub trait Outcome: Send + 'static {
    /// Returns what went wrong, if anything.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Display + Send + 'static> Outcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        // The alternate form of anyhow's errors shows the whole chain.
        self.err().map(|error| format!("{error:#}"))
    }
}

impl Tasks {
    /// Returns an empty set of tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task that is to run until the stop; ending earlier, in whatever way, stops all others.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        self.track(name, async move {
            let outcome = AssertUnwindSafe(task).catch_unwind().await;
            let cause = match outcome.map(Outcome::failure) {
                Ok(None) if inner.stop.is_cancelled() => return,
                Ok(None) => Cause::Ended,
                Ok(Some(failure)) => Cause::Failed(failure),
                Err(panic) => Cause::Panicked(panic_text(&*panic)),
            };
            inner.report(TaskDied { task: name, cause });
        });
    }

    /// Starts a task that may end by itself, for example one that feeds a single answer stream. Its panic is logged
    /// and hurts nobody else.
    pub fn spawn_brief<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.track(name, async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                error!(task = name, panic = panic_text(&*panic), "brief task panicked");
            }
        });
    }

    /// Returns the token that asks the tasks to end; tasks may wait for it or make children of it.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// Waits for the first task that dies; forever if none does.
    pub async fn died(&self) -> TaskDied {
        // A death is recorded before it cancels the stop token.
        self.0.stop.cancelled().await;
        match self.0.died.get() {
            Some(died) => died.clone(),
            None => pending().await,
        }
    }

    /// Asks all tasks to end, waits up to `grace` and drops those that are left.
    ///
    /// # Errors
    ///
    /// Returns the first task that died, before the stop or because of it.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), TaskDied> {
        self.0.stop.cancel();
        self.0.tracker.close();
        if tokio::time::timeout(grace, self.0.tracker.wait()).await.is_err() {
            let left: Vec<_> = self.0.running.lock().keys().copied().collect();
            warn!(tasks = ?left, "tasks did not end in time");
            if let Some(&task) = left.first() {
                self.0.report(TaskDied {
                    task,
                    cause: Cause::Overdue,
                });
            }
            self.0.kill.cancel();
            self.0.tracker.wait().await;
        }
        self.0.died.get().map_or(Ok(()), |died| Err(died.clone()))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts tasks")]
    fn track<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        *self.0.running.lock().entry(name).or_default() += 1;
        let inner = Arc::clone(&self.0);
        let tracked = self.0.tracker.track_future(async move {
            // None when it was killed, which the shutdown reports.
            let _ended = inner.kill.run_until_cancelled(task).await;
            inner.forget(name);
        });
        tokio::spawn(tracked);
    }
}

impl Inner {
    /// Keeps the first death and stops everything.
    fn report(&self, died: TaskDied) {
        error!(task = died.task, cause = %died.cause, "task died");
        // Only the first is the reason; those that die of it are in the log.
        let _first = self.died.set(died);
        self.stop.cancel();
    }

    fn forget(&self, name: &'static str) {
        let mut running = self.running.lock();
        if let Some(count) = running.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                running.remove(name);
            }
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a text").to_owned()
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn tasks_end_when_asked() {
        let tasks = Tasks::new();
        let stop = tasks.stop();
        tasks.spawn("loop", async move { stop.cancelled().await });
        tasks.spawn_brief("brief", async {});
        assert!(tasks.shutdown(GRACE).await.is_ok());
    }

    #[tokio::test]
    async fn a_death_stops_the_others_and_is_told() {
        for (expected, task) in [
            ("ended before it was asked to", 0),
            ("failed: no luck", 1),
            ("panicked: at 2", 2),
        ] {
            let tasks = Tasks::new();
            let (stop, (ended, other)) = (tasks.stop(), oneshot::channel());
            tasks.spawn("other", async move {
                stop.cancelled().await;
                ended.send(()).unwrap();
            });
            tasks.spawn("weak", async move {
                assert_ne!(task, 2, "at 2");
                if task == 1 { Err("no luck") } else { Ok(()) }
            });
            let died = tasks.died().await;
            assert_eq!(died.task, "weak");
            assert!(
                died.to_string().contains(expected.split(':').next().unwrap()),
                "{died} is not {expected}"
            );
            other.await.unwrap();
            assert_eq!(tasks.shutdown(GRACE).await.unwrap_err().task, "weak");
        }
    }

    #[tokio::test]
    async fn the_panic_of_a_brief_task_hurts_nobody() {
        let tasks = Tasks::new();
        tasks.spawn_brief("brief", async { panic!("only me") });
        assert!(tasks.shutdown(GRACE).await.is_ok());
    }

    #[tokio::test]
    async fn who_does_not_end_in_time_is_dropped_and_named() {
        let tasks = Tasks::new();
        let (held, dropped) = oneshot::channel::<()>();
        tasks.spawn("stubborn", async move {
            let _held = held;
            pending::<()>().await;
        });
        let died = tasks.shutdown(Duration::ZERO).await.unwrap_err();
        assert_eq!(died.to_string(), "task stubborn did not end in time");
        assert!(dropped.await.is_err(), "its sender was dropped with it");
    }
}
