//! Findings of a field in steps, from other to the same, for records of any kind.

use crate::address::AddressLikeness;
use crate::birth_date::{self, DateLikeness};
use crate::company::CompanyLikeness;
use crate::evidence::Finding;
use crate::person::NameLikeness;
use crate::phone::differs_by_a_slip;
use crate::record::{FIELDS, Field, Record};
use crate::similarity::{is_hopeless, is_slip, jaro_winkler};

/// How many steps there are.
pub(super) const LEVELS: usize = 5;
/// The step of the same.
pub(super) const TOP: usize = LEVELS - 1;
/// Where one says nothing.
pub(super) const MISSING: u8 = u8::MAX;

/// The step of each field.
pub(super) type Pattern = [u8; FIELDS];

const OTHER: u8 = 0;
const ALIKE: u8 = 1;
const SHORT: u8 = 2;
const NEAR: u8 = 3;
const SAME: u8 = 4;

pub(super) fn finding(level: u8) -> Finding {
    match level {
        OTHER => Finding::Other,
        ALIKE => Finding::Alike,
        SHORT => Finding::Short,
        NEAR => Finding::Near,
        SAME => Finding::Same,
        _ => Finding::Missing,
    }
}

pub(super) fn pattern(left: &Record, right: &Record) -> Pattern {
    let mut pattern = [MISSING; FIELDS];
    for field in Field::ALL {
        pattern[field.place()] = level(left, right, field);
    }
    pattern
}

/// Returns what is counted of a field; empty where it says nothing.
pub(super) fn value(record: &Record, field: Field) -> String {
    match field {
        Field::Company => record
            .company
            .as_ref()
            .map(|company| company.spelled.clone())
            .unwrap_or_default(),
        Field::Contact => {
            let mut words = record.person.words.clone();
            words.sort_unstable();
            if words.is_empty() {
                record.person.letters()
            } else {
                words.concat()
            }
        }
        Field::Mobile => record.phones.mobiles.first().map(u64::to_string).unwrap_or_default(),
        Field::Phone => record
            .phones
            .lines
            .first()
            .map(|line| line.number.to_string())
            .unwrap_or_default(),
        Field::Email => record
            .mailbox
            .as_ref()
            .map(|mailbox| mailbox.address.clone())
            .unwrap_or_default(),
        Field::Address => {
            let address = record.address.as_ref();
            let words = address.map(|address| address.words().concat()).unwrap_or_default();
            if words.is_empty() {
                address.and_then(crate::address::Address::key).unwrap_or_default()
            } else {
                words
            }
        }
        Field::City => record.city.clone(),
        Field::Postcode => record.postcode.clone(),
        Field::BirthDate => record.birth_date.clone().unwrap_or_default(),
        Field::Code => record.code.as_ref().map(|(code, _)| code.clone()).unwrap_or_default(),
    }
}

fn level(left: &Record, right: &Record, field: Field) -> u8 {
    match field {
        Field::Company => match (&left.company, &right.company) {
            (Some(one), Some(two)) => match one.compare(two) {
                CompanyLikeness::Missing => MISSING,
                CompanyLikeness::Same | CompanyLikeness::Former => SAME,
                CompanyLikeness::Near | CompanyLikeness::Sounds => NEAR,
                CompanyLikeness::Short => SHORT,
                CompanyLikeness::Alike => ALIKE,
                _ => OTHER,
            },
            _ => MISSING,
        },
        Field::Contact => match left.person.compare(&right.person) {
            NameLikeness::Missing => MISSING,
            NameLikeness::Same | NameLikeness::Sounds => SAME,
            NameLikeness::Near => NEAR,
            NameLikeness::Initials | NameLikeness::Surname => SHORT,
            NameLikeness::OtherGiven | NameLikeness::OtherGender => ALIKE,
            NameLikeness::Other => OTHER,
        },
        Field::Mobile => numbers(&left.phones.mobiles, &right.phones.mobiles),
        Field::Phone => {
            let numbers_of = |record: &Record| record.phones.lines.iter().map(|line| line.number).collect::<Vec<_>>();
            numbers(&numbers_of(left), &numbers_of(right))
        }
        Field::Email => match (&left.mailbox, &right.mailbox) {
            (Some(one), Some(two)) if one.address == two.address => SAME,
            (Some(one), Some(two)) if is_slip(&one.address, &two.address) => NEAR,
            (Some(one), Some(two)) if one.local() == two.local() => SHORT,
            (Some(one), Some(two)) if !one.is_free && one.domain() == two.domain() => ALIKE,
            (Some(_), Some(_)) => OTHER,
            _ => MISSING,
        },
        Field::Address => match (&left.address, &right.address) {
            (Some(one), Some(two)) => match one.compare(two) {
                AddressLikeness::Missing => MISSING,
                AddressLikeness::Same => SAME,
                AddressLikeness::Near => NEAR,
                AddressLikeness::SameHouse => SHORT,
                AddressLikeness::Alike => ALIKE,
                AddressLikeness::Other => OTHER,
            },
            _ => MISSING,
        },
        Field::City => text(&left.city, &right.city),
        Field::Postcode => text(&left.postcode, &right.postcode),
        Field::BirthDate => match (&left.birth_date, &right.birth_date) {
            (Some(one), Some(two)) => match birth_date::compare(one, two) {
                DateLikeness::Same => SAME,
                DateLikeness::Near => NEAR,
                DateLikeness::Other => OTHER,
            },
            _ => MISSING,
        },
        Field::Code => match (&left.code, &right.code) {
            (Some((one, _)), Some((two, _))) => text(one, two),
            _ => MISSING,
        },
    }
}

fn numbers(left: &[u64], right: &[u64]) -> u8 {
    if left.is_empty() || right.is_empty() {
        return MISSING;
    }
    if left.iter().any(|number| right.contains(number)) {
        return SAME;
    }
    let slips = left
        .iter()
        .any(|number| right.iter().any(|other| differs_by_a_slip(*number, *other)));
    if slips { NEAR } else { OTHER }
}

fn text(left: &str, right: &str) -> u8 {
    if left.is_empty() || right.is_empty() {
        return MISSING;
    }
    if left == right {
        return SAME;
    }
    let digits = left.bytes().any(|byte| byte.is_ascii_digit());
    let is_near = if digits {
        is_slip(left, right)
    } else {
        !is_hopeless(left, right) && jaro_winkler(left, right) >= 0.9
    };
    if is_near {
        NEAR
    } else if left.contains(right) || right.contains(left) {
        SHORT
    } else {
        OTHER
    }
}
