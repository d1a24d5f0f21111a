//! Makes a tree of tokens, by precedence climbing.

use crate::ast::{ArithmeticOp, ChainOp, CompareOp, Expr, Literal, Node, UnaryOp};
use crate::error::{Error, Expected, Problem};
use crate::{Function, Span, limits};

use super::lexer::{self, Token};
use super::printer::{level, level_of, level_of_chain};
use super::words::{self, Callee, Keyword};

/// Reads a formula.
///
/// # Errors
///
/// Fails at the first place that is not as the language has it, or where a limit of [`crate::limits`] is exceeded.
pub fn parse(source: &str) -> Result<Expr, Error> {
    if source.len() > limits::SOURCE_BYTES {
        let problem = Problem::SourceTooLong { bytes: source.len() };
        return Err(Error::new(
            problem,
            Span::new(source.floor_char_boundary(limits::SOURCE_BYTES), source.len()),
        ));
    }
    let tokens = lexer::tokens(source)?;
    let mut parser = Parser {
        source,
        tokens,
        at: 0,
        nodes: 0,
    };
    // Spreadsheets mark a formula by a leading sign.
    parser.take_if(&Token::Compare(CompareOp::Equal));
    if *parser.peek() == Token::End {
        return Err(Error::new(Problem::Empty, parser.span()));
    }
    let tree = parser.expression(0, 0)?;
    match parser.peek() {
        Token::End => Ok(tree.expr),
        _ => Err(parser.unexpected(Expected::Operator)),
    }
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    nodes: usize,
}

/// A tree with its height, which operators grow without any nesting of the text.
struct Tree {
    expr: Expr,
    height: usize,
}

impl Tree {
    /// Returns the span and the height of this and another tree together.
    fn with(&self, other: &Tree) -> (Span, usize) {
        (self.expr.span.to(other.expr.span), self.height.max(other.height))
    }
}

/// What stood in a pair of parentheses.
struct Arguments {
    exprs: Vec<Expr>,
    height: usize,
    /// The closing parenthesis.
    end: Span,
}

/// An operator after an operand.
enum Infix {
    Chain(ChainOp),
    Compare(CompareOp),
    In,
    NotIn,
    Arithmetic(ArithmeticOp),
}

impl Infix {
    fn level(&self) -> u8 {
        match self {
            Self::Chain(op) => level_of_chain(*op),
            Self::Compare(_) | Self::In | Self::NotIn => level::COMPARE,
            Self::Arithmetic(op) => level_of(*op),
        }
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        // The last token is the end, and nothing goes beyond it.
        &self.tokens[self.at].0
    }

