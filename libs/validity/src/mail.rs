//! Mail addresses: malformed, disposable, made up, or a company's own.

use std::collections::HashSet;
use std::sync::LazyLock;

use reflex_matching::text::fold;

use crate::{Reason, text};

/// Domains of mailboxes for a few minutes, one a line; those below them count as well.
static DISPOSABLE: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("../data/disposable.txt").lines().collect());

/// Domains under which everybody may have a mailbox.
const PUBLIC: [&str; 26] = [
    "126.com",
    "139.com",
    "163.com",
    "188.com",
    "189.cn",
    "21cn.com",
    "aliyun.com",
    "foxmail.com",
    "gmail.com",
    "gmx.de",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "me.com",
    "msn.com",
    "naver.com",
    "outlook.com",
    "qq.com",
    "sina.cn",
    "sina.com",
    "sohu.com",
    "vip.163.com",
    "vip.qq.com",
    "wo.cn",
    "yahoo.com",
    "yeah.net",
];
/// Domains that stand in examples.
const OF_EXAMPLES: [&str; 12] = [
    "example.com",
    "example.org",
    "example.net",
    "example.cn",
    "test.com",
    "test.cn",
    "email.com",
    "xxx.com",
    "aaa.com",
    "abc.com",
    "asdf.com",
    "123.com",
];
/// What stands before the `@` of addresses that nobody reads.
const NOBODY: [&str; 12] = [
    "test", "testing", "tester", "ceshi", "asdf", "abc", "abcd", "xxx", "aaa", "noreply", "no-reply", "qwerty",
];

/// What a cell of mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mail {
    Missing,
    Public,
    OfCompany,
    Malformed,
    Disposable,
    MadeUp,
}

impl Mail {
    pub(crate) fn reason(self) -> Option<Reason> {
        match self {
            Self::Missing | Self::Public => None,
            Self::OfCompany => Some(Reason::MailOfCompany),
            Self::Malformed => Some(Reason::MailMalformed),
            Self::Disposable => Some(Reason::MailDisposable),
            Self::MadeUp => Some(Reason::MailMadeUp),
        }
    }

    pub(crate) fn is_reachable(self) -> bool {
        matches!(self, Self::Public | Self::OfCompany)
    }
}

/// Looks at a cell.
pub(crate) fn look(cell: &str) -> Mail {
    let cell = fold(cell).trim().to_lowercase();
    if cell.is_empty() {
        return Mail::Missing;
    }
    let first = cell
        .split([',', ';', '；', '，', '/'])
        .next()
        .unwrap_or_default()
        .trim();
    let Some((local, domain)) = first.split_once('@') else {
        return Mail::Malformed;
    };
    if !is_local_part(local) || !is_domain(domain) {
        return Mail::Malformed;
    }
    let mut above = Some(domain);
    while let Some(candidate) = above {
        if DISPOSABLE.contains(candidate) {
            return Mail::Disposable;
        }
        above = candidate.split_once('.').map(|(_, rest)| rest);
    }
    let is_public = PUBLIC.contains(&domain) || domain.starts_with("yahoo.") || domain.starts_with("hotmail.");
    // `test@` of a company is a mailbox it has; at a public provider it is nobody's.
    let bare = local.trim_end_matches(|char: char| char.is_ascii_digit());
    let is_nobody = NOBODY.contains(&local) || (is_public && NOBODY.contains(&bare));
    let is_test = is_nobody || text::is_typed_at_random(local) || (is_public && text::is_counted(local));
    if OF_EXAMPLES.contains(&domain) || is_test || text::is_typed_at_random(label(domain)) {
        return Mail::MadeUp;
    }
    if is_public { Mail::Public } else { Mail::OfCompany }
}

fn label(domain: &str) -> &str {
    domain.split('.').next().unwrap_or_default()
}

fn is_local_part(local: &str) -> bool {
    let known = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(char);
    (1..=64).contains(&local.len()) && local.chars().all(known) && !local.starts_with('.') && !local.ends_with('.')
}

fn is_domain(domain: &str) -> bool {
    let part = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|char| char.is_alphanumeric() || char == '-')
    };
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.contains('.')
        && domain.split('.').all(part)
        && last.chars().count() >= 2
        && !last.chars().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        for (cell, expected) in [
            ("wang.lei@duanya.cn", Mail::OfCompany),
            ("Test@Huace.com", Mail::MadeUp),
            ("sales@cti-cert.com", Mail::OfCompany),
            ("583920471@qq.com", Mail::Public),
            ("j.mueller@gmx.de", Mail::Public),
            ("x@mailinator.com", Mail::Disposable),
            ("x@a.b.yopmail.com", Mail::Disposable),
            ("123456@qq.com", Mail::MadeUp),
            ("111111@163.com", Mail::MadeUp),
            ("test01@qq.com", Mail::MadeUp),
            ("asdfasdf@163.com", Mail::MadeUp),
            ("li@example.com", Mail::MadeUp),
            ("li@@qq.com", Mail::Malformed),
            ("li.qq.com", Mail::Malformed),
            ("li@qq", Mail::Malformed),
            ("li wei@qq.com", Mail::Malformed),
            ("无", Mail::Malformed),
            ("", Mail::Missing),
        ] {
            assert_eq!(look(cell), expected, "{cell}");
        }
    }
}
