//! Accounts: the customers that leads belong to.

use std::collections::{BTreeMap, HashMap};

use reflex_expr::{Field, Schema, Type};

use super::ids::AccountId;
use super::violation::{Violation, Violations};

const MAX_ATTRIBUTES: usize = 50;
/// Names of attributes over all accounts of a tenant, which formulas may read and are compared with.
pub const MAX_ATTRIBUTE_NAMES: usize = 1000;
/// Longest name of an attribute, of leads as well.
pub const MAX_NAME_CHARACTERS: usize = 64;
const MAX_VALUE_CHARACTERS: usize = 1000;

/// What is known of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The key that leads carry.
    pub id: AccountId,
    /// Name people read.
    pub display_name: String,
    /// Texts by name; none is empty.
    pub attributes: BTreeMap<String, String>,
}

/// An account as it was sent, not checked.
#[derive(Debug, Clone, Default)]
pub struct RawAccount {
    /// `accounts/{account}`.
    pub name: String,
    /// Name people read.
    pub display_name: String,
    /// Texts by name.
    pub attributes: HashMap<String, String>,
}

impl Account {
    /// Checks an account. Fields of the violations start with `account.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawAccount) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("account.name", &raw.name);
        let display_name = violations.line("account.display_name", &raw.display_name, 1..=300);
        let mut attributes = BTreeMap::new();
        if raw.attributes.len() > MAX_ATTRIBUTES {
            violations.add(
                "account.attributes",
                format!("must be at most {MAX_ATTRIBUTES}, are {}", raw.attributes.len()),
            );
        } else {
            // In order of the names, so that the same account is always refused with the same words.
            for (name, value) in raw.attributes.iter().collect::<BTreeMap<_, _>>() {
                let name = violations.line("account.attributes.key", name, 1..=MAX_NAME_CHARACTERS);
                if Schema::new(vec![Field::new(&name, Type::Text)]).is_err() && !name.is_empty() {
                    violations.add(
                        "account.attributes.key",
                        "must have no brackets, and something before and after each dot",
                    );
                }
                let value = violations.text("account.attributes.value", value, 0..=MAX_VALUE_CHARACTERS);
                if !value.is_empty() && attributes.insert(name, value).is_some() {
                    violations.add(
                        "account.attributes.key",
                        "must differ from the others by more than spaces",
                    );
                }
            }
        }
        match id {
            Some(id) if violations.is_empty() => Ok(Self {
                id,
                display_name,
                attributes,
            }),
            _ => Err(violations.into_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(name: &str, attributes: &[(&str, &str)]) -> RawAccount {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        RawAccount {
            name: name.into(),
            display_name: "苏州锻压".into(),
            attributes: attributes.iter().map(owned).collect(),
        }
    }

    #[test]
    fn accounts_are_checked() {
        let good = raw("accounts/苏州 锻压/1", &[("设备型号", " 锻造压力机 "), ("空", " ")]);
        let account = Account::parse(&good).unwrap();
        assert_eq!(account.id.key(), "苏州 锻压/1");
        assert_eq!(account.attributes, [("设备型号".into(), "锻造压力机".into())].into());
        let long = "长".repeat(101);
        for (name, attributes) in [
            ("", &[][..]),
            ("accounts/", &[]),
            ("accounts/ a", &[]),
            ("accounts/a\nb", &[]),
            (&format!("accounts/{long}"), &[]),
            ("customers/a", &[]),
            ("accounts/a", &[("", "x")]),
            ("accounts/a", &[("a[1]", "x")]),
            ("accounts/a", &[("a..b", "x")]),
            ("accounts/a", &[("a", "x\0")]),
            ("accounts/a", &[("a", "x"), (" a", "y")]),
        ] {
            assert!(
                Account::parse(&raw(name, attributes)).is_err(),
                "{name:?} {attributes:?}"
            );
        }
        let many: Vec<_> = (0..=MAX_ATTRIBUTES).map(|at| format!("a{at}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "x")).collect();
        assert_eq!(Account::parse(&raw("accounts/a", &many)).unwrap_err().len(), 1);
    }
}
