//! The tree of industries: imported as versions, listed, and compared.

use jiff_sqlx::ToSqlx;
use reflex_pg::once::{self, Once};
use reflex_proto::leads::v1::{
    ImportIndustriesRequest, ImportIndustriesResponse, ListIndustriesRequest, ListIndustriesResponse,
    ListIndustryVersionsRequest, ListIndustryVersionsResponse, MapIndustriesRequest, MapIndustriesResponse,
};
use reflex_rpc::{identity::Caller, request_id::RequestId};
use reflex_tenancy::{TenantId, TenantSet};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use super::{App, paging::Page};
use crate::{
    convert,
    domain::{
        industry::{Industry, MAX_INDUSTRIES, MAX_VERSIONS, compare, read_tree},
        violation::Violations,
    },
    error::Error,
    store::{
        industries::{self, VersionRow},
        setup_versions,
    },
};

impl App {
    /// Stores a tree as the next version, unless it is the newest one's.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn import_industries(
        &self,
        caller: &Caller,
        request: &ImportIndustriesRequest,
    ) -> Result<ImportIndustriesResponse, Error> {
        let mut violations = Violations::default();
        let title = violations.line("title", &request.title, 1..=100);
        let read = read_tree(&request.csv);
        let tree = match read {
            Ok(tree) if violations.is_empty() => tree,
            read => {
                let mut faults = violations.into_vec();
                faults.extend(read.err().unwrap_or_default());
                return Err(faults.into());
            }
        };
        let request_id = RequestId::parse(&request.request_id)?;
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("import_industries", &TenantSet::one(tenant)).await?;
        let claim = match once::claim(&mut tx, tenant, "import_industries", request_id, request).await? {
            Once::Answered(response) => return Ok(response),
            Once::New(claim) => claim,
        };
        // One after the other, so that numbers follow each other.
        setup_versions::lock(&mut tx, tenant).await?;
        let newest = industries::find_version(&mut tx, tenant, None).await?;
        let digest = digest(&title, &tree);
        let row = match newest {
            Some(newest) if newest.digest == digest => newest,
            newest => {
                let last = newest.map_or(0, |row| row.version);
                if last >= MAX_VERSIONS {
                    return Err(Error::invalid(
                        "csv",
                        format!("there are {MAX_VERSIONS} versions already, the limit"),
                    ));
                }
                let row = VersionRow {
                    version: last + 1,
                    title,
                    industry_count: i32::try_from(tree.len()).unwrap_or(i32::MAX),
                    digest,
                    create_time: self.clock.now().to_sqlx(),
                };
                industries::insert_version(&mut tx, tenant, &row, &tree).await?;
                row
            }
        };
        let response = ImportIndustriesResponse {
            version: Some(convert::customer::industry_version(&row)),
        };
        claim.answer(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// Lists versions, the newest first.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_industry_versions(
        &self,
        caller: &Caller,
        request: &ListIndustryVersionsRequest,
    ) -> Result<ListIndustryVersionsResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("industry_versions", tenant.as_str());
        let page: Page<_, i32> = Page::parse(&self.pages, query, request.page_size, &request.page_token, 500)?;
        let mut tx = self.db.begin("list_industry_versions", &TenantSet::one(tenant)).await?;
        let mut rows = industries::list_versions(&mut tx, tenant, page.after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.version);
        Ok(ListIndustryVersionsResponse {
            versions: rows.iter().map(convert::customer::industry_version).collect(),
            next_page_token,
        })
    }

    /// Lists the industries of a version.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_industries(
        &self,
        caller: &Caller,
        request: &ListIndustriesRequest,
    ) -> Result<ListIndustriesResponse, Error> {
        let tenant = &caller.tenant;
        let mut violations = Violations::default();
        let text = violations.line("text", &request.text, 0..=100);
        if !violations.is_empty() {
            return Err(violations.into_vec().into());
        }
        let query = ("industries", tenant.as_str(), request.version, &request.text);
        // The version is part of the token: pages of the newest one stay with it when a newer one comes.
        let page: Page<_, (i32, String)> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, 1_000)?;
        let mut tx = self.db.begin("list_industries", &TenantSet::one(tenant)).await?;
        let (version, after) = match &page.after {
            Some((version, after)) => (*version, Some(after.as_str())),
            None => (find(&mut tx, tenant, request.version).await?.version, None),
        };
        let mut tree = industries::list(&mut tx, tenant, (version, &text), after, page.limit()).await?;
        let next_page_token = page.cut(&self.pages, &mut tree, |industry| (version, industry.code.clone()));
        Ok(ListIndustriesResponse {
            industries: tree.into_iter().map(convert::customer::industry).collect(),
            next_page_token,
            version,
        })
    }

    /// Compares two versions.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) async fn map_industries(
        &self,
        caller: &Caller,
        request: &MapIndustriesRequest,
    ) -> Result<MapIndustriesResponse, Error> {
        let tenant = &caller.tenant;
        let mut tx = self.db.begin("map_industries", &TenantSet::one(tenant)).await?;
        let from = find(&mut tx, tenant, request.from_version).await?.version;
        let to = find(&mut tx, tenant, request.to_version).await?.version;
        let all = i64::try_from(MAX_INDUSTRIES).unwrap_or(i64::MAX);
        let from = industries::list(&mut tx, tenant, (from, ""), None, all).await?;
        let to = industries::list(&mut tx, tenant, (to, ""), None, all).await?;
        let (moves, same) = compare(&from, &to);
        Ok(MapIndustriesResponse {
            moves: moves.into_iter().map(convert::customer::industry_move).collect(),
            same_count: i32::try_from(same).unwrap_or(i32::MAX),
        })
    }
}

/// Finds a version; 0 is the newest one.
pub(super) async fn find(tx: &mut PgConnection, tenant: &TenantId, version: i32) -> Result<VersionRow, Error> {
    let wanted = (version != 0).then_some(version);
    let found = industries::find_version(tx, tenant, wanted).await?;
    found.ok_or_else(|| Error::NotFound(format!("version {version} of the industries")))
}

fn digest(title: &str, tree: &[Industry]) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(title);
    for industry in tree {
        add(&industry.code);
        add(industry.parent.as_deref().unwrap_or_default());
        add(&industry.name_zh);
        add(&industry.name_en);
    }
    hash.finalize().to_vec()
}
