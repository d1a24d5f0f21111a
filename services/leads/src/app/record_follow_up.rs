//! Recording what was done with a lead; the first call stops its clock and ladder in the same transaction.

use jiff::SignedDuration;
use jiff_sqlx::ToSqlx;
use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{
    FollowUp, FollowUpRecorded, LeadFirstContacted, ListFollowUpsRequest, ListFollowUpsResponse, RecordFollowUpRequest,
    RecordFollowUpResponse,
};
use reflex_rpc::{identity::Caller, page, request_id::RequestId};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    App,
    claim_lead::{acting_member, lead_name, lock},
    get_lead::optional,
    tagging::Occasion,
};
use crate::{
    convert::{self, ATTITUDES, KINDS},
    domain::{
        follow_up::{NewFollowUp, RawFollowUp},
        ids::{FollowUpId, LeadId, MemberId, ProgressTagId},
        lead::State,
        tags::FOLLOW_UP_RECORDED,
    },
    error::Error,
    events,
    store::{
        follow_ups::{self, FollowUpRow},
        history,
        leads::{self, LeadRow},
        running_clocks,
    },
};

/// How far a caller's clock may be ahead of ours.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

impl App {
    /// Records a follow-up.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`], [`Error::WrongState`] for a closed lead, [`Error::Denied`].
    pub(crate) async fn record_follow_up(
        &self,
        caller: &Caller,
        request: &RecordFollowUpRequest,
    ) -> Result<RecordFollowUpResponse, Error> {
        let message = request
            .follow_up
            .as_ref()
            .ok_or_else(|| Error::invalid("follow_up", "must be set"))?;
        let request_id = RequestId::parse(&request.request_id)?;
        let lead_id = lead_name("follow_up.lead", &message.lead)?;
        let member = acting_member(caller, "follow_up.member", &message.member)?;
        let row = self.parse(message, lead_id, &member)?;
        let tenant = &caller.tenant;

        let mut tx = self.db.begin("record_follow_up", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "RecordFollowUp", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        // The lock that every step of the ladder takes too: either the step came first, or it sees this call.
        let lead = lock(&mut tx, caller, lead_id).await?;
        if lead.state() == State::Closed {
            return Err(Error::WrongState("the lead is closed".into()));
        }
        follow_ups::insert(&mut tx, tenant, &row).await?;
        self.tag_for(&mut tx, tenant, &lead, &row, &member).await?;
        let told = FollowUpRecorded {
            lead: lead_id.to_string(),
            follow_up: FollowUpId(row.follow_up_id).to_string(),
            member: member.to_string(),
            occur_time: Some(convert::timestamp(row.occur_time.to_jiff())),
        };
        self.tell(&mut tx, caller, events::FOLLOW_UP_RECORDED, lead_id, &told)
            .await?;
        let clock_stopped = self.stop_clock(&mut tx, caller, &lead, &row, &member).await?;
        let response = RecordFollowUpResponse {
            follow_up: Some(row.to_message()),
            clock_stopped,
        };
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        self.relay.wake();
        self.intake.wake(tenant);
        Ok(response)
    }

    /// Lists a lead's follow-ups, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_follow_ups(
        &self,
        caller: &Caller,
        request: &ListFollowUpsRequest,
    ) -> Result<ListFollowUpsResponse, Error> {
        let lead = lead_name("lead", &request.lead)?;
        let size = page::page_size(request.page_size, 50, 500)?;
        let query = ("follow_ups", caller.tenant.as_str(), lead);
        let before: Option<Uuid> = self.pages.decode(&query, &request.page_token)?;
        let mut tx = self
            .db
            .begin("list_follow_ups", &TenantSet::one(&caller.tenant))
            .await?;
        let found = leads::find_survivor(&mut tx, &caller.tenant, lead).await?;
        let found = found.ok_or_else(|| Error::NotFound(lead.to_string()))?;
        let held = LeadId(found.lead_id);
        let mut rows = follow_ups::list(&mut tx, &caller.tenant, held, before, size + 1).await?;
        let more = rows.len() as u64 > size.unsigned_abs();
        rows.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let next_page_token = match rows.last() {
            Some(last) if more => self.pages.encode(&query, &last.follow_up_id),
            _ => String::new(),
        };
        Ok(ListFollowUpsResponse {
            follow_ups: rows.iter().map(FollowUpRow::to_message).collect(),
            next_page_token,
        })
    }

