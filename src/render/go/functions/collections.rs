//! `len`, `index`, `slice`, and functions that make lists and dictionaries.

use std::{collections::BTreeMap, sync::Arc};

use super::{arguments::Arguments, function::Call};
use crate::render::go::{
    budget::Buffer,
    runes::Bytes,
    value::{IntType, List, ListType, StrType, Value},
};

pub(super) fn length(value: &Value) -> Result<Value, String> {
    let count = match value {
        Value::Str(text, _) => text.len(),
        Value::List(list) => list.items.len(),
        Value::Kv(kv) => kv.0.len(),
        Value::Dict(dict) => dict.entries.len(),
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        _ => return Err(format!("len of type {}", value.type_name())),
    };
    Ok(Value::count(count))
}

/// `index x 1 "a"` is `x[1]["a"]`. A missing name has the zero value.
pub(super) fn index(value: &Value, indices: &[Value]) -> Result<Value, String> {
    if matches!(value, Value::Nil) {
        return Err("index of untyped nil".to_owned());
    }
    let mut found = value.clone();
    for index in indices {
        found = match &found {
            Value::Str(text, _) => {
                let byte = text.get(position(index, text.len())?).copied();
                let byte = byte.ok_or("reflect: string index out of range")?;
                Value::Int(byte.into(), IntType::Byte)
            }
            Value::List(list) => {
                let item = list.items.get(position(index, list.items.len())?);
                item.ok_or("reflect: slice index out of range")?.clone()
            }
            Value::Kv(kv) => {
                let value = kv.get(name(index)?);
                Value::str(value.map_or_else(Bytes::default, Bytes::clone))
            }
            Value::Dict(dict) => dict.entries.get(name(index)?).cloned().unwrap_or(Value::Nil),
            Value::Nil => return Err("index of nil pointer".to_owned()),
            other => return Err(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(found)
}

/// An index up to `length`.
fn position(index: &Value, length: usize) -> Result<usize, String> {
    match index {
        Value::Int(index, _) => {
            let position = usize::try_from(*index).ok().filter(|position| *position <= length);
            position.ok_or_else(|| format!("index out of range: {index}"))
        }
        Value::Nil => Err("cannot index slice/array with nil".to_owned()),
        _ => Err(format!("cannot index slice/array with type {}", index.type_name())),
    }
}

/// A name in a map.
fn name(index: &Value) -> Result<&[u8], String> {
    match index {
        Value::Str(name, StrType::Plain) => Ok(name),
        Value::Nil => Err("value is nil; should be of type string".to_owned()),
        _ => Err(format!("value has type {}; should be string", index.type_name())),
    }
}

/// `slice x 1 2` is `x[1:2]`. A slice of a string may cut a character.
pub(super) fn slice(call: &mut Call<'_>, value: &Value, indices: &[Value]) -> Result<Value, String> {
    let length = match value {
        Value::Nil => return Err("slice of untyped nil".to_owned()),
        _ if indices.len() > 3 => return Err(format!("too many slice indexes: {}", indices.len())),
        Value::Str(..) if indices.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Value::Str(text, _) => text.len(),
        Value::List(list) => list.items.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut positions = [0, length, length];
    for (to, index) in positions.iter_mut().zip(indices) {
        *to = position(index, length)?;
    }
    let [start, end, capacity] = positions;
    for (low, high) in [(start, end), (end, capacity)] {
        if low > high {
            return Err(format!("invalid slice index: {low} > {high}"));
        }
    }
    match value {
        Value::Str(text, kind) => {
            let part = text.get(start..end).unwrap_or_default();
            call.budget.value(part.len())?;
            Ok(Value::Str(part.into(), *kind))
        }
        Value::List(list) => {
            let items = list.items.get(start..end).unwrap_or_default().to_vec();
            call.list(items, list.kind)
        }
        _ => Ok(Value::Nil),
    }
}

/// `join sep strings`
pub(super) fn join(call: &mut Call<'_>, args: Arguments<'_>) -> Result<Value, String> {
    let text = joined(call, args.items(1), args.bytes(0))?;
    call.buffer(text)
}

pub(super) fn joined(call: &mut Call<'_>, items: &[Value], separator: &[u8]) -> Result<Buffer, String> {
    call.budget.steps(items.len() as u64)?;
    let mut text = Buffer::default();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(separator)?;
        }
        if let Value::Str(item, _) = item {
            text.push(item)?;
        }
    }
    Ok(text)
}

pub(super) fn append(call: &mut Call<'_>, args: Arguments<'_>) -> Result<Value, String> {
    let items = args.items(0);
    call.budget.steps(items.len() as u64)?;
    let items = items.iter().chain(args.from(1)).cloned().collect();
    call.list(items, ListType::Any)
}

pub(super) fn dict(call: &mut Call<'_>, args: Arguments<'_>) -> Result<Value, String> {
    call.budget.items(args.all().len())?;
    let (pairs, rest) = args.all().as_chunks::<2>();
    if !rest.is_empty() {
        return Err("dict requires an even number of arguments: a name and a value for each entry".to_owned());
    }
    let mut entries = BTreeMap::new();
    for [name, value] in pairs {
        let Value::Str(name, StrType::Plain) = name else {
            return Err(format!("dict keys must be strings, not {}", name.type_name()));
        };
        entries.insert(Arc::clone(name), value.clone());
    }
    Value::dict(entries)
}

/// The alerts of `list` that have this status.
pub(super) fn alerts_with(call: &mut Call<'_>, list: &List, status: &[u8]) -> Result<Value, String> {
    call.budget.steps(list.items.len() as u64)?;
    let has_status = |item: &&Value| matches!(item, Value::Alert(alert) if *alert.status == *status);
    call.list(list.items.iter().filter(has_status).cloned().collect(), ListType::AlertSlice)
}
