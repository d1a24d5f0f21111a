//! Cuts a formula into tokens.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::ast::{ArithmeticOp, CompareOp};
use crate::error::{Error, Problem};
use crate::names::{continues_name, fold_char, starts_name};
use crate::{Span, limits, value};

/// A word of the formula.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(Decimal),
    Text(String),
    Date(Date),
    Time(Timestamp),
    /// A field, a function or a keyword.
    Name(String),
    /// A field, because it has brackets.
    Field(String),
    Arithmetic(ArithmeticOp),
    Compare(CompareOp),
    And,
    Or,
    Not,
    Join,
    Open,
    Close,
    Comma,
    End,
}

/// Cuts the whole text; the last token is [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, Span)>, Error> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_while(|c| c.is_whitespace() || c == '\u{FEFF}');
        let start = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        tokens.push((token, Span::new(start, lexer.at)));
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    /// Looks at the next character, made narrow.
    fn peek(&self) -> Option<char> {
        self.raw().map(fold_char)
    }

    fn raw(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let character = self.raw()?;
        self.at += character.len_utf8();
        Some(fold_char(character))
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) -> &'s str {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.take();
        }
        &self.source[start..self.at]
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.take();
        }
        found
    }

    fn token(&mut self) -> Result<Token, Error> {
        let start = self.at;
        let Some(raw) = self.raw() else { return Ok(Token::End) };
        let character = fold_char(raw);
        if matches!(character, '\'' | '"' | '‘' | '’' | '“' | '”') {
            return self.text(raw);
        }
        if character.is_ascii_digit() {
            return self.number();
        }
        if starts_name(character) || character == '[' {
            return self.name();
        }
        self.take();
        Ok(match character {
            '#' => return self.date(start),
            '(' => Token::Open,
            ')' => Token::Close,
            ',' | ';' | '、' => Token::Comma,
            '+' => Token::Arithmetic(ArithmeticOp::Add),
            '-' | '−' => Token::Arithmetic(ArithmeticOp::Subtract),
            '*' | '×' => Token::Arithmetic(ArithmeticOp::Multiply),
            '/' | '÷' => Token::Arithmetic(ArithmeticOp::Divide),
            '%' => Token::Arithmetic(ArithmeticOp::Remainder),
            '≤' | '≦' => Token::Compare(CompareOp::LessOrEqual),
            '≥' | '≧' => Token::Compare(CompareOp::GreaterOrEqual),
            '≠' => Token::Compare(CompareOp::NotEqual),
            '=' => {
                self.take_if('=');
                Token::Compare(CompareOp::Equal)
            }
            '<' if self.take_if('=') => Token::Compare(CompareOp::LessOrEqual),
            '<' if self.take_if('>') => Token::Compare(CompareOp::NotEqual),
            '<' => Token::Compare(CompareOp::Less),
            '>' if self.take_if('=') => Token::Compare(CompareOp::GreaterOrEqual),
            '>' => Token::Compare(CompareOp::Greater),
            '!' if self.take_if('=') => Token::Compare(CompareOp::NotEqual),
            '!' => Token::Not,
            '&' if self.take_if('&') => Token::And,
            '&' => Token::Join,
            '|' if self.take_if('|') => Token::Or,
            _ => {
                let problem = Problem::UnexpectedCharacter { character: raw };
                return Err(self.error(problem, start));
            }
        })
    }

    fn error(&self, problem: Problem, start: usize) -> Error {
        Error::new(problem, Span::new(start, self.at))
    }

    /// Reads a text in quotes. Straight quotes double to stand for themselves; curly ones, of which keyboards often give
    /// the wrong hand, close with either hand.
    fn text(&mut self, quote: char) -> Result<Token, Error> {
        let start = self.at;
        self.take();
        let closes = |character: char| match quote {
            '‘' | '’' => matches!(character, '‘' | '’'),
            '“' | '”' => matches!(character, '“' | '”'),
            straight => character == straight,
        };
        let doubles = matches!(fold_char(quote), '\'' | '"');
        let mut text = String::new();
        while let Some(character) = self.raw() {
            self.at += character.len_utf8();
            if !closes(character) {
                // The database keeps no such character.
                if character == '\0' {
                    let at = self.at - 1;
                    return Err(self.error(Problem::UnexpectedCharacter { character }, at));
                }
                text.push(character);
            } else if doubles && self.raw() == Some(quote) {
                text.push(quote);
                self.take();
            } else {
                return Ok(Token::Text(text));
            }
        }
        Err(Error::new(
            Problem::UnclosedText,
            Span::new(start, start + quote.len_utf8()),
        ))
    }

    fn digits(&mut self) -> String {
        self.skip_while(|c| c.is_ascii_digit()).chars().map(fold_char).collect()
    }

    /// Reads `12`, `0.8`, `3万`, `1.5亿` or `2026年2月3日`.
    fn number(&mut self) -> Result<Token, Error> {
        let start = self.at;
        let mut text = self.digits();
        if self.peek() == Some('年') {
            return self.chinese_date(start, &text);
        }
        if self.take_if('.') {
            text.push('.');
            text.push_str(&self.digits());
        }
        let unit: i64 = match self.peek() {
            Some('万') => 10_000,
            Some('亿') => 100_000_000,
            _ => 1,
        };
        if unit > 1 {
            self.take();
        }
        let rest = self.skip_while(continues_name);
        let number = if text.ends_with('.') || !rest.is_empty() {
            None
        } else {
            value::parse_number(&text)
        };
        let Some(number) = number.and_then(|number| number.checked_mul(Decimal::from(unit))) else {
            let text = self.source[start..self.at].to_owned();
            return Err(self.error(Problem::BadNumber { text }, start));
        };
        Ok(Token::Number(number.normalize()))
    }

    fn chinese_date(&mut self, start: usize, year: &str) -> Result<Token, Error> {
        self.take();
        let month = self.digits();
        let months = self.take_if('月');
        let day = self.digits();
        let days = self.take_if('日');
        let rest = self.skip_while(continues_name);
        let date = || Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
        match date() {
            Some(date) if months && days && rest.is_empty() => Ok(Token::Date(date)),
            _ => Err(self.bad_date(start)),
        }
    }

    /// Reads a date or a time in hashes, of which the first was taken.
    fn date(&mut self, start: usize) -> Result<Token, Error> {
        let text = self.skip_while(|c| c.is_ascii_graphic() && c != '#' || c == ' ');
        let text: String = text.chars().map(fold_char).collect();
        if !self.take_if('#') {
            return Err(self.bad_date(start));
        }
        // The parser of dates reads the front of a time, too, and forgets the rest.
        let text = text.trim();
        let day = Some(text).filter(|text| text.chars().all(|c| c.is_ascii_digit() || c == '-'));
        let date = day.and_then(|text| text.parse().ok());
        date.map(Token::Date)
            .or_else(|| text.parse().ok().map(Token::Time))
            .ok_or_else(|| self.bad_date(start))
    }

    fn bad_date(&self, start: usize) -> Error {
        let text = self.source[start..self.at].to_owned();
        self.error(Problem::BadDate { text }, start)
    }

    /// Reads a name with all its dots and brackets.
    fn name(&mut self) -> Result<Token, Error> {
        let start = self.at;
        let mut name = String::new();
        let mut bracketed = false;
        loop {
            if self.peek() == Some('[') {
                bracketed = true;
                self.bracketed_part(&mut name)?;
            } else {
                let part = self.skip_while(continues_name);
                if part.is_empty() {
                    return Err(self.error(Problem::BadName, start));
                }
                name.extend(part.chars().map(fold_char));
            }
            if name.len() > limits::NAME_BYTES {
                return Err(self.error(Problem::BadName, start));
            }
            if !self.take_if('.') {
                break;
            }
            name.push('.');
        }
        Ok(if bracketed {
            Token::Field(name)
        } else {
            Token::Name(name)
        })
    }

    fn bracketed_part(&mut self, name: &mut String) -> Result<(), Error> {
        let start = self.at;
        self.take();
        let bracket = Span::new(start, self.at);
        let inside = self.skip_while(|c| c != ']' && c != '[' && !c.is_control());
        if !self.take_if(']') {
            return Err(Error::new(Problem::UnclosedName, bracket));
        }
        let inside: String = inside.chars().map(fold_char).collect();
        let parts: Vec<&str> = inside.split('.').map(str::trim).collect();
        if parts.contains(&"") {
            return Err(self.error(Problem::BadName, start));
        }
        name.push_str(&parts.join("."));
        Ok(())
    }
}
