//! `message/update_template_card`: the new form of a card for the members who have it.
//!
//! WeCom's reply has the members that are not valid as a list, unlike that of `message/send`.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::auth::{Authorized, authorize};
use super::card;
use super::directory::RecipientNames;
use super::fields::Fields;
use super::json;
use super::record::{MessageChange, NewForm};
use super::reply::{ErrorReply, Reply, WRONG_JSON};
use super::request::ApiRequest;
use super::send;
use super::settings::Settings;
use super::state::State;

const MAX_USERS: usize = 1_000;
const MAX_PARTIES: usize = 100;
const MAX_TAGS: usize = 100;

pub(super) fn update(
    state: &mut State,
    settings: &Settings,
    request: &ApiRequest,
) -> Result<Reply, ErrorReply> {
    checked(state, settings, request).map_err(|error| error.or_lists(invalid_users(&[])))
}

fn invalid_users(userids: &[String]) -> Reply {
    let list = ("invaliduser".to_owned(), json!(userids));
    Reply { found: Map::from_iter([list]), ..Reply::default() }
}

fn checked(state: &mut State, settings: &Settings, request: &ApiRequest) -> Result<Reply, ErrorReply> {
    let Authorized { owner, corp, app } = authorize(state, settings, request)?;
    if request.method != Method::POST {
        return Err(ErrorReply::parameter("http method must be POST"));
    }
    let body = json::read(&request.body, settings.recover_json)
        .ok_or_else(|| ErrorReply::parameter("invalid Request Parameter").after_wrong_json())?;
    let fields = Fields { object: &body.fields, strict: settings.strict };
    send::agent(corp, app, &fields)?;
    let named = named(&fields)?;
    let msgid = state.cards.updatable(fields.text("response_code")?, &owner, request.at)?;
    let message = state.record.message(&msgid).ok_or(ErrorReply::new(42016))?;
    // WeCom does not document it. A message that was taken back has no buttons.
    if message.members.iter().any(|(userid, _)| state.record.is_recalled(&msgid, userid)) {
        return Err(ErrorReply::new(42016));
    }
    let (text, content) = new_form(&fields, &message.content)?;

    let everybody: Vec<String> = message.members.iter().map(|(userid, _)| userid.clone()).collect();
    let (members, invalid) = match named {
        None => (everybody, Vec::new()),
        Some(named) => {
            let found = corp.recipients(app, &named);
            let (have, have_not): (Vec<_>, Vec<_>) =
                found.members.into_iter().partition(|userid| everybody.contains(userid));
            (have, [found.invaliduser, have_not].concat())
        }
    };
    if members.is_empty() {
        return Err(ErrorReply::new(81013).with_lists(invalid_users(&invalid)));
    }
    state.cards.spend(fields.text("response_code")?);
    let form = NewForm { at: request.at, text: text.into(), content: Arc::new(content) };
    let members = state.record.update(&msgid, &members, &form);
    let change = MessageChange { msgid, members, text: Some(form.text) };
    let warning = if body.is_broken { format!(". {WRONG_JSON}") } else { String::new() };
    Ok(Reply { errmsg: format!("ok{warning}"), change: Some(change), ..invalid_users(&invalid) })
}

/// The members to update; `None` for all who got the card.
fn named(fields: &Fields<'_>) -> Result<Option<RecipientNames>, ErrorReply> {
    let numbers = |key| Ok::<_, ErrorReply>(fields.ids(key)?.iter().map(u64::to_string).collect::<Vec<_>>());
    let (users, parties, tags) = (fields.texts("userids")?, numbers("partyids")?, numbers("tagids")?);
    let too_many = [
        (users.len() > MAX_USERS, 40032),
        (parties.len() > MAX_PARTIES, 82002),
        (tags.len() > MAX_TAGS, 82003),
    ];
    if let Some((_, errcode)) = too_many.into_iter().find(|(over, _)| *over) {
        return Err(ErrorReply::new(errcode));
    }
    if fields.number("atall", 0..=1)? == Some(1) {
        return Ok(None);
    }
    let named = RecipientNames { users, parties, tags };
    if named.is_empty() { Err(ErrorReply::new(82001)) } else { Ok(Some(named)) }
}

/// The text and the object of the new form: a new card, or the old one with one grey button.
fn new_form(fields: &Fields<'_>, old: &Value) -> Result<(String, Value), ErrorReply> {
    if let Some(card) = fields.inner("template_card") {
        let shown = card::check_update(&card)?;
        return Ok((shown.text, shown.content));
    }
    let button = fields.inner("button").ok_or(ErrorReply::new(42020))?;
    let name = button.required("replace_name", 42020)?;
    let mut card = old.clone();
    if let Value::Object(card) = &mut card {
        // A card with this field has grey buttons, however it got it.
        card.insert("replace_text".to_owned(), json!(name));
    }
    let text = card.as_object().map(|object| card::screen(&Fields { object, ..*fields }));
    Ok((text.unwrap_or_default(), card))
}
