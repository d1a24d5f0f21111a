//! The formula face: the language of spreadsheets, in Chinese or English, with half- or full-width punctuation.
//!
//! # The language
//!
//! - **Fields** are names of letters of any script, digits and `_`, with dots: `客户.设备型号`. What else a name contains goes
//!   into brackets: `客户.[预算 金额]`.
//! - **Texts** stand in `'…'` or `"…"`, in which a doubled quote is a quote, or in `‘…’` or `“…”`.
//! - **Numbers** are decimals: `0.8`, `3万`, `1.5亿`. **Dates** are `#2026-02-03#` or `2026年2月3日`, **times**
//!   `#2026-02-03T09:00:00+08:00#`. `TRUE` and `FALSE` are `真` and `假`.
//! - **Operators**, the loosest first: `OR` (`||`, `或者`, `或`), `AND` (`&&`, `并且`, `且`), `NOT` (`!`, `非`), comparisons
//!   (`= == <> != < <= > >= ≠ ≤ ≥` and `IN (…)`, `NOT IN (…)`), `&` (joins texts), `+ -`, `* / %`, and `-` before a number.
//!   Comparisons do not chain.
//! - **Functions** are in [`crate::Function`]; `words` has their Chinese names. `AND`, `OR`, `NOT`, `IN` and `CONCAT` can be
//!   written as functions, too.
//! - A leading `=` is ignored.
//!
//! [`print`] writes a tree in its canonical form, and reading that gives the same tree: English function names, half-width
//! punctuation, single quotes, no parentheses but the needed ones.

mod lexer;
mod parser;
mod printer;
mod words;

pub use parser::parse;
pub use printer::print;
