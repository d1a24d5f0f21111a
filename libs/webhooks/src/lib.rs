//! Signatures of Standard Webhooks (<https://www.standardwebhooks.com>, symmetric scheme `v1`): of what is sent, and of what
//! comes in.
//!
//! Belongs here: keys, signing, verifying. Does not: HTTP, and what a webhook says.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Header of the message's id, by which a repetition is known.
pub const ID_HEADER: &str = "webhook-id";
/// Header of the second at which the message was signed.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header of the signatures, with spaces between them.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
/// How far the sender's clock may be from ours, in both directions, as the specification advises.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// What secrets begin with, so that scanners for leaked ones know them.
const PREFIX: &str = "whsec_";
/// Bytes of a key, as the specification wants them.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// The key that is used, and the one before it while receivers change over.
const MAX_KEYS: usize = 2;
/// Signatures that are looked at: more than any sender has keys.
const MAX_SIGNATURES: usize = 16;
/// Longest id.
const MAX_ID_BYTES: usize = 200;

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The id is missing or no visible text of some 200 characters.
    #[error("webhook-id must be 1 to {MAX_ID_BYTES} visible ASCII characters")]
    Id,
    /// The timestamp is missing or no number.
    #[error("webhook-timestamp must be a whole number of seconds since 1970")]
    Timestamp,
    /// The message was signed too long ago, or in the future: it may have been sent again by somebody else.
    #[error("webhook-timestamp is more than 5 minutes from now")]
    Stale,
    /// No signature is ours.
    #[error("webhook-signature has no signature of this body with the source's secret")]
    Signature,
}

/// What came with a body.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// [`ID_HEADER`].
    pub id: &'a str,
    /// [`TIMESTAMP_HEADER`].
    pub timestamp: &'a str,
    /// [`SIGNATURE_HEADER`].
    pub signature: &'a str,
}

/// The keys of an endpoint.
pub struct Keys(Vec<Vec<u8>>);

impl Keys {
    /// Reads one secret, or two with a space between them: both sign while the receiver changes from one to the other.
    #[must_use]
    pub fn parse(secrets: &str) -> Option<Self> {
        let keys: Option<Vec<_>> = secrets.split(' ').map(key).collect();
        keys.filter(|keys| keys.len() <= MAX_KEYS).map(Self)
    }

    /// Signs a message: `v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`, for each key.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let timestamp = timestamp_seconds.to_string();
        let sign = |key: &Vec<u8>| mac(key, id, &timestamp, body).finalize().into_bytes();
        let signatures = self
            .0
            .iter()
            .map(|key| format!("v1,{}", BASE64_STANDARD.encode(sign(key))));
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Checks that one of the signatures is of one of the keys, in constant time, and that the message is of these minutes.
    /// A message that is not signed costs as much as one that is, whatever else is wrong with it.
    ///
    /// # Errors
    /// The first [`Refusal`] in the order of the headers, the signature last.
    pub fn verify(&self, headers: Headers<'_>, body: &[u8], now_seconds: i64) -> Result<(), Refusal> {
        let Headers {
            id,
            timestamp,
            signature,
        } = headers;
        let signed = self.is_signed(headers, body, signature);
        if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal::Id);
        }
        let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let at: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(Refusal::Timestamp)?;
        if at.abs_diff(now_seconds) > TOLERANCE.as_secs() {
            return Err(Refusal::Stale);
        }
        if signed { Ok(()) } else { Err(Refusal::Signature) }
    }

    fn is_signed(&self, headers: Headers<'_>, body: &[u8], signatures: &str) -> bool {
        let mut signed = false;
        for key in &self.0 {
            let mac = mac(key, headers.id, headers.timestamp, body);
            for signature in signatures.split(' ').take(MAX_SIGNATURES) {
                // Other schemes may stand beside ours.
                let bytes = signature
                    .strip_prefix("v1,")
                    .and_then(|text| BASE64_STANDARD.decode(text).ok());
                signed |= mac.clone().verify_slice(&bytes.unwrap_or_default()).is_ok();
            }
        }
        signed
    }
}

fn mac(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    mac
}

