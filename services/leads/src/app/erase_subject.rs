//! Erases a person for good, in one transaction, and keeps a certificate that says so without saying who it was.

use reflex_pg::retried;
use reflex_proto::leads::v1::{
    EraseSubjectRequest, EraseSubjectResponse, ErasureCertificate, GetErasureRequest, GetErasureResponse, LeadClosed,
    SubjectErased,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;
use sqlx::PgConnection;

use super::{
    App,
    find_subject::{Survey, Wanted, holdings},
    list_directory::resource,
};
use crate::{
    convert,
    domain::{
        decision::Trigger,
        ids::{ErasureId, LeadId, MemberId},
    },
    error::Error,
    events,
    store::{
        duplicates::index,
        erasures::{self, ErasureRow},
        history,
        leads::{self, LeadRow, stored},
        privacy, quoting, reroute,
    },
};

impl App {
    /// Erases a person.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`] for an unknown lead or when nothing is held and nothing was erased.
    pub(crate) async fn erase_subject(
        &self,
        caller: &Caller,
        request: &EraseSubjectRequest,
    ) -> Result<EraseSubjectResponse, Error> {
        let wanted = Wanted::parse(request.subject.as_ref())?;
        let certificate = retried(|| self.erase_once(caller, &wanted)).await?;
        self.relay.wake();
        self.intake.wake(&caller.tenant);
        Ok(EraseSubjectResponse {
            certificate: Some(certificate),
        })
    }

    async fn erase_once(&self, caller: &Caller, wanted: &Wanted) -> Result<ErasureCertificate, Error> {
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("erase_subject", &TenantSet::one(tenant)).await?;
        let hash = erasures::hash(&mut tx, tenant, &wanted.identifier()).await?;
        let survey = Survey::of(&mut tx, tenant, wanted).await?;
        if survey.counts.is_empty() {
            let last = erasures::find_last(&mut tx, tenant, &hash).await?;
            let last = last.ok_or_else(|| Error::NotFound("data of this person".into()))?;
            return Ok(certificate(&last));
        }
        let member: Option<MemberId> = caller.member.as_deref().and_then(|name| name.parse().ok());
        let erasure = ErasureId(self.ids.next());
        let own = survey.own_ids();
        // All at once, as all are locked in order of capture.
        let both: Vec<LeadId> = survey.own.iter().chain(&survey.mentions).copied().collect();
        let rows = leads::list_for_update(&mut tx, tenant, &both).await?;
        for lead in rows.iter().filter(|lead| survey.own.contains(&LeadId(lead.lead_id))) {
            self.close_erased(&mut tx, caller, lead, erasure).await?;
        }
        privacy::erase_leads(&mut tx, tenant, &survey.pattern, &own).await?;
        if !survey.mentions.is_empty() {
            let mentions: Vec<_> = survey.mentions.iter().map(|lead| lead.0).collect();
            privacy::mask_mentions(&mut tx, tenant, &survey.pattern, &mentions).await?;
        }
        let both: Vec<_> = both.iter().map(|lead| lead.0).collect();
        index::forget(&mut tx, tenant, &both).await?;
        let mentions: Vec<_> = survey.mentions.iter().map(|lead| lead.0).collect();
        index::request(&mut tx, tenant, &mentions).await?;
        privacy::erase_children(&mut tx, tenant, &survey.pattern, &own).await?;
        privacy::set_decisions(&mut tx, tenant, &survey.decisions).await?;
        for (fact, left) in &survey.facts {
            quoting::set_fact(&mut tx, tenant, &fact.key, left).await?;
        }
        for (answer, left) in &survey.answers {
            quoting::set_answer(&mut tx, tenant, answer, left).await?;
        }
        let by = (member.as_ref(), self.clock.now());
        erasures::insert(&mut tx, tenant, erasure, &hash, &survey.counts, by).await?;
        let stored = erasures::find(&mut tx, tenant, erasure).await?;
        let stored = stored.ok_or_else(|| Error::NotFound(erasure.to_string()))?;
        tx.commit().await?;
        Ok(certificate(&stored))
    }

    /// Closes a lead of whom nobody knows any more, and tells that it is erased.
    async fn close_erased(
        &self,
        tx: &mut PgConnection,
        caller: &Caller,
        lead: &LeadRow,
        erasure: ErasureId,
    ) -> Result<(), Error> {
        let (tenant, id) = (&caller.tenant, LeadId(lead.lead_id));
        if lead.state().is_open() {
            leads::set_closed(tx, tenant, id, "lost", self.clock.now()).await?;
            if lead.state().is_owned()
                && let Some(owner) = lead.owner()
            {
                leads::add_open_leads(tx, tenant, &owner, -1).await?;
                reroute::request(tx, tenant, Trigger::CapacityFreed, lead.team().as_ref()).await?;
            }
            let told = LeadClosed {
                lead: id.to_string(),
                member: caller.member.clone().unwrap_or_default(),
                outcome: "lost".into(),
            };
            self.tell(tx, caller, events::LEAD_CLOSED, id, &told).await?;
        }
        let member = caller.member.as_deref().and_then(|name| name.parse().ok());
        let entry = self.entry(lead, "erased", member, erasure.to_string());
        history::add(tx, tenant, &[entry]).await?;
        let told = SubjectErased {
            lead: id.to_string(),
            erasure: erasure.to_string(),
        };
        self.tell(tx, caller, events::SUBJECT_ERASED, id, &told).await
    }

    /// Returns a certificate.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`].
    pub(crate) async fn get_erasure(
        &self,
        caller: &Caller,
        request: &GetErasureRequest,
    ) -> Result<GetErasureResponse, Error> {
        let id: ErasureId = resource("name", &request.name)?;
        let mut tx = self.db.begin("get_erasure", &TenantSet::one(&caller.tenant)).await?;
        let found = erasures::find(&mut tx, &caller.tenant, id).await?;
        let found = found.ok_or_else(|| Error::NotFound(id.to_string()))?;
        Ok(GetErasureResponse {
            certificate: Some(certificate(&found)),
        })
    }
}

fn certificate(row: &ErasureRow) -> ErasureCertificate {
    let hash = row.identifier_hash.iter().map(|byte| format!("{byte:02x}"));
    let member = row.member.as_deref().map(|id| stored::<MemberId>(id).to_string());
    ErasureCertificate {
        name: ErasureId(row.erasure_id).to_string(),
        erase_time: Some(convert::timestamp(row.erase_time.to_jiff())),
        erased: holdings(&row.counts),
        identifier_hash: hash.collect(),
        member: member.unwrap_or_default(),
    }
}
