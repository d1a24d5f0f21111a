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

    /// Waits until what works behind the calls has nothing left to do.
    async fn rest(&self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Stops what was started for the goal.
    async fn leave(self) -> anyhow::Result<()>
    where
        Self: Sized,
    {
        Ok(())
    }
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

/// Plays the rounds of a goal and stops what it needed, also when they fail.
pub(super) async fn play(
    ground: &Ground,
    mut contest: impl Contest,
    targets: &[Target],
    pace: Pace,
) -> anyhow::Result<Vec<Round>> {
    let rounds = play_rounds(ground, &mut contest, targets, pace).await;
    let left = contest.leave().await;
    let rounds = rounds?;
    left?;
    Ok(rounds)
}

/// Plays the rounds after one that warms both sides up and counts for nothing.
async fn play_rounds(
    ground: &Ground,
    contest: &mut impl Contest,
    targets: &[Target],
    pace: Pace,
) -> anyhow::Result<Vec<Round>> {
    let warm_up = (pace.span / 6).min(Duration::from_millis(500));
    one_round(ground, contest, warm_up, true).await?;
    contest.rest().await?;
    ground.count_rows().await?;
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
    if limit_first {
        let limit = limit_of(ground, contest, span).await?;
        let ours = ours_of(ground, contest, span).await?;
        Ok(Round { limit, ours })
    } else {
        let ours = ours_of(ground, contest, span).await?;
        let limit = limit_of(ground, contest, span).await?;
        Ok(Round { limit, ours })
    }
}

async fn limit_of(ground: &Ground, contest: &mut impl Contest, span: Duration) -> anyhow::Result<Measured> {
    prepare(ground, contest).await?;
    contest.limit(span).await.context("the limit")
}

async fn ours_of(ground: &Ground, contest: &mut impl Contest, span: Duration) -> anyhow::Result<Measured> {
    prepare(ground, contest).await?;
    contest.ours(span).await.context("ours")
}

async fn prepare(ground: &Ground, contest: &impl Contest) -> anyhow::Result<()> {
    contest.rest().await.context("waiting until the services are idle")?;
    ground.write_out().await
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
