//! The values of a payload, with the template that writes each.

use serde::Serialize;
use serde_json::Value;

use crate::text::{one_line, shorten_columns};

/// Payloads have few fields without their alerts, and only the first alert is listed.
const MAX_PATHS: usize = 120;
const MAX_COLUMNS: usize = 60;

/// A value of the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PathView {
    /// Such as `commonLabels.alertname`.
    pub(super) name: String,
    /// The text that a click inserts.
    pub(super) insert: String,
    pub(super) value: String,
}

/// A step from a value to one inside it.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    First,
}

/// The values of `payload`, by their names.
pub(super) fn paths(payload: &Value, is_go: bool) -> Vec<PathView> {
    let mut found = Vec::new();
    collect(payload, &[], is_go, &mut found);
    found
}

fn collect(value: &Value, steps: &[Step], is_go: bool, found: &mut Vec<PathView>) {
    if found.len() >= MAX_PATHS {
        return;
    }
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                collect(value, &[steps, &[Step::Key(key.clone())]].concat(), is_go, found);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                collect(first, &[steps, &[Step::First]].concat(), is_go, found);
            }
        }
        Value::Null => {}
        _ => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let name = tera(steps);
            let expression = if is_go { go(steps) } else { name.clone() };
            found.push(PathView {
                name,
                insert: format!("{{{{ {expression} }}}}"),
                value: shorten_columns(&one_line(&text), MAX_COLUMNS).into_owned(),
            });
        }
    }
}

/// Such as `alerts[0].labels.pod`, or `commonLabels["a-b"]`.
fn tera(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::First => path.push_str("[0]"),
            Step::Key(key) if !is_word(key) => path.push_str(&format!("[{key:?}]")),
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
        }
    }
    path
}

/// Such as `(index .Alerts 0).Labels.pod`, or `index .CommonLabels "a-b"`.
fn go(steps: &[Step]) -> String {
    let mut path = String::new();
    let mut is_label = false;
    for (step, number) in steps.iter().zip(1..) {
        let is_last = number == steps.len();
        path = match step {
            Step::First => format!("(index {path} 0)"),
            Step::Key(key) if !is_word(key) && is_last => format!("index {path} {key:?}"),
            Step::Key(key) if !is_word(key) => format!("(index {path} {key:?})"),
            Step::Key(key) if is_label => format!("{path}.{key}"),
            Step::Key(key) => format!("{path}.{}", go_field(key)),
        };
        is_label = matches!(step, Step::Key(key) if key.to_ascii_lowercase().ends_with("labels") || key.to_ascii_lowercase().ends_with("annotations"));
    }
    path
}

/// The name of a field in Go.
fn go_field(key: &str) -> String {
    let mut chars = key.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

fn is_word(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_has_a_path_in_each_engine() {
        let payload = json!({
            "status": "firing", "commonLabels": { "a-b": "c", "pod": "x" },
            "alerts": [{ "labels": { "pod": "api", "k.io/z": "1" } }, { "labels": {} }],
        });
        let names = |is_go| -> Vec<String> {
            let found = paths(&payload, is_go);
            found.into_iter().map(|path| path.insert).collect()
        };
        assert_eq!(
            names(false),
            [
                "{{ alerts[0].labels[\"k.io/z\"] }}",
                "{{ alerts[0].labels.pod }}",
                "{{ commonLabels[\"a-b\"] }}",
                "{{ commonLabels.pod }}",
                "{{ status }}"
            ]
        );
        assert_eq!(
            names(true),
            [
                "{{ index (index .Alerts 0).Labels \"k.io/z\" }}",
                "{{ (index .Alerts 0).Labels.pod }}",
                "{{ index .CommonLabels \"a-b\" }}",
                "{{ .CommonLabels.pod }}",
                "{{ .Status }}"
            ]
        );
    }
}
