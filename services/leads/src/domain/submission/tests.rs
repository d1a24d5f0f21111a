use super::*;
use crate::domain::form_schema::{Choice, RawField, Text};

fn label(zh: &str, en: &str) -> Text {
    Text {
        zh: zh.into(),
        en: en.into(),
    }
}

fn field(id: &str, kind: Kind, fills: Option<LeadField>) -> RawField {
    RawField {
        id: id.into(),
        kind: Some(kind),
        label: label(id, ""),
        fills,
        ..RawField::default()
    }
}

fn choices(values: &[&str]) -> Vec<Choice> {
    values
        .iter()
        .map(|value| Choice {
            value: (*value).into(),
            label: Text::default(),
        })
        .collect()
}

fn schema() -> Schema {
    let company = RawField {
        label: label("公司", "Company"),
        max_length: 10,
        ..field("company", Kind::ShortText, Some(LeadField::Company))
    };
    let phone = RawField {
        label: label("电话", "Phone"),
        ..field("phone", Kind::Phone, Some(LeadField::Phone))
    };
    let devices = RawField {
        options: choices(&["PLC", "传感器", "伺服电机"]),
        ..field("device_types", Kind::MultiSelect, None)
    };
    let place = RawField {
        options: choices(&["江苏", "上海"]),
        ..field("place", Kind::SingleSelect, Some(LeadField::Territory))
    };
    let budget = RawField {
        minimum: 1_000,
        maximum: 1_000_000,
        ..field("budget", Kind::NumberRange, Some(LeadField::Budget))
    };
    let fields = vec![
        company,
        phone,
        field("mail", Kind::Email, Some(LeadField::Email)),
        devices,
        place,
        budget,
        field("pieces", Kind::NumberRange, None),
        field("urgency", Kind::Urgency, None),
        field("words", Kind::LongText, Some(LeadField::Remark)),
        field("ward", Kind::ShortText, None),
    ];
    Schema::parse("schema", fields).unwrap()
}

fn answers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|&(name, answer)| (name.into(), answer.into()))
        .collect()
}

fn wrong(schema: &Schema, pairs: &[(&str, &str)], locale: Locale) -> Vec<(String, String)> {
    let faults = read(schema, answers(pairs), locale).err().unwrap_or_default();
    faults
        .into_iter()
        .map(|fault| (fault.field, fault.description))
        .collect()
}

