//! What an import would do.

use std::{collections::HashMap, hash::BuildHasher as _, hash::RandomState};

use reflex_proto::leads::v1::{ImportLeadsResponse, ReadLead, RepeatedRow};

use crate::{
    convert::import::{count, read_lead},
    domain::new_lead::NewLead,
};

/// Rows that are shown.
const SHOWN: usize = 10;
/// Repeated rows that are listed; the rest is counted.
const LISTED: usize = 1_000;
/// Ids that are compared: the memory that a file of any size may take.
const COMPARED: usize = 500_000;

/// What would be stored so far.
#[derive(Default)]
pub(super) struct Preview {
    lead_count: i64,
    leads: Vec<ReadLead>,
    /// Line of the first row with an id. Of ids only a hash is kept, with a key of this import, so that nobody can write a
    /// file whose ids fall together.
    lines: HashMap<u64, u64>,
    keys: RandomState,
    repeated: Vec<RepeatedRow>,
    repeated_count: i64,
}

impl Preview {
    /// Adds a row that could be stored.
    pub(super) fn add(&mut self, line: u64, lead: &NewLead) {
        self.lead_count += 1;
        if self.leads.len() < SHOWN {
            self.leads.push(read_lead(line, lead));
        }
        if lead.external_id.is_empty() {
            return;
        }
        let id = self.keys.hash_one((&lead.source, &lead.external_id));
        match self.lines.get(&id) {
            Some(first) => {
                self.repeated_count += 1;
                if self.repeated.len() < LISTED {
                    self.repeated.push(RepeatedRow {
                        line: count(line),
                        first_line: count(*first),
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

    /// Tells the counts, and at the end the rows.
    pub(super) fn tell(&mut self, response: &mut ImportLeadsResponse) {
        response.stored_count = self.lead_count;
        response.repeated_count = self.repeated_count;
        if response.done {
            response.leads = std::mem::take(&mut self.leads);
            response.repeated_rows = std::mem::take(&mut self.repeated);
        }
    }
}
