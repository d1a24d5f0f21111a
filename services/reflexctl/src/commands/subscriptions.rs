//! `reflexctl subscriptions`.

use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use reflex_proto::notifications::v1::subscription_service_client::SubscriptionServiceClient;
use reflex_proto::notifications::v1::{
    DeleteSubscriptionRequest, DeliveryAttempt, GetSubscriptionRequest, ListDeliveriesRequest, ListDeliveriesResponse,
    ListSubscriptionsRequest, ListSubscriptionsResponse, PauseSubscriptionRequest, PutSubscriptionRequest,
    ReplaySubscriptionRequest, ReplaySubscriptionResponse, ResumeSubscriptionRequest, RetryDeliveryRequest,
    RotateSubscriptionSecretRequest, Subscription, TestSubscriptionRequest, TestSubscriptionResponse, delivery,
};

use super::{answer, named, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, PageArgs};
use crate::connection::Wire;
use crate::output::{Output, Table, more, word};

/// Tells systems outside what happens, by signed webhooks; bundles set subscriptions up, too (`kind: Subscription`).
#[derive(Debug, Args)]
pub(crate) struct Subscriptions {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: SubscriptionsCommand,
}

#[derive(Debug, Subcommand)]
enum SubscriptionsCommand {
    /// Creates or changes a subscription; what is left out of address and secret stays as it is.
    #[command(after_help = "\
Example:
  reflexctl subscriptions put mes --endpoint https://mes.example/hooks --event lead.assigned.v1 \\
      --filter \"territory = '华东'\" --secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    Put(Put),
    /// Lists subscriptions by name.
    #[command(after_help = "Example:\n  reflexctl subscriptions list --tenant huakang-east")]
    List(PageArgs),
    /// Shows one subscription, and how its endpoint does.
    #[command(after_help = "Example:\n  reflexctl subscriptions get mes")]
    Get(Named),
    /// Sends nothing until it is resumed; what happens meanwhile waits.
    #[command(after_help = "Example:\n  reflexctl subscriptions pause mes")]
    Pause(Named),
    /// Sends again, at once what waits for its next attempt.
    #[command(after_help = "Example:\n  reflexctl subscriptions resume mes")]
    Resume(Named),
    /// Deletes a subscription with all that waits for it.
    #[command(after_help = "Example:\n  reflexctl subscriptions delete mes")]
    Delete(Named),
    /// Gives a subscription another secret; the present one signs besides for a while.
    #[command(
        after_help = "Example:\n  reflexctl subscriptions rotate mes --secret whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX --overlap-hours 48"
    )]
    Rotate(Rotate),
    /// Delivers kept events again, all of them or those from an instant on.
    #[command(after_help = "Example:\n  reflexctl subscriptions replay mes --from 2026-03-02T00:00:00Z")]
    Replay(Replay),
    /// Lists deliveries, newest first, each with its last attempt; JSON has all of them.
    #[command(after_help = "Example:\n  reflexctl subscriptions deliveries mes --state failed")]
    Deliveries(Deliveries),
    /// Delivers one event again, at once.
    #[command(
        after_help = "Example:\n  reflexctl subscriptions retry subscriptions/mes/deliveries/0199c0de-0000-7000-8000-000000000001"
    )]
    Retry {
        /// Name of the delivery.
        delivery: String,
    },
    /// Sends a ping and shows what came back.
    #[command(after_help = "Example:\n  reflexctl subscriptions test mes")]
    Test(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// Id or resource name of the subscription.
    subscription: String,
}

#[derive(Debug, Args)]
struct Put {
    #[command(flatten)]
    named: Named,
    /// Address that gets the events.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "URL")]
    endpoint: String,
    /// Type of events, for example lead.assigned.v1; may be given several times, never means all.
    #[arg(long = "event", value_name = "TYPE")]
    events: Vec<String>,
    /// Condition over the event, in the language of formulas.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "FORMULA")]
    filter: String,
    /// Signing secret, whsec_… or whsk_….
    #[arg(
        long,
        env = "REFLEX_SUBSCRIPTION_SECRET",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    secret: String,
    /// Lets names, telephones and mail addresses of people go along unmasked.
    #[arg(long)]
    personal_data: bool,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    named: Named,
    /// The secret from now on.
    #[arg(long, env = "REFLEX_SUBSCRIPTION_SECRET", hide_env_values = true)]
    secret: String,
    /// Hours the present one signs besides.
    #[arg(long, default_value_t = 24)]
    overlap_hours: u32,
}

#[derive(Debug, Args)]
struct Replay {
    #[command(flatten)]
    named: Named,
    /// Only events that happened then or later.
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
}

#[derive(Debug, Args)]
struct Deliveries {
    #[command(flatten)]
    named: Named,
    /// Only in this state.
    #[arg(long, value_enum)]
    state: Option<State>,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Pending,
    Delivered,
    Failed,
}

type Client = SubscriptionServiceClient<Wire>;

