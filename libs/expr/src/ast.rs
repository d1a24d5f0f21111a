//! The tree of an expression as it was written: nothing is known about types yet. Every face makes one of these, and
//! [`crate::check`] makes a program of it.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::{Function, Span};

/// A node with its place in the source. Two are equal when they say the same, wherever they stand.
#[derive(Debug, Clone)]
pub struct Expr {
    pub node: Node,
    pub span: Span,
}

impl Expr {
    /// Puts a node at a place.
    #[must_use]
    pub fn new(node: Node, span: Span) -> Self {
        Self { node, span }
    }

    /// Lists the parts it is made of, from left to right.
    #[must_use]
    pub fn parts(&self) -> Vec<&Expr> {
        match &self.node {
            Node::Literal(_) | Node::Field(_) => Vec::new(),
            Node::Unary { operand, .. } => vec![operand],
            Node::Arithmetic { left, right, .. } | Node::Compare { left, right, .. } => vec![left, right],
            Node::Chain { operands, .. } => operands.iter().collect(),
            Node::In { subject, options } => std::iter::once(&**subject).chain(options).collect(),
            Node::Call { arguments, .. } => arguments.iter().collect(),
        }
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Eq for Expr {}

/// What an expression consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Literal(Literal),
    /// A fact, by its full name, such as `客户.设备型号`.
    Field(String),
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Arithmetic {
        op: ArithmeticOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Compare {
        op: CompareOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// Operators that join any number of operands: a hundred conditions are a hundred siblings, not a hundred levels.
    Chain {
        op: ChainOp,
        operands: Vec<Expr>,
    },
    In {
        subject: Box<Expr>,
        options: Vec<Expr>,
    },
    Call {
        function: Function,
        arguments: Vec<Expr>,
    },
}

/// A value written into the formula. Numbers are not negative: a sign is an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    Bool(bool),
    Number(Decimal),
    Text(String),
    Date(Date),
    Time(Timestamp),
}

/// An operator before its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Not,
    Negate,
}

/// An operator that calculates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl ArithmeticOp {
    /// Returns its sign.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// An operator that compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl CompareOp {
    /// Returns its sign.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Tells whether it asks for an order, not only for equality.
    #[must_use]
    pub fn orders(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }

    /// Turns it round: `a < b` says what `b > a` says.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    /// Tells whether two values of that order pass.
    #[must_use]
    pub fn accepts(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// An operator between any number of operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainOp {
    And,
    Or,
    /// Texts put one after the other.
    Join,
}
