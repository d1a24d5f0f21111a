//! What is done about conflicts: what somebody did with leads of an import since.

use std::collections::HashMap;

use reflex_proto::leads::v1::{ConflictResolution, UndoImportRequest};

use crate::error::Error;

/// Conflicts that a request can decide by name.
const MOST_DECISIONS: usize = 1_000;

/// What a request says about conflicts.
pub(super) struct Decisions {
    by_name: HashMap<String, ConflictResolution>,
    others: ConflictResolution,
}

impl Decisions {
    pub(super) fn parse(request: &UndoImportRequest) -> Result<Self, Error> {
        if request.decisions.len() > MOST_DECISIONS {
            return Err(Error::invalid("decisions", format!("must be at most {MOST_DECISIONS}")));
        }
        let others = resolution("other_conflicts", request.other_conflicts)?;
        let mut by_name = HashMap::new();
        for (at, decision) in request.decisions.iter().enumerate() {
            let field = format!("decisions[{at}]");
            if !decision.conflict.starts_with("leads/") {
                let description = "must be \"leads/{lead}\" or \"leads/{lead}/{field}\"";
                return Err(Error::invalid(format!("{field}.conflict"), description));
            }
            let resolved = resolution(&format!("{field}.resolution"), decision.resolution)?;
            if resolved == ConflictResolution::Unspecified {
                return Err(Error::invalid(format!("{field}.resolution"), "must be KEEP or RESTORE"));
            }
            if by_name.insert(decision.conflict.clone(), resolved).is_some() {
                return Err(Error::invalid(format!("{field}.conflict"), "is decided twice"));
            }
        }
        Ok(Self { by_name, others })
    }

    /// Tells whether anything that was kept could be restored.
    pub(super) fn restore_something(&self) -> bool {
        let mut all = self.by_name.values().chain([&self.others]);
        all.any(|decided| *decided == ConflictResolution::Restore)
    }

    /// Tells whether a conflict is kept.
    pub(super) fn keep(&self, conflict: &str) -> bool {
        *self.by_name.get(conflict).unwrap_or(&self.others) != ConflictResolution::Restore
    }
}

fn resolution(field: &str, value: i32) -> Result<ConflictResolution, Error> {
    ConflictResolution::try_from(value).map_err(|_| Error::invalid(field, "is no known resolution"))
}
