//! The answers of a filled-in form, checked against the schema they were made with.
//!
//! What is wrong is told in the language of the page, as people who fill in forms read it.

use std::collections::BTreeMap;

use super::form_schema::{Field, Kind, LeadField, Schema, choice::COMMAS};
use super::lead::Urgency;
use super::member::Locale;
use super::new_lead::RawLead;
use super::violation::Violation;
use fault::Fault;

mod fault;

/// Characters of an attribute's value, which several choices together may exceed.
const ATTRIBUTE_CHARACTERS: usize = 1000;
/// Digits of a phone number, an extension included.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 5..=24;

/// Reads what a lead gets from answers: every field of the schema is checked, what is none of them becomes an attribute.
/// Fields of the violations are the names of the answers.
///
/// # Errors
/// Returns everything that is wrong with them.
pub fn read(schema: &Schema, answers: BTreeMap<String, String>, locale: Locale) -> Result<RawLead, Vec<Violation>> {
    let mut reading = Reading {
        answers: answers
            .into_iter()
            .filter(|(_, answer)| !answer.trim().is_empty())
            .collect(),
        lead: RawLead::default(),
        violations: Vec::new(),
        locale,
    };
    for field in &schema.fields {
        reading.field(field);
    }
    reading.contact(schema);
    let Reading {
        answers,
        mut lead,
        violations,
        ..
    } = reading;
    lead.attributes.extend(answers);
    if violations.is_empty() {
        Ok(lead)
    } else {
        Err(violations)
    }
}

struct Reading {
    /// What no field has taken yet.
    answers: BTreeMap<String, String>,
    lead: RawLead,
    violations: Vec<Violation>,
    locale: Locale,
}

impl Reading {
    fn field(&mut self, field: &Field) {
        if field.kind == Kind::NumberRange {
            return self.range(field);
        }
        let Some(answer) = self.answers.remove(&field.id) else {
            if field.required {
                self.add(&field.id, &Fault::Missing);
            }
            return;
        };
        match check(field, answer.trim()) {
            Ok(answer) => self.fill(field, answer),
            Err(fault) => self.add(&field.id, &fault),
        }
    }

    fn fill(&mut self, field: &Field, answer: String) {
        let lead = &mut self.lead;
        let place = match field.target() {
            None | Some(LeadField::Budget) => {
                lead.attributes.insert(field.id.clone(), answer);
                return;
            }
            Some(LeadField::Urgency) => {
                lead.urgency = Urgency::read(&answer);
                return;
            }
            Some(LeadField::Company) => &mut lead.company,
            Some(LeadField::ContactName) => &mut lead.contact_name,
            Some(LeadField::Phone) => &mut lead.phone,
            Some(LeadField::Email) => &mut lead.email,
            Some(LeadField::Territory) => &mut lead.territory,
            Some(LeadField::Product) => &mut lead.product,
            Some(LeadField::Remark) => &mut lead.remark,
            Some(LeadField::Account) => &mut lead.account,
        };
        *place = answer;
    }

    fn range(&mut self, field: &Field) {
        let names = field.answer_names();
        let answers: Vec<Option<String>> = names.iter().map(|name| self.answers.remove(name)).collect();
        if field.required && answers.iter().all(Option::is_none) {
            self.add(&names[0], &Fault::Missing);
        }
        let mut ends = [None, None];
        for (at, answer) in answers.iter().enumerate() {
            let Some(answer) = answer else { continue };
            match number(field, answer) {
                Ok(hundredths) => ends[at] = Some(hundredths),
                Err(fault) => self.add(&names[at], &fault),
            }
        }
        if let [Some(least), Some(most)] = ends
            && most < least
        {
            self.add(&names[1], &Fault::Reversed);
        }
        if field.target() == Some(LeadField::Budget) {
            self.lead.budget_min_fen = ends[0].unwrap_or_default();
            self.lead.budget_max_fen = ends[1].unwrap_or_default();
        } else {
            let given = names.into_iter().zip(answers);
            let trimmed = given.filter_map(|(name, answer)| Some((name, answer?.trim().to_owned())));
            self.lead.attributes.extend(trimmed);
        }
    }

