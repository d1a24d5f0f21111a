//! Rehearses a set-up on the leads of the last days: reads, decides again in memory, compares. Nothing is written.

mod outcome;
mod replay;
mod script;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::{
    SimulateRoutingRequest, SimulateRoutingResponse,
    simulate_routing_response::{Part, Progress},
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use tokio::{sync::mpsc, task::yield_now};
use uuid::Uuid;

use self::{
    replay::{Replay, Rules},
    script::{Event, What},
};
use super::{
    App,
    list_directory::resource,
    past::{Moment, Past, Reading},
    put_routing_policy::refusal_of_request,
};
use crate::{
    convert,
    domain::{
        ids::CalendarId,
        ladder::{Ladder, Ladders},
        routing::{Finding, Policy, PolicySpec, Problem, RawPolicy},
    },
    error::Error,
    setup::Setup,
    store::{ladders, past_leads, policies},
};

const DEFAULT_DAYS: i32 = 30;
const LONGEST_DAYS: i32 = 366;
const DEFAULT_DIFFERENCES: i32 = 1000;
const MOST_DIFFERENCES: i32 = 100_000;
/// Events between two looks at the other tasks.
const STRIDE: usize = 200;

/// Where the parts of the answer go.
pub(crate) type Parts = mpsc::Sender<SimulateRoutingResponse>;

/// What is asked for, as far as it can be told without the set-up.
struct Wanted {
    policy: Option<RawPolicy>,
    version: i32,
    ladders: Vec<Ladder>,
    calendars: Vec<(CalendarId, String)>,
    days: i32,
    differences: usize,
}

/// What is to be rehearsed, checked.
pub(crate) struct Rehearsal {
    tenant: TenantId,
    start: Moment,
    now: Timestamp,
    in_force: Arc<Setup>,
    rehearsed: Setup,
    differences: usize,
}

impl App {
    /// Checks what shall be rehearsed.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Obstacles`] for what the policy names and does not exist, [`Error::NotFound`] for an
    /// unknown version.
    pub(crate) async fn check_rehearsal(
        &self,
        caller: &Caller,
        request: &SimulateRoutingRequest,
    ) -> Result<Rehearsal, Error> {
        let wanted = Wanted::parse(request)?;
        let (tenant, now) = (caller.tenant.clone(), self.clock.now());
        let mut tx = self.db.begin("check_rehearsal", &TenantSet::one(&tenant)).await?;
        past_leads::only_look(&mut tx).await?;
        let in_force = self.setups.get(&mut tx, &tenant).await?;
        let rehearsed = rehearsed(&mut tx, &tenant, &in_force, &wanted).await?;
        let start = now - SignedDuration::from_hours(24 * i64::from(wanted.days));
        Ok(Rehearsal {
            tenant,
            start: (start, Uuid::nil()),
            now,
            in_force,
            rehearsed,
            differences: wanted.differences,
        })
    }

    /// Rehearses and sends what would have come out otherwise; ends early when nobody listens any more.
    ///
    /// # Errors
    /// [`Error::WrongState`] for too many leads.
    pub(crate) async fn rehearse(&self, rehearsal: &Rehearsal, parts: &Parts) -> Result<(), Error> {
        let mut progress = Progress::default();
        let past = self.read_past(rehearsal, &mut progress, parts).await?;
        let Past {
            versions,
            leads,
            standing,
        } = &past;
        let start = rehearsal.start;
        let script = script::as_seen(script::script(leads, start), leads, standing, start);
        progress.decision_count = decisions(&script);
        let span = (start, rehearsal.now);
        let on_record = Rules::OnRecord(versions);
        let mut present = Replay::new(&rehearsal.in_force, on_record, leads, &script, standing.clone(), span);
        let new_rules = Rules::Rehearsed(rehearsal.rehearsed.policy.clone(), versions);
        let mut new = Replay::new(&rehearsal.rehearsed, new_rules, leads, &script, standing.clone(), span);
        play(&mut present, &mut new, &script, &mut progress, parts).await?;

        let policy = rehearsal.rehearsed.policy.as_ref();
        let entries = policy.map_or(0, |policy| policy.spec().entries.len());
        let (differences, mut summary) = outcome::compare(leads, &new, &present, span, entries);
        let before = outcome::loads_on_record(leads, &script, standing, start);
        summary.loads = outcome::loads(&before, &new.loads);
        for difference in differences.into_iter().take(rehearsal.differences) {
            send(parts, Part::Difference(difference)).await?;
        }
        send(parts, Part::Summary(summary)).await
    }

