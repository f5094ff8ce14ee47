//! `message/send`: the checks in WeCom's order, then the delivery to members.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Map, Value};

use super::auth::{Authorized, authorize};
use super::directory::{App, Corp, RecipientNames, Recipients};
use super::fields::{Fields, Shown};
use super::random::random_text;
use super::record::{MemberOutcome, Message};
use super::reply::{ErrorReply, Reply, WRONG_JSON};
use super::request::ApiRequest;
use super::settings::{RepeatedCard, Settings};
use super::state::State;
use super::token::TokenOwner;
use super::{checks, json};

const MAX_USERS: usize = 1_000;
const MAX_PARTIES: usize = 100;
const MAX_TAGS: usize = 100;
const MAX_INTERVAL_S: i64 = 4 * 3_600;

pub(super) fn send(
    state: &mut State,
    settings: &Settings,
    request: &ApiRequest,
) -> Result<Reply, ErrorReply> {
    let Authorized { owner, corp, app } = authorize(state, settings, request)?;
    if request.method != Method::POST {
        return Err(ErrorReply::parameter("http method must be POST"));
    }
    let body = json::read(&request.body, settings.recover_json)
        .ok_or_else(|| ErrorReply::parameter("invalid Request Parameter").after_wrong_json())?;

    let calls_back = app.callback || state.callbacks.has(&owner);
    match accept(corp, app, settings, &body.fields, calls_back) {
        Ok(accepted) => {
            let mut reply = deliver(state, settings, request, &owner, accepted, body.fields)?;
            if body.is_broken {
                reply.errmsg = format!("ok. {WRONG_JSON}");
            }
            Ok(reply)
        }
        Err(error) if body.is_broken => Err(error.after_wrong_json()),
        Err(error) => Err(error),
    }
}

/// A message that passed all checks.
struct Accepted {
    recipients: Recipients,
    msgtype: &'static str,
    shown: Shown,
    /// The interval of the duplicate check, if it is on.
    check_duplicate: Option<Duration>,
}

fn accept(
    corp: &Corp,
    app: &App,
    settings: &Settings,
    body: &Map<String, Value>,
    calls_back: bool,
) -> Result<Accepted, ErrorReply> {
    let fields = Fields { object: body, strict: settings.strict };
    let named = RecipientNames::new(fields.text("touser")?, fields.text("toparty")?, fields.text("totag")?);
    if named.is_empty() {
        return Err(ErrorReply::new(82001));
    }
    let too_many = [
        (named.users.len() > MAX_USERS, 40032),
        // With @all, departments and tags are ignored.
        (named.parties.len() > MAX_PARTIES && !named.is_everybody(), 82002),
        (named.tags.len() > MAX_TAGS && !named.is_everybody(), 82003),
    ];
    if let Some((_, errcode)) = too_many.into_iter().find(|(over, _)| *over) {
        return Err(ErrorReply::new(errcode));
    }
    agent(corp, app, &fields)?;
    let msgtype = checks::msgtype(fields.text("msgtype")?).ok_or(ErrorReply::new(40008))?;
    let shown = checks::content(msgtype, body.get(msgtype), calls_back, settings)?;
    fields.number("safe", 0..=2)?;
    fields.number("enable_id_trans", 0..=1)?;
    let checked = fields.number("enable_duplicate_check", 0..=1)?.unwrap_or(0) == 1;
    let interval_s = fields.number("duplicate_check_interval", 0..=MAX_INTERVAL_S)?.unwrap_or(1_800);

    let recipients = corp.recipients(app, &named);
    if recipients.all_invalid {
        return Err(ErrorReply::new(81013).with_lists(lists(&recipients, false)));
    }
    let interval = Duration::from_secs(interval_s.unsigned_abs());
    Ok(Accepted { recipients, msgtype, shown, check_duplicate: checked.then_some(interval) })
}

pub(super) fn agent(corp: &Corp, app: &App, fields: &Fields<'_>) -> Result<(), ErrorReply> {
    let named = fields.number("agentid", i64::MIN..=i64::MAX)?.ok_or(ErrorReply::new(41011))?;
    let named = u64::try_from(named).ok().and_then(|id| corp.app(id)).ok_or(ErrorReply::new(40056))?;
    if named.agent_id == app.agent_id { Ok(()) } else { Err(ErrorReply::new(301002)) }
}

fn deliver(
    state: &mut State,
    settings: &Settings,
    request: &ApiRequest,
    owner: &TokenOwner,
    accepted: Accepted,
    body: Map<String, Value>,
) -> Result<Reply, ErrorReply> {
    let TokenOwner { corp_id, agent_id, .. } = owner;
    let task_id = accepted.shown.task_id;
    let is_known_card = task_id.as_ref().is_some_and(|task_id| state.cards.has(owner, task_id));
    if is_known_card && settings.repeated_card == RepeatedCard::Refuse {
        return Err(ErrorReply::new(42014));
    }
    let duplicate = accepted.check_duplicate.is_some_and(|interval| {
        let key = (corp_id.clone(), *agent_id, Value::Object(body).to_string());
        state.duplicates.suppresses(key, interval, request.at)
    });
    if is_known_card && !duplicate {
        return Err(ErrorReply::new(42014));
    }
    let mut outcome = |userid: &String| {
        let key = (corp_id.clone(), *agent_id, userid.clone());
        if duplicate {
            MemberOutcome::Duplicate
        } else if state.limits.admit(key, &settings.member_limits, request.at) {
            MemberOutcome::Shown
        } else {
            MemberOutcome::Dropped
        }
    };
    let recipients = &accepted.recipients;
    let members = recipients.members.iter().map(|userid| (userid.clone(), outcome(userid))).collect();
    let msgid = random_text(&mut state.rng, 86);
    let mut response_code = None;
    if let Some(task_id) = &task_id {
        if !duplicate {
            state.cards.add(owner, task_id, &msgid);
        }
        let code = state.cards.grant(corp_id, *agent_id, task_id, request.at, &mut state.rng);
        response_code = Some(code);
    }
    let message = Message {
        msgid: msgid.clone(),
        at: request.at,
        corp_id: corp_id.clone(),
        agent_id: *agent_id,
        group: None,
        msgtype: accepted.msgtype.to_owned(),
        text: accepted.shown.text.into(),
        request: String::from_utf8_lossy(&request.body).into(),
        content: Arc::new(accepted.shown.content),
        task_id,
        members,
    };
    state.record.add(message);
    Ok(Reply {
        recorded: Some(msgid.clone()),
        msgid: Some(msgid),
        response_code,
        errmsg: "ok".to_owned(),
        ..lists(recipients, settings.legacy)
    })
}

fn lists(recipients: &Recipients, legacy: bool) -> Reply {
    let list = |names: &[String]| (legacy || !names.is_empty()).then(|| names.join("|"));
    Reply {
        invaliduser: list(&recipients.invaliduser),
        invalidparty: list(&recipients.invalidparty),
        invalidtag: list(&recipients.invalidtag),
        // This field is newer than the replies with empty lists.
        unlicenseduser: list(&recipients.unlicenseduser).filter(|names| !names.is_empty()),
        ..Reply::default()
    }
}
