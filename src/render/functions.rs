//! What templates can call beside Tera's own filters: pure functions of their arguments. There is none that reads
//! a file, the environment or the clock.

use std::fmt::Write;

use tera::{Error, Kwargs, Map, State, Tera, TeraResult, Value};

/// As far as `range` counts: enough for any message, too little to hang on.
const MAX_RANGE: i64 = 1000;

/// Adds the filters and functions to `tera`.
pub(super) fn register(tera: &mut Tera) {
    tera.register_filter("go_query_escape", |text: &str, _: Kwargs, _: &State<'_>| go_query_escape(text));
    tera.register_filter("one_line", |text: &str, _: Kwargs, _: &State<'_>| one_line(text));
    tera.register_filter("remove", remove);
    tera.register_filter("sorted_pairs", sorted_pairs);
    tera.register_filter("values", |map: &Map, _: Kwargs, _: &State<'_>| {
        sorted(map).into_iter().map(|(_, value)| value.clone()).collect::<Vec<Value>>()
    });
    tera.register_function("range", range);
}

/// Go's `url.QueryEscape`: a space is `+`, and all but letters, digits and `-_.~` is escaped by byte.
pub fn go_query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            // Writing to a `String` cannot fail.
            _ => _ = write!(escaped, "%{byte:02X}"),
        }
    }
    escaped
}

/// The text with every run of spaces, line breaks and control characters made one space.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// The map without `names`: an array of names, or a map whose names are meant.
fn remove(map: &Map, kwargs: Kwargs, _: &State<'_>) -> TeraResult<Map> {
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
fn sorted_pairs(map: &Map, _: Kwargs, _: &State<'_>) -> Vec<Value> {
    let pair = |(name, value): (&str, &Value)| {
        Map::from_iter([("name".into(), name.into()), ("value".into(), value.clone())]).into()
    };
    sorted(map).into_iter().map(pair).collect()
}

/// Alertmanager's order: `alertname` first, then bytewise by name.
fn sorted(map: &Map) -> Vec<(&str, &Value)> {
    let mut pairs: Vec<_> =
        map.iter().map(|(name, value)| (name.as_str().unwrap_or_default(), value)).collect();
    pairs.sort_by_key(|(name, _)| (*name != "alertname", *name));
    pairs
}

/// Tera's `range`, but short.
fn range(kwargs: Kwargs, _: &State<'_>) -> TeraResult<Vec<i64>> {
    let start = kwargs.get::<i64>("start")?.unwrap_or_default();
    let end = kwargs.must_get::<i64>("end")?;
    let step = kwargs.get::<i64>("step_by")?.unwrap_or(1);
    let step = usize::try_from(step).ok().filter(|step| *step > 0);
    let step = step.ok_or_else(|| Error::message("`step_by` of `range` must be at least 1"))?;
    if end.saturating_sub(start) > MAX_RANGE {
        return Err(Error::message(format!("`range` counts {MAX_RANGE} numbers at most")));
    }
    Ok((start..end).step_by(step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str) -> Result<String, String> {
        let mut tera = Tera::default();
        register(&mut tera);
        tera.render_str(template, &tera::Context::new(), false).map_err(|error| error.to_string())
    }

    #[test]
    fn a_query_is_escaped_as_go_escapes_it() {
        assert_eq!(go_query_escape(r"db\.on call/中-_.~&+"), "db%5C.on+call%2F%E4%B8%AD-_.~%26%2B");
    }

    #[test]
    fn pairs_and_values_come_in_alertmanagers_order() {
        let map = r#"{"b": "2", "alertname": "n", "B": "1"}"#;
        let pairs =
            format!("{{% for p in {map} | sorted_pairs %}}{{{{ p.name }}}}={{{{ p.value }}}} {{% endfor %}}");
        assert_eq!(render(&pairs).unwrap(), "alertname=n B=1 b=2 ");
        assert_eq!(render(&format!("{{{{ {map} | values | join(sep=',') }}}}")).unwrap(), "n,1,2");
    }

    #[test]
    fn names_are_removed_by_array_or_map() {
        let rest =
            |names| render(&format!(r#"{{{{ {{"a": 1, "b": 2, "c": 3}} | remove(names={names}) }}}}"#));
        assert_eq!(rest(r#"["a", "c"]"#).unwrap(), r#"{"b": 2}"#);
        assert_eq!(rest(r#"{"b": 0}"#).unwrap(), r#"{"a": 1, "c": 3}"#);
        assert!(rest("1").is_err());
    }

    #[test]
    fn a_line_has_no_breaks_and_no_runs_of_spaces() {
        assert_eq!(one_line(" a\r\n\tb \u{0}\u{2028}c "), "a b c");
    }

    #[test]
    fn a_range_is_short_and_ends() {
        assert_eq!(render("{{ range(start=1, end=6, step_by=2) }}").unwrap(), "[1, 3, 5]");
        assert_eq!(render("{{ range(end=-1) }}").unwrap(), "[]");
        assert!(render("{{ range(end=1001) }}").is_err());
        assert!(render("{{ range(end=1, step_by=0) }}").is_err());
    }
}
