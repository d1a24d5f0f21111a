//! `reflexctl leads why-not`.

use std::fmt::Write as _;

use clap::Args;
use reflex_proto::leads::v1::explain_why_not_response::{Change, Remedy};
use reflex_proto::leads::v1::routing_service_client::RoutingServiceClient;
use reflex_proto::leads::v1::{ExplainWhyNotRequest, ExplainWhyNotResponse};

use super::super::{answer, lead_name, named};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language};
use crate::output::Output;

#[derive(Debug, Args)]
pub(super) struct WhyNot {
    /// Number, id or resource name of the lead.
    lead: String,
    /// Who did not get it.
    member: String,
    /// Language of the explanation.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

impl WhyNot {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let request = ExplainWhyNotRequest {
            name: lead_name(&connection, &self.lead).await?,
            member: named("members", &self.member),
        };
        let client = RoutingServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().explain_why_not(request.clone()).await).await?;
        output.response("reflex.leads.v1.ExplainWhyNotResponse", &response, |response| {
            self.shown(response, output)
        })?;
        Ok(())
    }

    fn shown(&self, response: &ExplainWhyNotResponse, output: &Output) -> String {
        let words = match self.lang {
            Language::Zh => ("决定于", "任何一项成立就会分给", "本人不变时", "并且"),
            Language::En => (
                "decided",
                "any of these would have sufficed for",
                "with them as they were",
                "and",
            ),
        };
        let mut text = format!("{} {}\n", words.0, output.time(response.decide_time.as_ref()));
        if response.remedies.is_empty() {
            let summary = match self.lang {
                Language::Zh => &response.summary_zh,
                Language::En => &response.summary_en,
            };
            let _ = writeln!(text, "{summary}");
            return text;
        }
        let _ = writeln!(text, "{} {}:", words.1, named("members", &self.member));
        self.list(&mut text, &response.remedies, words.3);
        if !response.lead_or_policy_remedies.is_empty() {
            let _ = writeln!(text, "{}:", words.2);
            self.list(&mut text, &response.lead_or_policy_remedies, words.3);
        }
        text
    }

    fn list(&self, text: &mut String, remedies: &[Remedy], and: &str) {
        let clause = |change: &Change| match self.lang {
            Language::Zh => change.text_zh.clone(),
            Language::En => change.text_en.clone(),
        };
        for remedy in remedies {
            let clauses: Vec<String> = remedy.changes.iter().map(clause).collect();
            let _ = writeln!(text, "  - {}", clauses.join(&format!(" {and} ")));
        }
    }
}
