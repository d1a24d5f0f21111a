//! Customers, what is related to them, and industries between messages and domain types.

use jiff::{Timestamp, tz::TimeZone};
use reflex_proto::leads::v1::{self as pb, industry_move, relation::Object as PbObject};
use reflex_rpc::identity::Caller;

use super::{instant, timestamp};
use crate::{
    domain::{
        contact::Contact,
        customer::{CustomerPolicy, Freshness, RawCustomer, Track, day_of},
        device::{Device, service_years},
        ids::RelationId,
        industry::{Industry, Move, MoveKind},
        masking,
        relation::{Object, RawObject, RawRelation},
        violation::Violation,
    },
    store::{customers::CustomerRow, industries::VersionRow, relations::RelationRow},
};

/// By what a customer is judged.
pub(crate) struct Judged<'a> {
    pub(crate) policy: &'a CustomerPolicy,
    pub(crate) zone: &'a TimeZone,
    pub(crate) now: Timestamp,
}

impl Judged<'_> {
    /// Returns the flow of a customer.
    pub(crate) fn track(&self, row: &CustomerRow) -> Track {
        self.policy.track(self.since(row))
    }

    /// Returns how old what is known of it is.
    pub(crate) fn freshness(&self, row: &CustomerRow) -> Freshness {
        self.policy.freshness(row.update_time.to_jiff(), self.now)
    }

    fn since(&self, row: &CustomerRow) -> jiff::civil::Date {
        row.since()
            .unwrap_or_else(|| day_of(row.create_time.to_jiff(), self.zone))
    }

    /// Converts a customer without its relations.
    pub(crate) fn customer(&self, row: &CustomerRow) -> pb::Customer {
        pb::Customer {
            name: row.id().to_string(),
            display_name: row.display_name.clone(),
            credit_code: row.credit_code.clone().unwrap_or_default(),
            industry: row.industry.clone().unwrap_or_default(),
            industry_version: row.industry_version.unwrap_or_default(),
            since_date: self.since(row).to_string(),
            owner: row.owner().map(|owner| owner.to_string()).unwrap_or_default(),
            track: track(self.track(row)).into(),
            missing: Vec::new(),
            update_time: Some(timestamp(row.update_time.to_jiff())),
            freshness: freshness(self.freshness(row)).into(),
            relations: Vec::new(),
        }
    }

    /// Converts a device with the years it has served by now.
    pub(crate) fn device(&self, device: &Device) -> pb::Device {
        let today = day_of(self.now, self.zone);
        pb::Device {
            name: device.id.to_string(),
            model: device.model.clone(),
            serial: device.serial.clone(),
            install_date: device.installed.map(|date| date.to_string()).unwrap_or_default(),
            service_years: device.installed.map(|installed| service_years(installed, today)),
        }
    }
}

/// Converts a sent customer to what the domain checks.
pub(crate) fn raw_customer(customer: &pb::Customer) -> RawCustomer {
    RawCustomer {
        name: customer.name.clone(),
        display_name: customer.display_name.clone(),
        credit_code: customer.credit_code.clone(),
        industry: customer.industry.clone(),
        industry_version: customer.industry_version,
        since_date: customer.since_date.clone(),
    }
}

/// Converts a flow.
pub(crate) fn track(track: Track) -> pb::CustomerTrack {
    match track {
        Track::Full => pb::CustomerTrack::Full,
        Track::Lazy => pb::CustomerTrack::Lazy,
    }
}

/// Converts an age.
pub(crate) fn freshness(freshness: Freshness) -> pb::Freshness {
    match freshness {
        Freshness::Fresh => pb::Freshness::Fresh,
        Freshness::Ageing => pb::Freshness::Ageing,
        Freshness::Stale => pb::Freshness::Stale,
    }
}

