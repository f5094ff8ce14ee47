//! WeCom's tolerant JSON parser. It repairs a trailing comma, a raw line break in a text and a missing closing brace, and
//! adds a warning to the reply.

use serde_json::{Map, Value};

pub(super) struct Body {
    pub(super) fields: Map<String, Value>,
    /// The body was not valid JSON and was repaired.
    pub(super) is_broken: bool,
}

/// The fields of a body, `None` if it cannot be repaired.
pub(super) fn read(body: &[u8], recover: bool) -> Option<Body> {
    if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
        return Some(Body { fields, is_broken: false });
    }
    let text = std::str::from_utf8(body).ok().filter(|_| recover)?;
    match serde_json::from_str(&repair(text)) {
        Ok(Value::Object(fields)) => Some(Body { fields, is_broken: true }),
        _ => None,
    }
}

fn repair(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open = Vec::new();
    let mut in_string = false;
    let mut escaped = false;
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            if c < ' ' {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            } else {
                out.push(c);
            }
            continue;
        }
        match c {
            '"' => in_string = true,
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => {
                drop_trailing_comma(&mut out);
                open.pop();
            }
            _ => {}
        }
        out.push(c);
    }
    drop_trailing_comma(&mut out);
    out.extend(open.into_iter().rev());
    out
}

fn drop_trailing_comma(out: &mut String) {
    out.truncate(out.trim_end().len());
    if out.ends_with(',') {
        out.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recovered(text: &str) -> Option<String> {
        read(text.as_bytes(), true).map(|body| Value::Object(body.fields).to_string())
    }

    #[test]
    fn a_comma_a_line_break_and_a_missing_brace_are_repaired() {
        assert_eq!(recovered(r#"{"a":{"b":1,},}"#).unwrap(), r#"{"a":{"b":1}}"#);
        assert_eq!(recovered("{\"a\":\"x\ny, }\"}").unwrap(), r#"{"a":"x\ny, }"}"#);
        assert_eq!(recovered(r#"{"a":{"b":"\"}"}"#).unwrap(), r#"{"a":{"b":"\"}"}}"#);
    }

    #[test]
    fn a_body_without_fields_is_not_repaired() {
        assert_eq!(recovered(""), None);
        assert_eq!(recovered("touser=zhangsan"), None);
        assert_eq!(recovered("[1]"), None);
        assert!(read(br#"{"a":1,}"#, false).is_none());
    }
}
