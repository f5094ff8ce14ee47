//! `message/recall`: takes back a message of the app.

use std::time::Duration;

use axum::http::Method;

use super::auth::{Authorized, authorize};
use super::fields::Fields;
use super::json;
use super::record::MessageChange;
use super::reply::{ErrorReply, Reply};
use super::request::ApiRequest;
use super::settings::Settings;
use super::state::State;
use super::time::later;

const RECALLABLE: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn recall(
    state: &mut State,
    settings: &Settings,
    request: &ApiRequest,
) -> Result<Reply, ErrorReply> {
    let Authorized { owner, .. } = authorize(state, settings, request)?;
    if request.method != Method::POST {
        return Err(ErrorReply::parameter("http method must be POST"));
    }
    let body = json::read(&request.body, settings.recover_json)
        .ok_or_else(|| ErrorReply::parameter("invalid Request Parameter").after_wrong_json())?;
    let fields = Fields { object: &body.fields, strict: settings.strict };
    let msgid = fields.text("msgid")?;
    // Messages of robots and chats have numbers that no reply has told.
    let message = state.record.message(msgid).filter(|message| {
        message.group.is_none() && message.corp_id == owner.corp_id && message.agent_id == owner.agent_id
    });
    let message = message.ok_or_else(|| ErrorReply::parameter("invalid msgid"))?;
    if later(message.at, RECALLABLE) <= request.at {
        return Err(ErrorReply::new(42052));
    }
    let members: Vec<String> = message.members.iter().map(|(userid, _)| userid.clone()).collect();
    let members = state.record.recall(msgid, &members, request.at);
    let change = MessageChange { msgid: msgid.to_owned(), members, text: None };
    Ok(Reply { change: Some(change), ..Reply::ok() })
}
