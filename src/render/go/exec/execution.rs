//! The state of an execution.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::failure::{Failure, Place};
use crate::render::{
    go::{
        budget::{Budget, Buffer, Limit},
        definitions::{Definitions, Template},
        format::quoted,
        functions::PatternCache,
        time::Time,
        value::{Data, Value},
    },
    rendered::AlertRange,
};

/// The deepest nesting of templates, actions and parentheses while they are executed.
const MAX_DEPTH: usize = 200;

pub(super) type Run<T> = Result<T, Box<Failure>>;

/// What does not change during an execution.
#[derive(Clone, Copy)]
pub(in crate::render::go) struct Context<'t> {
    pub(in crate::render::go) shared: &'t Definitions,
    /// The definitions of the rendered text, which hide shared ones.
    pub(in crate::render::go) own: &'t Definitions,
    pub(in crate::render::go) now: &'t Time,
    pub(in crate::render::go) zone: &'t TimeZone,
    pub(in crate::render::go) data: &'t Arc<Data>,
    pub(in crate::render::go) patterns: &'t PatternCache,
}

pub(in crate::render::go) struct Execution<'t> {
    pub(super) context: Context<'t>,
    pub(super) template: &'t Template,
    pub(super) variables: Vec<Variable<'t>>,
    pub(super) place: Place<'t>,
    pub(super) budget: Budget,
    pub(super) out: Buffer,
    /// The places of alerts in the output.
    pub(super) alerts: Vec<AlertRange>,
    /// The output belongs to an alert.
    pub(super) is_in_alert: bool,
    depth: usize,
}

pub(super) struct Variable<'t> {
    pub(super) name: &'t str,
    pub(super) value: Value,
}

/// The output of an execution.
pub(in crate::render::go) struct Output {
    pub(in crate::render::go) bytes: Vec<u8>,
    pub(in crate::render::go) alerts: Vec<AlertRange>,
}

impl<'t> Execution<'t> {
    /// Executes `template` with the payload as dot.
    ///
    /// # Errors
    /// The template fails, or exceeds a limit.
    pub(in crate::render::go) fn run(context: Context<'t>, template: &'t Template) -> Run<Output> {
        const USUAL_OUTPUT_BYTES: usize = 4096;
        let dot = Value::Data(Arc::clone(context.data));
        let mut execution = Self {
            context,
            template,
            variables: vec![Variable { name: "$", value: dot.clone() }],
            place: Place::Beginning,
            budget: Budget::default(),
            out: Buffer::with_capacity(USUAL_OUTPUT_BYTES),
            alerts: Vec::new(),
            is_in_alert: false,
            depth: 0,
        };
        execution.walk(&template.body, &dot)?;
        Ok(Output { bytes: execution.out.into_bytes(), alerts: execution.alerts })
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Run<T> {
        Err(self.place.failure(self.template, message.into()))
    }

    /// `result`, or its error at the current place.
    pub(super) fn at_place<T>(&self, result: Result<T, Limit>) -> Run<T> {
        result.or_else(|limit| self.fail(limit))
    }

    pub(super) fn step(&mut self) -> Run<()> {
        let result = self.budget.step();
        self.at_place(result)
    }

    /// Runs `body` one level deeper.
    pub(super) fn deeper<T>(&mut self, body: impl FnOnce(&mut Self) -> Run<T>) -> Run<T> {
        if self.depth >= MAX_DEPTH {
            return self.fail(format!("exceeded maximum template depth ({MAX_DEPTH})"));
        }
        self.depth += 1;
        let result = body(self);
        self.depth -= 1;
        result
    }

    pub(super) fn definition(&self, name: &str) -> Run<&'t Template> {
        let found = self.context.own.get(name).or_else(|| self.context.shared.get(name));
        found.map_or_else(|| self.fail(format!("template {} not defined", quoted(name))), Ok)
    }

    pub(super) fn variable(&mut self, name: &str) -> Run<Value> {
        let index = self.variable_index(name)?;
        Ok(self.variables.get(index).map_or(Value::Nil, |variable| variable.value.clone()))
    }

    pub(super) fn assign(&mut self, name: &str, value: Value) -> Run<()> {
        let index = self.variable_index(name)?;
        if let Some(variable) = self.variables.get_mut(index) {
            variable.value = value;
        }
        Ok(())
    }

    /// The innermost variable with this name.
    fn variable_index(&mut self, name: &str) -> Run<usize> {
        const VARIABLES_PER_STEP: usize = 16;
        let Some(index) = self.variables.iter().rposition(|variable| variable.name == name) else {
            return self.fail(format!("undefined variable: {name}"));
        };
        let searched = self.variables.len() - index;
        let paid = self.budget.steps((searched / VARIABLES_PER_STEP) as u64);
        self.at_place(paid)?;
        Ok(index)
    }
}
