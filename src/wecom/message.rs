//! The wire form of the calls: what `message/send` is given, and what WeCom's replies say.
//!
//! Strict in what is sent: one [`Message`] has exactly one [`request_body`], byte for byte, because WeCom's
//! duplicate check compares the request's JSON. Tolerant in what is received: a missing errcode is 0, `errmsg` is
//! never matched on, and each other field may be missing or of another type. Derived `Deserialize` structs were
//! rejected for replies: one field of an unexpected type would make an accepted message look like a failure.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use serde_json::{Map, Value};

use super::{Content, Errcode, InvalidRecipients, MAX_USERS, Message, Receipt};
use crate::{secret::Secret, text::prefix};

/// The longest interval of WeCom's duplicate check, in seconds.
pub const MAX_DUPLICATE_CHECK_SECS: u64 = 4 * 60 * 60;

/// The most that is kept of a `msgid` or a `response_code`; WeCom's have some 100 bytes.
const MAX_CODE_BYTES: usize = 512;

/// The most that is kept of the id of a recipient; WeCom's have 64 bytes.
const MAX_ID_BYTES: usize = 128;

/// The number of an app in its corp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId(pub u64);

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The JSON that `message/send` is given: compact, in a fixed order of fields, in raw UTF-8.
pub fn request_body(agent_id: AgentId, message: &Message) -> String {
    let recipients = &message.recipients;
    let lists =
        [("touser", recipients.touser()), ("toparty", recipients.toparty()), ("totag", recipients.totag())];
    let text = message.content.text();
    // With room for the recipients, the names of the fields, and what is escaped.
    let mut body = String::with_capacity(text.len() + text.len() / 8 + 512);
    body.push('{');
    for (name, ids) in lists.into_iter().filter(|(_, ids)| !ids.is_empty()) {
        _ = write!(body, "\"{name}\":");
        push_json(&mut body, &ids);
        body.push(',');
    }
    let msgtype = message.content.msgtype();
    // An integer: some platforms refuse an agentid that is a string.
    _ = write!(body, "\"msgtype\":\"{msgtype}\",\"agentid\":{agent_id},\"{msgtype}\":");
    match &message.content {
        Content::Text(text) | Content::Markdown(text) => {
            body.push_str("{\"content\":");
            push_json(&mut body, text);
            body.push('}');
        }
        Content::TextCard(card) | Content::TemplateCard(card) => body.push_str(card.json()),
    }
    if let Some(interval) = message.duplicate_check {
        let secs = interval_secs(interval);
        _ = write!(body, ",\"enable_duplicate_check\":1,\"duplicate_check_interval\":{secs}");
    }
    body.push('}');
    body
}

/// Appends `text` as a string of JSON.
fn push_json(body: &mut String, text: &str) {
    // Every text can be one. `Value` would write it through `fmt`, piece by piece.
    body.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Whole seconds, rounded up, within what WeCom takes.
fn interval_secs(interval: Duration) -> u64 {
    let secs = interval.as_secs().saturating_add(u64::from(interval.subsec_nanos() > 0));
    secs.clamp(1, MAX_DUPLICATE_CHECK_SECS)
}

/// What WeCom said to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// Errcode 0.
    Done(T),
    /// Another errcode.
    Refused {
        /// Why, as a number.
        errcode: Errcode,
        /// Why, in WeCom's words, whole: it is searched for secrets before it is cut.
        errmsg: String,
    },
}

/// An access token as `gettoken` grants it.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The token.
    pub access_token: Secret,
    /// For how many seconds it is good, if the reply says so.
    pub expires_in: Option<i64>,
}

/// An answer that cannot be WeCom's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotWecom {
    /// Not a JSON object.
    #[error("not a JSON object")]
    NoObject,
    /// None of the fields of WeCom's replies, or an errcode that is no number.
    #[error("JSON without WeCom's fields")]
    Foreign,
    /// `gettoken` succeeded, and there is no token.
    #[error("errcode 0 without an access_token")]
    NoToken,
}

/// Reads a reply of `gettoken`.
///
/// # Errors
/// [`NotWecom`] when it is not one.
pub fn token_reply(body: &[u8]) -> Result<Answer<Grant>, NotWecom> {
    let fields = object(body)?;
    if let Some(refused) = refusal(&fields, &["access_token"])? {
        return Ok(refused);
    }
    let access_token = Secret::new(text(&fields, "access_token"));
    if access_token.is_empty() {
        return Err(NotWecom::NoToken);
    }
    Ok(Answer::Done(Grant { access_token, expires_in: fields.get("expires_in").and_then(integer) }))
}

