//! Feishu (飞书): the signature of custom robots, and the events that Feishu sends to an application.

use aes::Aes256;
use base64::{Engine, prelude::BASE64_STANDARD};
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::Pkcs7};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of a block, which the initial vector is as well.
const BLOCK: usize = 16;

/// Why an event cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no base64 of whole blocks.
    #[error("the encrypted text is no base64 of whole blocks")]
    Shape,
    /// It was encrypted with another key, or changed on the way.
    #[error("the text cannot be decrypted with this key")]
    Key,
}

/// Signs a message of a robot: base64 of HMAC-SHA256 over nothing, under `"{timestamp_seconds}\n{secret}"`.
#[must_use]
pub fn sign(timestamp_seconds: i64, secret: &str) -> String {
    BASE64_STANDARD.encode(mac(timestamp_seconds, secret).finalize().into_bytes())
}

/// Tells whether a robot's signature is of this instant and secret; in constant time.
#[must_use]
pub fn is_signed(timestamp_seconds: i64, secret: &str, signature: &str) -> bool {
    let bytes = BASE64_STANDARD.decode(signature).unwrap_or_default();
    mac(timestamp_seconds, secret).verify_slice(&bytes).is_ok()
}

fn mac(timestamp_seconds: i64, secret: &str) -> Hmac<Sha256> {
    let key = format!("{timestamp_seconds}\n{secret}");
    Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length")
}

/// Signs an event (`X-Lark-Signature`): SHA-256 of timestamp, nonce, key and body one behind the other, in hexadecimal.
#[must_use]
pub fn sign_event(timestamp: &str, nonce: &str, encrypt_key: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(timestamp);
    hash.update(nonce);
    hash.update(encrypt_key);
    hash.update(body);
    format!("{:x}", hash.finalize())
}

/// Tells whether an event's signature is right; in constant time.
#[must_use]
pub fn is_event_signed(timestamp: &str, nonce: &str, encrypt_key: &str, body: &[u8], signature: &str) -> bool {
    let expected = sign_event(timestamp, nonce, encrypt_key, body);
    expected
        .as_bytes()
        .ct_eq(signature.to_ascii_lowercase().as_bytes())
        .into()
}

/// Encrypts an event: AES-256-CBC under the SHA-256 of the key, the initial vector in front, in base64.
#[must_use]
pub fn encrypt(encrypt_key: &str, initial_vector: [u8; BLOCK], text: &[u8]) -> String {
    let key = Sha256::digest(encrypt_key);
    let cipher = cbc::Encryptor::<Aes256>::new(&key, &initial_vector.into());
    let encrypted = cipher.encrypt_padded_vec_mut::<Pkcs7>(text);
    BASE64_STANDARD.encode([&initial_vector[..], &encrypted].concat())
}

/// Decrypts what stands in an event's `encrypt`.
///
/// # Errors
/// [`Unreadable`].
pub fn decrypt(encrypt_key: &str, encrypted: &str) -> Result<Vec<u8>, Unreadable> {
    let bytes = BASE64_STANDARD
        .decode(encrypted.trim())
        .map_err(|_| Unreadable::Shape)?;
    let (initial_vector, blocks) = bytes.split_first_chunk::<BLOCK>().ok_or(Unreadable::Shape)?;
    let key = Sha256::digest(encrypt_key);
    let cipher = cbc::Decryptor::<Aes256>::new(&key, initial_vector.into());
    cipher
        .decrypt_padded_vec_mut::<Pkcs7>(blocks)
        .map_err(|_| Unreadable::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hmac` as the vendor's page shows it.
    #[test]
    fn signs_byte_for_byte() {
        let signature = sign(1_599_360_473, "demo");
        assert_eq!(signature, "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
        assert!(is_signed(1_599_360_473, "demo", &signature));
        assert!(!is_signed(1_599_360_474, "demo", &signature));
        assert!(!is_signed(1_599_360_473, "Demo", &signature));
        assert!(!is_signed(1_599_360_473, "demo", "x"));
    }

    /// The vendor's own example.
    #[test]
    fn decrypts_the_example() {
        let text = decrypt("test key", "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=");
        assert_eq!(text.as_deref(), Ok(&b"hello world"[..]));
        assert_eq!(decrypt("test key", "P37w"), Err(Unreadable::Shape));
        assert_eq!(decrypt("test key", "不是"), Err(Unreadable::Shape));
        assert_eq!(
            decrypt("test Key", "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="),
            Err(Unreadable::Key)
        );
    }

    #[test]
    fn events_are_signed_with_everything_in_them() {
        let signature = sign_event("1693472500", "n0nce", "key", b"{}");
        assert!(is_event_signed("1693472500", "n0nce", "key", b"{}", &signature));
        assert!(is_event_signed(
            "1693472500",
            "n0nce",
            "key",
            b"{}",
            &signature.to_uppercase()
        ));
        assert!(!is_event_signed("1693472501", "n0nce", "key", b"{}", &signature));
        assert!(!is_event_signed("1693472500", "nonce", "key", b"{}", &signature));
        assert!(!is_event_signed("1693472500", "n0nce", "Key", b"{}", &signature));
        assert!(!is_event_signed("1693472500", "n0nce", "key", b"{ }", &signature));
        assert!(!is_event_signed("1693472500", "n0nce", "key", b"{}", ""));
    }

    proptest::proptest! {
        #[test]
        fn decrypting_undoes_encrypting(key in ".{0,40}", initial_vector: [u8; 16], text: Vec<u8>) {
            let encrypted = encrypt(&key, initial_vector, &text);
            proptest::prop_assert_eq!(decrypt(&key, &encrypted), Ok(text));
        }

        #[test]
        fn nothing_makes_it_panic(key in ".{0,40}", encrypted in "[A-Za-z0-9+/=]{0,120}") {
            let _read_or_not = decrypt(&key, &encrypted);
        }
    }
}
