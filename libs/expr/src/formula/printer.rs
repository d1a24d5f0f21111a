//! Writes a tree as the canonical formula.

use std::fmt::Write;

use crate::ast::{ArithmeticOp, ChainOp, Expr, Literal, Node, UnaryOp};
use crate::names;

use super::words;

/// Writes the canonical formula of a tree: [`super::parse`] makes the same tree of it.
#[must_use]
pub fn print(expr: &Expr) -> String {
    let mut text = String::new();
    write(&mut text, expr, 0);
    text
}

/// How tightly the parts of a node hold together; a part that is looser than its place needs parentheses.
pub(super) mod level {
    pub(in super::super) const OR: u8 = 1;
    pub(in super::super) const AND: u8 = 2;
    pub(in super::super) const NOT: u8 = 3;
    pub(in super::super) const COMPARE: u8 = 4;
    pub(in super::super) const JOIN: u8 = 5;
    pub(in super::super) const SUM: u8 = 6;
    pub(in super::super) const PRODUCT: u8 = 7;
    pub(in super::super) const NEGATE: u8 = 8;
    pub(in super::super) const WHOLE: u8 = 9;
}

/// Returns the level of an arithmetic operator.
pub(super) fn level_of(op: ArithmeticOp) -> u8 {
    match op {
        ArithmeticOp::Add | ArithmeticOp::Subtract => level::SUM,
        ArithmeticOp::Multiply | ArithmeticOp::Divide | ArithmeticOp::Remainder => level::PRODUCT,
    }
}

/// Returns the level of a chain.
pub(super) fn level_of_chain(op: ChainOp) -> u8 {
    match op {
        ChainOp::And => level::AND,
        ChainOp::Or => level::OR,
        ChainOp::Join => level::JOIN,
    }
}

fn level_of_node(node: &Node) -> u8 {
    match node {
        Node::Literal(Literal::Number(number)) if number.is_sign_negative() => level::NEGATE,
        Node::Literal(_) | Node::Field(_) | Node::Call { .. } => level::WHOLE,
        Node::Unary { op: UnaryOp::Not, .. } => level::NOT,
        Node::Unary {
            op: UnaryOp::Negate, ..
        } => level::NEGATE,
        Node::Arithmetic { op, .. } => level_of(*op),
        Node::Compare { .. } | Node::In { .. } => level::COMPARE,
        Node::Chain { operands, .. } if operands.len() < 2 => level::WHOLE,
        Node::Chain { op, .. } => level_of_chain(*op),
    }
}

fn write(text: &mut String, expr: &Expr, least: u8) {
    let level = level_of_node(&expr.node);
    if level < least {
        text.push('(');
        write_node(text, &expr.node, level);
        text.push(')');
    } else {
        write_node(text, &expr.node, level);
    }
}

fn write_node(text: &mut String, node: &Node, level: u8) {
    match node {
        Node::Literal(literal) => write_literal(text, literal),
        Node::Field(name) => write_name(text, name),
        Node::Unary {
            op: UnaryOp::Not,
            operand,
        } => {
            text.push_str("NOT ");
            write(text, operand, level);
        }
        Node::Unary {
            op: UnaryOp::Negate,
            operand,
        } => {
            text.push('-');
            write(text, operand, level);
        }
        Node::Arithmetic { op, left, right } => {
            write(text, left, level);
            write_sign(text, op.sign());
            write(text, right, level + 1);
        }
        Node::Compare { op, left, right } => {
            write(text, left, level + 1);
            write_sign(text, op.sign());
            write(text, right, level + 1);
        }
        Node::Chain { op, operands } => write_chain(text, *op, operands, level),
        Node::In { subject, options } => {
            write(text, subject, level + 1);
            text.push_str(" IN ");
            write_arguments(text, options);
        }
        Node::Call { function, arguments } => {
            text.push_str(function.name());
            write_arguments(text, arguments);
        }
    }
}

fn write_chain(text: &mut String, op: ChainOp, operands: &[Expr], level: u8) {
    let (function, sign) = match op {
        ChainOp::And => ("AND", "AND"),
        ChainOp::Or => ("OR", "OR"),
        ChainOp::Join => ("CONCAT", "&"),
    };
    if operands.len() < 2 {
        text.push_str(function);
        return write_arguments(text, operands);
    }
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            write_sign(text, sign);
        }
        write(text, operand, level + 1);
    }
}

fn write_sign(text: &mut String, sign: &str) {
    text.push(' ');
    text.push_str(sign);
    text.push(' ');
}

fn write_arguments(text: &mut String, arguments: &[Expr]) {
    text.push('(');
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        write(text, argument, 0);
    }
    text.push(')');
}

fn write_literal(text: &mut String, literal: &Literal) {
    match literal {
        Literal::Bool(value) => text.push_str(if *value { "TRUE" } else { "FALSE" }),
        Literal::Text(value) => {
            text.push('\'');
            for character in value.chars() {
                text.push(character);
                if character == '\'' {
                    text.push(character);
                }
            }
            text.push('\'');
        }
        Literal::Number(number) => text.push_str(&number.normalize().to_string()),
        Literal::Date(date) => text.push_str(&format_in_hashes(date)),
        Literal::Time(time) => text.push_str(&format_in_hashes(time)),
    }
}

fn format_in_hashes(value: &impl std::fmt::Display) -> String {
    let mut text = String::new();
    write!(text, "#{value}#").expect("writing to a String cannot fail");
    text
}

fn write_name(text: &mut String, name: &str) {
    let whole = words::keyword(name).is_none();
    for (index, part) in name.split('.').enumerate() {
        if index > 0 {
            text.push('.');
        }
        if whole && names::is_plain(part, index == 0) {
            text.push_str(part);
        } else {
            text.push('[');
            text.push_str(part);
            text.push(']');
        }
    }
}
