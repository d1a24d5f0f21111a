//! Makes one of two leads that are the same. What belongs to the one that goes stays with it and is found through the other
//! one, so that nothing has to be sorted out when they are two again.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use reflex_pg::{
    once::{self, Once},
    retried,
};
use reflex_proto::leads::v1::{LeadMerged, MergeLeadsRequest, MergeLeadsResponse};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    App,
    claim_lead::{check_is_own, lead_name},
    lead_facts,
};
use crate::{
    convert,
    domain::{
        calculated::Entity,
        decision::Trigger,
        duplicates,
        ids::{LeadId, MemberId, MergeId},
        lead::State,
        merge::{self, ATTRIBUTE, Choices, Evidence, FIELDS, Images, Side},
        violation::Violation,
    },
    error::Error,
    events,
    setup::Setup,
    store::{
        accounts,
        calculated_values::{self, RecordValues},
        follow_ups, history,
        intake::instant,
        leads::{self, LeadRow},
        merges::{self, NewMerge},
        reroute, running_clocks, setup_versions,
    },
};

const MOST_CHARACTERS_OF_REASON: usize = 500;

/// What is asked for.
pub(super) struct Command<'a> {
    survivor: LeadId,
    loser: LeadId,
    choices: Choices,
    request_id: Option<Uuid>,
    request: &'a MergeLeadsRequest,
}

impl App {
    /// Merges a lead into another.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`], [`Error::WrongState`] when one of them was merged before, or an open lead
    /// would be merged into a closed one.
    pub(crate) async fn merge_leads(
        &self,
        caller: &Caller,
        request: &MergeLeadsRequest,
    ) -> Result<MergeLeadsResponse, Error> {
        let command = parse(request)?;
        let response = retried(|| self.merge_once(caller, &command)).await?;
        self.relay.wake();
        self.intake.wake(&caller.tenant);
        Ok(response)
    }

