//! What `WeCom` (企业微信) and `DingTalk` (钉钉) send to an application: one scheme, signed with SHA-1 and encrypted with
//! AES-256-CBC, as both vendors describe it.
//!
//! Inside an envelope are 16 random bytes, the length of the text, the text, and whom it is for.

use aes::Aes256;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, prelude::BASE64_STANDARD};
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::NoPadding};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// Bytes of an AES-256 key.
const KEY: usize = 32;
/// Bytes of a block, which the initial vector is as well.
const BLOCK: usize = 16;
/// Envelopes are filled to a multiple of so many bytes, which is more than the cipher needs.
const FILL: usize = 32;
/// Random bytes in front.
pub const RANDOM: usize = 16;
/// Characters of a key as the vendors' pages show it: 32 bytes in base64 without the padding.
const KEY_CHARS: usize = 43;

/// The keys of pages have bits that belong to no byte.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why an envelope cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no base64 of whole blocks.
    #[error("the encrypted text is no base64 of whole blocks")]
    Shape,
    /// It was encrypted with another key, or changed on the way.
    #[error("the text cannot be decrypted with this key")]
    Key,
    /// It is for somebody else.
    #[error("the text is for another receiver")]
    Receiver,
}

/// What is in an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The text.
    pub text: Vec<u8>,
    /// Whom it is for: a corporation, an application or a suite.
    pub receiver: String,
}

/// Signs an envelope: SHA-1 of token, timestamp, nonce and envelope in the order of their bytes, in hexadecimal.
#[must_use]
pub fn sign(token: &str, timestamp: &str, nonce: &str, encrypted: &str) -> String {
    let mut parts = [token, timestamp, nonce, encrypted];
    parts.sort_unstable();
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    format!("{:x}", hash.finalize())
}

/// Tells whether an envelope's signature is right; in constant time.
#[must_use]
pub fn is_signed(token: &str, timestamp: &str, nonce: &str, encrypted: &str, signature: &str) -> bool {
    let expected = sign(token, timestamp, nonce, encrypted);
    expected
        .as_bytes()
        .ct_eq(signature.to_ascii_lowercase().as_bytes())
        .into()
}

/// The key of an application's callbacks.
pub struct Key([u8; KEY]);

impl Key {
    /// Reads a key of 43 characters (`EncodingAESKey`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != KEY_CHARS {
            return None;
        }
        LENIENT.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Returns the beginning of the key, which the scheme takes for the initial vector.
    fn initial_vector(&self) -> [u8; BLOCK] {
        *self.0.first_chunk().expect("a key is longer than a block")
    }

    /// Puts a text for a receiver into an envelope.
    ///
    /// # Panics
    /// When the text has more than 4 GiB.
    #[must_use]
    pub fn seal(&self, random: [u8; RANDOM], text: &[u8], receiver: &str) -> String {
        let length = u32::try_from(text.len()).expect("texts are short");
        let mut content = [&random[..], &length.to_be_bytes(), text, receiver.as_bytes()].concat();
        let fill = FILL - content.len() % FILL;
        content.resize(content.len() + fill, u8::try_from(fill).expect("at most 32"));
        let cipher = cbc::Encryptor::<Aes256>::new(&self.0.into(), &self.initial_vector().into());
        BASE64_STANDARD.encode(cipher.encrypt_padded_vec_mut::<NoPadding>(&content))
    }

    /// Opens an envelope; for `receiver`, unless that is empty.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn open(&self, encrypted: &str, receiver: &str) -> Result<Opened, Unreadable> {
        let bytes = BASE64_STANDARD
            .decode(encrypted.trim())
            .map_err(|_| Unreadable::Shape)?;
        if bytes.is_empty() {
            return Err(Unreadable::Shape);
        }
        let cipher = cbc::Decryptor::<Aes256>::new(&self.0.into(), &self.initial_vector().into());
        let content = cipher
            .decrypt_padded_vec_mut::<NoPadding>(&bytes)
            .map_err(|_| Unreadable::Shape)?;
        let opened = unpack(&content).ok_or(Unreadable::Key)?;
        if !receiver.is_empty() && opened.receiver != receiver {
            return Err(Unreadable::Receiver);
        }
        Ok(opened)
    }
}

