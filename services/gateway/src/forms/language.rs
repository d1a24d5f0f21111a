//! The language a page is read in.

use http::{HeaderMap, HeaderValue, header::ACCEPT_LANGUAGE};

/// Returns the locale of violations: the first of Chinese and English that is asked for, Chinese by default.
pub(super) fn of(headers: &HeaderMap) -> &'static str {
    asked(headers).unwrap_or("zh-CN")
}

/// Returns the first of Chinese and English that is asked for, if one is.
pub(crate) fn asked(headers: &HeaderMap) -> Option<&'static str> {
    let asked = headers.get(ACCEPT_LANGUAGE).map(HeaderValue::to_str);
    let asked = asked.and_then(Result::ok).unwrap_or_default();
    let languages = asked
        .split(',')
        .map(|range| range.split(['-', ';']).next().unwrap_or_default().trim());
    let known = languages.filter_map(|language| match language.to_ascii_lowercase().as_str() {
        "zh" => Some("zh-CN"),
        "en" => Some("en"),
        _ => None,
    });
    known.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_language_counts() {
        for (asked, expected) in [
            ("", "zh-CN"),
            ("en", "en"),
            ("en-GB,zh;q=0.5", "en"),
            ("zh-TW, en;q=0.5", "zh-CN"),
            ("de, EN;q=0.8, zh;q=0.7", "en"),
            ("fr", "zh-CN"),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, asked.parse().unwrap())]);
            assert_eq!(of(&headers), expected, "{asked}");
        }
        assert_eq!(of(&HeaderMap::new()), "zh-CN");
    }
}
