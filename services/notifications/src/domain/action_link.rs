//! Links of messages: a signed token that says everything, so that nothing is kept for links that nobody uses.
//!
//! Form of a token: the tenant, a dot, and in base64 (URL, unpadded) version, action, expiry, message, recipient, and the
//! HMAC-SHA256 over all of it. The signature is checked before anything is looked up.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use jiff::{SignedDuration, Timestamp};
use reflex_tenancy::TenantId;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::action::Action;

/// Longest token that is looked at.
pub const MAX_TOKEN: usize = 300;
/// Keeps signatures of links apart from whatever else the key signs.
const PURPOSE: &[u8] = b"reflex action link\0";
const VERSION: u8 = 1;
/// Bytes before the recipient: version, action, expiry, message.
const FIXED: usize = 1 + 1 + 8 + 16;
const MAC: usize = 32;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose message.
    pub tenant: TenantId,
    /// The message.
    pub message: Uuid,
    /// Whom it was sent to.
    pub recipient: String,
    /// What the link does.
    pub action: Action,
    /// Until when, in whole seconds.
    pub expire_time: Timestamp,
}

/// Makes and reads links.
#[derive(Clone)]
pub struct Links {
    base_url: String,
    /// The first signs, all verify.
    keys: Vec<Vec<u8>>,
    good_for: SignedDuration,
}

impl Links {
    /// Returns links below `base_url`, signed with the first of `keys`, of which there is one at least.
    ///
    /// # Panics
    /// Without a key.
    #[must_use]
    pub fn new(base_url: &str, keys: Vec<Vec<u8>>, good_for: SignedDuration) -> Self {
        assert!(!keys.is_empty(), "links are signed");
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            keys,
            good_for,
        }
    }

    /// Returns until when the links of a message made at `create_time` are good.
    #[must_use]
    pub fn expire_time(&self, create_time: Timestamp) -> Timestamp {
        let whole = Timestamp::from_second(create_time.as_second()).unwrap_or(create_time);
        whole.saturating_add(self.good_for).unwrap_or(Timestamp::MAX)
    }

    /// Returns the address of a link.
    #[must_use]
    pub fn url(&self, claim: &Claim) -> String {
        format!("{}/v1/actions/{}", self.base_url, self.token(claim))
    }

    /// Signs a claim.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn token(&self, claim: &Claim) -> String {
        let mut bytes = Vec::with_capacity(FIXED + claim.recipient.len() + MAC);
        bytes.push(VERSION);
        bytes.push(code(claim.action));
        bytes.extend(claim.expire_time.as_second().to_be_bytes());
        bytes.extend(claim.message.as_bytes());
        bytes.extend(claim.recipient.as_bytes());
        let mac = mac(&self.keys[0], &claim.tenant, &bytes).finalize();
        bytes.extend(mac.into_bytes());
        format!("{}.{}", claim.tenant, BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a token that is presented for `tenant` at `now`; none for one that is no use, whatever is wrong with it.
    #[must_use]
    pub fn read(&self, tenant: &TenantId, token: &str, now: Timestamp) -> Option<Claim> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (named, text) = token.split_once('.')?;
        if named != tenant.as_str() {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (said, signature) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        let is_ours = |key: &Vec<u8>| mac(key, tenant, said).verify_slice(signature).is_ok();
        if !self.keys.iter().any(is_ours) {
            return None;
        }
        let (fixed, recipient) = said.split_at_checked(FIXED)?;
        if fixed[0] != VERSION {
            return None;
        }
        let expire_time = Timestamp::from_second(i64::from_be_bytes(fixed[2..10].try_into().ok()?)).ok()?;
        let claim = Claim {
            tenant: tenant.clone(),
            message: Uuid::from_slice(&fixed[10..]).ok()?,
            recipient: String::from_utf8(recipient.to_vec()).ok()?,
            action: Action::ALL.into_iter().find(|action| code(*action) == fixed[1])?,
            expire_time,
        };
        (now < expire_time).then_some(claim)
    }
}

/// Returns the id of the request that carries an action out: whichever message about an event brought the link, and however
/// often it is used, it is the same request.
#[must_use]
pub fn effect_request_id(tenant: &TenantId, cause_event: Uuid, recipient: &str, action: Action) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(PURPOSE);
    for part in [
        tenant.as_str().as_bytes(),
        recipient.as_bytes(),
        action.as_str().as_bytes(),
    ] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(cause_event.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(first).into_uuid()
}

