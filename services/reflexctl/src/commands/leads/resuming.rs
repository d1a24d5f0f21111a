//! Streams that go on where they broke off, as imports and their undoing do.

use std::time::Duration;

use tonic::{Code, Status};

/// Waits before a stream that broke off is asked for again; each progress begins them anew.
const WAITS: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// How often a stream broke off without having come any further.
#[derive(Debug, Default)]
pub(super) struct Resuming {
    broken: usize,
}

impl Resuming {
    /// Notes that the stream came further.
    pub(super) fn progressed(&mut self) {
        self.broken = 0;
    }

    /// Waits until the stream may be asked for again; returns whether it may.
    pub(super) async fn wait(&mut self) -> bool {
        let Some(wait) = self.next() else {
            return false;
        };
        tokio::time::sleep(wait).await;
        true
    }

    fn next(&mut self) -> Option<Duration> {
        let wait = WAITS.get(self.broken).copied();
        self.broken += 1;
        wait
    }
}

/// A server that stops, another one that still has the work, a cut line: all of them pass.
pub(super) fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Aborted | Code::ResourceExhausted | Code::Cancelled | Code::Unknown
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_unless_there_is_progress() {
        let mut resuming = Resuming::default();
        for expected in &WAITS[..3] {
            assert_eq!(resuming.next().as_ref(), Some(expected));
        }
        resuming.progressed();
        for expected in WAITS {
            assert_eq!(resuming.next(), Some(expected));
        }
        assert_eq!([resuming.next(), resuming.next()], [None, None]);
        assert!(is_passing(&Status::aborted("")) && !is_passing(&Status::not_found("")));
    }
}
