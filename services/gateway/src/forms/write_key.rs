//! Public keys that pages send their forms with.

use reflex_tenancy::TenantId;
use sha2::{Digest as _, Sha256};

/// Longer ones are none of ours.
const MAX_BYTES: usize = 128;

/// The key of a request, `wk_{tenant}_{random}`: it tells whose form is meant, and is compared with the form's own.
#[derive(Debug)]
pub(super) struct WriteKey<'a> {
    pub(super) text: &'a str,
    pub(super) tenant: TenantId,
}

impl<'a> WriteKey<'a> {
    /// Reads a key; `None` for what cannot be one.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        // A tenant's id has no underscore.
        let (tenant, random) = text.strip_prefix("wk_")?.split_once('_')?;
        let tenant = tenant.parse().ok()?;
        (text.len() <= MAX_BYTES && !random.is_empty()).then_some(Self { text, tenant })
    }

    /// Returns whether this is `stored`, in a time that does not depend on how much of it is right.
    pub(super) fn is(&self, stored: &str) -> bool {
        let (ours, theirs) = (Sha256::digest(self.text), Sha256::digest(stored));
        let difference = ours.iter().zip(theirs).fold(0, |all, (our, their)| all | (our ^ their));
        difference == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_tenant() {
        let key = WriteKey::parse("wk_huadong-medical_a1B2_c3").unwrap();
        assert_eq!(key.tenant.as_str(), "huadong-medical");
        assert!(key.is("wk_huadong-medical_a1B2_c3"));
        assert!(!key.is("wk_huadong-medical_a1B2_c4"));
        assert!(!key.is(""));
    }

    #[test]
    fn what_is_no_key_is_none() {
        let long = format!("wk_a_{}", "x".repeat(MAX_BYTES));
        for text in [
            "",
            "wk",
            "wk_",
            "wk_a",
            "wk_a_",
            "wk__x",
            "wk_A_x",
            "xx_a_b",
            "wk_华东_x",
            &long,
        ] {
            assert!(WriteKey::parse(text).is_none(), "{text:?}");
        }
    }
}
