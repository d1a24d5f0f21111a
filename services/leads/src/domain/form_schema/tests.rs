use super::{choice::MAX_OPTIONS, *};
use crate::domain::{
    member::Locale,
    new_lead::{NewLead, RawLead},
};

fn text(zh: &str) -> Text {
    Text {
        zh: zh.into(),
        en: String::new(),
    }
}

fn field(id: &str, kind: Kind, fills: Option<LeadField>) -> RawField {
    let option = |value: &str| Choice {
        value: value.into(),
        label: Text::default(),
    };
    let options = if kind.is_select() {
        vec![option("PLC"), option("传感器")]
    } else {
        Vec::new()
    };
    RawField {
        id: id.into(),
        kind: Some(kind),
        label: text("标签"),
        options,
        fills,
        ..RawField::default()
    }
}

fn company() -> RawField {
    field("company", Kind::ShortText, Some(LeadField::Company))
}

/// Returns the fields at fault of a form that asks for the company and this.
fn faults(raw: RawField) -> Vec<String> {
    fields_at_fault(vec![company(), raw])
}

fn fields_at_fault(raw: Vec<RawField>) -> Vec<String> {
    let faults = Schema::parse("schema", raw).err().unwrap_or_default();
    faults
        .into_iter()
        .map(|fault| fault.field.trim_start_matches("schema.").to_owned())
        .collect()
}

#[test]
fn every_kind_fills_what_it_may() {
    use LeadField::{Account, Budget, Company, ContactName, Email, Phone, Product, Remark, Territory, Urgency};
    let all = [
        Company,
        ContactName,
        Phone,
        Email,
        Territory,
        Product,
        Remark,
        Account,
        Urgency,
        Budget,
    ];
    for (kind, allowed) in [
        (Kind::ShortText, &[ContactName, Territory, Product, Remark, Account][..]),
        (Kind::LongText, &[Remark]),
        (Kind::Phone, &[Phone]),
        (Kind::Email, &[Email]),
        (Kind::SingleSelect, &[ContactName, Territory, Product, Remark, Account]),
        (Kind::MultiSelect, &[]),
        (Kind::NumberRange, &[Budget]),
        (Kind::Urgency, &[Urgency]),
    ] {
        assert!(faults(field("x", kind, None)).is_empty(), "{kind:?} is an attribute");
        for fills in all.into_iter().filter(|fills| *fills != Company) {
            let expected: &[&str] = if allowed.contains(&fills) {
                &[]
            } else {
                &["fields[1].fills"]
            };
            assert_eq!(
                faults(field("x", kind, Some(fills))),
                expected,
                "{kind:?} fills {fills:?}"
            );
        }
    }
}

#[test]
fn ids_are_plain_and_answers_never_meet() {
    for id in ["a", "device_types", "x2", &"a".repeat(40)] {
        assert!(faults(field(id, Kind::ShortText, None)).is_empty(), "{id}");
    }
    for id in [
        "",
        "A",
        "2x",
        "_a",
        "a-b",
        "公司",
        "a b",
        "<b>",
        "request_id",
        "form_version",
        &"a".repeat(41),
    ] {
        assert_eq!(faults(field(id, Kind::ShortText, None)), ["fields[1].id"], "{id}");
    }
    assert_eq!(faults(field("company", Kind::ShortText, None)), ["fields[1].id"]);
    let range = |id| field(id, Kind::NumberRange, None);
    let end = field("budget_min", Kind::ShortText, None);
    assert_eq!(fields_at_fault(vec![company(), range("budget"), end]), ["fields[2].id"]);
    let both = vec![company(), range("budget"), field("budget", Kind::ShortText, None)];
    assert!(fields_at_fault(both).is_empty(), "a range is not answered under its id");
}

