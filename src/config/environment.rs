//! Replaces `${NAME}` in a configuration by the value of an environment variable.
//!
//! `${NAME:-default}` uses a default if the variable is not set or is empty, as in Docker Compose. `$${` is the text `${`.
//! Values are replaced after the file is parsed, so that a value cannot add keys or change the structure.

use super::{
    diagnostic::{Diagnostics, Location},
    raw::shown_key,
};
use crate::yaml::{Node, Value};

/// Replaces the variables in all values of `document`.
pub(super) fn expand(
    document: &mut Node,
    file: &Location,
    env: &dyn Fn(&str) -> Option<String>,
    diagnostics: &mut Diagnostics,
) {
    let mut expansion = Expansion { file, env, diagnostics };
    expansion.node(document, String::new());
}

struct Expansion<'a> {
    file: &'a Location,
    env: &'a dyn Fn(&str) -> Option<String>,
    diagnostics: &'a mut Diagnostics,
}

impl Expansion<'_> {
    fn node(&mut self, node: &mut Node, key: String) {
        match &mut node.value {
            Value::Text(text) if text.contains("${") => {
                let location = Location { position: Some(node.at), key, ..self.file.clone() };
                match expanded(text, self.env) {
                    Ok(value) => node.value = typed(value),
                    Err(error) => {
                        self.diagnostics.error(&location, error.message, error.help);
                    }
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(item, format!("{key}[{index}]"));
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    let name = shown_key(&entry.key);
                    let path = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
                    self.node(&mut entry.value, path);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
        }
    }
}

/// A truth value can only be written as a whole. Numbers may be texts everywhere.
fn typed(value: String) -> Value {
    match value.as_str() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => Value::Text(value),
    }
}

struct ExpansionError {
    message: String,
    help: String,
}

fn expanded(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpansionError> {
    let mut value = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            value.push_str(before);
            value.push_str("${");
            rest = after;
            continue;
        }
        let Some((variable, behind)) = after.split_once('}') else { return Err(not_a_variable()) };
        value.push_str(before);
        value.push_str(&resolved(variable, env)?);
        rest = behind;
    }
    value.push_str(rest);
    Ok(value)
}

fn resolved(variable: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpansionError> {
    let (name, default) = match variable.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (variable, None),
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_word) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(not_a_variable());
    }
    // A file of variables often ends each value with a line break.
    let value = env(name).map(|value| value.trim_end_matches(['\r', '\n']).to_owned());
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        return Ok(value);
    }
    default.map(str::to_owned).ok_or_else(|| ExpansionError {
        message: format!("the environment variable {} is not set, or is empty", shown(name)),
        help: "set it, write the value here, or give a default with ${NAME:-default}".to_owned(),
    })
}

/// The name of a variable. Another text may be a secret with `${` in it.
fn shown(name: &str) -> &str {
    const LONGEST: usize = 40;
    if name.len() <= LONGEST { name } else { "named here" }
}

fn not_a_variable() -> ExpansionError {
    ExpansionError {
        message: "this has ${ without the name of an environment variable".to_owned(),
        help: "write ${NAME}, or $${ for the text ${".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "ONCALL" => Some("zhangsan|lisi\n".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn result(text: &str) -> String {
        expanded(text, &env).unwrap_or_else(|error| format!("error: {}", error.message))
    }

    #[test]
    fn variables_and_defaults_are_replaced() {
        assert_eq!(result("${ONCALL}"), "zhangsan|lisi");
        assert_eq!(result("a ${ONCALL} b ${NONE:-c}${NONE:-}"), "a zhangsan|lisi b c");
        assert_eq!(result("${EMPTY:-x}"), "x");
        assert_eq!(result("$ONCALL {ONCALL} $"), "$ONCALL {ONCALL} $");
    }

    #[test]
    fn a_doubled_dollar_keeps_the_text() {
        assert_eq!(result("$${ONCALL} ${ONCALL}"), "${ONCALL} zhangsan|lisi");
    }

    #[test]
    fn a_missing_variable_is_an_error() {
        assert_eq!(result("${NONE}"), "error: the environment variable NONE is not set, or is empty");
        assert_eq!(result("${EMPTY}"), "error: the environment variable EMPTY is not set, or is empty");
        for text in ["${", "${}", "${1}", "${a b}", "a ${ONCALL", "${labels.x}"] {
            assert_eq!(
                result(text),
                "error: this has ${ without the name of an environment variable",
                "{text}"
            );
        }
    }
}
