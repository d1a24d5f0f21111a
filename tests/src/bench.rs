//! Measures the goals: what Reflex does beside a bare loop that does the same on the same servers in the same run.
//!
//! Times mean little on a shared machine; ratios taken side by side do. Reading order: `rounds` (the protocol),
//! `verdict` (what is made of it), `ground` (what both sides stand on), `floor` (the bare loops), `services`, then one
//! file a family of goals.

mod arrivals;
mod chain;
mod collector;
mod floor;
mod ground;
mod import;
mod lead_capture;
mod load;
mod matching;
mod measured;
mod middleware;
mod relay;
mod rls;
mod rounds;
mod rules;
mod sample;
mod services;
mod verdict;
mod webhooks;

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use reflex_runtime::telemetry::{self, TelemetryConfig};

use self::{
    chain::{CaptureToNotified, ChainSaturated},
    ground::Ground,
    import::Import,
    lead_capture::{LeadCapture, LeadRouted},
    matching::{MatchBulk, MatchOne},
    middleware::Middleware,
    relay::RelayDrain,
    rls::RowSecurity,
    rounds::{Pace, Round, play},
    rules::{Engine, Peer, Rules},
    verdict::{Bound, Figure, Target},
    webhooks::{WebhookIsolation, WebhookRate},
};

pub use verdict::{Verdict, table};

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Goal {
    /// Leads stored a second, many calls at once.
    LeadCapture,
    /// Time to store a lead, one call at a time.
    #[value(name = "lead_capture_1")]
    LeadCaptureAlone,
    /// Leads stored, routed and put on the clock a second.
    LeadRouted,
    /// Time from a capture to the owner's inbox at an even load.
    CaptureToNotified,
    /// Leads that reach their owner's inbox a second.
    ChainSaturated,
    /// Facts carried from the outbox to the streams a second.
    Relay,
    /// Rows of a CSV file previewed and imported a second, beside COPY.
    Import,
    /// Facts a second that systems outside are told, attempts written down, beside bare signed requests.
    WebhookRate,
    /// Time from a fact to 98 endpoints beside a slow and a dead one, and without these.
    WebhookIsolation,
    /// Calls a second through everything that surrounds a handler.
    Middleware,
    /// Transactions a second under row security.
    Rls,
    /// Time to check one lead against 100,000, beside Splink.
    MatchOne,
    /// The same against a million.
    #[value(name = "match_one_million")]
    MatchOneOfMillion,
    /// Leads deduplicated a second of CPU time, beside Splink.
    MatchBulk,
    /// Conditions evaluated a second, beside `GoRules` zen.
    Rules,
    /// The same beside json-rules-engine.
    RulesJson,
    /// The same beside the crate `cel`.
    RulesCel,
}

/// What to measure, and how thoroughly.
#[derive(Debug)]
pub struct Options {
    /// The goals; all of them when empty.
    pub goals: Vec<Goal>,
    /// Whether one short round is enough.
    pub quick: bool,
}