fn mac(key: &[u8], tenant: &TenantId, said: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(PURPOSE);
    mac.update(tenant.as_str().as_bytes());
    // No tenant's id has a zero in it.
    mac.update(&[0]);
    mac.update(said);
    mac
}

/// Returns the number of an action in tokens; never changed.
const fn code(action: Action) -> u8 {
    match action {
        Action::Ack => 1,
        Action::Claim => 2,
        Action::Confirm => 3,
        Action::Ignore => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn links(keys: &[&str]) -> Links {
        let keys = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        Links::new("https://reflex.example/", keys, SignedDuration::from_hours(72))
    }

    fn claim() -> Claim {
        Claim {
            tenant: "huadong".parse().unwrap(),
            message: Uuid::from_u128(0x0199_c0de_0000_7000_8000_0000_0000_0001),
            recipient: "members/zhang.wei".to_owned(),
            action: Action::Claim,
            expire_time: at("2026-03-05T10:00:00Z"),
        }
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let links = links(&["one"]);
        let token = links.token(&claim());
        assert!(token.len() <= MAX_TOKEN);
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        );
        assert_eq!(
            links.read(&claim().tenant, &token, at("2026-03-05T09:59:59Z")),
            Some(claim())
        );
        assert_eq!(links.read(&claim().tenant, &token, at("2026-03-05T10:00:00Z")), None);
        assert_eq!(
            links.url(&claim()),
            format!("https://reflex.example/v1/actions/{token}")
        );
        let longest = Claim {
            tenant: "t".repeat(40).parse().unwrap(),
            recipient: format!("members/{}", "m".repeat(64)),
            ..claim()
        };
        let token = links.token(&longest);
        assert!(token.len() <= MAX_TOKEN, "{}", token.len());
        assert_eq!(
            links.read(&longest.tenant, &token, at("2026-03-01T00:00:00Z")),
            Some(longest)
        );
    }

    #[test]
    fn no_other_bit_is_accepted() {
        let links = links(&["one"]);
        let (tenant, now) = (claim().tenant, at("2026-03-01T00:00:00Z"));
        let token = links.token(&claim());
        let (front, text) = token.split_once('.').unwrap();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let other = format!("{front}.{}", BASE64_URL_SAFE_NO_PAD.encode(other));
            assert_eq!(links.read(&tenant, &other, now), None, "bit {bit}");
        }
        for length in 0..token.len() {
            assert_eq!(links.read(&tenant, &token[..length], now), None, "{length} characters");
        }
        let huabei: TenantId = "huabei".parse().unwrap();
        assert_eq!(links.read(&huabei, &token, now), None, "of another tenant");
        assert_eq!(
            links.read(&huabei, &format!("huabei.{text}"), now),
            None,
            "said to be of another tenant"
        );
        for odd in [
            "",
            ".",
            "huadong.",
            "huadong.=",
            &"a".repeat(100_000),
            &format!("{token}="),
        ] {
            assert_eq!(links.read(&tenant, odd, now), None);
        }
    }

    #[test]
    fn a_former_key_still_reads_and_no_longer_signs() {
        let now = at("2026-03-01T00:00:00Z");
        let (old, new, both) = (links(&["old"]), links(&["new"]), links(&["new", "old"]));
        let (tenant, token) = (claim().tenant, old.token(&claim()));
        assert_eq!(new.read(&tenant, &token, now), None);
        assert_eq!(both.read(&tenant, &token, now), Some(claim()));
        assert_eq!(both.token(&claim()), new.token(&claim()));
    }

    #[test]
    fn what_does_the_same_is_the_same_request() {
        let tenant = claim().tenant;
        let id = |cause: u128, recipient: &str, action| {
            effect_request_id(&tenant, Uuid::from_u128(cause), recipient, action)
        };
        let one = id(1, "members/a", Action::Claim);
        assert_eq!(one, id(1, "members/a", Action::Claim));
        assert_ne!(one, id(2, "members/a", Action::Claim));
        assert_ne!(one, id(1, "members/b", Action::Claim));
        assert_ne!(one, id(1, "members/a", Action::Confirm));
    }

    #[test]
    fn the_links_of_a_message_end_with_whole_seconds() {
        assert_eq!(
            links(&["one"]).expire_time(at("2026-03-02T10:00:00.987654Z")),
            at("2026-03-05T10:00:00Z")
        );
    }
}
