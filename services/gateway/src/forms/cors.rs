//! Which pages may post from a browser (CORS of the Fetch standard). Cookies play no part here.

use axum::response::{IntoResponse as _, Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, ORIGIN, VARY,
    },
};
use reflex_proto::platform::v1::Reason;

use crate::problem::Problem;

/// The page a request comes from.
#[derive(Debug)]
pub(super) enum Origin<'a> {
    /// No page: another server.
    None,
    /// A page of this origin.
    Page(&'a HeaderValue),
}

impl<'a> Origin<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        headers.get(ORIGIN).map_or(Self::None, Self::Page)
    }

    /// Checks the origin against a form's list.
    pub(super) fn check(&self, allowed: &[String]) -> Result<(), Problem> {
        let Self::Page(origin) = self else { return Ok(()) };
        let is_listed = |listed: &String| {
            listed == "*"
                || listed
                    .trim_end_matches('/')
                    .as_bytes()
                    .eq_ignore_ascii_case(origin.as_bytes())
        };
        if allowed.iter().any(is_listed) {
            return Ok(());
        }
        Err(
            Problem::new(StatusCode::FORBIDDEN, "the form does not take posts of this origin")
                .because(Reason::PermissionDenied),
        )
    }

    /// Lets the page read an answer.
    pub(super) fn expose(&self, response: &mut Response) {
        let Self::Page(origin) = *self else { return };
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("retry-after, traceparent"),
        );
        headers.append(VARY, HeaderValue::from_static("origin"));
    }

    /// Returns the answer to a preflight that may go on.
    pub(super) fn preflight(&self) -> Response {
        let mut response = (StatusCode::NO_CONTENT, [(ALLOW, "POST, OPTIONS")]).into_response();
        if let Self::Page(_) = self {
            self.expose(&mut response);
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
            let allowed = "content-type, x-write-key, x-timeout-ms, traceparent";
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_origins_pass() {
        let listed = [
            "https://www.example.cn".to_owned(),
            "http://Shop.example.cn:8080/".to_owned(),
        ];
        for (origin, passes) in [
            ("https://www.example.cn", true),
            ("https://WWW.example.cn", true),
            ("http://shop.example.cn:8080", true),
            ("http://www.example.cn", false),
            ("https://www.example.cn.evil.cn", false),
            ("https://example.cn", false),
            ("https://www.example.cn:444", false),
            ("null", false),
            ("", false),
        ] {
            let value = HeaderValue::from_str(origin).unwrap();
            assert_eq!(Origin::Page(&value).check(&listed).is_ok(), passes, "{origin}");
            assert!(Origin::Page(&value).check(&["*".to_owned()]).is_ok());
            assert!(Origin::Page(&value).check(&[]).is_err());
        }
        assert!(Origin::None.check(&[]).is_ok(), "servers send no origin");
    }
}
