//! Labels and annotations, in Alertmanager's order.

use tera::{Error, Kwargs, Map, State, TeraResult, Value};

/// The map without `names`: an array of names, or a map whose names are meant.
pub(super) fn remove(map: &Map, kwargs: Kwargs, _: &State<'_>) -> TeraResult<Map> {
    let names = kwargs.must_get::<&Value>("names")?;
    let has: &dyn Fn(&str) -> bool = if let Some(names) = names.as_map() {
        &|name| names.keys().any(|other| other.as_str() == Some(name))
    } else if let Some(names) = names.as_array() {
        &|name| names.iter().any(|other| other.as_str() == Some(name))
    } else {
        return Err(Error::message(format!("`names` must be an array or a map, not {}", names.name())));
    };
    let left = map.iter().filter(|(name, _)| !name.as_str().is_some_and(has));
    Ok(left.map(|(name, value)| (name.clone(), value.clone())).collect())
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
