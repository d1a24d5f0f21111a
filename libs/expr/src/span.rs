//! Where in a text something stands.

use serde::Serialize;

/// A stretch of a source text, as byte offsets; `end` is the first byte after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// A place as an editor shows it: line and column count characters and start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl Span {
    /// Makes the span of the bytes `start..end`; texts beyond 4 GiB do not exist here, [`crate::limits`] sees to it.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let offset = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            start: offset(start),
            end: offset(end),
        }
    }

    /// Spans both and what lies between them.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// Returns the text it covers; nothing where the span is of another text.
    #[must_use]
    pub fn of(self, source: &str) -> &str {
        source.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Finds the line and column at which it starts.
    #[must_use]
    pub fn position(self, source: &str) -> Position {
        let mut position = Position { line: 1, column: 1 };
        for (_, character) in source.char_indices().take_while(|(at, _)| *at < self.start as usize) {
            if character == '\n' {
                position = Position {
                    line: position.line + 1,
                    column: 1,
                };
            } else {
                position.column += 1;
            }
        }
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = "如果(\n  客户.等级, 1)";
        let at = source.find('等').unwrap();
        let span = Span::new(at, at + "等级".len());
        assert_eq!(span.position(source), Position { line: 2, column: 6 });
        assert_eq!(span.of(source), "等级");
        assert_eq!(Span::new(900, 901).of(source), "");
    }
}
