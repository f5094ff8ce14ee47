//! `eq`, `lt` and their relatives. Values of different types are not compared, except integers.

use std::sync::Arc;

use crate::render::go::value::{IntType, Value};

/// The kinds of values that Go compares by their contents.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Bool,
    Int,
    Unsigned,
    Float,
    Str,
    Other,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Bool,
        Value::Int(_, IntType::Byte) => Kind::Unsigned,
        Value::Int(..) => Kind::Int,
        Value::Float(_) => Kind::Float,
        Value::Str(..) => Kind::Str,
        _ => Kind::Other,
    }
}

/// # Errors
/// The values cannot be compared.
pub(super) fn equal(first: &Value, second: &Value) -> Result<bool, String> {
    Ok(match (first, second) {
        (Value::Bool(first), Value::Bool(second)) => first == second,
        (Value::Int(first, _), Value::Int(second, _)) => first == second,
        (Value::Float(first), Value::Float(second)) => first == second,
        (Value::Str(first, _), Value::Str(second, _)) => first == second,
        (Value::Nil, other) | (other, Value::Nil) => {
            if kind(other) == Kind::Other {
                comparable(other)?;
            }
            matches!(other, Value::Nil)
        }
        _ if kind(first) != kind(second) => return Err(incompatible(first, second)),
        (Value::Time(first), Value::Time(second)) => first == second,
        (Value::Data(first), Value::Data(second)) => Arc::ptr_eq(first, second),
        (Value::Zone(first), Value::Zone(second)) => Arc::ptr_eq(first, second),
        (Value::Pair(first, first_index), Value::Pair(second, second_index)) => {
            first.0.get(*first_index) == second.0.get(*second_index)
        }
        _ => {
            comparable(first)?;
            comparable(second)?;
            false
        }
    })
}

/// # Errors
/// Lists, maps, and structs with maps in them are never compared.
fn comparable(value: &Value) -> Result<(), String> {
    match value {
        Value::List(_) | Value::Kv(_) | Value::Dict(_) | Value::Alert(_) => {
            Err(format!("non-comparable type {}", value.type_name()))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// The values have no order.
pub(super) fn less(first: &Value, second: &Value) -> Result<bool, String> {
    Ok(match (first, second) {
        (Value::Int(first, _), Value::Int(second, _)) => first < second,
        (Value::Float(first), Value::Float(second)) => first < second,
        (Value::Str(first, _), Value::Str(second, _)) => first < second,
        _ if kind(first) == Kind::Other || kind(second) == Kind::Other => {
            return Err("invalid type for comparison".to_owned());
        }
        _ if kind(first) != kind(second) => return Err(incompatible(first, second)),
        _ => return Err("invalid type for comparison".to_owned()),
    })
}

fn incompatible(first: &Value, second: &Value) -> String {
    format!("incompatible types for comparison: {} and {}", first.type_name(), second.type_name())
}
