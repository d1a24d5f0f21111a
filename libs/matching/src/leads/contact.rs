//! What names and mailboxes say of the person.

use crate::birth_date::{self, DateLikeness};
use crate::evidence::{Evidence, Finding};
use crate::frequency::Frequencies;
use crate::mailbox::{Hint, Mailbox};
use crate::person::{NameLikeness, Person};
use crate::record::Record;

pub(super) fn name(left: &Record, right: &Record, likeness: NameLikeness, frequencies: &Frequencies) -> Evidence {
    let surname = |record: &Record| frequencies.surname_bits(&record.person.surname);
    let (one, two) = (&left.person, &right.person);
    let rarest = surname(if one.surname.is_empty() { right } else { left });
    match likeness {
        NameLikeness::Missing => Evidence::NONE,
        NameLikeness::Same if one.is_whole() && two.is_whole() => {
            // A given name of two characters is rarer than one of one.
            let given = if one.given.chars().count() == 1 { 4.0 } else { 6.0 };
            Evidence::new(Finding::Same, 0.0, (rarest + given).clamp(7.0, 10.0))
        }
        NameLikeness::Sounds => Evidence::new(Finding::Sounds, 0.0, (rarest + 3.0).clamp(6.0, 8.0)),
        NameLikeness::Near => Evidence::new(Finding::Near, 0.0, if one.surname.is_empty() { 4.0 } else { -2.0 }),
        NameLikeness::Initials => Evidence::new(Finding::Initials, 0.0, (rarest + 1.0).min(5.0)),
        NameLikeness::Same | NameLikeness::Surname => {
            let both_short = !one.is_whole() && !two.is_whole();
            let bits = if both_short { rarest - 1.5 } else { rarest };
            Evidence::new(Finding::SurnameOnly, 0.0, bits)
        }
        NameLikeness::OtherGender => Evidence::new(Finding::OtherGender, 0.0, -4.0),
        NameLikeness::OtherGiven => Evidence::new(Finding::OtherGiven, 0.0, -8.0),
        NameLikeness::Other => Evidence::new(Finding::Other, 0.0, -9.0),
    }
}

pub(super) fn mailbox(left: &Record, right: &Record, name: NameLikeness) -> Evidence {
    if let (Some(one), Some(two)) = (&left.mailbox, &right.mailbox)
        && one.address == two.address
    {
        return if one.is_shared {
            Evidence::new(Finding::Shared, 8.0, 0.0)
        } else {
            Evidence::new(Finding::Same, 8.0, 14.0)
        };
    }
    let same_domain = match (&left.mailbox, &right.mailbox) {
        (Some(one), Some(two)) => !one.is_free && one.domain() == two.domain(),
        _ => false,
    };
    let company_bits = if same_domain { 5.0 } else { 0.0 };
    // Where both names are whole, they say all that mailboxes could.
    let is_open = !(left.person.is_whole() && right.person.is_whole());
    let hints = [hint(left, right), hint(right, left)];
    if is_open && hints.contains(&Some(Hint::Other)) {
        return Evidence::new(Finding::SpellsOther, company_bits, -6.0);
    }
    if is_open
        && let Some(bits) = hints
            .iter()
            .flatten()
            .filter_map(|hint| hint_bits(*hint, name))
            .reduce(f64::max)
    {
        return Evidence::new(Finding::SpellsName, company_bits, bits);
    }
    let spelled = |mailbox: &Option<Mailbox>| mailbox.as_ref().and_then(Mailbox::person);
    if is_open && let (Some(one), Some(two)) = (spelled(&left.mailbox), spelled(&right.mailbox)) {
        return match one.compare(&two) {
            NameLikeness::Same => Evidence::new(Finding::SpellsName, company_bits, 6.0),
            NameLikeness::Other | NameLikeness::OtherGiven => Evidence::new(Finding::SpellsOther, company_bits, -5.0),
            _ => Evidence::new(Finding::Alike, company_bits, 0.0),
        };
    }
    match (&left.mailbox, &right.mailbox) {
        (Some(_), Some(_)) if same_domain => {
            let bits = if name == NameLikeness::Missing { -2.0 } else { 0.0 };
            Evidence::new(Finding::SameDomain, company_bits, bits)
        }
        (Some(_), Some(_)) => Evidence::new(Finding::Other, 0.0, -0.5),
        _ => Evidence::NONE,
    }
}

/// Returns what the mailbox of one record says of the other's name; none where the record's own name says as much.
fn hint(of: &Record, about: &Record) -> Option<Hint> {
    let mailbox = of.mailbox.as_ref()?;
    if of.person.is_whole() || about.person.is_missing() {
        return None;
    }
    let hint = mailbox.hint(&about.person);
    // That the mailbox has the surname is known where both have it.
    let says_more = about.person.is_whole() || of.person.is_missing();
    match hint {
        Hint::Silent => None,
        // Somebody else's mailbox, an assistant's, says nothing of either.
        Hint::Other => is_own(mailbox, &of.person).then_some(Hint::Other),
        hint => says_more.then_some(hint),
    }
}

/// Returns whether a mailbox may be a person's own.
fn is_own(mailbox: &Mailbox, person: &Person) -> bool {
    person.is_missing() || mailbox.hint(person) != Hint::Other
}

fn hint_bits(hint: Hint, name: NameLikeness) -> Option<f64> {
    let surname_is_known = name == NameLikeness::Surname;
    match hint {
        Hint::Spells => Some(if surname_is_known { 4.0 } else { 7.5 }),
        Hint::Initials => Some(if surname_is_known { 3.0 } else { 4.5 }),
        Hint::Silent | Hint::Other => None,
    }
}

pub(super) fn birth_date(left: &Record, right: &Record) -> Evidence {
    let (Some(one), Some(two)) = (&left.birth_date, &right.birth_date) else {
        return Evidence::NONE;
    };
    match birth_date::compare(one, two) {
        DateLikeness::Same => Evidence::new(Finding::Same, 0.0, 10.0),
        DateLikeness::Near => Evidence::new(Finding::Near, 0.0, 4.0),
        DateLikeness::Other => Evidence::new(Finding::Other, 0.0, -6.0),
    }
}
