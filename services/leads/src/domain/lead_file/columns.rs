//! What the columns of a file of leads hold.

use std::collections::HashSet;

use reflex_table::{Record, heading_key};

use super::Settings;
use crate::domain::new_lead::MAX_ATTRIBUTE_NAME_CHARACTERS;
use crate::domain::violation::{Violation, Violations};

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub heading: String,
    /// What it holds.
    pub field: Field,
    /// Whether amounts in it are in ten thousands of yuan.
    pub in_ten_thousands: bool,
}

/// What a column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The channel.
    Source,
    /// The source's own id.
    ExternalId,
    /// The company.
    Company,
    /// The contact person.
    ContactName,
    /// Mobile or landline.
    Phone,
    /// Mail address.
    Email,
    /// City, province or region.
    Territory,
    /// The province alone.
    Province,
    /// The city alone.
    City,
    /// Product or product line.
    Product,
    /// How soon the customer wants an answer.
    Urgency,
    /// Lowest budget in yuan.
    BudgetMin,
    /// Highest budget in yuan.
    BudgetMax,
    /// Free text.
    Remark,
    /// The account.
    Account,
    /// The form.
    Form,
    /// The tenant, which must be the caller's.
    Tenant,
    /// A further field, named by the heading.
    Attribute,
    /// Nothing that is kept.
    Ignore,
}

/// Each field with its name, as mappings write it, and the other headings it is known by.
const FIELDS: [(Field, &str, &str); 19] = [
    (Field::Source, "source", "channel 来源 渠道 线索来源 来源渠道 渠道来源"),
    (
        Field::ExternalId,
        "external_id",
        "lead_id id 编号 线索编号 线索id 外部编号 单号 流水号",
    ),
    (
        Field::Company,
        "company",
        "company_name organization 公司 公司名称 单位 单位名称 企业 企业名称 客户 客户名称 医院 医院名称",
    ),
    (
        Field::ContactName,
        "contact_name",
        "name contact full_name 联系人 联系人姓名 姓名 客户姓名",
    ),
    (
        Field::Phone,
        "phone",
        "mobile tel telephone phone_number mobile_phone 电话 电话号码 手机 手机号 手机号码 联系电话 联系方式 座机",
    ),
    (
        Field::Email,
        "email",
        "mail e_mail email_address 邮箱 电子邮箱 邮件 电子邮件",
    ),
    (
        Field::Territory,
        "territory",
        "region area 地区 区域 所在地 所在地区 省市 省份城市",
    ),
    (Field::Province, "province", "state 省 省份"),
    (Field::City, "city", "市 城市 地市"),
    (
        Field::Product,
        "product",
        "product_line 产品 意向产品 产品线 产品名称 咨询产品 设备类型",
    ),
    (Field::Urgency, "urgency", "priority 紧急程度 紧急度 优先级 紧急"),
    (Field::BudgetMin, "budget_min", "最低预算 预算下限 预算最低"),
    (Field::BudgetMax, "budget_max", "budget 最高预算 预算上限 预算 预算最高"),
    (
        Field::Remark,
        "remark",
        "message comment comments note notes 备注 留言 需求 需求描述 说明",
    ),
    (Field::Account, "account", "客户账号 客户编码 账户"),
    (Field::Form, "form", "表单"),
    (Field::Tenant, "tenant", "租户 子公司"),
    (Field::Attribute, "attribute", ""),
    (Field::Ignore, "ignore", ""),
];

impl Field {
    /// Returns the names of all fields.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().map(|(_, name, _)| *name)
    }

    /// Returns its name, as mappings write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        FIELDS[self as usize].1
    }

    /// Finds a field by its name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let found = FIELDS.iter().find(|(_, known, _)| *known == name);
        found.map(|(field, ..)| *field)
    }

    /// Returns whether only one column can hold it.
    #[must_use]
    pub fn is_single(self) -> bool {
        !matches!(self, Self::Attribute | Self::Ignore)
    }

    /// Finds a field by a heading it is known by.
    fn known_as(heading: &str) -> Option<Self> {
        let is_known = |headings: &str| headings.split(' ').any(|known| known == heading);
        let found = FIELDS.iter().find(|(.., headings)| is_known(headings));
        found.map(|(field, ..)| *field).filter(|_| !heading.is_empty())
    }
}

