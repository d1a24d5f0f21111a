//! Rows whose lead is known already: what they would change, and what is in the way.

use std::collections::{BTreeMap, HashMap, HashSet};

use reflex_pg::DbError;
use reflex_proto::leads::v1::{FieldDifference, KnownRow, known_row::Outcome};
use reflex_tenancy::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    convert::import::{count, field_difference},
    domain::{
        ids::LeadId,
        known_lead::{self, Change, Conflict, OnKnown},
        lead::State,
        merge::Content,
        new_lead::NewLead,
    },
    store::{
        known_leads,
        leads::{self, LeadRow},
        merges,
    },
};

/// The leads that rows know, as they are and as the rows looked at so far have changed them.
pub(super) struct KnownLeads {
    on_known: OnKnown,
    /// By source and external id.
    ids: HashMap<(String, String), Uuid>,
    leads: BTreeMap<Uuid, KnownLead>,
}

struct KnownLead {
    state: State,
    is_survivor: bool,
    content: Content,
    change: Change,
}

/// What a row comes to.
pub(super) struct Judged {
    lead: Uuid,
    change: Change,
    conflict: Option<Conflict>,
}

/// Whether leads are only looked at or are going to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Look,
    Lock,
}

impl KnownLeads {
    /// Finds the leads that rows know.
    pub(super) async fn find(
        tx: &mut PgConnection,
        tenant: &TenantId,
        on_known: OnKnown,
        rows: impl Iterator<Item = &NewLead>,
        access: Access,
    ) -> Result<Self, DbError> {
        let keys: Vec<(&str, &str)> = rows
            .filter(|lead| !lead.external_id.is_empty())
            .map(|lead| (lead.source.as_str(), lead.external_id.as_str()))
            .collect();
        let mut rows = if keys.is_empty() {
            Vec::new()
        } else {
            known_leads::list(tx, tenant, &keys).await?
        };
        if access == Access::Lock && !rows.is_empty() {
            let found: Vec<LeadId> = rows.iter().map(|row| LeadId(row.lead_id)).collect();
            rows = leads::list_for_update(tx, tenant, &found).await?;
        }
        let found: Vec<Uuid> = rows.iter().map(|row| row.lead_id).collect();
        let survivors = if found.is_empty() {
            HashSet::new()
        } else {
            known_leads::survivors(tx, tenant, &found).await?
        };
        let key = |row: &LeadRow| (row.source.clone(), row.external_id.clone().unwrap_or_default());
        let lead = |row: &LeadRow| KnownLead {
            state: row.state(),
            is_survivor: survivors.contains(&row.lead_id),
            content: merges::content_of(row),
            change: Change::default(),
        };
        Ok(Self {
            on_known,
            ids: rows.iter().map(|row| (key(row), row.lead_id)).collect(),
            leads: rows.iter().map(|row| (row.lead_id, lead(row))).collect(),
        })
    }

    /// Judges a row, and remembers what it changes; `None` where nobody knows its lead.
    pub(super) fn judge(&mut self, row: &NewLead) -> Option<Judged> {
        let key = (row.source.clone(), row.external_id.clone());
        let id = *self.ids.get(&key)?;
        let lead = self.leads.get_mut(&id)?;
        let change = known_lead::change(&lead.content, &known_leads::content_of_row(row), self.on_known);
        let conflict = if change.is_empty() {
            None
        } else {
            Conflict::find(lead.state, lead.is_survivor, &lead.content, &change)
        };
        if conflict.is_none() {
            change.apply(&mut lead.content);
            lead.change.then(change.clone());
        }
        Some(Judged {
            lead: id,
            change,
            conflict,
        })
    }

    /// Returns the leads that rows have changed, with what they say then.
    pub(super) fn changed(self) -> Vec<(Uuid, Content, Change)> {
        let changed = self.leads.into_iter().filter(|(_, lead)| !lead.change.is_empty());
        changed.map(|(id, lead)| (id, lead.content, lead.change)).collect()
    }
}

impl Judged {
    /// Returns what becomes of the lead.
    pub(super) fn outcome(&self) -> Outcome {
        match self.conflict {
            Some(_) => Outcome::Conflict,
            None if self.change.is_empty() => Outcome::Skipped,
            None => Outcome::Updated,
        }
    }

    /// Tells it.
    pub(super) fn told(&self, line: u64, row: &NewLead, shows_contact: bool) -> KnownRow {
        let reason = self.conflict.map(Conflict::reason);
        let (description, description_zh) = reason.map(|reason| (reason.en, reason.zh)).unwrap_or_default();
        let differences = self.change.after.iter().map(|(field, after)| {
            let before = self.change.before.get(field).cloned().flatten();
            field_difference(field, before.as_deref(), after.as_deref(), shows_contact)
        });
        KnownRow {
            line: count(line),
            external_id: row.external_id.clone(),
            lead: LeadId(self.lead).to_string(),
            outcome: self.outcome().into(),
            differences: differences.collect::<Vec<FieldDifference>>(),
            description,
            description_zh,
        }
    }
}
