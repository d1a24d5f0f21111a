//! Group commit: concurrent calls are gathered into one batch and share its commit.

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// The way into a batch; cheap to clone.
#[derive(Debug)]
pub struct Batcher<I, O> {
    queue: mpsc::Sender<(I, oneshot::Sender<O>)>,
}

impl<I, O> Clone for Batcher<I, O> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
        }
    }
}

/// A call was not taken into a batch, or its batch ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The queue is full: shed the call.
    #[error("the queue is full")]
    Full,
    /// The process is stopping.
    #[error("the batch loop has ended")]
    Stopped,
}

/// The loop that works the batches off, one at a time.
#[derive(Debug)]
pub struct BatchLoop<I, O, W> {
    queue: mpsc::Receiver<(I, oneshot::Sender<O>)>,
    max_batch: usize,
    work: W,
}

/// Works one batch off: as many outputs as inputs, in their order.
pub trait Work<I, O>: Send + 'static {
    /// Does the work; called with at least one input.
    fn work(&mut self, inputs: Vec<I>) -> impl Future<Output = Vec<O>> + Send;
}

/// Makes a batcher whose queue holds `capacity` calls, and the loop that must be spawned for it.
pub fn batcher<I, O, W: Work<I, O>>(capacity: usize, max_batch: usize, work: W) -> (Batcher<I, O>, BatchLoop<I, O, W>) {
    let (sender, queue) = mpsc::channel(capacity);
    (Batcher { queue: sender }, BatchLoop { queue, max_batch, work })
}

impl<I, O> Batcher<I, O> {
    /// Puts one input into the next batch and waits for its output.
    ///
    /// # Errors
    /// [`BatchError::Full`] at once when the queue is full.
    pub async fn call(&self, input: I) -> Result<O, BatchError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send((input, answer)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => BatchError::Full,
            mpsc::error::TrySendError::Closed(_) => BatchError::Stopped,
        })?;
        answered.await.map_err(|_| BatchError::Stopped)
    }
}

impl<I: Send + 'static, O: Send + 'static, W: Work<I, O>> BatchLoop<I, O, W> {
    /// Runs until `stop`; what waits then is still worked off. No timer delays a batch: while one commits, the next
    /// gathers by itself.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let mut taken = Vec::new();
            tokio::select! {
                biased;
                count = self.queue.recv_many(&mut taken, self.max_batch) => if count == 0 { return },
                () = stop.cancelled() => self.queue.close(),
            }
            if taken.is_empty() {
                continue;
            }
            let (inputs, answers): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
            for (answer, output) in answers.into_iter().zip(self.work.work(inputs).await) {
                // A caller that went away does not need its answer.
                drop(answer.send(output));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Double {
        batches: mpsc::UnboundedSender<usize>,
    }

    impl Work<u32, u32> for Double {
        async fn work(&mut self, inputs: Vec<u32>) -> Vec<u32> {
            self.batches.send(inputs.len()).expect("the test listens");
            inputs.into_iter().map(|input| input * 2).collect()
        }
    }

    #[tokio::test]
    async fn answers_each_caller_with_its_own_output() {
        let (sender, mut batches) = mpsc::unbounded_channel();
        let (calls, batch_loop) = batcher(100, 10, Double { batches: sender });
        let waiting = (0..25).map(|input| {
            let calls = calls.clone();
            async move { (input, calls.call(input).await) }
        });
        let waiting = futures_util::future::join_all(waiting);
        let stop = CancellationToken::new();
        let (answers, ()) = tokio::join!(
            async {
                let answers = waiting.await;
                stop.cancel();
                answers
            },
            batch_loop.run(stop.clone())
        );
        assert!(answers.into_iter().all(|(input, output)| output == Ok(input * 2)));
        let mut sizes = Vec::new();
        while let Ok(size) = batches.try_recv() {
            sizes.push(size);
        }
        assert_eq!(sizes, [10, 10, 5], "calls that wait together share a batch");
    }

    #[tokio::test]
    async fn refuses_at_once_when_full_and_after_the_end() {
        let (sender, _batches) = mpsc::unbounded_channel();
        let (calls, batch_loop) = batcher(1, 10, Double { batches: sender });
        let mut first = Box::pin(calls.call(1));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert_eq!(calls.call(2).await, Err(BatchError::Full));
        let stop = CancellationToken::new();
        stop.cancel();
        let (first, ()) = tokio::join!(first, batch_loop.run(stop));
        assert_eq!(first, Ok(2), "what waited is still worked off");
        assert_eq!(calls.call(3).await, Err(BatchError::Stopped));
    }
}
