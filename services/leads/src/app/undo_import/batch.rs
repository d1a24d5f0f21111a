//! Undoes one batch of an import.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use prost::Message as _;
use reflex_proto::leads::v1::{ConflictResolution, LeadWithdrawn, UndoConflict};
use reflex_runtime::telemetry;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    ImportUndo,
    refunds::{self, Policies},
};
use crate::{
    app::change_contents::{Cause, NewContent},
    convert::import::{count, shown},
    domain::{
        decision::Trigger,
        ids::{LeadId, MemberId, TeamId},
        known_lead::Change,
        lead::State,
        lead_file::Reason,
        merge::FieldConflict,
    },
    error::Error,
    events::{self, Facts},
    setup::Setup,
    store::{
        import_undo::{self, CreatedRow},
        known_leads::{self, BatchKey},
        lead_imports::{self, ImportRow, UndoBatch, UndoCounts},
        leads::{self, stored},
        merges, reroute,
    },
};

/// Bytes of conflicts that one response tells: it has to fit into a message.
const CONFLICT_BYTES: usize = 1 << 20;

/// What a transaction came to.
pub(super) struct Outcome {
    /// The import as it is then.
    pub(super) row: ImportRow,
    /// Whether nothing is left to be looked at.
    pub(super) is_last: bool,
    /// Rows of the import that were looked at.
    pub(super) seen: i64,
    pub(super) conflicts: Vec<UndoConflict>,
}

/// Conflicts as far as they fit into a response.
#[derive(Default)]
struct Listed {
    conflicts: Vec<UndoConflict>,
    bytes: usize,
}

impl Listed {
    fn add(&mut self, conflict: UndoConflict) {
        if self.bytes < CONFLICT_BYTES {
            self.bytes += conflict.encoded_len();
            self.conflicts.push(conflict);
        }
    }
}

impl ImportUndo {
    pub(super) async fn undo_batch(
        &self,
        tx: &mut PgConnection,
        row: &ImportRow,
        batch: UndoBatch,
        policies: &mut Policies,
    ) -> Result<Outcome, Error> {
        let (app, tenant) = (&self.app, &self.caller.tenant);
        let key = BatchKey {
            import_id: self.import.0,
            batch: batch.batch,
        };
        // Before any lead is locked, as everybody does who needs both.
        let setup = app.hold_setup(tx, tenant).await?;
        let changes = known_leads::list_changes(tx, tenant, key).await?;
        let known = changes.iter().map(|(lead, _)| *lead);
        let all: Vec<Uuid> = batch
            .created
            .iter()
            .copied()
            .chain(known)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        import_undo::lock(tx, tenant, &all).await?;

        let mut listed = Listed::default();
        let mut counts = UndoCounts::default();
        let seen = count((batch.created.len() + changes.len()) as u64);
        let left = self.restore(tx, &setup, changes, &mut counts, &mut listed).await?;
        known_leads::replace_changes(tx, tenant, key, &left).await?;
        let kept = self
            .remove(tx, row, &batch.created, policies, &mut counts, &mut listed)
            .await?;
        let is_gone = kept.is_empty() && left.is_empty();
        let kept = (!is_gone).then_some(kept.as_slice());
        lead_imports::advance_undo(tx, tenant, key, kept, counts, app.clock.now()).await?;
        Ok(Outcome {
            row: row.clone(),
            is_last: false,
            seen,
            conflicts: listed.conflicts,
        })
    }

