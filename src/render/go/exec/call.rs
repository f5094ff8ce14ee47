//! Calls of functions and methods.

use super::{
    eval::Passed,
    execution::{Execution, Run},
    failure::Place,
};
use crate::render::go::{
    advice::several_results,
    functions::{Arguments, Call, Function, Param},
    syntax::Operand,
    value::{IntType, ListType, StrType, Value},
};

impl<'t> Execution<'t> {
    /// Calls `function`. An error of the function itself is at `place`.
    pub(super) fn call_function(
        &mut self,
        function: &'static Function,
        place: Place<'t>,
        passed: Passed<'t>,
        dot: &Value,
    ) -> Run<Value> {
        if matches!(function.name, "and" | "or") {
            return self.and_or(function, passed, dot);
        }
        self.call(function, None, place, passed, dot)
    }

    pub(super) fn call_method(
        &mut self,
        method: &'static Function,
        receiver: &Value,
        operand: &'t Operand,
        passed: Passed<'t>,
        dot: &Value,
    ) -> Run<Value> {
        self.call(method, Some(receiver), Place::Operand(operand), passed, dot)
    }

    fn call(
        &mut self,
        function: &'static Function,
        receiver: Option<&Value>,
        place: Place<'t>,
        passed: Passed<'t>,
        dot: &Value,
    ) -> Run<Value> {
        self.check_count(function, &passed)?;
        if function.results > 1 {
            let (name, results, advice) = (function.name, function.results, several_results(function.name));
            return self
                .fail(format!("can't call method/function \"{name}\" with {results} results{advice}"));
        }
        let mut arguments = Vec::with_capacity(passed.operands.len() + 2);
        arguments.extend(receiver.cloned());
        let mut params = Params::of(function);
        for operand in passed.operands {
            let argument = self.argument(params.next(), operand, dot)?;
            arguments.push(argument);
        }
        if let Some(piped) = passed.piped {
            arguments.push(self.checked(piped, params.next())?);
        }
        self.pay_for(&arguments)?;
        let mut call = Call {
            now: self.context.now,
            zone: self.context.zone,
            data: self.context.data,
            patterns: self.context.patterns,
            budget: &mut self.budget,
        };
        (function.body)(&mut call, Arguments(&arguments)).or_else(|message| {
            self.place = place;
            self.fail(format!("error calling {}: {message}", function.name))
        })
    }

    /// Evaluates one argument after the other, up to the one that decides.
    fn and_or(&mut self, function: &'static Function, passed: Passed<'t>, dot: &Value) -> Run<Value> {
        self.check_count(function, &passed)?;
        let mut value = Value::Nil;
        for operand in passed.operands {
            value = self.argument(Param::Reflect, operand, dot)?;
            if value.is_true() == (function.name == "or") {
                return Ok(value);
            }
        }
        Ok(passed.piped.unwrap_or(value))
    }

    fn check_count(&self, function: &Function, passed: &Passed<'_>) -> Run<()> {
        let count = passed.operands.len() + usize::from(passed.piped.is_some());
        let (name, params) = (function.name, function.params.len());
        if function.is_variadic {
            let least = params - 1;
            if count < least {
                let count = passed.operands.len();
                return self
                    .fail(format!("wrong number of args for {name}: want at least {least} got {count}"));
            }
        } else if count != params {
            return self.fail(format!("wrong number of args for {name}: want {params} got {count}"));
        }
        Ok(())
    }

    /// Pays for reading long strings.
    fn pay_for(&mut self, arguments: &[Value]) -> Run<()> {
        self.step()?;
        for argument in arguments {
            if let Value::Str(text, _) = argument {
                let paid = self.budget.read(text.len());
                self.at_place(paid)?;
            }
        }
        Ok(())
    }

    /// `value`, if a parameter takes its type.
    pub(super) fn checked(&self, value: Value, param: Param) -> Run<Value> {
        let has_type = match (param, &value) {
            (Param::Any | Param::Reflect, _) => true,
            (_, Value::Nil) => {
                return match param.nil() {
                    Some(nil) => Ok(nil),
                    None => self.fail(format!("invalid value; expected {}", param.type_name())),
                };
            }
            (Param::Str, Value::Str(_, kind)) => *kind == StrType::Plain,
            (Param::Int, Value::Int(_, kind)) => *kind == IntType::Int,
            (Param::Duration, Value::Int(_, kind)) => *kind == IntType::Duration,
            (Param::Time, Value::Time(_)) | (Param::Zone, Value::Zone(_)) => true,
            (Param::Strings, Value::List(list)) => {
                matches!(list.kind, ListType::Strings | ListType::NamedStrings)
            }
            (Param::AnyList, Value::List(list)) => list.kind == ListType::Any,
            _ => false,
        };
        if has_type {
            return Ok(value);
        }
        let (expected, got) = (param.type_name(), value.type_name());
        self.fail(format!("wrong type for value; expected {expected}; got {got}"))
    }
}

/// The parameters of a function one by one. The last one of a variadic function comes again and again.
struct Params {
    params: &'static [Param],
    next: usize,
}

impl Params {
    fn of(function: &'static Function) -> Self {
        Self { params: function.params, next: 0 }
    }

    fn next(&mut self) -> Param {
        let param = self.params.get(self.next).or(self.params.last());
        self.next += 1;
        param.copied().unwrap_or(Param::Any)
    }
}
