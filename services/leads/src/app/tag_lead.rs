//! Tags that people give and take, and how far they say a sale is.

use reflex_pg::{
    Transaction,
    once::{self, Claim, Once},
};
use reflex_proto::leads::v1::{
    AddLeadTagRequest, AddLeadTagResponse, Lead, RemoveLeadTagRequest, RemoveLeadTagResponse, SetLeadProgressRequest,
    SetLeadProgressResponse,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;

use super::{
    App,
    claim_lead::{acting_member, lead_name, lock},
    list_directory::resource,
    tagging,
};
use crate::{
    domain::{
        ids::{LeadId, MemberId, ProgressTagId},
        lead::State,
        tags::{MAX_TAGS, ProgressTag, expiry, parse_manual},
    },
    error::Error,
    store::{
        history,
        leads::LeadRow,
        tags::{self, NewTag},
    },
};

/// Whether a change of tags is still to be done.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made")]
enum Begun<R> {
    /// An earlier call with this request id did it.
    Answered(R),
    /// To be done in this transaction.
    New(Tagging),
}

/// A change of the tags of one open lead, which is locked.
struct Tagging {
    tx: Transaction,
    claim: Claim,
    id: LeadId,
    lead: LeadRow,
    member: Option<MemberId>,
}

/// Whose tags are changed, and by whom.
struct Named<'a> {
    lead: &'a str,
    member: &'a str,
    request_id: &'a str,
}

impl App {
    /// Gives a lead a tag.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`], [`Error::Denied`].
    pub(crate) async fn add_lead_tag(
        &self,
        caller: &Caller,
        request: &AddLeadTagRequest,
    ) -> Result<AddLeadTagResponse, Error> {
        let tag = parse_manual(&request.tag, request.expire_days)?;
        let named = Named {
            lead: &request.lead,
            member: &request.member,
            request_id: &request.request_id,
        };
        let mut tagging = match self.begin_tagging("add_lead_tag", caller, &named, request).await? {
            Begun::Answered(response) => return Ok(response),
            Begun::New(tagging) => tagging,
        };
        let held = tagging.lead.tags().iter();
        let by_people = held.filter(|it| it.rule.is_none() && it.tag != tag);
        if by_people.count() >= MAX_TAGS {
            return Err(Error::WrongState(format!(
                "一条线索最多 {MAX_TAGS} 个手工标签 / a lead has at most {MAX_TAGS} tags that people gave"
            )));
        }
        let given = NewTag {
            lead: tagging.id,
            tag: tag.clone(),
            rule: None,
            evidence: String::new(),
            member: tagging.member.clone(),
            progress: None,
            expire_time: expiry(request.expire_days, self.clock.now()),
        };
        let setup = self.setups.get(&mut tagging.tx, &caller.tenant).await?;
        let saved = self
            .save_tags(&mut tagging.tx, &caller.tenant, &setup, tagging.id, &[given])
            .await?;
        if saved.is_empty() {
            return Err(Error::WrongState(format!(
                "“{tag}”是线索的进展标签 / {tag} is the progress of the lead, which another progress replaces"
            )));
        }
        let entry = self.entry(&tagging.lead, "tagged", tagging.member.clone(), tag);
        history::add(&mut tagging.tx, &caller.tenant, &[entry]).await?;
        self.end_tagging(caller, tagging, |lead| AddLeadTagResponse { lead: Some(lead) })
            .await
    }

    /// Takes a tag from a lead.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`], [`Error::Denied`].
    pub(crate) async fn remove_lead_tag(
        &self,
        caller: &Caller,
        request: &RemoveLeadTagRequest,
    ) -> Result<RemoveLeadTagResponse, Error> {
        let tag = parse_manual(&request.tag, 0)?;
        let named = Named {
            lead: &request.lead,
            member: &request.member,
            request_id: &request.request_id,
        };
        let mut tagging = match self.begin_tagging("remove_lead_tag", caller, &named, request).await? {
            Begun::Answered(response) => return Ok(response),
            Begun::New(tagging) => tagging,
        };
        if !tags::remove(&mut tagging.tx, &caller.tenant, tagging.id, &tag).await? {
            return Err(Error::NotFound(format!("tag {tag} of {}", tagging.id)));
        }
        let entry = self.entry(&tagging.lead, "untagged", tagging.member.clone(), tag);
        history::add(&mut tagging.tx, &caller.tenant, &[entry]).await?;
        let setup = self.setups.get(&mut tagging.tx, &caller.tenant).await?;
        tagging::changed(&mut tagging.tx, &caller.tenant, &setup, tagging.id).await?;
        self.end_tagging(caller, tagging, |lead| RemoveLeadTagResponse { lead: Some(lead) })
            .await
    }

