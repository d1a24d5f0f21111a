//! Plays the main job on real input: three subsidiaries are set up, 2,000 people send forms, some salespeople call and
//! others do not. Everything is done as its users do it: programs as processes, forms over HTTP, the rest by RPC.
//!
//! Reading order: [`perform`] (the plot), [`stage`] (what runs), one file an act ([`bundles`], [`enquiries`],
//! [`salespeople`], [`story`], [`duplicates`]), then [`book`] (what the services say happened), [`check`] (whether that can be true) and
//! [`report`]. [`up`] shares the stage with it.

mod book;
mod bundles;
mod check;
mod duplicates;
mod enquiries;
mod fairness;
mod patience;
mod rehearsal;
mod report;
mod salespeople;
mod stage;
mod standalone;
mod story;
mod up;

use std::{path::PathBuf, time::Duration};

use reflex_proto::leads::v1::Lead;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::{
    book::{Book, instant},
    report::Report,
    stage::{Stage, StageOptions},
};

pub use up::up;

/// How long the services may take until everything they were told has arrived everywhere.
const REST_LIMIT: Duration = Duration::from_secs(30);
/// A lead whose first contact is due this soon after its arrival is of a line with a golden window of seconds.
const GOLDEN_SECONDS: i64 = 60;

/// Where things are.
#[derive(Debug)]
pub struct Options {
    /// Folder of the programs.
    pub programs: PathBuf,
    /// Folder of the demo's data: bundles, robots, leads.
    pub data: PathBuf,
}

/// Plays the demo on a fresh data directory and tells whether every lead is accounted for.
///
/// # Errors
/// When the play cannot go on, or was interrupted.
pub async fn play(options: &Options) -> anyhow::Result<bool> {
    let stage = tokio::select! {
        stage = Stage::set(StageOptions::fresh(options)?) => stage?,
        interrupted = interrupted() => return interrupted.and_then(|()| anyhow::bail!("interrupted")),
    };
    let outcome = tokio::select! {
        outcome = perform(&stage, options) => outcome,
        died = stage.died() => Err(died),
        interrupted = interrupted() => interrupted.and_then(|()| anyhow::bail!("interrupted")),
    };
    // Also after a failure: servers and data go with the stage.
    stage.leave().await;
    outcome
}

async fn perform(stage: &Stage, options: &Options) -> anyhow::Result<bool> {
    let start = Instant::now();
    bundles::apply(stage, &options.data).await?;
    let absent = salespeople::send_on_leave(stage).await?;
    let callers = salespeople::callers(stage).await?;
    let stop = CancellationToken::new();
    let plot = async {
        let file = options.data.join("leads.csv");
        let (posts, story) = tokio::try_join!(enquiries::post_all(stage, &file), story::play(stage, &callers))?;
        watch_ladders(stage).await?;
        stop.cancel();
        Ok((posts, story))
    };
    let ((posts, story), calls) = tokio::try_join!(plot, salespeople::work(stage, &callers, &stop))?;

    stage.tell("reading everything back: leads, decisions, ledger, inboxes");
    let limit = Instant::now() + REST_LIMIT;
    let (book, problems) = loop {
        let book = Book::read(stage).await?;
        let problems = check::problems(&book, &posts, &absent);
        if problems.is_empty() || Instant::now() > limit {
            break (book, problems);
        }
        stage.tell(&format!("not at rest yet: {}", problems[0]));
        sleep(Duration::from_secs(1)).await;
    };
    let rehearsed = rehearsal::problems(stage).await?;
    let problems: Vec<String> = problems.into_iter().chain(rehearsed).collect();
    let report = Report {
        book: &book,
        posts: &posts,
        calls: &calls,
        problems: &problems,
        elapsed: start.elapsed(),
    };
    report.print()?;
    rehearsal::show(stage, &story, &options.data, &options.programs).await?;
    let unlike = duplicates::play(stage, &book).await?;
    for tenant in stage.tenants().iter().take(1) {
        let report = ["channels", "report"];
        stage.show("渠道 What channels cost and bring", tenant, &report).await?;
    }
    let problems = [problems.as_slice(), &unlike].concat();
    let report = Report {
        problems: &problems,
        elapsed: start.elapsed(),
        ..report
    };
    report.print_verdict()?;
    Ok(problems.is_empty())
}

/// Waits until the last step of the fast ladders is over.
async fn watch_ladders(stage: &Stage) -> anyhow::Result<()> {
    stage.tell("every form is answered; the ladders of the golden line climb until somebody calls");
    let mut told = 0;
    loop {
        let mut waiting = 0;
        for tenant in stage.tenants() {
            let after = book::last_fast_step(stage, tenant).await?;
            for lead in book::leads(stage, tenant).await?.iter().filter(|lead| is_golden(lead)) {
                let end = instant(lead.contact_due_time).map(|due| due + after);
                let is_over = lead.first_contact_time.is_some() || end.is_some_and(|end| end < stage.now());
                waiting += usize::from(!is_over);
            }
        }
        if waiting == 0 {
            // The last timers are due now: their effects may take a moment.
            sleep(Duration::from_secs(1)).await;
            return Ok(());
        }
        if waiting != told {
            stage.tell(&format!(
                "golden leads nobody has called yet, their ladders not at the top: {waiting}"
            ));
            told = waiting;
        }
        sleep(Duration::from_secs(3)).await;
    }
}

/// Tells whether a lead's clock runs for seconds instead of hours.
fn is_golden(lead: &Lead) -> bool {
    let (created, due) = (instant(lead.create_time), instant(lead.contact_due_time));
    created
        .zip(due)
        .is_some_and(|(created, due)| due.duration_since(created).as_secs() <= GOLDEN_SECONDS)
}

/// Waits until somebody wants us to end.
async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _terminated = terminate.recv() => {}
    }
    Ok(())
}
