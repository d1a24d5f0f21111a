//! `reflexctl notifications ledger`: every message that matches, also as a file.

use std::io::{self, Write as _};

use clap::Args;
use reflex_proto::notifications::v1::{ListMessagesResponse, Message, message_service_client::MessageServiceClient};

use super::super::{answer, messages};
use crate::{
    bundle::Owner,
    cli::ConnectionArgs,
    output::{Output, word},
};

/// Messages asked for at once.
const PAGE: i32 = 1_000;
const HEADINGS: [&str; 14] = [
    "message",
    "created",
    "delivered",
    "recipient",
    "channel",
    "class",
    "state",
    "reason",
    "subject",
    "template",
    "cause_type",
    "cause_event",
    "ladder_step",
    "title",
];

#[derive(Debug, Args)]
pub(super) struct Ledger {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    which: messages::List,
    /// As CSV, texts that a spreadsheet would calculate marked with an apostrophe; every message that matches, not one page.
    #[arg(long)]
    csv: bool,
}

impl Ledger {
    pub(super) async fn run(&self, output: &Output) -> anyhow::Result<()> {
        let outcome = self.write(output).await;
        self.connection.explain(outcome)
    }

    async fn write(&self, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let mut request = self.which.request(&connection, output).await?;
        let client = MessageServiceClient::new(connection.to(Owner::Notifications)?);
        if !self.csv {
            let response = answer(async || client.clone().list_messages(request.clone()).await).await?;
            output.response("reflex.notifications.v1.ListMessagesResponse", &response, |response| {
                messages::render_list(response, output)
            })?;
            return Ok(());
        }
        request.page_size = PAGE;
        print(&line(HEADINGS.map(str::to_owned)))?;
        loop {
            let response = answer(async || client.clone().list_messages(request.clone()).await).await?;
            print(&rows(&response, output))?;
            if response.next_page_token.is_empty() {
                return Ok(());
            }
            request.page_token = response.next_page_token;
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

fn rows(response: &ListMessagesResponse, output: &Output) -> String {
    response.messages.iter().map(|message| row(message, output)).collect()
}

fn row(message: &Message, output: &Output) -> String {
    let step = message.ladder_step;
    line([
        message.name.clone(),
        output.time(message.create_time.as_ref()),
        output.time(message.deliver_time.as_ref()),
        message.recipient.clone(),
        message.channel.clone(),
        message.message_class.clone(),
        word(message.state().as_str_name(), "STATE_"),
        message.reason.clone(),
        message.subject.clone(),
        message.template.clone(),
        message.cause_type.clone(),
        message.cause_event.clone(),
        if step == 0 { String::new() } else { step.to_string() },
        message.title.clone(),
    ])
}

/// Writes a line of CSV (RFC 4180) in which no cell is a formula.
fn line<const N: usize>(cells: [String; N]) -> String {
    let cells = cells.map(|cell| {
        let cell = reflex_table::escape(&cell);
        if cell.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.into_owned()
        }
    });
    cells.join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_breaks_out_of_its_place() {
        let cells = ["=1+1", "a,b", "say \"hi\"", "two\nlines", "@who", "新线索"].map(str::to_owned);
        assert_eq!(
            line(cells),
            "'=1+1,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",'@who,新线索\r\n"
        );
    }
}
