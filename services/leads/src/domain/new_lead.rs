//! A lead as its sender knows it, checked.

use std::collections::{BTreeMap, HashMap};

use super::ids::FormId;
use super::lead::Urgency;
use super::violation::{Violation, Violations};

/// Most further fields.
pub(super) const MAX_ATTRIBUTES: usize = 50;
/// Longest name of a further field.
pub(super) const MAX_ATTRIBUTE_NAME_CHARACTERS: usize = 64;
/// Longest value of a further field.
pub(super) const MAX_ATTRIBUTE_CHARACTERS: usize = 1000;
const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// A lead as it was sent, not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawLead {
    /// Channel.
    pub source: String,
    /// The source's own id.
    pub external_id: String,
    /// Company as typed.
    pub company: String,
    /// Contact person as typed.
    pub contact_name: String,
    /// Mobile or landline as typed.
    pub phone: String,
    /// Mail address as typed.
    pub email: String,
    /// City, province or region as typed.
    pub territory: String,
    /// Product or product line as typed.
    pub product: String,
    /// How soon the customer wants an answer.
    pub urgency: Option<Urgency>,
    /// Lowest budget in fen, 0 when not given.
    pub budget_min_fen: i64,
    /// Highest budget in fen, 0 when not given.
    pub budget_max_fen: i64,
    /// Free text.
    pub remark: String,
    /// Account, if the sender knows it.
    pub account: String,
    /// `forms/{form}` or empty.
    pub form: String,
    /// Version of the form whose schema the lead was checked against.
    pub form_version: Option<i32>,
    /// Further fields by name.
    pub attributes: HashMap<String, String>,
    /// What the source sent, untouched.
    pub raw_payload: Vec<u8>,
}

/// A lead that may be stored: every limit holds, texts are trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewLead {
    /// Channel, never empty.
    pub source: String,
    /// The source's own id, empty when it has none; makes a repeat harmless.
    pub external_id: String,
    /// Company as typed.
    pub company: String,
    /// Contact person as typed.
    pub contact_name: String,
    /// Mobile or landline as typed.
    pub phone: String,
    /// Mail address as typed.
    pub email: String,
    /// City, province or region as typed.
    pub territory: String,
    /// Product or product line as typed.
    pub product: String,
    /// How soon the customer wants an answer.
    pub urgency: Option<Urgency>,
    /// Lowest budget in fen, 0 when not given.
    pub budget_min_fen: i64,
    /// Highest budget in fen, 0 when not given.
    pub budget_max_fen: i64,
    /// Free text, lines separated by `\n`.
    pub remark: String,
    /// Account, empty when not known.
    pub account: String,
    /// Form the lead was sent with.
    pub form: Option<FormId>,
    /// Version of the form whose schema it was checked against.
    pub form_version: Option<i32>,
    /// Further fields by name.
    pub attributes: BTreeMap<String, String>,
    /// What the source sent, untouched.
    pub raw_payload: Vec<u8>,
}

impl NewLead {
    /// Checks a lead. Fields of the violations start with `lead.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: RawLead) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let lead = Self {
            source: violations.line("lead.source", &raw.source, 1..=64),
            external_id: violations.line("lead.external_id", &raw.external_id, 0..=200),
            company: violations.line("lead.company", &raw.company, 0..=300),
            contact_name: violations.line("lead.contact_name", &raw.contact_name, 0..=100),
            phone: violations.line("lead.phone", &raw.phone, 0..=60),
            email: violations.line("lead.email", &raw.email, 0..=200),
            territory: violations.line("lead.territory", &raw.territory, 0..=100),
            product: violations.line("lead.product", &raw.product, 0..=100),
            urgency: raw.urgency,
            budget_min_fen: violations.number("lead.budget_min_fen", raw.budget_min_fen, 0..=i64::MAX),
            budget_max_fen: violations.number("lead.budget_max_fen", raw.budget_max_fen, 0..=i64::MAX),
            remark: violations.text("lead.remark", &raw.remark, 0..=4000),
            account: violations.line("lead.account", &raw.account, 0..=100),
            form: violations.optional_name("lead.form", &raw.form),
            form_version: raw.form_version,
            attributes: parse_attributes(&mut violations, raw.attributes),
            raw_payload: raw.raw_payload,
        };
        if lead.budget_max_fen > 0 && lead.budget_max_fen < lead.budget_min_fen {
            violations.add("lead.budget_max_fen", "must be 0 or not below budget_min_fen");
        }
        if lead.raw_payload.len() > MAX_PAYLOAD_BYTES {
            violations.add("lead.raw_payload", format!("must be at most {MAX_PAYLOAD_BYTES} bytes"));
        }
        if [&lead.company, &lead.contact_name, &lead.phone, &lead.email]
            .iter()
            .all(|text| text.is_empty())
        {
            violations.add("lead", "must have a company, contact_name, phone or email");
        }
        if violations.is_empty() {
            Ok(lead)
        } else {
            Err(violations.into_vec())
        }
    }
}

