//! Keeps what can wait off the full and half hours, when everybody sends.

use jiff::{SignedDuration, Timestamp};

/// From how long before a full or half hour nothing is sent that can wait.
const BEFORE: SignedDuration = SignedDuration::from_secs(30);
/// To how long after it.
const AFTER: SignedDuration = SignedDuration::from_secs(90);
/// Over how long what waited is spread then.
const SPREAD_SECONDS: u64 = 180;
const HALF_HOUR_SECONDS: i64 = 30 * 60;

/// Returns when something may be sent that was to be sent at `time`: then, unless a full or half hour is near; else
/// afterwards, at a moment that `id` alone decides, so that every replica and every try finds the same one.
#[must_use]
pub fn off_full_hours(time: Timestamp, id: u128) -> Timestamp {
    // Zones differ by quarters of an hour at the finest, and nobody meets at a quarter past in all of them.
    let second = (time + BEFORE).as_second();
    let hour_second = second - second.rem_euclid(HALF_HOUR_SECONDS);
    let Ok(hour) = Timestamp::from_second(hour_second) else {
        return time;
    };
    if time >= hour + AFTER {
        return time;
    }
    let spread = u64::try_from(id % u128::from(SPREAD_SECONDS)).unwrap_or(0);
    hour + AFTER + SignedDuration::from_secs(i64::try_from(spread).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_near_a_full_or_half_hour_comes_a_little_later() {
        for (time, id, expected) in [
            ("2026-02-13T08:00:00Z", 0, "2026-02-13T08:01:30Z"),
            ("2026-02-13T07:59:30Z", 7, "2026-02-13T08:01:37Z"),
            ("2026-02-13T07:59:29Z", 7, "2026-02-13T07:59:29Z"),
            ("2026-02-13T08:01:29Z", 179, "2026-02-13T08:04:29Z"),
            ("2026-02-13T08:01:30Z", 179, "2026-02-13T08:01:30Z"),
            ("2026-02-13T08:30:01Z", 181, "2026-02-13T08:31:31Z"),
            ("2026-02-13T08:17:00Z", 3, "2026-02-13T08:17:00Z"),
        ] {
            let found = off_full_hours(time.parse().unwrap(), id);
            assert_eq!(found, expected.parse::<Timestamp>().unwrap(), "{time} {id}");
        }
    }

    #[test]
    fn asked_again_it_is_not_put_off_again() {
        for second in 0..3_600 {
            let time = Timestamp::from_second(1_770_969_600 + second).unwrap();
            let once = off_full_hours(time, 12_345);
            assert!(once >= time);
            assert_eq!(off_full_hours(once, 12_345), once);
        }
    }
}
