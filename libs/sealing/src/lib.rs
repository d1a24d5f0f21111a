//! Secrets at rest: encrypted with a key of the service's settings, bound to the row they belong to.

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::{TryRngCore, rngs::OsRng};
use reflex_tenancy::TenantId;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const NONCE_BYTES: usize = 24;
const MIN_KEY_BYTES: usize = 32;

/// Encrypts and decrypts (`XChaCha20-Poly1305`).
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
}

/// Which secret of which resource; a ciphertext moved to another row does not open.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Whose resource.
    pub tenant: &'a TenantId,
    /// Its name, for example "channels/{channel}".
    pub resource: &'a str,
    /// Which of its secrets, for example "endpoint".
    pub part: &'static str,
}

/// A key is not usable, or a ciphertext was not made with it and for this place.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The setting is wrong.
    #[error("sealing_key must have at least {MIN_KEY_BYTES} characters, for example from `openssl rand -base64 32`")]
    Key,
    /// The machine has no randomness.
    #[error("the machine gives no random bytes")]
    Random,
    /// The stored bytes do not open.
    #[error("a stored secret of {0} does not open with the present sealing_key")]
    Sealed(String),
}

impl Sealer {
    /// Makes a sealer from a random text.
    ///
    /// # Errors
    /// [`SealError::Key`] when it is too short to be random enough.
    pub fn new(key: &SecretString) -> Result<Self, SealError> {
        let key = key.expose_secret();
        if key.len() < MIN_KEY_BYTES {
            return Err(SealError::Key);
        }
        // The text has the entropy already, the digest only gives it the cipher's length.
        let key: [u8; 32] = Sha256::digest(key).into();
        Ok(Self {
            cipher: XChaCha20Poly1305::new(&Key::from(key)),
        })
    }

    /// Encrypts a secret for its place.
    ///
    /// # Errors
    /// [`SealError::Random`] when the machine has no randomness.
    ///
    /// # Panics
    /// Never.
    pub fn seal(&self, place: Place<'_>, secret: &str) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        OsRng.try_fill_bytes(&mut nonce).map_err(|_| SealError::Random)?;
        let payload = Payload {
            msg: secret.as_bytes(),
            aad: &place.bytes(),
        };
        let ciphertext = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let ciphertext = ciphertext.expect("a secret is far shorter than what one nonce can encrypt");
        Ok([nonce.as_slice(), &ciphertext].concat())
    }

    /// Decrypts what was sealed for this place.
    ///
    /// # Errors
    /// [`SealError::Sealed`] for anything else.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<SecretString, SealError> {
        let refused = || SealError::Sealed(place.resource.to_owned());
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(refused)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &place.bytes(),
        };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        let text = opened.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.map(SecretString::from).ok_or_else(refused)
    }
}

impl Place<'_> {
    /// Tenant ids and resource names hold no NUL, so no two places have the same bytes.
    fn bytes(&self) -> Vec<u8> {
        format!("{}\0{}\0{}", self.tenant, self.resource, self.part).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_secret_opens_in_its_own_place_only() {
        let sealer = Sealer::new(&KEY.into()).unwrap();
        let (huadong, huabei) = ("huadong".parse().unwrap(), "huabei".parse().unwrap());
        let place = Place {
            tenant: &huadong,
            resource: "channels/a",
            part: "secret",
        };
        let secret = sealer.seal(place, "SEC密钥").unwrap();
        assert_eq!(sealer.open(place, &secret).unwrap().expose_secret(), "SEC密钥");
        assert!(!secret.windows(3).any(|window| window == b"SEC"));
        assert_ne!(sealer.seal(place, "SEC密钥").unwrap(), secret, "no two are alike");

        let elsewhere = [
            Place {
                tenant: &huabei,
                ..place
            },
            Place {
                resource: "channels/b",
                ..place
            },
            Place {
                part: "endpoint",
                ..place
            },
        ];
        assert!(elsewhere.into_iter().all(|other| sealer.open(other, &secret).is_err()));
        for at in 0..secret.len() {
            let mut forged = secret.clone();
            forged[at] ^= 1;
            assert!(sealer.open(place, &forged).is_err(), "changed at {at}");
        }
        assert!(sealer.open(place, &secret[..NONCE_BYTES - 1]).is_err());
    }

    #[test]
    fn short_keys_are_refused_and_another_key_opens_nothing() {
        assert!(matches!(Sealer::new(&KEY[1..].into()), Err(SealError::Key)));
        let tenant = "huadong".parse().unwrap();
        let place = Place {
            tenant: &tenant,
            resource: "channels/a",
            part: "secret",
        };
        let secret = Sealer::new(&KEY.into()).unwrap().seal(place, "SEC").unwrap();
        let other = Sealer::new(&format!("{KEY}x").into()).unwrap();
        assert!(other.open(place, &secret).is_err());
    }
}
