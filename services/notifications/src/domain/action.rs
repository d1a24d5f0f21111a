//! What people can do with a message by its links.

use reflex_templates::{Key, Locale};

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Says that the message was understood.
    Ack,
    /// Claims the lead.
    Claim,
    /// Confirms that the customer was called.
    Confirm,
    /// Says that nothing will be done.
    Ignore,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Ack, Self::Claim, Self::Confirm, Self::Ignore];

    /// Returns its name in the database and in webhooks.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Claim => "claim",
            Self::Confirm => "confirm",
            Self::Ignore => "ignore",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }

    /// Returns the words of its button.
    #[must_use]
    pub const fn label(self, locale: Locale) -> &'static str {
        match (self, locale) {
            (Self::Ack, Locale::ZhCn) => "知道了",
            (Self::Ack, Locale::En) => "Got it",
            (Self::Claim, Locale::ZhCn) => "认领",
            (Self::Claim, Locale::En) => "Claim",
            (Self::Confirm, Locale::ZhCn) => "已联系客户",
            (Self::Confirm, Locale::En) => "Customer called",
            (Self::Ignore, Locale::ZhCn) => "忽略",
            (Self::Ignore, Locale::En) => "Ignore",
        }
    }
}

/// Returns what can be done with messages of a kind, in the order of the buttons.
#[must_use]
pub const fn of_template(key: Key) -> &'static [Action] {
    match key {
        Key::LeadAssigned => &[Action::Claim, Action::Confirm, Action::Ignore],
        Key::LeadEscalated => &[Action::Ack, Action::Confirm],
        Key::ClaimExpired => &[Action::Ack, Action::Ignore],
        // A map is filled in, and what is told of many things has no link that could be one's.
        Key::DecisionMapOverdue | Key::Digest | Key::QuotaReached => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_labels_differ() {
        for action in Action::ALL {
            assert_eq!(Action::find(action.as_str()), Some(action));
            for other in Action::ALL {
                for locale in Locale::ALL {
                    assert_eq!(action.label(locale) == other.label(locale), action == other);
                }
            }
        }
        assert_eq!(Action::find("delete"), None);
    }

    #[test]
    fn only_what_is_told_to_one_person_has_links() {
        assert_eq!(of_template(Key::Digest), &[]);
        assert!(of_template(Key::LeadAssigned).contains(&Action::Claim));
        assert!(
            !of_template(Key::LeadEscalated).contains(&Action::Claim),
            "it is not theirs"
        );
    }
}