/// Reads a reply of `message/send`.
///
/// # Errors
/// [`NotWecom`] when it is not one.
pub fn send_reply(body: &[u8]) -> Result<Answer<Receipt>, NotWecom> {
    let fields = object(body)?;
    let known = ["msgid", "response_code", "invaliduser", "invalidparty", "invalidtag", "unlicenseduser"];
    if let Some(refused) = refusal(&fields, &known)? {
        return Ok(refused);
    }
    Ok(Answer::Done(Receipt {
        msgid: prefix(&text(&fields, "msgid"), MAX_CODE_BYTES).to_owned(),
        response_code: prefix(&text(&fields, "response_code"), MAX_CODE_BYTES).to_owned(),
        invalid: InvalidRecipients {
            users: list(&fields, "invaliduser"),
            parties: list(&fields, "invalidparty"),
            tags: list(&fields, "invalidtag"),
            unlicensed: list(&fields, "unlicenseduser"),
        },
    }))
}

/// Reads a reply of another call: its fields.
///
/// # Errors
/// [`NotWecom`] when it is not one.
pub fn reply(body: &[u8]) -> Result<Answer<Map<String, Value>>, NotWecom> {
    let fields = object(body)?;
    Ok(refusal(&fields, &[])?.unwrap_or(Answer::Done(fields)))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, NotWecom> {
    // An errmsg that was cut within a character must not hide the errcode.
    match serde_json::from_str(&String::from_utf8_lossy(body)) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(NotWecom::NoObject),
    }
}

