use super::*;
use crate::evidence::Verdict::{self, Distinct, Duplicate, Suspected};
use crate::record::Values;

type Typed<'a> = [(Field, &'a str)];

fn record(typed: &Typed) -> Record {
    let mut values = Values::default();
    for (field, value) in typed {
        values.add(*field, value);
    }
    Record::read(&values)
}

fn verdict(left: &Typed, right: &Typed) -> (Verdict, Comparison) {
    let (frequencies, weights) = (Frequencies::default(), Weights::default());
    let comparison = compare(&record(left), &record(right), &frequencies, &weights.scales());
    let back = compare(&record(right), &record(left), &frequencies, &weights.scales());
    assert!(
        (comparison.score - back.score).abs() < 1e-9,
        "the order of both matters: {left:?} {right:?}"
    );
    (comparison.verdict(weights.threshold), comparison)
}

use Field::{Address, City, Code, Contact, Email, Mobile, Phone};
const COMPANY: (Field, &str) = (Field::Company, "言雅（东莞）家具有限公司");

#[test]
fn the_same_is_found() {
    for (left, right) in [
        (
            &[COMPANY, (Contact, "王怡新")][..],
            &[(Field::Company, "东莞市言雅家具公司"), (Contact, "王怡新总")][..],
        ),
        (&[COMPANY, (Contact, "王怡新")], &[COMPANY, (Contact, "Wang Yixin")]),
        (
            &[(Mobile, "138-0013-8001"), (Contact, "王怡新")],
            &[(Mobile, "+8613800138001"), (Contact, "王总")],
        ),
        (
            &[COMPANY, (Mobile, "13800138001")],
            &[(Field::Company, "言雅"), (Mobile, "013800138001")],
        ),
        (
            &[COMPANY, (Email, "WANG@yanya.com")],
            &[COMPANY, (Email, "wang@yanya.com")],
        ),
    ] {
        let (verdict, comparison) = verdict(left, right);
        assert_eq!(verdict, Duplicate, "{left:?} {right:?} {comparison:#?}");
    }
}

#[test]
fn what_may_be_the_same_is_suspected() {
    for (left, right) in [
        (&[COMPANY, (Contact, "王总")][..], &[COMPANY, (Contact, "王怡新")][..]),
        (
            &[COMPANY, (Contact, "王怡新"), (Mobile, "13800138001")],
            &[COMPANY, (Contact, "李娜"), (Mobile, "13800138001")],
        ),
        (
            &[(Code, "91350100M000100Y43"), (Phone, "0371-88106811")],
            &[(Code, "91350100m000100y43"), (Contact, "李娜")],
        ),
    ] {
        let (verdict, comparison) = verdict(left, right);
        assert_eq!(verdict, Suspected, "{left:?} {right:?} {comparison:#?}");
    }
}

#[test]
fn what_looks_alike_is_kept_apart() {
    for (left, right) in [
        // Other contacts of one company.
        (
            &[COMPANY, (Contact, "王怡新"), (Phone, "0769-22789036")][..],
            &[COMPANY, (Contact, "李娜"), (Phone, "0769-22789036")][..],
        ),
        (&[COMPANY, (Contact, "王怡新")], &[COMPANY, (Contact, "王琳德")]),
        (&[COMPANY, (Contact, "王先生")], &[COMPANY, (Contact, "王女士")]),
        (
            &[COMPANY, (Contact, "王经理"), (Email, "wangyixin@yanya.com")],
            &[COMPANY, (Contact, "王琳德")],
        ),
        (&[COMPANY], &[COMPANY]),
        // Mobiles that differ by a digit.
        (&[COMPANY, (Mobile, "13800138001")], &[COMPANY, (Mobile, "13800138002")]),
        (
            &[COMPANY, (Contact, "王总"), (Mobile, "13800138001")],
            &[COMPANY, (Contact, "王怡新"), (Mobile, "13800138002")],
        ),
        // The same name elsewhere.
        (
            &[COMPANY, (Contact, "王怡新")],
            &[(Field::Company, "东莞洲想模具有限公司"), (Contact, "王怡新")],
        ),
        (&[(Contact, "王怡新")], &[(Contact, "王怡新")]),
        // Sister companies and branches.
        (
            &[COMPANY, (Contact, "王怡新")],
            &[
                (Field::Company, "言雅（大连）玻璃有限公司"),
                (Contact, "王怡新"),
                (City, "大连"),
            ],
        ),
        (
            &[COMPANY, (Contact, "王总")],
            &[
                (Field::Company, "言雅（东莞）家具有限公司大连分公司"),
                (Contact, "王怡新"),
            ],
        ),
        // A switchboard of several companies in one house.
        (
            &[COMPANY, (Phone, "0769-22789036"), (Address, "东莞市科创街7号3幢101室")],
            &[
                (Field::Company, "洲想模具"),
                (Phone, "0769-22789036"),
                (Address, "东莞市科创街7号3幢102室"),
            ],
        ),
        (&[], &[]),
    ] {
        let (verdict, comparison) = verdict(left, right);
        assert_eq!(verdict, Distinct, "{left:?} {right:?} {comparison:#?}");
    }
}

#[test]
fn fields_count_as_much_as_they_are_told_to() {
    let (left, right) = (
        record(&[COMPANY, (Contact, "王怡新")]),
        record(&[COMPANY, (Contact, "王怡新")]),
    );
    let score = |weights: &Weights| compare(&left, &right, &Frequencies::default(), &weights.scales()).score;
    let mut weights = Weights::default();
    let usual = score(&weights);
    weights.fields.insert(Contact, 0.0);
    assert!(score(&weights) < 0.5 && usual > 0.97);
    assert_eq!(weights.fault(), None);
    weights.fields.insert(Contact, f64::NAN);
    assert_eq!(weights.fault().unwrap().0, "fields.contact");
    weights.threshold = 0.2;
    assert_eq!(weights.fault().unwrap().0, "threshold");
}
