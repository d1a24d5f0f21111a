//! What rules make of a fact of a lead, and what every change of tags brings with it: timers, and another look at a lead that
//! waits where conditions read tags.

use jiff::Timestamp;
use reflex_pg::DbError;
use reflex_runtime::telemetry;
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{App, lead_facts};
use crate::{
    domain::{
        assign::LeadFacts,
        decision::Trigger,
        ids::{CalendarId, LeadId},
        routing::{Conditions, Policy},
    },
    error::Error,
    setup::Setup,
    store::{
        history::{self, Entry},
        leads::LeadRow,
        reroute,
        tags::{self, NewTag},
    },
};

/// Timer of a tag's end.
pub(crate) const TAG_EXPIRED: &str = "tag_expired";

/// A fact that rules may give tags for.
#[derive(Debug)]
pub(crate) struct Occasion<'a> {
    /// What it was.
    pub(crate) kind: &'a str,
    /// Resource name of what the tags are given for.
    pub(crate) evidence: String,
}

/// What the end of a tag remembers.
#[derive(Debug, Serialize, Deserialize)]
struct TagEnd {
    lead: LeadId,
    tag: String,
}

/// Lists the tags that rules give a lead on an occasion.
pub(crate) fn given(
    setup: &Setup,
    lead: LeadId,
    facts: &LeadFacts,
    occasion: &Occasion<'_>,
    now: Timestamp,
) -> Vec<NewTag> {
    let zone = setup.calendar(&CalendarId::default_of_tenant()).time_zone();
    let matching = setup.tags.matching(occasion.kind, facts, now, zone).into_iter();
    let tag = matching.map(|versioned| NewTag {
        lead,
        tag: versioned.rule.tag.clone(),
        rule: Some((versioned.rule.id.clone(), versioned.version)),
        evidence: occasion.evidence.clone(),
        member: None,
        progress: None,
        expire_time: versioned.rule.expires(now),
    });
    tag.collect()
}

/// Returns the timers that end tags. Each end has a key of its own: a timer that is due is locked before its lead, so nobody
/// who holds the lead may wait for one.
pub(crate) fn timers<'a>(
    tenant: &'a TenantId,
    tags: &'a [NewTag],
    traceparent: Option<&'a str>,
) -> impl Iterator<Item = Timer> + 'a {
    tags.iter().filter_map(move |tag| {
        let due_time = tag.expire_time?;
        let end = TagEnd {
            lead: tag.lead,
            tag: tag.tag.clone(),
        };
        Some(Timer {
            tenant: tenant.clone(),
            kind: TAG_EXPIRED.to_owned(),
            key: format!("{}/{}/{}", tag.lead, tag.tag, due_time.as_second()),
            due_time,
            payload: serde_json::to_value(&end).expect("plain data becomes JSON"),
            traceparent: traceparent.map(str::to_owned),
        })
    })
}

/// Has a lead that waits looked at again, if its tags may change where it goes.
pub(crate) async fn changed(
    tx: &mut PgConnection,
    tenant: &TenantId,
    setup: &Setup,
    lead: LeadId,
) -> Result<(), DbError> {
    let conditions = setup.policy.as_deref().and_then(Policy::conditions);
    if conditions.is_some_and(Conditions::read_tags) {
        reroute::request_leads(tx, tenant, Trigger::TagsChanged, &[lead.0]).await?;
    }
    Ok(())
}

impl App {
    /// Gives a locked lead tags; returns those that were given or renewed.
    pub(crate) async fn save_tags(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        setup: &Setup,
        lead: LeadId,
        given: &[NewTag],
    ) -> Result<Vec<String>, Error> {
        let saved = tags::save(tx, tenant, given, self.clock.now()).await?;
        if !saved.is_empty() {
            let traceparent = telemetry::current_traceparent();
            let timers: Vec<Timer> = timers(tenant, given, traceparent.as_deref()).collect();
            reflex_timers::set(tx, &timers).await?;
            changed(tx, tenant, setup, lead).await?;
        }
        Ok(saved)
    }

    /// Gives a locked lead the tags that rules give on these occasions, each judged by the lead as it was before them.
    pub(crate) async fn apply_tag_rules(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        lead: &LeadRow,
        occasions: &[Occasion<'_>],
    ) -> Result<Vec<String>, Error> {
        let setup = self.setups.get(tx, tenant).await?;
        if !occasions.iter().any(|occasion| setup.tags.listen_to(occasion.kind)) {
            return Ok(Vec::new());
        }
        let (id, now) = (LeadId(lead.lead_id), self.clock.now());
        let mut known = lead_facts::full(lead, None);
        lead_facts::complete(tx, tenant, &setup, now, vec![&mut known]).await?;
        let mut all: Vec<NewTag> = Vec::new();
        for occasion in occasions {
            for tag in given(&setup, id, &known, occasion, now) {
                // The latest fact is the evidence.
                all.retain(|earlier| earlier.tag != tag.tag);
                all.push(tag);
            }
        }
        self.save_tags(tx, tenant, &setup, id, &all).await
    }

    /// Takes a tag whose time is over from its lead; one that was renewed or taken away meanwhile ends no more.
    pub(crate) async fn expire_tag(
        &self,
        tx: &mut PgConnection,
        timer: &Timer,
    ) -> Result<(), super::fire_timers::FireError> {
        let end: TagEnd = serde_json::from_value(timer.payload.clone())?;
        if !tags::expire(tx, &timer.tenant, end.lead, &end.tag, self.clock.now()).await? {
            return Ok(());
        }
        let entry = Entry {
            lead_id: end.lead.0,
            id: self.ids.next(),
            time: self.clock.now(),
            kind: "tag_expired",
            member: None,
            detail: end.tag,
        };
        history::add(tx, &timer.tenant, &[entry]).await?;
        let setup = self.setups.get(tx, &timer.tenant).await?;
        Ok(changed(tx, &timer.tenant, &setup, end.lead).await?)
    }
}
