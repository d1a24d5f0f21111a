//! `reflexctl dlq`.

use clap::{Args, Subcommand, ValueEnum};
use prost_reflect::DynamicMessage;
use reflex_proto::platform::v1::dead_letter_service_client::DeadLetterServiceClient;
use reflex_proto::platform::v1::{
    DeadLetter, DropDeadLetterRequest, GetDeadLetterRequest, GetDeadLetterResponse, ListDeadLettersRequest,
    ListDeadLettersResponse, ReplayDeadLetterRequest,
};

use super::{answer, named, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::dynamic::dynamic_json;
use crate::output::{Output, Table, more};

/// Shows, replays and drops dead letters: events that a service could not apply.
#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Whose dead letters.
    #[arg(long, global = true, value_enum, default_value_t = Service::Notifications)]
    service: Service,
    #[command(subcommand)]
    command: DeadLettersCommand,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Service {
    Leads,
    Notifications,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// Lists dead letters, oldest first.
    #[command(after_help = "Example:\n  reflexctl dlq list --service notifications")]
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows one with its payload.
    #[command(after_help = "Example:\n  reflexctl dlq show 0199c0de-0000-7000-8000-000000000001")]
    Show {
        /// Id of the event, or resource name of the letter.
        letter: String,
    },
    /// Applies one once more; it stays, with its new reason, when that fails again.
    #[command(after_help = "Example:\n  reflexctl dlq replay 0199c0de-0000-7000-8000-000000000001")]
    Replay {
        /// Id of the event, or resource name of the letter.
        letter: String,
    },
    /// Drops one for good.
    #[command(after_help = "Example:\n  reflexctl dlq drop 0199c0de-0000-7000-8000-000000000001")]
    Drop {
        /// Id of the event, or resource name of the letter.
        letter: String,
    },
}

impl DeadLetters {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        self.connection.explain(self.run_command(output).await)
    }

    async fn run_command(&self, output: &Output) -> anyhow::Result<()> {
        let owner = match self.service {
            Service::Leads => Owner::Leads,
            Service::Notifications => Owner::Notifications,
        };
        let client = DeadLetterServiceClient::new(self.connection.connect()?.to(owner)?);
        match &self.command {
            DeadLettersCommand::List { page } => {
                let request = ListDeadLettersRequest {
                    page_size: page.page_size,
                    page_token: page.page_token.clone(),
                };
                let response = answer(async || client.clone().list_dead_letters(request.clone()).await).await?;
                output.response("reflex.platform.v1.ListDeadLettersResponse", &response, |response| {
                    render_list(response, output)
                })?;
            }
            DeadLettersCommand::Show { letter } => {
                let name = named("deadLetters", letter);
                let request = GetDeadLetterRequest { name };
                let response = answer(async || client.clone().get_dead_letter(request.clone()).await).await?;
                output.response("reflex.platform.v1.GetDeadLetterResponse", &response, |response| {
                    render_letter(response, output)
                })?;
            }
            DeadLettersCommand::Replay { letter } => {
                let request = ReplayDeadLetterRequest {
                    name: named("deadLetters", letter),
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().replay_dead_letter(request.clone()).await).await?;
                output.response("reflex.platform.v1.ReplayDeadLetterResponse", &response, |_| {
                    format!("{} is applied", request.name)
                })?;
            }
            DeadLettersCommand::Drop { letter } => {
                let request = DropDeadLetterRequest {
                    name: named("deadLetters", letter),
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().drop_dead_letter(request.clone()).await).await?;
                output.response("reflex.platform.v1.DropDeadLetterResponse", &response, |_| {
                    format!("{} is dropped", request.name)
                })?;
            }
        }
        Ok(())
    }
}

fn render_list(response: &ListDeadLettersResponse, output: &Output) -> String {
    let mut table = Table::new(["GIVEN UP", "TYPE", "SUBJECT", "ATTEMPTS", "REASON", "LETTER"]);
    for letter in &response.dead_letters {
        table.row([
            output.time(letter.create_time.as_ref()),
            letter.r#type.clone(),
            letter.subject.clone(),
            letter.attempts.to_string(),
            letter.reason.clone(),
            letter.name.clone(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn render_letter(response: &GetDeadLetterResponse, output: &Output) -> String {
    let Some(letter) = &response.dead_letter else {
        return String::new();
    };
    let mut facts = Table::new(["letter", letter.name.as_str()]);
    for (label, value) in [
        ("stream", letter.stream.clone()),
        ("type", letter.r#type.clone()),
        ("subject", letter.subject.clone()),
        ("reason", letter.reason.clone()),
        ("attempts", letter.attempts.to_string()),
        ("given up", output.time(letter.create_time.as_ref())),
    ] {
        facts.row([label.to_owned(), value]);
    }
    format!("{}\n{}\n", facts.render(0), payload(letter))
}

/// Writes the payload as JSON where its type is one of ours, else its length.
fn payload(letter: &DeadLetter) -> String {
    let descriptor = reflex_proto::descriptor_pool().get_message_by_name(&letter.r#type);
    let message = descriptor.and_then(|descriptor| DynamicMessage::decode(descriptor, letter.data.as_slice()).ok());
    match message {
        Some(message) => format!("{:#}", dynamic_json(&message)),
        None => format!(
            "{} bytes that cannot be decoded as {}",
            letter.data.len(),
            letter.r#type
        ),
    }
}
