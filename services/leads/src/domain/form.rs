//! Forms that websites send leads with: who may post, from where, and with which defaults.

use reflex_tenancy::TenantId;

use super::ids::FormId;
use super::violation::{Violation, Violations};

const MAX_ORIGINS: usize = 100;
const DEFAULT_POSTS_PER_MINUTE: i32 = 600;

/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Chosen by the tenant.
    pub id: FormId,
    /// Title people see.
    pub title: String,
    /// Source its leads carry.
    pub source: String,
    /// Public key of the page that posts; `None` keeps the present one or asks for a new one.
    pub write_key: Option<String>,
    /// Origins of pages that may post; `*` allows all.
    pub allowed_origins: Vec<String>,
    /// Posts a minute that the key may send.
    pub posts_per_minute: i32,
    /// Product of leads whose form has no such field.
    pub default_product: String,
    /// Whether posts are taken.
    pub enabled: bool,
}

/// A form as it was sent, not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawForm {
    /// `forms/{form}`.
    pub name: String,
    /// Title people see.
    pub title: String,
    /// Source its leads carry.
    pub source: String,
    /// Public key, or empty.
    pub write_key: String,
    /// Origins of pages that may post.
    pub allowed_origins: Vec<String>,
    /// 1 to 100000; 0 means 600.
    pub posts_per_minute: i32,
    /// Product of leads whose form has no such field.
    pub default_product: String,
    /// Whether posts are taken.
    pub enabled: bool,
}

impl Form {
    /// Checks a form of a tenant. Fields of the violations start with `form.`.
    ///
    /// # Errors
    /// Returns everything that is wrong with it.
    pub fn parse(tenant: &TenantId, raw: &RawForm) -> Result<Self, Vec<Violation>> {
        let mut violations = Violations::default();
        let id = violations.name("form.name", &raw.name);
        let title = violations.line("form.title", &raw.title, 1..=200);
        let source = violations.line("form.source", &raw.source, 1..=64);
        let default_product = violations.line("form.default_product", &raw.default_product, 0..=100);
        let posts = violations.number("form.posts_per_minute", raw.posts_per_minute, 0..=100_000);
        violations.number("form.allowed_origins", raw.allowed_origins.len(), 0..=MAX_ORIGINS);
        if !raw.allowed_origins.iter().all(|origin| is_origin(origin)) {
            violations.add(
                "form.allowed_origins",
                "must be \"*\" or origins such as \"https://www.example.cn\"",
            );
        }
        let write_key = Some(raw.write_key.clone()).filter(|key| !key.is_empty());
        if write_key.as_deref().is_some_and(|key| !is_write_key(tenant, key)) {
            let rule = format!("must be \"wk_{tenant}_\" followed by 16 to 64 of a-z and 0-9");
            violations.add("form.write_key", rule);
        }
        match id {
            Some(id) if violations.is_empty() => Ok(Self {
                id,
                title,
                source,
                write_key,
                allowed_origins: raw.allowed_origins.clone(),
                posts_per_minute: if posts == 0 { DEFAULT_POSTS_PER_MINUTE } else { posts },
                default_product,
                enabled: raw.enabled,
            }),
            _ => Err(violations.into_vec()),
        }
    }
}

/// Tells whether a key names the tenant and is too long to be met by chance.
fn is_write_key(tenant: &TenantId, key: &str) -> bool {
    let secret = key
        .strip_prefix("wk_")
        .and_then(|rest| rest.strip_prefix(tenant.as_str())?.strip_prefix('_'));
    secret.is_some_and(|secret| {
        (16..=64).contains(&secret.len())
            && secret
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// Tells whether a text is an origin as browsers send it: scheme, host in lower case, port if any, nothing after.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    text == "*" || (!host.is_empty() && text.len() <= 200 && host.bytes().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawForm {
        RawForm {
            name: "forms/website".into(),
            title: "官网留资".into(),
            source: "website".into(),
            write_key: "wk_huadong_0123456789abcdef".into(),
            allowed_origins: vec!["https://www.example.cn".into(), "http://localhost:8080".into()],
            enabled: true,
            ..RawForm::default()
        }
    }

    fn faults(change: impl FnOnce(&mut RawForm)) -> Vec<String> {
        let mut form = raw();
        change(&mut form);
        let tenant = "huadong".parse().unwrap();
        Form::parse(&tenant, &form).map_or_else(|found| found.into_iter().map(|it| it.field).collect(), |_| Vec::new())
    }

    #[test]
    fn forms_are_checked() {
        assert!(faults(|_| ()).is_empty());
        assert!(faults(|form| form.write_key.clear()).is_empty());
        for key in [
            "wk_huabei_0123456789abcdef",
            "wk_huadong_short",
            "wk_huadong_0123456789ABCDEF",
            "0123456789abcdef",
        ] {
            assert_eq!(faults(|form| form.write_key = key.into()), ["form.write_key"], "{key}");
        }
        assert!(faults(|form| form.allowed_origins = vec!["*".into()]).is_empty());
        for origin in [
            "",
            "example.cn",
            "https://",
            "https://example.cn/",
            "https://Example.cn",
            "ftp://a",
            "https://*.a",
        ] {
            assert_eq!(
                faults(|form| form.allowed_origins = vec![origin.into()]),
                ["form.allowed_origins"],
                "{origin}"
            );
        }
        assert_eq!(
            faults(|form| form.posts_per_minute = 100_001),
            ["form.posts_per_minute"]
        );
        assert_eq!(faults(|form| form.name = "forms/A".into()), ["form.name"]);
        assert_eq!(faults(|form| form.source.clear()), ["form.source"]);
    }

    #[test]
    fn forms_have_defaults() {
        let form = Form::parse(
            &"huadong".parse().unwrap(),
            &RawForm {
                write_key: String::new(),
                ..raw()
            },
        )
        .unwrap();
        assert_eq!((form.posts_per_minute, form.write_key), (600, None));
    }
}
