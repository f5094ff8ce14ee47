//! `appchat/create`, `appchat/get` and `appchat/send`: group chats of an app.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::auth::{Authorized, authorize};
use super::chats::Chat;
use super::checks;
use super::fields::Fields;
use super::json;
use super::random::random_text;
use super::record::{MemberOutcome, Message};
use super::reply::{ErrorReply, Reply, WRONG_JSON};
use super::request::ApiRequest;
use super::settings::Settings;
use super::state::State;
use super::token::TokenOwner;
use super::webhook::mentioned;

const MAX_NAME_CHARS: usize = 50;
const MEMBERS: std::ops::RangeInclusive<usize> = 2..=2_000;
const MSGTYPES: [&str; 9] =
    ["text", "image", "voice", "video", "file", "textcard", "news", "mpnews", "markdown"];

/// The caller, if its app sees the whole company.
fn caller(state: &State, settings: &Settings, request: &ApiRequest) -> Result<TokenOwner, ErrorReply> {
    let Authorized { owner, app, .. } = authorize(state, settings, request)?;
    if app.visible.is_some() {
        return Err(ErrorReply::new(48002));
    }
    Ok(owner)
}

pub(super) fn create(
    state: &mut State,
    settings: &Settings,
    request: &ApiRequest,
) -> Result<Reply, ErrorReply> {
    let owner = caller(state, settings, request)?;
    if request.method != Method::POST {
        return Err(ErrorReply::parameter("http method must be POST"));
    }
    let body = json::read(&request.body, settings.recover_json)
        .ok_or_else(|| ErrorReply::parameter("invalid Request Parameter").after_wrong_json())?;
    let fields = Fields { object: &body.fields, strict: settings.strict };
    let name = fields.text("name")?;
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(ErrorReply::parameter("invalid param 'name'"));
    }
    let members = members(state, &owner, &body.fields)?;
    let chat_owner = match fields.text("owner")?.to_lowercase() {
        none if none.is_empty() => members.first().cloned().unwrap_or_default(),
        chat_owner if members.contains(&chat_owner) => chat_owner,
        _ => return Err(ErrorReply::parameter("invalid param 'owner', it should be in userlist")),
    };
    let chatid = match fields.text("chatid")? {
        "" => random_text(&mut state.rng, 32),
        chatid => chatid.to_owned(),
    };
    let fits = chatid.len() <= 32 && chatid.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let TokenOwner { corp_id, agent_id, .. } = owner;
    let chat = Chat { corp_id, agent_id, name: name.to_owned(), owner: chat_owner, members };
    if !fits || !state.chats.add(chatid.clone(), chat) {
        return Err(ErrorReply::parameter("invalid param 'chatid'"));
    }
    Ok(Reply { chatid: Some(chatid), ..Reply::ok() })
}

/// The members of a new chat, in lower case and without duplicates.
fn members(state: &State, owner: &TokenOwner, body: &Map<String, Value>) -> Result<Vec<String>, ErrorReply> {
    let mut members: Vec<String> = Vec::new();
    let known = state.directory.corp(&owner.corp_id).map(|corp| corp.members.as_slice()).unwrap_or_default();
    for item in body.get("userlist").and_then(Value::as_array).into_iter().flatten() {
        let userid = item.as_str().unwrap_or_default().to_lowercase();
        if !known.iter().any(|member| member.userid == userid) {
            return Err(ErrorReply::new(60111));
        }
        if !members.contains(&userid) {
            members.push(userid);
        }
    }
    if MEMBERS.contains(&members.len()) {
        Ok(members)
    } else {
        Err(ErrorReply::parameter("invalid param 'userlist', it should have 2 to 2000 members"))
    }
}

pub(super) fn get(state: &State, settings: &Settings, request: &ApiRequest) -> Result<Reply, ErrorReply> {
    let owner = caller(state, settings, request)?;
    let chatid = request.parameter("chatid").ok_or(ErrorReply::new(86003))?;
    let chat = state.chats.of(chatid, &owner)?;
    let info = json!({ "chatid": chatid, "name": chat.name, "owner": chat.owner, "userlist": chat.members });
    Ok(Reply { found: Map::from_iter([("chat_info".to_owned(), info)]), ..Reply::ok() })
}

pub(super) fn send(
    state: &mut State,
    settings: &Settings,
    request: &ApiRequest,
) -> Result<Reply, ErrorReply> {
    let owner = caller(state, settings, request)?;
    if request.method != Method::POST {
        return Err(ErrorReply::parameter("http method must be POST"));
    }
    let body = json::read(&request.body, settings.recover_json)
        .ok_or_else(|| ErrorReply::parameter("invalid Request Parameter").after_wrong_json())?;
    let fields = Fields { object: &body.fields, strict: settings.strict };
    let chatid = fields.required("chatid", 86003)?;
    let chat = state.chats.of(chatid, &owner)?.clone();
    let msgtype = fields.text("msgtype")?;
    let msgtype = MSGTYPES.into_iter().find(|known| *known == msgtype).ok_or(ErrorReply::new(40008))?;
    fields.number("safe", 0..=1)?;
    let value = body.fields.get(msgtype);
    let mut shown = checks::content(msgtype, value, false, settings)?;
    if let Some(object) = value.and_then(Value::as_object)
        && let Some(mentioned) = mentioned("mentioned_list", object, msgtype)?
        && let Some(content) = shown.content.as_object_mut()
    {
        content.insert("mentioned_list".to_owned(), mentioned);
    }
    let mut members = Vec::with_capacity(chat.members.len());
    for userid in chat.members {
        let key = (owner.corp_id.clone(), owner.agent_id, format!("in chats: {userid}"));
        let is_shown = state.limits.admit(key, &settings.chat_limits, request.at);
        members.push((userid, if is_shown { MemberOutcome::Shown } else { MemberOutcome::Dropped }));
    }
    let msgid = random_text(&mut state.rng, 86);
    let message = Message {
        msgid: msgid.clone(),
        at: request.at,
        corp_id: owner.corp_id,
        agent_id: owner.agent_id,
        group: Some(Arc::from(chatid)),
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
