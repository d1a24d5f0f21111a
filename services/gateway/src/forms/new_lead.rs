//! From the fields of a post to a lead.

use std::collections::{BTreeMap, HashMap};

use reflex_proto::leads::v1::{Form, NewLead, lead::Urgency};

use super::fields::Fields;
use crate::problem::{Problem, Violation};

/// What a form may call a field of the lead; the most special name stands first where several may be filled in.
pub(crate) const NAMES: &[(Target, &[&str])] = &[
    (Target::Company, &["company", "公司", "公司名称", "单位"]),
    (Target::ContactName, &["contact_name", "name", "姓名", "联系人"]),
    (Target::Phone, &["mobile", "phone", "手机", "手机号", "电话"]),
    (Target::Email, &["email", "邮箱"]),
    (
        Target::Territory,
        &["territory", "city", "province", "地区", "城市", "省份"],
    ),
    (Target::Product, &["product", "产品"]),
    (Target::Urgency, &["urgency", "紧急程度"]),
    (Target::BudgetMin, &["budget_min", "最低预算"]),
    (Target::BudgetMax, &["budget_max", "最高预算"]),
    (Target::Remark, &["remark", "message", "备注", "留言"]),
    (Target::Account, &["account"]),
    (Target::ExternalId, &["external_id"]),
    (Target::RequestId, &["request_id"]),
];

/// A field of the request that a form can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Company,
    ContactName,
    Phone,
    Email,
    Territory,
    Product,
    Urgency,
    BudgetMin,
    BudgetMax,
    Remark,
    Account,
    ExternalId,
    RequestId,
}

impl Target {
    /// Returns the path that violations of the service carry.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Company => "lead.company",
            Self::ContactName => "lead.contact_name",
            Self::Phone => "lead.phone",
            Self::Email => "lead.email",
            Self::Territory => "lead.territory",
            Self::Product => "lead.product",
            Self::Urgency => "lead.urgency",
            Self::BudgetMin => "lead.budget_min_fen",
            Self::BudgetMax => "lead.budget_max_fen",
            Self::Remark => "lead.remark",
            Self::Account => "lead.account",
            Self::ExternalId => "lead.external_id",
            Self::RequestId => "request_id",
        }
    }

    /// Returns the field that goes by `name`, and how special that name is.
    fn of(name: &str) -> Option<(Self, usize)> {
        NAMES.iter().find_map(|(target, names)| {
            let rank = names.iter().position(|known| known.eq_ignore_ascii_case(name))?;
            Some((*target, rank))
        })
    }
}

/// A lead read from a post.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) lead: NewLead,
    /// As the page gave it, or empty.
    pub(super) request_id: String,
    /// The names the page used.
    names: BTreeMap<Target, String>,
}

/// Reads the lead out of the fields of a post to `form`; fields that a lead does not have become attributes.
pub(super) fn read(fields: Fields, form: &Form, raw_payload: Vec<u8>) -> Result<Post, Problem> {
    let (chosen, attributes) = choose(fields);
    let mut violations = Vec::new();
    let mut names = BTreeMap::new();
    let mut request_id = String::new();
    let mut lead = NewLead {
        source: form.source.clone(),
        form: form.name.clone(),
        attributes,
        raw_payload,
        ..NewLead::default()
    };
    for (target, Chosen { name, value, .. }) in chosen {
        match target {
            Target::Company => lead.company = value,
            Target::ContactName => lead.contact_name = value,
            Target::Phone => lead.phone = value,
            Target::Email => lead.email = value,
            Target::Territory => lead.territory = value,
            Target::Product => lead.product = value,
            Target::Remark => lead.remark = value,
            Target::Account => lead.account = value,
            Target::ExternalId => lead.external_id = value,
            Target::RequestId => request_id = value,
            Target::Urgency => match urgency(&value) {
                Some(urgency) => lead.urgency = urgency.into(),
                None => violations.push(Violation::new(&name, "must be 红, 黄, 绿, red, yellow or green")),
            },
            Target::BudgetMin | Target::BudgetMax => match reflex_money::fen(&value) {
                Some(fen) if target == Target::BudgetMin => lead.budget_min_fen = fen,
                Some(fen) => lead.budget_max_fen = fen,
                None => violations.push(Violation::new(
                    &name,
                    "must be yuan with at most two decimals, such as 12800.50",
                )),
            },
        }
        names.insert(target, name);
    }
    if lead.product.is_empty() {
        lead.product.clone_from(&form.default_product);
    }
    if violations.is_empty() {
        Ok(Post {
            lead,
            request_id,
            names,
        })
    } else {
        Err(Problem::invalid(violations))
    }
}