impl Subscriptions {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match self
            .connection
            .connect()
            .and_then(|it| Ok(Client::new(it.to(Owner::Notifications)?)))
        {
            Ok(client) => self.command.run(client, output).await,
            Err(error) => Err(error),
        };
        self.connection.explain(outcome)
    }
}

impl SubscriptionsCommand {
    async fn run(&self, client: Client, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::Put(put) => put.run(client, output).await,
            Self::List(page) => list(client, page, output).await,
            Self::Get(named) => {
                let request = GetSubscriptionRequest { name: named.name() };
                let response = answer(async || client.clone().get_subscription(request.clone()).await).await?;
                output.response(
                    "reflex.notifications.v1.GetSubscriptionResponse",
                    &response,
                    |response| render(response.subscription.as_ref(), output),
                )?;
                Ok(())
            }
            Self::Pause(named) => {
                let (name, request_id) = (named.name(), request_id());
                let request = PauseSubscriptionRequest { name, request_id };
                let response = answer(async || client.clone().pause_subscription(request.clone()).await).await?;
                output.response(
                    "reflex.notifications.v1.PauseSubscriptionResponse",
                    &response,
                    |response| render(response.subscription.as_ref(), output),
                )?;
                Ok(())
            }
            Self::Resume(named) => {
                let (name, request_id) = (named.name(), request_id());
                let request = ResumeSubscriptionRequest { name, request_id };
                let response = answer(async || client.clone().resume_subscription(request.clone()).await).await?;
                output.response(
                    "reflex.notifications.v1.ResumeSubscriptionResponse",
                    &response,
                    |response| render(response.subscription.as_ref(), output),
                )?;
                Ok(())
            }
            Self::Delete(named) => {
                let (name, request_id) = (named.name(), request_id());
                let request = DeleteSubscriptionRequest { name, request_id };
                let response = answer(async || client.clone().delete_subscription(request.clone()).await).await?;
                output.response("reflex.notifications.v1.DeleteSubscriptionResponse", &response, |_| {
                    format!("{} is deleted\n", request.name)
                })?;
                Ok(())
            }
            Self::Rotate(rotate) => rotate.run(client, output).await,
            Self::Replay(replay) => replay.run(client, output).await,
            Self::Deliveries(deliveries) => deliveries.run(client, output).await,
            Self::Retry { delivery } => {
                let (name, request_id) = (delivery.clone(), request_id());
                let request = RetryDeliveryRequest { name, request_id };
                let response = answer(async || client.clone().retry_delivery(request.clone()).await).await?;
                output.response("reflex.notifications.v1.RetryDeliveryResponse", &response, |_| {
                    format!("{delivery} goes out again\n")
                })?;
                Ok(())
            }
            Self::Test(named) => {
                let request = TestSubscriptionRequest { name: named.name() };
                let response = answer(async || client.clone().test_subscription(request.clone()).await).await?;
                output.response(
                    "reflex.notifications.v1.TestSubscriptionResponse",
                    &response,
                    render_test,
                )?;
                Ok(())
            }
        }
    }
}

impl Named {
    fn name(&self) -> String {
        named("subscriptions", &self.subscription)
    }
}

impl Put {
    async fn run(&self, client: Client, output: &Output) -> anyhow::Result<()> {
        let subscription = Subscription {
            name: self.named.name(),
            endpoint: self.endpoint.clone(),
            event_types: self.events.clone(),
            filter: self.filter.clone(),
            secret: self.secret.clone(),
            personal_data: self.personal_data,
            ..Subscription::default()
        };
        let request = PutSubscriptionRequest {
            subscription: Some(subscription),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().put_subscription(request.clone()).await).await?;
        output.response(
            "reflex.notifications.v1.PutSubscriptionResponse",
            &response,
            |response| render(response.subscription.as_ref(), output),
        )?;
        Ok(())
    }
}

impl Rotate {
    async fn run(&self, client: Client, output: &Output) -> anyhow::Result<()> {
        let overlap = Duration::from_secs(3_600 * u64::from(self.overlap_hours));
        let request = RotateSubscriptionSecretRequest {
            name: self.named.name(),
            secret: self.secret.clone(),
            overlap: Some(overlap.try_into().context("the overlap")?),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().rotate_subscription_secret(request.clone()).await).await?;
        output.response(
            "reflex.notifications.v1.RotateSubscriptionSecretResponse",
            &response,
            |response| render(response.subscription.as_ref(), output),
        )?;
        Ok(())
    }
}

