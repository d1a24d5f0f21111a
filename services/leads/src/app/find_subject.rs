//! What is held about a person, and where.

mod quotes;

use reflex_proto::leads::v1::{
    DataSubject, ExportSubjectRequest, ExportSubjectResponse, FindSubjectRequest, FindSubjectResponse, Holding,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::{TenantId, TenantSet};
use sqlx::PgConnection;
use uuid::Uuid;

use self::quotes::{blank_answer, blank_fact};
use super::{App, get_lead::optional};
use crate::{
    domain::{ids::LeadId, subject::Subject},
    error::Error,
    store::{
        leads,
        privacy::{self, BlankDecision, Counts},
        quoting::{self, Quote},
    },
};

/// Finds nothing in any text.
const NOTHING: &str = "(?!)";

/// A person as asked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    subject: Subject,
    lead: Option<LeadId>,
}

/// What is held about a person.
pub(super) struct Survey {
    pub(super) pattern: String,
    /// Their leads.
    pub(super) own: Vec<LeadId>,
    /// Leads of others that mention them.
    pub(super) mentions: Vec<LeadId>,
    pub(super) counts: Counts,
    pub(super) decisions: Vec<BlankDecision>,
    /// Facts and answers that quote them, each with what is left without the quotes.
    pub(super) facts: Vec<(Quote, Vec<u8>)>,
    pub(super) answers: Vec<(Quote, Vec<u8>)>,
}

impl App {
    /// Tells what is held about a person.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`] for an unknown lead.
    pub(crate) async fn find_subject(
        &self,
        caller: &Caller,
        request: &FindSubjectRequest,
    ) -> Result<FindSubjectResponse, Error> {
        let wanted = Wanted::parse(request.subject.as_ref())?;
        let mut tx = self.db.begin("find_subject", &TenantSet::one(&caller.tenant)).await?;
        let survey = Survey::of(&mut tx, &caller.tenant, &wanted).await?;
        Ok(FindSubjectResponse {
            leads: survey.own.iter().map(ToString::to_string).collect(),
            holdings: holdings(&survey.counts),
        })
    }

    /// Hands out what is held about a person.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::NotFound`] for an unknown lead or when nothing is held.
    pub(crate) async fn export_subject(
        &self,
        caller: &Caller,
        request: &ExportSubjectRequest,
    ) -> Result<ExportSubjectResponse, Error> {
        let wanted = Wanted::parse(request.subject.as_ref())?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("export_subject", &TenantSet::one(tenant)).await?;
        let survey = Survey::of(&mut tx, tenant, &wanted).await?;
        if survey.counts.is_empty() {
            return Err(Error::NotFound("data of this person".into()));
        }
        let held = privacy::export(&mut tx, tenant, &survey.pattern, &survey.own_ids()).await?;
        Ok(ExportSubjectResponse { json: held.to_string() })
    }
}

impl Wanted {
    pub(super) fn parse(subject: Option<&DataSubject>) -> Result<Self, Error> {
        let given = subject.ok_or_else(|| Error::invalid("subject", "must be set"))?;
        let wanted = Self {
            subject: Subject::parse(&given.phone, &given.email)?,
            lead: optional("subject.lead", &given.lead)?,
        };
        if wanted.subject.is_empty() && wanted.lead.is_none() {
            return Err(Error::invalid("subject", "must have a phone, an email or a lead"));
        }
        Ok(wanted)
    }

    /// Returns what the certificate's hash is of.
    pub(super) fn identifier(&self) -> String {
        let lead = self.lead.map(|lead| lead.to_string()).unwrap_or_default();
        format!("{}\n{lead}", self.subject.canonical())
    }
}

impl Survey {
    /// Looks through everything.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown lead.
    pub(super) async fn of(tx: &mut PgConnection, tenant: &TenantId, wanted: &Wanted) -> Result<Self, Error> {
        privacy::allow_long_statements(tx).await?;
        let mut subject = wanted.subject.clone();
        let mut own = Vec::new();
        if let Some(lead) = wanted.lead {
            let found = leads::find(tx, tenant, lead).await?;
            let found = found.ok_or_else(|| Error::NotFound(lead.to_string()))?;
            subject.add_phone(&found.phone);
            subject.add_email(&found.email);
            own.extend(privacy::list_merged(tx, tenant, lead).await?);
        }
        let pattern = if subject.is_empty() {
            NOTHING.to_owned()
        } else {
            subject.pattern()
        };
        own.extend(privacy::list_leads(tx, tenant, &pattern).await?);
        own.sort_unstable();
        own.dedup();
        let ids: Vec<Uuid> = own.iter().map(|lead| lead.0).collect();
        let mentions = privacy::list_mentions(tx, tenant, &pattern, &ids).await?;
        let mut counts = privacy::count(tx, tenant, &pattern, &ids).await?;
        let decisions = privacy::list_decisions(tx, tenant, &ids).await?;
        // The longest first, as one may be in another; one character alone is in too many words.
        let mut names = privacy::list_names(tx, tenant, &ids).await?;
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let erased = |text: &str| {
            names
                .iter()
                .fold(subject.mask(text), |text, name| text.replace(name, "***"))
        };
        let changed = |quotes: Vec<Quote>, blank: &dyn Fn(&Quote) -> Vec<u8>| {
            let pairs = quotes.into_iter().map(|quote| {
                let left = blank(&quote);
                (quote, left)
            });
            pairs.filter(|(quote, left)| quote.data != *left).collect::<Vec<_>>()
        };
        let facts = quoting::list_facts(tx, tenant, &own).await?;
        let facts = changed(facts, &|fact| blank_fact(&fact.kind, &fact.data, &erased));
        let answers = quoting::list_answers(tx, tenant, &own).await?;
        let answers = changed(answers, &|answer| blank_answer(&answer.kind, &answer.data, &erased));
        for (kind, count) in [
            ("mentions", mentions.len()),
            ("decisions", decisions.len()),
            ("facts", facts.len()),
            ("answers", answers.len()),
        ] {
            if count > 0 {
                counts.insert(kind.into(), i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        Ok(Self {
            pattern,
            own,
            mentions,
            counts,
            decisions,
            facts,
            answers,
        })
    }

    pub(super) fn own_ids(&self) -> Vec<Uuid> {
        self.own.iter().map(|lead| lead.0).collect()
    }
}

/// Converts counts to messages.
pub(super) fn holdings(counts: &Counts) -> Vec<Holding> {
    let holding = |(kind, count): (&String, &i64)| Holding {
        kind: kind.clone(),
        count: *count,
    };
    counts.iter().map(holding).collect()
}