    /// Lets locked leads say again what they said before; returns what was kept of the changes.
    async fn restore(
        &self,
        tx: &mut PgConnection,
        setup: &Setup,
        changes: Vec<(Uuid, Change)>,
        counts: &mut UndoCounts,
        listed: &mut Listed,
    ) -> Result<Vec<(Uuid, Change)>, Error> {
        let tenant = &self.caller.tenant;
        let ids: Vec<LeadId> = changes.iter().map(|(lead, _)| LeadId(*lead)).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = leads::list_for_update(tx, tenant, &ids).await?;
        let rows: HashMap<Uuid, _> = rows.into_iter().map(|row| (row.lead_id, row)).collect();
        let (mut contents, mut left) = (Vec::new(), Vec::new());
        for (lead, change) in changes {
            // Gone with the import that stored it.
            let Some(row) = rows.get(&lead) else { continue };
            let now = merges::content_of(row);
            let (mut content, conflicts) = change.take_back(&now);
            let stands_for_another = row.state() == State::Merged;
            if stands_for_another {
                content = now.clone();
            }
            let mut kept = Change::default();
            for conflict in fields_of(&change, conflicts, stands_for_another, &now) {
                let name = format!("{}/{}", LeadId(lead), conflict.field);
                let keeps = stands_for_another || self.decisions.keep(&name);
                if keeps {
                    kept.before.insert(conflict.field.clone(), conflict.restored.clone());
                    let after = change.after.get(&conflict.field).cloned().flatten();
                    kept.after.insert(conflict.field.clone(), after);
                    counts.kept += 1;
                } else {
                    content.set(&conflict.field, conflict.restored.as_deref());
                }
                listed.add(self.told(&name, &conflict, stands_for_another, keeps));
            }
            if content != now {
                let differs = |field: &&String| content.find(field) != now.find(field);
                let fields = change.after.keys().filter(differs).cloned().collect();
                counts.restored += 1;
                contents.push(NewContent { lead, content, fields });
            }
            if !kept.is_empty() {
                left.push((lead, kept));
            }
        }
        let cause = Cause {
            import: self.import,
            taken_back: true,
        };
        self.app.change_contents(tx, tenant, setup, contents, cause).await?;
        Ok(left)
    }

    /// Removes locked leads with everything that came of them; returns those that were kept.
    async fn remove(
        &self,
        tx: &mut PgConnection,
        import: &ImportRow,
        created: &[Uuid],
        policies: &mut Policies,
        counts: &mut UndoCounts,
        listed: &mut Listed,
    ) -> Result<Vec<Uuid>, Error> {
        let (app, tenant) = (&self.app, &self.caller.tenant);
        let rows = import_undo::list_created(tx, tenant, self.import, created).await?;
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for row in rows {
            let Some(worked) = row.worked.clone() else {
                gone.push(row);
                continue;
            };
            let name = LeadId(row.lead_id).to_string();
            let keeps = worked == "merged" || self.decisions.keep(&name);
            let Reason { en, zh } = reason(&worked);
            listed.add(UndoConflict {
                name,
                description: en,
                description_zh: zh,
                resolution: resolution(keeps).into(),
                ..UndoConflict::default()
            });
            if keeps {
                kept.push(row.lead_id);
            } else {
                gone.push(row);
            }
        }
        counts.kept += count(kept.len() as u64);
        counts.removed += count(gone.len() as u64);
        if gone.is_empty() {
            return Ok(kept);
        }
        let ids: Vec<Uuid> = gone.iter().map(|row| row.lead_id).collect();
        let decisions = import_undo::list_decisions(tx, tenant, &ids).await?;
        let refunds = refunds::sum_up(tx, tenant, &decisions, policies).await?;
        import_undo::add_refunds(tx, tenant, self.import, &refunds).await?;
        import_undo::delete(tx, tenant, &ids).await?;
        let accounts: HashSet<&str> = gone.iter().map(|row| row.account.as_str()).collect();
        let accounts: Vec<&str> = accounts.into_iter().filter(|account| !account.is_empty()).collect();
        import_undo::delete_accounts(tx, tenant, &accounts, import.create_time.to_jiff()).await?;
        let held = held_by(&gone);
        import_undo::free(tx, tenant, &held).await?;
        if !held.is_empty() {
            let teams: BTreeSet<TeamId> = gone.iter().filter_map(|row| row.team.as_deref().map(stored)).collect();
            for team in &teams {
                reroute::request(tx, tenant, Trigger::CapacityFreed, Some(team)).await?;
            }
        }
        let facts = Facts {
            tenant,
            ids: &app.ids,
            time: app.clock.now(),
        };
        let traceparent = telemetry::current_traceparent();
        let told: Vec<_> = gone
            .iter()
            .map(|row| {
                let message = self.withdrawn(row);
                let lead = LeadId(row.lead_id);
                facts.fact(events::LEAD_WITHDRAWN, &lead, traceparent.clone(), &message)
            })
            .collect();
        reflex_events::outbox::push(tx, &told).await?;
        Ok(kept)
    }

