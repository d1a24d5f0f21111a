//! Somebody wrote twice: the leads that are suspected to be the same, and two of them made one and two again.

use std::io::{self, Write as _};

use anyhow::Context;
use reflex_matching::{Field, Model, Record, Values, Weights, find};
use reflex_proto::leads::v1::{
    GetLeadRequest, Lead, ListMergesRequest, lead_service_client::LeadServiceClient,
    merge_service_client::MergeServiceClient,
};
use reflex_tenancy::TenantId;

use super::{
    book::{Book, Chapter},
    patience::patiently,
    stage::Stage,
};

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
    let mut suspected: Vec<Suspects<'_>> = book.chapters.iter().flat_map(suspects).collect();
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

/// Finds the leads of a subsidiary that are suspected to be the same.
fn suspects(chapter: &Chapter) -> Vec<Suspects<'_>> {
    let leads: Vec<&Lead> = chapter.explained().map(|(lead, _)| lead).collect();
    let records: Vec<Record> = leads
        .iter()
        .map(|lead| {
            let values = Values::default()
                .with(Field::Company, &lead.company)
                .with(Field::Contact, &lead.contact_name)
                .with(Field::Mobile, &lead.phone)
                .with(Field::Email, &lead.email)
                .with(Field::Address, &lead.territory);
            Record::read(&values)
        })
        .collect();
    let found = find(&records, Model::Leads, &Weights::default(), |_| {});
    let in_order = |pair: (usize, usize)| {
        let (one, other) = (leads[pair.0], leads[pair.1]);
        // By number, as numbers are given in order of capture.
        if one.number <= other.number {
            (one, other)
        } else {
            (other, one)
        }
    };
    let suspects = found.pairs.iter().map(|pair| {
        let (earlier, later) = in_order((pair.left, pair.right));
        Suspects {
            tenant: &chapter.tenant,
            earlier,
            later,
            score: pair.score,
        }
    });
    suspects.collect()
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
