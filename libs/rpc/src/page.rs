//! Pages of lists: tokens that only continue the query they were made for, and sizes within bounds.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use tonic::Status;

use crate::status::{FieldViolation, invalid, page_token_mismatch};

/// Bytes of the authentication code that a token begins with.
const TAG: usize = 16;
/// No cursor of ours makes a longer one.
const MAX_TOKEN: usize = 4_096;

/// Makes and checks page tokens; all replicas of a service need the same key.
#[derive(Clone)]
pub struct PageTokens {
    mac: Hmac<Sha256>,
}

impl PageTokens {
    /// Returns tokens under a secret `key`.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self {
            mac: Hmac::new_from_slice(key).expect("HMAC takes keys of any length"),
        }
    }

    /// Returns the token of the page after `cursor`. `query` is everything that decides the list, above all the tenant
    /// and the filter; the page size is not part of it.
    ///
    /// # Panics
    ///
    /// If one of them has no JSON form, which is a mistake in the program.
    #[must_use]
    pub fn encode(&self, query: &impl Serialize, cursor: &impl Serialize) -> String {
        let cursor = json(cursor);
        let mut token = self.sign(query, &cursor).finalize().into_bytes()[..TAG].to_vec();
        token.extend_from_slice(&cursor);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Returns the cursor of a token, `None` for the empty one, which asks for the first page.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` with the reason `PAGE_TOKEN_MISMATCH` for a token that was made for another query or tenant, or
    /// by somebody else.
    pub fn decode<C: DeserializeOwned>(&self, query: &impl Serialize, token: &str) -> Result<Option<C>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let bytes = Some(token).filter(|token| token.len() <= MAX_TOKEN);
        let bytes = bytes
            .and_then(|token| URL_SAFE_NO_PAD.decode(token).ok())
            .ok_or_else(page_token_mismatch)?;
        let (tag, cursor) = bytes.split_at_checked(TAG).ok_or_else(page_token_mismatch)?;
        self.sign(query, cursor)
            .verify_truncated_left(tag)
            .map_err(|_| page_token_mismatch())?;
        // Signed by us, but perhaps by an older release with another cursor.
        serde_json::from_slice(cursor)
            .map(Some)
            .map_err(|_| page_token_mismatch())
    }

    fn sign(&self, query: &impl Serialize, cursor: &[u8]) -> Hmac<Sha256> {
        // The digest has a fixed length, so nothing can move between query and cursor.
        self.mac
            .clone()
            .chain_update(Sha256::digest(json(query)))
            .chain_update(cursor)
    }
}

/// Returns how many items to put on a page: `default` for 0, at most `max`.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for a negative size.
pub fn page_size(requested: i32, default: i32, max: i32) -> Result<i64, Status> {
    match requested {
        ..0 => Err(invalid(vec![FieldViolation::new("page_size", "must not be negative")])),
        0 => Ok(default.into()),
        _ => Ok(requested.min(max).into()),
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("queries and cursors are plain structs")
}

#[cfg(test)]
mod tests {
    use reflex_proto::platform::v1::Reason;

    use super::*;
    use crate::status::reason_of;

    type Cursor = (i64, String);

    #[test]
    fn a_token_continues_its_own_query_only() {
        let tokens = PageTokens::new(b"key");
        let query = ("huadong", "state=queued");
        let cursor: Cursor = (42, "客户".to_owned());
        let token = tokens.encode(&query, &cursor);
        assert_eq!(tokens.decode::<Cursor>(&query, &token).unwrap(), Some(cursor));
        assert_eq!(tokens.decode::<Cursor>(&query, "").unwrap(), None);

        let other_tenant = tokens.decode::<Cursor>(&("huabei", "state=queued"), &token);
        let other_filter = tokens.decode::<Cursor>(&("huadong", "state=claimed"), &token);
        let other_key = PageTokens::new(b"yek").decode::<Cursor>(&query, &token);
        let other_cursor = tokens.decode::<u8>(&query, &token).map(|_| None);
        for refused in [other_tenant, other_filter, other_key, other_cursor] {
            assert_eq!(reason_of(&refused.unwrap_err()), Some(Reason::PageTokenMismatch));
        }
    }

    #[test]
    fn forged_tokens_are_refused() {
        let tokens = PageTokens::new(b"key");
        let token = tokens.encode(&"query", &7);
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(tokens.decode::<i64>(&"query", &forged).is_err(), "changed at {at}");
        }
        for forged in ["A", "not base64!", &token[..20], &"A".repeat(1 << 20)] {
            assert!(tokens.decode::<i64>(&"query", forged).is_err());
        }
    }

    #[test]
    fn sizes_stay_within_bounds() {
        assert_eq!(page_size(0, 50, 500).unwrap(), 50);
        assert_eq!(page_size(7, 50, 500).unwrap(), 7);
        assert_eq!(page_size(1_000_000_000, 50, 500).unwrap(), 500);
        assert!(page_size(-1, 50, 500).is_err());
    }
}
