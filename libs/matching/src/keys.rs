//! Keys: records that may be the same have one in common, so only those are compared that do.
//!
//! The same record has the same keys in all builds, so that they may be stored.

use crate::person::Person;
use crate::record::Record;
use crate::similarity::real;

/// Most keys of a record; no honest one comes near.
const MAX_KEYS: usize = 32;

/// The keys of one record, sorted, each once.
#[derive(Debug, Default)]
struct Keys(Vec<u64>);

impl Keys {
    /// Adds a key; its kind keeps a name from meeting a street.
    fn add(&mut self, kind: u8, parts: &[&str]) {
        if parts.iter().any(|part| part.is_empty()) {
            return;
        }
        // FNV-1a: the same in all versions of all programs.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let bytes = parts.iter().flat_map(|part| part.bytes().chain(std::iter::once(0)));
        for byte in std::iter::once(kind).chain(bytes) {
            hash ^= u64::from(byte);
            hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.0.push(hash ^ (hash >> 29));
    }

    fn sorted(mut self) -> Vec<u64> {
        self.0.sort_unstable();
        self.0.dedup();
        self.0.truncate(MAX_KEYS);
        self.0
    }
}

/// Returns the keys by which two leads of one person at one company meet.
#[must_use]
pub fn of_lead(record: &Record) -> Vec<u64> {
    let mut keys = Keys::default();
    of_ways(&mut keys, record);
    let person = &record.person;
    let surname = person.surname_spelled().unwrap_or_default();
    let guessed = record
        .mailbox
        .as_ref()
        .and_then(crate::mailbox::Mailbox::person)
        .unwrap_or_default();
    let surnames = [surname, guessed.surname_spelled().unwrap_or_default()];
    let letters = if person.is_whole() {
        person.letters()
    } else {
        String::new()
    };
    if let Some(company) = &record.company {
        for company in std::iter::once(company).chain(&company.former) {
            keys.add(b'b', &[&company.spelled]);
            let start: String = company.spelled.chars().take(3).collect();
            for surname in surnames {
                keys.add(b's', &[&company.spelled, surname]);
            }
            keys.add(b'n', &[&letters, &start]);
            for word in company.words.iter().filter(|word| word.len() >= 4) {
                keys.add(b'w', &[word, surname]);
            }
        }
    }
    keys.add(b'p', &[&letters, record.place()]);
    if let Some(mailbox) = record.mailbox.as_ref().filter(|mailbox| !mailbox.is_free) {
        keys.add(b'd', &[mailbox.domain(), surname]);
        keys.add(b'd', &[mailbox.domain(), surnames[1]]);
    }
    if let Some(address) = record.address.as_ref().and_then(crate::address::Address::key) {
        keys.add(b'a', &[&address, surname]);
    }
    keys.sorted()
}

/// Returns the key by which records with a landline meet, whatever was typed of its area.
#[must_use]
pub fn of_line(number: u64) -> u64 {
    only(b'l', &(number % 10_000_000).to_string())
}

/// Returns the key by which records with a mobile meet.
#[must_use]
pub fn of_mobile(number: u64) -> u64 {
    only(b'm', &number.to_string())
}

/// Returns the key by which records of companies of a name meet, as it is spelled.
#[must_use]
pub fn of_company(spelled: &str) -> u64 {
    only(b'b', spelled)
}

fn only(kind: u8, part: &str) -> u64 {
    let mut keys = Keys::default();
    keys.add(kind, &[part]);
    keys.0.first().copied().unwrap_or_default()
}

/// Returns the keys by which any two records meet that have some fields in common.
#[must_use]
pub fn of_any(record: &Record) -> Vec<u64> {
    let mut keys = Keys::default();
    of_ways(&mut keys, record);
    let names = words_of(&record.person);
    let mut sorted = names.clone();
    sorted.sort_unstable();
    keys.add(b'N', &[&sorted.concat()]);
    let birth_date = record.birth_date.as_deref().unwrap_or_default();
    keys.add(b'B', &[birth_date]);
    let number = record
        .address
        .as_ref()
        .and_then(crate::address::Address::key)
        .unwrap_or_default();
    keys.add(b'A', &[&number]);
    keys.add(b'A', &[&number, &record.postcode]);
    for name in names.iter().take(4) {
        let start: String = name.chars().take(3).collect();
        keys.add(b'C', &[name, &record.city]);
        keys.add(b'Z', &[&start, &record.postcode]);
        keys.add(b'Y', &[&start, birth_date.get(..4).unwrap_or_default()]);
        keys.add(b'X', &[&start, &number]);
        keys.add(b'V', &[name]);
    }
    if let Some(company) = &record.company {
        keys.add(b'b', &[&company.spelled]);
        for word in company.words.iter().filter(|word| word.len() >= 3).take(6) {
            keys.add(b'w', &[word]);
            let start: String = word.chars().take(4).collect();
            keys.add(b'W', &[&start, &record.city]);
        }
        let start: String = company.spelled.chars().take(4).collect();
        keys.add(b'P', &[&start, &record.postcode]);
    }
    keys.sorted()
}

fn of_ways(keys: &mut Keys, record: &Record) {
    for mobile in &record.phones.mobiles {
        keys.add(b'm', &[&mobile.to_string()]);
    }
    for line in &record.phones.lines {
        // The last seven digits: whatever was typed of the area.
        keys.add(b'l', &[&(line.number % 10_000_000).to_string()]);
    }
    if let Some(mailbox) = &record.mailbox {
        keys.add(b'e', &[&mailbox.address]);
    }
    if let Some((code, _)) = &record.code {
        keys.add(b'k', &[code]);
    }
}

fn words_of(person: &Person) -> Vec<String> {
    if person.words.is_empty() {
        let letters = person.letters();
        return if letters.is_empty() { Vec::new() } else { vec![letters] };
    }
    person.words.iter().filter(|word| word.len() > 1).cloned().collect()
}

/// Most records with a key that are all compared with each other.
const MAX_BLOCK: usize = 300;
/// How many neighbours a record of a larger block is compared with, in the order of names.
const WINDOW: usize = 12;

/// Calls `visit` with each pair of records that have a key in common, the smaller place first. Where records meet by several
/// keys, they may be visited once more only through blocks that are too large to be compared whole.
pub(crate) fn visit_pairs(keys: &[Vec<u64>], names: &[String], mut visit: impl FnMut(usize, usize, f64)) {
    let mut entries: Vec<(u64, u32)> = Vec::with_capacity(keys.iter().map(Vec::len).sum());
    for (record, keys) in keys.iter().enumerate() {
        let record = u32::try_from(record).unwrap_or(u32::MAX);
        entries.extend(keys.iter().map(|key| (*key, record)));
    }
    entries.sort_unstable();
    let large: rustc_hash::FxHashSet<u64> = entries
        .chunk_by(|left, right| left.0 == right.0)
        .filter(|block| block.len() > MAX_BLOCK)
        .map(|block| block[0].0)
        .collect();
    let first_shared = |left: usize, right: usize| {
        let (left, right) = (&keys[left], &keys[right]);
        let (mut here, mut there) = (0, 0);
        while here < left.len() && there < right.len() {
            match left[here].cmp(&right[there]) {
                std::cmp::Ordering::Less => here += 1,
                std::cmp::Ordering::Greater => there += 1,
                std::cmp::Ordering::Equal if large.contains(&left[here]) => {
                    here += 1;
                    there += 1;
                }
                std::cmp::Ordering::Equal => return Some(left[here]),
            }
        }
        None
    };
    let total = real(entries.len().max(1));
    let mut done = 0;
    for block in entries.chunk_by(|left, right| left.0 == right.0) {
        done += block.len();
        let share = real(done) / total;
        let mut members: Vec<usize> = block.iter().map(|(_, record)| *record as usize).collect();
        let is_large = members.len() > MAX_BLOCK;
        if is_large {
            members.sort_by(|left, right| names[*left].cmp(&names[*right]).then(left.cmp(right)));
        }
        for (at, one) in members.iter().enumerate() {
            let end = if is_large {
                members.len().min(at + 1 + WINDOW)
            } else {
                members.len()
            };
            for two in &members[at + 1..end] {
                let (left, right) = (*one.min(two), *one.max(two));
                let is_first = match first_shared(left, right) {
                    Some(key) => key == block[0].0,
                    None => is_large,
                };
                if is_first {
                    visit(left, right, share);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Field, Values};

    #[test]
    fn records_of_one_person_meet_and_keys_never_change() {
        let lead = |company: &str, contact: &str, mobile: &str| {
            let values = Values::default()
                .with(Field::Company, company)
                .with(Field::Contact, contact)
                .with(Field::Mobile, mobile);
            of_lead(&Record::read(&values))
        };
        let first = lead("言雅（东莞）家具有限公司", "王怡新", "13800138001");
        for other in [
            lead("东莞言雅家具", "王总", ""),
            lead("", "", "+86 138 0013 8001"),
            lead("东莞研雅家具", "Wang Yixin", ""),
        ] {
            assert!(first.iter().any(|key| other.contains(key)));
        }
        assert!(lead("", "", "").is_empty());
        // Keys that somebody stored would not be found any more if this changed.
        assert_eq!(lead("", "", "13800138001"), [of_mobile()]);
    }

    fn of_mobile() -> u64 {
        let hash = b"m13800138001\0".iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        hash ^ (hash >> 29)
    }

    #[test]
    fn every_pair_of_a_block_is_visited_once() {
        let keys = vec![vec![1, 2], vec![1, 2], vec![2], vec![3]];
        let names = vec![String::new(); keys.len()];
        let mut visited = Vec::new();
        visit_pairs(&keys, &names, |left, right, _| {
            visited.push((left, right));
        });
        visited.sort_unstable();
        assert_eq!(visited, [(0, 1), (0, 2), (1, 2)]);
    }

    #[test]
    fn large_blocks_are_compared_with_neighbours() {
        let keys = vec![vec![1]; 5_000];
        let names = vec![String::new(); keys.len()];
        let mut count = 0;
        visit_pairs(&keys, &names, |_, _, _| {
            count += 1;
        });
        assert!((5_000..=5_000 * WINDOW).contains(&count));
    }
}
