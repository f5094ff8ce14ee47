//! JSON lines: one object per event, with the fields of its spans. Empty values are left out, as in [text
//! lines](super::logfmt).

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
};

use serde::Serializer as _;
use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer, time::FormatTime},
    registry::LookupSpan,
};

use super::log_time::LogClock;
use crate::text::is_bidi_control;

/// Writes one object per line.
pub(super) struct JsonLines(pub(super) LogClock);

/// Writes the fields of a span as an object, which [`JsonLines`] reads again.
pub(super) struct JsonFields;

impl<'w> FormatFields<'w> for JsonFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut object = Object::default();
        fields.record(&mut object);
        writer.write_str(&object.json()?)
    }
}

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        self.0.format_time(&mut Writer::new(&mut time))?;
        let mut line = Object::default();
        line.set("timestamp", time.into());
        line.set("level", event.metadata().level().as_str().into());
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>().map_or("", |fields| &fields.fields);
            let fields = serde_json::from_str::<BTreeMap<String, Value>>(fields).unwrap_or_default();
            fields.into_iter().for_each(|(name, value)| line.set(&name, value));
        }
        event.record(&mut line);
        writeln!(writer, "{}", line.json()?)
    }
}

/// Keeps the order of its fields, so that each line begins with the time and the level.
#[derive(Default)]
struct Object(Vec<(String, Value)>);

impl Object {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        let value = value.into();
        // Fields of the crate `log` repeat the level and the module.
        if value != "" && !field.name().starts_with("log.") {
            self.set(field.name(), value);
        }
    }

    fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn json(&self) -> Result<String, fmt::Error> {
        let mut json = Vec::new();
        let pairs = self.0.iter().map(|(name, value)| (name, value));
        serde_json::Serializer::new(&mut json).collect_map(pairs).map_err(|_| fmt::Error)?;
        let json = String::from_utf8(json).map_err(|_| fmt::Error)?;
        Ok(without_bidi_controls(json))
    }
}

/// Escapes controls of the direction of text, because they would change how the line looks on a terminal. In JSON they can
/// only be within strings.
fn without_bidi_controls(json: String) -> String {
    if !json.contains(is_bidi_control) {
        return json;
    }
    let escaped = |c| if is_bidi_control(c) { format!("\\u{:04x}", u32::from(c)) } else { String::from(c) };
    json.chars().map(escaped).collect()
}

impl Visit for Object {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }
}
