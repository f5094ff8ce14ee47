//! Reads JSON as a [`Payload`]. An odd value is corrected or ignored, and noted in [`Repairs`].

use std::mem;

use serde_json::{Error, Map, Number, Value, value::RawValue};

use super::{
    legacy,
    payload::{Alert, Extra, Pairs, Payload},
    raw::{Extent, Field, Fields, Items, Kind, extent, kind},
    repairs::{Repair, Repairs},
    time,
};
use crate::text::without_controls;

/// The memory of an alert without its labels, annotations and texts. This and the next sizes count a value twice,
/// because it is in the payload and again among the values for templates.
pub const ALERT_BYTES: usize = 2000;
/// The memory of an unknown field without its value.
pub const FIELD_BYTES: usize = 120;
/// The memory of a label or annotation without its texts.
pub const PAIR_BYTES: usize = 220;
/// The additional memory of an alert that is not an object.
pub const ITEM_BYTES: usize = 800;
/// A longer text is cut. No message is as long.
const MAX_TEXT: usize = 256 << 10;
/// A text up to this length is kept even if no memory is left, because no status may be cut.
const SHORT_TEXT: usize = 64;
/// The maximum number of unknown fields of an object that are kept.
const MAX_EXTRA: usize = 100;
/// An unknown field with deeper nesting is not kept.
pub const MAX_DEPTH: usize = 16;
/// Numbers with more digits are kept as text.
const EXACT_DIGITS: usize = 17;

/// The memory that a payload may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadMemory {
    /// For alerts, labels and unknown fields.
    pub values: usize,
    /// For one copy of their texts.
    pub texts: usize,
}

impl PayloadMemory {
    pub const UNLIMITED: Self = Self { values: usize::MAX, texts: usize::MAX };
}

/// Reads a payload that uses at most `memory`. Returns `None` if the object is not a payload. Each status of the result is
/// the word in the body.
///
/// # Errors
/// The text is not a JSON object.
pub(super) fn read(json: &str, memory: PayloadMemory) -> Result<Option<Payload>, Error> {
    let mut reader = Reader { repairs: Repairs::default(), memory, left_out: 0 };
    let fields = reader.fields(json)?;
    let is_payload = fields.iter().any(|field| is_group_field(&field.name));
    if !is_payload && !legacy::is_legacy(&fields) {
        return Ok(None);
    }
    let mut payload = reader.payload(fields)?;
    if !is_payload {
        legacy::convert(&mut payload);
    }
    payload.truncated_alerts = payload.truncated_alerts.saturating_add(reader.left_out);
    payload.repairs = reader.repairs;
    Ok(Some(payload))
}

/// True for the fields that every payload about an alert group has.
fn is_group_field(name: &str) -> bool {
    matches!(name, "alerts" | "groupLabels" | "commonLabels" | "commonAnnotations")
}

struct Reader {
    repairs: Repairs,
    /// The memory that is left.
    memory: PayloadMemory,
    /// The number of alerts for which no memory was left.
    left_out: u64,
}

impl Reader {
    fn payload(&mut self, fields: Vec<Field<'_>>) -> Result<Payload, Error> {
        let mut payload = Payload::default();
        for Field { name, value } in fields {
            match &*name {
                "alerts" => self.alerts(value, &mut payload.alerts)?,
                "receiver" => payload.receiver = self.text(value)?,
                "status" => payload.status = self.status(value)?,
                "groupLabels" => self.pairs("groupLabels", value, &mut payload.group_labels)?,
                "commonLabels" => self.pairs("commonLabels", value, &mut payload.common_labels)?,
                "commonAnnotations" => {
                    self.pairs("commonAnnotations", value, &mut payload.common_annotations)?;
                }
                "externalURL" => payload.external_url = self.text(value)?,
                "version" => payload.version = self.text(value)?,
                "groupKey" => payload.group_key = self.text(value)?,
                "truncatedAlerts" => payload.truncated_alerts = self.count(value)?,
                _ => self.extra(&name, value, &mut payload.extra)?,
            }
        }
        Ok(payload)
    }

    fn alerts(&mut self, value: &RawValue, alerts: &mut Vec<Alert>) -> Result<(), Error> {
        match kind(value) {
            Kind::Null => Ok(()),
            Kind::Array => {
                let items = Items::of(value.get())?;
                alerts.reserve_exact(items.list.len().min(self.memory.values / ALERT_BYTES));
                for item in items.list {
                    self.alert(item, alerts)?;
                }
                self.repairs.add_if(items.more > 0, Repair::TooMuch);
                self.left_out = self.left_out.saturating_add(items.more);
                Ok(())
            }
            _ => {
                self.repairs.add(Repair::Alert);
                self.alert(value, alerts)
            }
        }
    }

