//! What is known of Chinese and Western names: the files under `data/`, read once. No rule belongs here.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};

/// The tables of `data/`.
pub(crate) struct Tables {
    /// Simplified character of a traditional one.
    pub(crate) simplified: FxHashMap<char, char>,
    /// Province of a city, and of itself.
    pub(crate) province_of: FxHashMap<&'static str, &'static str>,
    /// Ends of company names that say how the company is constituted, the longest first.
    pub(crate) legal_forms: Vec<&'static str>,
    /// What companies do.
    pub(crate) industries: FxHashSet<&'static str>,
    /// What people are called behind their names, the longest first, with what it says of them.
    pub(crate) titles: Vec<(&'static str, Option<Gender>)>,
    /// Share of people with a surname.
    pub(crate) surname_shares: FxHashMap<&'static str, f64>,
    /// Surnames of two characters.
    pub(crate) compound_surnames: FxHashSet<&'static str>,
    /// Surnames that are read otherwise than their characters.
    pub(crate) surname_readings: FxHashMap<&'static str, &'static str>,
    /// Domains whose mailboxes belong to anybody.
    pub(crate) free_domains: FxHashSet<&'static str>,
    /// Mailboxes that belong to nobody in particular.
    pub(crate) shared_mailboxes: FxHashSet<&'static str>,
    /// What words of Western company names are read as; empty where they are left out.
    pub(crate) company_words: FxHashMap<&'static str, &'static str>,
    /// The same for addresses.
    pub(crate) address_words: FxHashMap<&'static str, &'static str>,
    /// The same for people's names.
    pub(crate) person_words: FxHashMap<&'static str, &'static str>,
}

/// What a title says of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// 女士, Ms.
    Female,
    /// 先生, Mr.
    Male,
}

/// Returns the tables.
pub(crate) fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(Tables::read);
    &TABLES
}

impl Tables {
    fn read() -> Self {
        let mut tables = Self {
            simplified: FxHashMap::default(),
            province_of: FxHashMap::default(),
            legal_forms: lines(include_str!("../data/legal_forms.txt")).collect(),
            industries: entries(include_str!("../data/industries.txt")).collect(),
            titles: Vec::new(),
            surname_shares: FxHashMap::default(),
            compound_surnames: FxHashSet::default(),
            surname_readings: FxHashMap::default(),
            free_domains: FxHashSet::default(),
            shared_mailboxes: FxHashSet::default(),
            company_words: FxHashMap::default(),
            address_words: FxHashMap::default(),
            person_words: FxHashMap::default(),
        };
        for entry in entries(include_str!("../data/simplified.txt")) {
            let mut chars = entry.chars();
            if let (Some(traditional), Some(simple)) = (chars.next(), chars.next()) {
                tables.simplified.insert(traditional, simple);
            }
        }
        for line in lines(include_str!("../data/places.txt")) {
            let (province, cities) = line.split_once(": ").unwrap_or((line, ""));
            for city in cities.split(' ').filter(|city| !city.is_empty()) {
                tables.province_of.entry(city).or_insert(province);
            }
            tables.province_of.insert(province, province);
        }
        tables.legal_forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        for line in lines(include_str!("../data/titles.txt")) {
            let (title, gender) = line.split_once(' ').unwrap_or((line, ""));
            let gender = match gender {
                "f" => Some(Gender::Female),
                "m" => Some(Gender::Male),
                _ => None,
            };
            tables.titles.push((title, gender));
        }
        tables.titles.sort_by_key(|(title, _)| std::cmp::Reverse(title.len()));
        tables.read_surnames();
        for line in lines(include_str!("../data/mailboxes.txt")) {
            match line.strip_prefix("@ ") {
                Some(domains) => tables.free_domains.extend(domains.split(' ')),
                None => tables.shared_mailboxes.extend(line.split(' ')),
            }
        }
        for line in lines(include_str!("../data/western.txt")) {
            let (kind, words) = line.split_once(": ").unwrap_or((line, ""));
            let table = match kind {
                "company" => &mut tables.company_words,
                "address" => &mut tables.address_words,
                _ => &mut tables.person_words,
            };
            for word in words.split(' ') {
                let (word, read) = word.split_once('=').unwrap_or((word, word));
                table.insert(word, if read == "-" { "" } else { read });
            }
        }
        tables
    }

    fn read_surnames(&mut self) {
        let mut common = None;
        for entry in entries(include_str!("../data/surnames.txt")) {
            if let Some((surname, reading)) = entry.split_once('=') {
                self.surname_readings.insert(surname, reading);
            } else if let Ok(percent) = entry.parse::<f64>() {
                if let Some(surname) = common.take() {
                    self.compound_surnames.remove(surname);
                    self.surname_shares.insert(surname, percent / 100.0);
                }
            } else {
                // What a percentage follows is no compound one; the next entry tells.
                self.compound_surnames.insert(entry);
                common = Some(entry);
            }
        }
    }
}

fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn entries(file: &'static str) -> impl Iterator<Item = &'static str> {
    lines(file)
        .flat_map(|line| line.split(' '))
        .filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_read() {
        let tables = tables();
        assert_eq!(tables.simplified[&'廠'], '厂');
        assert_eq!(tables.province_of["沈阳"], "辽宁");
        assert_eq!(tables.province_of["吉林"], "吉林");
        assert_eq!(tables.legal_forms[0], "股份有限责任公司".to_owned());
        assert!(tables.industries.contains("农业开发"));
        assert!(tables.compound_surnames.contains("欧阳") && !tables.compound_surnames.contains("王"));
        assert!(tables.surname_shares["王"] > 0.05);
        assert_eq!(tables.surname_readings["单"], "shan");
        assert!(tables.free_domains.contains("qq.com") && tables.shared_mailboxes.contains("info"));
        assert_eq!(tables.address_words["street"], "st");
        assert!(tables.titles.contains(&("女士", Some(Gender::Female))));
    }
}
