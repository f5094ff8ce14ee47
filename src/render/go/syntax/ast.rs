//! The tree of a template. Each part prints itself as Go prints it in errors.

use std::fmt;

use super::literal::Number;
use crate::render::go::{format::quoted, functions::Function, runes::Bytes};

/// A part of a template.
#[derive(Debug)]
pub(in crate::render::go) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template {
        /// The offset of the name.
        at: usize,
        name: String,
        argument: Option<Pipe>,
    },
    Break,
    Continue,
}

/// `{{if pipe}} body {{else}} otherwise {{end}}`, and the same with `with` or `range`.
#[derive(Debug)]
pub(in crate::render::go) struct Branch {
    pub(in crate::render::go) pipe: Pipe,
    pub(in crate::render::go) body: Vec<Node>,
    pub(in crate::render::go) otherwise: Vec<Node>,
}

/// `$a, $b := command | command`.
#[derive(Debug)]
pub(in crate::render::go) struct Pipe {
    pub(in crate::render::go) at: usize,
    pub(in crate::render::go) variables: Vec<String>,
    /// `=` instead of `:=`.
    pub(in crate::render::go) is_assignment: bool,
    pub(in crate::render::go) commands: Vec<Command>,
}

/// An operand, and the arguments that it is called with.
#[derive(Debug)]
pub(in crate::render::go) struct Command {
    pub(in crate::render::go) at: usize,
    pub(in crate::render::go) operand: Operand,
    pub(in crate::render::go) arguments: Vec<Operand>,
}

#[derive(Debug)]
pub(in crate::render::go) struct Operand {
    pub(in crate::render::go) at: usize,
    pub(in crate::render::go) term: Term,
}

#[derive(Debug)]
pub(in crate::render::go) enum Term {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text {
        /// As written, with its quotation marks.
        literal: String,
        value: Bytes,
    },
    /// `.A.B`
    Field(Vec<String>),
    /// `$x.A.B`
    Variable {
        name: String,
        fields: Vec<String>,
    },
    Function(&'static Function),
    /// `(pipe)`
    Pipe(Box<Pipe>),
    /// Fields of a parenthesized pipe or of the result of a function.
    Chain {
        base: Box<Operand>,
        fields: Vec<String>,
    },
}

/// True if `body` writes nothing but white space. Go never replaces a definition with such a body.
pub(in crate::render::go) fn is_blank(body: &[Node]) -> bool {
    body.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.is_assignment { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.variables.join(", "))?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            let separator = if index > 0 { " | " } else { "" };
            write!(f, "{separator}{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operand)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = |fields: &[String], f: &mut fmt::Formatter<'_>| {
            fields.iter().try_for_each(|field| write!(f, ".{field}"))
        };
        match &self.term {
            Term::Dot => f.write_str("."),
            Term::Nil => f.write_str("nil"),
            Term::Bool(value) => write!(f, "{value}"),
            Term::Number(number) => f.write_str(&number.literal),
            Term::Text { literal, .. } => f.write_str(literal),
            Term::Field(names) => fields(names, f),
            Term::Variable { name, fields: names } => {
                f.write_str(name)?;
                fields(names, f)
            }
            Term::Function(function) => f.write_str(function.name),
            Term::Pipe(pipe) => write!(f, "({pipe})"),
            Term::Chain { base, fields: names } => {
                write!(f, "{base}")?;
                fields(names, f)
            }
        }
    }
}

/// `{{template "name" argument}}`, as errors show it.
pub(in crate::render::go) fn template_action(name: &str, argument: Option<&Pipe>) -> String {
    match argument {
        Some(argument) => format!("{{{{template {} {argument}}}}}", quoted(name)),
        None => format!("{{{{template {}}}}}", quoted(name)),
    }
}
