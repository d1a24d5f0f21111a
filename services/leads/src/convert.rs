//! Between protobuf messages, domain types and the words tables use.

pub(crate) mod account;
pub(crate) mod channel;
pub(crate) mod customer;
pub(crate) mod decision_map;
pub(crate) mod directory;
pub(crate) mod duplicates;
pub(crate) mod fields;
pub(crate) mod form;
pub(crate) mod gate;
pub(crate) mod import;
pub(crate) mod merge;
pub(crate) mod ownership;
pub(crate) mod pool;
pub(crate) mod routing;
pub(crate) mod tags;
pub(crate) mod validity;

use std::time::Duration;

use jiff::Timestamp;
use reflex_proto::leads::v1::{self as pb, follow_up, lead};

use crate::domain::{
    follow_up::{Attitude, Kind},
    lead::{State, Urgency},
    new_lead::RawLead,
    violation::Violation,
};

/// Converts an instant to its message.
pub(crate) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    }
}

/// Converts a message to an instant, to the microsecond.
///
/// # Errors
/// When it is outside the calendar.
pub(crate) fn instant(field: &str, at: &prost_types::Timestamp) -> Result<Timestamp, Violation> {
    /// 0001-01-01, as the message's own definition has it.
    const FIRST_SECOND: i64 = -62_135_596_800;
    let outside = || Violation {
        field: field.to_owned(),
        description: "must be between the years 1 and 9999".into(),
    };
    let exact = Timestamp::new(at.seconds, at.nanos).map_err(|_| outside())?;
    let whole = Timestamp::from_microsecond(exact.as_microsecond()).map_err(|_| outside())?;
    if whole.as_second() < FIRST_SECOND {
        Err(outside())
    } else {
        Ok(whole)
    }
}

/// Converts a message to a duration.
///
/// # Errors
/// When it is negative or malformed.
pub(crate) fn duration(field: &str, message: Option<&prost_types::Duration>) -> Result<Duration, Violation> {
    let Some(message) = message else {
        return Ok(Duration::ZERO);
    };
    let seconds = u64::try_from(message.seconds);
    let nanos = u32::try_from(message.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    match (seconds, nanos) {
        (Ok(seconds), Some(nanos)) => Ok(Duration::new(seconds, nanos)),
        _ => Err(Violation {
            field: field.to_owned(),
            description: "must not be negative".into(),
        }),
    }
}

/// Converts a duration to its message.
pub(crate) fn duration_message(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).expect("below a billion"),
    }
}

/// Converts a sent lead to what the domain checks.
///
/// # Errors
/// When its urgency is none we know.
pub(crate) fn raw_lead(message: pb::NewLead) -> Result<RawLead, Violation> {
    let urgency = match lead::Urgency::try_from(message.urgency) {
        Ok(lead::Urgency::Unspecified) => None,
        Ok(lead::Urgency::Red) => Some(Urgency::Red),
        Ok(lead::Urgency::Yellow) => Some(Urgency::Yellow),
        Ok(lead::Urgency::Green) => Some(Urgency::Green),
        Err(_) => {
            return Err(Violation {
                field: "lead.urgency".into(),
                description: "is no known urgency".into(),
            });
        }
    };
    Ok(RawLead {
        source: message.source,
        external_id: message.external_id,
        company: message.company,
        contact_name: message.contact_name,
        phone: message.phone,
        email: message.email,
        territory: message.territory,
        product: message.product,
        urgency,
        budget_min_fen: message.budget_min_fen,
        budget_max_fen: message.budget_max_fen,
        remark: message.remark,
        account: message.account,
        form: message.form,
        form_version: None,
        attributes: message.attributes,
        raw_payload: message.raw_payload,
    })
}

/// Returns the word tables use for an urgency.
pub(crate) fn urgency_word(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Red => "red",
        Urgency::Yellow => "yellow",
        Urgency::Green => "green",
    }
}

/// Returns the urgency of a table's word.
pub(crate) fn urgency_of_word(word: &str) -> Option<Urgency> {
    [Urgency::Red, Urgency::Yellow, Urgency::Green]
        .into_iter()
        .find(|urgency| urgency_word(*urgency) == word)
}

/// Returns the message's urgency of a table's word.
pub(crate) fn urgency_of(word: Option<&str>) -> lead::Urgency {
    match word {
        Some("red") => lead::Urgency::Red,
        Some("yellow") => lead::Urgency::Yellow,
        Some("green") => lead::Urgency::Green,
        _ => lead::Urgency::Unspecified,
    }
}

/// Returns the message's state.
pub(crate) fn state(state: State) -> lead::State {
    match state {
        State::Captured => lead::State::Captured,
        State::Queued => lead::State::Queued,
        State::Assigned => lead::State::Assigned,
        State::Claimed => lead::State::Claimed,
        State::Contacted => lead::State::Contacted,
        State::Closed => lead::State::Closed,
        State::Merged => lead::State::Merged,
        State::Held => lead::State::Held,
        State::Nurture => lead::State::Nurture,
        State::SetAside => lead::State::SetAside,
    }
}

/// Returns the state a filter asks for, `None` for all.
///
/// # Errors
/// When it is none we know.
pub(crate) fn state_filter(field: &str, value: i32) -> Result<Option<State>, Violation> {
    let unknown = || Violation {
        field: field.to_owned(),
        description: "is no known state".into(),
    };
    match lead::State::try_from(value).map_err(|_| unknown())? {
        lead::State::Unspecified => Ok(None),
        wanted => Ok(State::ALL.into_iter().find(|known| state(*known) == wanted)),
    }
}

/// How a lead ends, as messages and tables say it; the domain has the word alone.
pub(crate) const OUTCOMES: [(lead::Outcome, &str, &str); 3] = [
    (lead::Outcome::Converted, "converted", "converted"),
    (lead::Outcome::Lost, "lost", "lost"),
    (lead::Outcome::Invalid, "invalid", "invalid"),
];

/// A follow-up's kinds, as messages, the domain and tables say them.
pub(crate) const KINDS: [(follow_up::Kind, Kind, &str); 3] = [
    (follow_up::Kind::Call, Kind::Call, "call"),
    (follow_up::Kind::Visit, Kind::Visit, "visit"),
    (follow_up::Kind::Message, Kind::Message, "message"),
];

/// A decision maker's attitudes, as messages, the domain and tables say them.
pub(crate) const ATTITUDES: [(follow_up::Attitude, Attitude, &str); 3] = [
    (follow_up::Attitude::Supports, Attitude::Supports, "supports"),
    (follow_up::Attitude::Undecided, Attitude::Undecided, "undecided"),
    (follow_up::Attitude::Rejects, Attitude::Rejects, "rejects"),
];

/// Returns what the domain calls an enum value of a message, `None` for one it does not know.
pub(crate) fn domain_of<E: Copy + Into<i32>, D: Copy>(table: &[(E, D, &str)], value: i32) -> Option<D> {
    table
        .iter()
        .find(|(known, ..)| (*known).into() == value)
        .map(|(_, domain, _)| *domain)
}

/// Returns the enum value of a table's word, 0 for none.
pub(crate) fn value_of<E: Copy + Into<i32>, D>(table: &[(E, D, &str)], word: Option<&str>) -> i32 {
    table
        .iter()
        .find(|(.., known)| Some(*known) == word)
        .map_or(0, |(value, ..)| (*value).into())
}