#[test]
fn what_is_out_of_bounds_is_named() {
    type Change = fn(&mut RawField);
    for (kind, change, expected) in [
        (Kind::ShortText, (|it| it.kind = None) as Change, "kind"),
        (Kind::ShortText, |it| it.label = Text::default(), "label"),
        (Kind::ShortText, |it| it.label.en = "x".repeat(201), "label.en"),
        (Kind::ShortText, |it| it.hint.zh = "a\0b".into(), "hint.zh"),
        (Kind::ShortText, |it| it.max_length = 1001, "max_length"),
        (Kind::ShortText, |it| it.max_length = -1, "max_length"),
        (Kind::ShortText, |it| it.minimum = 1, "minimum"),
        (Kind::ShortText, |it| it.options = vec![Choice::default()], "options"),
        (Kind::Phone, |it| it.max_length = 5, "max_length"),
        (Kind::SingleSelect, |it| it.options.clear(), "options"),
        (
            Kind::SingleSelect,
            |it| it.options = vec![it.options[0].clone(); 201],
            "options",
        ),
        (
            Kind::SingleSelect,
            |it| it.options[1].value = " PLC".into(),
            "options[1].value",
        ),
        (
            Kind::MultiSelect,
            |it| it.options[1].value = "a，b".into(),
            "options[1].value",
        ),
        (Kind::MultiSelect, |it| it.options[1].value.clear(), "options[1].value"),
        (
            Kind::MultiSelect,
            |it| it.options[0].label.zh = "x".repeat(201),
            "options[0].label.zh",
        ),
        (Kind::NumberRange, |it| it.minimum = -1, "minimum"),
        (Kind::NumberRange, |it| (it.minimum, it.maximum) = (5, 4), "maximum"),
        (Kind::NumberRange, |it| it.maximum = i64::MAX, "maximum"),
    ] {
        let mut raw = field("x", kind, None);
        change(&mut raw);
        assert_eq!(faults(raw), [format!("fields[1].{expected}")]);
    }
}

#[test]
fn a_form_has_fields_of_its_own_and_says_whom_to_call() {
    assert_eq!(fields_at_fault(Vec::new()), ["fields"]);
    let many = (0..=MAX_FIELDS).map(|at| field(&format!("f{at}"), Kind::ShortText, None));
    assert_eq!(fields_at_fault(many.collect()), ["fields"]);
    assert_eq!(fields_at_fault(vec![field("x", Kind::ShortText, None)]), ["fields"]);
    assert_eq!(
        faults(field("x", Kind::ShortText, Some(LeadField::Company))),
        ["fields[1].fills"],
        "only one field fills it"
    );
    let urgencies = ["a", "b"].map(|id| field(id, Kind::Urgency, None));
    let [one, other] = urgencies;
    assert_eq!(fields_at_fault(vec![company(), one, other]), ["fields[2].fills"]);

    let mut large = field("x", Kind::MultiSelect, None);
    large.options = (0..MAX_OPTIONS)
        .map(|at| Choice {
            value: format!("{at}"),
            label: text(&"标".repeat(200)),
        })
        .collect();
    assert_eq!(faults(large), ["fields"], "more than a page shall load");
}

#[test]
fn a_lead_takes_what_its_fields_allow() {
    use LeadField::{Account, Company, ContactName, Email, Phone, Product, Remark, Territory};
    for fills in [Company, ContactName, Phone, Email, Territory, Product, Remark, Account] {
        let lead = |characters: usize| {
            let mut lead = RawLead {
                source: "x".into(),
                company: "x".into(),
                ..RawLead::default()
            };
            let place = match fills {
                Company => &mut lead.company,
                ContactName => &mut lead.contact_name,
                Phone => &mut lead.phone,
                Email => &mut lead.email,
                Territory => &mut lead.territory,
                Product => &mut lead.product,
                Remark => &mut lead.remark,
                _ => &mut lead.account,
            };
            *place = "字".repeat(characters);
            NewLead::parse(lead)
        };
        assert!(
            lead(fills.characters()).is_ok() && lead(fills.characters() + 1).is_err(),
            "{fills:?}"
        );
    }
}

#[test]
fn texts_fall_back_to_the_other_language() {
    let both = Text {
        zh: "公司".into(),
        en: "Company".into(),
    };
    assert_eq!(
        (both.in_language(Locale::ZhCn), both.in_language(Locale::En)),
        ("公司", "Company")
    );
    assert_eq!(text("公司").in_language(Locale::En), "公司");
}
