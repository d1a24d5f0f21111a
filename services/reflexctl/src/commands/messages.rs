//! `reflexctl messages`.

use clap::{Args, Subcommand, ValueEnum};
use reflex_calendar::parse_instant;
use reflex_proto::notifications::v1::action_service_client::ActionServiceClient;
use reflex_proto::notifications::v1::message_service_client::MessageServiceClient;
use reflex_proto::notifications::v1::{
    Action, AnswerActionRequest, GetActionRequest, GetMessageRequest, GetMessageResponse, ListMessagesRequest,
    ListMessagesResponse, message,
};

use super::{answer, lead_name, named};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::connection::Connection;
use crate::output::{Output, Table, more, word};

/// Shows who was told, when, by which channel, why, and with which words.
#[derive(Debug, Args)]
pub(crate) struct Messages {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: MessagesCommand,
}

#[derive(Debug, Subcommand)]
enum MessagesCommand {
    /// Lists messages, newest first.
    #[command(after_help = "Example:\n  reflexctl messages list --lead L000123 --state delivered")]
    List(List),
    /// Shows one message with every attempt to deliver it.
    #[command(after_help = "Example:\n  reflexctl messages show messages/0199c0de-0000-7000-8000-000000000001")]
    Show {
        /// Id or resource name of the message.
        message: String,
    },
    /// Shows what a link of a message does, and whether it was done.
    #[command(after_help = "Example:\n  reflexctl messages link https://reflex.example.com/v1/actions/huadong.AQID")]
    Link {
        /// The link, or its token.
        link: String,
        /// Records that it was done; the gateway does that by itself once leads has done its part.
        #[arg(long)]
        done: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only to this member.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "MEMBER")]
    recipient: String,
    /// Only about this lead: number, id or resource name.
    #[arg(long)]
    lead: Option<String>,
    /// Only in this state.
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only of this class, for example escalation.
    #[arg(long, default_value = "", hide_default_value = true)]
    class: String,
    /// Only by this channel: inbox, or the name of a channel.
    #[arg(long, default_value = "", hide_default_value = true)]
    channel: String,
    /// Only those made at this time or later, with an offset or in --time-zone.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only those made before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Pending,
    Delivered,
    Merged,
    Stopped,
    Failed,
}

impl Messages {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            MessagesCommand::List(list) => self.list(list, output).await,
            MessagesCommand::Show { message } => self.show(message, output).await,
            MessagesCommand::Link { link, done } => self.link(link, *done, output).await,
        };
        self.connection.explain(outcome)
    }

    async fn list(&self, list: &List, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let request = list.request(&connection, output).await?;
        let client = MessageServiceClient::new(connection.to(Owner::Notifications)?);
        let response = answer(async || client.clone().list_messages(request.clone()).await).await?;
        output.response("reflex.notifications.v1.ListMessagesResponse", &response, |response| {
            render_list(response, output)
        })?;
        Ok(())
    }

    async fn show(&self, message: &str, output: &Output) -> anyhow::Result<()> {
        let client = MessageServiceClient::new(self.connection.connect()?.to(Owner::Notifications)?);
        let request = GetMessageRequest {
            name: named("messages", message),
        };
        let response = answer(async || client.clone().get_message(request.clone()).await).await?;
        output.response("reflex.notifications.v1.GetMessageResponse", &response, |response| {
            render_message(response, output)
        })?;
        Ok(())
    }
}

impl List {
    /// Makes the request for the page that is asked for.
    pub(super) async fn request(
        &self,
        connection: &Connection,
        output: &Output,
    ) -> anyhow::Result<ListMessagesRequest> {
        let subject = match &self.lead {
            Some(lead) => lead_name(connection, lead).await?,
            None => String::new(),
        };
        let instant = |text: Option<&str>| -> anyhow::Result<Option<prost_types::Timestamp>> {
            let read = text.map(|text| parse_instant(text, &output.zone)).transpose()?;
            Ok(read.map(|instant| prost_types::Timestamp {
                seconds: instant.as_second(),
                nanos: instant.subsec_nanosecond(),
            }))
        };
        let channel = match self.channel.as_str() {
            "" | "inbox" => self.channel.clone(),
            name => named("channels", name),
        };
        let state = match self.state {
            None => message::State::Unspecified,
            Some(State::Pending) => message::State::Pending,
            Some(State::Delivered) => message::State::Delivered,
            Some(State::Merged) => message::State::Merged,
            Some(State::Stopped) => message::State::Stopped,
            Some(State::Failed) => message::State::Failed,
        };
        Ok(ListMessagesRequest {
            page_size: self.page.page_size,
            page_token: self.page.page_token.clone(),
            recipient: named("members", &self.recipient),
            subject,
            state: state.into(),
            message_class: self.class.clone(),
            channel,
            start_time: instant(self.from.as_deref())?,
            end_time: instant(self.to.as_deref())?,
        })
    }
}

