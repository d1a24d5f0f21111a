//! Which column holds what.

use reflex_matching::Field;
use reflex_table::heading_key;

/// What a column may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// What the row is called in the results.
    Id,
    /// When the row came in.
    Time,
    /// What is compared.
    Field(Field),
}

/// A field and the column it is in, as typed.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(super) role: Role,
    pub(super) column: String,
}

/// Headings under which fields are known without a mapping, as `heading_key` writes them.
const USUAL: [(Role, &[&str]); 12] = [
    (Role::Id, &["id", "lead_id", "external_id", "编号", "线索编号", "序号"]),
    (
        Role::Field(Field::Company),
        &[
            "company",
            "company_name",
            "公司",
            "公司名称",
            "单位",
            "单位名称",
            "客户名称",
            "企业名称",
        ],
    ),
    (
        Role::Field(Field::Contact),
        &["contact", "contact_name", "name", "联系人", "姓名", "联系人姓名"],
    ),
    (
        Role::Field(Field::Mobile),
        &["mobile", "cell", "手机", "手机号", "手机号码", "移动电话"],
    ),
    (
        Role::Field(Field::Phone),
        &["phone", "tel", "telephone", "电话", "联系电话", "座机", "固定电话"],
    ),
    (
        Role::Field(Field::Email),
        &["email", "e_mail", "mail", "邮箱", "电子邮箱", "邮件"],
    ),
    (
        Role::Field(Field::Address),
        &["address", "addr", "street", "地址", "详细地址", "联系地址"],
    ),
    (Role::Field(Field::City), &["city", "suburb", "城市", "所在城市"]),
    (
        Role::Field(Field::Postcode),
        &["postcode", "zip", "zip_code", "postal_code", "邮编", "邮政编码"],
    ),
    (
        Role::Field(Field::BirthDate),
        &["birth_date", "birthday", "date_of_birth", "dob", "生日", "出生日期"],
    ),
    (
        Role::Field(Field::Code),
        &["code", "credit_code", "统一社会信用代码", "信用代码", "税号"],
    ),
    (
        Role::Time,
        &["time", "created_at", "create_time", "时间", "创建时间", "提交时间"],
    ),
];

/// Reads FIELD=COLUMN.
pub(super) fn parse_mapping(text: &str) -> Result<Mapping, String> {
    let (field, column) = text
        .split_once('=')
        .ok_or("write FIELD=COLUMN, such as company=公司名称")?;
    let name = field.trim().to_lowercase().replace([' ', '-'], "_");
    let role = match name.as_str() {
        "id" => Some(Role::Id),
        "time" => Some(Role::Time),
        "contact_name" | "name" => Some(Role::Field(Field::Contact)),
        "dob" | "birthday" => Some(Role::Field(Field::BirthDate)),
        _ => Field::find(&name).map(Role::Field),
    };
    let Some(role) = role else {
        let known: Vec<&str> = Field::ALL.into_iter().map(Field::name).collect();
        return Err(format!("{field:?} is no field; id, time, {} are", known.join(", ")));
    };
    let column = column.trim();
    if column.is_empty() {
        return Err(format!("no column is given for {field}"));
    }
    Ok(Mapping {
        role,
        column: column.to_owned(),
    })
}

/// Returns what each column of a header holds, in the order in which values are joined.
pub(super) fn assign(header: &[String], mappings: &[Mapping]) -> anyhow::Result<Vec<(Role, usize)>> {
    let mut columns = Vec::new();
    if mappings.is_empty() {
        for (role, usual) in USUAL {
            // Of several that would do, the first name of the list.
            let known = usual
                .iter()
                .find_map(|name| header.iter().position(|heading| heading_key(heading) == *name));
            columns.extend(known.map(|column| (role, column)));
        }
    }
    for Mapping { role, column } in mappings {
        let places = match find(header, column) {
            Some(place) => vec![place],
            None => column
                .split('+')
                .map(|part| {
                    let place = find(header, part.trim());
                    place.ok_or_else(|| anyhow::anyhow!("there is no column {part:?}; there are {}", listed(header)))
                })
                .collect::<anyhow::Result<Vec<usize>>>()?,
        };
        columns.extend(places.into_iter().map(|place| (*role, place)));
    }
    for single in [Role::Id, Role::Time] {
        let count = columns.iter().filter(|(role, _)| *role == single).count();
        anyhow::ensure!(count <= 1, "id and time are one column each");
    }
    let is_compared = |(role, _): &(Role, usize)| matches!(role, Role::Field(_));
    anyhow::ensure!(
        columns.iter().any(is_compared),
        "no column is known; say which with --map FIELD=COLUMN; there are {}",
        listed(header)
    );
    Ok(columns)
}

fn find(header: &[String], column: &str) -> Option<usize> {
    let exact = header.iter().position(|heading| heading.trim() == column);
    exact.or_else(|| {
        header
            .iter()
            .position(|heading| heading_key(heading) == heading_key(column))
    })
}

fn listed(header: &[String]) -> String {
    /// Most headings that a sentence names.
    const MOST: usize = 30;
    let names: Vec<&str> = header.iter().take(MOST).map(|heading| heading.trim()).collect();
    names.join(", ")
}
