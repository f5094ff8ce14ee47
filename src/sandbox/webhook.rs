//! `webhook/send`: the checks of a robot, then the delivery to its group.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::checks;
use super::directory::{Corp, Robot};
use super::fields::{Fields, Shown};
use super::json;
use super::random::random_text;
use super::record::{MemberOutcome, Message};
use super::reply::{ErrorReply, Reply, WRONG_JSON};
use super::request::ApiRequest;
use super::settings::Settings;
use super::state::State;
use crate::text::prefix;

// These limits are not shared with the relay, because no test would find a mistake in a shared limit.
const SHOWN_TEXT_BYTES: usize = 2_048;
const MAX_TEXT_BYTES: usize = 5_120;
const MAX_MARKDOWN_BYTES: usize = 4_096;

const MSGTYPES: [&str; 8] =
    ["text", "markdown", "markdown_v2", "image", "news", "file", "voice", "template_card"];

pub(super) fn send(
    state: &mut State,
    settings: &Settings,
    request: &ApiRequest,
) -> Result<Reply, ErrorReply> {
    let key = request.parameter("key").ok_or(ErrorReply::new(93000))?;
    let (corp, robot) = find(state, key).ok_or(ErrorReply::new(93000))?;
    if robot.disabled {
        return Err(ErrorReply::new(93004));
    }
    if !robot.in_group {
        return Err(ErrorReply::new(93008));
    }
    if state.robots.is_blocked(key, request.at) {
        return Err(ErrorReply::new(45009));
    }
    if request.method != Method::POST {
        return Err(ErrorReply::parameter("http method must be POST"));
    }
    let body = json::read(&request.body, settings.recover_json)
        .ok_or_else(|| ErrorReply::parameter("invalid Request Parameter").after_wrong_json())?;
    let fields = Fields { object: &body.fields, strict: settings.strict };
    let msgtype = fields.text("msgtype")?;
    let msgtype = MSGTYPES.into_iter().find(|known| *known == msgtype).ok_or(ErrorReply::new(40008))?;
    let shown = content(msgtype, body.fields.get(msgtype), settings)?;
    let members = robot.members.iter().map(|userid| (userid.clone(), MemberOutcome::Shown)).collect();
    let (corp_id, group) = (corp.corp_id.clone(), Arc::from(robot.name.as_str()));
    if !state.robots.admit(key, settings.robot_limit, settings.robot_block, request.at) {
        return Err(ErrorReply::new(45009));
    }
    let msgid = random_text(&mut state.rng, 86);
    let message = Message {
        msgid: msgid.clone(),
        at: request.at,
        corp_id,
        agent_id: 0,
        group: Some(group),
        msgtype: msgtype.to_owned(),
        text: shown.text.into(),
        request: String::from_utf8_lossy(&request.body).into(),
        content: Arc::new(shown.content),
        task_id: None,
        members,
    };
    state.record.add(message);
    let errmsg = if body.is_broken { format!("ok. {WRONG_JSON}") } else { "ok".to_owned() };
    Ok(Reply { errmsg, recorded: Some(msgid), ..Reply::default() })
}

fn find<'s>(state: &'s State, key: &str) -> Option<(&'s Corp, &'s Robot)> {
    let mut corps = state.directory.corps.iter();
    corps.find_map(|corp| corp.robots.iter().find(|robot| robot.key == key).map(|robot| (corp, robot)))
}

fn content(msgtype: &str, value: Option<&Value>, settings: &Settings) -> Result<Shown, ErrorReply> {
    let empty = Map::new();
    let object = value.and_then(Value::as_object).unwrap_or(&empty);
    let fields = Fields { object, strict: settings.strict };
    let max = match msgtype {
        "text" => MAX_TEXT_BYTES,
        "markdown" | "markdown_v2" => MAX_MARKDOWN_BYTES,
        "image" => {
            fields.required("base64", 44001)?;
            fields.required("md5", 40035)?;
            return Ok(Shown { text: "[image]".to_owned(), content: json!({}), task_id: None });
        }
        _ => return checks::content(msgtype, value, false, settings),
    };
    let content = fields.required("content", 44004)?;
    if content.len() > max {
        let text = format!("{msgtype}.content exceed max length {max}. invalid Request Parameter");
        return Err(ErrorReply::parameter(text));
    }
    // It is not known if more of a text is shown, so the sandbox shows what the documentation promises.
    let text = if msgtype == "text" { prefix(content, SHOWN_TEXT_BYTES) } else { content };
    let mut shown = Map::from_iter([("content".to_owned(), json!(text))]);
    for list in ["mentioned_list", "mentioned_mobile_list"] {
        if let Some(mentioned) = mentioned(list, object, msgtype)? {
            shown.insert(list.to_owned(), mentioned);
        }
    }
    Ok(Shown { text: text.to_owned(), content: Value::Object(shown), task_id: None })
}

/// Only texts mention members by lists.
pub(super) fn mentioned(
    list: &str,
    object: &Map<String, Value>,
    msgtype: &str,
) -> Result<Option<Value>, ErrorReply> {
    match object.get(list) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            Ok((msgtype == "text").then(|| items.clone().into()))
        }
        Some(_) => {
            Err(ErrorReply::parameter(format!("invalid param '{list}', it should be a list of strings")))
        }
    }
}
