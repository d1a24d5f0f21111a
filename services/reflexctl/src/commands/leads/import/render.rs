//! What became of a file, for people.

use std::fmt::Write as _;

use reflex_proto::leads::v1::{FieldDifference, ImportLeadsResponse, ReadLead};

use super::report::reason;
use crate::cli::Language;
use crate::output::{Table, one_line, word};

/// Faults that are shown; a report has all that are listed.
const SHOWN: usize = 50;

/// Writes a preview, or what was done.
pub(super) fn told(told: &ImportLeadsResponse, preview: bool, lang: Language) -> String {
    let mut text = String::new();
    if preview {
        text += &columns(told);
        text += &rows(&told.leads);
    }
    text += &known(told, lang);
    text += &refused(told, lang);
    let (stored, existed, refused) = (told.stored_count, told.existed_count, told.refused_count);
    let of_known = match (told.updated_count, told.conflict_count) {
        (0, 0) => String::new(),
        (updated, conflicts) => format!(" ({updated} of them updated, {conflicts} in conflict)"),
    };
    if !preview {
        return text + &format!("{stored} stored, {existed} stored before{of_known}, {refused} refused");
    }
    for row in told.repeated_rows.iter().take(SHOWN) {
        let (line, first) = (row.line, row.first_line);
        let id = one_line(&row.external_id);
        let _ = writeln!(text, "line {line} has the id of line {first}, {id}");
    }
    let repeated = told.repeated_count;
    let known = match existed {
        0 => String::new(),
        existed => format!(", {existed} are stored already{of_known}"),
    };
    text + &format!("{stored} can be stored ({repeated} of them repeat an id){known}, {refused} would be refused")
}

/// Writes what becomes of known leads, a line a field.
fn known(told: &ImportLeadsResponse, lang: Language) -> String {
    if told.known_rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["LINE", "ID", "KNOWN LEAD", "FIELD", "BEFORE", "AFTER", "WHY NOT"]);
    for row in told.known_rows.iter().take(SHOWN) {
        let outcome = word(row.outcome().as_str_name(), "OUTCOME_");
        let why_not = lang.pick(&row.description_zh, &row.description);
        let mut lead = [row.line.to_string(), row.external_id.clone(), outcome];
        let mut differences = row.differences.clone();
        if differences.is_empty() {
            differences.push(FieldDifference::default());
        }
        for difference in differences {
            let [line, id, outcome] = std::mem::take(&mut lead);
            let why_not = if line.is_empty() { "" } else { why_not };
            table.row([
                line,
                id,
                outcome,
                difference.field,
                difference.before,
                difference.after,
                why_not.to_owned(),
            ]);
        }
    }
    table.render(0) + "\n"
}

fn columns(told: &ImportLeadsResponse) -> String {
    let Some(file) = &told.file else {
        return String::new();
    };
    let mut table = Table::new(["COLUMN", "FIELD"]);
    for column in &file.columns {
        table.row([column.heading.clone(), column.field.clone()]);
    }
    format!(
        "{}, delimiter {:?}\n{}\n",
        file.encoding,
        file.delimiter,
        table.render(0)
    )
}

fn rows(leads: &[ReadLead]) -> String {
    if leads.is_empty() {
        return String::new();
    }
    let headings = [
        "LINE",
        "SOURCE",
        "ID",
        "COMPANY",
        "CONTACT",
        "PHONE",
        "TERRITORY",
        "PRODUCT",
        "URGENCY",
    ];
    let mut table = Table::new(headings);
    for read in leads {
        let lead = read.lead.clone().unwrap_or_default();
        let urgency = word(lead.urgency().as_str_name(), "URGENCY_");
        table.row([
            read.line.to_string(),
            lead.source,
            lead.external_id,
            lead.company,
            lead.contact_name,
            lead.phone,
            lead.territory,
            lead.product,
            urgency,
        ]);
    }
    table.render(0) + "\n"
}

fn refused(told: &ImportLeadsResponse, lang: Language) -> String {
    if told.refused.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["LINE", "COLUMN", "VALUE", "WHAT IS WRONG"]);
    for row in told.refused.iter().take(SHOWN) {
        table.row([
            row.line.to_string(),
            row.column.clone(),
            row.value.clone(),
            reason(row, lang).clone(),
        ]);
    }
    let more = match told.refused.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("and {more} more faults; --report writes them to a file\n"),
    };
    table.render(0) + &more + "\n"
}
