//! What travels: CloudEvents attributes as stream entry fields, the fact itself as protobuf.

use std::collections::HashMap;

use jiff::Timestamp;
use reflex_tenancy::TenantId;
use uuid::Uuid;

/// A fact to tell, not yet written.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Whose fact it is.
    pub tenant: TenantId,
    /// Its id; consumers apply an id once.
    pub id: Uuid,
    /// Full name of its message, for example `reflex.leads.v1.LeadAssigned`.
    pub kind: &'static str,
    /// What it is about, for example `leads/0192…`; facts of one subject keep their order.
    pub subject: String,
    /// When it happened.
    pub time: Timestamp,
    /// Trace it belongs to.
    pub traceparent: Option<String>,
    /// Event that caused it.
    pub causation_id: Option<Uuid>,
    /// The encoded message.
    pub data: Vec<u8>,
}

/// A fact as a consumer receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Whose fact it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: Uuid,
    /// The service that tells it.
    pub source: String,
    /// Full name of its message.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// When it happened.
    pub time: Timestamp,
    /// Trace it belongs to.
    pub traceparent: Option<String>,
    /// Event that caused it.
    pub causation_id: Option<Uuid>,
    /// The encoded message.
    pub data: Vec<u8>,
    /// Stream it came by, for example `leads.v1`.
    pub stream: String,
    /// Shard of that stream.
    pub shard: i16,
}

/// An entry of a stream is no envelope.
#[derive(Debug, thiserror::Error)]
#[error("the entry has no valid field {0}")]
pub struct NotAnEnvelope(&'static str);

impl Envelope {
    /// Reads an entry of a stream.
    ///
    /// # Errors
    /// When a field is missing or malformed; such an entry can never be applied.
    pub fn from_entry(stream: &str, shard: i16, mut fields: HashMap<String, Vec<u8>>) -> Result<Self, NotAnEnvelope> {
        let mut text = |name: &'static str| -> Result<String, NotAnEnvelope> {
            let bytes = fields.remove(name).ok_or(NotAnEnvelope(name))?;
            String::from_utf8(bytes).map_err(|_| NotAnEnvelope(name))
        };
        let tenant = text("tenant")?.parse().map_err(|_| NotAnEnvelope("tenant"))?;
        let id = text("id")?.parse().map_err(|_| NotAnEnvelope("id"))?;
        let source = text("source")?;
        let kind = text("type")?;
        let subject = text("subject")?;
        let microseconds = text("time")?.parse().map_err(|_| NotAnEnvelope("time"))?;
        let time = Timestamp::from_microsecond(microseconds).map_err(|_| NotAnEnvelope("time"))?;
        let traceparent = text("traceparent").ok();
        let causation_id = text("causationid").ok().and_then(|id| id.parse().ok());
        let data = fields.remove("data").ok_or(NotAnEnvelope("data"))?;
        let stream = stream.to_owned();
        Ok(Self {
            tenant,
            id,
            source,
            kind,
            subject,
            time,
            traceparent,
            causation_id,
            data,
            stream,
            shard,
        })
    }

    /// Decodes the message the envelope carries.
    ///
    /// # Errors
    /// [`HandlerError::Rejected`](crate::HandlerError::Rejected), as bytes that do not decode never will.
    pub fn decode<M: prost::Message + Default>(&self) -> Result<M, crate::HandlerError> {
        M::decode(self.data.as_slice())
            .map_err(|error| crate::HandlerError::Rejected(format!("{} does not decode: {error}", self.kind)))
    }
}

/// Returns the shard, of `count`, that keeps the order of a subject.
///
/// # Panics
/// Never: the remainder is below `count`.
#[must_use]
pub fn shard_of(tenant: &TenantId, subject: &str, count: i16) -> i16 {
    // FNV-1a, 64 bit (public domain, Fowler, Noll, Vo): stable across versions, unlike the standard library's hasher.
    let hash = tenant
        .as_str()
        .bytes()
        .chain([b'/'])
        .chain(subject.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let count = u64::try_from(count.max(1)).unwrap_or(1);
    i16::try_from(hash % count).expect("the remainder is below an i16")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> HashMap<String, Vec<u8>> {
        [
            ("tenant", "huadong"),
            ("id", "0192f0c1-2a3b-7c4d-8e5f-000000000001"),
            ("source", "leads"),
            ("type", "reflex.leads.v1.LeadCaptured"),
            ("subject", "leads/1"),
            ("time", "1771200000000000"),
            ("data", "x"),
        ]
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .into()
    }

    #[test]
    fn reads_an_entry_and_names_the_field_at_fault() {
        let envelope = Envelope::from_entry("leads.v1", 3, entry()).expect("a whole entry");
        assert_eq!(
            (envelope.tenant.as_str(), envelope.shard, envelope.traceparent),
            ("huadong", 3, None)
        );
        for name in ["tenant", "id", "source", "type", "subject", "time", "data"] {
            let mut broken = entry();
            broken.remove(name);
            let error = Envelope::from_entry("leads.v1", 0, broken).expect_err(name);
            assert!(error.to_string().ends_with(name));
        }
    }

    #[test]
    fn shards_are_stable_and_used_evenly() {
        let tenant: TenantId = "huadong".parse().expect("valid");
        assert_eq!(shard_of(&tenant, "leads/1", 4), shard_of(&tenant, "leads/1", 4));
        let mut counts = [0; 4];
        for number in 0..4_000 {
            counts[usize::try_from(shard_of(&tenant, &format!("leads/{number}"), 4)).expect("small")] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }
}