    /// Says how far a sale is.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`], [`Error::Denied`].
    pub(crate) async fn set_lead_progress(
        &self,
        caller: &Caller,
        request: &SetLeadProgressRequest,
    ) -> Result<SetLeadProgressResponse, Error> {
        let progress: ProgressTagId = resource("progress_tag", &request.progress_tag)?;
        let named = Named {
            lead: &request.lead,
            member: &request.member,
            request_id: &request.request_id,
        };
        let mut tagging = match self.begin_tagging("set_lead_progress", caller, &named, request).await? {
            Begun::Answered(response) => return Ok(response),
            Begun::New(tagging) => tagging,
        };
        let Tagging { tx, lead, member, .. } = &mut tagging;
        self.save_progress(tx, &caller.tenant, lead, &progress, (member.clone(), String::new()))
            .await?;
        self.end_tagging(caller, tagging, |lead| SetLeadProgressResponse { lead: Some(lead) })
            .await
    }

    /// Makes a progress tag the progress of a locked lead; `by` is who says so, and on what occasion.
    pub(crate) async fn save_progress(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        lead: &LeadRow,
        progress: &ProgressTagId,
        by: (Option<MemberId>, String),
    ) -> Result<(), Error> {
        let ProgressTag { id, label, stage, .. } = offered(tx, tenant, progress).await?;
        let (member, evidence) = by;
        let detail = format!("{label} ({})", stage.as_str());
        let entry = self.entry(lead, "progressed", member.clone(), detail);
        history::add(tx, tenant, &[entry]).await?;
        let lead = LeadId(lead.lead_id);
        tags::remove_progress(tx, tenant, lead).await?;
        let given = NewTag {
            lead,
            tag: label,
            rule: None,
            evidence,
            member,
            progress: Some((id, stage)),
            expire_time: None,
        };
        let setup = self.setups.get(tx, tenant).await?;
        self.save_tags(tx, tenant, &setup, lead, &[given]).await?;
        Ok(())
    }

    /// Locks an open lead for a change of its tags, or returns the answer of an earlier call.
    async fn begin_tagging<R: prost::Message + Default>(
        &self,
        name: &'static str,
        caller: &Caller,
        named: &Named<'_>,
        request: &impl prost::Message,
    ) -> Result<Begun<R>, Error> {
        let id = lead_name("lead", named.lead)?;
        let member = acting(caller, named.member)?;
        let request_id = RequestId::parse(named.request_id)?;
        let mut tx = self.db.begin(name, &TenantSet::one(&caller.tenant)).await?;
        let claim = match once::claim(&mut tx, &caller.tenant, name, request_id, request).await? {
            Once::Answered(response) => return Ok(Begun::Answered(response)),
            Once::New(claim) => claim,
        };
        let lead = lock(&mut tx, caller, id).await?;
        if lead.state() == State::Closed {
            return Err(Error::WrongState("the lead is closed".into()));
        }
        Ok(Begun::New(Tagging {
            tx,
            claim,
            id,
            lead,
            member,
        }))
    }

    async fn end_tagging<R: prost::Message>(
        &self,
        caller: &Caller,
        mut tagging: Tagging,
        answer: impl FnOnce(Lead) -> R,
    ) -> Result<R, Error> {
        let response = answer(self.shown(&mut tagging.tx, caller, tagging.id).await?);
        tagging.claim.answer(&mut tagging.tx, &response).await?;
        tagging.tx.commit().await?;
        self.intake.wake(&caller.tenant);
        self.timers.wake();
        Ok(response)
    }
}

/// Finds a progress tag that may be chosen.
async fn offered(tx: &mut PgConnection, tenant: &TenantId, id: &ProgressTagId) -> Result<ProgressTag, Error> {
    let all = tags::list_progress_tags(tx, tenant, None, None).await?;
    let found = all.into_iter().find(|it| it.id == *id);
    let found = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
    if found.enabled {
        Ok(found)
    } else {
        Err(Error::WrongState(format!("{id} is not offered any more")))
    }
}

/// Returns who acts, if it is a member.
fn acting(caller: &Caller, named: &str) -> Result<Option<MemberId>, Error> {
    if named.is_empty() && caller.member.is_none() {
        return Ok(None);
    }
    acting_member(caller, "member", named).map(Some)
}
