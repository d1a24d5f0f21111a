//! From the fields of a post to the answers of a form that has a schema. Leads checks them.

use std::collections::{BTreeMap, HashMap};

use reflex_proto::leads::v1::{Form, FormField, FormSchema, LeadField, SubmitFormRequest, form_field::Kind};

use super::{
    fields::Fields,
    new_lead::{Chosen, Target, choose},
};
use crate::problem::Problem;

/// Field that says which version of the schema a page was made from.
pub(crate) const VERSION: &str = "form_version";
const EXTERNAL_ID: &str = "external_id";
const REQUEST_ID: &str = "request_id";
/// What violations of answers begin with.
const ANSWERS: &str = "answers.";

/// Answers read from a post.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) request: SubmitFormRequest,
    /// The names the page used, where they are not those of the schema.
    names: BTreeMap<String, String>,
}

/// Tells whether a post belongs to a schema: the form has one, or the page was made from one that we have not heard of
/// yet.
pub(super) fn is_one(fields: &Fields, form: &Form) -> bool {
    form.schema.is_some() || fields.0.iter().any(|(name, _)| name == VERSION)
}

/// Reads the answers out of the fields of a post to `form`.
pub(super) fn read(fields: Fields, form: &Form, locale: &str, raw_payload: Vec<u8>) -> Result<Submission, Problem> {
    let mut request = SubmitFormRequest {
        name: form.name.clone(),
        locale: locale.to_owned(),
        raw_payload,
        ..SubmitFormRequest::default()
    };
    let mut others = Vec::with_capacity(fields.0.len());
    for (name, value) in fields.0 {
        match name.as_str() {
            VERSION => request.version = version(&value)?,
            EXTERNAL_ID => request.external_id = value,
            REQUEST_ID => request.request_id = value,
            _ => others.push((name, value)),
        }
    }
    let mut names = BTreeMap::new();
    request.answers = match &form.schema {
        // A page that names no version was written by hand, maybe before the form had a schema.
        Some(schema) if request.version == 0 => translate(schema, others, &mut names),
        _ => others.into_iter().collect(),
    };
    Ok(Submission { request, names })
}

fn version(text: &str) -> Result<i32, Problem> {
    let version = text.parse().ok().filter(|version| *version > 0);
    version.ok_or_else(|| Problem::invalid_field(VERSION, "must be the number of a published version"))
}

/// Gives the fields of the schema what was posted under their ids, or else under the names that every form knows.
fn translate(
    schema: &FormSchema,
    fields: Vec<(String, String)>,
    names: &mut BTreeMap<String, String>,
) -> HashMap<String, String> {
    let is_asked = |name: &String| schema.fields.iter().any(|field| answer_names(field).contains(name));
    let (by_id, others): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| is_asked(name));
    let mut answers: HashMap<_, _> = by_id.into_iter().collect();
    let (chosen, beside) = choose(Fields(others));
    for (target, Chosen { name, value, .. }) in chosen {
        match place(schema, target).filter(|place| !answers.contains_key(place)) {
            Some(place) => {
                names.insert(place.clone(), name);
                answers.insert(place, value);
            }
            None => {
                answers.insert(name, value);
            }
        }
    }
    answers.extend(beside);
    answers
}

/// Returns the name that a field of the lead is answered under.
fn place(schema: &FormSchema, target: Target) -> Option<String> {
    let (fills, end) = match target {
        Target::Company => (LeadField::Company, 0),
        Target::ContactName => (LeadField::ContactName, 0),
        Target::Phone => (LeadField::Phone, 0),
        Target::Email => (LeadField::Email, 0),
        Target::Territory => (LeadField::Territory, 0),
        Target::Product => (LeadField::Product, 0),
        Target::Urgency => (LeadField::Urgency, 0),
        Target::BudgetMin => (LeadField::Budget, 0),
        Target::BudgetMax => (LeadField::Budget, 1),
        Target::Remark => (LeadField::Remark, 0),
        Target::Account => (LeadField::Account, 0),
        Target::ExternalId | Target::RequestId => return None,
    };
    let filling = |field: &&FormField| match field.kind() {
        Kind::Urgency => fills == LeadField::Urgency,
        _ => field.fills() == fills,
    };
    let names = answer_names(schema.fields.iter().find(filling)?);
    names.into_iter().nth(end)
}

/// Returns the names a field is answered under.
fn answer_names(field: &FormField) -> Vec<String> {
    match field.kind() {
        Kind::NumberRange => ["min", "max"].map(|end| format!("{}_{end}", field.id)).to_vec(),
        _ => vec![field.id.clone()],
    }
}