impl Messages {
    async fn link(&self, link: &str, done: bool, output: &Output) -> anyhow::Result<()> {
        let client = ActionServiceClient::new(self.connection.connect()?.to(Owner::Notifications)?);
        let token = link.rsplit('/').next().unwrap_or_default().to_owned();
        if done {
            let request = AnswerActionRequest {
                token,
                request_id: String::new(),
            };
            let response = answer(async || client.clone().answer_action(request.clone()).await).await?;
            output.response("reflex.notifications.v1.AnswerActionResponse", &response, |response| {
                render_action(response.action.as_ref(), output)
            })?;
        } else {
            let request = GetActionRequest { token };
            let response = answer(async || client.clone().get_action(request.clone()).await).await?;
            output.response("reflex.notifications.v1.GetActionResponse", &response, |response| {
                render_action(response.action.as_ref(), output)
            })?;
        }
        Ok(())
    }
}

fn render_action(action: Option<&Action>, output: &Output) -> String {
    let Some(action) = action else {
        return String::new();
    };
    let mut facts = Table::new(["action", &word(action.kind().as_str_name(), "KIND_")]);
    for (label, value) in [
        ("state", word(action.state().as_str_name(), "STATE_")),
        ("in the name of", action.recipient.clone()),
        ("message", action.message.clone()),
        ("subject", action.subject.clone()),
        ("title", action.title.clone()),
        ("good until", output.time(action.expire_time.as_ref())),
        ("done", output.time(action.answer_time.as_ref())),
    ] {
        if !value.is_empty() {
            facts.row([label.to_owned(), value]);
        }
    }
    facts.render(0)
}

pub(super) fn render_list(response: &ListMessagesResponse, output: &Output) -> String {
    let mut table = Table::new(["CREATED", "RECIPIENT", "CHANNEL", "STATE", "CLASS", "TITLE", "MESSAGE"]);
    for message in &response.messages {
        table.row([
            output.time(message.create_time.as_ref()),
            message.recipient.clone(),
            message.channel.clone(),
            word(message.state().as_str_name(), "STATE_"),
            message.message_class.clone(),
            message.title.clone(),
            message.name.clone(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn render_message(response: &GetMessageResponse, output: &Output) -> String {
    let Some(message) = &response.message else {
        return String::new();
    };
    let mut facts = Table::new(["message", message.name.as_str()]);
    for (label, value) in [
        ("recipient", message.recipient.clone()),
        ("channel", message.channel.clone()),
        ("state", word(message.state().as_str_name(), "STATE_")),
        ("reason", message.reason.clone()),
        ("subject", message.subject.clone()),
        ("caused by", message.cause_event.clone()),
        ("cause", message.cause_type.clone()),
        (
            "ladder step",
            if message.ladder_step == 0 {
                String::new()
            } else {
                message.ladder_step.to_string()
            },
        ),
        ("template", message.template.clone()),
        ("created", output.time(message.create_time.as_ref())),
        ("delivered", output.time(message.deliver_time.as_ref())),
    ] {
        if !value.is_empty() {
            facts.row([label.to_owned(), value]);
        }
    }
    let mut attempts = Table::new(["ATTEMPT", "OUTCOME", "CODE", "TOOK", "DETAIL"]);
    for attempt in &message.attempts {
        let took = attempt
            .latency
            .as_ref()
            .and_then(|latency| std::time::Duration::try_from(*latency).ok());
        attempts.row([
            output.time(attempt.create_time.as_ref()),
            attempt.outcome.clone(),
            attempt.provider_code.clone(),
            took.map(|took| format!("{} ms", took.as_millis())).unwrap_or_default(),
            attempt.detail.clone(),
        ]);
    }
    for done in &message.answers {
        facts.row([
            word(done.kind().as_str_name(), "KIND_"),
            output.time(done.answer_time.as_ref()),
        ]);
    }
    let attempts = if message.attempts.is_empty() {
        String::new()
    } else {
        format!("\n{}", attempts.render(0))
    };
    format!(
        "{}\n{}\n\n{}\n{attempts}",
        facts.render(0),
        message.title,
        message.body.trim_end()
    )
}
