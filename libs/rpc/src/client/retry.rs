//! Repeats calls that did not get through, within bounds.

use std::{
    error::Error,
    iter,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Waits before the second, third and fourth try.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(80),
];
/// What a retry takes out of the budget; a call puts in one.
const PRICE: u32 = 10;
/// A budget that no retry has touched.
const FULL: u32 = 100;

/// Bounds the retries of all calls to a service: one for every ten calls in the long run, so that a service in trouble
/// is not drowned in repetitions.
#[derive(Debug)]
pub struct RetryBudget(AtomicU32);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicU32::new(FULL))
    }
}

impl RetryBudget {
    fn deposit(&self) {
        self.change(|saved| (saved < FULL).then_some(saved + 1));
    }

    /// Pays for a retry, unless the budget is used up.
    fn withdraw(&self) -> bool {
        self.change(|saved| saved.checked_sub(PRICE))
    }

    fn change(&self, step: impl FnMut(u32) -> Option<u32>) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).is_ok()
    }
}

/// Makes a call, up to four times while it does not get through. For calls that may be repeated: reads, and writes with
/// a `request_id`. Retries end with the budget, and where the next would begin after `deadline`.
///
/// # Errors
///
/// Returns the failure of the last try.
pub async fn retry<T, F>(
    budget: &RetryBudget,
    deadline: Option<Instant>,
    mut call: impl FnMut() -> F,
) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    budget.deposit();
    for pause in PAUSES {
        let status = match call().await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        let too_late = deadline.is_some_and(|deadline| Instant::now() + pause >= deadline);
        if !did_not_get_through(&status) || too_late || !budget.withdraw() {
            return Err(status);
        }
        sleep(pause).await;
    }
    call().await
}

/// Returns whether the call was lost on the way. A server that says when to come back is not such a case: it was
/// reached, and its delay is for the caller to decide on.
fn did_not_get_through(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => status.get_details_retry_info().is_none(),
        // Calls in flight when a server closes its connection.
        Code::Cancelled => iter::successors(status.source(), |&error| error.source()).any(|error| {
            error
                .downcast_ref::<hyper::Error>()
                .is_some_and(hyper::Error::is_canceled)
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;
    use crate::status;

    /// Fails `failures` times; returns the outcome and how often it was called.
    async fn attempts(budget: &RetryBudget, deadline: Option<Instant>, failures: u32, status: &Status) -> (bool, u32) {
        let mut calls = 0;
        let outcome = retry(budget, deadline, || {
            calls += 1;
            ready(if calls <= failures { Err(status.clone()) } else { Ok(()) })
        });
        let succeeded = outcome.await.is_ok();
        (succeeded, calls)
    }

    #[tokio::test]
    async fn only_lost_calls_are_repeated() {
        let budget = RetryBudget::default();
        let lost = Status::unavailable("tcp connect error");
        assert_eq!(attempts(&budget, None, 0, &lost).await, (true, 1));
        assert_eq!(attempts(&budget, None, 2, &lost).await, (true, 3));
        assert_eq!(attempts(&budget, None, 9, &lost).await, (false, 4));
        for answer in [
            status::unavailable(Duration::from_secs(1)),
            status::overloaded(Duration::from_secs(1)),
            status::deadline_exceeded(),
            Status::cancelled("by its caller"),
            status::stale("was claimed"),
        ] {
            assert_eq!(attempts(&budget, None, 9, &answer).await, (false, 1), "{answer}");
        }
    }

    #[tokio::test]
    async fn nothing_is_repeated_past_the_deadline() {
        let lost = Status::unavailable("tcp connect error");
        assert_eq!(
            attempts(&RetryBudget::default(), Some(Instant::now()), 9, &lost).await,
            (false, 1)
        );
    }

    #[tokio::test]
    async fn a_broken_service_gets_one_retry_for_ten_calls() {
        let budget = RetryBudget::default();
        while budget.withdraw() {}
        let mut calls = 0;
        for _call in 0..40 {
            calls += attempts(&budget, None, 9, &Status::unavailable("tcp connect error"))
                .await
                .1;
        }
        assert_eq!(calls, 44);
        for _call in 0..1_000 {
            budget.deposit();
        }
        assert_eq!(
            budget.0.load(Ordering::Relaxed),
            FULL,
            "a long calm does not pile up retries"
        );
    }
}