    fn withdrawn(&self, row: &CreatedRow) -> LeadWithdrawn {
        let owner = row.owner.as_deref().map(|id| stored::<MemberId>(id).to_string());
        let team = row.team.as_deref().map(|id| stored::<TeamId>(id).to_string());
        LeadWithdrawn {
            lead: LeadId(row.lead_id).to_string(),
            import: self.import.to_string(),
            member: self.caller.member.clone().unwrap_or_default(),
            owner: owner.unwrap_or_default(),
            team: team.unwrap_or_default(),
        }
    }

    fn told(&self, name: &str, conflict: &FieldConflict, stands_for_another: bool, keeps: bool) -> UndoConflict {
        let shows_contact = self.caller.may("leads.read_contact");
        let value = |value: &Option<String>| shown(&conflict.field, value.as_deref(), shows_contact);
        let Reason { en, zh } = reason(if stands_for_another { "merged" } else { "changed" });
        UndoConflict {
            name: name.to_owned(),
            description: en,
            description_zh: zh,
            kept_value: value(&conflict.kept),
            restored_value: value(&conflict.restored),
            resolution: resolution(keeps).into(),
        }
    }
}

/// Returns the fields that are conflicts: all of a lead that stands for another, which nobody changes.
fn fields_of(
    change: &Change,
    conflicts: Vec<FieldConflict>,
    stands_for_another: bool,
    now: &crate::domain::merge::Content,
) -> Vec<FieldConflict> {
    if !stands_for_another {
        return conflicts;
    }
    let fields = change.before.iter();
    let conflict = |(field, before): (&String, &Option<String>)| FieldConflict {
        field: field.clone(),
        kept: now.find(field).map(str::to_owned),
        restored: before.clone(),
    };
    fields
        .map(conflict)
        .filter(|conflict| conflict.kept != conflict.restored)
        .collect()
}

/// Counts the leads that each member holds.
fn held_by(rows: &[CreatedRow]) -> BTreeMap<MemberId, i32> {
    let mut held = BTreeMap::new();
    for row in rows {
        let is_owned = State::find(&row.state).is_some_and(State::is_owned);
        if let (true, Some(owner)) = (is_owned, &row.owner) {
            *held.entry(stored::<MemberId>(owner)).or_default() += 1;
        }
    }
    held
}

fn resolution(keeps: bool) -> ConflictResolution {
    if keeps {
        ConflictResolution::Keep
    } else {
        ConflictResolution::Restore
    }
}

/// Says what somebody did.
fn reason(worked: &str) -> Reason {
    let (en, zh) = match worked {
        "changed" => ("was changed since", "导入后已被修改"),
        "merged" => (
            "was merged since; what was ever merged is kept",
            "导入后曾被合并，保留不变",
        ),
        "closed" => ("was closed since", "导入后已关闭"),
        "contacted" => ("was contacted since", "导入后已联系"),
        "claimed" => ("was claimed since", "导入后已认领"),
        "ordered" => ("has an order", "导入后有订单"),
        "follow_up" => ("has a follow-up", "导入后有跟进记录"),
        "corrected" => ("was called valid or invalid since", "导入后曾判定是否有效"),
        "disputed" | "awarded" => ("was disputed since", "导入后有归属争议"),
        "fact" => ("was seen by another system since", "导入后有其他系统的记录"),
        "updated" => ("was updated by another import since", "导入后被其他导入更新"),
        "released" | "picked" => ("was picked or given back since", "导入后曾被领取或退回"),
        _ => ("was tagged since", "导入后被打标签"),
    };
    Reason {
        en: en.into(),
        zh: zh.into(),
    }
}