    fn span(&self) -> Span {
        self.tokens[self.at].1
    }

    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn take_if(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.advance();
        }
        found
    }

    fn keyword(&self, ahead: usize) -> Option<Keyword> {
        match self.tokens.get(self.at + ahead) {
            Some((Token::Name(name), _)) => words::keyword(name),
            _ => None,
        }
    }

    fn infix(&self) -> Option<Infix> {
        Some(match (self.peek(), self.keyword(0)) {
            (Token::And, _) | (_, Some(Keyword::And)) => Infix::Chain(ChainOp::And),
            (Token::Or, _) | (_, Some(Keyword::Or)) => Infix::Chain(ChainOp::Or),
            (Token::Join, _) => Infix::Chain(ChainOp::Join),
            (Token::Compare(op), _) => Infix::Compare(*op),
            (Token::Arithmetic(op), _) => Infix::Arithmetic(*op),
            (_, Some(Keyword::In)) => Infix::In,
            (Token::Not, _) | (_, Some(Keyword::Not)) if self.keyword(1) == Some(Keyword::In) => Infix::NotIn,
            _ => return None,
        })
    }

    /// Reads an expression whose operators hold at least that tightly.
    fn expression(&mut self, least: u8, depth: usize) -> Result<Tree, Error> {
        if depth > limits::DEPTH {
            return Err(Error::new(Problem::TooDeep, self.span()));
        }
        let mut left = self.prefix(depth)?;
        while let Some(infix) = self.infix() {
            let level = infix.level();
            if level < least {
                break;
            }
            left = match infix {
                Infix::Chain(op) => self.chain(op, left, depth)?,
                Infix::Compare(op) => {
                    self.advance();
                    let right = self.expression(level + 1, depth + 1)?;
                    let (span, height) = left.with(&right);
                    let node = Node::Compare {
                        op,
                        left: Box::new(left.expr),
                        right: Box::new(right.expr),
                    };
                    self.forbid_another_comparison()?;
                    self.node(node, height, span)?
                }
                Infix::In | Infix::NotIn => {
                    let tree = self.membership(left, depth)?;
                    self.forbid_another_comparison()?;
                    if matches!(infix, Infix::In) {
                        tree
                    } else {
                        self.unary(UnaryOp::Not, tree, None)?
                    }
                }
                Infix::Arithmetic(op) => {
                    self.advance();
                    let right = self.expression(level + 1, depth + 1)?;
                    let (span, height) = left.with(&right);
                    let node = Node::Arithmetic {
                        op,
                        left: Box::new(left.expr),
                        right: Box::new(right.expr),
                    };
                    self.node(node, height, span)?
                }
            };
        }
        Ok(left)
    }

    fn forbid_another_comparison(&self) -> Result<(), Error> {
        match self.infix() {
            Some(Infix::Compare(_) | Infix::In | Infix::NotIn) => {
                Err(Error::new(Problem::ChainedComparison, self.span()))
            }
            _ => Ok(()),
        }
    }

    fn chain(&mut self, op: ChainOp, first: Tree, depth: usize) -> Result<Tree, Error> {
        let (mut span, mut height) = (first.expr.span, first.height);
        let mut operands = vec![first.expr];
        while matches!(self.infix(), Some(Infix::Chain(next)) if next == op) {
            self.advance();
            let operand = self.expression(level_of_chain(op) + 1, depth + 1)?;
            (span, height) = (span.to(operand.expr.span), height.max(operand.height));
            operands.push(operand.expr);
        }
        self.node(Node::Chain { op, operands }, height, span)
    }

    /// Reads `IN` and what follows: options in parentheses, or a list such as a field, which then contains the subject.
    fn membership(&mut self, subject: Tree, depth: usize) -> Result<Tree, Error> {
        self.take_not();
        self.advance();
        if *self.peek() == Token::Open {
            let options = self.arguments(depth)?;
            if options.exprs.is_empty() {
                let problem = Problem::Unexpected {
                    expected: Expected::Operand,
                    found: ")".to_owned(),
                };
                return Err(Error::new(problem, options.end));
            }
            let (span, height) = (subject.expr.span.to(options.end), subject.height.max(options.height));
            let node = Node::In {
                subject: Box::new(subject.expr),
                options: options.exprs,
            };
            return self.node(node, height, span);
        }
        let list = self.expression(level::COMPARE + 1, depth + 1)?;
        let (span, height) = subject.with(&list);
        let arguments = vec![list.expr, subject.expr];
        self.node(
            Node::Call {
                function: Function::Contains,
                arguments,
            },
            height,
            span,
        )
    }

    fn take_not(&mut self) {
        if *self.peek() == Token::Not || self.keyword(0) == Some(Keyword::Not) {
            self.advance();
        }
    }

    fn prefix(&mut self, depth: usize) -> Result<Tree, Error> {
        let span = self.span();
        let followed_by_open = matches!(self.tokens.get(self.at + 1), Some((Token::Open, _)));
        match self.peek().clone() {
            Token::Number(number) => self.leaf(Node::Literal(Literal::Number(number))),
            Token::Text(text) => self.leaf(Node::Literal(Literal::Text(text))),
            Token::Date(date) => self.leaf(Node::Literal(Literal::Date(date))),
            Token::Time(time) => self.leaf(Node::Literal(Literal::Time(time))),
            Token::Field(name) => self.leaf(Node::Field(name)),
            Token::Arithmetic(ArithmeticOp::Subtract) => {
                self.advance();
                let operand = self.expression(level::NEGATE, depth + 1)?;
                self.unary(UnaryOp::Negate, operand, Some(span))
            }
            Token::Not => self.negation(span, depth),
            Token::Name(name) => match words::keyword(&name) {
                Some(Keyword::Not) => self.negation(span, depth),
                Some(Keyword::True) => self.leaf(Node::Literal(Literal::Bool(true))),
                Some(Keyword::False) => self.leaf(Node::Literal(Literal::Bool(false))),
                _ if followed_by_open => self.call(&name, depth),
                None => self.leaf(Node::Field(name)),
                Some(Keyword::And | Keyword::Or | Keyword::In) => Err(self.unexpected(Expected::Operand)),
            },
            Token::Open => {
                self.advance();
                let inside = self.expression(0, depth + 1)?;
                let end = self.span();
                if !self.take_if(&Token::Close) {
                    return Err(self.unexpected(Expected::Closing));
                }
                let expr = Expr::new(inside.expr.node, span.to(end));
                Ok(Tree {
                    expr,
                    height: inside.height,
                })
            }
            _ => Err(self.unexpected(Expected::Operand)),
        }
    }

    fn negation(&mut self, start: Span, depth: usize) -> Result<Tree, Error> {
        self.advance();
        let operand = self.expression(level::NOT, depth + 1)?;
        self.unary(UnaryOp::Not, operand, Some(start))
    }

    fn call(&mut self, name: &str, depth: usize) -> Result<Tree, Error> {
        let name_span = self.span();
        let Some(callee) = words::callee(name) else {
            let problem = Problem::UnknownFunction {
                name: name.to_owned(),
                suggestion: words::nearest_function(name),
            };
            return Err(Error::new(problem, name_span));
        };
        self.advance();
        let Arguments { mut exprs, height, end } = self.arguments(depth)?;
        let span = name_span.to(end);
        let (operator, least) = match callee {
            Callee::Function(function) => (function.name(), 0),
            Callee::And => ("AND", 1),
            Callee::Or => ("OR", 1),
            Callee::Concat => ("CONCAT", 1),
            Callee::In => ("IN", 2),
        };
        if exprs.len() < least {
            let found = exprs.len();
            let problem = Problem::ArgumentCount {
                name: operator,
                least,
                most: usize::MAX,
                found,
            };
            return Err(Error::new(problem, span));
        }
        let node = match callee {
            Callee::Function(function) => Node::Call {
                function,
                arguments: exprs,
            },
            Callee::And => Node::Chain {
                op: ChainOp::And,
                operands: exprs,
            },
            Callee::Or => Node::Chain {
                op: ChainOp::Or,
                operands: exprs,
            },
            Callee::Concat => Node::Chain {
                op: ChainOp::Join,
                operands: exprs,
            },
            Callee::In => Node::In {
                subject: Box::new(exprs.remove(0)),
                options: exprs,
            },
        };
        self.node(node, height, span)
    }

    fn arguments(&mut self, depth: usize) -> Result<Arguments, Error> {
        if !self.take_if(&Token::Open) {
            return Err(self.unexpected(Expected::Opening));
        }
        let mut arguments = Arguments {
            exprs: Vec::new(),
            height: 0,
            end: self.span(),
        };
        if self.take_if(&Token::Close) {
            return Ok(arguments);
        }
        loop {
            let argument = self.expression(0, depth + 1)?;
            arguments.exprs.push(argument.expr);
            arguments.height = arguments.height.max(argument.height);
            arguments.end = self.span();
            if self.take_if(&Token::Close) {
                return Ok(arguments);
            }
            if !self.take_if(&Token::Comma) {
                return Err(self.unexpected(Expected::Closing));
            }
        }
    }

    fn leaf(&mut self, node: Node) -> Result<Tree, Error> {
        let span = self.span();
        self.advance();
        self.node(node, 0, span)
    }

    /// Puts an operator before an operand, which it starts with if it was written behind it.
    fn unary(&mut self, op: UnaryOp, operand: Tree, start: Option<Span>) -> Result<Tree, Error> {
        let span = start.map_or(operand.expr.span, |start| start.to(operand.expr.span));
        self.node(
            Node::Unary {
                op,
                operand: Box::new(operand.expr),
            },
            operand.height,
            span,
        )
    }

    /// Makes a tree of a node whose parts have that height, and sees to the limits.
    fn node(&mut self, node: Node, height: usize, span: Span) -> Result<Tree, Error> {
        self.nodes += 1;
        if height >= limits::DEPTH {
            return Err(Error::new(Problem::TooDeep, span));
        }
        if self.nodes > limits::NODES {
            return Err(Error::new(Problem::TooManyNodes, span));
        }
        Ok(Tree {
            expr: Expr::new(node, span),
            height: height + 1,
        })
    }

    fn unexpected(&self, expected: Expected) -> Error {
        let span = self.span();
        // After an operand, a name can only be an operator that was written, as Chinese is, without a space.
        if let (Expected::Operator | Expected::Closing, Token::Name(name)) = (expected, self.peek())
            && let Some(word) = words::leading_operator(name)
        {
            let rest = name[word.len()..].to_owned();
            return Error::new(Problem::SpaceNeeded { word, rest }, span);
        }
        Error::new(
            Problem::Unexpected {
                expected,
                found: span.of(self.source).to_owned(),
            },
            span,
        )
    }
}
