//! Files of leads.

use jiff::{SignedDuration, Timestamp};
use reflex_proto::leads::v1::{
    self as pb, FieldDifference, Import, import::State, lead, lead_file_settings::OnKnown as OnKnownMessage,
};

use super::timestamp;
use crate::{
    domain::{
        ids::{ImportId, MemberId},
        known_lead::OnKnown,
        lead::Urgency,
        lead_file::{Column, LeadFile, RawSettings, Refusal},
        masking,
        new_lead::NewLead,
    },
    store::{lead_imports::ImportRow, leads::stored},
};

/// Most characters of a value that is quoted.
const QUOTED: usize = 100;
/// An import or its undoing that has not gone on for so long broke off.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// Converts sent settings to what the domain checks.
pub(crate) fn raw_settings(message: pb::LeadFileSettings) -> RawSettings {
    let on_known = match OnKnownMessage::try_from(message.on_known) {
        Ok(OnKnownMessage::Unspecified | OnKnownMessage::Skip) => Some(OnKnown::Skip),
        Ok(OnKnownMessage::Fill) => Some(OnKnown::Fill),
        Ok(OnKnownMessage::Overwrite) => Some(OnKnown::Overwrite),
        Err(_) => None,
    };
    RawSettings {
        source: message.source,
        form: message.form,
        encoding: message.encoding,
        delimiter: message.delimiter,
        columns: message.columns.into_iter().collect(),
        on_known,
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

/// Tells what a field says before and after.
pub(crate) fn field_difference(
    field: &str,
    before: Option<&str>,
    after: Option<&str>,
    shows_contact: bool,
) -> FieldDifference {
    FieldDifference {
        field: field.to_owned(),
        before: shown(field, before, shows_contact),
        after: shown(field, after, shows_contact),
    }
}

/// Returns the beginning of what a field says, as the caller may see it.
pub(crate) fn shown(field: &str, value: Option<&str>, shows_contact: bool) -> String {
    let value = value.unwrap_or_default();
    let value = match field {
        "phone" if !shows_contact => masking::mask_phone(value),
        "email" if !shows_contact => masking::mask_email(value),
        _ => value.to_owned(),
    };
    value.chars().take(QUOTED).collect()
}

/// Converts an import.
pub(crate) fn import(row: &ImportRow, now: Timestamp) -> Import {
    let member = |id: Option<&str>| id.map(|id| stored::<MemberId>(id).to_string()).unwrap_or_default();
    let time = |at: Option<jiff_sqlx::Timestamp>| at.map(|at| timestamp(at.to_jiff()));
    Import {
        name: ImportId(row.import_id).to_string(),
        state: state(row, now).into(),
        member: member(row.member.as_deref()),
        source: row.source.clone(),
        create_time: time(Some(row.create_time)),
        update_time: time(Some(row.update_time)),
        complete_time: time(row.complete_time),
        row_count: row.row_count,
        stored_count: row.stored_count,
        existed_count: row.existed_count,
        updated_count: row.updated_count,
        conflict_count: row.conflict_count,
        refused_count: row.refused_count,
        undo_time: time(row.undo_time),
        undo_member: member(row.undo_member.as_deref()),
        undone_time: time(row.undone_time),
        removed_count: row.removed_count,
        restored_count: row.restored_count,
        kept_count: row.kept_count,
    }
}

fn state(row: &ImportRow, now: Timestamp) -> State {
    let is_alive = now.duration_since(row.update_time.to_jiff()) <= PATIENCE;
    match (row.undo_time, row.undone_time) {
        (Some(_), Some(_)) => State::Undone,
        (Some(_), None) if is_alive => State::Undoing,
        (Some(_), None) => State::UndoBrokenOff,
        _ if row.complete_time.is_some() => State::Complete,
        _ if row.cancel_time.is_some() => State::Cancelled,
        _ if is_alive => State::Running,
        _ => State::BrokenOff,
    }
}

/// Converts a count of lines or rows; no file has more than a message can say.
pub(crate) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
