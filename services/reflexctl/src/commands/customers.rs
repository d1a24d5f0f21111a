//! `reflexctl customers`.

use clap::{Args, Subcommand, ValueEnum};
use reflex_proto::leads::v1::customer_service_client::CustomerServiceClient;
use reflex_proto::leads::v1::{
    Customer, CustomerTrack, Freshness, GetCustomerRequest, ListCustomersRequest, ListRelationsRequest,
    PutCustomerRequest, Relation, relation::Object,
};

use super::{answer, named, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::output::{Output, Table, more, word};

/// Shows customers: who they are, who works there, which devices they run, how often they buy.
#[derive(Debug, Args)]
pub(crate) struct Customers {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: CustomersCommand,
}

#[derive(Debug, Subcommand)]
enum CustomersCommand {
    /// Shows a customer with what is related to it, now or at an instant.
    #[command(after_help = "\
Examples:
  reflexctl customers get 苏州锻压
  reflexctl customers get 苏州锻压 --as-of 2026-01-01T00:00:00+08:00 --lang en")]
    Get {
        /// Key or resource name of its account.
        customer: String,
        /// When its relations have to hold.
        #[arg(long, value_name = "TIME")]
        as_of: Option<jiff::Timestamp>,
        /// Language of the headings.
        #[arg(long, value_enum, default_value_t = Language::Zh)]
        lang: Language,
    },
    /// Creates a customer, or replaces what is known of it; the day it is a customer since stays where it is left out.
    #[command(after_help = "\
Example:
  reflexctl customers put 苏州锻压 --display-name 苏州锻压有限公司 --credit-code 91350100M000100Y43 --industry C367-1")]
    Put(Put),
    /// Lists customers with how old what is known of them is.
    #[command(
        after_help = "Examples:\n  reflexctl customers list\n  reflexctl customers list --freshness stale --track full"
    )]
    List {
        /// Only those as fresh as this.
        #[arg(long, value_enum)]
        freshness: Option<Age>,
        /// Only those on this track.
        #[arg(long, value_enum)]
        track: Option<Track>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Lists the relations of a customer, those that are over included.
    #[command(after_help = "Example:\n  reflexctl customers relations 苏州锻压 --as-of 2026-01-01T00:00:00+08:00")]
    Relations {
        /// Key or resource name of its account.
        customer: String,
        /// Only those that held then.
        #[arg(long, value_name = "TIME")]
        as_of: Option<jiff::Timestamp>,
        #[command(flatten)]
        page: PageArgs,
    },
}

