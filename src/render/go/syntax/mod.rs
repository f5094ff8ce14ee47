//! From the text of a template to its tree.

mod ast;
mod lexer;
mod literal;
mod parser;

pub(super) use ast::{Branch, Command, Node, Operand, Pipe, Term, is_blank, template_action};
pub(super) use literal::Number;
pub(super) use parser::{SyntaxError, parse};
