//! How the words of two names pair up, whatever their order.

use crate::similarity::{is_hopeless, jaro_winkler};

/// How many words of two names pair up, each once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WordLikeness {
    /// The same.
    pub(crate) equal: usize,
    /// Alike.
    pub(crate) near: usize,
    /// One is the other's first letter.
    pub(crate) initials: usize,
}

impl WordLikeness {
    pub(crate) fn of(left: &[String], right: &[String], is_near: fn(&str, &str) -> bool) -> Self {
        let mut taken = [false; 64];
        let right = &right[..right.len().min(taken.len())];
        let mut found = Self::default();
        let mut open: Vec<&String> = Vec::new();
        for word in left {
            match (0..right.len()).find(|at| !taken[*at] && right[*at] == *word) {
                Some(at) => {
                    taken[at] = true;
                    found.equal += 1;
                }
                None => open.push(word),
            }
        }
        for word in open {
            let initial = |other: &String| {
                (word.len() == 1 && other.starts_with(word.as_str()))
                    || (other.len() == 1 && word.starts_with(other.as_str()))
            };
            let near = |other: &String| is_near(word, other);
            if let Some(at) = (0..right.len()).find(|at| !taken[*at] && near(&right[*at])) {
                taken[at] = true;
                found.near += 1;
            } else if let Some(at) = (0..right.len()).find(|at| !taken[*at] && initial(&right[*at])) {
                taken[at] = true;
                found.initials += 1;
            }
        }
        found
    }
}

/// Returns whether two words are a slip of the same.
pub(crate) fn is_near(left: &str, right: &str) -> bool {
    let shortest = left.len().min(right.len());
    let has_digit = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    shortest >= 3
        && !is_hopeless(left, right)
        && !has_digit(left)
        && !has_digit(right)
        && jaro_winkler(left, right) >= 0.88
}

/// Returns whether two words are a slip of the same, or one is cut short: deli and delicatessen.
pub(crate) fn is_near_or_short(left: &str, right: &str) -> bool {
    let (shorter, longer) = if left.len() < right.len() {
        (left, right)
    } else {
        (right, left)
    };
    is_near(left, right)
        || (shorter.len() >= 4 && shorter.bytes().all(|byte| byte.is_ascii_alphabetic()) && longer.starts_with(shorter))
}
