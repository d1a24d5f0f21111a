//! A person as the law sees them: known by a phone number or a mail address, however somebody typed it.

use super::violation::Violation;

/// Fewer digits are no phone number: they would be found in every text.
const LEAST_DIGITS: usize = 7;
/// What people put between the digits of a number.
const SEPARATORS: &str = "-. ()";
/// What stands in the place of what is masked.
const MASK: &str = "***";

/// A person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Digits of phone numbers, without the country's.
    pub phones: Vec<String>,
    /// Mail addresses in small letters.
    pub emails: Vec<String>,
}

impl Subject {
    /// Reads what a request says; empty texts say nothing.
    ///
    /// # Errors
    /// A violation for each field that is no identifier.
    pub fn parse(phone: &str, email: &str) -> Result<Self, Vec<Violation>> {
        let mut subject = Self::default();
        let mut violations = Vec::new();
        if !phone.trim().is_empty() && !subject.add_phone(phone) {
            violations.push(Violation {
                field: "subject.phone".into(),
                description: format!("must have at least {LEAST_DIGITS} digits and no letters"),
            });
        }
        if !email.trim().is_empty() && !subject.add_email(email) {
            violations.push(Violation {
                field: "subject.email".into(),
                description: "must be a mail address".into(),
            });
        }
        if violations.is_empty() {
            Ok(subject)
        } else {
            Err(violations)
        }
    }

    /// Adds a phone number; returns whether it is one.
    pub fn add_phone(&mut self, phone: &str) -> bool {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        let known = |char: char| char.is_ascii_digit() || char == '+' || SEPARATORS.contains(char);
        let bare = without_country(&digits);
        let is_phone = bare.len() >= LEAST_DIGITS && bare.len() <= 20 && phone.trim().chars().all(known);
        if is_phone && !self.phones.iter().any(|known| known == bare) {
            self.phones.push(bare.to_owned());
        }
        is_phone
    }

    /// Adds a mail address; returns whether it is one.
    pub fn add_email(&mut self, email: &str) -> bool {
        let email = email.trim().to_lowercase();
        let parts = email.split_once('@');
        let is_email = parts.is_some_and(|(name, host)| !name.is_empty() && host.len() > 2 && !host.contains('@'))
            && !email.contains(char::is_whitespace)
            && email.len() <= 200;
        if is_email && !self.emails.contains(&email) {
            self.emails.push(email);
        }
        is_email
    }

    /// Tells whether nothing is known by which to find them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phones.is_empty() && self.emails.is_empty()
    }

    /// Returns a regular expression of PostgreSQL that finds them in a text.
    ///
    /// # Panics
    /// When the subject is empty: that would find everything.
    #[must_use]
    pub fn pattern(&self) -> String {
        assert!(!self.is_empty(), "nobody is looked for without an identifier");
        let between = "[-. ()]{0,2}";
        let phones = self.phones.iter().map(|digits| {
            let digits: Vec<String> = digits.chars().map(String::from).collect();
            let digits = digits.join(between);
            format!("(?<![0-9])(?:[+]?(?:00)?8{between}6{between})?{digits}(?![0-9])")
        });
        let emails = self.emails.iter().map(|email| {
            let escape = |char: char| match char {
                char if char.is_alphanumeric() => char.to_string(),
                char => format!("\\{char}"),
            };
            let email: String = email.chars().map(escape).collect();
            format!("(?<![a-z0-9._%+-]){email}(?![a-z0-9-])")
        });
        let all: Vec<String> = phones.chain(emails).collect();
        format!("(?i){}", all.join("|"))
    }

    /// Returns what their certificate's hash is of: the same however they were typed.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut identifiers: Vec<&str> = self.phones.iter().chain(&self.emails).map(String::as_str).collect();
        identifiers.sort_unstable();
        identifiers.join("\n")
    }

    /// Masks them in a text that was read as a message.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for email in &self.emails {
            while let Some(at) = masked.to_ascii_lowercase().find(email.as_str()) {
                masked.replace_range(at..at + email.len(), MASK);
            }
        }
        for phone in &self.phones {
            while let Some((start, end)) = find_digits(&masked, phone) {
                masked.replace_range(start..end, MASK);
            }
        }
        masked
    }
}

/// Finds digits in a text, whatever separators are between them.
fn find_digits(text: &str, digits: &str) -> Option<(usize, usize)> {
    let wanted = digits.as_bytes();
    let is_digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    (0..text.len()).find_map(|start| {
        let (mut at, mut found) = (start, 0);
        while found < wanted.len() {
            let byte = *text.as_bytes().get(at)?;
            if byte == wanted[found] {
                found += 1;
            } else if found == 0 || !SEPARATORS.as_bytes().contains(&byte) {
                return None;
            }
            at += 1;
        }
        (!is_digit(at)).then_some((start, at))
    })
}

fn without_country(digits: &str) -> &str {
    let bare = digits.strip_prefix("00").unwrap_or(digits);
    bare.strip_prefix("86")
        .filter(|rest| rest.len() == 11)
        .unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_the_same_however_they_are_typed() {
        for typed in ["13800138000", "+86 138-0013-8000", "0086 13800138000", "138 0013 8000"] {
            let subject = Subject::parse(typed, "").unwrap();
            assert_eq!(subject.phones, ["13800138000"], "{typed}");
        }
        let subject = Subject::parse("021-63456789", " Wang@Hospital.CN ").unwrap();
        assert_eq!(subject.canonical(), "02163456789\nwang@hospital.cn");
        assert!(Subject::parse("", "").unwrap().is_empty());
        for (phone, email, field) in [
            ("123456", "", "subject.phone"),
            ("1380013800x", "", "subject.phone"),
            ("", "wang", "subject.email"),
            ("", "a b@c.cn", "subject.email"),
        ] {
            assert_eq!(Subject::parse(phone, email).unwrap_err()[0].field, field);
        }
    }

    #[test]
    fn mentions_are_masked_and_other_numbers_stay() {
        let subject = Subject::parse("13800138000", "wang@hospital.cn").unwrap();
        for (text, masked) in [
            ("请打 138-0013-8000 找王主任", "请打 *** 找王主任"),
            ("Wang@Hospital.cn, 13800138000", "***, ***"),
            ("订单 138001380001", "订单 138001380001"),
            ("没有", "没有"),
        ] {
            assert_eq!(subject.mask(text), masked);
        }
    }
}
