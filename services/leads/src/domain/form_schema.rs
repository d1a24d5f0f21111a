//! What a form asks: its fields, checked when they are published. How answers are checked is `submission`'s.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::violation::{Violation, Violations};
pub use choice::Choice;
pub use text::Text;

pub(super) mod choice;
mod text;

const MAX_FIELDS: usize = 50;
const MAX_ID_CHARACTERS: usize = 40;
/// Characters of an attribute's value.
const ATTRIBUTE_CHARACTERS: usize = 1000;
/// A page loads all of it before it shows anything.
const MAX_BYTES: usize = 64 * 1024;
/// Names of a post that are not answers.
const RESERVED: [&str; 3] = ["external_id", "form_version", "request_id"];

/// A schema as it was published; it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// 1, 2, 3 …
    pub number: i32,
    /// The fields.
    pub schema: Schema,
    /// When it was published.
    pub create_time: Timestamp,
}

/// The fields of a form in the order people fill them in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// At least one, and one that says whom to call.
    pub fields: Vec<Field>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// How answers name it.
    pub id: String,
    /// What is asked for.
    pub kind: Kind,
    /// What the page calls it.
    pub label: Text,
    /// Help below the label.
    pub hint: Text,
    /// Whether it must be answered.
    pub required: bool,
    /// Choices of a select.
    pub options: Vec<Choice>,
    /// Characters of a text; 0 for what the lead takes.
    pub max_length: i32,
    /// Least number of a range.
    pub minimum: i64,
    /// Largest number of a range; 0 for no limit.
    pub maximum: i64,
    /// Field of the lead it fills; without one it becomes an attribute.
    pub fills: Option<LeadField>,
}

/// A field as it was sent, not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawField {
    /// How answers name it.
    pub id: String,
    /// What is asked for, if it is known.
    pub kind: Option<Kind>,
    /// What the page calls it.
    pub label: Text,
    /// Help below the label.
    pub hint: Text,
    /// Whether it must be answered.
    pub required: bool,
    /// Choices of a select.
    pub options: Vec<Choice>,
    /// Characters of a text.
    pub max_length: i32,
    /// Least number of a range.
    pub minimum: i64,
    /// Largest number of a range.
    pub maximum: i64,
    /// Field of the lead it fills.
    pub fills: Option<LeadField>,
}

/// What a field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line.
    ShortText,
    /// Several lines.
    LongText,
    /// A phone number.
    Phone,
    /// A mail address.
    Email,
    /// One of the options.
    SingleSelect,
    /// Some of the options.
    MultiSelect,
    /// Two numbers.
    NumberRange,
    /// 红, 黄 or 绿.
    Urgency,
}

/// Field of a lead that a form can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadField {
    /// Company.
    Company,
    /// Contact person.
    ContactName,
    /// Phone.
    Phone,
    /// Mail address.
    Email,
    /// Territory.
    Territory,
    /// Product.
    Product,
    /// Free text.
    Remark,
    /// Account.
    Account,
    /// Urgency.
    Urgency,
    /// Lowest and highest budget.
    Budget,
}

impl Schema {
    /// Checks the fields of a form. Fields of the violations start with `path`.
    ///
    /// # Errors
    /// Returns everything that is wrong with them.
    pub fn parse(path: &str, raw: Vec<RawField>) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let path = format!("{path}.fields");
        if !(1..=MAX_FIELDS).contains(&raw.len()) {
            violations.add(path.as_str(), format!("must be 1 to {MAX_FIELDS}"));
            return Err(violations.into_vec());
        }
        let (mut names, mut filled) = (BTreeSet::new(), BTreeSet::new());
        let mut fields = Vec::with_capacity(raw.len());
        for (at, raw) in raw.into_iter().enumerate() {
            let path = format!("{path}[{at}]");
            let Some(field) = Field::parse(&mut violations, &path, raw) else {
                continue;
            };
            if !field.answer_names().into_iter().all(|name| names.insert(name)) {
                violations.add(
                    format!("{path}.id"),
                    "must differ from what other fields are answered under",
                );
            }
            if field.target().is_some_and(|fills| !filled.insert(fills)) {
                violations.add(format!("{path}.fills"), "is filled by another field already");
            }
            fields.push(field);
        }
        let schema = Self { fields };
        if violations.is_empty() && schema.contacts().next().is_none() {
            let rule = "must have one that fills the company, contact_name, phone or email";
            violations.add(path.as_str(), rule);
        }
        let bytes = serde_json::to_vec(&schema).map_or(usize::MAX, |json| json.len());
        if bytes > MAX_BYTES {
            violations.add(path, format!("must be at most {MAX_BYTES} bytes as JSON, are {bytes}"));
        }
        if violations.is_empty() {
            Ok(schema)
        } else {
            Err(violations.into_vec())
        }
    }

    /// Returns the fields that say whom to call.
    pub fn contacts(&self) -> impl Iterator<Item = &Field> {
        let contact = |field: &&Field| field.fills.is_some_and(LeadField::is_contact);
        self.fields.iter().filter(contact)
    }
}