    /// Reads what happened, in one view of the database, which is closed before anything is computed.
    async fn read_past(&self, rehearsal: &Rehearsal, progress: &mut Progress, parts: &Parts) -> Result<Past, Error> {
        let tenant = &rehearsal.tenant;
        let mut tx = self.db.begin("simulate_routing", &TenantSet::one(tenant)).await?;
        past_leads::only_look(&mut tx).await?;
        let mut reading = Reading::begin(&mut tx, tenant, rehearsal.start).await?;
        progress.lead_count = reading.count;
        while reading.page(&mut tx, tenant).await? {
            progress.read_count = reading.read;
            // The transaction does not wait for a slow reader: what he has no room for is not said.
            let told = parts.try_send(SimulateRoutingResponse {
                part: Some(Part::Progress(*progress)),
            });
            if matches!(told, Err(mpsc::error::TrySendError::Closed(_))) {
                return Err(nobody_listens());
            }
        }
        reading.end(&mut tx, tenant, &rehearsal.in_force).await
    }
}

/// Goes through the script twice, side by side.
async fn play(
    present: &mut Replay<'_>,
    new: &mut Replay<'_>,
    script: &[Event],
    progress: &mut Progress,
    parts: &Parts,
) -> Result<(), Error> {
    let mut done = 0;
    loop {
        present.advance(STRIDE);
        let advanced = new.advance(STRIDE);
        if advanced == 0 {
            return Ok(());
        }
        let decided = decisions(&script[done..done + advanced]);
        done += advanced;
        progress.decided_count += decided;
        if done % (10 * STRIDE) < STRIDE {
            send(parts, Part::Progress(*progress)).await?;
        }
        yield_now().await;
    }
}

fn decisions(script: &[Event]) -> i64 {
    let decisions = script.iter().filter(|event| matches!(event.what, What::Decided(_)));
    i64::try_from(decisions.count()).unwrap_or(i64::MAX)
}

async fn send(parts: &Parts, part: Part) -> Result<(), Error> {
    let response = SimulateRoutingResponse { part: Some(part) };
    parts.send(response).await.map_err(|_| nobody_listens())
}

/// Whoever asked has gone: nobody reads the error either.
fn nobody_listens() -> Error {
    Error::WrongState("nobody listens".into())
}

impl Wanted {
    fn parse(request: &SimulateRoutingRequest) -> Result<Self, Error> {
        let within = |field: &str, value: i32, default: i32, most: i32| match value {
            0 => Ok(default),
            value if (1..=most).contains(&value) => Ok(value),
            _ => Err(Error::invalid(field, format!("must be between 1 and {most}"))),
        };
        if request.policy.is_some() && request.version != 0 {
            return Err(Error::invalid("version", "must be 0 where a policy is given"));
        }
        if request.version < 0 {
            return Err(Error::invalid("version", "must not be negative"));
        }
        let policy = match &request.policy {
            Some(policy) => Some(convert::routing::raw_policy(policy).map_err(|violation| vec![violation])?),
            None => None,
        };
        let mut ladders = Vec::with_capacity(request.ladders.len());
        for (place, ladder) in request.ladders.iter().enumerate() {
            let raw = convert::routing::raw_ladder(ladder).map_err(|violation| vec![violation])?;
            let parsed = Ladder::parse(&raw).map_err(|mut violations| {
                for violation in &mut violations {
                    violation.field = violation.field.replacen("ladder.", &format!("ladders[{place}]."), 1);
                }
                violations
            })?;
            ladders.push(parsed);
        }
        let mut calendars = Vec::with_capacity(request.calendars.len());
        for (place, calendar) in request.calendars.iter().enumerate() {
            let id: CalendarId = resource(&format!("calendars[{place}].name"), &calendar.name)?;
            calendars.push((id, calendar.spec.clone()));
        }
        let differences = within(
            "max_differences",
            request.max_differences,
            DEFAULT_DIFFERENCES,
            MOST_DIFFERENCES,
        )?;
        Ok(Self {
            policy,
            version: request.version,
            ladders,
            calendars,
            days: within("days", request.days, DEFAULT_DAYS, LONGEST_DAYS)?,
            differences: usize::try_from(differences).unwrap_or(0),
        })
    }
}

/// Makes the set-up to rehearse: the one in force with what is given in place of its parts.
async fn rehearsed(
    tx: &mut PgConnection,
    tenant: &TenantId,
    in_force: &Setup,
    wanted: &Wanted,
) -> Result<Setup, Error> {
    let mut setup = in_force.clone();
    let policy = match (&wanted.policy, wanted.version) {
        (Some(raw), _) => Some((0, PolicySpec::parse(raw, setup.fields.names())?)),
        (None, 0) => None,
        (None, version) => {
            let found = policies::find(tx, tenant, Some(version)).await?;
            Some(found.ok_or_else(|| Error::NotFound(format!("version {version} of the routing policy")))?)
        }
    };
    if let Some((version, spec)) = policy {
        // Whatever could be a draft can be rehearsed, as long as everything it names is there.
        let mut refused = spec.flaws(setup.fields.names());
        refused.retain(|flaw| matches!(flaw.problem, Problem::Mistake(_)));
        refused.extend(spec.strays(&setup.directory));
        if !refused.is_empty() {
            let refused: Vec<&Finding> = refused.iter().collect();
            return Err(refusal_of_request(&refused, &spec, &setup.directory));
        }
        setup.policy = Some(Arc::new(Policy::new(version, spec, setup.fields.names())));
    }
    if !wanted.ladders.is_empty() {
        let mut all = ladders::list(tx, tenant, None, None).await?;
        all.retain(|ladder| wanted.ladders.iter().all(|wanted| wanted.id != ladder.id));
        all.extend(wanted.ladders.iter().cloned());
        setup.ladders = Ladders::new(all);
    }
    for (place, (id, spec)) in wanted.calendars.iter().enumerate() {
        let compiled = setup.holidays.compile(spec);
        let compiled =
            compiled.map_err(|error| Error::invalid(format!("calendars[{place}].spec"), error.to_string()))?;
        setup.calendars.insert(id.clone(), Arc::new(compiled));
    }
    Ok(setup)
}

#[cfg(test)]
mod tests;
