//! The signature of custom robots of `DingTalk` groups (钉钉自定义机器人加签).

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Signs a request: base64 of HMAC-SHA256 over `"{timestamp_ms}\n{secret}"` under the secret.
#[must_use]
pub fn sign(timestamp_ms: i64, secret: &str) -> String {
    BASE64_STANDARD.encode(mac(timestamp_ms, secret).finalize().into_bytes())
}

/// Returns a signature as it stands in an address.
#[must_use]
pub fn in_query(signature: &str) -> String {
    // The three characters of base64 that mean something else in a query.
    signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// Tells whether a signature, as it is or as it stands in an address, is of this instant and secret; in constant time.
#[must_use]
pub fn is_signed(timestamp_ms: i64, secret: &str, signature: &str) -> bool {
    let plain = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    let bytes = BASE64_STANDARD.decode(plain).unwrap_or_default();
    mac(timestamp_ms, secret).verify_slice(&bytes).is_ok()
}

fn mac(timestamp_ms: i64, secret: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{timestamp_ms}\n{secret}").as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `openssl dgst -sha256 -hmac` and with Python's `hmac`.
    #[test]
    fn signs_byte_for_byte() {
        for (timestamp_ms, secret, expected) in [
            (
                1_547_461_912_000,
                "SEC0123456789abcdef",
                "li0bha3ikchJZLK7nG%2Fu5CkNNYGRkIG7adCw1%2B6vtxI%3D",
            ),
            (
                1_577_262_236_757,
                "this is secret",
                "hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D",
            ),
            (0, "密钥", "95G%2F%2FAOaFLWJUU4E6i75QdzEnHeMIHs7riSGRgJYks4%3D"),
        ] {
            let signature = sign(timestamp_ms, secret);
            assert_eq!(in_query(&signature), expected);
            assert!(is_signed(timestamp_ms, secret, &signature));
            assert!(is_signed(timestamp_ms, secret, expected));
        }
    }

    #[test]
    fn another_instant_secret_or_signature_is_refused() {
        let signature = sign(0, "密钥");
        for (timestamp_ms, secret, signature) in [
            (1, "密钥", signature.as_str()),
            (0, "密匙", &signature),
            (0, "密钥", &signature[1..]),
            (0, "密钥", ""),
        ] {
            assert!(!is_signed(timestamp_ms, secret, signature), "{signature}");
        }
    }
}
