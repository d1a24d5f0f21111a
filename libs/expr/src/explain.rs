//! Why a condition holds or not: every part of it with its value, and what is missing.

mod text;

use serde_json::{Value as Json, json};

use crate::ast::{ChainOp, CompareOp, Expr, Node, UnaryOp};
use crate::check;
use crate::error::{Error, Lang};
use crate::eval::{self, Run};
use crate::{Context, EvalError, Facts, Function, Span, Type, Value, formula};

/// What became of a part of an expression.
pub type Outcome = Result<Value<'static>, EvalError>;

/// A part of an expression with what became of it. Parts that the evaluation did not reach are evaluated, too, but for the
/// result of an `IF` that was not chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The part in canonical form.
    pub text: String,
    pub span: Span,
    pub outcome: Outcome,
    pub shape: Shape,
}

/// How a part is composed.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Holds if all do.
    All(Vec<Explanation>),
    /// Holds if any does.
    Any(Vec<Explanation>),
    /// Holds if the other does not.
    Not(Box<Explanation>),
    /// Is what the condition chose, or blank.
    Choice {
        condition: Box<Explanation>,
        chosen: Option<Box<Explanation>>,
    },
    /// A single condition.
    Test {
        test: Test,
        subject: Operand,
        values: Vec<Operand>,
    },
    /// Anything that is no condition.
    Calculation,
}

/// What a single condition asks of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    Compare(CompareOp),
    OneOf,
    Contains,
    StartsWith,
    EndsWith,
    AnyOf,
    AllOf,
    Blank,
    /// To be true by itself, as a yes/no field is.
    True,
}

/// A part of a single condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    pub text: String,
    pub outcome: Outcome,
    /// Whether it was written into the formula, so that nothing but the subject can change the outcome.
    pub literal: bool,
}

/// What would have to change so that a condition holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing<'x> {
    /// This single condition has to hold, or has to hold no longer.
    One { condition: &'x Explanation, wanted: bool },
    /// All of these.
    All(Vec<Missing<'x>>),
    /// One of these.
    Any(Vec<Missing<'x>>),
}

struct Explainer<'e> {
    facts: &'e Facts<'e>,
    context: &'e Context,
}

impl Explainer<'_> {
    fn outcome(&self, expr: &Expr) -> Result<Outcome, Error> {
        let checked = check::check(expr, self.facts.schema())?;
        let run = Run::new(self.facts, self.context, expr.span);
        Ok(eval::any(&run, &checked.any).map(Value::into_owned))
    }

    fn part(&self, expr: &Expr) -> Result<Explanation, Error> {
        let (shape, outcome) = match &expr.node {
            Node::Chain {
                op: ChainOp::And,
                operands,
            } => {
                let parts = self.parts(operands)?;
                let outcome = decided(&parts, false);
                (Shape::All(parts), outcome)
            }
            Node::Chain {
                op: ChainOp::Or,
                operands,
            } => {
                let parts = self.parts(operands)?;
                let outcome = decided(&parts, true);
                (Shape::Any(parts), outcome)
            }
            Node::Unary {
                op: UnaryOp::Not,
                operand,
            } => {
                let part = self.part(operand)?;
                let outcome = part
                    .outcome
                    .clone()
                    .map(|value| Value::Bool(value != Value::Bool(true)));
                (Shape::Not(Box::new(part)), outcome)
            }
            Node::Call {
                function: Function::If,
                arguments,
            } if arguments.len() >= 2 => self.choice(arguments)?,
            _ => (self.single(expr)?, self.outcome(expr)?),
        };
        Ok(Explanation {
            text: formula::print(expr),
            span: expr.span,
            outcome,
            shape,
        })
    }

    fn parts(&self, operands: &[Expr]) -> Result<Vec<Explanation>, Error> {
        operands.iter().map(|operand| self.part(operand)).collect()
    }

    fn choice(&self, arguments: &[Expr]) -> Result<(Shape, Outcome), Error> {
        let condition = Box::new(self.part(&arguments[0])?);
        let chosen = match &condition.outcome {
            Err(failure) => {
                let outcome = Err(*failure);
                return Ok((
                    Shape::Choice {
                        condition,
                        chosen: None,
                    },
                    outcome,
                ));
            }
            Ok(Value::Bool(true)) => Some(&arguments[1]),
            Ok(_) => arguments.get(2),
        };
        let chosen = chosen.map(|expr| self.part(expr)).transpose()?.map(Box::new);
        let outcome = chosen
            .as_ref()
            .map_or(Ok(Value::Blank), |chosen| chosen.outcome.clone());
        Ok((Shape::Choice { condition, chosen }, outcome))
    }

    fn single(&self, expr: &Expr) -> Result<Shape, Error> {
        let (test, subject, values): (_, _, Vec<&Expr>) = match &expr.node {
            // The subject is what can change.
            Node::Compare { op, left, right } if matches!(left.node, Node::Literal(_)) => {
                (Test::Compare(op.mirrored()), &**right, vec![left])
            }
            Node::Compare { op, left, right } => (Test::Compare(*op), &**left, vec![right]),
            Node::In { subject, options } => (Test::OneOf, &**subject, options.iter().collect()),
            Node::Call { function, arguments } if !arguments.is_empty() => {
                let test = match function {
                    Function::Contains => Test::Contains,
                    Function::StartsWith => Test::StartsWith,
                    Function::EndsWith => Test::EndsWith,
                    Function::AnyOf => Test::AnyOf,
                    Function::AllOf => Test::AllOf,
                    Function::IsBlank => Test::Blank,
                    _ => return self.true_or_calculation(expr),
                };
                (test, &arguments[0], arguments[1..].iter().collect())
            }
            _ => return self.true_or_calculation(expr),
        };
        let values = values
            .into_iter()
            .map(|value| self.operand(value))
            .collect::<Result<_, _>>()?;
        Ok(Shape::Test {
            test,
            subject: self.operand(subject)?,
            values,
        })
    }

    fn true_or_calculation(&self, expr: &Expr) -> Result<Shape, Error> {
        if check::check(expr, self.facts.schema())?.any.kind() != Type::Bool {
            return Ok(Shape::Calculation);
        }
        Ok(Shape::Test {
            test: Test::True,
            subject: self.operand(expr)?,
            values: Vec::new(),
        })
    }

    fn operand(&self, expr: &Expr) -> Result<Operand, Error> {
        let literal = matches!(expr.node, Node::Literal(_));
        Ok(Operand {
            text: formula::print(expr),
            outcome: self.outcome(expr)?,
            literal,
        })
    }
}

