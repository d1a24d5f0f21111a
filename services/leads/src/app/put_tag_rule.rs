//! Creating, changing and listing what tags are given by: rules, and progress tags for people to choose from.

use reflex_proto::leads::v1::{
    ListProgressTagsRequest, ListProgressTagsResponse, ListTagRulesRequest, ListTagRulesResponse,
    PutProgressTagRequest, PutProgressTagResponse, PutTagRuleRequest, PutTagRuleResponse,
};
use reflex_rpc::identity::Caller;
use reflex_tenancy::TenantSet;

use super::{App, change_setup::Begun, paging::Page};
use crate::{
    convert,
    domain::tags::{MAX_PROGRESS_TAGS, MAX_RULES, TagRule},
    error::Error,
    store::tags,
};

const LARGEST_PAGE: i32 = 500;

impl App {
    /// Creates a rule, or replaces it by its next version.
    ///
    /// # Errors
    /// [`Error::Violations`].
    pub(crate) async fn put_tag_rule(
        &self,
        caller: &Caller,
        request: &PutTagRuleRequest,
    ) -> Result<PutTagRuleResponse, Error> {
        let sent = request
            .tag_rule
            .as_ref()
            .ok_or_else(|| Error::invalid("tag_rule", "must be given"))?;
        let mut change = match self
            .begin_change("put_tag_rule", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let rule = TagRule::parse(&convert::tags::raw_rule(sent), change.before.fields.names())?;
        let stored = tags::list_rules(&mut change.tx, &change.tenant, None, None).await?;
        let known = stored.iter().find(|row| row.versioned().rule.id == rule.id);
        let row = match known {
            Some(row) if row.versioned().rule == rule => row.clone(),
            None if stored.len() >= MAX_RULES => {
                return Err(Error::invalid(
                    "tag_rule.name",
                    format!(
                        "已有 {MAX_RULES} 条标签规则，不能再多 / there are {MAX_RULES} tag rules already, the limit"
                    ),
                ));
            }
            _ => {
                let row = tags::put_rule(&mut change.tx, &change.tenant, &rule, self.clock.now()).await?;
                change.publish().await?;
                row
            }
        };
        let response = PutTagRuleResponse {
            tag_rule: Some(convert::tags::rule(&row)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Lists rules by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_tag_rules(
        &self,
        caller: &Caller,
        request: &ListTagRulesRequest,
    ) -> Result<ListTagRulesResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("tag_rules", tenant.as_str());
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_tag_rules", &TenantSet::one(tenant)).await?;
        let mut rows = tags::list_rules(&mut tx, tenant, page.after.as_deref(), Some(page.limit())).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.versioned().rule.id.id().to_owned());
        Ok(ListTagRulesResponse {
            tag_rules: rows.iter().map(convert::tags::rule).collect(),
            next_page_token,
        })
    }

    /// Creates or changes a progress tag.
    ///
    /// # Errors
    /// [`Error::Violations`], also for a label that another one has.
    pub(crate) async fn put_progress_tag(
        &self,
        caller: &Caller,
        request: &PutProgressTagRequest,
    ) -> Result<PutProgressTagResponse, Error> {
        let sent = request
            .progress_tag
            .as_ref()
            .ok_or_else(|| Error::invalid("progress_tag", "must be given"))?;
        let progress_tag = convert::tags::parse_progress_tag(sent)?;
        let mut change = match self
            .begin_change("put_progress_tag", caller, &request.request_id, request)
            .await?
        {
            Begun::Answered(response) => return Ok(response),
            Begun::New(change) => change,
        };
        let stored = tags::list_progress_tags(&mut change.tx, &change.tenant, None, None).await?;
        let mut others = stored.iter().filter(|it| it.id != progress_tag.id);
        if let Some(other) = others.clone().find(|it| it.label == progress_tag.label) {
            return Err(Error::invalid(
                "progress_tag.label",
                format!("名称已被 {id} 使用 / is the label of {id}", id = other.id),
            ));
        }
        if others.nth(MAX_PROGRESS_TAGS - 1).is_some() {
            return Err(Error::invalid(
                "progress_tag.name",
                format!(
                    "已有 {MAX_PROGRESS_TAGS} 个进展标签，不能再多 / there are {MAX_PROGRESS_TAGS} progress tags already, the limit"
                ),
            ));
        }
        // No part of the cached setup: read where somebody chooses one.
        tags::put_progress_tag(&mut change.tx, &change.tenant, &progress_tag, self.clock.now()).await?;
        let response = PutProgressTagResponse {
            progress_tag: Some(convert::tags::progress_tag(&progress_tag)),
        };
        self.commit_change(change, &response).await?;
        Ok(response)
    }

    /// Lists progress tags by name.
    ///
    /// # Errors
    /// [`Error::Violations`], [`Error::Refused`] for a page token of another query.
    pub(crate) async fn list_progress_tags(
        &self,
        caller: &Caller,
        request: &ListProgressTagsRequest,
    ) -> Result<ListProgressTagsResponse, Error> {
        let tenant = &caller.tenant;
        let query = ("progress_tags", tenant.as_str());
        let page: Page<_, String> =
            Page::parse(&self.pages, query, request.page_size, &request.page_token, LARGEST_PAGE)?;
        let mut tx = self.db.begin("list_progress_tags", &TenantSet::one(tenant)).await?;
        let mut rows = tags::list_progress_tags(&mut tx, tenant, page.after.as_deref(), Some(page.limit())).await?;
        let next_page_token = page.cut(&self.pages, &mut rows, |row| row.id.id().to_owned());
        Ok(ListProgressTagsResponse {
            progress_tags: rows.iter().map(convert::tags::progress_tag).collect(),
            next_page_token,
        })
    }
}
