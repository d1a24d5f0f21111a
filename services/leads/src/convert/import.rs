//! Files of leads.

use reflex_proto::leads::v1::{self as pb, lead};

use crate::domain::{
    lead::Urgency,
    lead_file::{Column, LeadFile, RawSettings, Refusal},
    new_lead::NewLead,
};

/// Converts sent settings to what the domain checks.
pub(crate) fn raw_settings(message: pb::LeadFileSettings) -> RawSettings {
    RawSettings {
        source: message.source,
        form: message.form,
        encoding: message.encoding,
        delimiter: message.delimiter,
        columns: message.columns.into_iter().collect(),
    }
}

/// Tells how a file is read.
pub(crate) fn lead_file(file: &LeadFile, columns: &[Column]) -> pb::LeadFile {
    let column = |column: &Column| pb::LeadColumn {
        heading: column.heading.clone(),
        field: column.field.name().to_owned(),
    };
    pb::LeadFile {
        encoding: file.encoding().name().to_owned(),
        delimiter: file.delimiter().to_string(),
        columns: columns.iter().map(column).collect(),
    }
}

/// Converts a fault of a row.
pub(crate) fn refused_row(line: u64, refusal: Refusal) -> pb::RefusedRow {
    pb::RefusedRow {
        line: count(line),
        column: refusal.column,
        value: refusal.value,
        description: refusal.reason.en,
        description_zh: refusal.reason.zh,
    }
}

/// Converts a lead that was read, without its raw payload.
pub(crate) fn read_lead(line: u64, lead: &NewLead) -> pb::ReadLead {
    let urgency = match lead.urgency {
        None => lead::Urgency::Unspecified,
        Some(Urgency::Red) => lead::Urgency::Red,
        Some(Urgency::Yellow) => lead::Urgency::Yellow,
        Some(Urgency::Green) => lead::Urgency::Green,
    };
    let message = pb::NewLead {
        source: lead.source.clone(),
        external_id: lead.external_id.clone(),
        company: lead.company.clone(),
        contact_name: lead.contact_name.clone(),
        phone: lead.phone.clone(),
        email: lead.email.clone(),
        territory: lead.territory.clone(),
        product: lead.product.clone(),
        urgency: urgency.into(),
        budget_min_fen: lead.budget_min_fen,
        budget_max_fen: lead.budget_max_fen,
        remark: lead.remark.clone(),
        account: lead.account.clone(),
        form: lead.form.as_ref().map(ToString::to_string).unwrap_or_default(),
        attributes: lead.attributes.clone().into_iter().collect(),
        raw_payload: Vec::new(),
    };
    pb::ReadLead {
        line: count(line),
        lead: Some(message),
    }
}

/// Converts a count of lines or rows; no file has more than a message can say.
pub(crate) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
