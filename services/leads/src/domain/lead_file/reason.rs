//! Why a row is refused, in the languages of those who have to mend it.

use crate::domain::violation::Violation;

/// What is wrong, in two languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

impl Reason {
    fn new(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self {
            en: en.into(),
            zh: zh.into(),
        }
    }

    /// Tells what is wrong with a lead's field.
    #[must_use]
    pub fn of(violation: &Violation) -> Self {
        let en = violation.description.as_str();
        let zh = match en {
            "must not be empty" => "不能为空".to_owned(),
            "must not contain control characters" => "不能含有控制字符".to_owned(),
            "must be 0 or not below budget_min_fen" => "最高预算不能低于最低预算".to_owned(),
            "must have a company, contact_name, phone or email" => "公司、联系人、电话、邮箱至少要有一项".to_owned(),
            _ => match numbers(en).as_slice() {
                [most, has] if en.contains("characters") => format!("最多 {most} 个字符，现有 {has} 个"),
                [most] if violation.field == "lead.attributes" => format!("附加字段最多 {most} 个"),
                _ if violation.field == "lead.form" => "不是有效的表单名称".to_owned(),
                _ => format!("无法接受：{en}"),
            },
        };
        Self::new(en, zh)
    }
}

fn numbers(text: &str) -> Vec<&str> {
    let words = text.split(|character: char| !character.is_ascii_digit());
    words.filter(|word| !word.is_empty()).collect()
}

pub(super) fn oversized(bytes: usize, cells: usize) -> Reason {
    Reason::new(
        format!("is longer than {bytes} bytes or {cells} cells; is a quotation mark not closed?"),
        format!("超过 {bytes} 字节或 {cells} 列，是否有引号没有闭合？"),
    )
}

pub(super) fn too_many_cells(has: usize, header: usize) -> Reason {
    Reason::new(
        format!("has {has} cells, the header has {header}"),
        format!("有 {has} 列，表头只有 {header} 列"),
    )
}

pub(super) fn damaged() -> Reason {
    Reason::new(
        "has bytes that are none of the file's encoding; name its encoding",
        "含有不属于该文件编码的字节，请指定编码",
    )
}

pub(super) fn no_amount() -> Reason {
    Reason::new(
        "must be an amount in yuan, such as 120000, 99.50 or 12万",
        "应为人民币金额，例如 120000、99.50 或 12万",
    )
}

pub(super) fn cut_number() -> Reason {
    Reason::new(
        "was cut by a spreadsheet; make the column text and export it again",
        "号码已被表格软件截断，请把该列设为文本后重新导出",
    )
}

pub(super) fn unknown_urgency() -> Reason {
    Reason::new("must be red, yellow or green", "应为红、黄或绿")
}

pub(super) fn other_tenant() -> Reason {
    Reason::new("is not the tenant that imports", "不是正在导入的租户")
}
