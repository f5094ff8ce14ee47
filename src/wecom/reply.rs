//! WeCom's replies.
//!
//! Parsing is tolerant: a missing errcode is 0, `errmsg` is never interpreted, and each other field may be missing or
//! have another type. So one field of an unexpected type cannot make an accepted message look like a failure. A byte order
//! mark and text after the JSON object are ignored.
//!
//! All texts are complete, because the caller must search them for secrets before it cuts them.

use serde_json::{Map, Value};

use super::{Errcode, InvalidRecipients, MAX_USERS, Receipt};
use crate::secret::Secret;

/// WeCom's reply to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ApiReply<T> {
    /// Errcode 0.
    Success(T),
    /// Another errcode.
    Error { errcode: Errcode, errmsg: String },
}

/// An access token that `gettoken` granted.
#[derive(Debug, Clone)]
pub struct TokenGrant {
    pub access_token: Secret,
    /// The lifetime in seconds, if the reply contains it.
    pub expires_in: Option<i64>,
}

/// A reply that cannot be WeCom's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidReply {
    #[error("not a JSON object")]
    NotAnObject,
    /// None of the fields of WeCom's replies, or an errcode that is not a number.
    #[error("JSON without WeCom's fields")]
    UnknownFields,
    #[error("errcode 0 without an access_token")]
    NoToken,
}

pub(super) fn token_reply(body: &[u8]) -> Result<ApiReply<TokenGrant>, InvalidReply> {
    let fields = object(body)?;
    if let Some(error) = api_error(&fields, &["access_token"])? {
        return Ok(error);
    }
    let access_token = Secret::new(text(&fields, "access_token"));
    if access_token.is_empty() {
        return Err(InvalidReply::NoToken);
    }
    Ok(ApiReply::Success(TokenGrant { access_token, expires_in: fields.get("expires_in").and_then(integer) }))
}

pub(super) fn send_reply(body: &[u8]) -> Result<ApiReply<Receipt>, InvalidReply> {
    let fields = object(body)?;
    let known = ["msgid", "response_code", "invaliduser", "invalidparty", "invalidtag", "unlicenseduser"];
    if let Some(error) = api_error(&fields, &known)? {
        return Ok(error);
    }
    Ok(ApiReply::Success(Receipt {
        msgid: text(&fields, "msgid"),
        response_code: text(&fields, "response_code"),
        invalid: InvalidRecipients {
            users: list(&fields, "invaliduser"),
            parties: list(&fields, "invalidparty"),
            tags: list(&fields, "invalidtag"),
            unlicensed: list(&fields, "unlicenseduser"),
        },
    }))
}

