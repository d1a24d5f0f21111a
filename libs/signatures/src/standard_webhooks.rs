//! Signatures of Standard Webhooks (<https://www.standardwebhooks.com>): `v1` with a secret that both sides know, `v1a`
//! with an Ed25519 key of the sender.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{SECRET_KEY_LENGTH, Signature, Signer as _, SigningKey, VerifyingKey};
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
const SECRET_PREFIX: &str = "whsec_";
/// What the sender's own half of a pair begins with.
const PRIVATE_PREFIX: &str = "whsk_";
/// What the half that receivers get begins with.
const PUBLIC_PREFIX: &str = "whpk_";
/// Bytes of a secret, as the specification wants them.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
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
pub struct Keys(Vec<Key>);

enum Key {
    /// Signs and verifies.
    Shared(Vec<u8>),
    /// Signs, and verifies by its public half.
    Private(Box<SigningKey>),
    /// Verifies only.
    Public(Box<VerifyingKey>),
}

impl Keys {
    /// Reads one key, or two with a space between them: both sign while the receiver changes from one to the other. A key
    /// is `whsec_` and a secret, `whsk_` and an Ed25519 key (its 32 bytes of seed, with or without the public half behind
    /// them), or `whpk_` and a public one, each in base64.
    #[must_use]
    pub fn parse(keys: &str) -> Option<Self> {
        let keys: Option<Vec<_>> = keys.split(' ').map(Key::parse).collect();
        keys.filter(|keys| keys.len() <= MAX_KEYS).map(Self)
    }

    /// Tells whether all of them can sign.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        !self.0.iter().any(|key| matches!(key, Key::Public(_)))
    }

    /// Signs a message over `{id}.{timestamp}.{body}` with each key that can: `v1,` and the base64 of HMAC-SHA256, or
    /// `v1a,` and that of an Ed25519 signature.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let timestamp = timestamp_seconds.to_string();
        let signatures = self.0.iter().filter_map(|key| match key {
            Key::Shared(secret) => {
                let code = mac(secret, id, &timestamp, body).finalize().into_bytes();
                Some(format!("v1,{}", BASE64_STANDARD.encode(code)))
            }
            Key::Private(key) => {
                let signature = key.sign(&content(id, &timestamp, body)).to_bytes();
                Some(format!("v1a,{}", BASE64_STANDARD.encode(signature)))
            }
            Key::Public(_) => None,
        });
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Returns what receivers are given of the Ed25519 keys, `whpk_…` each.
    #[must_use]
    pub fn public(&self) -> Vec<String> {
        let halves = self.0.iter().filter_map(|key| match key {
            Key::Shared(_) => None,
            Key::Private(key) => Some(key.verifying_key().to_bytes()),
            Key::Public(key) => Some(key.to_bytes()),
        });
        halves
            .map(|half| format!("{PUBLIC_PREFIX}{}", BASE64_STANDARD.encode(half)))
            .collect()
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
            // Other schemes may stand beside ours.
            let decoded = |scheme: &str, signature: &str| {
                let text = signature.strip_prefix(scheme)?;
                BASE64_STANDARD.decode(text).ok()
            };
            let signatures = signatures.split(' ').take(MAX_SIGNATURES);
            match key {
                Key::Shared(secret) => {
                    let mac = mac(secret, headers.id, headers.timestamp, body);
                    for signature in signatures {
                        let bytes = decoded("v1,", signature).unwrap_or_default();
                        signed |= mac.clone().verify_slice(&bytes).is_ok();
                    }
                }
                Key::Private(key) => signed |= is_of_pair(&key.verifying_key(), headers, body, signatures, decoded),
                Key::Public(key) => signed |= is_of_pair(key, headers, body, signatures, decoded),
            }
        }
        signed
    }
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        if let Some(secret) = text.strip_prefix(SECRET_PREFIX) {
            let secret = BASE64_STANDARD.decode(secret).ok()?;
            return SECRET_BYTES.contains(&secret.len()).then_some(Self::Shared(secret));
        }
        if let Some(key) = text.strip_prefix(PRIVATE_PREFIX) {
            let bytes = BASE64_STANDARD.decode(key).ok()?;
            let (seed, public) = bytes.split_first_chunk::<SECRET_KEY_LENGTH>()?;
            let key = SigningKey::from_bytes(seed);
            let fits = public.is_empty() || public == key.verifying_key().as_bytes();
            return fits.then(|| Self::Private(Box::new(key)));
        }
        let bytes = BASE64_STANDARD.decode(text.strip_prefix(PUBLIC_PREFIX)?).ok()?;
        let key = VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()?;
        Some(Self::Public(Box::new(key)))
    }
}

