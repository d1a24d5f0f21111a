//! As whom a channel signs in at its provider, and in whose name its messages come.

use super::{Problem, channel::Kind};

/// Longest of its parts, in bytes.
const MAX_BYTES: usize = 200;

/// What is not secret of the way in to a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Mail: the user that signs in, empty for none. SMS: the access key's id. DingTalk: the app key. WeCom: the corp id.
    pub user: String,
    /// Mail: the address messages come from. SMS: the signature. DingTalk, WeCom: the agent's number.
    pub sender: String,
    /// SMS: the code of the provider's template, whose variable is `title`.
    pub template: String,
}

impl Account {
    /// Checks what a channel of a kind would have.
    ///
    /// # Errors
    /// The first part that is missing, too much, or wrong.
    pub fn check(&self, kind: Kind) -> Result<(), Problem> {
        let parts = [
            ("channel.account", &self.user),
            ("channel.sender", &self.sender),
            ("channel.template", &self.template),
        ];
        for (field, value) in parts {
            if value.len() > MAX_BYTES || value.chars().any(char::is_control) {
                let description = format!("must have at most {MAX_BYTES} bytes and no control characters");
                return Err(Problem::new(field, description));
            }
            let need = need(kind, field);
            if value.is_empty() && need == Need::Must {
                return Err(Problem::new(field, "is needed for this kind"));
            }
            if !value.is_empty() && need == Need::MustNot {
                return Err(Problem::new(field, "this kind has none"));
            }
        }
        let is_number = self.sender.len() <= 18 && self.sender.bytes().all(|byte| byte.is_ascii_digit());
        match kind {
            Kind::DingtalkNotice | Kind::WecomApp if !is_number => {
                Err(Problem::new("channel.sender", "must be the number of the agent"))
            }
            Kind::Email if !is_mail(&self.sender) => Err(Problem::new(
                "channel.sender",
                "must be a mail address, with a name in front or not",
            )),
            _ => Ok(()),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Need {
    Must,
    May,
    MustNot,
}

fn need(kind: Kind, field: &str) -> Need {
    match (kind, field) {
        (Kind::Email, "channel.account") => Need::May,
        (Kind::Sms, _)
        | (Kind::Email, "channel.sender")
        | (Kind::DingtalkNotice | Kind::WecomApp, "channel.account" | "channel.sender") => Need::Must,
        _ => Need::MustNot,
    }
}

/// Tells whether this is `name@host` or `Name <name@host>`, roughly: the mail library looks closer.
fn is_mail(sender: &str) -> bool {
    let address = match sender.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => sender,
    };
    let is_part = |part: &str| !part.is_empty() && part.is_ascii() && !part.contains([' ', '<', '>', ',', '"']);
    address
        .rsplit_once('@')
        .is_some_and(|(name, host)| is_part(name) && is_part(host) && host.contains('.') && !name.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_parts() {
        for (kind, user, sender, template, fault) in [
            (Kind::DingtalkRobot, "", "", "", None),
            (Kind::DingtalkRobot, "x", "", "", Some("channel.account")),
            (Kind::Webhook, "", "x", "", Some("channel.sender")),
            (Kind::Email, "", "reflex@example.com", "", None),
            (Kind::Email, "reflex", "Reflex 通知 <reflex@example.com>", "", None),
            (Kind::Email, "", "", "", Some("channel.sender")),
            (Kind::Email, "", "reflex", "", Some("channel.sender")),
            (
                Kind::Email,
                "",
                "a@example.com, b@example.com",
                "",
                Some("channel.sender"),
            ),
            (
                Kind::Email,
                "",
                "a@example.com\r\nBcc: b@example.com",
                "",
                Some("channel.sender"),
            ),
            (Kind::Email, "", "reflex@example.com", "x", Some("channel.template")),
            (Kind::Sms, "testId", "华东机床", "SMS_1", None),
            (Kind::Sms, "testId", "华东机床", "", Some("channel.template")),
            (Kind::DingtalkNotice, "dingkey", "4321", "", None),
            (Kind::DingtalkNotice, "dingkey", "agent", "", Some("channel.sender")),
            (Kind::WecomApp, "ww1", "1000002", "", None),
            (Kind::WecomApp, "", "1000002", "", Some("channel.account")),
        ] {
            let account = Account {
                user: user.to_owned(),
                sender: sender.to_owned(),
                template: template.to_owned(),
            };
            let found = account.check(kind).err().map(|problem| problem.field);
            assert_eq!(found, fault, "{kind:?} {account:?}");
        }
    }
}
