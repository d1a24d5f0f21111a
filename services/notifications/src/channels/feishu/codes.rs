//! What each answer of the robot endpoint means for us.

use std::time::Duration;

use crate::channels::{Fault, robot::Verdict};

/// How long a robot that crossed its 100 messages a minute, or 5 a second, is left alone. The vendor names no lock, and the
/// code is the same for both windows.
const LOCK: Duration = Duration::from_secs(10);

const ENDPOINT: Verdict = Verdict::GiveUp(Fault::Endpoint);
const MESSAGE: Verdict = Verdict::GiveUp(Fault::Message);

/// From the vendor's pages on custom robots, and its table of general codes.
const CODES: &[(i64, Verdict)] = &[
    (0, Verdict::Delivered),            // success
    (9_499, MESSAGE),                   // Bad Request
    (10_003, MESSAGE),                  // invalid param
    (11_232, Verdict::Limit(LOCK)),     // create message trigger frequency limit
    (11_247, Verdict::Retry),           // internal send message failed
    (19_001, ENDPOINT),                 // param invalid: incoming webhook access token invalid
    (19_002, MESSAGE),                  // params error, msg_type need
    (19_021, ENDPOINT),                 // sign match fail or timestamp is not within one hour from current time
    (19_022, ENDPOINT),                 // Ip Not Allowed
    (19_024, ENDPOINT),                 // Key Words Not Found: the group asks for words that no message of ours has
    (230_020, Verdict::Limit(LOCK)),    // this operation triggers the frequency limit
    (99_991_400, Verdict::Limit(LOCK)), // request trigger frequency limit
];

/// Looks a code up. A code nobody documented is tried again: the provider did refuse, so nothing is sent twice, and a
/// caller's attempts are bounded.
pub(super) fn verdict(code: i64) -> Verdict {
    CODES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(Verdict::Retry, |(_, verdict)| *verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_only_zero_is_delivered() {
        assert!(CODES.is_sorted_by(|(left, _), (right, _)| left < right));
        let delivered = CODES.iter().filter(|(_, verdict)| *verdict == Verdict::Delivered);
        assert_eq!(delivered.collect::<Vec<_>>(), [&(0, Verdict::Delivered)]);
        assert_eq!(verdict(999_999), Verdict::Retry);
    }
}
