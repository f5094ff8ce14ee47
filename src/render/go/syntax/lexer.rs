//! Splits the text of a template into tokens.

use crate::{
    render::go::{
        format::quoted,
        runes::{is_digit, is_letter, is_printable},
    },
    text::{slice, slice_from},
};

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
/// The characters that a trim marker removes. U+3000 is not among them.
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The text cannot be split further; [`Tokens::error`] says why.
    Error,
    End,
    Text,
    Left,
    Right,
    Space,
    Bool,
    /// A character that is no token by itself, such as a comma.
    Char,
    CharConstant,
    Assign,
    Declare,
    Dot,
    Field,
    Identifier,
    LeftParen,
    Number,
    Pipe,
    RawText,
    RightParen,
    QuotedText,
    Variable,
    Keyword(Keyword),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Keyword {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "block" => Self::Block,
            "break" => Self::Break,
            "continue" => Self::Continue,
            "define" => Self::Define,
            "else" => Self::Else,
            "end" => Self::End,
            "if" => Self::If,
            "nil" => Self::Nil,
            "range" => Self::Range,
            "template" => Self::Template,
            "with" => Self::With,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    /// The offset in the source.
    pub(super) at: usize,
    pub(super) text: &'s str,
}

/// The tokens of a source. The last one is [`Kind::End`] or [`Kind::Error`].
#[derive(Debug)]
pub(super) struct Tokens<'s> {
    pub(super) list: Vec<Token<'s>>,
    pub(super) error: String,
}

/// Splits `source` into tokens.
pub(super) fn tokens(source: &str) -> Tokens<'_> {
    let mut lexer =
        Lexer { source, at: 0, open_parens: 0, tokens: Tokens { list: Vec::new(), error: String::new() } };
    if let Err(error) = lexer.run() {
        lexer.tokens.list.push(Token { kind: Kind::Error, at: error.at, text: "" });
        lexer.tokens.error = error.message;
    }
    lexer.tokens
}

struct LexError {
    at: usize,
    message: String,
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    /// The parentheses of the current action that are not closed yet.
    open_parens: usize,
    tokens: Tokens<'s>,
}

impl<'s> Lexer<'s> {
    fn run(&mut self) -> Result<(), LexError> {
        while let Some(length) = self.rest().find(LEFT) {
            let action = self.at + length;
            let after_left = slice_from(self.source, action + LEFT.len());
            let is_trimmed = after_left.strip_prefix('-').is_some_and(|rest| rest.starts_with(SPACES));
            let text = slice(self.source, self.at..action);
            let text = if is_trimmed { text.trim_end_matches(SPACES) } else { text };
            if !text.is_empty() {
                self.tokens.list.push(Token { kind: Kind::Text, at: self.at, text });
            }
            let inside = action + LEFT.len() + if is_trimmed { 2 } else { 0 };
            self.at = inside;
            if self.rest().starts_with("/*") {
                self.comment()?;
                continue;
            }
            self.tokens.list.push(Token { kind: Kind::Left, at: action, text: LEFT });
            self.open_parens = 0;
            while self.token().map_err(|error| self.within_action(action, error))? {}
        }
        let start = self.at;
        self.at = self.source.len();
        if start < self.at {
            self.push(Kind::Text, start);
        }
        self.push(Kind::End, self.at);
        Ok(())
    }

    /// `error` with the line where its action started, if that is an earlier one.
    fn within_action(&self, action: usize, error: LexError) -> LexError {
        let lines = |range| slice(self.source, range).matches('\n').count();
        if lines(action..error.at) == 0 {
            return error;
        }
        let line = lines(0..action) + 1;
        let message = match error.message.strip_suffix(" action") {
            Some(_) => format!("{} started at line {line}", error.message),
            None => format!("{} in action started at line {line}", error.message),
        };
        LexError { message, ..error }
    }

    fn comment(&mut self) -> Result<(), LexError> {
        let start = self.at;
        let inside = start + "/*".len();
        let Some(length) = slice_from(self.source, inside).find("*/") else {
            return error(start, "unclosed comment");
        };
        self.at = inside + length + "*/".len();
        let Some(length) = self.right_delimiter() else {
            return error(start, "comment ends before closing delimiter");
        };
        self.end_action(length);
        Ok(())
    }

    /// The length of a right delimiter here, with the trim marker before it.
    fn right_delimiter(&self) -> Option<usize> {
        let rest = self.rest();
        if rest.starts_with(RIGHT) {
            return Some(RIGHT.len());
        }
        let trimmed = rest.strip_prefix(SPACES)?.strip_prefix('-')?;
        trimmed.starts_with(RIGHT).then_some(RIGHT.len() + 2)
    }

    fn end_action(&mut self, length: usize) {
        self.at += length;
        if length > RIGHT.len() {
            self.skip_spaces();
        }
    }

