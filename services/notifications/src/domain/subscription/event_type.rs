//! What events are called outside: "lead.assigned.v1" is `reflex.leads.v1.LeadAssigned`.

/// Messages that are called otherwise than their words say.
const CALLED: [(&str, &str); 2] = [
    ("ClaimExpired", "lead.claim_expired"),
    ("FollowUpRecorded", "followup.recorded"),
];

/// Returns what the event of a message is called, none for a name that is no event's: the first word, what happened to it, and
/// the version of its package.
#[must_use]
pub fn of_kind(kind: &str) -> Option<String> {
    let mut parts = kind.rsplit('.');
    let (message, version) = (parts.next()?, parts.next()?);
    let is_version = version.strip_prefix('v')?.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((_, called)) = CALLED.iter().find(|(name, _)| *name == message) {
        return is_version.then(|| format!("{called}.{version}"));
    }
    let mut words = words(message).into_iter();
    let (noun, rest) = (words.next()?, words.collect::<Vec<_>>().join("_"));
    (is_version && !rest.is_empty()).then(|| format!("{noun}.{rest}.{version}"))
}

fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() || words.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(character.to_ascii_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_called_as_the_catalogue_has_it() {
        for (kind, called) in [
            ("reflex.leads.v1.LeadAssigned", "lead.assigned.v1"),
            ("reflex.leads.v1.LeadFirstContacted", "lead.first_contacted.v1"),
            ("reflex.leads.v1.LeadDuplicateSuspected", "lead.duplicate_suspected.v1"),
            ("reflex.leads.v1.ClaimExpired", "lead.claim_expired.v1"),
            ("reflex.leads.v1.FollowUpRecorded", "followup.recorded.v1"),
            ("reflex.leads.v1.SubjectErased", "subject.erased.v1"),
            ("reflex.notifications.v1.NotificationSent", "notification.sent.v1"),
            ("reflex.customer_health.v2.BandChanged", "band.changed.v2"),
        ] {
            assert_eq!(of_kind(kind).as_deref(), Some(called));
        }
        for kind in [
            "",
            "LeadAssigned",
            "reflex.leads.v1.Lead",
            "reflex.leads.LeadAssigned",
            "a.v1.",
        ] {
            assert_eq!(of_kind(kind), None, "{kind}");
        }
    }
}