impl Replay {
    /// Goes on until everything is replayed.
    async fn run(&self, client: Client, output: &Output) -> anyhow::Result<()> {
        let mut replayed = ReplaySubscriptionResponse::default();
        loop {
            let request = ReplaySubscriptionRequest {
                name: self.named.name(),
                from_time: self.from.map(|from| prost_types::Timestamp {
                    seconds: from.as_second(),
                    nanos: from.subsec_nanosecond(),
                }),
                cursor: replayed.next_cursor.clone(),
                request_id: request_id(),
            };
            let response = answer(async || client.clone().replay_subscription(request.clone()).await).await?;
            replayed.replayed = replayed.replayed.saturating_add(response.replayed);
            replayed.next_cursor = response.next_cursor;
            if replayed.next_cursor.is_empty() {
                break;
            }
        }
        output.response(
            "reflex.notifications.v1.ReplaySubscriptionResponse",
            &replayed,
            |replayed| format!("{} events go out again\n", replayed.replayed),
        )?;
        Ok(())
    }
}

impl Deliveries {
    async fn run(&self, client: Client, output: &Output) -> anyhow::Result<()> {
        let state = match self.state {
            None => delivery::State::Unspecified,
            Some(State::Pending) => delivery::State::Pending,
            Some(State::Delivered) => delivery::State::Delivered,
            Some(State::Failed) => delivery::State::Failed,
        };
        let request = ListDeliveriesRequest {
            parent: self.named.name(),
            state: state.into(),
            page_size: self.page.page_size.min(200),
            page_token: self.page.page_token.clone(),
        };
        let response = answer(async || client.clone().list_deliveries(request.clone()).await).await?;
        output.response(
            "reflex.notifications.v1.ListDeliveriesResponse",
            &response,
            |response| render_deliveries(response, output),
        )?;
        Ok(())
    }
}

async fn list(client: Client, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
    let request = ListSubscriptionsRequest {
        page_size: page.page_size.min(500),
        page_token: page.page_token.clone(),
    };
    let response = answer(async || client.clone().list_subscriptions(request.clone()).await).await?;
    output.response(
        "reflex.notifications.v1.ListSubscriptionsResponse",
        &response,
        render_list,
    )?;
    Ok(())
}

fn render_list(response: &ListSubscriptionsResponse) -> String {
    let mut table = Table::new(["SUBSCRIPTION", "STATE", "FAILURES", "ENDPOINT", "EVENTS"]);
    for subscription in &response.subscriptions {
        table.row([
            subscription.name.clone(),
            word(subscription.state().as_str_name(), "STATE_"),
            subscription.failures.to_string(),
            subscription.endpoint.clone(),
            events(subscription),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn events(subscription: &Subscription) -> String {
    if subscription.event_types.is_empty() {
        return "all".to_owned();
    }
    subscription.event_types.join(" ")
}

fn render(subscription: Option<&Subscription>, output: &Output) -> String {
    let Some(subscription) = subscription else {
        return String::new();
    };
    let mut facts = Table::new(["subscription", subscription.name.as_str()]);
    for (label, value) in [
        ("state", word(subscription.state().as_str_name(), "STATE_")),
        ("reason", subscription.reason.clone()),
        ("endpoint", subscription.endpoint.clone()),
        ("events", events(subscription)),
        ("filter", subscription.filter.clone()),
        (
            "people",
            if subscription.personal_data {
                "unmasked"
            } else {
                "masked"
            }
            .to_owned(),
        ),
        ("public keys", subscription.public_keys.join(" ")),
        (
            "former secret until",
            output.time(subscription.overlap_end_time.as_ref()),
        ),
        ("failures in a row", subscription.failures.to_string()),
        ("not called before", output.time(subscription.probe_time.as_ref())),
        ("changed", output.time(subscription.update_time.as_ref())),
    ] {
        if !value.is_empty() {
            facts.row([label.to_owned(), value]);
        }
    }
    facts.render(0)
}

fn render_deliveries(response: &ListDeliveriesResponse, output: &Output) -> String {
    let mut table = Table::new([
        "WRITTEN", "EVENT", "SUBJECT", "STATE", "ATTEMPTS", "LAST", "NEXT", "DELIVERY",
    ]);
    for delivery in &response.deliveries {
        table.row([
            output.time(delivery.create_time.as_ref()),
            delivery.event_type.clone(),
            delivery.subject.clone(),
            word(delivery.state().as_str_name(), "STATE_"),
            delivery.attempt_count.to_string(),
            delivery.attempts.last().map(said).unwrap_or_default(),
            output.time(delivery.next_attempt_time.as_ref()),
            delivery.name.clone(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn said(attempt: &DeliveryAttempt) -> String {
    let took = attempt
        .latency
        .as_ref()
        .and_then(|latency| Duration::try_from(*latency).ok());
    let took = took
        .map(|took| format!(" in {} ms", took.as_millis()))
        .unwrap_or_default();
    match (attempt.status_code, attempt.detail.as_str()) {
        (0, detail) => format!("{detail}{took}"),
        (status, _) => format!("{status}{took}"),
    }
}

fn render_test(response: &TestSubscriptionResponse) -> String {
    let Some(attempt) = &response.attempt else {
        return String::new();
    };
    format!("{}: {}\n", word(&attempt.outcome, ""), said(attempt))
}
