//! Filters for labels and annotations, in the order of Alertmanager.
//!
//! A payload may have any number of pairs, so no filter here takes quadratic time.

use std::collections::HashSet;

use tera::{Error, Kwargs, Map, State, TeraResult, Value, value::Key};

/// The map without `names`, which is an array of names or a map with these names.
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

/// Keeps the pairs with a name for which `keep` is true, and those with a name that is not a text.
fn retained(map: &Map, keep: impl Fn(&Key<'static>) -> bool) -> Map {
    let kept = map.iter().filter(|(name, _)| name.as_str().is_none() || keep(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The first of each group of equal values.
///
/// It replaces the filter of Tera, which searches all earlier values for each value. Here texts are looked up in a
/// set. Other values are searched as in Tera, but the built-in templates have none.
pub(super) fn unique(values: &[Value], _: Kwargs, _: &State<'_>) -> Vec<Value> {
    let mut texts: HashSet<&str> = HashSet::new();
    let mut others: Vec<&Value> = Vec::new();
    let mut unique = Vec::new();
    for value in values {
        let is_first = match value.as_str() {
            Some(text) => texts.insert(text),
            None => !others.contains(&value),
        };
        if !is_first {
            continue;
        }
        if value.as_str().is_none() {
            others.push(value);
        }
        unique.push(value.clone());
    }
    unique
}

/// The map as an array of `{name, value}`.
pub(super) fn sorted_pairs(map: &Map, _: Kwargs, _: &State<'_>) -> Vec<Value> {
    let pair = |(name, value): (&str, &Value)| {
        Map::from_iter([("name".into(), name.into()), ("value".into(), value.clone())]).into()
    };
    sorted(map).into_iter().map(pair).collect()
}

/// The values of the map in the order of [`sorted_pairs`].
pub(super) fn values(map: &Map, _: Kwargs, _: &State<'_>) -> Vec<Value> {
    sorted(map).into_iter().map(|(_, value)| value.clone()).collect()
}

/// The order of Alertmanager: `alertname` first, then by the bytes of the name.
fn sorted(map: &Map) -> Vec<(&str, &Value)> {
    let mut pairs: Vec<_> =
        map.iter().map(|(name, value)| (name.as_str().unwrap_or_default(), value)).collect();
    pairs.sort_by_key(|(name, _)| (*name != "alertname", *name));
    pairs
}
