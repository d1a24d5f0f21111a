//! Facts of leads, as the stream brings them.

use jiff::{SignedDuration, Timestamp};
use prost::Message;
use reflex_events::Envelope;
use reflex_proto::leads::v1 as leads;
use reflex_runtime::ids::IdSource;
use reflex_testing::{SeededIds, fixture_time};

pub(crate) const TENANT: &str = "huadong";
/// The team of most people here.
pub(crate) const TEAM: &str = "teams/suzhou";

/// Makes events, each with its own id and a microsecond later than the one before.
pub(crate) struct Facts {
    ids: SeededIds,
    time: Timestamp,
    pub(crate) tenant: &'static str,
}

impl Facts {
    pub(crate) fn new() -> Self {
        Self {
            ids: SeededIds::new(7),
            time: fixture_time(),
            tenant: TENANT,
        }
    }

    pub(crate) fn event(&mut self, kind: &str, subject: &str, message: &impl Message) -> Envelope {
        self.time += SignedDuration::from_micros(1);
        Envelope {
            tenant: self.tenant.parse().unwrap(),
            id: self.ids.next(),
            source: "leads".to_owned(),
            kind: format!("reflex.leads.v1.{kind}"),
            subject: subject.to_owned(),
            time: self.time,
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            causation_id: None,
            data: message.encode_to_vec(),
            stream: "leads.v1".to_owned(),
            shard: 0,
        }
    }

    pub(crate) fn member(&mut self, id: &str, display_name: &str) -> Envelope {
        self.member_with(&leads::MemberChanged {
            member: format!("members/{id}"),
            display_name: display_name.to_owned(),
            team: TEAM.to_owned(),
            mobile: "13800000001".to_owned(),
            locale: "zh-CN".to_owned(),
            active: true,
            ..leads::MemberChanged::default()
        })
    }

    pub(crate) fn member_with(&mut self, changed: &leads::MemberChanged) -> Envelope {
        self.event("MemberChanged", &changed.member, changed)
    }

    pub(crate) fn assigned(&mut self, lead: &str, owner: &str) -> Envelope {
        self.assigned_with(&leads::LeadAssigned {
            company: "华东机床".to_owned(),
            contact_name: "王芳 13912345678".to_owned(),
            ..assignment(lead, owner)
        })
    }

    pub(crate) fn assigned_with(&mut self, assigned: &leads::LeadAssigned) -> Envelope {
        self.event("LeadAssigned", &assigned.lead, assigned)
    }

    pub(crate) fn escalated(&mut self, lead: &str, recipient: &str, channels: &[&str]) -> Envelope {
        let escalated = leads::LeadEscalated {
            lead: format!("leads/{lead}"),
            number: format!("L-{lead}"),
            step: 1,
            step_count: 3,
            recipient: format!("members/{recipient}"),
            channels: channels.iter().map(|&channel| channel.to_owned()).collect(),
            owner: "members/zhang.wei".to_owned(),
            owner_display_name: "张伟".to_owned(),
            company: "华东机床".to_owned(),
            ..leads::LeadEscalated::default()
        };
        self.event("LeadEscalated", &escalated.lead.clone(), &escalated)
    }

    pub(crate) fn claim_expired(&mut self, lead: &str, director: &str) -> Envelope {
        let expired = leads::ClaimExpired {
            lead: format!("leads/{lead}"),
            number: format!("L-{lead}"),
            member: "members/zhang.wei".to_owned(),
            team: TEAM.to_owned(),
            director: director.to_owned(),
            company: "华东机床".to_owned(),
        };
        self.event("ClaimExpired", &expired.lead.clone(), &expired)
    }

    pub(crate) fn map_overdue(&mut self, lead: &str, owner: &str, supervisor: &str) -> Envelope {
        let overdue = leads::LeadDecisionMapOverdue {
            lead: format!("leads/{lead}"),
            number: format!("L-{lead}"),
            owner: owner.to_owned(),
            supervisor: supervisor.to_owned(),
            missing_roles: vec!["采购经理".to_owned(), "老板 13800138000".to_owned()],
            due_time: Some(prost_types::Timestamp {
                seconds: fixture_time().as_second(),
                nanos: 0,
            }),
        };
        self.event("LeadDecisionMapOverdue", &overdue.lead.clone(), &overdue)
    }

    pub(crate) fn contacted(&mut self, lead: &str) -> Envelope {
        let contacted = leads::LeadFirstContacted {
            lead: format!("leads/{lead}"),
            member: "members/zhang.wei".to_owned(),
            occur_time: None,
        };
        self.event("LeadFirstContacted", &contacted.lead.clone(), &contacted)
    }
}

/// An assignment with little in it.
pub(crate) fn assignment(lead: &str, owner: &str) -> leads::LeadAssigned {
    let due = fixture_time() + SignedDuration::from_mins(30);
    leads::LeadAssigned {
        lead: format!("leads/{lead}"),
        number: format!("L-{lead}"),
        owner: format!("members/{owner}"),
        team: TEAM.to_owned(),
        claim_due_time: Some(prost_types::Timestamp {
            seconds: due.as_second(),
            nanos: 0,
        }),
        ..leads::LeadAssigned::default()
    }
}
