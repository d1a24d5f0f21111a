//! `reflexctl leads check`.

use clap::Args;
use reflex_proto::leads::v1::duplicate_service_client::DuplicateServiceClient;
use reflex_proto::leads::v1::{CheckLeadRequest, CheckLeadResponse};

use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language};
use crate::commands::{answer, duplicates};
use crate::output::Output;

/// Tells which leads one would be suspected to be the same as, were it captured; writes nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  reflexctl leads check --company 苏州宏达 --phone 13800138001\n  reflexctl leads check --contact 王总 --company 苏州宏达 --lang en -o json"
)]
pub(super) struct Check {
    /// Company.
    #[arg(long, default_value = "", hide_default_value = true)]
    company: String,
    /// Contact.
    #[arg(long, default_value = "", hide_default_value = true)]
    contact: String,
    /// Telephone numbers.
    #[arg(long, default_value = "", hide_default_value = true)]
    phone: String,
    /// E-mail.
    #[arg(long, default_value = "", hide_default_value = true)]
    email: String,
    /// Address.
    #[arg(long, default_value = "", hide_default_value = true)]
    address: String,
    /// City.
    #[arg(long, default_value = "", hide_default_value = true)]
    city: String,
    /// Unified social credit code.
    #[arg(long, default_value = "", hide_default_value = true)]
    code: String,
    /// Language of what fields say.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

impl Check {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let request = CheckLeadRequest {
            company: self.company.clone(),
            contact_name: self.contact.clone(),
            phone: self.phone.clone(),
            email: self.email.clone(),
            address: self.address.clone(),
            city: self.city.clone(),
            code: self.code.clone(),
        };
        let client = DuplicateServiceClient::new(connection.connect()?.to(Owner::Leads)?);
        let response = answer(async || client.clone().check_lead(request.clone()).await).await?;
        output.response("reflex.leads.v1.CheckLeadResponse", &response, |response| {
            render(response, self.lang)
        })?;
        Ok(())
    }
}

fn render(response: &CheckLeadResponse, lang: Language) -> String {
    if response.candidates.is_empty() {
        return match lang {
            Language::Zh => format!("没有疑似重复的线索（比对了 {} 条）\n", response.compared),
            Language::En => format!("no lead is suspected to be the same ({} compared)\n", response.compared),
        };
    }
    let candidates = response.candidates.iter().map(|candidate| {
        let lead = duplicates::side(candidate.lead.as_ref());
        let score = duplicates::score(candidate.score);
        format!("{score} {lead}\n{}", duplicates::evidence(&candidate.fields, lang))
    });
    candidates.collect::<Vec<_>>().join("\n")
}