impl Field {
    fn parse(violations: &mut Violations, path: &str, raw: RawField) -> Option<Self> {
        let at = |part: &str| format!("{path}.{part}");
        if !is_id(&raw.id) {
            let rule = format!(
                "must be 1 to {MAX_ID_CHARACTERS} of a-z, 0-9 and \"_\", the first a letter, and none of {}",
                RESERVED.join(", ")
            );
            violations.add(at("id"), rule);
        }
        let label = raw.label.parse(violations, &at("label"));
        if label.is_empty() {
            violations.add(at("label"), "must be given in Chinese or English");
        }
        let hint = raw.hint.parse(violations, &at("hint"));
        let Some(kind) = raw.kind else {
            violations.add(at("kind"), "must be given");
            return None;
        };
        if raw.fills.is_some_and(|fills| !kind.may_fill(fills)) {
            violations.add(at("fills"), "cannot be filled by a field of this kind");
        }
        let field = Self {
            options: choice::parse(violations, &at("options"), kind, &raw.options),
            id: raw.id,
            kind,
            label,
            hint,
            required: raw.required,
            max_length: raw.max_length,
            minimum: raw.minimum,
            maximum: raw.maximum,
            fills: raw.fills,
        };
        field.check_limits(violations, path);
        Some(field)
    }

    fn check_limits(&self, violations: &mut Violations, path: &str) {
        if matches!(self.kind, Kind::ShortText | Kind::LongText) {
            let most = i32::try_from(self.lead_limit()).unwrap_or(i32::MAX);
            violations.number(&format!("{path}.max_length"), self.max_length, 0..=most);
        } else if self.max_length != 0 {
            violations.add(format!("{path}.max_length"), "is for texts only");
        }
        if self.kind == Kind::NumberRange {
            violations.number(&format!("{path}.minimum"), self.minimum, 0..=reflex_money::MAX_YUAN);
            violations.number(&format!("{path}.maximum"), self.maximum, 0..=reflex_money::MAX_YUAN);
            if self.maximum != 0 && self.maximum < self.minimum {
                violations.add(format!("{path}.maximum"), "must be 0 or not below minimum");
            }
        } else if (self.minimum, self.maximum) != (0, 0) {
            violations.add(format!("{path}.minimum"), "is for number ranges only, as is maximum");
        }
    }

    /// Returns the names it is answered under.
    #[must_use]
    pub fn answer_names(&self) -> Vec<String> {
        match self.kind {
            Kind::NumberRange => ["min", "max"].map(|end| format!("{}_{end}", self.id)).to_vec(),
            _ => vec![self.id.clone()],
        }
    }

    /// Returns the field of the lead it fills; of an urgency there is no need to say so.
    #[must_use]
    pub fn target(&self) -> Option<LeadField> {
        match self.kind {
            Kind::Urgency => Some(LeadField::Urgency),
            _ => self.fills,
        }
    }

    /// Returns how many characters a text answer may have.
    #[must_use]
    pub fn limit(&self) -> usize {
        let own = usize::try_from(self.max_length).ok().filter(|&own| own > 0);
        own.unwrap_or_else(|| self.lead_limit())
    }

    fn lead_limit(&self) -> usize {
        self.fills.map_or(ATTRIBUTE_CHARACTERS, LeadField::characters)
    }
}

impl Kind {
    fn may_fill(self, fills: LeadField) -> bool {
        use LeadField::{Account, Budget, Company, ContactName, Email, Phone, Product, Remark, Territory, Urgency};
        match self {
            Self::ShortText | Self::SingleSelect => {
                matches!(fills, Company | ContactName | Territory | Product | Remark | Account)
            }
            Self::LongText => fills == Remark,
            Self::Phone => fills == Phone,
            Self::Email => fills == Email,
            Self::NumberRange => fills == Budget,
            Self::Urgency => fills == Urgency,
            Self::MultiSelect => false,
        }
    }

    fn is_select(self) -> bool {
        matches!(self, Self::SingleSelect | Self::MultiSelect)
    }
}

impl LeadField {
    /// Tells whether it says whom to call; a lead needs one such field.
    #[must_use]
    pub fn is_contact(self) -> bool {
        matches!(self, Self::Company | Self::ContactName | Self::Phone | Self::Email)
    }

    /// Returns how many characters a lead takes of it.
    #[must_use]
    pub fn characters(self) -> usize {
        match self {
            Self::Company => 300,
            Self::Phone => 60,
            Self::Email => 200,
            Self::Remark => 4000,
            Self::ContactName | Self::Territory | Self::Product | Self::Account => 100,
            // Not texts.
            Self::Urgency | Self::Budget => 40,
        }
    }
}

fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let first = id.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    first && id.len() <= MAX_ID_CHARACTERS && id.bytes().all(allowed) && !RESERVED.contains(&id)
}

#[cfg(test)]
mod tests;
