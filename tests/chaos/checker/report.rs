//! What a check found.

use std::fmt;

/// Findings by what they mean to whoever relies on the promise.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lost: Vec<String>,
    doubled: Vec<String>,
    phantom: Vec<String>,
    unfinished: Vec<String>,
    /// Steps of ladders that were taken.
    pub(crate) steps: usize,
}

impl Report {
    /// Something was promised and is not there.
    pub(super) fn lost(&mut self, what: String) {
        self.lost.push(what);
    }

    /// Something happened more than once, or when it must not any more.
    pub(super) fn doubled(&mut self, what: String) {
        self.doubled.push(what);
    }

    /// Something is there that nobody asked for.
    pub(super) fn phantom(&mut self, what: String) {
        self.phantom.push(what);
    }

    /// Something was begun and not brought to its end.
    pub(super) fn unfinished(&mut self, what: String) {
        self.unfinished.push(what);
    }

    pub(crate) fn is_clean(&self) -> bool {
        [&self.lost, &self.doubled, &self.phantom, &self.unfinished]
            .into_iter()
            .all(Vec::is_empty)
    }

    /// Returns the first findings of each sort.
    pub(crate) fn findings(&self) -> String {
        let sorts = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("phantom", &self.phantom),
            ("unfinished", &self.unfinished),
        ];
        let lines = sorts
            .into_iter()
            .flat_map(|(sort, found)| found.iter().take(10).map(move |what| (sort, what)));
        let lines: Vec<String> = lines.map(|(sort, what)| format!("{sort}: {what}")).collect();
        lines.join("\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lost={} dup_effects={} phantom={} unfinished={}",
            self.lost.len(),
            self.doubled.len(),
            self.phantom.len(),
            self.unfinished.len()
        )
    }
}
