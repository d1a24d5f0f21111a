//! What a checked expression becomes: something that is evaluated over facts again and again.

use crate::ast::Expr;
use crate::check::{self, Checked};
use crate::error::{Error, Problem};
use crate::eval::{self, Run};
use crate::typed::{Any, Bool, Kind, Typed};
use crate::{Context, EvalError, Facts, Failure, Schema, Slot, Type, Value, formula};

/// A checked expression of any type.
#[derive(Debug, Clone)]
pub struct Program {
    root: Any,
    outline: Outline,
}

/// A checked expression that holds or does not.
#[derive(Debug, Clone)]
pub struct Predicate {
    root: Typed<Bool>,
    outline: Outline,
}

/// What all checked expressions have.
#[derive(Debug, Clone)]
struct Outline {
    source: Expr,
    fields: Box<[Slot]>,
    cost: u32,
    fingerprint: u64,
}

impl Outline {
    fn run<'e>(&self, facts: &'e Facts<'e>, context: &'e Context) -> Result<Run<'e>, EvalError> {
        if facts.schema().fingerprint() != self.fingerprint {
            return Err(EvalError {
                failure: Failure::OtherSchema,
                span: self.source.span,
            });
        }
        Ok(Run::new(facts, context, self.source.span))
    }
}

impl Program {
    /// Checks an expression.
    ///
    /// # Errors
    ///
    /// Fails at the first unknown name, at a type that does not fit, and beyond the limits of [`crate::limits`].
    pub fn check(source: Expr, schema: &Schema) -> Result<Self, Error> {
        let (root, outline) = prepare(source, schema)?;
        Ok(Self { root, outline })
    }

    /// Reads and checks a formula.
    ///
    /// # Errors
    ///
    /// As [`formula::parse`] and [`Self::check`].
    pub fn compile(source: &str, schema: &Schema) -> Result<Self, Error> {
        Self::check(formula::parse(source)?, schema)
    }

    /// Refuses another type of result, such as that of the field the result is for.
    ///
    /// # Errors
    ///
    /// Fails if the type is another one.
    pub fn resulting_in(self, expected: Type) -> Result<Self, Error> {
        let found = self.kind();
        if found == expected {
            return Ok(self);
        }
        Err(Error::new(
            Problem::WrongResult { expected, found },
            self.outline.source.span,
        ))
    }

    /// Evaluates it; the result borrows from the facts where it can.
    ///
    /// # Errors
    ///
    /// Fails where a calculation has no result; see [`Failure`].
    pub fn evaluate<'e>(&'e self, facts: &'e Facts<'e>, context: &'e Context) -> Result<Value<'e>, EvalError> {
        eval::any(&self.outline.run(facts, context)?, &self.root)
    }

    /// Returns the type of the result.
    #[must_use]
    pub fn kind(&self) -> Type {
        self.root.kind()
    }

    /// Lists the fields it reads, each once, in the order of the schema.
    #[must_use]
    pub fn fields(&self) -> &[Slot] {
        &self.outline.fields
    }

    /// Counts the operations of an evaluation that stops nowhere early: 1 for each node of the tree, 4 more for a search in
    /// a text, a text that is put together and each value looked for in a list, 2 more for a function of numbers or dates.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.outline.cost
    }

    /// Returns the expression as it was written.
    #[must_use]
    pub fn source(&self) -> &Expr {
        &self.outline.source
    }
}

impl Predicate {
    /// Checks an expression that must be a condition.
    ///
    /// # Errors
    ///
    /// As [`Program::check`], and if it results in something else.
    pub fn check(source: Expr, schema: &Schema) -> Result<Self, Error> {
        let (root, outline) = prepare(source, schema)?;
        let found = root.kind();
        let problem = Problem::WrongResult {
            expected: Type::Bool,
            found,
        };
        let root = Bool::of(root).ok_or_else(|| Error::new(problem, outline.source.span))?;
        Ok(Self { root, outline })
    }

    /// Reads and checks a formula that must be a condition.
    ///
    /// # Errors
    ///
    /// As [`formula::parse`] and [`Self::check`].
    pub fn compile(source: &str, schema: &Schema) -> Result<Self, Error> {
        Self::check(formula::parse(source)?, schema)
    }

    /// Tells whether it holds; one that is blank does not.
    ///
    /// # Errors
    ///
    /// Fails where a calculation has no result; see [`Failure`].
    pub fn holds<'e>(&'e self, facts: &'e Facts<'e>, context: &'e Context) -> Result<bool, EvalError> {
        eval::holds(&self.outline.run(facts, context)?, &self.root)
    }

    /// Lists the fields it reads, each once, in the order of the schema.
    #[must_use]
    pub fn fields(&self) -> &[Slot] {
        &self.outline.fields
    }

    /// Counts the operations of an evaluation; see [`Program::cost`].
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.outline.cost
    }

    /// Returns the expression as it was written.
    #[must_use]
    pub fn source(&self) -> &Expr {
        &self.outline.source
    }
}

fn prepare(source: Expr, schema: &Schema) -> Result<(Any, Outline), Error> {
    let Checked { any, fields, cost } = check::check(&source, schema)?;
    let fields = fields.into_iter().collect();
    Ok((
        any,
        Outline {
            source,
            fields,
            cost,
            fingerprint: schema.fingerprint(),
        },
    ))
}
