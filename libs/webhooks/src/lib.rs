//! Signatures of Standard Webhooks (<https://www.standardwebhooks.com>, symmetric scheme `v1`).

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What secrets begin with, so that scanners for leaked ones know them.
const PREFIX: &str = "whsec_";
/// Bytes of a key, as the specification wants them.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// The key that is used, and the one before it while receivers change over.
const MAX_KEYS: usize = 2;

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
        let signatures = self.0.iter().map(|key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
            mac.update(format!("{id}.{timestamp_seconds}.").as_bytes());
            mac.update(body);
            format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
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
