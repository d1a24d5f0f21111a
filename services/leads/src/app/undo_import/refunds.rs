//! Gives back what turns cost that were taken for leads that are gone.

use std::collections::{HashMap, hash_map::Entry};

use reflex_pg::DbError;
use reflex_proto::leads::v1::RoutingDecision;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        distribution::{Group, TURN, Turn},
        ids::{ImportId, MemberId},
        routing::PolicySpec,
    },
    store::{
        import_undo::{self, Refund, Refunds},
        policies, setup_versions,
    },
};

/// Versions of the routing policy that decided.
pub(super) type Policies = HashMap<i32, Option<PolicySpec>>;

impl App {
    /// Keeps everybody from taking turns until the transaction ends.
    pub(super) async fn keep_turns(&self, tx: &mut PgConnection, tenant: &TenantId) -> Result<(), DbError> {
        setup_versions::lock(tx, tenant).await?;
        Ok(())
    }

    /// Gives the turns of an import back.
    pub(super) async fn give_turns_back(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        import: ImportId,
    ) -> Result<(), DbError> {
        let taken = import_undo::take_refunds(tx, tenant, import).await?;
        let left: Vec<_> = taken
            .into_iter()
            .map(|(whose, refund, now)| (whose, now.refunded(refund.cost, refund.before)))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        import_undo::set_turns(tx, tenant, &left).await
    }
}

/// Sums up what the turns of these decisions cost, which come in their order.
pub(super) async fn sum_up(
    tx: &mut PgConnection,
    tenant: &TenantId,
    decisions: &[(Uuid, RoutingDecision)],
    policies: &mut Policies,
) -> Result<Refunds, DbError> {
    let mut refunds = Refunds::new();
    for (id, decision) in decisions {
        // Who took no turn paid none.
        let Some(before) = &decision.last_turn else { continue };
        let spec = match policies.entry(decision.policy_version) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let found = policies::find(tx, tenant, Some(decision.policy_version)).await?;
                unknown.insert(found.map(|(_, spec)| spec))
            }
        };
        let group = spec.as_ref().and_then(|spec| group(spec, decision));
        let chosen: Option<MemberId> = decision.chosen.parse().ok();
        let (Some(group), Some(member)) = (group, chosen) else {
            continue;
        };
        let refund = refunds.entry((group, member)).or_insert(Refund {
            cost: 0,
            first_decision: *id,
            before: Some(Turn {
                finish: before.finish,
                number: before.number,
            })
            .filter(|turn| turn.number > 0),
        });
        refund.cost += cost(decision);
    }
    Ok(refunds)
}

/// Returns the group whose turn was taken.
fn group(spec: &PolicySpec, decision: &RoutingDecision) -> Option<Group> {
    match usize::try_from(decision.matched_number).ok()?.checked_sub(1) {
        Some(at) => {
            let entry = spec.entries.get(at)?;
            Some(Group::new(entry.team.clone(), &entry.skills))
        }
        None => spec.default_team.clone().map(|team| Group::new(team, &[])),
    }
}

/// Returns what a turn cost by the weight that whoever took it had then.
fn cost(decision: &RoutingDecision) -> i64 {
    let mut candidates = decision.candidates.iter();
    let chosen = candidates.find(|candidate| candidate.member == decision.chosen);
    TURN / chosen.map_or(1, |chosen| i64::from(chosen.weight.max(1)))
}
