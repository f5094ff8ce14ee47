//! The sandbox over real HTTP.

mod callbacks;
mod cards;
mod content;
mod control;
mod directory;
mod faults;
mod limits;
mod phone;
mod reads;
mod recall;
mod send;
mod token;

use serde_json::{Value, json};

use crate::support::AGENT;

/// A text to zhangsan.
fn text(content: &str) -> Value {
    text_to("zhangsan", content)
}

fn text_to(touser: &str, content: &str) -> Value {
    json!({ "touser": touser, "msgtype": "text", "agentid": AGENT, "text": { "content": content } })
}

/// `body` with these fields replaced.
fn with(mut body: Value, fields: Value) -> Value {
    if let (Value::Object(body), Value::Object(fields)) = (&mut body, fields) {
        body.extend(fields);
    }
    body
}

fn texts(delivered: &[wecom_relay::sandbox::Delivered]) -> Vec<&str> {
    delivered.iter().map(|one| one.text.as_ref()).collect()
}
