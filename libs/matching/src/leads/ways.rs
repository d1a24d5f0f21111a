//! What telephone numbers say.

use crate::evidence::{Evidence, Finding};
use crate::frequency::Frequencies;
use crate::person::NameLikeness;
use crate::phone::{Line, differs_by_a_slip};
use crate::record::Record;
use crate::similarity::real;

pub(super) fn mobile(left: &Record, right: &Record, name: NameLikeness, frequencies: &Frequencies) -> Evidence {
    let (one, two) = (&left.phones.mobiles, &right.phones.mobiles);
    if one.is_empty() || two.is_empty() {
        return Evidence::NONE;
    }
    if let Some(shared) = one.iter().find(|number| two.contains(number)) {
        let people = frequencies.people_of_mobile(*shared);
        // A number that many leave is an agent's, or was made up.
        return if people > 3 {
            Evidence::new(Finding::Shared, 0.0, 6.0 - real(people).log2())
        } else {
            Evidence::new(Finding::Decides, 8.0, 14.0)
        };
    }
    let whole = left.person.is_whole() && right.person.is_whole();
    let same_name = whole && matches!(name, NameLikeness::Same | NameLikeness::Sounds);
    let slips = one
        .iter()
        .any(|number| two.iter().any(|other| differs_by_a_slip(*number, *other)));
    match (slips, same_name) {
        // Colleagues have numbers in a row; the same name with such numbers mistyped one.
        (true, true) => Evidence::new(Finding::Near, 0.0, -1.0),
        (true, false) => Evidence::new(Finding::Near, 0.0, -5.0),
        (false, true) => Evidence::new(Finding::Other, 0.0, -5.0),
        (false, false) => Evidence::new(Finding::Other, 0.0, -6.0),
    }
}

pub(super) fn line(left: &Record, right: &Record, frequencies: &Frequencies) -> Evidence {
    let (one, two) = (&left.phones.lines, &right.phones.lines);
    if one.is_empty() || two.is_empty() {
        return Evidence::NONE;
    }
    let pairs = one.iter().flat_map(|line| two.iter().map(move |other| (line, other)));
    let same: Vec<(&Line, &Line)> = pairs.filter(|(line, other)| line.is_same(other)).collect();
    let Some((line, other)) = same.first() else {
        return Evidence::new(Finding::Other, -1.0, -0.3);
    };
    let companies = frequencies
        .companies_at_line(line.number)
        .max(frequencies.companies_at_line(other.number));
    let company_bits = (6.0 - 2.0 * real(companies).log2()).max(0.0);
    match (line.extension, other.extension) {
        (Some(one), Some(two)) if one == two => Evidence::new(Finding::Same, company_bits, 4.0),
        (Some(_), Some(_)) => Evidence::new(Finding::OtherExtension, company_bits, -2.0),
        _ if companies > 1 => Evidence::new(Finding::Shared, company_bits, 0.0),
        _ => Evidence::new(Finding::Same, company_bits, 0.7),
    }
}