/// Reads the header.
///
/// # Errors
/// Returns everything that is wrong with it; the fields of the violations are `file` and `settings`.
pub(super) fn read(header: &Record, settings: &Settings) -> Result<Vec<Column>, Vec<Violation>> {
    let mut violations = Violations::default();
    let line = header.line();
    if header.is_oversized() || header.raw().contains(&0) || header.raw().starts_with(b"PK\x03\x04") {
        violations.add(
            "file",
            "is no table of text; save a spreadsheet as \"CSV UTF-8\", and name the encoding of UTF-16 without its mark",
        );
        return Err(violations.into_vec());
    }
    let headings: Vec<&str> = header.cells().map(str::trim).collect();
    let keys: Vec<String> = headings.iter().map(|heading| heading_key(heading)).collect();
    let fields = assign(&headings, &keys, settings);
    for heading in settings.columns.keys().filter(|heading| !keys.contains(heading)) {
        violations.add(
            "settings.columns",
            format!("line {line}: the file has no column {heading}"),
        );
    }
    let mut names = HashSet::new();
    for (heading, field) in headings.iter().zip(&fields) {
        let mut fault =
            |description: &str| violations.add("file", format!("line {line}, column {heading}: {description}"));
        match field {
            Field::Ignore => {}
            Field::Attribute if heading.is_empty() => fault("has no heading; give it one or leave it out"),
            Field::Attribute if !names.insert(*heading) => fault("occurs twice"),
            Field::Attribute if heading.chars().count() > MAX_ATTRIBUTE_NAME_CHARACTERS => {
                fault(&format!(
                    "has a heading of more than {MAX_ATTRIBUTE_NAME_CHARACTERS} characters"
                ));
            }
            Field::Attribute if heading.chars().any(char::is_control) => fault("has control characters in its heading"),
            single if single.is_single() && fields.iter().filter(|other| *other == single).count() > 1 => {
                fault(&format!("is not the only one of {}", single.name()));
            }
            _ => {}
        }
    }
    if !fields.iter().any(|field| is_of_somebody(*field)) {
        violations.add(
            "file",
            format!(
                "line {line}: no column is known as company, contact_name, phone or email (公司、联系人、电话、邮箱)"
            ),
        );
    }
    if settings.source.is_empty() && !fields.contains(&Field::Source) {
        violations.add("settings.source", "must be set, as the file has no column for it");
    }
    if !violations.is_empty() {
        return Err(violations.into_vec());
    }
    let columns = headings.into_iter().zip(fields);
    Ok(columns
        .map(|(heading, field)| Column {
            heading: heading.to_owned(),
            field,
            in_ten_thousands: heading.contains('万'),
        })
        .collect())
}

/// Gives each column its field: what the settings say, then names of fields, then other words; a field that is taken
/// already stays with the first, and the other column is a further field.
fn assign(headings: &[&str], keys: &[String], settings: &Settings) -> Vec<Field> {
    let mut fields: Vec<Option<Field>> = keys.iter().map(|key| settings.columns.get(key).copied()).collect();
    let named = |key: &str| Field::find(key).filter(|field| field.is_single());
    for find in [named, Field::known_as] {
        for at in 0..keys.len() {
            let found = find(&keys[at]).filter(|field| !fields.contains(&Some(*field)));
            fields[at] = fields[at].or(found);
        }
    }
    let is_empty = |at: usize| headings[at].is_empty();
    let rest = |at: usize| if is_empty(at) { Field::Ignore } else { Field::Attribute };
    (0..fields.len())
        .map(|at| fields[at].unwrap_or_else(|| rest(at)))
        .collect()
}

fn is_of_somebody(field: Field) -> bool {
    matches!(field, Field::Company | Field::ContactName | Field::Phone | Field::Email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_heading_is_known_as_one_field() {
        let mut seen = HashSet::new();
        for (at, (field, name, headings)) in FIELDS.iter().enumerate() {
            assert_eq!((*field as usize, field.name()), (at, *name));
            for heading in headings.split(' ').chain([*name]).filter(|heading| !heading.is_empty()) {
                assert!(seen.insert(heading), "{heading} is known twice");
                assert_eq!(heading_key(heading), heading, "headings are compared by their key");
            }
        }
    }
}