fn unpack(content: &[u8]) -> Option<Opened> {
    let fill = usize::from(*content.last()?);
    if !(1..=FILL).contains(&fill) {
        return None;
    }
    let content = content.get(RANDOM..content.len().checked_sub(fill)?)?;
    let (length, rest) = content.split_first_chunk::<4>()?;
    let (text, receiver) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some(Opened {
        text: text.to_vec(),
        receiver: String::from_utf8(receiver.to_vec()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    const TOKEN: &str = "QDG6eK";
    const CORPORATION: &str = "wx5823bf96d3bd56c7";
    const ENVELOPE: &str = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==";
    const SIGNATURE: &str = "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3";

    /// The example of `WeCom`'s own libraries.
    #[test]
    fn opens_the_example_of_wecom() {
        assert_eq!(sign(TOKEN, "1409659589", "263014780", ENVELOPE), SIGNATURE);
        let opened = Key::parse(KEY).unwrap().open(ENVELOPE, CORPORATION).unwrap();
        assert_eq!(String::from_utf8(opened.text).unwrap(), "1616140317555161061");
        assert_eq!(opened.receiver, CORPORATION);
    }

    /// The example of `DingTalk`'s own page.
    #[test]
    fn opens_the_example_of_dingtalk() {
        let envelope = "1a3NBxmCFwkCJvfoQ7WhJHB+iX3qHPsc9JbaDznE1i03peOk1LaOQoRz3+nlyGNhwmwJ3vDMG+OzrHMeiZI7gTRWVdUBmfxj\
                        Z8Ej23JVYa9VrYeJ5as7XM/ZpulX8NEQis44w53h1qAgnC3PRzM7Zc/D6Ibr0rgUathB6zRHP8PYrfgnNOS9PhSBdHlegK+A\
                        GGanfwjXuQ9+0pZcy0w9lQ==";
        let signature = sign("123456", "1445827045067", "nEXhMP4r", envelope);
        assert_eq!(signature, "5a65ceeef9aab2d149439f82dc191dd6c5cbe2c0");
        let key = Key::parse("4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij").unwrap();
        let opened = key.open(envelope, "suite4xxxxxxxxxxxxxxx").unwrap();
        assert_eq!(
            String::from_utf8(opened.text).unwrap(),
            r#"{"EventType":"check_create_suite_url","Random":"LPIdSnlF","TestSuiteKey":"suite4xxxxxxxxxxxxxxx"}"#
        );
    }

    #[test]
    fn what_was_changed_is_not_read() {
        let key = Key::parse(KEY).unwrap();
        assert_eq!(key.open(ENVELOPE, "wx0"), Err(Unreadable::Receiver));
        for broken in ["", "P9nA", "不是", &ENVELOPE[4..]] {
            assert_eq!(key.open(broken, CORPORATION), Err(Unreadable::Shape), "{broken}");
        }
        let other = Key::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
        assert_eq!(other.open(ENVELOPE, CORPORATION), Err(Unreadable::Key));
        for wrong in ["", "short", &format!("{KEY}="), "不是密钥不是密钥不是密钥不是"] {
            assert!(Key::parse(wrong).is_none(), "{wrong}");
        }
        assert!(is_signed(
            TOKEN,
            "1409659589",
            "263014780",
            ENVELOPE,
            &SIGNATURE.to_uppercase()
        ));
        for (token, timestamp, nonce) in [
            ("QDG6eL", "1409659589", "263014780"),
            (TOKEN, "1409659588", "263014780"),
            (TOKEN, "1409659589", "263014781"),
        ] {
            assert!(!is_signed(token, timestamp, nonce, ENVELOPE, SIGNATURE));
        }
    }

    proptest::proptest! {
        #[test]
        fn opening_undoes_sealing(random: [u8; RANDOM], text: Vec<u8>, receiver in "[a-z0-9]{0,40}") {
            let key = Key::parse(KEY).unwrap();
            let sealed = key.seal(random, &text, &receiver);
            proptest::prop_assert_eq!(key.open(&sealed, &receiver), Ok(Opened { text, receiver: receiver.clone() }));
        }

        #[test]
        fn nothing_makes_it_panic(encrypted in "[A-Za-z0-9+/]{0,64}={0,2}") {
            let _read_or_not = Key::parse(KEY).unwrap().open(&encrypted, "");
        }
    }
}
