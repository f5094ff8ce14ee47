//! Values of pipes, commands and fields.

use super::{
    execution::{Execution, Run, Variable},
    failure::Place,
};
use crate::render::go::{
    advice::missing_field,
    functions::{Param, method},
    syntax::{Command, Number, Operand, Pipe, Term},
    value::Value,
};

/// The arguments of a call as the template writes them.
#[derive(Default)]
pub(super) struct Passed<'t> {
    pub(super) operands: &'t [Operand],
    /// The value of the command before `|`.
    pub(super) piped: Option<Value>,
}

impl Passed<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.operands.is_empty() && self.piped.is_none()
    }
}

impl<'t> Execution<'t> {
    pub(super) fn pipe(&mut self, pipe: &'t Pipe, dot: &Value) -> Run<Value> {
        self.place = Place::Pipe(pipe);
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, value, dot)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            if pipe.is_assignment {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push(Variable { name, value: value.clone() });
            }
        }
        Ok(value)
    }

    fn command(&mut self, command: &'t Command, piped: Option<Value>, dot: &Value) -> Run<Value> {
        self.step()?;
        let operand = &command.operand;
        let passed = Passed { operands: &command.arguments, piped };
        if let Term::Pipe(pipe) = &operand.term {
            self.not_a_function(operand, &passed)?;
            return self.deeper(|execution| execution.pipe(pipe, dot));
        }
        self.place = Place::Operand(operand);
        match &operand.term {
            Term::Function(function) => self.call_function(function, Place::Command(command), passed, dot),
            Term::Field(_) | Term::Variable { .. } | Term::Chain { .. } => self.fields(operand, passed, dot),
            _ => {
                self.not_a_function(operand, &passed)?;
                match &operand.term {
                    Term::Nil => self.fail("nil is not a command"),
                    _ => self.literal(operand, dot),
                }
            }
        }
    }

    fn not_a_function(&self, operand: &Operand, passed: &Passed<'_>) -> Run<()> {
        if passed.is_empty() {
            return Ok(());
        }
        // As in Go, without the parentheses of a pipeline.
        match &operand.term {
            Term::Pipe(pipe) => self.fail(format!("can't give argument to non-function {pipe}")),
            _ => self.fail(format!("can't give argument to non-function {operand}")),
        }
    }

    /// The value of a term that is neither called nor looked up.
    fn literal(&mut self, operand: &'t Operand, dot: &Value) -> Run<Value> {
        Ok(match &operand.term {
            Term::Dot => dot.clone(),
            Term::Bool(boolean) => Value::Bool(*boolean),
            Term::Number(number) => return self.untyped(number),
            Term::Text { value, .. } => Value::str(value.clone()),
            _ => Value::Nil,
        })
    }

    /// The type of a number where the context has none.
    fn untyped(&self, number: &Number) -> Run<Value> {
        if number.is_float {
            return Ok(Value::Float(number.float));
        }
        match number.integer {
            Some(integer) => Ok(Value::int(integer)),
            None => self.fail(format!("{} overflows int", number.literal)),
        }
    }

    /// The value of a field, a variable or a chain. The last name may be a method that gets `passed`.
    fn fields(&mut self, operand: &'t Operand, passed: Passed<'t>, dot: &Value) -> Run<Value> {
        let (base, names) = match &operand.term {
            Term::Field(names) => (dot.clone(), names),
            Term::Variable { name, fields } => (self.variable(name)?, fields),
            Term::Chain { base, fields } => {
                if matches!(base.term, Term::Nil) {
                    return self.fail(format!("indirection through explicit nil in {operand}"));
                }
                (self.argument(Param::Any, base, dot)?, fields)
            }
            _ => return self.literal(operand, dot),
        };
        let Some((last, others)) = names.split_last() else {
            self.not_a_function(operand, &passed)?;
            return Ok(base);
        };
        let mut value = base;
        for name in others {
            value = self.field(&value, name, operand, Passed::default(), dot)?;
        }
        self.field(&value, last, operand, passed, dot)
    }

    fn field(
        &mut self,
        receiver: &Value,
        name: &str,
        operand: &'t Operand,
        passed: Passed<'t>,
        dot: &Value,
    ) -> Run<Value> {
        if matches!(receiver, Value::Nil) {
            return Ok(Value::Nil);
        }
        if let Some(method) = method(receiver, name) {
            return self.call_method(method, receiver, operand, passed, dot);
        }
        let in_map = match receiver {
            Value::Kv(kv) => Some(Value::str(kv.get(name.as_bytes()).cloned().unwrap_or_default())),
            Value::Dict(dict) => Some(dict.entries.get(name.as_bytes()).cloned().unwrap_or(Value::Nil)),
            _ => None,
        };
        if let Some(value) = in_map {
            if !passed.is_empty() {
                return self.fail(format!("{name} is not a method but has arguments"));
            }
            return Ok(value);
        }
        match receiver.field(name) {
            Some(_) if !passed.is_empty() => {
                self.fail(format!("{name} has arguments but cannot be invoked as function"))
            }
            Some(value) => Ok(value),
            None if matches!((receiver, name), (Value::Time(_), "wall" | "ext" | "loc")) => {
                self.fail(format!("{name} is an unexported field of struct type time.Time"))
            }
            None => {
                let type_name = receiver.type_name();
                let advice = missing_field(name, type_name);
                self.fail(format!("can't evaluate field {name} in type {type_name}{advice}"))
            }
        }
    }

    /// The value of an argument for a parameter.
    pub(super) fn argument(&mut self, param: Param, operand: &'t Operand, dot: &Value) -> Run<Value> {
        self.place = Place::Operand(operand);
        let value = match &operand.term {
            Term::Nil => {
                return match param.nil() {
                    Some(nil) => Ok(nil),
                    None => self.fail(format!("cannot assign nil to {}", param.type_name())),
                };
            }
            Term::Dot => dot.clone(),
            Term::Field(_) | Term::Variable { .. } | Term::Chain { .. } => {
                self.fields(operand, Passed::default(), dot)?
            }
            Term::Pipe(pipe) => self.deeper(|execution| execution.pipe(pipe, dot))?,
            Term::Function(function) => {
                self.call_function(function, Place::Operand(operand), Passed::default(), dot)?
            }
            Term::Bool(_) | Term::Number(_) | Term::Text { .. } => {
                return self.literal_argument(param, operand, dot);
            }
        };
        self.checked(value, param)
    }

    fn literal_argument(&mut self, param: Param, operand: &'t Operand, dot: &Value) -> Run<Value> {
        match (param, &operand.term) {
            (Param::Any | Param::Reflect, _) | (Param::Str, Term::Text { .. }) => self.literal(operand, dot),
            (Param::Int, Term::Number(Number { integer: Some(integer), .. })) => Ok(Value::int(*integer)),
            (Param::Duration, Term::Number(Number { integer: Some(integer), .. })) => {
                Ok(Value::duration(*integer))
            }
            (Param::Str, _) => self.fail(format!("expected string; found {operand}")),
            (Param::Int | Param::Duration, _) => self.fail(format!("expected integer; found {operand}")),
            (Param::Time | Param::Zone | Param::Strings | Param::AnyList, _) => {
                self.fail(format!("can't handle {operand} for arg of type {}", param.type_name()))
            }
        }
    }
}
