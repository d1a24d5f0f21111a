//! One typed expression core for formulas, rules and conditions that users write.
//!
//! A text goes through a *face* into a tree ([`ast`]), is *checked* against the [`Schema`] of the facts it may read, and
//! becomes a [`Program`], or a [`Predicate`] if it is a condition, which is evaluated over the [`Facts`] of one record. The
//! one face so far is [`formula`], the language of spreadsheets in Chinese and English; faces know nothing of types, and the
//! core knows nothing of words.
//!
//! ```
//! use reflex_expr::{Context, Facts, Field, Lang, Program, Schema, Type};
//!
//! let schema = Schema::new(vec![Field::new("客户.设备型号", Type::Text)])?;
//! let match_of_process = Program::compile("IF(CONTAINS(客户.设备型号,'锻造'),0.8,0.3)", &schema)?;
//!
//! let mut facts = Facts::new(&schema);
//! facts.set("客户.设备型号", "锻造压力机".into())?;
//! let context = Context::new("2026-02-03T04:00:00Z".parse()?, jiff::tz::TimeZone::UTC);
//! assert_eq!(match_of_process.evaluate(&facts, &context)?.to_json(), 0.8);
//!
//! let misspelt = Program::compile("客户.设备型好 = '锻造'", &schema).unwrap_err();
//! assert_eq!(misspelt.problem.suggestion(), Some("客户.设备型号"));
//! assert_eq!(misspelt.text(Lang::Zh), "没有字段“客户.设备型好”，是否应为 客户.设备型号 ？");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Whatever can be found without the facts is found when an expression is checked: unknown names and options, types that do
//! not fit, division by a written zero, and what it would cost ([`limits`]). An evaluation has no loops, reads no clock and
//! never panics; [`Explanation`] tells why it came out as it did, and [`analyse`] finds conditions that never hold or that an
//! earlier one shadows.
//!
//! # Numbers
//!
//! Numbers are decimals of 28 digits, for money and weights are written in decimals and have to come out as written:
//! `0.1 + 0.2 = 0.3`. Sums, differences and products are exact as long as they fit; quotients, and products with more digits,
//! are rounded to 28. Beyond that an evaluation fails ([`Failure::NumberTooLarge`]).
//!
//! # Blanks
//!
//! A fact that is not known is blank.
//!
//! 1. **A calculation with a blank is blank**: arithmetic, and functions of texts, numbers, days and times.
//! 2. **A comparison with a blank does not hold**, not even `<>`; nor do `IN`, `CONTAINS` and their like. Conditions are never
//!    blank, so the negation of one that does not hold does: `NOT 等级 = 'A'` holds for an unknown level, `等级 <> 'A'` does
//!    not.
//! 3. **A blank where a condition is asked for does not hold**: a yes/no field that is not known, an `IF` without an else.
//! 4. **What counts, adds or joins skips blanks**: `LEN`, `COUNT` and `SUM` are 0, `&` adds nothing, `MIN` and `MAX` are those
//!    of the others, and blank only if there are none.
//! 5. `ISBLANK` holds for a blank, the empty text and the empty list, and `COALESCE` is the first for which it does not.
//!
//! # Texts and days
//!
//! Texts are the same if their characters are; there is no order among them, and letters of different case differ. An instant
//! has a day and an hour in the zone of the [`Context`]; days and instants do not mix but by `DATEOF`. `DAYS(end, start)`
//! counts midnights, `HOURS` and `MINUTES` measure elapsed time; all take the end first, as spreadsheets do.
//!
//! # Reading order
//!
//! [`ast`] and `function`, then `formula` (`lexer`, `parser`, `printer`); [`Schema`], [`Value`] and [`Facts`]; `typed`, which is
//! what `check` makes of a tree and `eval` evaluates; `program`, which is both of them for users; then `explain` and
//! `analyse`. `error` has all that can go wrong, in both languages.

pub mod analyse;
pub mod ast;
mod check;
mod error;
mod eval;
pub mod explain;
mod facts;
pub mod formula;
mod function;
pub mod limits;
mod names;
mod program;
mod schema;
mod span;
mod typed;
mod value;

pub use error::{Error, EvalError, Expected, Failure, Lang, Problem, Report};
pub use explain::Explanation;
pub use facts::{Context, FactError, Facts};
pub use function::Function;
pub use names::fold;
pub use program::{Predicate, Program};
pub use schema::{Field, Item, Schema, SchemaError, Slot, Type};
pub use span::{Position, Span};
pub use value::Value;
