//! The gate's ways to what others know: a registry of companies, and who visited competitors.
//!
//! Both are asked for many at once and answer about each, or say that they cannot answer now, which is never taken for an
//! answer. What answers from the tenant's own rows may be asked in a transaction; what needs the network never is, and its
//! answers are kept as rows, with their time.

mod http;

use std::collections::HashMap;

use reflex_pg::DbError;
use reflex_tenancy::TenantId;
use sqlx::PgConnection;

pub use http::{HttpRegistry, RegistryConfig};

use crate::{
    domain::gate::{Company, Seen, VisitAnswer, VisitSource, own_visits},
    store::gate_imports::{self, ActiveImport},
};

/// Labels that a domain has at least.
const FEWEST_LABELS: usize = 2;
/// Domains above one that are tried with it: `mail.cn.example.com` asks for three.
const MOST_PARENTS: usize = 3;

/// A source could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Outage {
    /// It is not there, is too slow, or answers with nonsense.
    #[error("{0}")]
    Down(String),
    /// Our own rows could not be read.
    #[error("the database failed")]
    Database(#[from] DbError),
}

/// A register of companies by the domains of their mail.
///
/// The contract: an answer is about a domain itself, or else about the nearest domain above it that is listed
/// (`mail.example.com` belongs to `example.com`); small and capital letters are the same. A domain that is not in the answer is
/// not listed, which is an answer as well. [`Outage`] means that nothing can be said about any of them.
pub trait CompanyRegistry {
    /// Finds the companies behind domains.
    fn find(&mut self, domains: &[String]) -> impl Future<Output = Result<HashMap<String, Company>, Outage>> + Send;
}

/// Somebody whose visits are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a> {
    /// What an imported list may know them by: mail address, digits of the phone number, domain of the company.
    pub keys: &'a [String],
    /// What was seen of them.
    pub seen: &'a [Seen],
}

/// A source that knows of visits to competitors.
///
/// The contract: one answer a visitor, in their order. `as_of` says until when the source would have noticed a visit; without
/// it, no known visit means nothing.
pub trait CompetitorVisits {
    /// Tells what is known of visitors.
    fn answers(&mut self, visitors: &[Visitor<'_>]) -> impl Future<Output = Result<Vec<VisitAnswer>, Outage>> + Send;
}

/// The imported list of companies.
pub struct SnapshotRegistry<'a> {
    /// A transaction bound to the tenant.
    pub tx: &'a mut PgConnection,
    /// Whose list.
    pub tenant: &'a TenantId,
    /// Which version of it.
    pub version: i32,
}

impl CompanyRegistry for SnapshotRegistry<'_> {
    async fn find(&mut self, domains: &[String]) -> Result<HashMap<String, Company>, Outage> {
        let mut wanted: Vec<String> = domains.iter().flat_map(|domain| with_parents(domain)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let listed = gate_imports::list_companies(self.tx, self.tenant, self.version, &wanted).await?;
        let nearest = |domain: &String| {
            let company = with_parents(domain).find_map(|candidate| listed.get(&candidate).cloned())?;
            Some((domain.clone(), company))
        };
        Ok(domains.iter().filter_map(nearest).collect())
    }
}

/// The imported list of visits.
pub(crate) struct ImportedVisits<'a> {
    pub(crate) tx: &'a mut PgConnection,
    pub(crate) tenant: &'a TenantId,
    /// The list in force, if there is one.
    pub(crate) active: Option<&'a ActiveImport>,
}

impl CompetitorVisits for ImportedVisits<'_> {
    async fn answers(&mut self, visitors: &[Visitor<'_>]) -> Result<Vec<VisitAnswer>, Outage> {
        let last = match self.active {
            Some(active) => {
                let mut keys: Vec<&str> = visitors.iter().flat_map(|it| it.keys).map(String::as_str).collect();
                keys.sort_unstable();
                keys.dedup();
                gate_imports::list_visits(self.tx, self.tenant, active.version, &keys).await?
            }
            None => HashMap::new(),
        };
        let answer = |visitor: &Visitor<'_>| VisitAnswer {
            source: VisitSource::Imported,
            as_of: self.active.map(|active| active.as_of),
            last: visitor
                .keys
                .iter()
                .filter_map(|key| last.get(key))
                .max_by_key(|(_, time)| *time)
                .cloned(),
        };
        Ok(visitors.iter().map(answer).collect())
    }
}

/// What was seen of leads themselves: where they came from, where they went.
pub(crate) struct OwnEvents<'a> {
    /// Domains of competitors.
    pub(crate) competitors: &'a [String],
}

impl CompetitorVisits for OwnEvents<'_> {
    async fn answers(&mut self, visitors: &[Visitor<'_>]) -> Result<Vec<VisitAnswer>, Outage> {
        let competitors = self.competitors;
        Ok(visitors.iter().map(|it| own_visits(it.seen, competitors)).collect())
    }
}

/// Returns a domain in small letters and those above it, nearest first.
fn with_parents(domain: &str) -> impl Iterator<Item = String> {
    let domain = domain.to_ascii_lowercase();
    let labels: Vec<&str> = domain.split('.').collect();
    let most = labels.len().saturating_sub(FEWEST_LABELS - 1).min(MOST_PARENTS);
    let candidates: Vec<String> = (0..most).map(|skipped| labels[skipped..].join(".")).collect();
    candidates.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_above_are_tried_nearest_first() {
        let of = |domain| with_parents(domain).collect::<Vec<_>>();
        assert_eq!(of("Example.com"), ["example.com"]);
        assert_eq!(
            of("mail.cn.example.com"),
            ["mail.cn.example.com", "cn.example.com", "example.com"]
        );
        assert_eq!(of("a.b.c.d.e"), ["a.b.c.d.e", "b.c.d.e", "c.d.e"]);
        assert!(of("localhost").is_empty());
    }
}
