//! `reflexctl privacy`.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reflex_proto::leads::v1::privacy_service_client::PrivacyServiceClient;
use reflex_proto::leads::v1::{
    DataSubject, EraseSubjectRequest, ErasureCertificate, ExportSubjectRequest, FindSubjectRequest,
    FindSubjectResponse, GetErasureRequest, Holding,
};
use serde_json::Value;

use super::{answer, lead_name, named};
use crate::bundle::Owner;
use crate::cli::ConnectionArgs;
use crate::connection::Connection;
use crate::output::{Output, Table, print};

/// Finds, hands out and erases what is held about a person.
#[derive(Debug, Args)]
pub(crate) struct Privacy {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: PrivacyCommand,
}

#[derive(Debug, Subcommand)]
enum PrivacyCommand {
    /// Tells what is held about a person and where.
    #[command(after_help = "Example:\n  reflexctl privacy find --phone 13800138000")]
    Find(Person),
    /// Prints what is held about a person as JSON.
    #[command(after_help = "Example:\n  reflexctl privacy export --phone 13800138000 > person.json")]
    Export(Person),
    /// Erases a person for good, asks before, and prints the certificate.
    #[command(after_help = "\
Examples:
  reflexctl privacy erase --phone 13800138000 --email wang@example.cn
  reflexctl privacy erase --lead L000123 --yes -o json")]
    Erase {
        #[command(flatten)]
        person: Person,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Shows a certificate again.
    #[command(after_help = "Example:\n  reflexctl privacy certificate ERASURE")]
    Certificate {
        /// Id or resource name of the erasure.
        erasure: String,
    },
}

/// Who it is about; at least one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Person {
    /// Their phone number, however it is typed.
    #[arg(long)]
    phone: Option<String>,
    /// Their mail address.
    #[arg(long)]
    email: Option<String>,
    /// A lead with their phone number and mail address: number, id or resource name.
    #[arg(long)]
    lead: Option<String>,
}

impl Person {
    async fn subject(&self, connection: &Connection) -> anyhow::Result<Option<DataSubject>> {
        let lead = match &self.lead {
            Some(lead) => lead_name(connection, lead).await?,
            None => String::new(),
        };
        Ok(Some(DataSubject {
            phone: self.phone.clone().unwrap_or_default(),
            email: self.email.clone().unwrap_or_default(),
            lead,
        }))
    }
}

impl Privacy {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = self.call(output).await;
        self.connection.explain(outcome)
    }

    async fn call(&self, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let client = PrivacyServiceClient::new(connection.to(Owner::Leads)?);
        match &self.command {
            PrivacyCommand::Find(person) => {
                let subject = person.subject(&connection).await?;
                let request = FindSubjectRequest { subject };
                let response = answer(async || client.clone().find_subject(request.clone()).await).await?;
                output.response("reflex.leads.v1.FindSubjectResponse", &response, found)?;
            }
            PrivacyCommand::Export(person) => {
                let subject = person.subject(&connection).await?;
                let request = ExportSubjectRequest { subject };
                let response = answer(async || client.clone().export_subject(request.clone()).await).await?;
                let held: Value = serde_json::from_str(&response.json).context("the server sent no JSON")?;
                print(&format!("{held:#}"))?;
            }
            PrivacyCommand::Erase { person, yes } => {
                let subject = person.subject(&connection).await?;
                if !yes {
                    let request = FindSubjectRequest {
                        subject: subject.clone(),
                    };
                    let response = answer(async || client.clone().find_subject(request.clone()).await).await?;
                    confirm(&found(&response))?;
                }
                let request = EraseSubjectRequest { subject };
                let response = answer(async || client.clone().erase_subject(request.clone()).await).await?;
                output.response("reflex.leads.v1.EraseSubjectResponse", &response, |response| {
                    certificate(response.certificate.as_ref(), output)
                })?;
            }
            PrivacyCommand::Certificate { erasure } => {
                let request = GetErasureRequest {
                    name: named("erasures", erasure),
                };
                let response = answer(async || client.clone().get_erasure(request.clone()).await).await?;
                output.response("reflex.leads.v1.GetErasureResponse", &response, |response| {
                    certificate(response.certificate.as_ref(), output)
                })?;
            }
        }
        Ok(())
    }
}

/// Shows what would be erased and asks; nobody can be asked where nobody types.
fn confirm(held: &str) -> anyhow::Result<()> {
    anyhow::ensure!(io::stdin().is_terminal(), "nobody can be asked here: give --yes");
    let mut errors = io::stderr().lock();
    write!(errors, "{held}\nErase all of this for good? Type yes: ")?;
    errors.flush()?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed)?;
    anyhow::ensure!(typed.trim() == "yes", "nothing was erased");
    Ok(())
}

fn holdings(holdings: &[Holding]) -> String {
    let mut table = Table::new(["WHAT", "ROWS"]);
    for holding in holdings {
        table.row([holding.kind.clone(), holding.count.to_string()]);
    }
    table.render(0)
}

fn found(response: &FindSubjectResponse) -> String {
    if response.holdings.is_empty() {
        return "nothing is held".to_owned();
    }
    format!("{}\n{}", response.leads.join("\n"), holdings(&response.holdings))
}

fn certificate(certificate: Option<&ErasureCertificate>, output: &Output) -> String {
    let certificate = certificate.cloned().unwrap_or_default();
    let mut table = Table::new(["certificate", certificate.name.as_str()]);
    table.row(["erased".to_owned(), output.time(certificate.erase_time.as_ref())]);
    table.row(["by".to_owned(), certificate.member]);
    table.row([
        "identifier".to_owned(),
        format!("sha256 {}", certificate.identifier_hash),
    ]);
    table.render(0) + "\n" + &holdings(&certificate.erased)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::cli::Format;

    #[test]
    fn certificates_and_findings_are_tables() {
        let output = Output {
            format: Format::Table,
            zone: TimeZone::UTC,
        };
        let holding = Holding {
            kind: "follow_ups".to_owned(),
            count: 3,
        };
        let given = ErasureCertificate {
            name: "erasures/1".to_owned(),
            erased: vec![holding.clone()],
            identifier_hash: "00ff".to_owned(),
            ..ErasureCertificate::default()
        };
        let text = certificate(Some(&given), &output);
        for part in ["erasures/1", "sha256 00ff", "follow_ups  3"] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert_eq!(found(&FindSubjectResponse::default()), "nothing is held");
        let response = FindSubjectResponse {
            leads: vec!["leads/1".to_owned()],
            holdings: vec![holding],
        };
        assert!(found(&response).starts_with("leads/1\nWHAT"));
    }
}
