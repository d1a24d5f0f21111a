//! Leads as people read them.

use reflex_proto::leads::v1::{Lead, LeadTag, ListLeadsResponse};

use crate::output::{Output, Table, more, values, word};

pub(super) fn render_list(response: &ListLeadsResponse, output: &Output) -> String {
    let headings = [
        "NUMBER",
        "STATE",
        "URGENCY",
        "COMPANY",
        "TERRITORY",
        "PRODUCT",
        "OWNER",
        "CREATED",
        "CALL BY",
        "TAGS",
        "CALCULATED",
    ];
    let mut table = Table::new(headings);
    for lead in &response.leads {
        table.row([
            lead.number.clone(),
            word(lead.state().as_str_name(), "STATE_"),
            word(lead.urgency().as_str_name(), "URGENCY_"),
            lead.company.clone(),
            lead.territory.clone(),
            lead.product.clone(),
            lead.owner.clone(),
            output.time(lead.create_time.as_ref()),
            output.time(lead.contact_due_time.as_ref()),
            lead.tags
                .iter()
                .map(|tag| tag.tag.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            values(&lead.calculated_values),
        ]);
    }
    table.render(0) + &more(&response.next_page_token)
}

/// Writes every field that is set, one a line.
pub(super) fn render_lead(lead: &Lead, output: &Output) -> String {
    let mut table = Table::new(["number", lead.number.as_str()]);
    let mut row = |label: &str, value: String| {
        if !value.is_empty() {
            table.row([label.to_owned(), value]);
        }
    };
    row("name", lead.name.clone());
    row("state", word(lead.state().as_str_name(), "STATE_"));
    row("merged into", lead.merged_into.clone());
    row("waits for", lead.queue_reason.clone());
    row("company", lead.company.clone());
    row("contact", lead.contact_name.clone());
    row("phone", lead.phone.clone());
    row("email", lead.email.clone());
    row("territory", lead.territory.clone());
    row("product", lead.product.clone());
    row("urgency", word(lead.urgency().as_str_name(), "URGENCY_"));
    row("budget", budget(lead.budget_min_fen, lead.budget_max_fen));
    row("remark", lead.remark.clone());
    row(
        "source",
        [lead.source.as_str(), lead.external_id.as_str()]
            .join(" ")
            .trim()
            .to_owned(),
    );
    let version = lead.form_version;
    let form = if version > 0 {
        format!("{}, version {version}", lead.form)
    } else {
        lead.form.clone()
    };
    row("form", form);
    row("account", lead.account.clone());
    let mut attributes: Vec<_> = lead.attributes.iter().collect();
    attributes.sort();
    for (name, value) in attributes {
        row(name, value.clone());
    }
    row("calculated", values(&lead.calculated_values));
    row("tags", tags(lead, output));
    row("owner", lead.owner.clone());
    row("team", lead.team.clone());
    row("fencing token", lead.fencing_token.to_string());
    row("created", output.time(lead.create_time.as_ref()));
    row("assigned", output.time(lead.assign_time.as_ref()));
    row("claim by", output.time(lead.claim_due_time.as_ref()));
    row("claimed", output.time(lead.claim_time.as_ref()));
    let guess = if lead.due_provisional { " (provisional)" } else { "" };
    let due = output.time(lead.contact_due_time.as_ref());
    row("call by", if due.is_empty() { due } else { due + guess });
    row("first call", output.time(lead.first_contact_time.as_ref()));
    table.render(0)
}

/// Writes the tags, each with what gave it and until when it lasts.
fn tags(lead: &Lead, output: &Output) -> String {
    let tag = |tag: &LeadTag| {
        let by = if tag.tag_rule.is_empty() {
            tag.member.clone()
        } else {
            format!("{} v{}", tag.tag_rule, tag.tag_rule_version)
        };
        let until = tag
            .expire_time
            .as_ref()
            .map(|at| format!("until {}", output.time(Some(at))));
        let said: Vec<String> = [Some(by), Some(tag.evidence.clone()), until]
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .collect();
        if said.is_empty() {
            tag.tag.clone()
        } else {
            format!("{} ({})", tag.tag, said.join(", "))
        }
    };
    lead.tags.iter().map(tag).collect::<Vec<_>>().join(", ")
}

/// Writes fen as yuan.
fn budget(min_fen: i64, max_fen: i64) -> String {
    let yuan = |fen: i64| format!("{}.{:02}", fen / 100, fen % 100);
    match (min_fen, max_fen) {
        (0, 0) => String::new(),
        (min, 0) => format!("from {} CNY", yuan(min)),
        (0, max) => format!("up to {} CNY", yuan(max)),
        (min, max) => format!("{} to {} CNY", yuan(min), yuan(max)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_in_yuan() {
        for (min, max, expected) in [
            (0, 0, ""),
            (1_250, 0, "from 12.50 CNY"),
            (0, 100, "up to 1.00 CNY"),
            (5, 100_000_000, "0.05 to 1000000.00 CNY"),
        ] {
            assert_eq!(budget(min, max), expected);
        }
    }
}