/// Measures the goals on private servers and hands each verdict on as soon as it is there.
///
/// # Errors
/// When something cannot be measured at all; what is slow or wrong is in the verdicts.
pub async fn run(
    options: Options,
    mut told: impl FnMut(&Verdict) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Verdict>> {
    let config = TelemetryConfig {
        otlp_endpoint: Some(collector::start().await?),
        log: "warn".to_owned(),
        ..TelemetryConfig::default()
    };
    let telemetry = telemetry::start("reflex-bench", &config)?;
    eprintln!("starting PostgreSQL and Redis");
    let ground = Ground::prepare().await?;
    let pace = if options.quick {
        Pace {
            rounds: 1,
            span: Duration::from_secs(1),
        }
    } else {
        Pace {
            rounds: 5,
            span: Duration::from_secs(3),
        }
    };
    let goals = if options.goals.is_empty() {
        Goal::value_variants()
    } else {
        &options.goals
    };
    let outcome = tokio::select! {
        verdicts = measure_all(&ground, goals, pace, &mut told) => verdicts,
        interrupted = tokio::signal::ctrl_c() => Err(interrupted.map_or_else(Into::into, |()| anyhow!("interrupted"))),
    };
    ground.leave().await;
    telemetry.shutdown().await;
    outcome
}

async fn measure_all(
    ground: &Ground,
    goals: &[Goal],
    pace: Pace,
    told: &mut impl FnMut(&Verdict) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for goal in goals {
        let targets = goal.targets();
        let name = targets[0].name;
        eprintln!("{name}");
        let rounds = goal
            .measure(ground, targets, pace)
            .await
            .with_context(|| format!("measuring {name}"))?;
        for target in targets {
            let verdict = match &rounds {
                Some(rounds) => Verdict::new(*target, rounds),
                None => Verdict::skipped(*target),
            };
            told(&verdict)?;
            verdicts.push(verdict);
        }
    }
    Ok(verdicts)
}

impl Goal {
    /// Plays the goal's rounds; none where its peer is not installed.
    async fn measure(self, ground: &Ground, targets: &[Target], pace: Pace) -> anyhow::Result<Option<Vec<Round>>> {
        let rounds = match self {
            Self::LeadCapture => play(ground, LeadCapture::crowded(ground).await?, targets, pace).await,
            Self::LeadCaptureAlone => play(ground, LeadCapture::alone(ground).await?, targets, pace).await,
            Self::LeadRouted => play(ground, LeadRouted::start(ground).await?, targets, pace).await,
            Self::CaptureToNotified => {
                // At 50 a second, five seconds give each round's p99 something to stand on.
                let span = pace.span * 5 / 3;
                let pace = Pace { span, ..pace };
                play(ground, CaptureToNotified::start(ground).await?, targets, pace).await
            }
            Self::ChainSaturated => play(ground, ChainSaturated::start(ground).await?, targets, pace).await,
            Self::Relay => play(ground, RelayDrain::start(ground).await?, targets, pace).await,
            Self::Import => play(ground, Import::start(ground).await?, targets, pace).await,
            Self::WebhookRate => play(ground, WebhookRate::start(ground).await?, targets, pace).await,
            Self::WebhookIsolation => play(ground, WebhookIsolation::start(ground).await?, targets, pace).await,
            Self::Middleware => play(ground, Middleware::start(ground).await?, targets, pace).await,
            Self::Rls => play(ground, RowSecurity::new(ground)?, targets, pace).await,
            Self::MatchOne | Self::MatchOneOfMillion => {
                let leads = if self == Self::MatchOne { 100_000 } else { 1_000_000 };
                match MatchOne::start(ground, leads).await? {
                    Some(contest) => play(ground, contest, targets, pace).await,
                    None => return Ok(None),
                }
            }
            Self::MatchBulk => match MatchBulk::start().await? {
                Some(contest) => play(ground, contest, targets, pace).await,
                None => return Ok(None),
            },
            Self::Rules | Self::RulesJson | Self::RulesCel => {
                let peer = match self {
                    Self::RulesCel => Peer::Cel,
                    Self::RulesJson => Peer::Node(Engine::JsonRulesEngine),
                    _ => Peer::Node(Engine::Zen),
                };
                match Rules::start(peer).await? {
                    Some(contest) => play(ground, contest, targets, pace).await,
                    None => return Ok(None),
                }
            }
        };
        rounds.map(Some)
    }

    /// Returns the figures of the goal, the one it is named after first.
    fn targets(self) -> &'static [Target] {
        macro_rules! target {
            ($name:literal, $figure:ident $bound:ident $value:literal, best $best:literal) => {
                Target {
                    name: $name,
                    figure: Figure::$figure,
                    bound: Bound::$bound($value),
                    best: $best,
                }
            };
        }
        match self {
            Self::LeadCapture => &[target!("lead_capture", Rate AtLeast 1.0, best 1.5)],
            Self::LeadCaptureAlone => &[target!("lead_capture_1", P50 AtMost 2.0, best 1.5)],
            Self::LeadRouted => &[target!("lead_routed", Rate AtLeast 0.5, best 1.0)],
            Self::CaptureToNotified => &[
                target!("capture_to_notified", P50 AtMost 2.0, best 1.5),
                target!("capture_to_notified_p99", P99 AtMost 3.0, best 2.0),
            ],
            Self::ChainSaturated => &[target!("chain_saturated", Rate AtLeast 0.6, best 1.5)],
            Self::Relay => &[target!("relay", Rate AtLeast 0.7, best 1.0)],
            Self::Import => &[target!("import", Rate AtLeast 0.2, best 0.4)],
            Self::WebhookRate => &[target!("webhook_rate", Rate AtLeast 0.1, best 0.25)],
            Self::WebhookIsolation => &[target!("webhook_isolation", P99 AtMost 1.5, best 1.1)],
            Self::Middleware => &[
                target!("middleware", Rate AtLeast 0.7, best 0.85),
                target!("middleware_p99", P99 AtMost 1.5, best 1.5),
            ],
            Self::Rls => &[target!("rls", Rate AtLeast 0.85, best 0.95)],
            Self::MatchOne => &[target!("match_one", P50 AtMost 0.02, best 0.005)],
            Self::MatchOneOfMillion => &[target!("match_one_million", P50 AtMost 0.02, best 0.005)],
            Self::MatchBulk => &[target!("match_bulk", Rate AtLeast 0.5, best 1.5)],
            Self::Rules => &[target!("rules", Rate AtLeast 10.0, best 25.0)],
            Self::RulesCel => &[target!("rules_cel", Rate AtLeast 10.0, best 10.0)],
            Self::RulesJson => &[target!("rules_json", Rate AtLeast 80.0, best 80.0)],
        }
    }
}
