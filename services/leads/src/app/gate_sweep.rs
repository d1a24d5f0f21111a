//! The look at all leads of a tenant that the gate keeps, and at those that nobody works on: batch by batch, each hour and
//! whenever a list or the policy changed. It locks no lead: what is to be done with one is done by a timer of its own.

use jiff::{SignedDuration, Timestamp};
use opentelemetry::KeyValue;
use reflex_pg::DbError;
use reflex_runtime::telemetry;
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{
    App,
    fire_timers::{FireError, LeadTimers},
    gate::{Cause, GATE_SWEEP, GateDue},
    gate_due::stale_since,
    intake::screening::window_start,
};
use crate::{
    domain::{gate::judge, ids::LeadId, lead::State},
    setup::Setup,
    store::{
        fingerprints, lead_gates,
        leads::{self, Filter, LeadRow},
    },
};

/// Kept leads judged together.
const JUDGED: i64 = 200;
/// Leads looked at together for whether somebody works on them.
const LOOKED_AT: i64 = 5_000;
/// How often everything is looked at.
const EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Leads that were captured before so many days and are open count as unconverted.
pub(crate) const UNCONVERTED_DAYS: i32 = 60;

/// What a sweep is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// Judge what the gate keeps.
    Gate,
    /// Find what nobody works on.
    Stale,
    /// Count.
    Count,
}

/// What a sweep remembers: how far it came.
#[derive(Debug, Serialize, Deserialize)]
struct Sweep {
    stage: Stage,
    after: Option<LeadId>,
}

/// Returns the timer that begins a sweep; a later one takes the place of an earlier one.
pub(crate) fn sweep(tenant: &TenantId, due_time: Timestamp) -> Timer {
    Sweep {
        stage: Stage::Gate,
        after: None,
    }
    .timer(tenant, due_time)
}

impl Sweep {
    fn timer(&self, tenant: &TenantId, due_time: Timestamp) -> Timer {
        Timer {
            tenant: tenant.clone(),
            kind: GATE_SWEEP.to_owned(),
            key: "gate/sweep".to_owned(),
            due_time,
            payload: serde_json::to_value(self).expect("plain data becomes JSON"),
            traceparent: None,
        }
    }
}

impl LeadTimers {
    /// Does one batch of a sweep, and puts the next one on the clock.
    pub(super) async fn sweep_gate(&self, tx: &mut PgConnection, timer: &Timer) -> Result<(), FireError> {
        let Sweep { stage, after } = serde_json::from_value(timer.payload.clone())?;
        let (app, tenant, now) = (&self.0, &timer.tenant, self.0.now_stored());
        let setup = app.setups.get(tx, tenant).await?;
        if setup.gate.is_none() {
            return Ok(());
        }
        let last = match stage {
            Stage::Gate => app.sweep_kept(tx, tenant, &setup, after, now).await?,
            Stage::Stale => app.sweep_stale(tx, tenant, &setup, after, now).await?,
            Stage::Count => {
                app.count_unconverted(tx, tenant, now).await?;
                fingerprints::drop_old(tx, tenant, window_start(now)).await?;
                None
            }
        };
        let next = |stage, after| Sweep { stage, after }.timer(tenant, now);
        let next = match (stage, last) {
            (stage, Some(last)) => next(stage, Some(last)),
            (Stage::Gate, None) => next(Stage::Stale, None),
            (Stage::Stale, None) => next(Stage::Count, None),
            (Stage::Count, None) => sweep(tenant, now.saturating_add(EVERY).unwrap_or(now)),
        };
        Ok(reflex_timers::set(tx, &[next]).await?)
    }
}

impl App {
    /// Has those of a batch judged again of whom the gate would say something else by now; returns the last one unless all are
    /// done.
    async fn sweep_kept(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        setup: &Setup,
        after: Option<LeadId>,
        now: Timestamp,
    ) -> Result<Option<LeadId>, DbError> {
        let kept = lead_gates::list_gated(tx, tenant, after, JUDGED).await?;
        let rows = leads::list_these(tx, tenant, &Filter::default(), &kept).await?;
        let leads: Vec<&LeadRow> = rows.iter().collect();
        let gate = setup.gate.as_deref().cloned().unwrap_or_default();
        let known = self.gate_knowledge(tx, tenant, &gate, &leads, now).await?;
        let mut timers = Vec::new();
        for (lead, facts) in leads.iter().zip(&known.facts) {
            let id = LeadId(lead.lead_id);
            let Some(stored) = lead_gates::find(tx, tenant, id).await? else {
                continue;
            };
            let held_since = (lead.state() == State::Held).then(|| stored.since.to_jiff());
            let judgement = judge(&gate.spec, gate.version, facts, held_since, now);
            // A wait whose timer was lost, as may happen to a lead that was merged, begins again.
            let waits = lead.state() == State::Held;
            if waits || stored.verdict.as_deref() != Some(judgement.verdict.as_str()) {
                let cause = Cause::Recheck;
                timers.push(GateDue { lead: id, cause }.timer(tenant, self.ids.next(), now));
            }
        }
        reflex_timers::set(tx, &timers).await?;
        let whole = kept.len() as u64 >= JUDGED.unsigned_abs();
        Ok(kept.last().filter(|_| whole).map(|last| LeadId(*last)))
    }

    /// Has leads nurtured that nobody works on; returns the last one looked at unless all are done.
    async fn sweep_stale(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        setup: &Setup,
        after: Option<LeadId>,
        now: Timestamp,
    ) -> Result<Option<LeadId>, DbError> {
        let days = setup.gate.as_deref().map_or(0, |gate| gate.spec.stale_after_days);
        if days == 0 {
            return Ok(None);
        }
        let since = stale_since(now, days);
        let looked_at = lead_gates::list_stale(tx, tenant, after, since, LOOKED_AT).await?;
        let stale = looked_at.iter().filter(|(_, stale)| *stale);
        let timers: Vec<Timer> = stale
            .map(|(lead, _)| {
                let (lead, cause) = (LeadId(*lead), Cause::Stale);
                GateDue { lead, cause }.timer(tenant, self.ids.next(), now)
            })
            .collect();
        reflex_timers::set(tx, &timers).await?;
        let whole = looked_at.len() as u64 >= LOOKED_AT.unsigned_abs();
        Ok(looked_at.last().filter(|_| whole).map(|(last, _)| LeadId(*last)))
    }

    /// Counts the leads that are unconverted for long, and shows the number to whoever measures.
    pub(crate) async fn count_unconverted(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<i64, DbError> {
        let count = lead_gates::count_unconverted(tx, tenant, stale_since(now, UNCONVERTED_DAYS)).await?;
        let gauge = telemetry::meter().i64_gauge("leads.unconverted").build();
        gauge.record(count, &[KeyValue::new("tenant", tenant.to_string())]);
        Ok(count)
    }
}
