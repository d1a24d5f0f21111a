//! What leads tells; it listens to nobody yet.

use jiff::Timestamp;
use prost::Message;
use reflex_events::NewEvent;
use reflex_runtime::ids::SharedIds;
use reflex_tenancy::TenantId;

/// Stream of this service's facts.
pub const STREAM: &str = "leads.v1";

pub(crate) const LEAD_CAPTURED: &str = "reflex.leads.v1.LeadCaptured";
pub(crate) const LEAD_ASSIGNED: &str = "reflex.leads.v1.LeadAssigned";
pub(crate) const LEAD_QUEUED: &str = "reflex.leads.v1.LeadQueued";
pub(crate) const LEAD_CLAIMED: &str = "reflex.leads.v1.LeadClaimed";
pub(crate) const LEAD_CLOSED: &str = "reflex.leads.v1.LeadClosed";
pub(crate) const LEAD_RECYCLED: &str = "reflex.leads.v1.LeadRecycled";
pub(crate) const CLAIM_EXPIRED: &str = "reflex.leads.v1.ClaimExpired";
pub(crate) const LEAD_ESCALATED: &str = "reflex.leads.v1.LeadEscalated";
pub(crate) const LEAD_ESCALATION_ACKNOWLEDGED: &str = "reflex.leads.v1.LeadEscalationAcknowledged";
pub(crate) const LEAD_FIRST_CONTACTED: &str = "reflex.leads.v1.LeadFirstContacted";
pub(crate) const FOLLOW_UP_RECORDED: &str = "reflex.leads.v1.FollowUpRecorded";
pub(crate) const LEAD_DUPLICATE_SUSPECTED: &str = "reflex.leads.v1.LeadDuplicateSuspected";
pub(crate) const LEAD_MERGED: &str = "reflex.leads.v1.LeadMerged";
pub(crate) const LEAD_UNMERGED: &str = "reflex.leads.v1.LeadUnmerged";
pub(crate) const LEAD_GATED: &str = "reflex.leads.v1.LeadGated";
pub(crate) const LEAD_NURTURED: &str = "reflex.leads.v1.LeadNurtured";
pub(crate) const LEAD_RETURNED: &str = "reflex.leads.v1.LeadReturned";
pub(crate) const LEAD_SET_ASIDE: &str = "reflex.leads.v1.LeadSetAside";
pub(crate) const SUBJECT_ERASED: &str = "reflex.leads.v1.SubjectErased";
pub(crate) const LEAD_UPDATED: &str = "reflex.leads.v1.LeadUpdated";
pub(crate) const LEAD_WITHDRAWN: &str = "reflex.leads.v1.LeadWithdrawn";
pub(crate) const CUSTOMER_CHANGED: &str = "reflex.leads.v1.CustomerChanged";
pub(crate) const LEAD_DECISION_MAP_OVERDUE: &str = "reflex.leads.v1.LeadDecisionMapOverdue";
pub(crate) const MEMBER_CHANGED: &str = "reflex.leads.v1.MemberChanged";

/// Makes facts of one tenant at one time.
pub(crate) struct Facts<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) ids: &'a SharedIds,
    pub(crate) time: Timestamp,
}

impl Facts<'_> {
    /// Makes one fact.
    pub(crate) fn fact(
        &self,
        kind: &'static str,
        subject: &impl ToString,
        traceparent: Option<String>,
        message: &impl Message,
    ) -> NewEvent {
        NewEvent {
            tenant: self.tenant.clone(),
            id: self.ids.next(),
            kind,
            subject: subject.to_string(),
            time: self.time,
            traceparent,
            causation_id: None,
            data: message.encode_to_vec(),
        }
    }
}