    /// Changes the lead's tags by what was done with it: its progress first, then what rules give.
    async fn tag_for(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        lead: &LeadRow,
        row: &FollowUpRow,
        member: &MemberId,
    ) -> Result<(), Error> {
        let evidence = FollowUpId(row.follow_up_id).to_string();
        if let Some(progress) = row.progress_tag() {
            let by = (Some(member.clone()), evidence.clone());
            self.save_progress(tx, tenant, lead, &progress, by).await?;
        }
        let occasion = Occasion {
            kind: FOLLOW_UP_RECORDED,
            evidence,
        };
        self.apply_tag_rules(tx, tenant, lead, &[occasion]).await?;
        Ok(())
    }

    fn parse(&self, message: &FollowUp, lead: LeadId, member: &MemberId) -> Result<FollowUpRow, Error> {
        let now = self.clock.now();
        let occur_time = match &message.occur_time {
            None => None,
            Some(at) => Some(convert::instant("follow_up.occur_time", at).map_err(|violation| vec![violation])?),
        };
        // A caller's clock may be a little ahead of ours.
        let occur_time = occur_time.map(|at| if at < now + TOLERANCE { at.min(now) } else { at });
        let attitude = match message.attitude {
            0 => None,
            value => Some(
                convert::domain_of(&ATTITUDES, value)
                    .ok_or_else(|| Error::invalid("follow_up.attitude", "is no known attitude"))?,
            ),
        };
        let progress_tag: Option<ProgressTagId> = optional("follow_up.progress_tag", &message.progress_tag)?;
        let raw = RawFollowUp {
            kind: convert::domain_of(&KINDS, message.kind),
            attitude,
            next_action: message.next_action.clone(),
            note: message.note.clone(),
            screening_complete: message.screening_complete,
            occur_time,
        };
        let new = NewFollowUp::parse(&raw, now)?;
        Ok(FollowUpRow {
            follow_up_id: self.ids.next(),
            lead_id: lead.0,
            member: member.id().to_owned(),
            kind: new.kind.as_str().to_owned(),
            attitude: new.attitude.map(|attitude| attitude.as_str().to_owned()),
            next_action: new.next_action,
            note: new.note,
            screening_complete: new.screening_complete,
            occur_time: new.occur_time.to_sqlx(),
            create_time: now.to_sqlx(),
            progress_tag: progress_tag.map(|progress| progress.id().to_owned()),
        })
    }

    /// Stops the lead's clock if what is recorded by now amounts to a first contact; returns whether it did.
    async fn stop_clock(
        &self,
        tx: &mut PgConnection,
        caller: &Caller,
        lead: &LeadRow,
        row: &FollowUpRow,
        member: &MemberId,
    ) -> Result<bool, Error> {
        let id = LeadId(lead.lead_id);
        let (reached, screened) = follow_ups::progress(tx, &caller.tenant, id).await?;
        if lead.first_contact_time.is_some() || !reached || (lead.require_screening && !screened) {
            return Ok(false);
        }
        leads::set_contacted(tx, &caller.tenant, id, self.clock.now()).await?;
        let steps = running_clocks::count_steps(tx, &caller.tenant, id).await?;
        let contacted = self.entry(lead, "contacted", Some(member.clone()), row.kind.clone());
        let stopped = self.entry(lead, "stopped", None, format!("{steps} steps of the ladder"));
        history::add(tx, &caller.tenant, &[contacted, stopped]).await?;
        let told = LeadFirstContacted {
            lead: id.to_string(),
            member: member.to_string(),
            occur_time: Some(convert::timestamp(row.occur_time.to_jiff())),
        };
        self.tell(tx, caller, events::LEAD_FIRST_CONTACTED, id, &told).await?;
        self.begin_decision_map(tx, &caller.tenant, id, (member, self.clock.now()))
            .await?;
        Ok(true)
    }
}
