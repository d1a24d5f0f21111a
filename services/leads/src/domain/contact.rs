//! People who work for customers.

use super::{
    ids::ContactId,
    violation::{Violation, Violations},
};

const MAX_WAYS: usize = 10;

/// Somebody who works for customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Their id.
    pub id: ContactId,
    /// What they are called.
    pub display_name: String,
    /// Their title.
    pub title: String,
    /// Their telephone numbers.
    pub phones: Vec<String>,
    /// Their mail addresses.
    pub emails: Vec<String>,
}

impl Contact {
    /// Checks what was sent: name, display name and title, numbers, addresses; empty ones are left out.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(
        [name, display_name, title]: [&str; 3],
        phones: &[String],
        emails: &[String],
    ) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("contact.name", name);
        let display_name = violations.line("contact.display_name", display_name, 1..=100);
        let title = violations.line("contact.title", title, 0..=100);
        let phones = ways(&mut violations, "contact.phones", phones, 60);
        let emails = ways(&mut violations, "contact.emails", emails, 200);
        match id {
            Some(id) if violations.is_empty() => Ok(Self {
                id,
                display_name,
                title,
                phones,
                emails,
            }),
            _ => Err(violations.into_vec()),
        }
    }
}

fn ways(violations: &mut Violations, field: &str, sent: &[String], characters: usize) -> Vec<String> {
    if sent.len() > MAX_WAYS {
        violations.add(field, format!("must be at most {MAX_WAYS}"));
        return Vec::new();
    }
    let mut ways = Vec::new();
    for (at, text) in sent.iter().enumerate() {
        let text = violations.line(&format!("{field}[{at}]"), text, 0..=characters);
        if !text.is_empty() && !ways.contains(&text) {
            ways.push(text);
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_checked() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let phones = texts(&[" 13800138000 ", "", "13800138000"]);
        let contact = Contact::parse(["contacts/wang", "王工", ""], &phones, &[]).unwrap();
        assert_eq!(contact.phones, ["13800138000"]);
        let many = vec!["1".to_owned(); 11];
        assert!(Contact::parse(["contacts/wang", "王工", ""], &many, &[]).is_err());
        let long = vec!["x".repeat(201)];
        for (names, emails) in [
            (["people/wang", "王工", ""], &[][..]),
            (["contacts/wang", " ", ""], &[]),
            (["contacts/wang", "王工", "\0"], &[]),
            (["contacts/wang", "王工", ""], &long),
        ] {
            assert_eq!(Contact::parse(names, &[], emails).unwrap_err().len(), 1, "{names:?}");
        }
    }
}