#[derive(Debug, Args)]
struct Put {
    /// Key or resource name of its account.
    customer: String,
    /// Name people read.
    #[arg(long)]
    display_name: String,
    /// Unified social credit code.
    #[arg(long, default_value = "", hide_default_value = true)]
    credit_code: String,
    /// Code of its industry.
    #[arg(long, default_value = "", hide_default_value = true)]
    industry: String,
    /// Version of the industries; the newest one if left out.
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N")]
    industry_version: i32,
    /// Since when it is a customer.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "YYYY-MM-DD")]
    since: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Age {
    Fresh,
    Ageing,
    Stale,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Track {
    Full,
    Lazy,
}

impl Customers {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = self.call(output).await;
        self.connection.explain(outcome)
    }

    async fn call(&self, output: &Output) -> anyhow::Result<()> {
        let client = CustomerServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        match &self.command {
            CustomersCommand::Get { customer, as_of, lang } => {
                let request = GetCustomerRequest {
                    name: named("accounts", customer),
                    as_of: as_of.map(message),
                };
                let response = answer(async || client.clone().get_customer(request.clone()).await).await?;
                output.response("reflex.leads.v1.GetCustomerResponse", &response, |response| {
                    render(&response.customer.clone().unwrap_or_default(), *lang, output)
                })?;
            }
            CustomersCommand::Put(put) => {
                let customer = Customer {
                    name: named("accounts", &put.customer),
                    display_name: put.display_name.clone(),
                    credit_code: put.credit_code.clone(),
                    industry: put.industry.clone(),
                    industry_version: put.industry_version,
                    since_date: put.since.clone(),
                    ..Customer::default()
                };
                let request = PutCustomerRequest {
                    customer: Some(customer),
                    request_id: request_id(),
                };
                let response = answer(async || client.clone().put_customer(request.clone()).await).await?;
                output.response("reflex.leads.v1.PutCustomerResponse", &response, |response| {
                    let stored = response.customer.clone().unwrap_or_default();
                    format!("{} {}\n", stored.name, stored.display_name)
                })?;
            }
            CustomersCommand::List { freshness, track, page } => {
                let request = ListCustomersRequest {
                    page_size: page.page_size.min(500),
                    page_token: page.page_token.clone(),
                    freshness: age(*freshness).into(),
                    track: track_of(*track).into(),
                };
                let response = answer(async || client.clone().list_customers(request.clone()).await).await?;
                output.response("reflex.leads.v1.ListCustomersResponse", &response, |response| {
                    let mut table = Table::new(["CUSTOMER", "NAME", "SINCE", "TRACK", "FRESHNESS", "CHANGED", "OWNER"]);
                    for it in &response.customers {
                        table.row([
                            it.name.clone(),
                            it.display_name.clone(),
                            it.since_date.clone(),
                            word(it.track().as_str_name(), "CUSTOMER_TRACK_"),
                            word(it.freshness().as_str_name(), "FRESHNESS_"),
                            output.time(it.update_time.as_ref()),
                            it.owner.clone(),
                        ]);
                    }
                    table.render(0) + &more(&response.next_page_token)
                })?;
            }
            CustomersCommand::Relations { customer, as_of, page } => {
                let request = ListRelationsRequest {
                    customer: named("accounts", customer),
                    as_of: as_of.map(message),
                    page_size: page.page_size.min(500),
                    page_token: page.page_token.clone(),
                };
                let response = answer(async || client.clone().list_relations(request.clone()).await).await?;
                output.response("reflex.leads.v1.ListRelationsResponse", &response, |response| {
                    relations(&response.relations, Language::En, output) + &more(&response.next_page_token)
                })?;
            }
        }
        Ok(())
    }
}

fn render(customer: &Customer, lang: Language, output: &Output) -> String {
    let mut table = Table::new(["", ""]);
    let industry = match customer.industry.as_str() {
        "" => String::new(),
        code => format!("{code} (v{})", customer.industry_version),
    };
    for (zh, en, value) in [
        ("客户", "customer", customer.name.clone()),
        ("名称", "name", customer.display_name.clone()),
        ("统一社会信用代码", "credit code", customer.credit_code.clone()),
        ("行业", "industry", industry),
        ("客户自", "since", customer.since_date.clone()),
        ("负责人", "owner", customer.owner.clone()),
        ("轨道", "track", word(customer.track().as_str_name(), "CUSTOMER_TRACK_")),
        ("待补充", "missing", customer.missing.join(", ")),
        ("最后更新时间", "changed", output.time(customer.update_time.as_ref())),
        (
            "新鲜度",
            "freshness",
            word(customer.freshness().as_str_name(), "FRESHNESS_"),
        ),
    ] {
        if !value.is_empty() {
            table.row([lang.pick(zh, en).to_owned(), value]);
        }
    }
    let text = table.render(0);
    let text = text.trim_start();
    format!("{text}\n{}", relations(&customer.relations, lang, output))
}

fn relations(relations: &[Relation], lang: Language, output: &Output) -> String {
    let headings = [
        ("对象", "WITH"),
        ("角色", "ROLE"),
        ("详情", "DETAILS"),
        ("自", "FROM"),
        ("至", "TO"),
        ("关系", "RELATION"),
    ];
    let mut table = Table::new(headings.map(|(zh, en)| lang.pick(zh, en)));
    for it in relations {
        let (with, details) = match &it.object {
            Some(Object::Contact(name)) => {
                let person = it.contact_details.clone().unwrap_or_default();
                let ways = person.phones.iter().chain(&person.emails).cloned().collect::<Vec<_>>();
                (
                    name.clone(),
                    format!("{} {} {}", person.display_name, person.title, ways.join(" ")),
                )
            }
            Some(Object::Device(name)) => {
                let device = it.device_details.clone().unwrap_or_default();
                let years = device
                    .service_years
                    .map(|years| format!("{years:.2} {}", lang.pick("年", "years")));
                let years = years.unwrap_or_default();
                (name.clone(), format!("{} {} {years}", device.model, device.serial))
            }
            Some(Object::PurchaseCycle(cycle)) => {
                let days = format!("{} {}", cycle.period_days, lang.pick("天", "days"));
                (cycle.product.clone(), format!("{days} {}", cycle.next_expected_date))
            }
            None => (String::new(), String::new()),
        };
        let (from, to) = (output.time(it.valid_from.as_ref()), output.time(it.valid_to.as_ref()));
        table.row([
            with,
            it.role.clone(),
            details.trim().to_owned(),
            from,
            to,
            it.name.clone(),
        ]);
    }
    table.render(0)
}

fn message(at: jiff::Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    }
}

fn age(age: Option<Age>) -> Freshness {
    match age {
        None => Freshness::Unspecified,
        Some(Age::Fresh) => Freshness::Fresh,
        Some(Age::Ageing) => Freshness::Ageing,
        Some(Age::Stale) => Freshness::Stale,
    }
}

fn track_of(track: Option<Track>) -> CustomerTrack {
    match track {
        None => CustomerTrack::Unspecified,
        Some(Track::Full) => CustomerTrack::Full,
        Some(Track::Lazy) => CustomerTrack::Lazy,
    }
}
