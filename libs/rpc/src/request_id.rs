//! The id by which a write can be repeated safely.

use tonic_types::FieldViolation;
use uuid::Uuid;

/// Reads the `request_id` of a write.
pub struct RequestId;

impl RequestId {
    /// Returns the id, `None` where the caller gave none.
    ///
    /// # Errors
    ///
    /// Returns a violation of the field `request_id` for a text that is no UUID in its usual, hyphenated form.
    pub fn parse(text: &str) -> Result<Option<Uuid>, FieldViolation> {
        const HYPHENATED: usize = 36;
        if text.is_empty() {
            return Ok(None);
        }
        let id = Uuid::try_parse(text)
            .ok()
            .filter(|id| text.len() == HYPHENATED && !id.is_nil());
        id.map(Some)
            .ok_or_else(|| FieldViolation::new("request_id", "must be a UUID such as 0197a1b2-…, or empty"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hyphenated_uuids_pass() {
        let text = "0197a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";
        assert_eq!(RequestId::parse(text).unwrap().unwrap().to_string(), text);
        assert_eq!(RequestId::parse("").unwrap(), None);
        let upper = text.to_uppercase();
        assert_eq!(
            RequestId::parse(&upper).unwrap(),
            RequestId::parse(text).unwrap(),
            "one id, one request"
        );
        let million = "a".repeat(1 << 20);
        let braced = format!("{{{text}}}");
        for bad in [
            "x",
            &braced,
            &text.replace('-', ""),
            "00000000-0000-0000-0000-000000000000",
            &million,
        ] {
            assert_eq!(RequestId::parse(bad).unwrap_err().field, "request_id");
        }
    }
}
