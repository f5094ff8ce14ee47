//! What templates can call beside Tera's own filters: pure functions of their arguments and of the
//! [`Scope`](super::scope::Scope). There is none that reads a file, the environment or the clock.
//!
//! `templates/README.md` has a row and an example for each; a test runs the examples and misses none.

mod links;
mod markdown;
mod pairs;
mod pattern;
mod text;
mod time;

use tera::{Error, Kwargs, Map, State, Tera, TeraResult, Value, value::Key};

use super::scope;
use crate::text::{go_query_escape, one_line};

pub(super) use links::alerts_url;
pub(super) use markdown::url as markdown_url;

/// As far as `range` counts: enough for any message, too little to hang on.
const MAX_RANGE: i64 = 1000;

/// The filters and functions that are added to Tera's, or replace one of them.
#[cfg(test)]
pub(super) const NAMES: [&str; 19] = [
    "alerts_url",
    "begin_alert",
    "date",
    "duration",
    "end_alert",
    "go_query_escape",
    "markdown_escape",
    "markdown_url",
    "one_line",
    "range",
    "regex_replace",
    "remove",
    "silence_url",
    "since",
    "sorted_pairs",
    "truncate_bytes",
    "unique",
    "unquote",
    "values",
];

/// Adds the filters and functions to `tera`.
pub(super) fn register(tera: &mut Tera) {
    tera.register_filter("begin_alert", begin_alert);
    tera.register_filter("date", time::date);
    tera.register_filter("duration", time::duration);
    tera.register_filter("end_alert", |_: &Value, _: Kwargs, _: &State<'_>| {
        scope::with(|scope| scope.markers.end())
    });
    tera.register_filter("go_query_escape", |text: &str, _: Kwargs, _: &State<'_>| go_query_escape(text));
    tera.register_filter("markdown_escape", |text: &str, _: Kwargs, _: &State<'_>| markdown::escape(text));
    tera.register_filter("markdown_url", |text: &str, _: Kwargs, _: &State<'_>| markdown::url(text));
    tera.register_filter("one_line", |text: &str, _: Kwargs, _: &State<'_>| one_line(text));
    tera.register_filter("regex_replace", pattern::replacer());
    tera.register_filter("remove", pairs::remove);
    tera.register_filter("silence_url", links::silence_url);
    tera.register_filter("since", time::since);
    tera.register_filter("sorted_pairs", pairs::sorted_pairs);
    tera.register_filter("truncate_bytes", text::truncate_bytes);
    tera.register_filter("unique", pairs::unique);
    tera.register_filter("unquote", |text: &str, _: Kwargs, _: &State<'_>| {
        crate::alertmanager::unquote(text).into_owned()
    });
    tera.register_filter("values", pairs::values);
    tera.register_function("alerts_url", |_: Kwargs, _: &State<'_>| {
        scope::with(|scope| scope.alerts_url.clone())
    });
    tera.register_function("range", range);
}

/// Marks where the text of an alert begins.
fn begin_alert(alert: &Map, _: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let resolved = alert.get(&Key::Str("status")).and_then(Value::as_str) == Some("resolved");
    scope::with(|scope| scope.markers.begin(resolved))
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
mod tests;
