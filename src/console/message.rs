//! `GET /messages/{id}`: what happened to a message, and what did its recipients see?

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::Uri,
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    bulk::Action,
    cards::{reason, shown_reason},
    fields::Fields,
    messages::outbox_failed,
    reader::Reader,
    refusal::Refusal,
    site::Place,
    state::ConsoleState,
    waits::{pause, wait},
    words::{state_class, state_name, state_sign, status_name},
};
use crate::{
    delivery::{press_results::press_result, recall::recallable},
    intake::ButtonAction,
    language::Language,
    outbox::{
        Attempt, DeliveryId, Detail, Filter, Hold, Kind, ListOrder, Listed, Outbox, OutboxQuery, PageRequest,
        PressRecord, State as Delivery, StoreResult, rules::stored::invalid_recipients_in_chinese,
    },
    pages::{Moment, Moments},
    text::percent_encode,
    wecom::{
        Content,
        look::{self, Appearance, Viewer},
    },
};

/// Other deliveries of the notification, or members of the digest, that are listed.
const MAX_OTHERS: u32 = 50;

#[derive(Serialize)]
struct View {
    id: i64,
    summary: String,
    state: &'static str,
    sign: &'static str,
    class: &'static str,
    since: Option<Moment>,
    reason: String,
    /// The reason why it waits; empty if it does not.
    wait: String,
    /// The message that it waits behind.
    behind: Option<i64>,
    is_unconfirmed: bool,
    can_requeue: bool,
    can_discard: bool,
    can_recall: bool,
    recalled: Option<Moment>,
    result: Option<&'static str>,
    events: Vec<Event>,
    accepted: Moment,
    due: Option<Moment>,
    kind: &'static str,
    receiver: String,
    sender: String,
    part: Option<String>,
    notification: i64,
    group: String,
    group_query: String,
    recipients: String,
    missed: String,
    msgid: String,
    digest: Option<i64>,
    others: Vec<Other>,
    members: Vec<Other>,
    presses: Vec<Pressed>,
    newer: Option<i64>,
    older: Option<i64>,
    msgtype: &'static str,
    content: String,
    /// Escaped by `wecom::look`, like the next one.
    wecom: String,
    wechat: String,
    bytes: usize,
    diagnosis: String,
    /// The address of its payload on the page Templates, if that is still kept.
    payload: Option<String>,
    has_payload: bool,
    /// The pause before its end.
    ended_after: Option<String>,
}

/// An attempt.
#[derive(Serialize)]
struct Event {
    number: usize,
    at: Moment,
    took: String,
    /// Empty without an answer of WeCom.
    errcode: String,
    text: String,
    is_counted: bool,
    /// The pause before it, such as `+4.1 s`.
    pause: Option<String>,
    /// The reason of the pause.
    pause_reason: &'static str,
}

/// A press of a button of its card.
#[derive(Serialize)]
struct Pressed {
    at: Moment,
    user: String,
    /// The text of the button.
    button: String,
    /// Empty until its first attempt ends.
    result: String,
}

#[derive(Serialize)]
struct Other {
    id: i64,
    name: String,
    state: &'static str,
    sign: &'static str,
    class: &'static str,
}

pub(super) async fn page<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let Some(id) = id.parse().ok().map(DeliveryId) else {
        return unknown(&reader, &id).page(&state, &reader.visitor);
    };
    let related = match related(&state, id).await {
        Ok(Some(related)) => related,
        Ok(None) => return unknown(&reader, &id.to_string()).page(&state, &reader.visitor),
        Err(error) => return outbox_failed(&state, &reader, &error),
    };
    let done = Fields::of_query(&uri).get("done").map(str::to_owned);
    let payload = state.desk.payload_of(related.detail.listed.notification);
    let view = View {
        payload: payload.map(|id| payload_address(&related.detail.listed, id)),
        ..view(&related, &reader, done.as_deref())
    };
    let frame = reader.frame(Place::Messages, format!("#{id}"));
    state.pages.html("message.html", &reader.visitor, &frame, reader.words(), &view)
}

pub(super) fn unknown(reader: &Reader, id: &str) -> Refusal {
    Refusal::NotFound(reader.language().choose(
        format!("There is no message {id}. Settled messages are deleted after outbox.retention."),
        format!("没有消息 {id}。有了最终结果的消息在 outbox.retention 之后删除。"),
    ))
}

/// A delivery and those that belong to it.
struct Related {
    detail: Detail,
    others: Vec<Listed>,
    members: Vec<Listed>,
    holds: Vec<Hold>,
    behind: Option<DeliveryId>,
    presses: Vec<PressRecord>,
    newer: Option<DeliveryId>,
    older: Option<DeliveryId>,
}

