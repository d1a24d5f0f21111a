//! Pages of lists.

use reflex_rpc::page::{self, PageTokens};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::Error;

/// A page as it was asked for; `query` is everything that decides the list, above all the tenant.
pub(crate) struct Page<Q, C> {
    query: Q,
    size: i64,
    /// Where the page before ended.
    pub(crate) after: Option<C>,
}

impl<Q: Serialize, C: Serialize + DeserializeOwned> Page<Q, C> {
    /// Reads what was asked for, with 100 items by default and `max` at most.
    ///
    /// # Errors
    /// For a negative size or the token of another query.
    pub(crate) fn parse(tokens: &PageTokens, query: Q, size: i32, token: &str, max: i32) -> Result<Self, Error> {
        let size = page::page_size(size, 100, max)?;
        let after = tokens.decode(&query, token)?;
        Ok(Self { query, size, after })
    }

    /// Returns how many items to read: one more than shown, which tells whether there is another page.
    pub(crate) fn limit(&self) -> i64 {
        self.size + 1
    }

    /// Shortens the page where items of these sizes would be too much for one answer; one item always fits.
    pub(crate) fn fit(&mut self, bytes: impl Iterator<Item = usize>, most: usize) {
        let mut sum: usize = 0;
        let fitting = bytes.take_while(|bytes| {
            sum = sum.saturating_add(*bytes);
            sum <= most
        });
        let fitting = i64::try_from(fitting.count()).unwrap_or(i64::MAX);
        self.size = self.size.min(fitting.max(1));
    }

    /// Cuts what was read to the page and returns the token of the next one, empty at the end.
    pub(crate) fn cut<T>(&self, tokens: &PageTokens, items: &mut Vec<T>, cursor: impl Fn(&T) -> C) -> String {
        let size = usize::try_from(self.size).expect("a page size is positive");
        if items.len() <= size {
            return String::new();
        }
        items.truncate(size);
        items
            .last()
            .map(|last| tokens.encode(&self.query, &cursor(last)))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let tokens = PageTokens::new(b"key");
        let stored: Vec<u32> = (1..=7).collect();
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page: Page<_, u32> = Page::parse(&tokens, ("numbers", "huadong"), 3, &token, 5).unwrap();
            let after = page.after.unwrap_or(0);
            let limit = usize::try_from(page.limit()).unwrap();
            let mut items: Vec<u32> = stored.iter().copied().filter(|it| *it > after).take(limit).collect();
            token = page.cut(&tokens, &mut items, |item| *item);
            assert!(items.len() <= 3);
            seen.extend(items);
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, stored);
        assert!(Page::<_, u32>::parse(&tokens, ("numbers", "huabei"), 3, "x", 5).is_err());
        assert_eq!(Page::<_, u32>::parse(&tokens, (), 9, "", 5).unwrap().limit(), 6);
    }

    #[test]
    fn large_items_make_short_pages() {
        for (sizes, expected) in [
            (vec![1; 9], 5),
            (vec![40, 40, 20, 1], 3),
            (vec![101, 1], 1),
            (vec![usize::MAX; 2], 1),
            (vec![], 1),
        ] {
            let mut page: Page<_, u32> = Page::parse(&PageTokens::new(b"key"), (), 5, "", 5).unwrap();
            page.fit(sizes.into_iter(), 100);
            assert_eq!(page.size, expected);
        }
    }
}
