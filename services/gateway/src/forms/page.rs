//! What a page needs to show a form: the lines to paste, the script they load, and the schema it renders.

use axum::{
    body::Bytes,
    response::{IntoResponse as _, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH},
};
use reflex_proto::leads::v1::{Form, FormField, FormOption, FormText, form_field::Kind};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;

/// Renders forms in pages; it has no other part.
const SCRIPT: &str = include_str!("page.js");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Returns the script. It is the same for every form and tenant.
pub(super) fn script(headers: &HeaderMap) -> Response {
    let mut response = cached(
        headers,
        "text/javascript; charset=utf-8",
        "script",
        SCRIPT.into(),
        3_600,
    );
    let added = response.headers_mut();
    added.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    // Pages that isolate themselves (COEP) load only what says that it may be loaded.
    added.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    response
}

/// Returns what the script renders.
pub(super) fn schema(form: &Form, headers: &HeaderMap) -> Result<Response, Problem> {
    let shown = Shown::of(form)?;
    let json = serde_json::to_vec(&shown).map_err(|error| {
        tracing::error!(%error, "a schema has no JSON form");
        Problem::internal()
    })?;
    let version = format!("v{}", form.version);
    Ok(cached(headers, "application/json", &version, json.into(), 60))
}

/// Returns the lines to paste into a page, as text: nobody shall run them here.
pub(super) fn snippet(form: &Form, key: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    Shown::of(form)?;
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host
        .filter(|host| is_host(host))
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "the header Host must name this server"))?;
    let id = form.name.strip_prefix("forms/").unwrap_or_default();
    let (title, id, key, host) = (escaped(&form.title), escaped(id), escaped(key), escaped(host));
    let text = format!(
        "<section data-reflex-form=\"{id}\" data-reflex-key=\"{key}\" aria-label=\"{title}\"></section>\n\
         <script src=\"//{host}/v1/forms.js\" async></script>\n"
    );
    let version = format!("v{}", form.version);
    Ok(cached(headers, "text/plain; charset=utf-8", &version, text.into(), 60))
}

/// Answers with a text, or that the client has it already.
fn cached(headers: &HeaderMap, media: &'static str, version: &str, body: Bytes, max_age: u32) -> Response {
    let digest: [u8; 32] = Sha256::digest(&body).into();
    // Half of it is enough that no two texts share a tag.
    let half = digest.first_chunk().copied().unwrap_or_default();
    let tag = format!("\"{version}-{:032x}\"", u128::from_be_bytes(half));
    let caching = [
        (ETAG, tag.clone()),
        (CACHE_CONTROL, format!("public, max-age={max_age}")),
    ];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, media)], body).into_response()
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let tags = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|tags| tags.to_str().ok());
    let mut tags = tags.flat_map(|tags| tags.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Tells whether a text is a host with a port perhaps, and nothing that could end an attribute.
fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(allowed)
}

pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A form as the script reads it: what a page shows, and nothing about where it goes.
#[derive(Serialize)]
struct Shown<'a> {
    title: &'a str,
    version: i32,
    fields: Vec<ShownField<'a>>,
}

#[derive(Serialize)]
struct ShownField<'a> {
    id: &'a str,
    kind: &'static str,
    label: ShownText<'a>,
    hint: ShownText<'a>,
    required: bool,
    options: Vec<ShownOption<'a>>,
    max_length: i32,
    minimum: i64,
    maximum: i64,
}

#[derive(Serialize)]
struct ShownOption<'a> {
    value: &'a str,
    label: ShownText<'a>,
}

#[derive(Serialize)]
struct ShownText<'a> {
    zh: &'a str,
    en: &'a str,
}

impl<'a> Shown<'a> {
    fn of(form: &'a Form) -> Result<Self, Problem> {
        let schema = form.schema.as_ref();
        let schema = schema.ok_or_else(|| Problem::not_found("the form has no published version"))?;
        Ok(Self {
            title: &form.title,
            version: form.version,
            fields: schema.fields.iter().map(ShownField::of).collect(),
        })
    }
}

impl<'a> ShownField<'a> {
    fn of(field: &'a FormField) -> Self {
        let option = |option: &'a FormOption| ShownOption {
            value: &option.value,
            label: ShownText::of(option.label.as_ref(), &option.value),
        };
        Self {
            id: &field.id,
            kind: match field.kind() {
                Kind::Unspecified | Kind::ShortText => "short_text",
                Kind::LongText => "long_text",
                Kind::Phone => "phone",
                Kind::Email => "email",
                Kind::SingleSelect => "single_select",
                Kind::MultiSelect => "multi_select",
                Kind::NumberRange => "number_range",
                Kind::Urgency => "urgency",
            },
            label: ShownText::of(field.label.as_ref(), &field.id),
            hint: ShownText::of(field.hint.as_ref(), ""),
            required: field.required,
            options: field.options.iter().map(option).collect(),
            max_length: field.max_length,
            minimum: field.minimum,
            maximum: field.maximum,
        }
    }
}

impl<'a> ShownText<'a> {
    /// Where a language is missing the other is shown, and where both are, `fallback`.
    fn of(text: Option<&'a FormText>, fallback: &'a str) -> Self {
        let (zh, en) = text.map_or(("", ""), |text| (text.zh.as_str(), text.en.as_str()));
        let or = |first: &'a str, second: &'a str| {
            let found = [first, second].into_iter().find(|text| !text.is_empty());
            found.unwrap_or(fallback)
        };
        Self {
            zh: or(zh, en),
            en: or(en, zh),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_an_attribute() {
        let hostile = "\"><script>alert('&')</script>";
        let expected = "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;";
        assert_eq!(escaped(hostile), expected);
    }

    #[test]
    fn only_hosts_are_hosts() {
        for host in ["forms.example.cn", "127.0.0.1:8080", "[::1]:8080"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a\"b", "a/b", "a b", "a<b", "a@b", &"a".repeat(256)] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn the_script_writes_text_and_never_markup() {
        for way_in in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "eval(",
            "Function(",
            ".style",
            "srcdoc",
            "javascript:",
        ] {
            assert!(!SCRIPT.contains(way_in), "{way_in}");
        }
        assert!(
            !SCRIPT.contains("http://") && !SCRIPT.contains("https://"),
            "it asks nobody else"
        );
    }
}
