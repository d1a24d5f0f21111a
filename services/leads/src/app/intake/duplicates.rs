//! Duplicates in the intake loop: new leads are compared with all that are there before anybody gets them, and leads are
//! compared anew when something changed. The loop is the only writer of keys and of pairs that nobody decided, one worker a
//! tenant, so no two leads pass each other unseen.

use std::collections::HashMap;

use reflex_pg::{DbError, lease::Hold};
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Batch, Intake};
use crate::{
    app::find_duplicates::Findings,
    domain::{
        decision::Trigger,
        duplicates::{
            MOST_TWINS, Twin, Typed,
            board::{Compared, Subject},
        },
    },
    store::{
        duplicates::{self, index, sweeps},
        leads::LeadRow,
    },
};

/// Leads that are compared anew together: so long a lead that comes meanwhile waits at most.
const AGAIN: i64 = 50;

/// Returns the open leads that each of these is suspected to be the same as, and tells the snapshot who has them. New leads
/// are compared first. A tenant that does not want that pays nothing.
pub(super) async fn find_twins(
    batch: &mut Batch<'_>,
    tx: &mut PgConnection,
    leads: &[LeadRow],
    trigger: Trigger,
) -> Result<HashMap<Uuid, Vec<Twin>>, DbError> {
    let policy = &batch.setup.duplicates;
    if policy.disabled || leads.is_empty() {
        return Ok(HashMap::new());
    }
    if trigger != Trigger::Captured {
        return known_twins(batch, tx, leads).await;
    }
    let subjects = leads.iter().map(subject).collect();
    let findings = Findings::of(tx, batch.tenant, policy, subjects).await?;
    let mut twins: HashMap<Uuid, Vec<Twin>> = HashMap::new();
    for (lead, pairs) in findings.suspected() {
        for pair in pairs {
            let other = if pair.earlier == lead { pair.later } else { pair.earlier };
            if !findings.is_open(other) {
                continue;
            }
            let owner = findings.owner_of(other);
            let known = twins.entry(lead).or_default();
            if known.len() < MOST_TWINS {
                if let Some(owner) = owner {
                    batch.snapshot.lead_owners.insert(other, owner.clone());
                }
                known.push(Twin {
                    lead: other,
                    owner: owner.cloned(),
                });
            }
        }
    }
    let effects = &mut batch.effects;
    let told = findings.save(tx, batch.tenant, effects.ids, effects.now).await?;
    effects.facts.extend(told);
    Ok(twins)
}

async fn known_twins(
    batch: &mut Batch<'_>,
    tx: &mut PgConnection,
    leads: &[LeadRow],
) -> Result<HashMap<Uuid, Vec<Twin>>, DbError> {
    let ids: Vec<Uuid> = leads.iter().map(|lead| lead.lead_id).collect();
    let mut twins: HashMap<Uuid, Vec<Twin>> = HashMap::new();
    for row in duplicates::list_twins(tx, batch.tenant, &ids).await? {
        let known = twins.entry(row.lead_id).or_default();
        if known.len() == MOST_TWINS {
            continue;
        }
        let owner = row.owner();
        if let Some(owner) = &owner {
            let owners = &mut batch.snapshot.lead_owners;
            // Who got it in this batch has it by now.
            owners.entry(row.twin_id).or_insert_with(|| owner.clone());
        }
        known.push(Twin {
            lead: row.twin_id,
            owner,
        });
    }
    Ok(twins)
}

fn subject(lead: &LeadRow) -> Subject {
    let typed = Typed {
        company: &lead.company,
        contact: &lead.contact_name,
        phone: &lead.phone,
        email: &lead.email,
        attributes: &lead.attributes.0,
    };
    let sign = [lead.source.as_str(), lead.external_id.as_deref().unwrap_or_default()];
    Subject {
        lead: Compared::new(lead.lead_id, &typed, sign),
        stored_keys: None,
    }
}

impl Intake {
    /// Compares some leads anew, and returns whether there were any: those somebody asked for, else those of a sweep.
    pub(super) async fn compare_again(&self, hold: &Hold) -> Result<bool, DbError> {
        let app = &self.app;
        let Some(tenant) = index::find_work(&app.db.worker, hold.index()).await? else {
            return Ok(false);
        };
        let tenant: TenantId = tenant.parse().expect("only valid tenants are stored");
        let mut tx = app
            .db
            .begin_held("compare_leads", &TenantSet::one(&tenant), &[hold])
            .await?;
        let setup = app.setups.get(&mut tx, &tenant).await?;
        if setup.duplicates.disabled {
            // Whoever enables it has all leads compared.
            index::give_up(&mut tx, &tenant).await?;
        }
        let mut leads = index::take_requests(&mut tx, &tenant, AGAIN).await?;
        if leads.is_empty() {
            leads = sweeps::take_swept(&mut tx, &tenant, AGAIN).await?;
        }
        if !leads.is_empty() {
            let rows = index::list_subjects_for_update(&mut tx, &tenant, &leads).await?;
            let subjects = rows.iter().map(|row| Subject {
                lead: row.said.compared(),
                stored_keys: row.stored_keys(),
            });
            let findings = Findings::of(&mut tx, &tenant, &setup.duplicates, subjects.collect()).await?;
            let told = findings.save(&mut tx, &tenant, &app.ids, app.clock.now()).await?;
            reflex_events::outbox::push(&mut tx, &told).await?;
        }
        tx.commit().await?;
        app.relay.wake();
        Ok(true)
    }
}
