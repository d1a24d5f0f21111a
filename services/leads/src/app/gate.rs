//! What the gate needs to know of leads, read in the transaction that judges them: from the tenant's own rows alone. A domain
//! that the connected registry has not answered about yet is asked afterwards, outside of any transaction.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use reflex_timers::Timer;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::App;
use crate::{
    domain::{
        gate::{
            CompanyAnswer, Gate, GateFacts, Judgement, Known, RegistrySource, Seen, Verdict, host_of, is_public_mail,
        },
        gate_file::visitor_key,
        ids::LeadId,
        validity::Said,
    },
    ports::{
        CompanyRegistry as _, CompetitorVisits as _, ImportedVisits, Outage, OwnEvents, SnapshotRegistry, Visitor,
    },
    store::{
        company_lookups,
        gate_imports::{self, ActiveImport},
        lead_gates,
        leads::LeadRow,
    },
};

/// Timer of another look at a kept lead; key `leads/{lead}/{id}`.
pub(crate) const GATE_DUE: &str = "gate_due";
/// Timer that looks at all kept leads of a tenant; key `gate/sweep`.
pub(crate) const GATE_SWEEP: &str = "gate_sweep";

/// Why a lead is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// It waits, and some time is over.
    Retry,
    /// A list, an answer or the policy changed.
    Recheck,
    /// Something was seen of it.
    Facts,
    /// Nothing happened to it for long.
    Stale,
}

/// What another look remembers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GateDue {
    pub(crate) lead: LeadId,
    pub(crate) cause: Cause,
}

impl GateDue {
    /// Returns the timer of the look. Each has a key of its own: a timer that is due is locked before its lead, so nobody who
    /// holds the lead may wait for one.
    pub(crate) fn timer(&self, tenant: &TenantId, id: Uuid, due_time: Timestamp) -> Timer {
        Timer {
            tenant: tenant.clone(),
            kind: GATE_DUE.to_owned(),
            key: format!("{}/{id}", self.lead),
            due_time,
            payload: serde_json::to_value(self).expect("plain data becomes JSON"),
            traceparent: None,
        }
    }
}

/// What is known of leads, and which domains the registry is to be asked about.
pub(crate) struct Knowledge {
    /// In the order of the leads.
    pub(crate) facts: Vec<GateFacts>,
    pub(crate) ask: Vec<String>,
}

/// Returns the domain by which a lead's company is looked up, or empty.
pub(crate) fn company_domain(lead: &LeadRow) -> String {
    let domain = lead.email.contains('@').then(|| host_of(&lead.email)).flatten();
    domain.filter(|domain| !is_public_mail(domain)).unwrap_or_default()
}

/// Returns what a lead says, as far as it is judged by; `people_alike` came lately from its device, its own included.
pub(crate) fn said(lead: &LeadRow, people_alike: u32) -> Said<'_> {
    Said {
        company: &lead.company,
        contact: &lead.contact_name,
        phone: &lead.phone,
        email: &lead.email,
        remark: &lead.remark,
        attributes: &lead.attributes.0,
        people_alike,
    }
}

/// Returns why a lead is kept for which the gate said this; `None` where it is not.
pub(crate) fn kept_for(judgement: &Judgement) -> Option<&'static str> {
    match judgement.verdict {
        Verdict::Pass => None,
        _ if judgement.hold_over => Some("hold_over"),
        _ => Some("gate"),
    }
}

