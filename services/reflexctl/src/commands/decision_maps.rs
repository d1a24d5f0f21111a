//! `reflexctl decision-map`.

use clap::{Args, Subcommand};
use reflex_proto::leads::v1::decision_map_service_client::DecisionMapServiceClient;
use reflex_proto::leads::v1::{
    DecisionMap, DecisionRole, GetDecisionMapRequest, ListOverdueDecisionMapsRequest, PutDecisionRoleRequest,
};

use super::{answer, lead_name, named, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::output::{Output, Table, more};

/// Shows and fills the maps of who decides about leads; bundles set them up (`kind: DecisionMapPolicy`).
#[derive(Debug, Args)]
pub(crate) struct DecisionMaps {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: DecisionMapsCommand,
}

#[derive(Debug, Subcommand)]
enum DecisionMapsCommand {
    /// Shows whom of those who decide was reached, and who is left.
    #[command(after_help = "Example:\n  reflexctl decision-map show L000123 --lang en")]
    Show {
        /// Number, id or resource name of the lead.
        lead: String,
        /// Language of the headings.
        #[arg(long, value_enum, default_value_t = Language::Zh)]
        lang: Language,
    },
    /// Records that somebody of a role was reached; the role counts with minutes or their address.
    #[command(
        after_help = "Example:\n  reflexctl decision-map put L000123 --role 老板 --person 王总 --minutes 同意试用"
    )]
    Put(Put),
    /// Lists the maps that are not complete though they are due.
    #[command(after_help = "Example:\n  reflexctl decision-map overdue --tenant huakang-east")]
    Overdue {
        #[command(flatten)]
        page: PageArgs,
    },
}

#[derive(Debug, Args)]
struct Put {
    /// Number, id or resource name of the lead.
    lead: String,
    /// The role, as the map calls it.
    #[arg(long)]
    role: String,
    /// Who it is.
    #[arg(long)]
    person: String,
    /// What was said.
    #[arg(long, default_value = "", hide_default_value = true)]
    minutes: String,
    /// Where the minutes are.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "URL")]
    minutes_url: String,
    /// Who reached them; the member of the token if left out.
    #[arg(long, default_value = "", hide_default_value = true)]
    member: String,
}

impl DecisionMaps {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = self.call(output).await;
        self.connection.explain(outcome)
    }

    async fn call(&self, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let client = DecisionMapServiceClient::new(connection.to(Owner::Leads)?);
        match &self.command {
            DecisionMapsCommand::Show { lead, lang } => {
                let request = GetDecisionMapRequest {
                    lead: lead_name(&connection, lead).await?,
                };
                let response = answer(async || client.clone().get_decision_map(request.clone()).await).await?;
                output.response("reflex.leads.v1.GetDecisionMapResponse", &response, |response| {
                    render(&response.map.clone().unwrap_or_default(), *lang, output)
                })?;
            }
            DecisionMapsCommand::Put(put) => {
                let role = DecisionRole {
                    role: put.role.clone(),
                    person: put.person.clone(),
                    minutes: put.minutes.clone(),
                    minutes_url: put.minutes_url.clone(),
                    member: named("members", &put.member),
                    reach_time: None,
                };
                let request = PutDecisionRoleRequest {
                    lead: lead_name(&connection, &put.lead).await?,
                    role: Some(role),
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().put_decision_role(request.clone()).await).await?;
                output.response("reflex.leads.v1.PutDecisionRoleResponse", &response, |response| {
                    render(&response.map.clone().unwrap_or_default(), Language::Zh, output)
                })?;
            }
            DecisionMapsCommand::Overdue { page } => {
                let request = ListOverdueDecisionMapsRequest {
                    page_size: page.page_size.min(500),
                    page_token: page.page_token.clone(),
                };
                let response =
                    answer(async || client.clone().list_overdue_decision_maps(request.clone()).await).await?;
                output.response(
                    "reflex.leads.v1.ListOverdueDecisionMapsResponse",
                    &response,
                    |response| {
                        let mut table = Table::new(["LEAD", "CONTACTED", "DUE"]);
                        for map in &response.maps {
                            let (start, due) =
                                (output.time(map.start_time.as_ref()), output.time(map.due_time.as_ref()));
                            table.row([map.lead.clone(), start, due]);
                        }
                        table.render(0) + &more(&response.next_page_token)
                    },
                )?;
            }
        }
        Ok(())
    }
}

fn render(map: &DecisionMap, lang: Language, output: &Output) -> String {
    let headings = [
        ("角色", "ROLE"),
        ("人员", "PERSON"),
        ("纪要", "MINUTES"),
        ("记录人", "BY"),
        ("时间", "TIME"),
    ];
    let mut table = Table::new(headings.map(|(zh, en)| lang.pick(zh, en)));
    for role in &map.roles {
        let minutes = [&role.minutes, &role.minutes_url].map(String::as_str).join(" ");
        let time = output.time(role.reach_time.as_ref());
        table.row([
            role.role.clone(),
            role.person.clone(),
            minutes.trim().to_owned(),
            role.member.clone(),
            time,
        ]);
    }
    let state = match (&map.complete_time, &map.overdue_time) {
        (Some(at), _) => format!("{} {}", lang.pick("已完成", "complete"), output.time(Some(at))),
        (None, Some(at)) => format!("{} {}", lang.pick("已逾期", "overdue"), output.time(Some(at))),
        (None, None) => format!("{} {}", lang.pick("截止", "due"), output.time(map.due_time.as_ref())),
    };
    let missing = match map.missing_roles.as_slice() {
        [] => String::new(),
        roles => format!("{}: {}\n", lang.pick("未触达", "missing"), roles.join(", ")),
    };
    format!("{state}\n{missing}{}", table.render(0))
}