/// Tells whether one of the signatures is of the other half of a key. Nothing of this is secret.
fn is_of_pair<'a>(
    key: &VerifyingKey,
    headers: Headers<'_>,
    body: &[u8],
    mut signatures: impl Iterator<Item = &'a str>,
    decoded: impl Fn(&str, &str) -> Option<Vec<u8>>,
) -> bool {
    let content = content(headers.id, headers.timestamp, body);
    signatures.any(|signature| {
        let bytes = decoded("v1a,", signature).and_then(|bytes| bytes.try_into().ok());
        bytes.is_some_and(|bytes| key.verify_strict(&content, &Signature::from_bytes(&bytes)).is_ok())
    })
}

fn content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [format!("{id}.{timestamp}.").as_bytes(), body].concat()
}

fn mac(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    mac
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
        let of_bytes = |bytes: usize| format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(vec![7; bytes]));
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
    /// A pair whose seed is 32 times 7.
    const PRIVATE: &str = "whsk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

    #[test]
    fn a_pair_signs_with_one_half_and_believes_with_the_other() {
        let private = Keys::parse(PRIVATE).unwrap();
        let public = private.public().join(" ");
        assert!(public.starts_with("whpk_"), "{public}");
        let public = Keys::parse(&public).unwrap();
        assert!(private.can_sign() && !public.can_sign());
        let signature = private.sign(ID, AT, BODY);
        assert!(signature.starts_with("v1a,"), "{signature}");
        assert_eq!(public.sign(ID, AT, BODY), "");
        let at = AT.to_string();
        for keys in [&private, &public] {
            assert_eq!(keys.verify(headers(ID, &at, &signature), BODY, AT), Ok(()));
            let beside = format!("{SIGNATURE} v1a, {signature}");
            assert_eq!(keys.verify(headers(ID, &at, &beside), BODY, AT), Ok(()));
            for (id, body, signature) in [
                ("msg_other", BODY, signature.as_str()),
                (ID, b"{}".as_slice(), &signature),
                (ID, BODY, SIGNATURE),
                (ID, BODY, &signature.replace("v1a,", "v1,")),
                (ID, BODY, "v1a,AAAA"),
            ] {
                let refused = keys.verify(headers(id, &at, signature), body, AT);
                assert_eq!(refused, Err(Refusal::Signature), "{id} {signature}");
            }
        }
        let shared = Keys::parse(SECRET).unwrap();
        let refused = shared.verify(headers(ID, &at, &signature), BODY, AT);
        assert_eq!(refused, Err(Refusal::Signature));
    }

    #[test]
    fn halves_that_do_not_fit_are_no_pair() {
        let of = |bytes: &[u8]| Keys::parse(&format!("{PRIVATE_PREFIX}{}", BASE64_STANDARD.encode(bytes)));
        let public = BASE64_STANDARD
            .decode(of(&[7; 32]).unwrap().public()[0].strip_prefix(PUBLIC_PREFIX).unwrap())
            .unwrap();
        assert!(of(&[&[7; 32], public.as_slice()].concat()).is_some());
        assert!(of(&[7; 64]).is_none());
        assert!(of(&[7; 31]).is_none());
        assert!(Keys::parse("whpk_AAAA").is_none());
    }
}
