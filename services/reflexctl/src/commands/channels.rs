//! `reflexctl channels`.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use reflex_proto::leads::v1::channel_service_client::ChannelServiceClient;
use reflex_proto::leads::v1::{
    ChannelCost, ChannelFigures, ExportChannelReportRequest, FirstOrder, GetChannelReportRequest,
    GetChannelReportResponse, ListChannelCostsRequest, ListChannelCostsResponse, PutChannelCostRequest,
    RecordFirstOrderRequest,
};

use super::{answer, lead_name, named, request_id};
use crate::bundle::Owner;
use crate::cli::{ConnectionArgs, Language, PageArgs};
use crate::connection::Connection;
use crate::output::{Output, Table, more};

/// Shows what the channels that leads come by cost and bring; bundles set costs up, too (`kind: ChannelCost`).
#[derive(Debug, Args)]
pub(crate) struct Channels {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: ChannelsCommand,
}

#[derive(Debug, Subcommand)]
enum ChannelsCommand {
    /// Shows leads, costs, 7-day effective follow-up, first-order cycle, conversion and revenue by channel.
    #[command(after_help = "\
An effective follow-up is a call or visit within 7 x 24 hours of the capture; leads whose days are not over are apart.

Examples:
  reflexctl channels report --tenant huakang-east
  reflexctl channels report --month 2026-01 --last-month 2026-11 --lang en
  reflexctl channels report --csv > channels.csv")]
    Report(Report),
    /// Lists what is paid for channels.
    #[command(after_help = "Example:\n  reflexctl channels costs --tenant huakang-east")]
    Costs {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Puts what is paid for a channel, to be borne by one month or by several in equal shares.
    #[command(after_help = "\
Example:
  reflexctl channels cost spring-fair --source 展会 --title 展位摊销 --yuan 36000 --month 2026-03 --months 12")]
    Cost(Cost),
    /// Tells the first order that a lead led to; of several the earliest stands.
    #[command(after_help = "\
Example:
  reflexctl channels order L000123 --order SO-2026-17 --time 2026-03-20T10:00:00+08:00 --yuan 128000")]
    Order(Order),
}

#[derive(Debug, Args)]
struct Report {
    /// First month, in the tenant's time zone; the present one if left out.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "YYYY-MM")]
    month: String,
    /// Last month; the first one if left out.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "YYYY-MM")]
    last_month: String,
    /// Write a CSV file that spreadsheets open to standard output.
    #[arg(long)]
    csv: bool,
    /// Language of the headings.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    lang: Language,
}

#[derive(Debug, Args)]
struct Cost {
    /// Id of the cost, with or without channelCosts/; one that exists is replaced.
    id: String,
    /// The channel: the source that leads carry.
    #[arg(long)]
    source: String,
    /// What is paid for.
    #[arg(long, default_value = "", hide_default_value = true)]
    title: String,
    /// How much, in yuan.
    #[arg(long, value_parser = fen, value_name = "YUAN")]
    yuan: i64,
    /// First month that bears it.
    #[arg(long, value_name = "YYYY-MM")]
    month: String,
    /// How many months bear it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=120), value_name = "N")]
    months: i32,
}

#[derive(Debug, Args)]
struct Order {
    /// Number, id or resource name of the lead.
    lead: String,
    /// Number of the order.
    #[arg(long = "order", value_name = "NUMBER")]
    number: String,
    /// When it was made.
    #[arg(long, value_name = "TIME")]
    time: jiff::Timestamp,
    /// What it is worth, in yuan.
    #[arg(long, value_parser = fen, value_name = "YUAN")]
    yuan: i64,
}

impl Channels {
    pub(crate) async fn run(self, output: &Output) -> anyhow::Result<()> {
        let outcome = match &self.command {
            ChannelsCommand::Report(report) => self.report(report, output).await,
            ChannelsCommand::Costs { page } => self.costs(page, output).await,
            ChannelsCommand::Cost(cost) => self.cost(cost, output).await,
            ChannelsCommand::Order(order) => self.order(order, output).await,
        };
        self.connection.explain(outcome)
    }

