//! Whose lead it is and was, and what the records say about it.

use std::collections::BTreeMap;

use reflex_proto::leads::v1::{
    DisputeEvidence, GetOwnerAtRequest, GetOwnerAtResponse, ListOwnershipRequest, ListOwnershipResponse,
    dispute_evidence::{Contact, MemberRecord, Touch},
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;

use super::{App, claim_lead::lead_name};
use crate::{
    convert,
    domain::{
        ids::{FollowUpId, LeadId, MemberId},
        ownership,
    },
    error::Error,
    store::{leads, leads::stored, ownership as records},
};

impl App {
    /// Tells who had a lead, in order.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn list_ownership(
        &self,
        caller: &Caller,
        request: &ListOwnershipRequest,
    ) -> Result<ListOwnershipResponse, Error> {
        let lead = lead_name("lead", &request.lead)?;
        let mut tx = self.db.begin("list_ownership", &TenantSet::one(&caller.tenant)).await?;
        let spans = spans(&mut tx, &caller.tenant, lead).await?;
        Ok(ListOwnershipResponse {
            ownerships: spans.iter().map(convert::ownership::ownership).collect(),
        })
    }

    /// Tells whose lead it was at a time.
    ///
    /// # Errors
    /// [`Error::Violations`] for a time to come, [`Error::NotFound`].
    pub(crate) async fn get_owner_at(
        &self,
        caller: &Caller,
        request: &GetOwnerAtRequest,
    ) -> Result<GetOwnerAtResponse, Error> {
        let lead = lead_name("lead", &request.lead)?;
        let time = request
            .time
            .as_ref()
            .ok_or_else(|| Error::invalid("time", "must be set"))?;
        let time = convert::instant("time", time).map_err(|violation| vec![violation])?;
        if time > self.clock.now() {
            return Err(Error::invalid("time", "is in the future"));
        }
        let mut tx = self.db.begin("get_owner_at", &TenantSet::one(&caller.tenant)).await?;
        let spans = spans(&mut tx, &caller.tenant, lead).await?;
        // Where one ends as the next begins, the next holds.
        let held = spans.iter().rfind(|span| span.holds_at(time));
        Ok(GetOwnerAtResponse {
            ownership: held.map(convert::ownership::ownership),
        })
    }
}

async fn spans(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<Vec<ownership::Span>, Error> {
    if leads::find(tx, tenant, lead).await?.is_none() {
        return Err(Error::NotFound(lead.to_string()));
    }
    let records = records::get_records(tx, tenant, lead).await?;
    Ok(ownership::spans(lead, &records))
}

/// Gathers what the records say about whose lead it is.
pub(super) async fn evidence(tx: &mut PgConnection, tenant: &TenantId, lead: LeadId) -> Result<DisputeEvidence, Error> {
    let touches = records::list_touches(tx, tenant, lead).await?;
    let contacts = records::list_contacts(tx, tenant, lead).await?;
    let spans = spans(tx, tenant, lead).await?;
    let name = |member: &str| stored::<MemberId>(member).to_string();
    let mut members: BTreeMap<&str, MemberRecord> = BTreeMap::new();
    for contact in &contacts {
        let record = members.entry(&contact.member).or_insert_with(|| MemberRecord {
            member: name(&contact.member),
            ..MemberRecord::default()
        });
        if contact.kind == "message" {
            record.message_count += 1;
        } else {
            record.contact_count += 1;
            let time = convert::timestamp(contact.occur_time.to_jiff());
            record.first_contact_time.get_or_insert(time);
        }
    }
    let mut members: Vec<MemberRecord> = members.into_values().collect();
    members.sort_by_key(|record| {
        let time = record.first_contact_time;
        (time.is_none(), time.map(|time| (time.seconds, time.nanos)))
    });
    let first = contacts.iter().find(|contact| contact.kind != "message");
    Ok(DisputeEvidence {
        touches: touches
            .into_iter()
            .map(|touch| Touch {
                lead: LeadId(touch.lead_id).to_string(),
                source: touch.source,
                capture_time: Some(convert::timestamp(touch.create_time.to_jiff())),
            })
            .collect(),
        first_contact: first.map(|contact| Contact {
            follow_up: FollowUpId(contact.follow_up_id).to_string(),
            member: name(&contact.member),
            occur_time: Some(convert::timestamp(contact.occur_time.to_jiff())),
            record_time: Some(convert::timestamp(contact.create_time.to_jiff())),
        }),
        members,
        ownerships: spans.iter().map(convert::ownership::ownership).collect(),
    })
}