fn key(secret: &str) -> Option<Vec<u8>> {
    let key = BASE64_STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    KEY_BYTES.contains(&key.len()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of the specification's own vector.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

    /// The first is the specification's, all were computed with Python's `hmac` as well.
    #[test]
    fn signs_byte_for_byte() {
        let keys = Keys::parse(SECRET).unwrap();
        for (id, timestamp_seconds, body, expected) in [
            (
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,bmED0YkXIwCHhhZjbHn8qMCbczjpYwHGju/WMUmDqOQ=",
            ),
            (
                "01890a5d-ac96-774b-bcce-b302099a8057",
                0,
                r#"{"公司":"华东机床"}"#,
                "v1,PS/JhcbXtDb20MjnlwUqh0FuuJ3K4epOJvQ/PVZSkWE=",
            ),
        ] {
            assert_eq!(keys.sign(id, timestamp_seconds, body.as_bytes()), expected, "{id}");
        }
    }

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers<'a>(id: &'a str, timestamp: &'a str, signature: &'a str) -> Headers<'a> {
        Headers {
            id,
            timestamp,
            signature,
        }
    }

    /// The cases of the specification's own libraries.
    #[test]
    fn believes_what_is_signed_and_of_these_minutes() {
        let keys = Keys::parse(SECRET).unwrap();
        let at = AT.to_string();
        let signed = |signature: &str| keys.verify(headers(ID, &at, signature), BODY, AT);
        assert_eq!(signed(SIGNATURE), Ok(()));
        let several = format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,x {SIGNATURE} v1,");
        assert_eq!(signed(&several), Ok(()), "another key, another scheme, and none");
        for forged in [
            "",
            "v1,",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1Oe=",
            "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJE",
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ] {
            assert_eq!(signed(forged), Err(Refusal::Signature), "{forged:?}");
        }
        let tampered = keys.verify(headers(ID, &at, SIGNATURE), br#"{"test": 2432232315}"#, AT);
        assert_eq!(tampered, Err(Refusal::Signature));
        let other = Keys::parse(OTHER).unwrap();
        assert_eq!(
            other.verify(headers(ID, &at, SIGNATURE), BODY, AT),
            Err(Refusal::Signature)
        );
        let renamed = keys.verify(headers("msg_other", &at, SIGNATURE), BODY, AT);
        assert_eq!(renamed, Err(Refusal::Signature), "a repetition cannot get another id");
        for (now, expected) in [
            (AT + 300, Ok(())),
            (AT - 300, Ok(())),
            (AT + 301, Err(Refusal::Stale)),
            (AT - 301, Err(Refusal::Stale)),
        ] {
            assert_eq!(keys.verify(headers(ID, &at, SIGNATURE), BODY, now), expected);
        }
        for wrong in ["", "x", "+1", "-1", "1.5", "99999999999999999999"] {
            let refused = keys.verify(headers(ID, wrong, SIGNATURE), BODY, AT);
            assert_eq!(refused, Err(Refusal::Timestamp), "{wrong:?}");
        }
        for wrong in ["", "a b", "标", &"x".repeat(201)] {
            let refused = keys.verify(headers(wrong, &at, SIGNATURE), BODY, AT);
            assert_eq!(refused, Err(Refusal::Id), "{wrong:?}");
        }
    }

    #[test]
    fn both_keys_believe_while_they_change() {
        let both = Keys::parse(&format!("{OTHER} {SECRET}")).unwrap();
        let at = AT.to_string();
        assert_eq!(both.verify(headers(ID, &at, SIGNATURE), BODY, AT), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(id in ".{0,300}", timestamp in ".{0,30}", signature in "(v1,)?.{0,80}") {
            let keys = Keys::parse(SECRET).unwrap();
            let _refused_or_not = keys.verify(headers(&id, &timestamp, &signature), BODY, AT);
        }

        #[test]
        fn what_is_signed_is_believed(id in "[!-~]{1,200}", body: Vec<u8>) {
            let keys = Keys::parse(SECRET).unwrap();
            let signature = keys.sign(&id, AT, &body);
            proptest::prop_assert_eq!(keys.verify(headers(&id, &AT.to_string(), &signature), &body, AT), Ok(()));
        }
    }

    #[test]
    fn both_keys_sign_while_they_change() {
        let both = Keys::parse(&format!("{OTHER} {SECRET}")).unwrap().sign("a", 1, b"{}");
        let signatures: Vec<_> = both.split(' ').collect();
        let alone = |secret| Keys::parse(secret).unwrap().sign("a", 1, b"{}");
        assert_eq!(signatures, [alone(OTHER), alone(SECRET)]);
    }

    #[test]
    fn secrets_of_another_shape_are_no_keys() {
        let of_bytes = |bytes: usize| format!("{PREFIX}{}", BASE64_STANDARD.encode(vec![7; bytes]));
        for good in [of_bytes(24), of_bytes(64), format!("{} {}", of_bytes(64), of_bytes(64))] {
            assert!(Keys::parse(&good).is_some(), "{good}");
        }
        for bad in [
            String::new(),
            "whsec_".to_owned(),
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
            "whsec_not base64".to_owned(),
            of_bytes(23),
            of_bytes(65),
            format!("{SECRET} "),
            format!("{SECRET}  {SECRET}"),
            format!("{SECRET} {SECRET} {SECRET}"),
        ] {
            assert!(Keys::parse(&bad).is_none(), "{bad}");
        }
    }
}