    /// A lead nobody can be called for is none; which of the fields says so is the sender's choice.
    fn contact(&mut self, schema: &Schema) {
        let lead = &self.lead;
        let texts = [&lead.company, &lead.contact_name, &lead.phone, &lead.email];
        let told = |name: &str| self.violations.iter().any(|violation| violation.field == name);
        let mut contacts = schema.contacts().peekable();
        let Some(first) = contacts.peek().map(|field| field.id.clone()) else {
            return;
        };
        if texts.iter().any(|text| !text.is_empty()) || schema.contacts().any(|field| told(&field.id)) {
            return;
        }
        let labels = contacts.map(|field| field.label.in_language(self.locale).to_owned());
        let fault = Fault::NoContact(labels.collect());
        self.add(&first, &fault);
    }

    fn add(&mut self, name: &str, fault: &Fault) {
        self.violations.push(Violation {
            field: name.to_owned(),
            description: fault.text(self.locale),
        });
    }
}

/// Checks one answer and returns what is kept of it.
fn check(field: &Field, answer: &str) -> Result<String, Fault> {
    let is_line_space = |character| matches!(character, '\n' | '\r' | '\t');
    if answer
        .chars()
        .any(|character| character.is_control() && !is_line_space(character))
    {
        return Err(Fault::Control);
    }
    let value = match field.kind {
        Kind::SingleSelect => choose(field, answer)?.to_owned(),
        Kind::MultiSelect => choose_several(field, answer)?,
        Kind::Urgency => Urgency::read(answer).map(|_| answer.to_owned()).ok_or(Fault::Urgency)?,
        Kind::Phone if !is_phone(answer) => return Err(Fault::Phone),
        Kind::Email if !is_email(answer) => return Err(Fault::Email),
        _ => answer.to_owned(),
    };
    let most = match field.kind {
        Kind::MultiSelect => ATTRIBUTE_CHARACTERS,
        _ => field.limit(),
    };
    let characters = value.chars().count();
    if characters > most {
        return Err(Fault::TooLong { most, characters });
    }
    Ok(value)
}

fn choose<'a>(field: &'a Field, answer: &str) -> Result<&'a str, Fault> {
    let chosen = field.options.iter().find(|option| option.value == answer);
    chosen
        .map(|option| option.value.as_str())
        .ok_or_else(|| Fault::Choice(field.options.iter().map(|option| option.value.clone()).collect()))
}

/// Returns the chosen values in the order of the options, each once.
fn choose_several(field: &Field, answer: &str) -> Result<String, Fault> {
    let parts: Vec<&str> = answer
        .split(COMMAS)
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    for part in &parts {
        choose(field, part)?;
    }
    let values = field.options.iter().map(|option| option.value.as_str());
    let chosen: Vec<&str> = values.filter(|value| parts.contains(value)).collect();
    if chosen.is_empty() {
        return Err(Fault::Missing);
    }
    Ok(chosen.join(", "))
}

/// Reads an end of a range in hundredths.
fn number(field: &Field, answer: &str) -> Result<i64, Fault> {
    let hundredths = reflex_money::fen(answer).ok_or(Fault::Number)?;
    if hundredths < field.minimum * 100 {
        return Err(Fault::Below(field.minimum));
    }
    if field.maximum > 0 && hundredths > field.maximum * 100 {
        return Err(Fault::Above(field.maximum));
    }
    Ok(hundredths)
}

/// Tells whether somebody can dial it: digits with what people write between them, and an extension perhaps.
fn is_phone(text: &str) -> bool {
    let between = |character: char| {
        character.is_whitespace() || "+-()（）.—－转分机/#".contains(character) || "ext".contains(character)
    };
    let text = text.to_ascii_lowercase();
    let is_digit = |character: char| character.is_ascii_digit() || ('０'..='９').contains(&character);
    let digits = text.chars().filter(|&character| is_digit(character)).count();
    PHONE_DIGITS.contains(&digits) && text.chars().all(|character| is_digit(character) || between(character))
}

/// Tells whether mail could go there; only the other side knows whether it arrives.
fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.rsplit_once('@') else {
        return false;
    };
    let plain =
        |text: &str| !text.contains(|character: char| character.is_whitespace() || "@,;<>()\"".contains(character));
    let labels: Vec<&str> = host.split('.').collect();
    !name.is_empty() && plain(name) && plain(host) && labels.len() > 1 && labels.iter().all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests;
