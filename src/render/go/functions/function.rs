//! The signature of a function, and what it may use.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{arguments::Arguments, search::PatternCache};
use crate::render::go::{
    budget::{Budget, Buffer},
    format::push_value,
    time::{Time, formatted},
    value::{Data, ListType, Value},
};

/// A function, or a method whose receiver is the first argument.
pub(in crate::render::go) struct Function {
    pub(in crate::render::go) name: &'static str,
    /// The receiver of a method is not among them.
    pub(in crate::render::go) params: &'static [Param],
    /// Any number of values for the last parameter.
    pub(in crate::render::go) is_variadic: bool,
    /// A template cannot call what has several results.
    pub(in crate::render::go) results: usize,
    pub(in crate::render::go) body: Body,
}

pub(super) type Body = fn(&mut Call<'_>, Arguments<'_>) -> Result<Value, String>;

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::render::go) enum Param {
    /// Any value, also `nil`.
    Any,
    /// Any value. Go passes it to built-in functions as a `reflect.Value`.
    Reflect,
    Str,
    Int,
    Duration,
    Time,
    Zone,
    Strings,
    AnyList,
}

impl Param {
    pub(in crate::render::go) fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Str => "string",
            Self::Int => "int",
            Self::Duration => "time.Duration",
            Self::Time => "time.Time",
            Self::Zone => "*time.Location",
            Self::Strings => ListType::Strings.name(),
            Self::AnyList => ListType::Any.name(),
        }
    }

    /// The value of `nil` for this type, if `nil` has the type.
    pub(in crate::render::go) fn nil(self) -> Option<Value> {
        match self {
            Self::Any | Self::Reflect => Some(Value::Nil),
            Self::Strings => Value::list(Vec::new(), ListType::Strings).ok(),
            Self::AnyList => Value::list(Vec::new(), ListType::Any).ok(),
            Self::Str | Self::Int | Self::Duration | Self::Time | Self::Zone => None,
        }
    }
}

/// What functions use beside their arguments.
pub(in crate::render::go) struct Call<'c> {
    /// The moment of the render.
    pub(in crate::render::go) now: &'c Time,
    /// The zone that Go calls local.
    pub(in crate::render::go) zone: &'c TimeZone,
    pub(in crate::render::go) data: &'c Arc<Data>,
    pub(in crate::render::go) patterns: &'c PatternCache,
    pub(in crate::render::go) budget: &'c mut Budget,
}

impl Call<'_> {
    /// A new string.
    pub(super) fn bytes(&mut self, bytes: Vec<u8>) -> Result<Value, String> {
        self.budget.value(bytes.len())?;
        Ok(Value::str(bytes))
    }

    pub(super) fn text(&mut self, text: String) -> Result<Value, String> {
        self.bytes(text.into_bytes())
    }

    pub(super) fn buffer(&mut self, buffer: Buffer) -> Result<Value, String> {
        self.bytes(buffer.into_bytes())
    }

    /// A time in a layout, which may be long.
    pub(super) fn formatted(&mut self, time: &Time, layout: &str) -> Result<Value, String> {
        self.pay_for_layout(layout)?;
        self.text(formatted(time, layout))
    }

    pub(super) fn pay_for_layout(&mut self, layout: &str) -> Result<(), String> {
        const BYTES_PER_STEP: usize = 4;
        Ok(self.budget.steps((layout.len() / BYTES_PER_STEP) as u64)?)
    }

    /// The text that `print` writes.
    pub(super) fn printed(&mut self, value: &Value) -> Result<Value, String> {
        let mut text = Buffer::default();
        push_value(&mut text, value)?;
        self.buffer(text)
    }

    /// A new list.
    pub(super) fn list(&mut self, items: Vec<Value>, kind: ListType) -> Result<Value, String> {
        self.budget.items(items.len())?;
        Value::list(items, kind)
    }
}

pub(super) const fn function(name: &'static str, params: &'static [Param], body: Body) -> Function {
    Function { name, params, is_variadic: false, results: 1, body }
}

pub(super) const fn variadic(name: &'static str, params: &'static [Param], body: Body) -> Function {
    Function { name, params, is_variadic: true, results: 1, body }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
