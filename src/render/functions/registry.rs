//! Registers the filters and functions with Tera, and defines the short ones.

use tera::{Error, Kwargs, Map, State, Tera, TeraResult, Value, value::Key};

use super::{alerts, links, pairs, pattern, time, wording};
use crate::{
    alertmanager,
    render::{markdown, render_context, rendered::AlertKind},
    text::{ELLIPSIS, go_query_escape, one_line, shorten},
};

/// The maximum number of numbers of `range`: enough for any message, and not enough to hang.
const MAX_RANGE: i64 = 1000;

/// Filters and functions that are added to those of Tera, or replace one of them.
pub(in crate::render) const NAMES: [&str; 27] = [
    "alerts_url",
    "begin_alert",
    "by_severity",
    "date",
    "details",
    "duration",
    "end_alert",
    "go_query_escape",
    "headline",
    "label_name",
    "links",
    "markdown_escape",
    "markdown_url",
    "markdown_v2_escape",
    "one_line",
    "range",
    "regex_replace",
    "remove",
    "severity_name",
    "silence_url",
    "since",
    "sorted_pairs",
    "truncate_bytes",
    "unique",
    "unquote",
    "values",
    "words",
];

/// Adds the filters and functions to `tera`.
pub(in crate::render) fn register(tera: &mut Tera) {
    tera.register_filter("begin_alert", begin_alert);
    tera.register_filter("by_severity", alerts::by_severity);
    tera.register_filter("date", time::date);
    tera.register_filter("details", alerts::details);
    tera.register_filter("duration", time::duration);
    tera.register_filter("end_alert", |_: &Value, _: Kwargs, _: &State<'_>| {
        render_context::with(|context| context.markers.end())
    });
    tera.register_filter("go_query_escape", |text: &str, _: Kwargs, _: &State<'_>| go_query_escape(text));
    tera.register_filter("label_name", wording::label_name);
    tera.register_filter("links", alerts::links);
    tera.register_filter("markdown_escape", |text: &str, _: Kwargs, _: &State<'_>| markdown::escape(text));
    tera.register_filter("markdown_url", |text: &str, _: Kwargs, _: &State<'_>| markdown::url(text));
    tera.register_filter("markdown_v2_escape", |text: &str, _: Kwargs, _: &State<'_>| {
        markdown::escape_v2(text)
    });
    tera.register_filter("one_line", |text: &str, _: Kwargs, _: &State<'_>| one_line(text));
    tera.register_filter("regex_replace", pattern::replacer());
    tera.register_filter("remove", pairs::remove);
    tera.register_filter("severity_name", wording::severity_name);
    tera.register_filter("silence_url", links::silence_url);
    tera.register_filter("since", time::since);
    tera.register_filter("sorted_pairs", pairs::sorted_pairs);
    tera.register_filter("truncate_bytes", truncate_bytes);
    tera.register_filter("unique", pairs::unique);
    tera.register_filter("unquote", |text: &str, _: Kwargs, _: &State<'_>| {
        alertmanager::unquote(text).into_owned()
    });
    tera.register_filter("values", pairs::values);
    tera.register_function("alerts_url", |_: Kwargs, _: &State<'_>| {
        render_context::with(|context| context.alerts_url.clone())
    });
    tera.register_function("headline", wording::headline);
    tera.register_function("range", range);
    tera.register_function("words", wording::words);
}

/// Marks the beginning of the text of an alert.
fn begin_alert(alert: &Map, _: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let is_resolved = alert.get(&Key::Str("status")).and_then(Value::as_str) == Some("resolved");
    let kind =
        if is_resolved { AlertKind::Resolved } else { AlertKind::Firing { rank: alerts::rank(alert) } };
    render_context::with(|context| context.markers.begin(kind))
}

/// `range` of Tera with a limit.
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

/// The text in at most `bytes` bytes.
fn truncate_bytes(text: &str, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let bytes = kwargs.must_get::<i64>("bytes")?;
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes >= ELLIPSIS.len());
    let bytes = bytes.ok_or_else(|| Error::message("`bytes` must be at least 3, the length of `…`"))?;
    Ok(shorten(text, bytes).into_owned())
}
