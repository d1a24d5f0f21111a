//! The words of messages: which kinds there are and what each carries, templates with `{{variable}}`, what makes the texts of
//! others harmless, and how a message reads in the format of each channel.
//!
//! Belongs here: everything about words that needs no tenant and no server, so that a template can be tried at a desk. Does
//! not: where versions are kept, who is told, and when.

pub mod format;
pub mod key;
pub mod template;
pub mod text;

use std::fmt;

pub use format::Format;
pub use key::{Key, Kind, Locale, Variable};
pub use template::{Template, Words, built_in};

/// Which part of a template something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its title.
    Title,
    /// Its text.
    Body,
}

impl Part {
    const fn zh(self) -> &'static str {
        match self {
            Self::Title => "标题",
            Self::Body => "正文",
        }
    }

    const fn en(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Body => "text",
        }
    }
}

/// What keeps a template from being published, as the person who wrote it reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub part: Part,
    /// What kind of problem it is.
    pub code: Code,
    /// A sentence in Chinese.
    pub zh: String,
    /// The same in English.
    pub en: String,
}

/// Kind of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// There is nothing.
    Empty,
    /// There is too much.
    TooLong,
    /// There are characters that cannot be shown.
    Unshowable,
    /// Braces are opened and not closed.
    OpenBraces,
    /// A variable that these messages do not carry.
    Unknown,
    /// A variable that these messages must show is left out.
    Missing,
}

impl Code {
    /// Returns its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Unshowable => "unshowable",
            Self::OpenBraces => "open_braces",
            Self::Unknown => "unknown_variable",
            Self::Missing => "missing_variable",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} / {}", self.en, self.zh)
    }
}
