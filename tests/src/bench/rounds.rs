//! Plays the two sides of a goal against each other.

use std::time::Duration;

use anyhow::Context;

use super::{
    ground::Ground,
    measured::Measured,
    verdict::{Figure, Target},
};

/// Two sides that do the same work on the same servers.
pub(super) trait Contest {
    /// Lets the bare loop work for `span`.
    async fn limit(&mut self, span: Duration) -> anyhow::Result<Measured>;

    /// Lets Reflex work for `span`, and looks that it kept its promises.
    async fn ours(&mut self, span: Duration) -> anyhow::Result<Measured>;
}

/// How often and how long each side works.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) rounds: usize,
    pub(super) span: Duration,
}

/// What both sides did in one round.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) limit: Measured,
    pub(super) ours: Measured,
}

/// Plays the rounds of a goal, after one that warms both sides up and counts for nothing.
pub(super) async fn play(
    ground: &Ground,
    contest: &mut impl Contest,
    targets: &[Target],
    pace: Pace,
) -> anyhow::Result<Vec<Round>> {
    let warm_up = (pace.span / 6).min(Duration::from_millis(500));
    one_round(ground, contest, warm_up, true).await?;
    let mut rounds = Vec::with_capacity(pace.rounds);
    for number in 1..=pace.rounds {
        let round = one_round(ground, contest, pace.span, number % 2 == 1).await?;
        tell(number, &round, targets);
        rounds.push(round);
    }
    Ok(rounds)
}

/// Lets one side work, then the other, each on servers that have nothing else to do.
async fn one_round(
    ground: &Ground,
    contest: &mut impl Contest,
    span: Duration,
    limit_first: bool,
) -> anyhow::Result<Round> {
    ground.rest().await?;
    let mut limit = None;
    if limit_first {
        limit = Some(contest.limit(span).await.context("the limit")?);
        ground.rest().await?;
    }
    let ours = contest.ours(span).await.context("ours")?;
    let limit = if let Some(limit) = limit {
        limit
    } else {
        ground.rest().await?;
        contest.limit(span).await.context("the limit")?
    };
    Ok(Round { limit, ours })
}

fn tell(number: usize, round: &Round, targets: &[Target]) {
    for target in targets {
        let unit = if matches!(target.figure, Figure::Rate) {
            "/s"
        } else {
            " us"
        };
        let side = |measured: &Measured| {
            let latencies = &measured.latencies;
            let errors = match measured.errors {
                0 => String::new(),
                errors => format!(", {errors} ERRORS"),
            };
            format!(
                "{:.0}{unit} (p50 {} p99 {} us{errors})",
                target.figure.of(measured),
                latencies.percentile(50),
                latencies.percentile(99)
            )
        };
        eprintln!(
            "  round {number} {}: limit {}, ours {}, ratio {:.2}",
            target.name,
            side(&round.limit),
            side(&round.ours),
            target.figure.ratio(round)
        );
    }
}
