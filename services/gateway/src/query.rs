//! Reads single parameters of a query.

/// Returns the first value of `name` as it is written; callers expect plain values that need no decoding.
pub(crate) fn find<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(found, _)| *found == name).map(|(_, value)| value).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_counts() {
        let query = Some("a=1&k=wk_x_y&k=2&kk=3&k");
        assert_eq!(find(query, "k"), Some("wk_x_y"));
        assert_eq!(find(query, "kk"), Some("3"));
        assert_eq!(find(query, "b"), None);
        assert_eq!(find(None, "k"), None);
    }
}