    /// Adds an alert. A value that is not an object becomes an alert with this text, because it may be all that is known.
    fn alert(&mut self, value: &RawValue, alerts: &mut Vec<Alert>) -> Result<(), Error> {
        if kind(value) == Kind::Null {
            self.repairs.add(Repair::Alert);
            return Ok(());
        }
        if !self.reserve(ALERT_BYTES) {
            self.left_out += 1;
            return Ok(());
        }
        let mut alert = Alert::default();
        if kind(value) != Kind::Object {
            self.repairs.add(Repair::Alert);
            if !self.reserve(ITEM_BYTES) {
                self.left_out += 1;
                return Ok(());
            }
            alert.annotations.insert("message".to_owned(), self.text(value)?);
            alerts.push(alert);
            return Ok(());
        }
        for Field { name, value } in self.fields(value.get())? {
            match &*name {
                "status" => alert.status = self.status(value)?,
                "labels" => self.pairs("labels", value, &mut alert.labels)?,
                "annotations" => self.pairs("annotations", value, &mut alert.annotations)?,
                "startsAt" => alert.starts_at = self.time(value)?,
                "endsAt" => alert.ends_at = self.time(value)?,
                "generatorURL" => alert.generator_url = self.text(value)?,
                "fingerprint" => alert.fingerprint = self.text(value)?,
                _ => self.extra(&name, value, &mut alert.extra)?,
            }
        }
        alerts.push(alert);
        Ok(())
    }

