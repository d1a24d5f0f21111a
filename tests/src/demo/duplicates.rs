//! Somebody wrote twice: the leads that are suspected to be the same, and two of them made one and two again.

use std::{
    collections::HashMap,
    io::{self, Write as _},
};

use anyhow::Context;
use reflex_proto::leads::v1::{
    Duplicate, DuplicateLead, GetLeadRequest, Lead, ListDuplicatesRequest, ListMergesRequest, duplicate,
    duplicate_service_client::DuplicateServiceClient, lead_service_client::LeadServiceClient,
    merge_service_client::MergeServiceClient,
};
use reflex_tenancy::TenantId;

use super::{
    book::{Book, Chapter, all_pages},
    patience::patiently,
    stage::Stage,
};

/// Pairs a page.
const PAGE: i32 = 500;
/// Pairs that are shown; the rest is counted.
const SHOWN: usize = 5;

/// Two leads that are suspected to be the same.
struct Suspects<'a> {
    tenant: &'a TenantId,
    earlier: &'a Lead,
    later: &'a Lead,
    /// How likely they are the same.
    score: f64,
}

/// Shows who is suspected, merges the likeliest pair and takes that back; returns what is not as it was then.
pub(super) async fn play(stage: &Stage, book: &Book) -> anyhow::Result<Vec<String>> {
    let mut suspected = Vec::new();
    for chapter in &book.chapters {
        suspected.extend(suspects(stage, chapter).await?);
    }
    suspected.sort_by(|one, other| other.score.total_cmp(&one.score));
    print(&suspected, book.leads().count())?;
    // Those that wait may be given to somebody at any moment.
    let is_owned = |pair: &&Suspects<'_>| ![pair.earlier, pair.later].iter().any(|lead| lead.owner.is_empty());
    let pair = suspected.iter().find(is_owned).context("nobody wrote twice")?;
    let (tenant, numbers) = (pair.tenant, [pair.earlier.number.as_str(), &pair.later.number]);
    let before = (
        read(stage, tenant, pair.earlier).await?,
        read(stage, tenant, pair.later).await?,
    );
    let [survivor, loser] = numbers;
    let merge = ["leads", "merge", survivor, loser, "--reason", "同一联系人"];
    stage.show("合并 Merged", tenant, &merge).await?;
    let name = last_merge(stage, tenant, pair.later).await?;
    let unmerge = ["leads", "unmerge", &name, "--reason", "演示撤销"];
    stage.show("撤销合并 Two again", tenant, &unmerge).await?;
    let after = (
        read(stage, tenant, pair.earlier).await?,
        read(stage, tenant, pair.later).await?,
    );
    let mut problems = Vec::new();
    for (before, after) in [(before.0, after.0), (before.1, after.1)] {
        if before != after {
            problems.push(format!(
                "{tenant}: {} is not what it was before it was merged",
                before.number
            ));
        }
    }
    if problems.is_empty() {
        writeln!(
            io::stdout(),
            "   {survivor} 与 {loser} 已完全还原 both are again what they were"
        )?;
    }
    Ok(problems)
}

/// Reads which leads of a subsidiary are suspected to be the same.
async fn suspects<'a>(stage: &Stage, chapter: &'a Chapter) -> anyhow::Result<Vec<Suspects<'a>>> {
    let client = DuplicateServiceClient::new(stage.leads(&chapter.tenant)?);
    let page = async |page_token| {
        let request = ListDuplicatesRequest {
            page_size: PAGE,
            page_token,
            state: duplicate::State::Suspected.into(),
            ..ListDuplicatesRequest::default()
        };
        let page = patiently(async || client.clone().list_duplicates(request.clone()).await).await?;
        Ok((page.duplicates, page.next_page_token))
    };
    let leads: HashMap<&str, &Lead> = chapter.leads.iter().map(|lead| (lead.name.as_str(), lead)).collect();
    let found = all_pages(page).await?.into_iter().filter_map(|pair: Duplicate| {
        let lead = |side: Option<DuplicateLead>| leads.get(side?.name.as_str()).copied();
        Some(Suspects {
            tenant: &chapter.tenant,
            earlier: lead(pair.earlier)?,
            later: lead(pair.later)?,
            score: pair.score,
        })
    });
    Ok(found.collect())
}

fn print(suspected: &[Suspects<'_>], leads: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\n疑似重复 Suspected duplicates")?;
    writeln!(out, "{:8}  对 pairs among {leads} leads", suspected.len())?;
    for pair in suspected.iter().take(SHOWN) {
        let said = |lead: &Lead| format!("{} {} {}", lead.number, lead.company, lead.contact_name);
        writeln!(
            out,
            "{:8.2}  {}  ≈  {}  ({})",
            pair.score,
            said(pair.earlier),
            said(pair.later),
            pair.tenant
        )?;
    }
    Ok(())
}

async fn read(stage: &Stage, tenant: &TenantId, lead: &Lead) -> anyhow::Result<Lead> {
    let client = LeadServiceClient::new(stage.leads(tenant)?);
    let request = GetLeadRequest {
        name: lead.name.clone(),
    };
    let found = patiently(async || client.clone().get_lead(request.clone()).await).await?;
    found.lead.context("the lead is gone")
}

async fn last_merge(stage: &Stage, tenant: &TenantId, lead: &Lead) -> anyhow::Result<String> {
    let client = MergeServiceClient::new(stage.leads(tenant)?);
    let request = ListMergesRequest {
        lead: lead.name.clone(),
        page_size: 1,
        ..ListMergesRequest::default()
    };
    let found = patiently(async || client.clone().list_merges(request.clone()).await).await?;
    let merge = found.merges.into_iter().next().context("the merge is gone")?;
    Ok(merge.name)
}