fn parse_attributes(violations: &mut Violations, raw: HashMap<String, String>) -> BTreeMap<String, String> {
    if raw.len() > MAX_ATTRIBUTES {
        violations.add("lead.attributes", format!("must be at most {MAX_ATTRIBUTES}"));
        return BTreeMap::new();
    }
    // In order of the names, so that the same lead is always refused with the same words.
    let mut attributes = BTreeMap::new();
    for (name, value) in raw.into_iter().collect::<BTreeMap<_, _>>() {
        let name = violations.line("lead.attributes.key", &name, 1..=MAX_ATTRIBUTE_NAME_CHARACTERS);
        let value = violations.text("lead.attributes.value", &value, 0..=MAX_ATTRIBUTE_CHARACTERS);
        if attributes.insert(name, value).is_some() {
            violations.add("lead.attributes.key", "must differ from the others by more than spaces");
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawLead {
        RawLead {
            source: "website".into(),
            company: "上海某某医院".into(),
            ..RawLead::default()
        }
    }

    fn faults(change: impl FnOnce(&mut RawLead)) -> Vec<String> {
        let mut lead = raw();
        change(&mut lead);
        NewLead::parse(lead).map_or_else(|found| found.into_iter().map(|it| it.field).collect(), |_| Vec::new())
    }

    #[test]
    fn a_lead_needs_a_source_and_somebody_to_call() {
        assert!(faults(|_| ()).is_empty());
        assert_eq!(faults(|lead| lead.source = " ".into()), ["lead.source"]);
        assert_eq!(faults(|lead| lead.company.clear()), ["lead"]);
        for field in 0..3 {
            let found = faults(|lead| {
                lead.company.clear();
                *[&mut lead.contact_name, &mut lead.phone, &mut lead.email][field] = "x".into();
            });
            assert!(found.is_empty(), "field {field} alone is enough, got {found:?}");
        }
    }

    #[test]
    fn every_text_has_its_limit() {
        type Field = fn(&mut RawLead) -> &mut String;
        let limits: [(&str, usize, Field); 10] = [
            ("lead.source", 64, |lead| &mut lead.source),
            ("lead.external_id", 200, |lead| &mut lead.external_id),
            ("lead.company", 300, |lead| &mut lead.company),
            ("lead.contact_name", 100, |lead| &mut lead.contact_name),
            ("lead.phone", 60, |lead| &mut lead.phone),
            ("lead.email", 200, |lead| &mut lead.email),
            ("lead.territory", 100, |lead| &mut lead.territory),
            ("lead.product", 100, |lead| &mut lead.product),
            ("lead.remark", 4000, |lead| &mut lead.remark),
            ("lead.account", 100, |lead| &mut lead.account),
        ];
        for (name, limit, field) in limits {
            assert!(
                faults(|lead| *field(lead) = "华".repeat(limit)).is_empty(),
                "{name} takes {limit}"
            );
            assert_eq!(faults(|lead| *field(lead) = "华".repeat(limit + 1)), [name]);
            assert_eq!(faults(|lead| *field(lead) = "华\0东".into()), [name]);
        }
    }

    #[test]
    fn budgets_are_in_order() {
        let budget = |min, max| faults(|lead| (lead.budget_min_fen, lead.budget_max_fen) = (min, max));
        assert!(budget(0, 0).is_empty());
        assert!(budget(500, 0).is_empty());
        assert!(budget(500, 500).is_empty());
        assert_eq!(budget(500, 499), ["lead.budget_max_fen"]);
        assert_eq!(budget(-1, 0), ["lead.budget_min_fen"]);
        assert_eq!(budget(0, -1), ["lead.budget_max_fen"]);
    }

    #[test]
    fn attributes_payload_and_form_have_limits() {
        let attributes = |count: usize| (0..count).map(|n| (format!("字段{n}"), "值".to_owned())).collect();
        assert!(faults(|lead| lead.attributes = attributes(50)).is_empty());
        assert_eq!(faults(|lead| lead.attributes = attributes(51)), ["lead.attributes"]);
        let one = |name: &str, value: &str| HashMap::from([(name.to_owned(), value.to_owned())]);
        assert_eq!(faults(|lead| lead.attributes = one("", "x")), ["lead.attributes.key"]);
        assert_eq!(
            faults(|lead| lead.attributes = one(&"n".repeat(65), "x")),
            ["lead.attributes.key"]
        );
        assert_eq!(
            faults(|lead| lead.attributes = one("x", &"v".repeat(1001))),
            ["lead.attributes.value"]
        );
        let twice = |lead: &mut RawLead| {
            lead.attributes = [("x", "1"), ("x ", "2")]
                .map(|(name, value)| (name.into(), value.into()))
                .into();
        };
        assert_eq!(faults(twice), ["lead.attributes.key"]);
        assert!(faults(|lead| lead.raw_payload = vec![0; 64 * 1024]).is_empty());
        assert_eq!(
            faults(|lead| lead.raw_payload = vec![0; 64 * 1024 + 1]),
            ["lead.raw_payload"]
        );
        assert_eq!(faults(|lead| lead.form = "form".into()), ["lead.form"]);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let found = NewLead::parse(RawLead {
            budget_min_fen: -1,
            ..RawLead::default()
        })
        .unwrap_err();
        let fields: Vec<_> = found.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["lead.source", "lead.budget_min_fen", "lead"]);
    }
}
