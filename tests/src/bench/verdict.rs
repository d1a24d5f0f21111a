//! Compares the two sides of a goal and says whether it is reached.

use serde::Serialize;

use super::{
    measured::{Measured, median},
    rounds::Round,
};

/// What of a round is compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Figure {
    /// Calls, leads, facts a second.
    Rate,
    /// Microseconds that half of the calls did not exceed.
    P50,
    /// Microseconds that 99 of 100 calls did not exceed.
    P99,
}

/// What our figure divided by the limit's has to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    /// For rates.
    AtLeast(f64),
    /// For times.
    AtMost(f64),
}

/// One figure of a goal and what it has to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// Name of the figure's line.
    pub(super) name: &'static str,
    pub(super) figure: Figure,
    pub(super) bound: Bound,
    /// What the best of their class reach.
    pub(super) best: f64,
}

/// What a goal's rounds say of one figure: one line of JSON.
#[derive(Debug, Serialize)]
pub struct Verdict {
    goal: &'static str,
    /// Median of the rounds' ratios of ours to the limit.
    ratio: f64,
    lo: f64,
    hi: f64,
    target: f64,
    /// Whether the target is reached without any error, or was not measured.
    pub pass: bool,
    /// The limit's figure, a second or in microseconds.
    limit: f64,
    ours: f64,
    p50_us: u64,
    p99_us: u64,
    errors: u64,
    /// Whether nothing was measured, as the peer is not installed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skipped: bool,
    #[serde(skip)]
    of: Target,
}

impl Figure {
    /// Returns this figure of what was measured.
    pub(super) fn of(self, measured: &Measured) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a call takes far less than 2^52 microseconds")]
        match self {
            Self::Rate => measured.per_second,
            Self::P50 => measured.latencies.percentile(50) as f64,
            Self::P99 => measured.latencies.percentile(99) as f64,
        }
    }

    /// Returns the ratio of ours to the limit in one round.
    pub(super) fn ratio(self, round: &Round) -> f64 {
        self.of(&round.ours) / self.of(&round.limit).max(f64::EPSILON)
    }
}

impl Verdict {
    /// Judges one figure of a goal.
    pub(super) fn new(target: Target, rounds: &[Round]) -> Self {
        let ratios = || rounds.iter().map(|round| target.figure.ratio(round));
        let ratio = median(ratios());
        let errors = rounds.iter().map(|round| round.limit.errors + round.ours.errors).sum();
        let (reached, bound) = match target.bound {
            Bound::AtLeast(bound) => (ratio >= bound, bound),
            Bound::AtMost(bound) => (ratio <= bound, bound),
        };
        let ours = |figure: Figure| median(rounds.iter().map(|round| figure.of(&round.ours)));
        Self {
            goal: target.name,
            ratio: rounded(ratio, 1_000.0),
            lo: rounded(ratios().fold(f64::INFINITY, f64::min), 1_000.0),
            hi: rounded(ratios().fold(0.0, f64::max), 1_000.0),
            target: bound,
            pass: reached && errors == 0,
            limit: rounded(median(rounds.iter().map(|round| target.figure.of(&round.limit))), 10.0),
            ours: rounded(ours(target.figure), 10.0),
            p50_us: whole(ours(Figure::P50)),
            p99_us: whole(ours(Figure::P99)),
            errors,
            skipped: false,
            of: target,
        }
    }

    /// Says that a figure was not measured: its peer is not installed.
    pub(super) fn skipped(target: Target) -> Self {
        let (Bound::AtLeast(bound) | Bound::AtMost(bound)) = target.bound;
        Self {
            goal: target.name,
            ratio: 0.0,
            lo: 0.0,
            hi: 0.0,
            target: bound,
            pass: true,
            limit: 0.0,
            ours: 0.0,
            p50_us: 0,
            p99_us: 0,
            errors: 0,
            skipped: true,
            of: target,
        }
    }

