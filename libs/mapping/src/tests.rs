//! Documents are checked, and read what they say.

use serde_json::json;

use super::*;

const TARGETS: Targets<'static> = Targets {
    names: &["company", "phone", "urgency", "budget_min_fen", "remark", "external_id"],
    open: "attributes.",
};

const DOCUMENT: &str = r#"{"version": 1, "fields": {
    "company": "/data/corp",
    "phone": {"from": ["/data/phones/*/number", "/data/tel"], "rest": "attributes.备用电话", "required": true},
    "urgency": {"from": "/data/level", "values": {"1": "red", "true": "yellow"}, "otherwise": "green"},
    "budget_min_fen": {"from": "/data/budget", "times": 100},
    "remark": {"otherwise": "来自百度"},
    "attributes.计划": {"from": "/data/plan~1name", "values": {"A": "甲"}}
}}"#;

fn mapping() -> Mapping {
    Mapping::parse(DOCUMENT, TARGETS).unwrap()
}

fn places(faults: Vec<Fault>) -> Vec<String> {
    faults.into_iter().map(|fault| fault.place).collect()
}

#[test]
fn a_body_fills_the_fields() {
    let body = json!({"data": {"corp": " 苏州锻压 ", "phones": [{"number": "13800138000"}, {"kind": "fax"},
        {"number": 51288}, {"number": "13800138000"}], "tel": ["0512-1", null, ""], "level": true, "budget": 128.5,
        "plan/name": "A"}});
    let mapped = mapping().apply(&body).unwrap();
    let texts: Vec<(&str, &str)> = mapped
        .texts
        .iter()
        .map(|(field, text)| (field.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            ("attributes.备用电话", "51288, 0512-1"),
            ("attributes.计划", "甲"),
            ("budget_min_fen", "12850"),
            ("company", "苏州锻压"),
            ("phone", "13800138000"),
            ("remark", "来自百度"),
            ("urgency", "yellow"),
        ]
    );
    assert_eq!(mapped.origins["phone"], "/data/phones/0/number");
    assert_eq!(mapped.origins["attributes.计划"], "/data/plan~1name");
    assert!(
        !mapped.origins.contains_key("remark"),
        "a constant is nowhere in the body"
    );
    assert_eq!(mapping().place_of("phone").unwrap(), "/data/phones/*/number");
}

#[test]
fn what_is_missing_or_means_nothing_is_named_by_its_place() {
    let faults = mapping().apply(&json!({})).unwrap_err();
    assert_eq!(
        faults,
        [Fault {
            place: "/data/phones/*/number".into(),
            said: "must be given: phone is taken from /data/phones/*/number or /data/tel".into(),
        }]
    );
    let body = json!({"data": {"tel": {"a": 1}, "budget": "viel", "plan/name": "B", "level": 9, "corp": {}}});
    let faults = mapping().apply(&body).unwrap_err();
    assert_eq!(
        places(faults),
        ["/data/plan~1name", "/data/budget", "/data/corp", "/data/tel"]
    );
    for body in [json!(null), json!([]), json!("x"), json!({"data": [1, 2]})] {
        assert_eq!(mapping().apply(&body).unwrap_err().len(), 1, "{body}");
    }
}

#[test]
fn everything_that_is_wrong_with_a_document_is_told_at_once() {
    let faults = |document: &str| Mapping::parse(document, TARGETS).unwrap_err();
    for (document, place) in [("", ""), ("[]", ""), ("{", "")] {
        assert_eq!(places(faults(document)), [place], "{document}");
    }
    let document = r#"{"version": 2, "field": {}, "fields": {
        "compony": "/a",
        "phone": {"form": "/b"},
        "urgency": {"from": "c", "values": {}, "times": 0, "required": 1},
        "budget_min_fen": {"from": ["/a~2", 7], "rest": "phone"},
        "remark": {"from": [], "otherwise": ""},
        "attributes.": 5
    }}"#;
    let found = faults(document);
    let told: Vec<(&str, bool)> = found
        .iter()
        .map(|fault| (fault.place.as_str(), fault.said.contains("did you mean")))
        .collect();
    assert_eq!(
        told,
        [
            ("field", true),
            ("version", false),
            ("fields.attributes.", false),
            ("fields.attributes.", false),
            ("fields.budget_min_fen.from[0]", false),
            ("fields.budget_min_fen.from[1]", false),
            ("fields.compony", true),
            ("fields.phone.form", true),
            ("fields.phone", false),
            ("fields.phone", false),
            ("fields.remark.from", false),
            ("fields.remark.otherwise", false),
            ("fields.urgency.from", false),
            ("fields.urgency.values", false),
            ("fields.urgency.times", false),
            ("fields.urgency.required", false),
            ("fields.budget_min_fen.rest", false),
        ],
        "{found:#?}"
    );
    let twice = r#"{"version": 1, "fields": {"company": {"from": "/a", "rest": "attributes.x"},
        "phone": {"from": "/b", "rest": "attributes.x"}}}"#;
    assert_eq!(places(faults(twice)), ["fields.phone.rest"]);
    let long = format!("/{}", "a/".repeat(20));
    let deep = format!(r#"{{"version": 1, "fields": {{"company": "{long}"}}}}"#);
    assert_eq!(places(faults(&deep)), ["fields.company"]);
    assert_eq!(places(faults(&" ".repeat(MAX_DOCUMENT_BYTES + 1))), [""]);
}

proptest::proptest! {
    #[test]
    fn no_document_and_no_body_makes_it_panic(document in ".{0,200}", place in "(/[~*a0]{0,3}){0,5}", key in "[~*a0]{0,3}") {
        let _read_or_not = Mapping::parse(&document, TARGETS);
        let document = json!({"version": 1, "fields": {"company": place}}).to_string();
        if let Ok(mapping) = Mapping::parse(&document, TARGETS) {
            let mut body = json!([1, "x"]);
            for _ in 0..3 {
                body = json!({key.as_str(): body, "0": [body, null]});
                let _mapped_or_not = mapping.apply(&body);
            }
        }
    }
}
