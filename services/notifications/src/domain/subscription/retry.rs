//! When a delivery is tried again.

use jiff::SignedDuration;

/// Waits after the first, second, … failure; the last one is also that after every further one.
const WAITS: [SignedDuration; 8] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(12),
];
/// Failures after which a delivery is given up: some three days after the first.
pub const MAX_FAILURES: i32 = 13;
/// The longest wait of an endpoint that is kept.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// Returns the wait after the n-th failure, a fifth more or less by `spread`, so that what failed together does not come back
/// together. A wait that the endpoint named is kept; none is left when the delivery is given up.
#[must_use]
pub fn delay(failures: i32, spread: u64, asked: Option<SignedDuration>) -> Option<SignedDuration> {
    if failures >= MAX_FAILURES {
        return None;
    }
    let at = usize::try_from(failures.max(1) - 1).unwrap_or(0).min(WAITS.len() - 1);
    let delay = jittered(WAITS[at], spread);
    Some(asked.map_or(delay, |asked| delay.max(asked.min(LONGEST))))
}

/// Returns a wait that is a fifth longer or shorter by `spread`.
#[must_use]
pub fn jittered(wait: SignedDuration, spread: u64) -> SignedDuration {
    // 80 to 120 percent.
    let percent = 80 + i128::from(spread % 41);
    SignedDuration::from_millis(i64::try_from(wait.as_millis() * percent / 100).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_three_days_in_all() {
        let waits: Vec<i64> = (1..)
            .map_while(|failures| delay(failures, 20, None))
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits.len(), 12);
        assert_eq!(waits[..5], [5, 30, 300, 1_800, 7_200]);
        let days = waits.iter().sum::<i64>() / 86_400;
        assert_eq!(days, 3);
    }

    #[test]
    fn waits_are_spread_and_never_shorter_than_asked() {
        let asked = |seconds| Some(SignedDuration::from_secs(seconds));
        assert_eq!(delay(1, 0, None), asked(4));
        assert_eq!(delay(1, 40, None), asked(6));
        assert_eq!(delay(1, 0, asked(77)), asked(77));
        assert_eq!(delay(2, 20, asked(7)), asked(30));
        assert_eq!(delay(1, 0, asked(90_000)), Some(LONGEST));
        assert_eq!(delay(MAX_FAILURES, 0, asked(1)), None);
    }
}