/// The refusal that a reply is, `None` for success. A missing errcode is 0 only beside another field of WeCom's:
/// the JSON of some gateway in between must not pass for a delivery.
fn refusal<T>(fields: &Map<String, Value>, known: &[&str]) -> Result<Option<Answer<T>>, NotWecom> {
    let errcode = match fields.get("errcode") {
        None | Some(Value::Null) => {
            let wecom = fields.contains_key("errmsg") || known.iter().any(|name| fields.contains_key(*name));
            if wecom { 0 } else { return Err(NotWecom::Foreign) }
        }
        Some(value) => integer(value).ok_or(NotWecom::Foreign)?,
    };
    if errcode == 0 {
        return Ok(None);
    }
    Ok(Some(Answer::Refused { errcode: Errcode(errcode), errmsg: text(fields, "errmsg") }))
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
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

/// A list of recipients, written with `|`, as an array, or as one number; no more of them than a message can have.
fn list(fields: &Map<String, Value>, name: &str) -> Vec<String> {
    let written = match fields.get(name) {
        Some(Value::Array(values)) => values.iter().filter_map(scalar).collect(),
        Some(value) => scalar(value).into_iter().collect::<Vec<_>>(),
        None => Vec::new(),
    };
    let ids = written.iter().flat_map(|ids| ids.split('|')).map(str::trim);
    let ids = ids.filter(|id| !id.is_empty()).take(MAX_USERS);
    ids.map(|id| prefix(id, MAX_ID_BYTES).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wecom::Recipients;

    fn message(content: Content, duplicate_check: Option<Duration>) -> Message {
        let recipients = Recipients::parse("zhangsan|lisi", "", "7").unwrap();
        Message { recipients, content, duplicate_check }
    }

    fn receipt(body: &str) -> Receipt {
        match send_reply(body.as_bytes()) {
            Ok(Answer::Done(receipt)) => receipt,
            other => unreachable!("{body}: {other:?}"),
        }
    }

    fn refused(body: &[u8]) -> (i64, String) {
        match send_reply(body) {
            Ok(Answer::Refused { errcode, errmsg }) => (errcode.0, errmsg),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn a_text_is_sent_in_a_fixed_order_of_fields() {
        let message = message(Content::Text("告警 \"db1\"\n<b>".to_owned()), None);
        assert_eq!(
            request_body(AgentId(1_000_030), &message),
            r#"{"touser":"zhangsan|lisi","totag":"7","msgtype":"text","agentid":1000030,"text":{"content":"告警 \"db1\"\n<b>"}}"#
        );
    }

    #[test]
    fn markdown_carries_the_duplicate_check() {
        let mut message = message(Content::Markdown("# 恢复".to_owned()), Some(Duration::from_secs(120)));
        message.recipients = Recipients::All;
        assert_eq!(
            request_body(AgentId(1), &message),
            r##"{"touser":"@all","msgtype":"markdown","agentid":1,"markdown":{"content":"# 恢复"},"enable_duplicate_check":1,"duplicate_check_interval":120}"##
        );
    }

    #[test]
    fn the_interval_of_the_duplicate_check_keeps_within_wecoms_limits() {
        assert_eq!(interval_secs(Duration::ZERO), 1);
        assert_eq!(interval_secs(Duration::from_millis(1500)), 2);
        assert_eq!(interval_secs(Duration::MAX), MAX_DUPLICATE_CHECK_SECS);
    }

    #[test]
    fn success_is_errcode_0_in_every_shape_seen() {
        let id = "mrVtVXE39it1tWVvd57npAlvYPK1_QbWrsoP5nAJpNWL9AekCJrk7qTXgahSlAq4J-h_4p794TcEXlqoQmO8kA";
        assert_eq!(receipt(&format!(r#"{{"errcode":0,"errmsg":"ok","msgid":"{id}"}}"#)).msgid, id);
        assert!(receipt(r#"{"errcode":0,"errmsg":"ok","invaliduser":""}"#).invalid.is_empty());
        assert!(receipt(r#"{"errcode":0,"errmsg":"ok. Warning: wrong json format. "}"#).invalid.is_empty());
        assert!(receipt(r#"{"errmsg":"ok"}"#).invalid.is_empty());
        assert_eq!(receipt(r#"{"errcode":"0","msgid":7}"#).msgid, "7");
    }

    #[test]
    fn what_is_too_long_or_too_many_to_be_wecoms_is_clipped() {
        let long = "告".repeat(20_000);
        let many = "u|".repeat(60_000);
        let body = format!(
            r#"{{"errcode":0,"msgid":"{long}","response_code":"{long}","invaliduser":"{long}|{many}"}}"#
        );
        let receipt = receipt(&body);
        assert_eq!((receipt.msgid.len(), receipt.response_code.len()), (510, 510));
        let users = receipt.invalid.users;
        assert_eq!((users.len(), users[0].len()), (1000, 126));
    }

    #[test]
    fn lists_of_the_missed_are_read_in_every_type() {
        let missed = receipt(
            r#"{"errcode":0,"invaliduser":"u1| u2","invalidparty":[1,"2|3",null],"invalidtag":2,"unlicenseduser":null}"#,
        )
        .invalid;
        let expected = InvalidRecipients {
            users: vec!["u1".to_owned(), "u2".to_owned()],
            parties: vec!["1".to_owned(), "2".to_owned(), "3".to_owned()],
            tags: vec!["2".to_owned()],
            unlicensed: Vec::new(),
        };
        assert_eq!(missed, expected);
    }

    #[test]
    fn a_refusal_is_read_whatever_surrounds_it() {
        assert_eq!(refused(br#"{"errcode":40014,"errmsg":"invalid access_token","department":[]}"#).0, 40014);
        assert_eq!(refused(br#"{"errcode":" 42001 "}"#), (42001, String::new()));
        assert_eq!(refused(b"{\"errcode\":-1,\"errmsg\":\"\xe5\xbf\"}").0, -1);
    }

    #[test]
    fn what_is_not_wecoms_is_no_success() {
        for body in ["", "[]", "<html></html>", "null", "{\"errcode\":0"] {
            assert_eq!(send_reply(body.as_bytes()), Err(NotWecom::NoObject), "{body}");
        }
        for body in ["{}", r#"{"code":403,"message":"denied"}"#, r#"{"errcode":true}"#, r#"{"errcode":"x"}"#]
        {
            assert_eq!(send_reply(body.as_bytes()), Err(NotWecom::Foreign), "{body}");
        }
    }

    #[test]
    fn a_token_is_read_with_its_time() {
        let body = br#"{"errcode":0,"errmsg":"ok","access_token":"accesstoken000001","expires_in":7200}"#;
        let Ok(Answer::Done(grant)) = token_reply(body) else { unreachable!("no token") };
        assert_eq!(grant.access_token.expose(), "accesstoken000001");
        assert_eq!(grant.expires_in, Some(7200));
        assert_eq!(token_reply(br#"{"errcode":0,"errmsg":"ok"}"#).unwrap_err(), NotWecom::NoToken);
        assert!(!format!("{grant:?}").contains("accesstoken"));
    }
}
