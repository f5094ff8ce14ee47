//! The error of a template, and the place where it happened.

use std::fmt;

use crate::{
    render::{
        error::Position,
        go::{
            definitions::Template,
            format::quoted,
            syntax::{Command, Operand, Pipe, template_action},
        },
    },
    text::{prefix, shorten},
};

/// The longest part of a template that an error repeats.
const MAX_PLACE_BYTES: usize = 60;

#[derive(Debug)]
pub(in crate::render::go) struct Failure {
    /// The file with the failed template.
    pub(in crate::render::go) file: String,
    pub(in crate::render::go) at: Position,
    /// `executing "name" at <place>`
    pub(in crate::render::go) context: String,
    /// In the words of Go.
    pub(in crate::render::go) message: String,
}

/// The part of a template that is being executed.
#[derive(Clone, Copy)]
pub(super) enum Place<'t> {
    Beginning,
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
    Template { at: usize, name: &'t str, argument: Option<&'t Pipe> },
}

impl Place<'_> {
    fn offset(self) -> usize {
        match self {
            Self::Beginning => 0,
            Self::Pipe(pipe) => pipe.at,
            Self::Command(command) => command.at,
            Self::Operand(operand) => operand.at,
            Self::Template { at, .. } => at,
        }
    }

    pub(super) fn failure(self, template: &Template, message: String) -> Box<Failure> {
        let place = shorten(&self.to_string(), MAX_PLACE_BYTES).into_owned();
        Box::new(Failure {
            file: template.file.to_string(),
            at: position(&template.source, self.offset()),
            context: format!("executing {} at <{place}>", quoted(&template.name)),
            message,
        })
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => Ok(()),
            Self::Pipe(pipe) => pipe.fmt(f),
            Self::Command(command) => command.fmt(f),
            Self::Operand(operand) => operand.fmt(f),
            Self::Template { name, argument, .. } => f.write_str(&template_action(name, *argument)),
        }
    }
}

/// The line and the column of an offset.
pub(in crate::render::go) fn position(source: &str, offset: usize) -> Position {
    let before = prefix(source, offset);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    Position { line: before.matches('\n').count() + 1, column }
}
