//! Facts as changes of leads.

use std::sync::Arc;

use jiff::Timestamp;
use prost::Message as _;
use reflex_proto::leads::v1::{
    ClaimExpired, Lead, LeadAssigned, LeadChange, LeadClaimed, LeadClosed, LeadEscalated, LeadFirstContacted,
    LeadGated, LeadNurtured, LeadQueued, LeadRecycled, LeadReturned, LeadSetAside, LeadWithdrawn, lead,
    lead_change::Kind,
};
use reflex_rpc::identity::Caller;

use crate::{
    app::get_lead::show,
    convert,
    domain::{ids::LeadId, lead::State},
    events,
    store::{
        changes::FactRow,
        leads::{Filter, LeadRow},
    },
};

/// What a fact tells of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) lead: LeadId,
    kind: Kind,
    time: Timestamp,
    /// The state it led to; `None` where that depends.
    state: Option<State>,
    /// Who is concerned; the first is shown.
    members: Vec<String>,
    team: String,
}

/// Something that happened to a lead.
#[derive(Debug)]
pub(crate) struct Change {
    told: Told,
    /// None of a lead that is gone, which has no state either.
    lead: Option<(State, Arc<LeadRow>)>,
}

impl Told {
    /// Reads a fact; `None` if it tells of no change of a lead.
    pub(crate) fn read(fact: FactRow) -> Option<Self> {
        let FactRow {
            kind,
            subject,
            time,
            data,
            ..
        } = fact;
        let data = data.as_slice();
        let (kind, state, members, team) = match kind.as_str() {
            events::LEAD_CAPTURED => (Kind::Captured, Some(State::Captured), Vec::new(), String::new()),
            events::LEAD_ASSIGNED => {
                let told = LeadAssigned::decode(data).ok()?;
                (Kind::Assigned, Some(State::Assigned), vec![told.owner], told.team)
            }
            events::LEAD_QUEUED => {
                let told = LeadQueued::decode(data).ok()?;
                (Kind::Queued, Some(State::Queued), Vec::new(), told.team)
            }
            events::LEAD_CLAIMED => {
                let told = LeadClaimed::decode(data).ok()?;
                (Kind::Claimed, Some(State::Claimed), vec![told.member], String::new())
            }
            events::CLAIM_EXPIRED => {
                let told = ClaimExpired::decode(data).ok()?;
                (Kind::ClaimExpired, None, vec![told.member], told.team)
            }
            events::LEAD_ESCALATED => {
                let told = LeadEscalated::decode(data).ok()?;
                (Kind::Escalated, None, vec![told.recipient, told.owner], String::new())
            }
            events::LEAD_FIRST_CONTACTED => {
                let told = LeadFirstContacted::decode(data).ok()?;
                (Kind::Contacted, None, vec![told.member], String::new())
            }
            events::LEAD_RECYCLED => {
                let told = LeadRecycled::decode(data).ok()?;
                (Kind::Recycled, Some(State::Queued), vec![told.member], told.team)
            }
            events::LEAD_CLOSED => {
                let told = LeadClosed::decode(data).ok()?;
                (Kind::Closed, Some(State::Closed), vec![told.member], String::new())
            }
            events::LEAD_GATED => {
                let state = match LeadGated::decode(data).ok()?.verdict.as_str() {
                    "hold" => Some(State::Held),
                    "nurture" => Some(State::Nurture),
                    _ => None,
                };
                (Kind::Gated, state, Vec::new(), String::new())
            }
            events::LEAD_NURTURED => {
                let told = LeadNurtured::decode(data).ok()?;
                (Kind::Nurtured, Some(State::Nurture), vec![told.member], String::new())
            }
            events::LEAD_RETURNED => {
                let told = LeadReturned::decode(data).ok()?;
                (Kind::Returned, Some(State::Queued), vec![told.member], String::new())
            }
            events::LEAD_SET_ASIDE => {
                let told = LeadSetAside::decode(data).ok()?;
                (Kind::SetAside, Some(State::SetAside), vec![told.member], String::new())
            }
            events::LEAD_MERGED => (Kind::Merged, Some(State::Merged), Vec::new(), String::new()),
            events::LEAD_UNMERGED => (Kind::Unmerged, None, Vec::new(), String::new()),
            events::LEAD_UPDATED => (Kind::Updated, None, Vec::new(), String::new()),
            events::LEAD_WITHDRAWN => {
                let told = LeadWithdrawn::decode(data).ok()?;
                (Kind::Withdrawn, None, vec![told.owner], told.team)
            }
            _ => return None,
        };
        Some(Self {
            lead: subject.parse().ok()?,
            kind,
            time: time.to_jiff(),
            state,
            members,
            team,
        })
    }

    /// Makes the change from what was told and the lead as it is now; of a lead that is gone only that it is.
    pub(crate) fn of(&self, lead: Option<&Arc<LeadRow>>) -> Option<Change> {
        let lead = match lead {
            Some(lead) => Some((self.state.unwrap_or_else(|| lead.state()), Arc::clone(lead))),
            None if self.kind == Kind::Withdrawn => None,
            None => return None,
        };
        let told = self.clone();
        Some(Change { told, lead })
    }
}

impl Change {
    /// Tells whether it passes a filter.
    pub(crate) fn matches(&self, filter: &Filter) -> bool {
        let lead = self.lead.as_ref();
        let wants_state = filter
            .state
            .is_none_or(|wanted| lead.is_none_or(|(state, _)| *state == wanted));
        let wants_owner = filter.owner.as_ref().is_none_or(|owner| {
            let name = owner.to_string();
            self.told.members.contains(&name) || lead.is_some_and(|(_, lead)| lead.owner().as_ref() == Some(owner))
        });
        let wants_team = filter.team.as_ref().is_none_or(|team| {
            self.told.team == team.to_string() || lead.is_some_and(|(_, lead)| lead.team().as_ref() == Some(team))
        });
        wants_state && wants_owner && wants_team
    }

    /// Converts it to what the caller may see.
    pub(crate) fn show(&self, caller: &Caller) -> LeadChange {
        let (state, lead) = match &self.lead {
            Some((state, lead)) => (convert::state(*state), show(lead, caller)),
            None => (
                lead::State::Unspecified,
                Lead {
                    name: self.told.lead.to_string(),
                    ..Lead::default()
                },
            ),
        };
        LeadChange {
            kind: self.told.kind.into(),
            time: Some(convert::timestamp(self.told.time)),
            state: state.into(),
            member: self.told.members.first().cloned().unwrap_or_default(),
            lead: Some(lead),
        }
    }
}