/// Returns what the parts of a chain lead to: the first that fails or has the deciding value ends it.
fn decided(parts: &[Explanation], deciding: bool) -> Outcome {
    for part in parts {
        match &part.outcome {
            Err(failure) => return Err(*failure),
            Ok(value) if (*value == Value::Bool(true)) == deciding => return Ok(Value::Bool(deciding)),
            Ok(_) => {}
        }
    }
    Ok(Value::Bool(!deciding))
}

impl Explanation {
    /// Explains an expression for these facts.
    ///
    /// # Errors
    ///
    /// Fails if the expression does not fit the schema of the facts. What fails in an evaluation is part of the outcome.
    pub fn of(source: &Expr, facts: &Facts<'_>, context: &Context) -> Result<Self, Error> {
        let explainer = Explainer { facts, context };
        let outcome = explainer.outcome(source)?;
        // The parts had a budget each, the whole has but one.
        Ok(Self {
            outcome,
            ..explainer.part(source)?
        })
    }

    /// Tells whether it is a condition that holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.outcome == Ok(Value::Bool(true))
    }

    /// Tells what would have to change so that the condition holds; nothing if it does.
    #[must_use]
    pub fn missing(&self) -> Option<Missing<'_>> {
        self.change(true)
    }

    fn change(&self, wanted: bool) -> Option<Missing<'_>> {
        if self.holds() == wanted {
            return None;
        }
        let itself = || {
            Some(Missing::One {
                condition: self,
                wanted,
            })
        };
        match &self.shape {
            // There may be nothing to change in the parts: what failed neither holds nor may be missing, and each part had
            // a budget of its own, which only the whole went beyond.
            Shape::All(parts) => grouped(parts, wanted, wanted).or_else(itself),
            Shape::Any(parts) => grouped(parts, wanted, !wanted).or_else(itself),
            Shape::Not(part) => part.change(!wanted).or_else(itself),
            Shape::Choice {
                chosen: Some(chosen), ..
            } => chosen.change(wanted).or_else(itself),
            Shape::Choice { .. } | Shape::Test { .. } | Shape::Calculation => itself(),
        }
    }

    /// Writes it as JSON, with all its parts.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut json = json!({ "text": self.text, "span": self.span });
        write_outcome(&mut json, &self.outcome);
        let list = |parts: &[Explanation]| parts.iter().map(Self::to_json).collect::<Vec<_>>();
        match &self.shape {
            Shape::All(parts) => json["all"] = list(parts).into(),
            Shape::Any(parts) => json["any"] = list(parts).into(),
            Shape::Not(part) => json["not"] = part.to_json(),
            Shape::Choice { condition, chosen } => {
                json["if"] = condition.to_json();
                json["chosen"] = chosen.as_ref().map_or(Json::Null, |chosen| chosen.to_json());
            }
            Shape::Test { test, subject, values } => {
                json["test"] = test.name().into();
                json["subject"] = subject.to_json();
                json["values"] = values.iter().map(Operand::to_json).collect::<Vec<_>>().into();
            }
            Shape::Calculation => {}
        }
        json
    }
}

fn grouped(parts: &[Explanation], wanted: bool, all: bool) -> Option<Missing<'_>> {
    let mut missing: Vec<_> = parts.iter().filter_map(|part| part.change(wanted)).collect();
    if missing.len() < 2 {
        return missing.pop();
    }
    Some(if all {
        Missing::All(missing)
    } else {
        Missing::Any(missing)
    })
}

impl Operand {
    fn to_json(&self) -> Json {
        let mut json = json!({ "text": self.text });
        write_outcome(&mut json, &self.outcome);
        json
    }
}

fn write_outcome(json: &mut Json, outcome: &Outcome) {
    match outcome {
        Ok(value) => json["value"] = value.to_json(),
        Err(error) => json["failure"] = Error::from(*error).problem.code().into(),
    }
}

impl Test {
    /// Returns its name in JSON: the operator, or the function.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Compare(op) => op.sign(),
            Self::OneOf => "IN",
            Self::Contains => "CONTAINS",
            Self::StartsWith => "STARTSWITH",
            Self::EndsWith => "ENDSWITH",
            Self::AnyOf => "ANYOF",
            Self::AllOf => "ALLOF",
            Self::Blank => "ISBLANK",
            Self::True => "TRUE",
        }
    }
}

impl Missing<'_> {
    /// Says it in a sentence: what has to hold, and what the values are.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        text::of(self, lang)
    }
}