    async fn report(&self, report: &Report, output: &Output) -> anyhow::Result<()> {
        let connection = self.connection.connect()?;
        let client = ChannelServiceClient::new(connection.to(Owner::Leads)?);
        if report.csv {
            let request = ExportChannelReportRequest {
                first_month: report.month.clone(),
                last_month: report.last_month.clone(),
                language: report.lang.pick("zh", "en").to_owned(),
            };
            let file = answer(async || client.clone().export_channel_report(request.clone()).await).await?;
            io::stdout().lock().write_all(&file.csv)?;
            return Ok(());
        }
        let request = GetChannelReportRequest {
            first_month: report.month.clone(),
            last_month: report.last_month.clone(),
        };
        let response = answer(async || client.clone().get_channel_report(request.clone()).await).await?;
        output.response("reflex.leads.v1.GetChannelReportResponse", &response, |response| {
            render_report(response, report.lang)
        })?;
        Ok(())
    }

    async fn costs(&self, page: &PageArgs, output: &Output) -> anyhow::Result<()> {
        let client = ChannelServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let request = ListChannelCostsRequest {
            page_size: page.page_size.min(500),
            page_token: page.page_token.clone(),
        };
        let response = answer(async || client.clone().list_channel_costs(request.clone()).await).await?;
        output.response("reflex.leads.v1.ListChannelCostsResponse", &response, render_costs)?;
        Ok(())
    }

    async fn cost(&self, cost: &Cost, output: &Output) -> anyhow::Result<()> {
        let client = ChannelServiceClient::new(self.connection.connect()?.to(Owner::Leads)?);
        let request = PutChannelCostRequest {
            channel_cost: Some(ChannelCost {
                name: named("channelCosts", &cost.id),
                source: cost.source.clone(),
                title: cost.title.clone(),
                amount_fen: cost.yuan,
                first_month: cost.month.clone(),
                month_count: cost.months,
                update_time: None,
            }),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().put_channel_cost(request.clone()).await).await?;
        output.response("reflex.leads.v1.PutChannelCostResponse", &response, |response| {
            let stored = response.channel_cost.clone().unwrap_or_default();
            format!("{} {} ¥{}\n", stored.name, stored.source, yuan(stored.amount_fen))
        })?;
        Ok(())
    }

