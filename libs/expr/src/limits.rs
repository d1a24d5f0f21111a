//! What a formula may cost at most. Every limit has its own exact error, raised where the formula is saved, but for
//! [`DATA`] and the limits of facts, which only the values decide.

/// Bytes of a formula's text.
pub const SOURCE_BYTES: usize = 64 * 1024;

/// Levels of nesting, of the text as it is read and of the tree it becomes: as many functions as spreadsheets nest. The
/// deepest tree is read, checked, evaluated and explained on a stack of 1 MiB, even without optimisation.
pub const DEPTH: usize = 64;

/// Nodes of the tree.
pub const NODES: usize = 4_096;

/// Cost of one evaluation, in operations: see [`crate::Program::cost`]. There are no loops, so an evaluation visits no
/// node twice, and this bounds its time.
pub const COST: u32 = 5_000;

/// Units of data one evaluation may search or produce: a byte of text, an item of a list.
pub const DATA: u32 = 1024 * 1024;

/// Bytes of a text among the facts.
pub const FACT_BYTES: usize = 64 * 1024;

/// Items of a list among the facts.
pub const FACT_ITEMS: usize = 1_000;

/// Bytes of a field's name.
pub const NAME_BYTES: usize = 512;

/// Fields of a schema.
pub const FIELDS: usize = 10_000;
