//! E-mail addresses: what is one, whose it is, and what its name says of the person.

use crate::person::Person;
use crate::tables::tables;
use crate::text::fold;

/// An e-mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The address in small letters.
    pub address: String,
    at: usize,
    /// Whether anybody can have a mailbox of the domain.
    pub is_free: bool,
    /// Whether it belongs to a company rather than to a person, as info@ does.
    pub is_shared: bool,
}

/// What the name of a mailbox says of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// It spells the person's name.
    Spells,
    /// It has the person's initials.
    Initials,
    /// It says nothing.
    Silent,
    /// It spells somebody else's name.
    Other,
}

impl Mailbox {
    /// Reads an address; none where the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let folded: String = fold(text).chars().filter(|char| !char.is_whitespace()).collect();
        let folded = folded.trim_start_matches("mailto:");
        let folded = folded.trim_matches(|char| matches!(char, '<' | '>' | ',' | ';' | '.'));
        let (local, domain) = folded.split_once('@')?;
        let is_domain =
            domain.contains('.') && !domain.starts_with('.') && !domain.contains("..") && !domain.contains('@');
        if local.is_empty() || !is_domain {
            return None;
        }
        // What stands behind a plus sorts mail and names nobody.
        let local = local.split('+').next().filter(|local| !local.is_empty())?;
        let tables = tables();
        Some(Self {
            address: format!("{local}@{domain}"),
            at: local.len(),
            is_free: tables.free_domains.contains(domain),
            is_shared: tables
                .shared_mailboxes
                .contains(local.trim_end_matches(|char: char| char.is_ascii_digit())),
        })
    }

    /// Returns what stands before the sign.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.address[..self.at]
    }

    /// Returns what stands behind the sign.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.address[self.at + 1..]
    }

    /// Returns what the mailbox's name says of a person.
    #[must_use]
    pub fn hint(&self, person: &Person) -> Hint {
        let Some(surname) = person.surname_spelled() else {
            return Hint::Silent;
        };
        if self.is_shared {
            return Hint::Silent;
        }
        let letters: String = self.local().chars().filter(char::is_ascii_alphabetic).collect();
        if letters.len() < 2 {
            return Hint::Silent;
        }
        let initial = &surname[..1];
        let given = person.given_spelled();
        if given.is_empty() {
            // Only the surname is known.
            let has_surname = letters.starts_with(surname) || letters.ends_with(surname);
            return if has_surname {
                Hint::Initials
            } else if self.spells_somebody(&letters) && !letters.starts_with(initial) {
                Hint::Other
            } else {
                Hint::Silent
            };
        }
        let joined: String = given.concat();
        let initials: String = given.iter().filter_map(|part| part.chars().next()).collect();
        let is = |first: &str, second: &str| {
            letters.strip_prefix(first) == Some(second) || letters.strip_prefix(second) == Some(first)
        };
        if is(surname, &joined) || (letters == joined && letters.len() > 4) {
            return Hint::Spells;
        }
        if is(surname, &initials) || is(initial, &joined) {
            return Hint::Initials;
        }
        if is(initial, &initials) {
            return if letters.len() > 2 {
                Hint::Initials
            } else {
                Hint::Silent
            };
        }
        if self.spells_somebody(&letters) {
            Hint::Other
        } else {
            Hint::Silent
        }
    }

    /// Returns the person whose whole name the mailbox spells in pinyin.
    #[must_use]
    pub fn person(&self) -> Option<Person> {
        let name: String = self
            .local()
            .chars()
            .map(|char| if char.is_ascii_alphabetic() { char } else { ' ' })
            .collect();
        let letters: String = name.split(' ').collect();
        let is_whole = crate::spelling::split(&letters).is_some_and(|syllables| syllables.len() >= 2);
        (is_whole && !self.is_shared).then(|| Person::parse(&name))
    }

    /// Returns whether the name reads as a person's in pinyin, such as wang.yixin, wangyx or yxwang.
    fn spells_somebody(&self, letters: &str) -> bool {
        let parts: Vec<&str> = self
            .local()
            .split(['.', '_', '-'])
            .filter(|part| !part.is_empty())
            .collect();
        let is_name =
            |part: &&str| crate::spelling::is_pinyin(part.trim_end_matches(|char: char| char.is_ascii_digit()));
        match parts[..] {
            [_, _] if parts.iter().any(is_name) => true,
            // A syllable alone is a surname, or any word.
            [_] if letters.len() >= 4 => {
                let is_name = crate::spelling::split(letters).is_some_and(|syllables| syllables.len() >= 2);
                is_name || crate::spelling::has_surname_and_initials(letters)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let mailbox = Mailbox::parse(" Wang.Yixin@YANYA.COM ").unwrap();
        assert_eq!((mailbox.local(), mailbox.domain()), ("wang.yixin", "yanya.com"));
        assert!(!mailbox.is_free && !mailbox.is_shared);
        assert!(Mailbox::parse("1398@qq.com").unwrap().is_free);
        assert!(Mailbox::parse("info@yanya.com").unwrap().is_shared);
        assert!(Mailbox::parse("sales02@yanya.com").unwrap().is_shared);
        assert_eq!(Mailbox::parse("a+news@b.cn").unwrap().address, "a@b.cn");
        for wrong in ["", "无", "a@b", "@b.cn", "a@.cn", "a@b..cn", "a@b@c.cn", "+x@b.cn"] {
            assert_eq!(Mailbox::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_of_mailboxes_speak_of_people() {
        for (address, name, hint) in [
            ("wang.yixin@a.com", "王怡新", Hint::Spells),
            ("yixin.wang@a.com", "王怡新", Hint::Spells),
            ("wangyixin83@a.com", "王怡新", Hint::Spells),
            ("wangyx@a.com", "王怡新", Hint::Initials),
            ("yxwang@a.com", "王怡新", Hint::Initials),
            ("wang_yx520@sina.com", "王怡新", Hint::Initials),
            ("wyx@a.com", "王怡新", Hint::Initials),
            ("wangyixin@a.com", "王经理", Hint::Initials),
            ("wangyixin@a.com", "王琳德", Hint::Other),
            ("wangyx@a.com", "王琳德", Hint::Other),
            ("lvyy@a.com", "吕云怡", Hint::Initials),
            ("chen.zeqi@a.com", "李娜", Hint::Other),
            ("398472@qq.com", "王怡新", Hint::Silent),
            ("greatwall@a.com", "王怡新", Hint::Silent),
            ("info@a.com", "王怡新", Hint::Silent),
            ("wang@a.com", "王怡新", Hint::Silent),
            ("wangyx@a.com", "", Hint::Silent),
        ] {
            let mailbox = Mailbox::parse(address).unwrap();
            assert_eq!(mailbox.hint(&Person::parse(name)), hint, "{address} {name}");
        }
    }
}