async fn related<O: Outbox>(state: &ConsoleState<O>, id: DeliveryId) -> StoreResult<Option<Related>> {
    let outbox = &state.outbox;
    let Some(detail) = outbox.show(id).await? else { return Ok(None) };
    let notification = detail.listed.notification;
    // Deliveries of one notification have consecutive numbers, and the first has that of the notification.
    let after = Some(DeliveryId(notification.0.saturating_sub(1)));
    let page = PageRequest { order: ListOrder::OldestFirst, after, limit: MAX_OTHERS };
    let others = outbox.list(Filter::default(), page).await?.deliveries;
    let others = others.into_iter().filter(|other| other.notification == notification && other.id != id);
    let others = others.collect();
    let members = match detail.listed.kind {
        Kind::Digest => {
            let filter = Filter { digest: Some(DeliveryId(notification.0)), ..Filter::default() };
            let page = PageRequest { order: ListOrder::OldestFirst, after: None, limit: MAX_OTHERS };
            outbox.list(filter, page).await?.deliveries
        }
        Kind::Alert | Kind::Notice => Vec::new(),
    };
    let is_ready = detail.listed.state == Delivery::Ready;
    let mut holds = if is_ready { outbox.holds().await? } else { Vec::new() };
    holds.retain(|hold| hold.sender == detail.listed.sender);
    let behind = match detail.listed.state {
        Delivery::Queued => before(outbox, &detail).await?,
        _ => None,
    };
    let presses = outbox.presses(id).await?;
    let newer = neighbour(outbox, id, ListOrder::OldestFirst).await?;
    let older = neighbour(outbox, id, ListOrder::NewestFirst).await?;
    Ok(Some(Related { detail, others, members, holds, behind, presses, newer, older }))
}

/// The next delivery in this order.
async fn neighbour(
    outbox: &impl OutboxQuery,
    id: DeliveryId,
    order: ListOrder,
) -> StoreResult<Option<DeliveryId>> {
    let page = PageRequest { order, after: Some(id), limit: 1 };
    Ok(outbox.list(Filter::default(), page).await?.deliveries.first().map(|listed| listed.id))
}

/// The nearest earlier delivery of the same ordering key that is not settled.
async fn before(outbox: &impl OutboxQuery, detail: &Detail) -> StoreResult<Option<DeliveryId>> {
    let filter = Filter {
        states: Delivery::ALL.into_iter().filter(|state| !state.is_settled()).collect(),
        receiver: Some(detail.listed.receiver.clone()),
        sender: Some(detail.listed.sender.clone()),
        group_key: Some(detail.group_key.clone()),
        ..Filter::default()
    };
    let page = PageRequest { order: ListOrder::NewestFirst, after: Some(detail.listed.id), limit: 1 };
    Ok(outbox.list(filter, page).await?.deliveries.first().map(|listed| listed.id))
}

fn payload_address(listed: &Listed, payload: u64) -> String {
    format!("templates?receiver={}&data=received-{payload}", percent_encode(&listed.receiver.0))
}

fn view(related: &Related, reader: &Reader, done: Option<&str>) -> View {
    let Related { detail, others, members, holds, behind, presses, newer, older } = related;
    let (listed, moments, language) = (&detail.listed, &reader.moments, reader.language());
    let part = listed.part;
    let figure =
        |viewer| look::figure(&Appearance::of(&detail.content, &detail.recipients, viewer), language);
    View {
        id: listed.id.0,
        summary: listed.summary.clone(),
        state: state_name(language, listed.state),
        sign: state_sign(listed.state),
        class: state_class(listed.state),
        since: listed.settled_at.map(|at| moments.at(at)),
        reason: shown_reason(listed, language),
        is_unconfirmed: detail.unconfirmed_since.is_some() && listed.state != Delivery::Delivered,
        can_requeue: Action::Requeue.changes(listed.state),
        can_discard: Action::Discard.changes(listed.state),
        can_recall: recallable(detail, moments.now).is_ok(),
        recalled: listed.recalled_at.map(|at| moments.at(at)),
        result: done.and_then(|done| result(done, language)),
        wait: wait(listed, holds, moments.now, language).unwrap_or_default(),
        behind: behind.map(|behind| behind.0),
        events: events(detail, moments),
        payload: None,
        has_payload: listed.kind == Kind::Alert,
        ended_after: listed.settled_at.and_then(|at| pause(last_event(detail), at)),
        accepted: moments.at(listed.accepted_at),
        due: listed.due_at.map(|at| moments.at(at)),
        kind: status_name(language, listed.status, listed.kind),
        receiver: listed.receiver.0.clone(),
        sender: listed.sender.0.clone(),
        part: (part.total > 1).then(|| format!("{} / {}", part.number, part.total)),
        notification: listed.notification.0,
        group: detail.group_key.clone(),
        group_query: format!("?group={}", percent_encode(&detail.group_key)),
        recipients: detail.recipients.text(language),
        missed: match language {
            Language::En => detail.invalid_recipients.clone(),
            Language::Zh => invalid_recipients_in_chinese(&detail.invalid_recipients),
        },
        msgid: detail.msgid.clone(),
        digest: listed.digest.map(|digest| digest.0),
        others: others.iter().map(|other| self::other(other, language)).collect(),
        members: members.iter().map(|member| self::other(member, language)).collect(),
        presses: presses.iter().map(|press| pressed(press, &detail.content, moments)).collect(),
        newer: newer.map(|newer| newer.0),
        older: older.map(|older| older.0),
        msgtype: detail.content.msgtype(),
        content: detail.content.without_code().text().to_owned(),
        wecom: figure(Viewer::Wecom),
        wechat: figure(Viewer::Wechat),
        bytes: detail.content.text().len(),
        diagnosis: diagnosis(detail, moments),
    }
}

