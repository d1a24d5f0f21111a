//! What one side did in one round.

use std::time::Duration;

/// Times of single calls.
#[derive(Debug, Default, Clone)]
pub(super) struct Latencies(Vec<u64>);

impl Latencies {
    /// Takes the times in any order.
    pub(super) fn new(times: impl IntoIterator<Item = Duration>) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut times: Vec<u64> = times.into_iter().map(micros).collect();
        times.sort_unstable();
        Self(times)
    }

    /// Returns the time in microseconds that `percent` of the calls did not exceed (nearest rank), 0 without calls.
    pub(super) fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(0)
    }

    /// Returns how many calls there were.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// What one side did in one round.
#[derive(Debug, Default, Clone)]
pub(super) struct Measured {
    /// Calls, leads, facts a second.
    pub(super) per_second: f64,
    /// Times of the single calls, where there are such.
    pub(super) latencies: Latencies,
    /// Calls that failed, and what was lost or doubled.
    pub(super) errors: u64,
}

impl Measured {
    /// Computes the rate of `count` in `elapsed`.
    pub(super) fn rate(count: usize, elapsed: Duration) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]
        let count = count as f64;
        count / elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

/// Returns the middle value, or the mean of the two middle ones; 0 of nothing.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let latencies = Latencies::new((1..=200).rev().map(Duration::from_micros));
        assert_eq!(latencies.count(), 200);
        assert_eq!(
            [1, 50, 99, 100].map(|percent| latencies.percentile(percent)),
            [2, 100, 198, 200]
        );
        assert_eq!(Latencies::new([Duration::from_millis(3)]).percentile(99), 3_000);
        assert_eq!(Latencies::default().percentile(50), 0);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these are exact")]
    fn the_median_is_in_the_middle() {
        for (values, middle) in [
            (&[][..], 0.0),
            (&[3.0], 3.0),
            (&[9.0, 1.0, 2.0], 2.0),
            (&[4.0, 1.0, 2.0, 3.0], 2.5),
        ] {
            assert_eq!(median(values.iter().copied()), middle);
        }
    }

    #[test]
    fn a_rate_is_per_second() {
        assert!((Measured::rate(300, Duration::from_millis(1_500)) - 200.0).abs() < 1e-9);
    }
}
