//! What an import would do.

use std::{collections::HashMap, hash::BuildHasher as _, hash::RandomState, sync::Arc};

use reflex_proto::leads::v1::{ImportLeadsResponse, KnownRow, ReadLead, RepeatedRow, known_row::Outcome};
use reflex_tenancy::{TenantId, TenantSet};

use super::{
    known::{Access, Judged, KnownLeads},
    reader::ReadRow,
};
use crate::{
    app::App,
    convert::import::{count, read_lead},
    domain::{known_lead::OnKnown, new_lead::NewLead},
    error::Error,
};

/// Rows that are shown, of each kind.
const SHOWN: usize = 10;
/// Repeated rows that are listed; the rest is counted.
const LISTED: usize = 1_000;
/// Ids that are compared: the memory that a file of any size may take.
const COMPARED: usize = 500_000;

/// What would be stored so far.
pub(super) struct Preview {
    pub(super) app: Arc<App>,
    pub(super) tenant: TenantId,
    pub(super) on_known: OnKnown,
    pub(super) shows_contact: bool,
    pub(super) seen: Seen,
}

/// What was looked at so far.
#[derive(Default)]
pub(super) struct Seen {
    lead_count: i64,
    leads: Vec<ReadLead>,
    /// Line of the first row with an id. Of ids only a hash is kept, with a key of this import, so that nobody can write a
    /// file whose ids fall together.
    lines: HashMap<u64, u64>,
    keys: RandomState,
    repeated: Vec<RepeatedRow>,
    repeated_count: i64,
    /// Rows of known leads by what becomes of those: how many, and the first.
    known: HashMap<i32, (i64, Vec<KnownRow>)>,
}

impl Preview {
    /// Adds rows that could be stored.
    pub(super) async fn add(&mut self, rows: &[ReadRow]) -> Result<(), Error> {
        let leads = || rows.iter().map(|row| &row.lead);
        let mut known = if leads().all(|lead| lead.external_id.is_empty()) {
            None
        } else {
            let tenants = TenantSet::one(&self.tenant);
            let mut tx = self.app.db.begin("preview_import", &tenants).await?;
            let found = KnownLeads::find(&mut tx, &self.tenant, self.on_known, leads(), Access::Look).await?;
            tx.commit().await?;
            Some(found)
        };
        for row in rows {
            match known.as_mut().and_then(|known| known.judge(&row.lead)) {
                Some(judged) => self.seen.add_known(&judged, row, self.shows_contact),
                None => self.seen.add(row.line, &row.lead),
            }
        }
        Ok(())
    }
}

impl Seen {
    fn add(&mut self, line: u64, lead: &NewLead) {
        self.lead_count += 1;
        if self.leads.len() < SHOWN {
            self.leads.push(read_lead(line, lead));
        }
        if lead.external_id.is_empty() {
            return;
        }
        let id = self.keys.hash_one((&lead.source, &lead.external_id));
        match self.lines.get(&id) {
            Some(&first_line) => {
                self.repeated_count += 1;
                if self.repeated.len() < LISTED {
                    self.repeated.push(RepeatedRow {
                        line: count(line),
                        first_line: count(first_line),
                        external_id: lead.external_id.clone(),
                    });
                }
            }
            None if self.lines.len() < COMPARED => {
                self.lines.insert(id, line);
            }
            None => {}
        }
    }

    fn add_known(&mut self, judged: &Judged, row: &ReadRow, shows_contact: bool) {
        let (count, shown) = self.known.entry(judged.outcome().into()).or_default();
        *count += 1;
        if shown.len() < SHOWN {
            shown.push(judged.told(row.line, &row.lead, shows_contact));
        }
    }

    fn known_count(&self, outcome: Outcome) -> i64 {
        self.known.get(&outcome.into()).map_or(0, |(count, _)| *count)
    }

    /// Tells the counts, and at the end the rows.
    pub(super) fn tell(&mut self, response: &mut ImportLeadsResponse) {
        response.stored_count = self.lead_count;
        response.repeated_count = self.repeated_count;
        response.updated_count = self.known_count(Outcome::Updated);
        response.conflict_count = self.known_count(Outcome::Conflict);
        response.existed_count = self.known_count(Outcome::Skipped) + response.updated_count + response.conflict_count;
        if response.done {
            response.leads = std::mem::take(&mut self.leads);
            response.repeated_rows = std::mem::take(&mut self.repeated);
            let mut known: Vec<KnownRow> = self.known.drain().flat_map(|(_, (_, shown))| shown).collect();
            known.sort_by_key(|row| row.line);
            response.known_rows = known;
        }
    }
}