    /// Reads one token of an action. False after its right delimiter.
    fn token(&mut self) -> Result<bool, LexError> {
        let start = self.at;
        if let Some(length) = self.right_delimiter() {
            if self.open_parens > 0 {
                return error(start, "unclosed left paren");
            }
            self.tokens.list.push(Token { kind: Kind::Right, at: start + length - RIGHT.len(), text: RIGHT });
            self.end_action(length);
            return Ok(false);
        }
        let Some(c) = self.next() else { return error(start, "unclosed action") };
        let kind = match c {
            _ if SPACES.contains(&c) => return self.space(start),
            '=' => Kind::Assign,
            ':' if self.accept(&['=']) => Kind::Declare,
            ':' => return error(start, "expected :="),
            '|' => Kind::Pipe,
            '"' => self.quoted('"', Kind::QuotedText, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant")?,
            '`' => self.raw_text()?,
            '$' => self.name(Kind::Variable, Kind::Variable)?,
            '.' if self.peek().is_some_and(|c| !c.is_ascii_digit()) => self.name(Kind::Dot, Kind::Field)?,
            '.' | '+' | '-' | '0'..='9' => {
                self.at = start;
                self.number()?
            }
            '(' => {
                self.open_parens += 1;
                Kind::LeftParen
            }
            ')' if self.open_parens == 0 => return error(start, "unexpected right paren"),
            ')' => {
                self.open_parens -= 1;
                Kind::RightParen
            }
            _ if is_alphanumeric(c) => self.word(start)?,
            _ if c.is_ascii_graphic() => Kind::Char,
            _ => {
                return error(start, format!("unrecognized character in action: {}", numbered(c)));
            }
        };
        self.push(kind, start);
        Ok(true)
    }

    fn space(&mut self, start: usize) -> Result<bool, LexError> {
        self.skip_spaces();
        // The last space belongs to a trim marker that follows.
        if self.rest().strip_prefix('-').is_some_and(|rest| rest.starts_with(RIGHT)) {
            self.at -= 1;
        }
        if self.at > start {
            self.push(Kind::Space, start);
        }
        Ok(true)
    }

    fn quoted(&mut self, mark: char, kind: Kind, message: &str) -> Result<Kind, LexError> {
        let start = self.at - 1;
        loop {
            match self.next() {
                Some('\\') => match self.next() {
                    None | Some('\n') => return error(start, message),
                    Some(_) => {}
                },
                None | Some('\n') => return error(start, message),
                Some(c) if c == mark => return Ok(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_text(&mut self) -> Result<Kind, LexError> {
        let Some(length) = self.rest().find('`') else {
            return error(self.at - 1, "unterminated raw quoted string");
        };
        self.at += length + 1;
        Ok(Kind::RawText)
    }

    /// Reads the rest of a field or a variable after its first character.
    fn name(&mut self, alone: Kind, named: Kind) -> Result<Kind, LexError> {
        if self.is_at_terminator() {
            return Ok(alone);
        }
        self.skip_name()?;
        Ok(named)
    }

    fn word(&mut self, start: usize) -> Result<Kind, LexError> {
        self.skip_name()?;
        let word = slice(self.source, start..self.at);
        Ok(match (word, Keyword::of(word)) {
            (_, Some(keyword)) => Kind::Keyword(keyword),
            ("true" | "false", None) => Kind::Bool,
            _ => Kind::Identifier,
        })
    }

    fn skip_name(&mut self) -> Result<(), LexError> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        match self.peek() {
            Some(c) if !self.is_at_terminator() => error(self.at, format!("bad character {}", numbered(c))),
            _ => Ok(()),
        }
    }

    fn is_at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => SPACES.contains(&c) || self.rest().starts_with(RIGHT),
        }
    }

    fn number(&mut self) -> Result<Kind, LexError> {
        let start = self.at;
        let is_number = self.skip_number();
        // A second number with a sign would be the other part of a complex number.
        let is_sum = is_number && self.rest().starts_with(['+', '-']);
        if is_number && !is_sum {
            return Ok(Kind::Number);
        }
        if is_sum {
            self.skip_number();
        }
        let text = slice(self.source, start..self.at);
        error(start, format!("bad number syntax: {}", quoted(text)))
    }

    /// Reads a number with its sign. False if another character follows, which is read too.
    fn skip_number(&mut self) -> bool {
        self.accept(&['+', '-']);
        let mut radix = 10;
        if self.accept(&['0']) {
            if self.accept(&['x', 'X']) {
                radix = 16;
            } else if self.accept(&['o', 'O']) {
                radix = 8;
            } else if self.accept(&['b', 'B']) {
                radix = 2;
            }
        }
        self.digits(radix);
        if self.accept(&['.']) {
            self.digits(radix);
        }
        let exponent: &[char] = match radix {
            10 => &['e', 'E'],
            16 => &['p', 'P'],
            _ => &[],
        };
        if self.accept(exponent) {
            self.accept(&['+', '-']);
            self.digits(10);
        }
        self.accept(&['i']);
        let is_end = !self.peek().is_some_and(is_alphanumeric);
        if !is_end {
            self.next();
        }
        is_end
    }

    fn digits(&mut self, radix: u32) {
        while self.peek().is_some_and(|c| c == '_' || c.is_digit(radix)) {
            self.next();
        }
    }

    fn rest(&self) -> &'s str {
        slice_from(self.source, self.at)
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, set: &[char]) -> bool {
        let is_accepted = self.rest().starts_with(set);
        if is_accepted {
            self.next();
        }
        is_accepted
    }

    fn skip_spaces(&mut self) {
        self.at = self.source.len() - self.rest().trim_start_matches(SPACES).len();
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.list.push(Token { kind, at: start, text: slice(self.source, start..self.at) });
    }
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || is_letter(c) || is_digit(c)
}

fn error<T>(at: usize, message: impl Into<String>) -> Result<T, LexError> {
    Err(LexError { at, message: message.into() })
}

/// A character with its number, as Go's `%#U` writes it.
fn numbered(c: char) -> String {
    let number = format!("U+{:04X}", u32::from(c));
    if is_printable(c) { format!("{number} '{c}'") } else { number }
}
