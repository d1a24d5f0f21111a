//! Wakes loops of this process after a commit, so that they need not wait for their next look.

use tokio::sync::watch;

/// The waking end; cheap to clone.
#[derive(Debug, Clone)]
pub struct Wake(watch::Sender<()>);

/// The end of a loop that is woken.
#[derive(Debug)]
pub struct Woken(watch::Receiver<()>);

impl Wake {
    /// Wakes every loop, also one that is at work and would look away just now.
    pub fn wake(&self) {
        self.0.send_replace(());
    }

    /// Returns the end for one loop.
    #[must_use]
    pub fn listen(&self) -> Woken {
        Woken(self.0.subscribe())
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Woken {
    /// Waits for a wake since the last one seen.
    pub async fn woken(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left to wake us: the caller's own poll goes on.
            std::future::pending::<()>().await;
        }
    }
}