    async fn order(&self, order: &Order, output: &Output) -> anyhow::Result<()> {
        let connection: Connection = self.connection.connect()?;
        let client = ChannelServiceClient::new(connection.to(Owner::Leads)?);
        let request = RecordFirstOrderRequest {
            first_order: Some(FirstOrder {
                lead: lead_name(&connection, &order.lead).await?,
                order: order.number.clone(),
                order_time: Some(prost_types::Timestamp {
                    seconds: order.time.as_second(),
                    nanos: order.time.subsec_nanosecond(),
                }),
                amount_fen: order.yuan,
            }),
            request_id: request_id(),
        };
        let response = answer(async || client.clone().record_first_order(request.clone()).await).await?;
        output.response("reflex.leads.v1.RecordFirstOrderResponse", &response, |response| {
            let stands = response.first_order.clone().unwrap_or_default();
            format!("{} {} ¥{}\n", stands.lead, stands.order, yuan(stands.amount_fen))
        })?;
        Ok(())
    }
}

fn render_report(response: &GetChannelReportResponse, lang: Language) -> String {
    let headings = [
        ("渠道", "CHANNEL"),
        ("线索", "LEADS"),
        ("月均", "A MONTH"),
        ("成本¥", "COST ¥"),
        ("单条¥", "A LEAD ¥"),
        ("7天跟进", "7-DAY FOLLOW-UP"),
        ("未满7天", "NOT YET 7 DAYS"),
        ("有效跟进单条¥", "A FOLLOWED LEAD ¥"),
        ("转化", "CONVERTED"),
        ("首单周期", "FIRST ORDER"),
        ("收入¥", "REVENUE ¥"),
    ];
    let mut table = Table::new(headings.map(|(zh, en)| lang.pick(zh, en)));
    for channel in &response.channels {
        let name = if channel.source.is_empty() {
            lang.pick("其他", "others").to_owned()
        } else {
            channel.source.clone()
        };
        table.row(cells(name, channel, lang));
    }
    let total = response.total.clone().unwrap_or_default();
    table.row(cells(lang.pick("合计", "total").to_owned(), &total, lang));
    let months = if response.first_month == response.last_month {
        response.first_month.clone()
    } else {
        format!("{} – {}", response.first_month, response.last_month)
    };
    format!("{months}\n{}", table.render(0))
}

fn cells(name: String, figures: &ChannelFigures, lang: Language) -> [String; 11] {
    let money = |fen: Option<i64>| fen.map(yuan).unwrap_or_default();
    let percent = |permille: Option<i32>| {
        let written = permille.map(|permille| format!("{}.{} %", permille / 10, permille % 10));
        written.unwrap_or_default()
    };
    let days = figures.first_order_cycle.as_ref().map(|cycle| {
        // In tenths of a day, rounded half up.
        let tenths = (cycle.seconds + 4_320) / 8_640;
        format!("{}.{} {}", tenths / 10, tenths % 10, lang.pick("天", "d"))
    });
    let open = match figures.open_lead_count {
        0 => String::new(),
        open => format!("{} / {open}", figures.open_followed_lead_count),
    };
    [
        name,
        figures.lead_count.to_string(),
        figures.leads_per_month.to_string(),
        yuan(figures.cost_fen),
        money(figures.cost_per_lead_fen),
        percent(figures.follow_up_permille),
        open,
        money(figures.cost_per_followed_lead_fen),
        percent(figures.conversion_permille),
        days.unwrap_or_default(),
        yuan(figures.revenue_fen),
    ]
}

fn render_costs(response: &ListChannelCostsResponse) -> String {
    let mut table = Table::new(["COST", "CHANNEL", "TITLE", "YUAN", "FROM", "MONTHS"]);
    for cost in &response.channel_costs {
        table.row([
            cost.name.clone(),
            cost.source.clone(),
            cost.title.clone(),
            yuan(cost.amount_fen),
            cost.first_month.clone(),
            cost.month_count.to_string(),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

fn fen(text: &str) -> anyhow::Result<i64> {
    reflex_money::fen(text).with_context(|| format!("{text:?} is no amount of yuan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_what_is_known() {
        let known = ChannelFigures {
            source: "百度".into(),
            lead_count: 86,
            leads_per_month: 86,
            cost_fen: 1_866_200,
            cost_per_lead_fen: Some(21_700),
            follow_up_permille: Some(920),
            cost_per_followed_lead_fen: Some(23_587),
            first_order_cycle: Some(prost_types::Duration {
                seconds: 38 * 86_400,
                nanos: 0,
            }),
            ..ChannelFigures::default()
        };
        let open = ChannelFigures {
            open_lead_count: 4,
            open_followed_lead_count: 1,
            ..ChannelFigures::default()
        };
        let response = GetChannelReportResponse {
            first_month: "2026-03".into(),
            last_month: "2026-03".into(),
            channels: vec![known, open],
            total: None,
        };
        let text = render_report(&response, Language::En);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "2026-03");
        for cell in ["百度", "18662.00", "217.00", "92.0 %", "235.87", "38.0 d"] {
            assert!(lines[2].contains(cell), "{cell} is in {:?}", lines[2]);
        }
        assert!(
            lines[3].starts_with("others") && lines[3].contains("1 / 4"),
            "{:?}",
            lines[3]
        );
        assert!(lines[4].starts_with("total"));
    }
}
