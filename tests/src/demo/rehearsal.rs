//! Asks back: why, why not, and what another policy would have done. And the proof that the answer can be trusted: what is
//! in force is rehearsed on all that happened, and must come out as it did.

use std::path::Path;

use anyhow::Context;
use reflex_proto::leads::v1::{
    ListMembersRequest, Member, SimulateRoutingRequest, directory_service_client::DirectoryServiceClient, member::Role,
    routing_service_client::RoutingServiceClient, simulate_routing_response::Part,
};

use super::{patience::patiently, stage::Stage, story::Protagonist};

/// Where the demo's data keeps the policy that is rehearsed.
const OTHER_POLICY: &str = "rehearsal/huakang-east.yaml";
/// The picture of the loads, beside the programs.
const PICTURE: &str = "demo-load.svg";

/// Rehearses what is in force and returns what came out otherwise than it did.
pub(super) async fn problems(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for tenant in stage.tenants() {
        let client = RoutingServiceClient::new(stage.leads(tenant)?);
        let request = SimulateRoutingRequest {
            days: 1,
            ..SimulateRoutingRequest::default()
        };
        let mut parts = patiently(async || client.clone().simulate_routing(request.clone()).await).await?;
        while let Some(response) = parts.message().await? {
            match response.part {
                Some(Part::Difference(difference)) => problems.push(format!(
                    "{tenant}: {} would come out otherwise under what is in force: {}",
                    difference.number,
                    difference.fields.join(", ")
                )),
                Some(Part::Summary(summary)) => stage.tell(&format!(
                    "{tenant}: rehearsed {} leads under what is in force, {} come out otherwise",
                    summary.lead_count, summary.difference_count
                )),
                _ => {}
            }
        }
    }
    Ok(problems)
}

/// Shows one lead's why and why not, and a changed policy with its picture.
pub(super) async fn show(stage: &Stage, story: &Protagonist, data: &Path, programs: &Path) -> anyhow::Result<()> {
    let (tenant, number) = (&story.tenant, story.number.as_str());
    let why = ["leads", "explain", number];
    stage
        .show("一条线索的来龙去脉 One lead explained", tenant, &why)
        .await?;

    let member = somebody_else(stage, story).await?;
    let why_not = ["leads", "why-not", number, &member.name];
    let title = format!("为什么不是{0} Why not {0}", member.display_name);
    stage.show(&title, tenant, &why_not).await?;

    let (policy, picture) = (data.join(OTHER_POLICY), programs.join(PICTURE));
    let (policy, picture) = (policy.to_string_lossy(), picture.to_string_lossy());
    let rehearse = [
        "routing", "simulate", &policy, "--days", "1", "--show", "5", "--plot", &picture,
    ];
    stage
        .show("预演：换一套分配策略 Another policy, rehearsed", tenant, &rehearse)
        .await
}

/// Finds somebody of another team who sells.
async fn somebody_else(stage: &Stage, story: &Protagonist) -> anyhow::Result<Member> {
    let client = DirectoryServiceClient::new(stage.leads(&story.tenant)?);
    let request = ListMembersRequest {
        page_size: 500,
        ..ListMembersRequest::default()
    };
    let members = patiently(async || client.clone().list_members(request.clone()).await)
        .await?
        .members;
    let sells = |member: &Member| member.active && member.role() == Role::Sales && member.team != story.team;
    members.into_iter().find(sells).context("all who sell are of one team")
}
