//! Estimates the memory for a payload and for what is made of it, before the body is parsed.
//!
//! A few bytes of JSON can be a value, and a value needs much more memory than its text. The estimate counts the values
//! by their kind. It is at least the memory that is needed, and at most twice as much or so. A body that would need more
//! than the limit is parsed within the limit, and the alerts that do not fit are only counted.

use crate::alertmanager::{
    ALERT_BYTES, ARRAY_BYTES, FIELD_BYTES, ITEM_BYTES, MAX_DEPTH, MAX_FIELDS, OBJECT_BYTES, PAIR_BYTES,
    VALUE_BYTES,
};

/// The text of a body: as payload, as values for templates, and in buffers that grow by doubling.
pub(super) const TEXT_COPIES: usize = 5;
/// A raw control character in a string becomes the three bytes of U+FFFD in each copy.
const CONTROL: usize = 12;
/// A byte that is not UTF-8 becomes the three bytes of U+FFFD in each copy.
const NOT_UTF8: usize = 8;
/// The message, its parts, and the first step of each buffer.
const BASE: usize = 64 << 10;

/// The memory for the texts of a body, and for its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoryCost {
    pub(super) texts: usize,
    pub(super) values: usize,
}

impl MemoryCost {
    /// Takes some milliseconds for a large body.
    pub(super) fn of(body: &[u8]) -> Self {
        let mut scanner = Scanner::default();
        scanner.run(body);
        let not_utf8 = if std::str::from_utf8(body).is_ok() { 0 } else { scanner.not_ascii * NOT_UTF8 };
        Self {
            texts: BASE + body.len() * TEXT_COPIES + scanner.controls * CONTROL + not_utf8,
            values: scanner.values,
        }
    }
}

/// The depth of the fields of an alert: within the body, the list of alerts, and the alert.
const ALERT_DEPTH: usize = 3;
/// Unknown fields of an alert with values below this depth are not kept.
const DEEPEST: usize = ALERT_DEPTH + MAX_DEPTH;

/// Counts values outside of strings. It need not know if the text is JSON.
#[derive(Default)]
struct Scanner {
    values: usize,
    controls: usize,
    not_ascii: usize,
    depth: usize,
    /// A bit for each level of nesting, the innermost one last: 1 for an array.
    arrays: u64,
    /// Within the list of alerts.
    in_alerts: bool,
    /// The last byte outside of strings and spaces.
    before: u8,
    /// The fields since the last brace. No more than [`MAX_FIELDS`] of an object are read.
    fields: usize,
}

impl Scanner {
    fn run(&mut self, body: &[u8]) {
        let mut rest = body;
        // The last string, which may be the name of a field.
        let mut name: &[u8] = b"";
        while let [byte, after @ ..] = rest {
            rest = after;
            match byte {
                b'"' => {
                    let (text, after) = string(after);
                    self.count_bytes(text);
                    (name, rest) = (text, after);
                }
                b' ' | b'\n' | b'\r' | b'\t' => continue,
                _ => self.count_value(*byte, name),
            }
            self.before = *byte;
        }
    }

    fn count_bytes(&mut self, text: &[u8]) {
        self.controls += text.iter().filter(|byte| **byte < b' ').count();
        self.not_ascii += text.iter().filter(|byte| !byte.is_ascii()).count();
    }

    fn count_value(&mut self, byte: u8, name: &[u8]) {
        if byte == b':' && self.depth == 1 {
            self.in_alerts = name == b"alerts";
        }
        let is_item = self.in_alerts && self.depth == ALERT_DEPTH - 1;
        let value = match byte {
            b'{' if is_item => ALERT_BYTES,
            // An alert that is no object.
            b',' if is_item && self.before != b'}' => ALERT_BYTES + ITEM_BYTES,
            b'{' if matches!(name, b"labels" | b"annotations") => ARRAY_BYTES,
            b'{' => OBJECT_BYTES,
            b'[' => ARRAY_BYTES,
            b':' if self.fields >= MAX_FIELDS => 0,
            b':' if self.depth <= ALERT_DEPTH => FIELD_BYTES,
            b':' => PAIR_BYTES,
            b',' if self.arrays & 1 == 1 => VALUE_BYTES,
            _ => 0,
        };
        if self.depth <= DEEPEST {
            self.values += value;
        }
        match byte {
            b'{' | b'}' => self.fields = 0,
            b':' => self.fields += 1,
            _ => {}
        }
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                self.arrays = self.arrays << 1 | u64::from(byte == b'[');
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.arrays >>= 1;
            }
            _ => {}
        }
    }
}

/// The string whose quotation mark is consumed, and what follows it.
fn string(json: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    loop {
        let rest = json.get(end..).unwrap_or_default();
        match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            Some(at) if rest.get(at) == Some(&b'"') => {
                let (text, rest) = json.split_at(end + at);
                return (text, rest.get(1..).unwrap_or_default());
            }
            Some(at) => end += at + 2,
            None => return (json, b""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(body: &str) -> usize {
        MemoryCost::of(body.as_bytes()).values
    }

    #[test]
    fn values_are_counted_by_their_kind() {
        let payload = FIELD_BYTES + ARRAY_BYTES;
        assert_eq!(values(r#"{"alerts":[{},{}]}"#), OBJECT_BYTES + payload + 2 * ALERT_BYTES + VALUE_BYTES);
        let alert = FIELD_BYTES + ARRAY_BYTES + 2 * PAIR_BYTES;
        assert_eq!(
            values(r#"{"alerts": [ {"labels": {"a": "1", "b,[{": "\""} } ]}"#),
            OBJECT_BYTES + payload + ALERT_BYTES + alert
        );
        assert_eq!(
            values(r#"{"alerts":[1,2]}"#) - values(r#"{"other":[1,2]}"#),
            ALERT_BYTES + ITEM_BYTES - VALUE_BYTES
        );
    }

    #[test]
    fn text_costs_nothing_but_its_copies() {
        for text in ["x", "[", "{", ",", ":", r#"\""#, "\\\\"] {
            let body = format!(r#"["{}"]"#, text.repeat(1000));
            let cost = MemoryCost::of(body.as_bytes());
            assert_eq!((cost.texts, cost.values), (BASE + body.len() * TEXT_COPIES, ARRAY_BYTES), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_corrected_cost_more() {
        let cost = |body: &[u8]| MemoryCost::of(body).texts - BASE - body.len() * TEXT_COPIES;
        assert_eq!(cost(b"[\"a\x01\tb\"]\n"), 2 * CONTROL);
        assert_eq!(cost(b"[\"a\xFF\xFE\"]"), 2 * NOT_UTF8);
        assert_eq!(cost("[\"磁盘\"]".as_bytes()), 0);
    }

    #[test]
    fn fields_that_are_not_read_cost_nothing() {
        let labels = |count: usize| {
            values(&format!(r#"{{"alerts":[{{"labels":{{{}}}}}]}}"#, r#""a":"","#.repeat(count)))
        };
        assert!(labels(MAX_FIELDS - 1) < labels(MAX_FIELDS));
        assert_eq!(labels(MAX_FIELDS), labels(2 * MAX_FIELDS));
    }

    #[test]
    fn values_that_are_too_deep_to_be_kept_cost_nothing() {
        let deep = |depth: usize| values(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        assert!(deep(5) < deep(6));
        assert_eq!(deep(100), deep(1000));
    }
}
