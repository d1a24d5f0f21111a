//! `reflexctl leads correct` and `corrections`.

use clap::{Args, ValueEnum};
use reflex_proto::leads::v1::validity_service_client::ValidityServiceClient;
use reflex_proto::leads::v1::{
    CorrectValidityRequest, ListValidityCorrectionsRequest, ListValidityCorrectionsResponse, validity::Label,
};

use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::commands::{answer, claims::standing, lead_name, request_id};
use crate::output::{Output, Table, more, word};

/// What is said of a lead.
#[derive(Debug, Args)]
pub(super) struct Correct {
    /// Number, id or resource name of the lead.
    lead: String,
    /// Whether it is one.
    #[arg(value_enum)]
    verdict: Verdict,
    /// Why, at most 500 characters; kept with it.
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Verdict {
    Valid,
    Invalid,
}

impl Correct {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let connection = connection.connect()?;
        let verdict = match self.verdict {
            Verdict::Valid => Label::Valid,
            Verdict::Invalid => Label::Invalid,
        };
        let request = CorrectValidityRequest {
            name: lead_name(&connection, &self.lead).await?,
            verdict: verdict.into(),
            note: self.note.clone(),
            request_id: request_id(),
        };
        let client = ValidityServiceClient::new(connection.to(Owner::Leads)?);
        let response = answer(async || client.clone().correct_validity(request.clone()).await).await?;
        output.response("reflex.leads.v1.CorrectValidityResponse", &response, |response| {
            standing(response.lead.as_ref())
        })?;
        Ok(())
    }
}

/// What was said of leads.
#[derive(Debug, Args)]
pub(super) struct Corrections {
    #[command(flatten)]
    page: PageArgs,
    /// Language of the reasons.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

impl Corrections {
    pub(super) async fn run(&self, connection: &ConnectionArgs, output: &Output) -> anyhow::Result<()> {
        let request = ListValidityCorrectionsRequest {
            page_size: self.page.page_size.min(500),
            page_token: self.page.page_token.clone(),
        };
        let client = ValidityServiceClient::new(connection.connect()?.to(Owner::Leads)?);
        let response = answer(async || client.clone().list_validity_corrections(request.clone()).await).await?;
        let message = "reflex.leads.v1.ListValidityCorrectionsResponse";
        output.response(message, &response, |response| render(response, self.lang, output))?;
        Ok(())
    }
}

fn render(response: &ListValidityCorrectionsResponse, lang: Language, output: &Output) -> String {
    let mut said = Table::new(["LEAD", "IS", "WHEN", "BY", "NOTE", "FOUND"]);
    for correction in &response.corrections {
        said.row([
            correction.lead.clone(),
            word(correction.verdict().as_str_name(), "LABEL_"),
            output.time(correction.correct_time.as_ref()),
            correction.member.clone(),
            correction.note.clone(),
            correction.reasons.join(" "),
        ]);
    }
    let mut text = said.render(0) + &more(&response.next_page_token);
    if !response.weights.is_empty() {
        let mut weights = Table::new(["REASON", "", "WEIGHT", "SHIPPED", "INVALID", "VALID"]);
        for weight in &response.weights {
            weights.row([
                weight.code.clone(),
                lang.pick(&weight.zh, &weight.en).to_owned(),
                format!("{:.2}", weight.weight),
                format!("{:.2}", weight.shipped_weight),
                weight.invalid_count.to_string(),
                weight.valid_count.to_string(),
            ]);
        }
        text += "\n";
        text += &weights.render(0);
    }
    text
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use reflex_proto::leads::v1::{LearnedWeight, ValidityCorrection};

    use super::*;
    use crate::cli::Format;

    #[test]
    fn what_was_said_and_what_it_teaches_is_shown() {
        let response = ListValidityCorrectionsResponse {
            corrections: vec![ValidityCorrection {
                lead: "leads/a".to_owned(),
                verdict: Label::Invalid.into(),
                note: "机器人".to_owned(),
                reasons: vec!["bot_agent".to_owned()],
                ..ValidityCorrection::default()
            }],
            weights: vec![LearnedWeight {
                code: "bot_agent".to_owned(),
                zh: "由程序提交".to_owned(),
                en: "sent by a program".to_owned(),
                weight: 4.876,
                shipped_weight: 5.0,
                invalid_count: 1,
                valid_count: 0,
            }],
            ..ListValidityCorrectionsResponse::default()
        };
        let output = Output {
            format: Format::Table,
            zone: TimeZone::UTC,
        };
        let text = render(&response, Language::En, &output);
        for part in ["leads/a  invalid", "机器人", "sent by a program", "4.88", "5.00"] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(render(&response, Language::Zh, &output).contains("由程序提交"));
    }
}