    async fn merge_once(&self, caller: &Caller, command: &Command<'_>) -> Result<MergeLeadsResponse, Error> {
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("merge_leads", &TenantSet::one(tenant)).await?;
        let claimed = match once::claim(&mut tx, tenant, "MergeLeads", command.request_id, command.request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        let response = self.merge_pair(&mut tx, caller, command).await?;
        claimed.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Merges a lead into another as part of a transaction.
    pub(super) async fn merge_pair(
        &self,
        tx: &mut PgConnection,
        caller: &Caller,
        command: &Command<'_>,
    ) -> Result<MergeLeadsResponse, Error> {
        let (tenant, now) = (&caller.tenant, self.clock.now());
        let setup = self.hold_setup(&mut *tx, tenant).await?;
        let (survivor, loser) = lock_pair(&mut *tx, tenant, command.survivor, command.loser).await?;
        check_is_own(&survivor)?;
        check_is_own(&loser)?;
        if loser.state().is_open() && !survivor.state().is_open() {
            let description = "the survivor is closed and the other lead is not: merge it the other way round";
            return Err(Error::WrongState(description.into()));
        }
        let preference = prefer(&mut *tx, tenant, &survivor, &loser).await?;
        let (before, theirs) = (merges::content_of(&survivor), merges::content_of(&loser));
        check_choices(&command.choices, &before, &theirs)?;
        let (after, fields) = merge::merge(&before, &theirs, preference, &command.choices);
        let (contact_before, contact_loser) = (instant(survivor.first_contact_time), instant(loser.first_contact_time));
        let images = Images {
            before,
            after,
            loser: theirs,
            fields,
            contact_before,
            contact_after: merge::first_contact(contact_before, contact_loser),
            contact_loser,
            survivor_state: survivor.state(),
            loser_state: loser.state(),
            loser_queue_reason: loser.queue_reason.clone(),
            loser_close_time: merges::find_close_time(&mut *tx, tenant, command.loser).await?,
        };
        // Whoever called one of them has called the customer of both.
        let survivor_contacted = contact_before.is_none() && contact_loser.is_some();
        let survivor_timers = if survivor_contacted {
            running_clocks::stop(&mut *tx, tenant, command.survivor).await?
        } else {
            Vec::new()
        };
        let loser_timers = running_clocks::stop(&mut *tx, tenant, command.loser).await?;
        let state = state_with(&survivor, images.contact_after);
        merges::set_content(
            &mut *tx,
            tenant,
            command.survivor,
            &images.after,
            state,
            images.contact_after,
        )
        .await?;
        merges::set_merged(&mut *tx, tenant, command.loser, command.survivor, now).await?;
        self.recalculate(&mut *tx, tenant, &setup, command.survivor).await?;
        if loser.state().is_owned()
            && let Some(owner) = loser.owner()
        {
            leads::add_open_leads(&mut *tx, tenant, &owner, -1).await?;
            reroute::request(&mut *tx, tenant, Trigger::CapacityFreed, loser.team().as_ref()).await?;
        }
        let member: Option<MemberId> = caller.member.as_deref().and_then(|name| name.parse().ok());
        let merge = NewMerge {
            id: MergeId(self.ids.next()),
            survivor: command.survivor,
            loser: command.loser,
            time: now,
            member: member.as_ref(),
            reason: &command.request.reason,
            preference,
            choices: &command.choices,
            images: &images,
            loser_timers,
            survivor_timers,
        };
        merges::insert(&mut *tx, tenant, &merge).await?;
        let into = format!("{} into {}", command.loser, command.survivor);
        let entries = [&survivor, &loser].map(|lead| self.entry(lead, "merged", member.clone(), into.clone()));
        history::add(&mut *tx, tenant, &entries).await?;
        let told = LeadMerged {
            lead: command.loser.to_string(),
            survivor: command.survivor.to_string(),
            merge: merge.id.to_string(),
            member: member.as_ref().map(ToString::to_string).unwrap_or_default(),
            survivor_contacted,
        };
        self.tell(&mut *tx, caller, events::LEAD_MERGED, command.loser, &told)
            .await?;
        let pair = [command.survivor, command.loser];
        // The one is found by what it says now, the other one by nothing.
        self.settle_pair(
            &mut *tx,
            caller,
            pair,
            (duplicates::State::Merged, &command.request.reason),
        )
        .await?;
        let stored = merges::find(&mut *tx, tenant, merge.id).await?;
        Ok(MergeLeadsResponse {
            merge: stored.map(|stored| convert::merge::merge(&stored)),
            lead: Some(self.shown(&mut *tx, caller, command.survivor).await?),
        })
    }

    /// Returns a tenant's setup, which nobody changes until the transaction ends.
    pub(super) async fn hold_setup(&self, tx: &mut PgConnection, tenant: &TenantId) -> Result<Arc<Setup>, Error> {
        let version = setup_versions::share(tx, tenant).await?.unwrap_or_default();
        Ok(self.setups.at(tx, tenant, version).await?)
    }

    /// Calculates a locked lead's fields anew from what it says now; routing does that for one it has not seen yet.
    pub(super) async fn recalculate(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        setup: &Setup,
        lead: LeadId,
    ) -> Result<(), Error> {
        let definitions = setup.fields.definitions(Entity::Lead);
        let Some(row) = leads::find(tx, tenant, lead).await? else {
            return Ok(());
        };
        if definitions.is_empty() || row.calculated.is_none() {
            return Ok(());
        }
        let customers = accounts::get_known(tx, tenant, &[row.account.as_str()]).await?;
        let customer = customers.get(&row.account).cloned().map(Arc::new);
        let context = setup.context(self.clock.now());
        let outcomes = setup
            .fields
            .complete(&mut lead_facts::full(&row, customer.as_ref()), &context);
        let values = RecordValues::new(row.lead_id.to_string(), definitions, &outcomes);
        calculated_values::save_leads(tx, tenant, &[(row.lead_id, values)]).await?;
        Ok(())
    }
}

/// Locks the timers of two leads and then the leads themselves, in the orders in which everybody does.
pub(super) async fn lock_pair(
    tx: &mut PgConnection,
    tenant: &TenantId,
    survivor: LeadId,
    loser: LeadId,
) -> Result<(LeadRow, LeadRow), Error> {
    running_clocks::lock(tx, tenant, &[survivor, loser]).await?;
    let mut found = BTreeMap::new();
    for row in leads::list_for_update(tx, tenant, &[survivor, loser]).await? {
        found.insert(row.lead_id, row);
    }
    let mut take = |lead: LeadId| found.remove(&lead.0).ok_or_else(|| Error::NotFound(lead.to_string()));
    Ok((take(survivor)?, take(loser)?))
}

/// Returns where a lead stands with a first contact: who owns it need not claim it any more.
pub(super) fn state_with(lead: &LeadRow, first_contact: Option<Timestamp>) -> State {
    match lead.state() {
        State::Assigned | State::Claimed if first_contact.is_some() => State::Contacted,
        state => state,
    }
}

async fn prefer(
    tx: &mut PgConnection,
    tenant: &TenantId,
    survivor: &LeadRow,
    loser: &LeadRow,
) -> Result<merge::Preference, Error> {
    let pair = [LeadId(survivor.lead_id), LeadId(loser.lead_id)];
    let reached = follow_ups::list_last_reached(tx, tenant, &pair).await?;
    let evidence = |lead: &LeadRow| Evidence {
        confirmed: reached.get(&lead.lead_id).copied(),
        captured: lead.create_time.to_jiff(),
    };
    Ok(merge::prefer(evidence(survivor), evidence(loser)))
}

pub(super) fn parse(request: &MergeLeadsRequest) -> Result<Command<'_>, Error> {
    let survivor = lead_name("survivor", &request.survivor)?;
    let loser = lead_name("loser", &request.loser)?;
    if survivor == loser {
        return Err(Error::invalid("loser", "must be another lead than the survivor"));
    }
    check_reason(&request.reason)?;
    let mut choices = Choices::new();
    let mut violations = Vec::new();
    for (at, choice) in request.choices.iter().enumerate() {
        let mut wrong = |field: &str, description: String| {
            let field = format!("choices[{at}].{field}");
            violations.push(Violation { field, description });
        };
        let field = choice.field.as_str();
        let side = if choice.lead == request.survivor {
            Side::Survivor
        } else {
            Side::Loser
        };
        if side == Side::Loser && choice.lead != request.loser {
            wrong("lead", "must be one of the two leads".into());
        } else if merge::is_consent(field) {
            wrong("field", "is a consent, of which the stricter one holds".into());
        } else if !FIELDS.contains(&field) && !field.starts_with(ATTRIBUTE) {
            let known = FIELDS.join(", ");
            wrong("field", format!("must be one of {known} or {ATTRIBUTE} and a name"));
        } else if choices.insert(field.to_owned(), side).is_some() {
            wrong("field", "is chosen twice".into());
        }
    }
    if !violations.is_empty() {
        return Err(violations.into());
    }
    Ok(Command {
        survivor,
        loser,
        choices,
        request_id: RequestId::parse(&request.request_id)?,
        request,
    })
}

/// Checks why something is done, as people say it.
pub(super) fn check_reason(reason: &str) -> Result<(), Error> {
    if reason.chars().count() > MOST_CHARACTERS_OF_REASON {
        let description = format!("must be at most {MOST_CHARACTERS_OF_REASON} characters");
        return Err(Error::invalid("reason", description));
    }
    Ok(())
}

/// Checks that further fields that are chosen exist, so that a misspelt one is noticed.
fn check_choices(choices: &Choices, ours: &merge::Content, theirs: &merge::Content) -> Result<(), Error> {
    let known = |field: &String| ours.find(field).is_some() || theirs.find(field).is_some();
    match choices.keys().find(|field| !known(field)) {
        None => Ok(()),
        Some(field) => Err(Error::invalid("choices", format!("neither lead has {field}"))),
    }
}