impl App {
    /// Reads what is known of leads.
    pub(crate) async fn gate_knowledge(
        &self,
        tx: &mut PgConnection,
        tenant: &TenantId,
        gate: &Gate,
        leads: &[&LeadRow],
        now: Timestamp,
    ) -> Result<Knowledge, DbError> {
        if !gate.spec.enabled || leads.is_empty() {
            return Ok(Knowledge {
                facts: vec![GateFacts::default(); leads.len()],
                ask: Vec::new(),
            });
        }
        let ids: Vec<Uuid> = leads.iter().map(|lead| lead.lead_id).collect();
        let mut seen = lead_gates::list_seen(tx, tenant, &ids).await?;
        let (companies, visits) = gate_imports::find_active(tx, tenant).await?;
        let domains: HashSet<String> = leads.iter().map(|lead| company_domain(lead)).collect();
        let mut domains: Vec<String> = domains.into_iter().filter(|domain| !domain.is_empty()).collect();
        domains.sort_unstable();
        let answers = match gate.spec.industry.source {
            RegistrySource::Snapshot => snapshot_answers(tx, tenant, companies, &domains).await?,
            RegistrySource::Http if self.registry.is_none() => HashMap::new(),
            RegistrySource::Http => {
                let oldest = now
                    .saturating_sub(gate.spec.industry.max_age())
                    .unwrap_or(Timestamp::MIN);
                company_lookups::find(tx, tenant, &domains, oldest).await?
            }
        };
        let asks = gate.spec.industry.source == RegistrySource::Http && self.registry.is_some();
        let ask = domains
            .into_iter()
            .filter(|domain| asks && !answers.contains_key(domain))
            .collect();
        let missing = if asks {
            CompanyAnswer::Pending
        } else {
            CompanyAnswer::NoSource
        };
        let seen: Vec<Vec<Seen>> = ids.iter().map(|id| seen.remove(id).unwrap_or_default()).collect();
        let keys: Vec<Vec<String>> = leads.iter().map(|lead| visitor_keys(lead)).collect();
        let visitors: Vec<Visitor<'_>> = keys
            .iter()
            .zip(&seen)
            .map(|(keys, seen)| Visitor { keys, seen })
            .collect();
        let mut imported = ImportedVisits {
            tx,
            tenant,
            active: visits.as_ref(),
        };
        let imported = own_rows(imported.answers(&visitors).await)?;
        let mut own = OwnEvents {
            competitors: &gate.spec.competitors.domains,
        };
        let own = own_rows(own.answers(&visitors).await)?;
        let company = |lead: &LeadRow| answers.get(&company_domain(lead)).unwrap_or(&missing).clone();
        let visits_of = imported.into_iter().zip(own);
        let facts = leads
            .iter()
            .zip(visits_of)
            .zip(seen)
            .map(|((lead, (imported, own)), seen)| GateFacts {
                email: lead.email.clone(),
                seen,
                company: company(lead),
                visits: vec![imported, own],
                company_version: companies.map_or(0, |active| active.version),
                visit_version: visits.map_or(0, |active| active.version),
            });
        Ok(Knowledge {
            facts: facts.collect(),
            ask,
        })
    }
}

/// Asks the imported list of companies, if there is one.
async fn snapshot_answers(
    tx: &mut PgConnection,
    tenant: &TenantId,
    active: Option<ActiveImport>,
    domains: &[String],
) -> Result<HashMap<String, CompanyAnswer>, DbError> {
    let Some(active) = active else {
        return Ok(HashMap::new());
    };
    let version = active.version;
    let mut registry = SnapshotRegistry { tx, tenant, version };
    let mut listed = own_rows(registry.find(domains).await)?;
    let answer = |domain: &String| {
        let company = listed.remove(domain);
        let as_of = active.as_of;
        (domain.clone(), CompanyAnswer::Known(Known { company, as_of }))
    };
    Ok(domains.iter().map(answer).collect())
}

/// Returns what a lead's person may be known by in a list of visits.
fn visitor_keys(lead: &LeadRow) -> Vec<String> {
    let keys = [
        visitor_key(&lead.email),
        visitor_key(&lead.phone),
        Some(company_domain(lead)),
    ];
    keys.into_iter().flatten().filter(|key| !key.is_empty()).collect()
}

/// Takes an answer that comes from our own rows: those can fail, but not be out.
fn own_rows<T>(answer: Result<T, Outage>) -> Result<T, DbError> {
    answer.map_err(|outage| match outage {
        Outage::Database(error) => error,
        Outage::Down(why) => DbError::Statement(sqlx::Error::Protocol(why)),
    })
}
