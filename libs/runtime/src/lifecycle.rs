//! How a process ends: by a signal in good order, or because one of its tasks died.

use std::{io, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::tasks::{TaskDied, Tasks};

/// How long the steps of a stop take.
#[derive(Debug, Clone, Copy)]
pub struct StopOptions {
    /// How long to go on serving after readiness went off, so that load balancers stop sending first.
    pub drain_delay: Duration,
    /// How long running calls and loops get to end.
    pub grace: Duration,
}

/// A process did not end in good order.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// Signals cannot be received.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// A task died.
    #[error(transparent)]
    Task(#[from] TaskDied),
}

/// Runs until SIGTERM, SIGINT or the death of a task, then stops: `on_stop` (readiness off), serve on for the drain
/// delay, stop the tasks within the grace. A second signal cuts the delay short.
///
/// # Errors
///
/// Fails when a task died, or did not end within the grace.
pub async fn run_until_signal(
    tasks: &Tasks,
    options: StopOptions,
    on_stop: impl AsyncFnOnce(),
) -> Result<(), LifecycleError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(LifecycleError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(LifecycleError::Signals)?;

    tokio::select! {
        died = tasks.died() => {
            on_stop().await;
            // What is left cannot serve any more: no delay. The task that died first is the one to tell.
            let _same_or_later = tasks.shutdown(options.grace).await;
            return Err(died.into());
        }
        () = either(&mut terminate, &mut interrupt) => info!("stopping"),
    }
    on_stop().await;
    tokio::select! {
        () = tokio::time::sleep(options.drain_delay) => {}
        () = either(&mut terminate, &mut interrupt) => warn!("second signal, not waiting any longer"),
        _died = tasks.died() => {}
    }
    tasks.shutdown(options.grace).await?;
    info!("stopped");
    Ok(())
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _received = terminate.recv() => {}
        _received = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: StopOptions = StopOptions {
        drain_delay: Duration::ZERO,
        grace: Duration::from_secs(10),
    };

    #[tokio::test]
    async fn the_death_of_a_task_ends_the_process_after_readiness_went_off() {
        let tasks = Tasks::new();
        tasks.spawn("weak", async { Err::<(), _>("no luck") });
        let mut ready = true;
        let ended = run_until_signal(&tasks, AT_ONCE, async || ready = false).await;
        assert_eq!(ended.unwrap_err().to_string(), "task weak failed: no luck");
        assert!(!ready);
    }

    #[tokio::test]
    async fn a_signal_ends_the_process_in_good_order() {
        let tasks = Tasks::new();
        let stop = tasks.stop();
        tasks.spawn("loop", async move {
            // The handlers are installed once this runs: the test's runtime has one thread and polls in order.
            let own = std::process::id().to_string();
            let sent = tokio::process::Command::new("kill")
                .args(["-TERM", &own])
                .status()
                .await;
            assert!(sent.expect("kill runs").success());
            stop.cancelled().await;
        });
        assert!(run_until_signal(&tasks, AT_ONCE, async || {}).await.is_ok());
    }
}