/// A field of a post that fills a field of the lead.
pub(super) struct Chosen {
    /// How special its name is; the least wins.
    rank: usize,
    pub(super) name: String,
    pub(super) value: String,
}

/// Gives each field of the lead the most special value there is; the others are attributes.
pub(super) fn choose(fields: Fields) -> (BTreeMap<Target, Chosen>, HashMap<String, String>) {
    let mut chosen: BTreeMap<Target, Chosen> = BTreeMap::new();
    let mut attributes = HashMap::new();
    for (name, value) in fields.0 {
        let Some((target, rank)) = Target::of(&name) else {
            attributes.insert(name, value);
            continue;
        };
        let mut other = Some(Chosen { rank, name, value });
        if chosen.get(&target).is_none_or(|known| rank < known.rank) {
            other = other.and_then(|better| chosen.insert(target, better));
        }
        attributes.extend(other.map(|other| (other.name, other.value)));
    }
    (chosen, attributes)
}

impl Post {
    /// Returns how the page calls the field of a violation.
    pub(super) fn name_of(&self, path: &str) -> Option<String> {
        let sent = self.names.iter().find(|(target, _)| target.path() == path);
        // Fields that the page did not send go by their own name.
        sent.map(|(_, name)| name.clone())
            .or_else(|| path.strip_prefix("lead.").map(str::to_owned))
    }
}

fn urgency(text: &str) -> Option<Urgency> {
    match text.to_ascii_lowercase().as_str() {
        "红" | "red" | "urgency_red" => Some(Urgency::Red),
        "黄" | "yellow" | "urgency_yellow" => Some(Urgency::Yellow),
        "绿" | "green" | "urgency_green" => Some(Urgency::Green),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form {
            name: "forms/demo".to_owned(),
            source: "website".to_owned(),
            default_product: "骨科耗材".to_owned(),
            ..Form::default()
        }
    }

    fn post(json: &str) -> Result<Post, Problem> {
        read(Fields::from_json(json.as_bytes()).unwrap(), &form(), json.into())
    }

    #[test]
    fn known_fields_fill_the_lead_and_others_its_attributes() {
        let json = r#"{"公司": "恒瑞", "name": "王伟", "Mobile": "138", "email": "a@b.cn", "city": "徐州", "urgency": "红",
            "budget_min": 1000, "budget_max": "2,000.50", "message": "请回电", "account": "A1", "external_id": "e1",
            "request_id": "r1", "科室": "骨科"}"#;
        let post = post(json).unwrap();
        let expected = NewLead {
            source: "website".to_owned(),
            external_id: "e1".to_owned(),
            company: "恒瑞".to_owned(),
            contact_name: "王伟".to_owned(),
            phone: "138".to_owned(),
            email: "a@b.cn".to_owned(),
            territory: "徐州".to_owned(),
            product: "骨科耗材".to_owned(),
            urgency: Urgency::Red.into(),
            budget_min_fen: 100_000,
            budget_max_fen: 200_050,
            remark: "请回电".to_owned(),
            account: "A1".to_owned(),
            form: "forms/demo".to_owned(),
            attributes: [("科室".to_owned(), "骨科".to_owned())].into(),
            raw_payload: json.into(),
        };
        assert_eq!(post.lead, expected);
        assert_eq!(post.request_id, "r1");
    }

    #[test]
    fn of_several_names_the_most_special_counts_and_nothing_is_lost() {
        for json in [
            r#"{"province": "江苏", "city": "徐州", "phone": "0516-1", "mobile": "138"}"#,
            r#"{"mobile": "138", "phone": "0516-1", "city": "徐州", "province": "江苏"}"#,
        ] {
            let lead = post(json).unwrap().lead;
            assert_eq!((lead.territory.as_str(), lead.phone.as_str()), ("徐州", "138"));
            assert_eq!(lead.attributes["province"], "江苏");
            assert_eq!(lead.attributes["phone"], "0516-1");
        }
    }

    #[test]
    fn everything_unreadable_is_named_at_once() {
        let problem = post(r#"{"紧急程度": "蓝", "budget_min": "-1", "最高预算": "很多"}"#).unwrap_err();
        let json = problem.json();
        let fields: Vec<_> = json["violations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["field"])
            .collect();
        assert_eq!(fields, ["紧急程度", "budget_min", "最高预算"]);
    }

    #[test]
    fn violations_go_back_under_the_names_of_the_page() {
        let post = post(r#"{"姓名": "王伟"}"#).unwrap();
        assert_eq!(post.name_of("lead.contact_name").as_deref(), Some("姓名"));
        assert_eq!(post.name_of("lead.phone").as_deref(), Some("phone"));
        assert_eq!(post.name_of("request_id"), None);
    }
}
