//! Which kinds of messages there are, in which languages, and what each kind carries.

/// Kind of message a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A lead got an owner.
    LeadAssigned,
    /// Nobody took a lead in time.
    ClaimExpired,
    /// A step of the ladder was reached.
    LeadEscalated,
    /// The map of who decides about a lead is overdue.
    DecisionMapOverdue,
    /// Several messages in one.
    Digest,
    /// A month's messages are nearly or wholly used up.
    QuotaReached,
}

/// A variable a template may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name between the braces.
    pub name: &'static str,
    /// What it stands for, in Chinese.
    pub zh: &'static str,
    /// What it stands for, in English.
    pub en: &'static str,
    /// Where its text comes from.
    pub kind: Kind,
    /// Whether title or body must use it.
    pub is_required: bool,
}

/// Where the text of a variable comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From ourselves, such as a number, a time or a colleague's name.
    Ours,
    /// Somebody typed it: it may hold anything, a phone number for instance.
    Typed,
    /// A list with a line for each entry; it has no place in a title.
    Lines,
}

impl Variable {
    const fn ours(name: &'static str, zh: &'static str, en: &'static str) -> Self {
        Self {
            name,
            zh,
            en,
            kind: Kind::Ours,
            is_required: false,
        }
    }

    const fn typed(name: &'static str, zh: &'static str, en: &'static str) -> Self {
        Self {
            kind: Kind::Typed,
            ..Self::ours(name, zh, en)
        }
    }

    const fn lines(name: &'static str, zh: &'static str, en: &'static str) -> Self {
        Self {
            kind: Kind::Lines,
            ..Self::ours(name, zh, en)
        }
    }

    const fn required(self) -> Self {
        Self {
            is_required: true,
            ..self
        }
    }
}

const NUMBER: Variable = Variable::ours("number", "线索编号", "the lead's number").required();
const COMPANY: Variable = Variable::typed("company", "客户", "the customer");
const PRODUCT: Variable = Variable::typed("product", "需求产品", "the product asked for");
const RECIPIENT: Variable = Variable::ours("recipient", "收件人", "who is told");
const CONTACT_DUE: Variable = Variable::ours("contact_due_time", "首次联系期限", "when the first contact is due");

impl Key {
    /// Every key, by name.
    pub const ALL: [Self; 6] = [
        Self::ClaimExpired,
        Self::DecisionMapOverdue,
        Self::Digest,
        Self::LeadAssigned,
        Self::LeadEscalated,
        Self::QuotaReached,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeadAssigned => "lead_assigned",
            Self::ClaimExpired => "claim_expired",
            Self::LeadEscalated => "lead_escalated",
            Self::DecisionMapOverdue => "decision_map_overdue",
            Self::Digest => "digest",
            Self::QuotaReached => "quota_reached",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == text)
    }

    /// Returns what messages of this kind carry.
    #[must_use]
    pub const fn variables(self) -> &'static [Variable] {
        match self {
            Self::LeadAssigned => {
                const {
                    &[
                        NUMBER,
                        COMPANY.required(),
                        RECIPIENT,
                        Variable::typed("contact_name", "联系人", "the contact"),
                        PRODUCT,
                        Variable::typed("territory", "区域", "the territory"),
                        Variable::typed("source", "来源", "the source"),
                        Variable::ours("claim_due_time", "认领期限", "when it must be claimed"),
                        CONTACT_DUE,
                    ]
                }
            }
            Self::ClaimExpired => {
                const {
                    &[
                        NUMBER,
                        Variable::ours("member", "原负责人", "who had the lead").required(),
                        COMPANY,
                        RECIPIENT,
                    ]
                }
            }
            Self::LeadEscalated => {
                const {
                    &[
                        NUMBER,
                        Variable::ours("owner", "负责人", "who owns the lead").required(),
                        RECIPIENT,
                        Variable::ours("deputising_for", "代理谁", "for whom the reader stands in"),
                        COMPANY,
                        PRODUCT,
                        CONTACT_DUE,
                        Variable::ours("step", "升级级数", "the step of the ladder"),
                        Variable::ours("step_count", "总级数", "how many steps there are"),
                    ]
                }
            }
            Self::DecisionMapOverdue => {
                const {
                    &[
                        NUMBER,
                        Variable::ours("missing_roles", "缺少的角色", "the roles nobody is known for").required(),
                        Variable::ours("owner", "负责人", "who owns the lead"),
                        RECIPIENT,
                        Variable::ours("due_time", "期限", "when the map was due"),
                    ]
                }
            }
            Self::QuotaReached => {
                const {
                    &[
                        Variable::ours("quota", "配额", "the quota").required(),
                        Variable::ours("percent", "已用百分比", "how much of it is used, in per cent").required(),
                        Variable::ours("month", "月份", "the month"),
                        Variable::ours("used", "已发条数", "how many were sent"),
                        Variable::ours("messages", "每月条数", "how many a month may have"),
                    ]
                }
            }
            Self::Digest => {
                const {
                    &[
                        Variable::ours("count", "条数", "how many there are").required(),
                        Variable::lines("lines", "各条内容", "the list").required(),
                    ]
                }
            }
        }
    }
}

/// Language of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locale {
    /// English.
    En,
    /// Simplified Chinese.
    ZhCn,
}

impl Locale {
    /// Every locale, by name.
    pub const ALL: [Self; 2] = [Self::En, Self::ZhCn];

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhCn => "zh-CN",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.as_str() == text)
    }

    /// Returns the language for a person: English for those who ask for it, Chinese for everybody else.
    #[must_use]
    pub fn of_person(text: &str) -> Self {
        if text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("en")) {
            Self::En
        } else {
            Self::ZhCn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_chinese_unless_they_ask_for_english() {
        for (text, expected) in [
            ("", Locale::ZhCn),
            ("zh-CN", Locale::ZhCn),
            ("de", Locale::ZhCn),
            ("en", Locale::En),
            ("EN-gb", Locale::En),
            ("中", Locale::ZhCn),
        ] {
            assert_eq!(Locale::of_person(text), expected, "{text}");
        }
    }

    #[test]
    fn names_lead_back_to_what_they_name() {
        for key in Key::ALL {
            assert_eq!(Key::find(key.as_str()), Some(key));
            let mut names: Vec<_> = key.variables().iter().map(|variable| variable.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), key.variables().len(), "{}", key.as_str());
        }
        for locale in Locale::ALL {
            assert_eq!(Locale::find(locale.as_str()), Some(locale));
        }
        assert_eq!(Key::find("lead_lost"), None);
    }
}
