//! Labels and annotations, in Alertmanager's order.
//!
//! How many there are is the sender's choice, so nothing here looks through all of them for each of them.

use std::collections::HashSet;

use tera::{Error, Kwargs, Map, State, TeraResult, Value, value::Key};

/// The map without `names`: an array of names, or a map whose names are meant.
pub(super) fn remove(map: &Map, kwargs: Kwargs, _: &State<'_>) -> TeraResult<Map> {
    let names = kwargs.must_get::<&Value>("names")?;
    if let Some(names) = names.as_map() {
        return Ok(retained(map, |name| !names.contains_key(name)));
    }
    let Some(names) = names.as_array() else {
        return Err(Error::message(format!("`names` must be an array or a map, not {}", names.name())));
    };
    let names: HashSet<&str> = names.iter().filter_map(Value::as_str).collect();
    Ok(retained(map, |name| !name.as_str().is_some_and(|name| names.contains(name))))
}

/// The pairs whose names are to be kept; a name that is no text is kept always.
fn retained(map: &Map, keep: impl Fn(&Key<'static>) -> bool) -> Map {
    let left = map.iter().filter(|(name, _)| name.as_str().is_none() || keep(name));
    left.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Tera's `unique`, which looks through all that it has found for each value: the first of those that are equal.
/// Texts are looked up; other values, which the built-in templates do not have, are compared as Tera does.
pub(super) fn unique(values: &[Value], _: Kwargs, _: &State<'_>) -> Vec<Value> {
    let mut texts: HashSet<&str> = HashSet::new();
    let mut others: Vec<&Value> = Vec::new();
    let mut is_first = |value| match Value::as_str(value) {
        Some(text) => texts.insert(text),
        None if others.contains(&value) => false,
        None => {
            others.push(value);
            true
        }
    };
    values.iter().filter(|value| is_first(*value)).cloned().collect()
}

/// The map as an array of `{name, value}`, `alertname` first, then bytewise by name.
pub(super) fn sorted_pairs(map: &Map, _: Kwargs, _: &State<'_>) -> Vec<Value> {
    let pair = |(name, value): (&str, &Value)| {
        Map::from_iter([("name".into(), name.into()), ("value".into(), value.clone())]).into()
    };
    sorted(map).into_iter().map(pair).collect()
}

/// The map's values in the order of [`sorted_pairs`].
pub(super) fn values(map: &Map, _: Kwargs, _: &State<'_>) -> Vec<Value> {
    sorted(map).into_iter().map(|(_, value)| value.clone()).collect()
}

/// Alertmanager's order: `alertname` first, then bytewise by name.
fn sorted(map: &Map) -> Vec<(&str, &Value)> {
    let mut pairs: Vec<_> =
        map.iter().map(|(name, value)| (name.as_str().unwrap_or_default(), value)).collect();
    pairs.sort_by_key(|(name, _)| (*name != "alertname", *name));
    pairs
}