impl Submission {
    /// Returns how the page calls the field of a violation.
    pub(super) fn name_of(&self, path: &str) -> Option<String> {
        if let Some(name) = path.strip_prefix(ANSWERS) {
            return Some(self.names.get(name).cloned().unwrap_or_else(|| name.to_owned()));
        }
        match path {
            "version" => Some(VERSION.to_owned()),
            "answers" => Some(String::new()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(id: &str, kind: Kind, fills: LeadField) -> FormField {
        FormField {
            id: id.to_owned(),
            kind: kind.into(),
            fills: fills.into(),
            ..FormField::default()
        }
    }

    fn form() -> Form {
        let fields = vec![
            field("firma", Kind::ShortText, LeadField::Company),
            field("tel", Kind::Phone, LeadField::Phone),
            field("geld", Kind::NumberRange, LeadField::Budget),
            field("eilig", Kind::Urgency, LeadField::Unspecified),
            field("city", Kind::ShortText, LeadField::Unspecified),
        ];
        Form {
            name: "forms/demo".to_owned(),
            schema: Some(FormSchema { fields }),
            version: 2,
            ..Form::default()
        }
    }

    fn submission(json: &str) -> Submission {
        let fields = Fields::from_json(json.as_bytes()).unwrap();
        read(fields, &form(), "en", json.into()).unwrap()
    }

    fn answers(json: &str) -> BTreeMap<String, String> {
        submission(json).request.answers.into_iter().collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn a_page_made_from_a_version_is_taken_by_its_word() {
        let json = r#"{"form_version": 1, "request_id": "r", "external_id": "e", "firma": "恒瑞", "公司": "x", "n": ["a", "b"]}"#;
        let request = submission(json).request;
        assert_eq!((request.name.as_str(), request.version), ("forms/demo", 1));
        assert_eq!((request.request_id.as_str(), request.external_id.as_str()), ("r", "e"));
        assert_eq!(
            (request.locale.as_str(), request.raw_payload.as_slice()),
            ("en", json.as_bytes())
        );
        assert_eq!(answers(json), pairs(&[("firma", "恒瑞"), ("公司", "x"), ("n", "a, b")]));
    }

    #[test]
    fn pages_written_by_hand_keep_their_names() {
        let json = r#"{"公司": "恒瑞", "mobile": "138", "phone": "0516", "最低预算": 5, "budget_max": 9, "紧急程度": "红",
            "邮箱": "a@b.cn", "city": "徐州", "备用": "x"}"#;
        let expected = [
            ("firma", "恒瑞"),
            ("tel", "138"),
            ("phone", "0516"),
            ("geld_min", "5"),
            ("geld_max", "9"),
            ("eilig", "红"),
            ("邮箱", "a@b.cn"),
            ("city", "徐州"),
            ("备用", "x"),
        ];
        assert_eq!(answers(json), pairs(&expected));
        let own_name = answers(r#"{"firma": "恒瑞", "company": "别的"}"#);
        assert_eq!(
            own_name,
            pairs(&[("firma", "恒瑞"), ("company", "别的")]),
            "the id wins"
        );
    }

    #[test]
    fn violations_go_back_under_the_names_of_the_page() {
        let submission = submission(r#"{"手机": "x", "firma": "y"}"#);
        for (path, name) in [
            ("answers.tel", Some("手机")),
            ("answers.firma", Some("firma")),
            ("answers.geld_min", Some("geld_min")),
            ("version", Some("form_version")),
            ("answers", Some("")),
            ("external_id", None),
        ] {
            assert_eq!(submission.name_of(path).as_deref(), name, "{path}");
        }
    }

    #[test]
    fn versions_are_numbers_from_one() {
        for text in ["0", "-1", "x", "1.5", "99999999999"] {
            let fields = Fields(vec![(VERSION.to_owned(), text.to_owned())]);
            let problem = read(fields, &form(), "en", Vec::new()).unwrap_err();
            assert_eq!(problem.json()["violations"][0]["field"], VERSION, "{text}");
        }
    }

    #[test]
    fn only_posts_of_a_schema_are_submissions() {
        let plain = Form::default();
        let fields = |name: &str| Fields(vec![(name.to_owned(), "1".to_owned())]);
        assert!(is_one(&fields("company"), &form()) && is_one(&fields(VERSION), &plain));
        assert!(!is_one(&fields("company"), &plain));
    }
}
