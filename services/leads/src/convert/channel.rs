//! Costs, orders and reports of channels between messages and domain types.

use reflex_proto::leads::v1 as pb;

use super::timestamp;
use crate::{
    domain::{
        channel_cost::RawChannelCost,
        channel_report::{Figures, Report},
        first_order::FirstOrder,
        ids::LeadId,
        month::Period,
    },
    store::channels::CostRow,
};

/// Converts a sent cost to what the domain checks.
pub(crate) fn raw_cost(cost: &pb::ChannelCost) -> RawChannelCost {
    RawChannelCost {
        name: cost.name.clone(),
        source: cost.source.clone(),
        title: cost.title.clone(),
        amount_fen: cost.amount_fen,
        first_month: cost.first_month.clone(),
        month_count: cost.month_count,
    }
}

/// Converts a cost.
pub(crate) fn cost(row: &CostRow) -> pb::ChannelCost {
    let cost = row.cost();
    pb::ChannelCost {
        name: cost.id.to_string(),
        source: cost.source,
        title: cost.title,
        amount_fen: cost.amount_fen,
        first_month: cost.first_month.to_string(),
        month_count: cost.month_count,
        update_time: Some(timestamp(row.update_time.to_jiff())),
    }
}

/// Converts an order.
pub(crate) fn first_order(lead: LeadId, order: FirstOrder) -> pb::FirstOrder {
    pb::FirstOrder {
        lead: lead.to_string(),
        order: order.order,
        order_time: Some(timestamp(order.time)),
        amount_fen: order.amount_fen,
    }
}

/// Converts a report.
pub(crate) fn report(report: &Report) -> pb::GetChannelReportResponse {
    let channels = report.channels.iter();
    let channels = channels.map(|channel| {
        let source = channel.source.clone().unwrap_or_default();
        figures(source, &channel.figures, report.period)
    });
    pb::GetChannelReportResponse {
        first_month: report.period.first.to_string(),
        last_month: report.period.last.to_string(),
        channels: channels.collect(),
        total: Some(figures(String::new(), &report.total, report.period)),
    }
}

fn figures(source: String, figures: &Figures, period: Period) -> pb::ChannelFigures {
    let permille = |number: Option<i64>| number.map(|number| i32::try_from(number).unwrap_or(i32::MAX));
    pb::ChannelFigures {
        source,
        lead_count: figures.leads,
        leads_per_month: figures.leads_per_month(period),
        cost_fen: figures.cost_fen,
        cost_per_lead_fen: figures.cost_per_lead(),
        due_lead_count: figures.due,
        followed_lead_count: figures.followed,
        follow_up_permille: permille(figures.follow_up_permille()),
        open_lead_count: figures.open(),
        open_followed_lead_count: figures.open_followed,
        cost_per_followed_lead_fen: figures.cost_per_followed_lead(),
        converted_lead_count: figures.converted,
        conversion_permille: permille(figures.conversion_permille()),
        first_order_count: figures.orders,
        first_order_cycle: figures
            .first_order_seconds()
            .map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        revenue_fen: figures.revenue_fen,
    }
}
