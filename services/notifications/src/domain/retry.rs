//! When a failed message is tried again, and when a failing channel is left in peace.

use jiff::SignedDuration;

/// Failures after which a message is given up: about an hour after the first.
pub const MAX_FAILURES: i32 = 8;
/// Failures in a row after which a channel gets single probes only.
pub const BREAKER_FAILURES: i32 = 5;
/// How far apart these probes are.
pub const PROBE_INTERVAL: SignedDuration = SignedDuration::from_secs(30);

const FIRST: SignedDuration = SignedDuration::from_secs(5);
const LONGEST: SignedDuration = SignedDuration::from_mins(30);

/// Returns the wait after the n-th failure: threefold each time, a fifth more or less by `spread`, so that what failed
/// together does not come back together. A wait the provider named is kept.
#[must_use]
pub fn delay(failures: i32, spread: u64, asked: Option<SignedDuration>) -> SignedDuration {
    let steps = u32::try_from(failures.clamp(1, 12)).unwrap_or(1) - 1;
    let whole = (FIRST * 3_i32.pow(steps)).min(LONGEST).as_millis();
    // 80 to 120 percent.
    let percent = 80 + i128::from(spread % 41);
    let jittered = i64::try_from(whole * percent / 100).unwrap_or(i64::MAX);
    let delay = SignedDuration::from_millis(jittered);
    asked.map_or(delay, |asked| delay.max(asked.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_about_an_hour_in_all() {
        let waits: Vec<i64> = (1..MAX_FAILURES)
            .map(|failures| delay(failures, 20, None).as_secs())
            .collect();
        assert_eq!(waits, [5, 15, 45, 135, 405, 1_215, 1_800]);
        assert_eq!(waits.iter().sum::<i64>(), 3_620);
    }

    #[test]
    fn waits_are_spread_and_never_shorter_than_asked() {
        assert_eq!(delay(1, 0, None), SignedDuration::from_secs(4));
        assert_eq!(delay(1, 40, None), SignedDuration::from_secs(6));
        assert_eq!(
            delay(1, 0, Some(SignedDuration::from_secs(7))),
            SignedDuration::from_secs(7)
        );
        assert_eq!(delay(1, 0, Some(SignedDuration::from_hours(7))), LONGEST);
        assert_eq!(delay(i32::MAX, 20, None), LONGEST);
    }
}
