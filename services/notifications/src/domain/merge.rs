//! What a channel sends next. When more waits than may be sent, the last token goes to a digest of all that is left, so
//! everybody is told before the provider's limit instead of after it. Where programs read, messages wait instead.

use reflex_templates::text;

use super::{budget::Tokens, message::Class};

/// Lines a digest shows; the rest is counted.
pub const MAX_LINES: usize = 20;
/// Most messages one digest takes in.
pub const MAX_MERGED: i64 = 2_000;

/// What waits for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Escalations.
    pub escalations: Queue,
    /// Assignments.
    pub assignments: Queue,
}

/// What waits of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// Digests whose first try failed; a digest is not merged again.
    pub digests: usize,
    /// Messages.
    pub singles: usize,
}

/// The next thing to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Send {
    /// The oldest digest of this class that waits for another try.
    Digest(Class),
    /// The oldest message of this class.
    Single(Class),
    /// All messages of this class in one.
    Merged(Class),
}

/// What becomes of messages beyond the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surplus {
    /// One digest takes their place.
    Merges,
    /// Each waits for its turn.
    Waits,
}

/// Chooses what to send next, escalations first; nothing when nothing waits that may be sent.
#[must_use]
pub fn next_send(waiting: &Waiting, tokens: Tokens, surplus: Surplus) -> Option<Send> {
    next_of(Class::Escalation, waiting.escalations, tokens.escalations, surplus)
        .or_else(|| next_of(Class::Assignment, waiting.assignments, tokens.assignments, surplus))
}

fn next_of(class: Class, queue: Queue, tokens: usize, surplus: Surplus) -> Option<Send> {
    match (tokens, queue, surplus) {
        (0, ..) | (_, Queue { digests: 0, singles: 0 }, _) => None,
        (_, Queue { digests: 1.., .. }, _) => Some(Send::Digest(class)),
        (1, Queue { singles: 2.., .. }, Surplus::Merges) => Some(Send::Merged(class)),
        _ => Some(Send::Single(class)),
    }
}

/// Writes the lines of a digest: one for each message (who, and its title) up to a bound, then how many more there are.
#[must_use]
pub fn lines<'m>(
    messages: impl ExactSizeIterator<Item = (&'m str, &'m str)>,
    more: impl Fn(usize) -> String,
) -> String {
    let left_out = messages.len().saturating_sub(MAX_LINES);
    let mut lines: Vec<String> = messages
        .take(MAX_LINES)
        .map(|(person, title)| format!("- {}：{}", text::harmless(person), text::harmless(title)))
        .collect();
    if left_out > 0 {
        lines.push(format!("- {}", more(left_out)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::budget::Limits;

    const ESCALATION: Class = Class::Escalation;
    const ASSIGNMENT: Class = Class::Assignment;

    fn queue(digests: usize, singles: usize) -> Queue {
        Queue { digests, singles }
    }

    #[test]
    fn the_last_token_is_kept_for_a_digest() {
        for (escalations, assignments, tokens, expected) in [
            (queue(0, 0), queue(0, 0), (18, 14), None),
            (queue(0, 0), queue(0, 1), (18, 14), Some(Send::Single(ASSIGNMENT))),
            (queue(0, 0), queue(0, 300), (18, 14), Some(Send::Single(ASSIGNMENT))),
            (queue(0, 0), queue(0, 287), (5, 1), Some(Send::Merged(ASSIGNMENT))),
            (queue(0, 0), queue(0, 1), (5, 1), Some(Send::Single(ASSIGNMENT))),
            (queue(0, 0), queue(0, 287), (4, 0), None),
            (queue(0, 1), queue(0, 287), (4, 0), Some(Send::Single(ESCALATION))),
            (queue(0, 9), queue(0, 9), (1, 0), Some(Send::Merged(ESCALATION))),
            (queue(0, 9), queue(0, 9), (0, 0), None),
            (queue(1, 9), queue(0, 9), (1, 0), Some(Send::Digest(ESCALATION))),
        ] {
            let waiting = Waiting {
                escalations,
                assignments,
            };
            let tokens = Tokens {
                escalations: tokens.0,
                assignments: tokens.1,
            };
            assert_eq!(
                next_send(&waiting, tokens, Surplus::Merges),
                expected,
                "{waiting:?} {tokens:?}"
            );
            let unmerged = expected.map(|send| match send {
                Send::Merged(class) => Send::Single(class),
                other => other,
            });
            assert_eq!(
                next_send(&waiting, tokens, Surplus::Waits),
                unmerged,
                "{waiting:?} {tokens:?}"
            );
        }
    }

    proptest! {
        /// Whatever arrives while tokens come and go: never more sends than tokens, escalations before assignments,
        /// and every message ends in exactly one send.
        #[test]
        fn nothing_is_lost_and_no_budget_crossed(
            per_minute in 1_i32..=20,
            kept in 0_i32..20,
            arrivals in prop::collection::vec((0_usize..40, 0_usize..10), 1..12),
        ) {
            let limits = Limits { per_minute, reserved: kept.min(per_minute - 1) };
            let mut waiting = Waiting::default();
            let (mut arrived, mut told) = (0, 0);
            // A minute each, in which nothing is released: what is sent in it must fit the budget.
            for (assignments, escalations) in arrivals.into_iter().chain([(0, 0)]) {
                waiting.assignments.singles += assignments;
                waiting.escalations.singles += escalations;
                arrived += assignments + escalations;
                let mut held = 0;
                while let Some(send) = next_send(&waiting, limits.tokens(held), Surplus::Merges) {
                    held += 1;
                    let (Send::Digest(class) | Send::Single(class) | Send::Merged(class)) = send;
                    prop_assert!(class == ESCALATION || waiting.escalations.singles == 0);
                    let queue = match class {
                        Class::Escalation => &mut waiting.escalations,
                        Class::Assignment => &mut waiting.assignments,
                    };
                    let taken = if matches!(send, Send::Merged(_)) { queue.singles } else { 1 };
                    prop_assert!(taken > 0);
                    queue.singles -= taken;
                    told += taken;
                }
                prop_assert!(held <= i64::from(per_minute));
                prop_assert_eq!(waiting.escalations.singles, 0, "a full budget tells all escalations");
            }
            prop_assert_eq!(told + waiting.assignments.singles, arrived);
        }
    }

    #[test]
    fn a_digest_shows_some_lines_and_counts_the_rest() {
        let titles: Vec<String> = (1..=25).map(|number| format!("新线索 *{number}*")).collect();
        let all = titles.iter().map(|title| ("张伟", title.as_str()));
        let text = lines(all, |more| format!("另有 {more} 条"));
        assert_eq!(text.lines().count(), MAX_LINES + 1);
        assert!(text.starts_with("- 张伟：新线索 ＊1＊\n"));
        assert!(text.ends_with("- 另有 5 条"));
    }
}