fn pressed(press: &PressRecord, content: &Content, moments: &Moments) -> Pressed {
    let language = moments.language;
    let result = match (&press.result, &press.last_failure) {
        (Some(result), _) => press_result(result, language),
        (None, Some(reason)) => {
            let reason = press_result(reason, language);
            language.choose(format!("will retry: {reason}"), format!("将会重试：{reason}"))
        }
        (None, None) => String::new(),
    };
    Pressed {
        at: moments.at(press.pressed_at),
        user: press.user.clone(),
        button: ButtonAction::label(&press.button, content.button_text(&press.button), language),
        result,
    }
}

fn result(done: &str, language: Language) -> Option<&'static str> {
    match done {
        "requeue" => Some(language.choose("Requeued. It is sent now.", "已重新入队，马上发送。")),
        "discard" => {
            Some(language.choose("Discarded. Requeue it to undo this.", "已丢弃。重新入队可以撤销。"))
        }
        "recall" => Some(language.choose("Recalled.", "已撤回。")),
        _ => None,
    }
}

fn events(detail: &Detail, moments: &Moments) -> Vec<Event> {
    let mut events = Vec::new();
    let mut last = detail.listed.accepted_at;
    for (attempt, number) in detail.attempts.iter().zip(1..) {
        events.push(event(attempt, number, last, moments));
        last = end_of(attempt);
    }
    events
}

fn end_of(attempt: &Attempt) -> Timestamp {
    attempt.started_at.checked_add(attempt.duration).unwrap_or(attempt.started_at)
}

/// The end of the last attempt, or the acceptance.
fn last_event(detail: &Detail) -> Timestamp {
    let last = detail.attempts.last();
    last.map_or(detail.listed.accepted_at, end_of)
}

fn event(attempt: &Attempt, number: usize, last: Timestamp, moments: &Moments) -> Event {
    let pause_reason = match number {
        1 => moments.language.choose(
            "waited for its turn: an earlier message of its group, the rate limit, or a hold",
            "等待轮到它：同一分组较早的消息、限额，或应用暂停",
        ),
        _ => moments.language.choose("waited for the next attempt", "等待下次尝试"),
    };
    Event {
        number,
        at: moments.at(attempt.started_at),
        took: format!("{:.3} s", attempt.duration.as_secs_f64()),
        errcode: attempt.errcode.map(|errcode| errcode.to_string()).unwrap_or_default(),
        text: reason(&attempt.detail, moments.language),
        is_counted: attempt.counted,
        pause: pause(last, attempt.started_at),
        pause_reason,
    }
}

fn other(listed: &Listed, language: Language) -> Other {
    Other {
        id: listed.id.0,
        name: match listed.part.total {
            0 | 1 => listed.summary.clone(),
            total => format!("{}/{total} {}", listed.part.number, listed.summary),
        },
        state: state_name(language, listed.state),
        sign: state_sign(listed.state),
        class: state_class(listed.state),
    }
}

/// The facts about a delivery for a ticket. They have no text of the message and no secret.
fn diagnosis(detail: &Detail, moments: &Moments) -> String {
    let listed = &detail.listed;
    let time = |at: Timestamp| moments.at(at).exact;
    let mut lines = vec![
        format!("wecom-relay {}", env!("CARGO_PKG_VERSION")),
        format!("delivery {} of notification {}: {}", listed.id, listed.notification, listed.state.name()),
        format!("receiver {}, sender {}", listed.receiver, listed.sender),
        format!("accepted {}", time(listed.accepted_at)),
    ];
    lines.extend(listed.settled_at.map(|at| format!("settled {}", time(at))));
    for attempt in &detail.attempts {
        let errcode = attempt.errcode.map_or_else(|| "-".to_owned(), |errcode| errcode.to_string());
        let took = attempt.duration.as_secs_f64();
        lines.push(format!("{} {took:.3} s errcode {errcode}: {}", time(attempt.started_at), attempt.detail));
    }
    lines.join("\n")
}