    fn fields<'a>(&mut self, object: &'a str) -> Result<Vec<Field<'a>>, Error> {
        let fields = Fields::of(object)?;
        self.repairs.add_if(fields.has_more, Repair::TooMuch);
        self.repairs.add_if(fields.has_repeated(), Repair::RepeatedField);
        Ok(fields.list)
    }

    /// Reserves memory. Returns `false` if too little is left.
    fn reserve(&mut self, bytes: usize) -> bool {
        match self.memory.values.checked_sub(bytes) {
            Some(left) => {
                self.memory.values = left;
                true
            }
            None => {
                self.repairs.add(Repair::TooMuch);
                false
            }
        }
    }

    /// The text of any value: `null` is empty, a number has all its digits, an array or object is JSON.
    fn text(&mut self, value: &RawValue) -> Result<String, Error> {
        let json = value.get();
        match kind(value) {
            Kind::Null => Ok(String::new()),
            Kind::Text => self.string(json),
            _ => {
                self.repairs.add(Repair::Type);
                let text = self.cut(json).to_owned();
                Ok(self.clean(text))
            }
        }
    }

    fn string(&mut self, json: &str) -> Result<String, Error> {
        let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let Some(inner) = inner.map(|inner| self.cut(inner)) else {
            return Ok(self.clean(serde_json::from_str(json)?));
        };
        let text = if inner.contains('\\') {
            serde_json::from_str(&format!("\"{inner}\""))?
        } else {
            inner.to_owned()
        };
        Ok(self.clean(text))
    }

    /// Returns the longest beginning of `json` for which memory is left. No escape is cut in two.
    fn cut<'j>(&mut self, json: &'j str) -> &'j str {
        let max = self.memory.texts.min(MAX_TEXT);
        if json.len() <= max.max(SHORT_TEXT) {
            self.memory.texts = self.memory.texts.saturating_sub(json.len());
            return json;
        }
        self.repairs.add(Repair::TooMuch);
        let mut rest = json;
        while let Some(after) = after_char(rest)
            && json.len() - after.len() <= max
        {
            rest = after;
        }
        let (kept, _) = json.split_at(json.len() - rest.len());
        self.memory.texts -= kept.len();
        kept
    }

    fn name(&mut self, name: &str) -> String {
        let name = self.cut(name).to_owned();
        self.clean(name)
    }

    fn clean(&mut self, text: String) -> String {
        let Some(clean) = without_controls(&text) else { return text };
        self.repairs.add(Repair::ControlCharacter);
        clean
    }

    /// The word for a status. In Alertmanager's API, the status is an object with the word as `state`.
    fn status(&mut self, value: &RawValue) -> Result<String, Error> {
        if kind(value) != Kind::Object {
            return self.text(value);
        }
        self.repairs.add(Repair::Status);
        let fields = Fields::of(value.get())?;
        match fields.get("state").or_else(|| fields.get("status")) {
            Some(word) => self.text(word),
            None => Ok(String::new()),
        }
    }

    fn time(&mut self, value: &RawValue) -> Result<String, Error> {
        let text = match kind(value) {
            Kind::Number => value.get().to_owned(),
            _ => self.text(value)?,
        };
        let Some(corrected) = time::corrected(&text) else { return Ok(text) };
        self.repairs.add(Repair::Time);
        Ok(corrected)
    }

    /// Reads a number of alerts. A value that is not a number counts as zero.
    fn count(&mut self, value: &RawValue) -> Result<u64, Error> {
        let text = match kind(value) {
            Kind::Null => return Ok(0),
            Kind::Number => value.get().to_owned(),
            _ => self.text(value)?,
        };
        let text = text.trim();
        if let Ok(count) = text.parse() {
            return Ok(count);
        }
        self.repairs.add(Repair::Type);
        // A conversion from a float saturates, and makes zero of a negative number and of NaN.
        Ok(text.parse::<f64>().map_or(0, |count| count as u64))
    }

    /// Adds labels or annotations. A value that is neither an object nor a list of pairs is kept as a text with the name
    /// of the field.
    fn pairs(&mut self, field: &str, value: &RawValue, pairs: &mut Pairs) -> Result<(), Error> {
        let mut read = mem::take(pairs).into_tuple_vec();
        match kind(value) {
            Kind::Null => {}
            Kind::Object => self.add_fields(value, &mut read)?,
            Kind::Array => {
                self.repairs.add(Repair::Type);
                let items = Items::of(value.get())?;
                self.repairs.add_if(items.more > 0, Repair::TooMuch);
                for item in items.list {
                    self.add_item(field, item, &mut read)?;
                }
            }
            _ => read.push((field.to_owned(), self.text(value)?)),
        }
        // The last one of several pairs with the same name stays.
        *pairs = read.into_iter().collect();
        Ok(())
    }

    fn add_fields(&mut self, object: &RawValue, pairs: &mut Vec<(String, String)>) -> Result<(), Error> {
        let fields = self.fields(object.get())?;
        pairs.reserve_exact(fields.len());
        for Field { name, value } in fields {
            if !self.reserve(PAIR_BYTES) {
                return Ok(());
            }
            let value = self.text(value)?;
            pairs.push((self.name(&name), value));
        }
        Ok(())
    }

    /// Adds `{"name": …, "value": …}`, `{"alertname": …}`, `["alertname", …]` or `"alertname=…"`.
    fn add_item(
        &mut self,
        field: &str,
        item: &RawValue,
        pairs: &mut Vec<(String, String)>,
    ) -> Result<(), Error> {
        let (name, value) = match kind(item) {
            Kind::Null => return Ok(()),
            Kind::Object => {
                let fields = Fields::of(item.get())?;
                let name = fields.get("name").or_else(|| fields.get("key"));
                match (name, fields.get("value")) {
                    (Some(name), Some(value)) => (self.text(name)?, self.text(value)?),
                    _ => return self.add_fields(item, pairs),
                }
            }
            Kind::Array => match Items::of(item.get())?.list.as_slice() {
                [name, value] => (self.text(name)?, self.text(value)?),
                _ => (field.to_owned(), self.text(item)?),
            },
            _ => {
                let text = self.text(item)?;
                match text.split_once('=') {
                    Some((name, value)) => (name.trim().to_owned(), value.trim().to_owned()),
                    None => (field.to_owned(), text),
                }
            }
        };
        if self.reserve(PAIR_BYTES) {
            pairs.push((name, value));
        }
        Ok(())
    }

    /// Keeps an unknown field for templates, if it is neither large nor deep.
    fn extra(&mut self, name: &str, value: &RawValue, extra: &mut Extra) -> Result<(), Error> {
        let Extent { depth, bytes } = extent(value.get());
        if extra.len() >= MAX_EXTRA || depth > MAX_DEPTH || !self.reserve(FIELD_BYTES + bytes) {
            self.repairs.add(Repair::TooMuch);
            return Ok(());
        }
        let name = self.name(name);
        extra.insert(name, self.value(value)?);
        Ok(())
    }

    /// The value of an unknown field. Its depth is bounded.
    fn value(&mut self, value: &RawValue) -> Result<Value, Error> {
        let json = value.get();
        Ok(match kind(value) {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(json == "true"),
            Kind::Number => number(json),
            Kind::Text => Value::String(self.string(json)?),
            Kind::Array => {
                let items = Items::of(json)?.list;
                let values: Result<Vec<Value>, Error> =
                    items.into_iter().map(|item| self.value(item)).collect();
                Value::Array(values?)
            }
            Kind::Object => {
                let mut object = Map::new();
                for Field { name, value } in self.fields(json)? {
                    let value = self.value(value)?;
                    object.insert(self.name(&name), value);
                }
                Value::Object(object)
            }
        })
    }
}

/// Returns `json` without its first character. An escape is one character, and so are the two escapes of a surrogate pair.
fn after_char(json: &str) -> Option<&str> {
    let escape_length = match json.as_bytes() {
        [b'\\', b'u', b'D' | b'd', b'8' | b'9' | b'A' | b'B' | b'a' | b'b', ..] => 12,
        [b'\\', b'u', ..] => 6,
        [b'\\', ..] => 2,
        _ => json.chars().next()?.len_utf8(),
    };
    json.get(escape_length..)
}

/// Reads a number. The result is its text if a number would lose digits.
fn number(json: &str) -> Value {
    if let Ok(number) = json.parse::<u64>() {
        return number.into();
    }
    if let Ok(number) = json.parse::<i64>() {
        return number.into();
    }
    let mantissa = json.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.trim_start_matches(['-', '0', '.']).chars().filter(char::is_ascii_digit).count();
    let number = json.parse().ok().filter(|_| digits <= EXACT_DIGITS).and_then(Number::from_f64);
    number.map_or_else(|| Value::String(json.to_owned()), Value::Number)
}
