//! What holds between a customer and something else, from when until when.
//!
//! Times are half-open: what ends when another begins does not overlap it. Which relations exclude each other the database
//! decides by its constraints, so that no two writers can both be first.

use jiff::{Timestamp, ToSpan as _, civil::Date};

use super::{
    customer::date,
    ids::{AccountId, ContactId, DeviceId},
    violation::{Violation, Violations},
};

/// Most relations of a customer, those that are over included.
pub const MAX_RELATIONS: i64 = 5_000;

/// What a customer is related to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// Somebody who works there.
    Contact(ContactId),
    /// Something that stands there.
    Device(DeviceId),
    /// Something that is bought there again and again.
    PurchaseCycle(PurchaseCycle),
}

/// How often a customer buys something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseCycle {
    /// What it buys.
    pub product: String,
    /// Days from one purchase to the next.
    pub period_days: i32,
    /// When it bought last.
    pub last_purchase: Option<Date>,
}

impl PurchaseCycle {
    /// Returns when it is expected to buy next.
    #[must_use]
    pub fn next_expected(&self) -> Option<Date> {
        Some(self.last_purchase?.saturating_add(self.period_days.days()))
    }
}

impl Object {
    /// Returns the word tables use for what it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Contact(_) => "contact",
            Self::Device(_) => "device",
            Self::PurchaseCycle(_) => "purchase_cycle",
        }
    }

    /// Returns what tables know it by.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Contact(id) => id.id(),
            Self::Device(id) => id.id(),
            Self::PurchaseCycle(cycle) => &cycle.product,
        }
    }
}

/// A relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The customer.
    pub customer: AccountId,
    /// What it is related to.
    pub object: Object,
    /// What the contact does there, or where the device stands.
    pub role: String,
    /// From when it holds.
    pub valid_from: Timestamp,
    /// From when it holds no more.
    pub valid_to: Option<Timestamp>,
}

/// What a relation is with, as it was sent.
#[derive(Debug, Clone)]
pub enum RawObject {
    /// Resource name of a contact.
    Contact(String),
    /// Resource name of a device.
    Device(String),
    /// Product, days, day of the last purchase.
    PurchaseCycle(String, i32, String),
}

/// A relation as it was sent.
#[derive(Debug, Clone)]
pub struct RawRelation {
    /// Resource name of the account.
    pub customer: String,
    /// What it is related to.
    pub object: Option<RawObject>,
    /// The role.
    pub role: String,
    /// From when it holds.
    pub valid_from: Option<Timestamp>,
    /// From when it holds no more.
    pub valid_to: Option<Timestamp>,
}

impl Relation {
    /// Checks what was sent.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(raw: &RawRelation, now: Timestamp) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let customer = violations.name("relation.customer", &raw.customer);
        let object = match &raw.object {
            None => {
                violations.add("relation.object", "must be a contact, a device or a purchase_cycle");
                None
            }
            Some(RawObject::Contact(name)) => violations.name("relation.contact", name).map(Object::Contact),
            Some(RawObject::Device(name)) => violations.name("relation.device", name).map(Object::Device),
            Some(RawObject::PurchaseCycle(product, period_days, last_purchase)) => {
                let product = violations.line("relation.purchase_cycle.product", product, 1..=100);
                let field = "relation.purchase_cycle.period_days";
                let period_days = violations.number(field, *period_days, 1..=3_650);
                let field = "relation.purchase_cycle.last_purchase_date";
                let last_purchase = date(&mut violations, field, last_purchase);
                Some(Object::PurchaseCycle(PurchaseCycle {
                    product,
                    period_days,
                    last_purchase,
                }))
            }
        };
        let role = violations.line("relation.role", &raw.role, 0..=100);
        let valid_from = raw.valid_from.unwrap_or(now);
        check_end(&mut violations, "relation.valid_to", valid_from, raw.valid_to);
        match (customer, object) {
            (Some(customer), Some(object)) if violations.is_empty() => Ok(Self {
                customer,
                object,
                role,
                valid_from,
                valid_to: raw.valid_to,
            }),
            _ => Err(violations.into_vec()),
        }
    }
}

/// Checks that something ends after it began.
pub fn check_end(violations: &mut Violations, field: &str, from: Timestamp, to: Option<Timestamp>) {
    if to.is_some_and(|to| to <= from) {
        violations.add(field, "must be after valid_from");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn raw(object: RawObject) -> RawRelation {
        RawRelation {
            customer: "accounts/一院".into(),
            object: Some(object),
            role: " 采购经理 ".into(),
            valid_from: None,
            valid_to: None,
        }
    }

    #[test]
    fn relations_are_checked() {
        let contact = || raw(RawObject::Contact("contacts/wang".into()));
        let relation = Relation::parse(&contact(), at(7)).unwrap();
        assert_eq!((relation.role.as_str(), relation.valid_from), ("采购经理", at(7)));
        assert_eq!((relation.object.kind(), relation.object.key()), ("contact", "wang"));
        let cycle = |product: &str, days, last: &str| raw(RawObject::PurchaseCycle(product.into(), days, last.into()));
        for (wrong, field) in [
            (
                RawRelation {
                    object: None,
                    ..contact()
                },
                "relation.object",
            ),
            (
                RawRelation {
                    customer: "x".into(),
                    ..contact()
                },
                "relation.customer",
            ),
            (
                RawRelation {
                    valid_to: Some(at(7)),
                    ..contact()
                },
                "relation.valid_to",
            ),
            (raw(RawObject::Contact("devices/x".into())), "relation.contact"),
            (raw(RawObject::Device(String::new())), "relation.device"),
            (cycle("", 30, ""), "relation.purchase_cycle.product"),
            (cycle("x", 0, ""), "relation.purchase_cycle.period_days"),
            (cycle("x", 30, "x"), "relation.purchase_cycle.last_purchase_date"),
        ] {
            assert_eq!(Relation::parse(&wrong, at(7)).unwrap_err()[0].field, field);
        }
        let yearly = Relation::parse(&cycle("骨科耗材", 90, "2026-03-02"), at(7)).unwrap();
        let Object::PurchaseCycle(cycle) = yearly.object else {
            panic!("a cycle was sent")
        };
        assert_eq!(cycle.next_expected().unwrap().to_string(), "2026-05-31");
    }
}