/// Converts a sent relation to what the domain checks.
///
/// # Errors
/// For an instant that is none.
pub(crate) fn raw_relation(relation: &pb::Relation) -> Result<RawRelation, Violation> {
    let at = |field: &str, at: Option<&prost_types::Timestamp>| at.map(|at| instant(field, at)).transpose();
    Ok(RawRelation {
        customer: relation.customer.clone(),
        object: relation.object.as_ref().map(|object| match object {
            PbObject::Contact(name) => RawObject::Contact(name.clone()),
            PbObject::Device(name) => RawObject::Device(name.clone()),
            PbObject::PurchaseCycle(cycle) => RawObject::PurchaseCycle(
                cycle.product.clone(),
                cycle.period_days,
                cycle.last_purchase_date.clone(),
            ),
        }),
        role: relation.role.clone(),
        valid_from: at("relation.valid_from", relation.valid_from.as_ref())?,
        valid_to: at("relation.valid_to", relation.valid_to.as_ref())?,
    })
}

/// Converts a relation, without what it is with.
pub(crate) fn relation(row: &RelationRow) -> pb::Relation {
    let relation = row.relation();
    pb::Relation {
        name: RelationId(row.relation_id).to_string(),
        customer: relation.customer.to_string(),
        object: Some(match relation.object {
            Object::Contact(id) => PbObject::Contact(id.to_string()),
            Object::Device(id) => PbObject::Device(id.to_string()),
            Object::PurchaseCycle(cycle) => {
                let text = |date: Option<jiff::civil::Date>| date.map(|date| date.to_string()).unwrap_or_default();
                let (last_purchase_date, next_expected_date) = (text(cycle.last_purchase), text(cycle.next_expected()));
                PbObject::PurchaseCycle(pb::PurchaseCycle {
                    product: cycle.product,
                    period_days: cycle.period_days,
                    last_purchase_date,
                    next_expected_date,
                })
            }
        }),
        role: relation.role,
        valid_from: Some(timestamp(relation.valid_from)),
        valid_to: relation.valid_to.map(timestamp),
        contact_details: None,
        device_details: None,
    }
}

/// Converts a contact as the caller may see them.
pub(crate) fn contact(contact: &Contact, caller: &Caller) -> pb::Contact {
    let masked = !caller.may("leads.read_contact");
    let shown = |texts: &[String], mask: fn(&str) -> String| {
        let texts = texts.iter();
        texts
            .map(|text| if masked { mask(text) } else { text.clone() })
            .collect()
    };
    pb::Contact {
        name: contact.id.to_string(),
        display_name: contact.display_name.clone(),
        title: contact.title.clone(),
        phones: shown(&contact.phones, masking::mask_phone),
        emails: shown(&contact.emails, masking::mask_email),
    }
}

/// Converts a policy.
pub(crate) fn policy(policy: &CustomerPolicy, update_time: Timestamp) -> pb::CustomerPolicy {
    pb::CustomerPolicy {
        cutover_date: policy.cutover.map(|date| date.to_string()).unwrap_or_default(),
        fresh_days: policy.fresh_days,
        stale_days: policy.stale_days,
        update_time: Some(timestamp(update_time)),
    }
}

/// Converts a version of the industries.
pub(crate) fn industry_version(row: &VersionRow) -> pb::IndustryVersion {
    pb::IndustryVersion {
        version: row.version,
        title: row.title.clone(),
        industry_count: row.industry_count,
        create_time: Some(timestamp(row.create_time.to_jiff())),
    }
}

/// Converts an industry.
pub(crate) fn industry(industry: Industry) -> pb::Industry {
    pb::Industry {
        code: industry.code,
        parent: industry.parent.unwrap_or_default(),
        name_zh: industry.name_zh,
        name_en: industry.name_en,
        level: industry.level.into(),
    }
}

/// Converts what became of an industry.
pub(crate) fn industry_move(it: Move) -> pb::IndustryMove {
    let kind = match it.kind {
        MoveKind::Changed => industry_move::Kind::Changed,
        MoveKind::Moved => industry_move::Kind::Moved,
        MoveKind::Removed => industry_move::Kind::Removed,
        MoveKind::Added => industry_move::Kind::Added,
    };
    pb::IndustryMove {
        from_code: it.from.unwrap_or_default(),
        to_code: it.to.unwrap_or_default(),
        kind: kind.into(),
    }
}