    /// Returns the line for machines.
    ///
    /// # Panics
    /// Never: plain numbers become JSON.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("plain numbers become JSON")
    }
}

/// Returns the verdicts as a table for people.
#[must_use]
pub fn table(verdicts: &[Verdict]) -> String {
    let mut table = format!(
        "{:<24} {:>10} {:>10} {:>7} {:>15} {:>8} {:>8} {:>9} {:>9} {:>6}  verdict\n",
        "goal", "limit", "ours", "ratio", "(lo-hi)", "target", "best", "p50 ms", "p99 ms", "errors"
    );
    for verdict in verdicts {
        let (sign, unit) = match (verdict.of.bound, verdict.of.figure) {
            (Bound::AtLeast(_), Figure::Rate) => (">=", "/s"),
            (Bound::AtLeast(_), _) => (">=", "us"),
            (Bound::AtMost(_), _) => ("<=", "us"),
        };
        let milliseconds = |micros: u64| format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10);
        let row = format!(
            "{:<24} {:>10} {:>10} {:>7.2} {:>15} {:>8} {:>8} {:>9} {:>9} {:>6}  {}\n",
            verdict.goal,
            format!("{:.0}{unit}", verdict.limit),
            format!("{:.0}{unit}", verdict.ours),
            verdict.ratio,
            format!("({:.2}-{:.2})", verdict.lo, verdict.hi),
            format!("{sign}{}", verdict.target),
            format!("{sign}{}", verdict.of.best),
            milliseconds(verdict.p50_us),
            milliseconds(verdict.p99_us),
            verdict.errors,
            match (verdict.skipped, verdict.pass) {
                (true, _) => "skipped, the peer is not installed",
                (false, true) => "reached",
                (false, false) => "MISSED",
            },
        );
        table.push_str(&row);
    }
    table
}

fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "microseconds of a call, never negative"
    )]
    let whole = value.round() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::measured::Latencies;

    const CAPTURE: Target = Target {
        name: "lead_capture",
        figure: Figure::Rate,
        bound: Bound::AtLeast(1.0),
        best: 1.5,
    };

    fn side(per_second: f64, milliseconds: u64, errors: u64) -> Measured {
        Measured {
            per_second,
            latencies: Latencies::new([Duration::from_millis(milliseconds)]),
            errors,
        }
    }

    fn rounds(ours: [f64; 3]) -> Vec<Round> {
        let round = |ours| Round {
            limit: side(1_000.0, 10, 0),
            ours: side(ours, 20, 0),
        };
        ours.map(round).into()
    }

    #[test]
    fn a_line_has_the_keys_everybody_reads() {
        let verdict = Verdict::new(CAPTURE, &rounds([1_100.0, 1_500.0, 1_310.0]));
        assert_eq!(
            verdict.json(),
            r#"{"goal":"lead_capture","ratio":1.31,"lo":1.1,"hi":1.5,"target":1.0,"pass":true,"limit":1000.0,"ours":1310.0,"p50_us":20000,"p99_us":20000,"errors":0}"#
        );
        assert!(table(&[verdict]).contains("reached"));
    }

    #[test]
    fn the_median_ratio_decides_and_any_error_fails() {
        assert!(!Verdict::new(CAPTURE, &rounds([900.0, 1_500.0, 990.0])).pass);
        let mut with_error = rounds([1_500.0; 3]);
        with_error[1].ours.errors = 1;
        assert!(!Verdict::new(CAPTURE, &with_error).pass);
    }

    #[test]
    fn times_are_to_stay_below_their_target() {
        let p50 = |bound| Target {
            name: "lead_capture_1",
            figure: Figure::P50,
            bound: Bound::AtMost(bound),
            best: 1.5,
        };
        assert!(Verdict::new(p50(2.0), &rounds([1.0; 3])).pass, "20 ms are twice 10 ms");
        assert!(!Verdict::new(p50(1.9), &rounds([1.0; 3])).pass);
    }
}