#[test]
fn answers_fill_the_lead_and_the_rest_its_attributes() {
    let lead = read(
        &schema(),
        answers(&[
            ("company", " 华东机床 "),
            ("phone", "021-62345678转801"),
            ("mail", "wang@example.cn"),
            ("device_types", "伺服电机，PLC, PLC"),
            ("place", "上海"),
            ("budget_min", "1,000.50"),
            ("budget_max", "5000"),
            ("pieces_max", " 12 "),
            ("urgency", "红"),
            ("words", "一\n二"),
            ("ward", "骨科"),
            ("utm", "spring"),
            ("empty", "  "),
        ]),
        Locale::ZhCn,
    )
    .unwrap();
    let expected = RawLead {
        company: "华东机床".into(),
        phone: "021-62345678转801".into(),
        email: "wang@example.cn".into(),
        territory: "上海".into(),
        urgency: Some(Urgency::Red),
        budget_min_fen: 100_050,
        budget_max_fen: 500_000,
        remark: "一\n二".into(),
        attributes: [
            ("device_types", "PLC, 伺服电机"),
            ("pieces_max", "12"),
            ("ward", "骨科"),
            ("utm", "spring"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        ..RawLead::default()
    };
    assert_eq!(lead, expected);
}

#[test]
fn each_wrong_answer_is_named_in_the_language_of_the_page() {
    let long = "字".repeat(11);
    let endless = "字".repeat(1001);
    for (name, answer, zh, en) in [
        (
            "company",
            long.as_str(),
            "最多 10 个字符，现有 11 个",
            "must be at most 10 characters, has 11",
        ),
        (
            "company",
            "a\0b",
            "不能含有控制字符",
            "must not contain control characters",
        ),
        ("phone", "无", "不是电话号码", "must be a phone number"),
        ("phone", "1234", "不是电话号码", "must be a phone number"),
        ("phone", "13800138000<b>", "不是电话号码", "must be a phone number"),
        ("mail", "a@b", "不是邮箱地址", "must be a mail address"),
        ("mail", "a b@c.cn", "不是邮箱地址", "must be a mail address"),
        ("mail", "@c.cn", "不是邮箱地址", "must be a mail address"),
        (
            "device_types",
            "PLC, 其他",
            "只能选择：PLC、传感器、伺服电机",
            "must be one of: PLC, 传感器, 伺服电机",
        ),
        ("device_types", ",，", "必填", "must be given"),
        ("place", "北京", "只能选择：江苏、上海", "must be one of: 江苏, 上海"),
        ("budget_min", "很多", "须为最多两位小数的数字", "must be a number"),
        ("budget_min", "999.99", "不能小于 1000", "must not be below 1000"),
        (
            "budget_max",
            "1000000.01",
            "不能大于 1000000",
            "must not be above 1000000",
        ),
        ("pieces_min", "-1", "须为最多两位小数的数字", "must be a number"),
        (
            "urgency",
            "蓝",
            "只能选择：红、黄、绿",
            "must be one of: red, yellow, green",
        ),
        (
            "ward",
            endless.as_str(),
            "最多 1000 个字符，现有 1001 个",
            "must be at most 1000 characters, has 1001",
        ),
    ] {
        let company = ("company", "x");
        let pairs = if name == "company" {
            vec![(name, answer)]
        } else {
            vec![company, (name, answer)]
        };
        for (locale, telling) in [(Locale::ZhCn, zh), (Locale::En, en)] {
            let found = wrong(&schema(), &pairs, locale);
            assert_eq!(found.len(), 1, "{name} = {answer:?}: {found:?}");
            assert_eq!(found[0].0, name);
            assert!(found[0].1.starts_with(telling), "{name} = {answer:?}: {found:?}");
        }
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let mut schema = schema();
    for field in &mut schema.fields {
        field.required = true;
    }
    let found = wrong(&schema, &[("ward", " ")], Locale::En);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    let all = [
        "company",
        "phone",
        "mail",
        "device_types",
        "place",
        "budget_min",
        "pieces_min",
        "urgency",
        "words",
        "ward",
    ];
    assert_eq!(names, all);
    assert!(found.iter().all(|(_, told)| told == "must be given"));
}

#[test]
fn ranges_are_in_order_and_one_end_is_enough() {
    let range = |min, max| {
        let pairs = [("company", "x"), ("budget_min", min), ("budget_max", max)];
        wrong(&schema(), &pairs, Locale::ZhCn)
    };
    assert!(range("1000", "1000").is_empty() && range("1000", "").is_empty() && range("", "1000").is_empty());
    assert_eq!(
        range("2000", "1999.99"),
        [("budget_max".into(), "不能小于最低值".into())]
    );
    let mut schema = schema();
    schema
        .fields
        .iter_mut()
        .for_each(|field| field.required = field.id == "budget");
    assert!(wrong(&schema, &[("company", "x"), ("budget_max", "5000")], Locale::En).is_empty());
    assert_eq!(wrong(&schema, &[("company", "x")], Locale::En)[0].0, "budget_min");
}

#[test]
fn somebody_must_be_there_to_call() {
    assert_eq!(
        wrong(&schema(), &[("ward", "x")], Locale::ZhCn),
        [("company".into(), "至少填写一项：公司、电话、mail".into())]
    );
    for contact in [("company", "x"), ("phone", "13800138000"), ("mail", "a@b.cn")] {
        assert!(
            wrong(&schema(), &[contact], Locale::ZhCn).is_empty(),
            "{contact:?} is enough"
        );
    }
    let told_already = wrong(&schema(), &[("phone", "无")], Locale::ZhCn);
    assert_eq!(told_already.len(), 1, "{told_already:?}");
}

#[test]
fn numbers_people_write_can_be_dialled() {
    for phone in [
        "13800138000",
        "+86 138 0013 8000",
        "（021）62345678-801",
        "0755-12345678转1234",
        "１３８００１３８０００",
        "62345678 ext. 12",
    ] {
        assert!(is_phone(phone), "{phone}");
    }
    for phone in ["", "12", "无电话", "138001380001380013800013800", "mailto:13800138000"] {
        assert!(!is_phone(phone), "{phone}");
    }
}
