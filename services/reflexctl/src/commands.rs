//! What the commands do, one file a subject; each file also says what can be typed for it.

pub(crate) mod accounts;
pub(crate) mod apply;
pub(crate) mod calendar;
pub(crate) mod channels;
pub(crate) mod claims;
pub(crate) mod customers;
pub(crate) mod dead_letters;
pub(crate) mod decision_maps;
pub(crate) mod duplicates;
pub(crate) mod export;
pub(crate) mod expr;
pub(crate) mod fields;
pub(crate) mod follow_ups;
pub(crate) mod gate;
pub(crate) mod inbox;
pub(crate) mod industries;
pub(crate) mod keys;
pub(crate) mod leads;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod notifications;
pub(crate) mod nurture;
pub(crate) mod privacy;
pub(crate) mod routing;
pub(crate) mod subscriptions;
pub(crate) mod tags;
pub(crate) mod webhooks;

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use reflex_proto::leads::v1::ListLeadsRequest;
use reflex_proto::leads::v1::lead_service_client::LeadServiceClient;
use tonic::{Response, Status};
use uuid::Uuid;

use crate::bundle::Owner;
use crate::cli::{Cli, Command, ConnectionArgs};
use crate::connection::{Address, CLIENT_FILE, Connection, retry};
use crate::failure;
use crate::output::Output;

/// Does what was typed.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<()> {
    let zone = TimeZone::get(&cli.time_zone).with_context(|| format!("time zone {:?} is unknown", cli.time_zone))?;
    let format = cli.output;
    let output = Output { format, zone };
    match cli.command {
        Command::Apply(command) => command.run(&output).await,
        Command::Export(command) => command.run(&output).await,
        Command::Leads(command) => command.run(&output).await,
        Command::Claim(command) => command.run(&output).await,
        Command::Release(command) => command.run(&output).await,
        Command::Followup(command) => command.run(&output).await,
        Command::Members(command) => command.run(&output).await,
        Command::Routing(command) => command.run(&output).await,
        Command::Accounts(command) => command.run(&output).await,
        Command::Customers(command) => command.run(&output).await,
        Command::Industries(command) => command.run(&output).await,
        Command::Channels(command) => command.run(&output).await,
        Command::DecisionMap(command) => command.run(&output).await,
        Command::Fields(command) => command.run(&output).await,
        Command::Tags(command) => command.run(&output).await,
        Command::Duplicates(command) => command.run(&output).await,
        Command::Gate(command) => command.run(&output).await,
        Command::Nurture(command) => command.run(&output).await,
        Command::Inbox(command) => command.run(&output).await,
        Command::Messages(command) => command.run(&output).await,
        Command::Notifications(command) => command.run(&output).await,
        Command::Subscriptions(command) => command.run(&output).await,
        Command::Privacy(command) => command.run(&output).await,
        Command::Dlq(command) => command.run(&output).await,
        Command::Calendar(command) => command.run(&output),
        Command::Expr(command) => command.run(&output),
        Command::Webhooks(command) => command.run(&output).await,
        Command::Token(command) => command.run(&output),
        Command::Keys(command) => command.run(&output),
    }
}

impl ConnectionArgs {
    /// Prepares the way to the services by flags and environment, else by what `make up` left.
    pub(crate) fn connect(&self) -> anyhow::Result<Connection> {
        Ok(Connection::new(&self.address()?)?)
    }

    pub(crate) fn address(&self) -> anyhow::Result<Address> {
        let given = Address {
            server: self.server.clone(),
            notifications: self.notifications.clone(),
            token: self.token.clone(),
            tenant: self.tenant.clone(),
        };
        let left = match self.data_dir.clone().or_else(data_dir_left) {
            Some(folder) => Address::of_data_dir(&folder)?,
            None => Address::default(),
        };
        Ok(given.or(left))
    }

    /// Adds where we tried to a failure to reach anybody.
    pub(crate) fn explain<T>(&self, outcome: anyhow::Result<T>) -> anyhow::Result<T> {
        outcome.map_err(|error| match self.address() {
            Ok(address) if failure::is_unreachable(&error) => {
                let urls: Vec<String> = [address.server, address.notifications].into_iter().flatten().collect();
                error.context(format!("{} (`make up` starts everything)", urls.join(", ")))
            }
            _ => error,
        })
    }
}

/// Returns where `make up` left its address: below the home folder, or in the system's place when it ran as root.
fn data_dir_left() -> Option<PathBuf> {
    let home = std::env::home_dir().map(|home| home.join(".local/share/reflex"));
    let places = home.into_iter().chain([PathBuf::from("/var/lib/reflex")]);
    places.into_iter().find(|folder| folder.join(CLIENT_FILE).exists())
}

/// Makes a call that is safe to repeat: a read, or a write with a request id.
async fn answer<T>(call: impl AsyncFn() -> Result<Response<T>, Status>) -> Result<T, Status> {
    retry(call).await.map(Response::into_inner)
}

/// Returns a resource name: `zhang.wei` is `members/zhang.wei`, and a full name stays.
fn named(collection: &str, text: &str) -> String {
    if text.is_empty() || text.starts_with(&format!("{collection}/")) {
        text.to_owned()
    } else {
        format!("{collection}/{text}")
    }
}

/// Returns the resource name of a lead given by name, id or number.
async fn lead_name(connection: &Connection, text: &str) -> anyhow::Result<String> {
    if text.starts_with("leads/") || Uuid::parse_str(text).is_ok() {
        return Ok(named("leads", text));
    }
    let client = LeadServiceClient::new(connection.to(Owner::Leads)?);
    let request = ListLeadsRequest {
        number: text.to_owned(),
        page_size: 1,
        ..ListLeadsRequest::default()
    };
    let found = answer(async || client.clone().list_leads(request.clone()).await).await?;
    let lead = found.leads.into_iter().next();
    Ok(lead.with_context(|| format!("no lead has the number {text}"))?.name)
}

/// Returns a fresh id for a write.
fn request_id() -> String {
    use reflex_runtime::ids::{IdSource as _, SystemIds};
    SystemIds.next().to_string()
}
