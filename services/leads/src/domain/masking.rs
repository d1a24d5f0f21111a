//! Hides phone numbers and mailboxes from those who may not read them, leaving enough to tell two apart.

/// Hides all but the first three and last four digits: `138****5678`; of short numbers all but the last two.
///
/// A Chinese country code stays readable besides, and so does what separates digits.
#[must_use]
pub fn mask_phone(phone: &str) -> String {
    let hidden = |character: char| character.is_alphanumeric() && !SEPARATORS.contains(&character);
    let digits: Vec<char> = phone.chars().filter(|&character| hidden(character)).collect();
    let count = digits.len();
    let country = match (count, digits.as_slice()) {
        (13, ['8', '6', ..]) => 2,
        (15, ['0', '0', '8', '6', ..]) => 4,
        _ => 0,
    };
    let (head, tail) = match count {
        11.. => (3 + country, 4),
        4.. => (0, 2),
        _ => (0, 0),
    };
    let mut place = 0;
    let mask = |character: char| {
        if !hidden(character) {
            return character;
        }
        place += 1;
        if place <= head || place > count - tail {
            character
        } else {
            '*'
        }
    };
    phone.chars().map(mask).collect()
}

/// Hides the mailbox but its first character: `z***@example.com`.
#[must_use]
pub fn mask_email(email: &str) -> String {
    if email.is_empty() {
        return String::new();
    }
    match email.rsplit_once('@') {
        Some((mailbox, domain)) => format!("{}***@{domain}", mailbox.chars().take(1).collect::<String>()),
        None => "***".to_owned(),
    }
}

// The words for "extension" count as alphanumeric in Unicode.
const SEPARATORS: [char; 3] = ['转', '分', '机'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_keep_head_and_tail() {
        for (phone, masked) in [
            ("13812345678", "138****5678"),
            ("138 1234 5678", "138 **** 5678"),
            ("+86 138-1234-5678", "+86 138-****-5678"),
            ("008613812345678", "0086138****5678"),
            ("021-58881234", "021-****1234"),
            ("（0512）66668888转801", "（051*）*******8转801"),
            ("58881234", "******34"),
            ("12", "**"),
            ("wx: abc123", "**: ****23"),
            ("", ""),
        ] {
            assert_eq!(mask_phone(phone), masked, "{phone}");
        }
    }

    #[test]
    fn mailboxes_keep_one_character() {
        for (email, masked) in [
            ("zhang.wei@example.com", "z***@example.com"),
            ("张@公司.cn", "张***@公司.cn"),
            ("@example.com", "***@example.com"),
            ("a@b@c.com", "a***@c.com"),
            ("no mailbox", "***"),
            ("", ""),
        ] {
            assert_eq!(mask_email(email), masked, "{email}");
        }
    }
}