/// Parses the reply of a read call.
pub(super) fn fields_reply(body: &[u8]) -> Result<ApiReply<Map<String, Value>>, InvalidReply> {
    let fields = object(body)?;
    Ok(api_error(&fields, &[])?.unwrap_or(ApiReply::Success(fields)))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, InvalidReply> {
    // The lossy conversion keeps the errcode readable if `errmsg` was cut within a character.
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    // A server between the relay and WeCom may append something to the reply.
    match serde_json::Deserializer::from_str(text).into_iter().next() {
        Some(Ok(Value::Object(fields))) => Ok(fields),
        _ => Err(InvalidReply::NotAnObject),
    }
}

/// The error of a reply, `None` for success. A missing errcode is 0 only if `errmsg` is `ok` or a field of `known` has
/// a value, because the JSON of a gateway must not count as a delivery.
fn api_error<T>(fields: &Map<String, Value>, known: &[&str]) -> Result<Option<ApiReply<T>>, InvalidReply> {
    let errcode = match fields.get("errcode") {
        None | Some(Value::Null) => {
            let is_ok = text(fields, "errmsg").trim_start().starts_with("ok");
            if !is_ok && !known.iter().any(|name| has_value(fields, name)) {
                return Err(InvalidReply::UnknownFields);
            }
            0
        }
        Some(value) => integer(value).ok_or(InvalidReply::UnknownFields)?,
    };
    if errcode == 0 {
        return Ok(None);
    }
    Ok(Some(ApiReply::Error { errcode: Errcode(errcode), errmsg: text(fields, "errmsg") }))
}

fn has_value(fields: &Map<String, Value>, name: &str) -> bool {
    match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

/// The whole number that a serializer wrote as `0.0` or `4.0014e4`.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

fn text(fields: &Map<String, Value>, name: &str) -> String {
    fields.get(name).and_then(scalar).unwrap_or_default()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A list of recipients: a text with `|`, an array, or one number. At most as many as a message can have.
fn list(fields: &Map<String, Value>, name: &str) -> Vec<String> {
    let written = match fields.get(name) {
        Some(Value::Array(values)) => values.iter().filter_map(scalar).collect(),
        Some(value) => scalar(value).into_iter().collect::<Vec<_>>(),
        None => Vec::new(),
    };
    let ids = written.iter().flat_map(|ids| ids.split('|')).map(str::trim);
    let ids = ids.filter(|id| !id.is_empty()).take(MAX_USERS);
    ids.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(body: &str) -> Receipt {
        match send_reply(body.as_bytes()) {
            Ok(ApiReply::Success(receipt)) => receipt,
            other => unreachable!("{body}: {other:?}"),
        }
    }

    fn error_of(body: &[u8]) -> (i64, String) {
        match send_reply(body) {
            Ok(ApiReply::Error { errcode, errmsg }) => (errcode.0, errmsg),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn errcode_0_is_success_in_every_known_form() {
        let id = "mrVtVXE39it1tWVvd57npAlvYPK1_QbWrsoP5nAJpNWL9AekCJrk7qTXgahSlAq4J-h_4p794TcEXlqoQmO8kA";
        assert_eq!(receipt(&format!(r#"{{"errcode":0,"errmsg":"ok","msgid":"{id}"}}"#)).msgid, id);
        assert!(receipt(r#"{"errcode":0,"errmsg":"ok","invaliduser":""}"#).invalid.is_empty());
        assert!(receipt(r#"{"errcode":0,"errmsg":"ok. Warning: wrong json format. "}"#).invalid.is_empty());
        assert!(receipt(r#"{"errmsg":"ok"}"#).invalid.is_empty());
        assert_eq!(receipt(r#"{"errcode":"0","msgid":7}"#).msgid, "7");
    }

    #[test]
    fn an_errcode_of_another_type_is_read() {
        for errcode in ["0", "\"0\"", "0.0", "\"0.0\"", "-0", "0e0", "null"] {
            let body = format!("\u{feff}\r\n\t {{\"errcode\":{errcode},\"msgid\":\"m\"}}\n<!-- gateway -->");
            assert_eq!(receipt(&body).msgid, "m", "{body}");
        }
        for errcode in ["40014.0", "\"40014.0\"", "4.0014e4", "\" 40014 \""] {
            assert_eq!(error_of(format!("{{\"errcode\":{errcode}}}").as_bytes()).0, 40014, "{errcode}");
        }
    }

    #[test]
    fn no_more_recipients_are_read_than_a_message_has() {
        let many = "u|".repeat(60_000);
        assert_eq!(receipt(&format!(r#"{{"errcode":0,"invaliduser":"{many}"}}"#)).invalid.users.len(), 1000);
    }

    #[test]
    fn invalid_recipients_are_read_in_every_type() {
        let invalid = receipt(
            r#"{"errcode":0,"invaliduser":"u1| u2","invalidparty":[1,"2|3",null],"invalidtag":2,"unlicenseduser":null}"#,
        )
        .invalid;
        let expected = InvalidRecipients {
            users: vec!["u1".to_owned(), "u2".to_owned()],
            parties: vec!["1".to_owned(), "2".to_owned(), "3".to_owned()],
            tags: vec!["2".to_owned()],
            unlicensed: Vec::new(),
        };
        assert_eq!(invalid, expected);
    }

    #[test]
    fn an_errcode_is_read_beside_odd_fields() {
        assert_eq!(
            error_of(br#"{"errcode":40014,"errmsg":"invalid access_token","department":[]}"#).0,
            40014
        );
        assert_eq!(error_of(br#"{"errcode":" 42001 "}"#), (42001, String::new()));
        assert_eq!(error_of(b"{\"errcode\":-1,\"errmsg\":\"\xe5\xbf\"}").0, -1);
    }

    #[test]
    fn a_foreign_reply_is_not_a_success() {
        for body in ["", "[]", "<html></html>", "null", "{\"errcode\":0"] {
            assert_eq!(send_reply(body.as_bytes()), Err(InvalidReply::NotAnObject), "{body}");
        }
        for body in [
            "{}",
            r#"{"code":403,"message":"denied"}"#,
            r#"{"errmsg":"system error"}"#,
            r#"{"errmsg":"","msgid":""}"#,
            r#"{"msgid":" ","invaliduser":null}"#,
            r#"{"errcode":true}"#,
            r#"{"errcode":"x"}"#,
            r#"{"errcode":0.5}"#,
        ] {
            assert_eq!(send_reply(body.as_bytes()), Err(InvalidReply::UnknownFields), "{body}");
        }
    }

    #[test]
    fn a_token_is_read_with_its_lifetime() {
        let body = br#"{"errcode":0,"errmsg":"ok","access_token":"accesstoken000001","expires_in":7200}"#;
        let Ok(ApiReply::Success(grant)) = token_reply(body) else { unreachable!("no token") };
        assert_eq!(grant.access_token.expose(), "accesstoken000001");
        assert_eq!(grant.expires_in, Some(7200));
        assert_eq!(token_reply(br#"{"errcode":0,"errmsg":"ok"}"#).unwrap_err(), InvalidReply::NoToken);
        assert!(!format!("{grant:?}").contains("accesstoken"));
    }
}
