//! `GET /messages`: where is that alert?

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    bulk::{Action, is_allowed},
    cards::shown_reason,
    confirm::HiddenField,
    fields::Fields,
    filter::UrlFilter,
    reader::Reader,
    refusal::Refusal,
    search::{self, Found},
    site::Place,
    state::ConsoleState,
    waits::wait,
    words::{state_class, state_name, state_sign, status_name},
};
use crate::{
    language::Language,
    outbox::{DeliveryId, Hold, Listed, Outbox, State as Delivery, StoreError},
    pages::{Moment, Moments, redirect},
    text::{local_time, shorten},
};

/// Messages on a page.
const PAGE_SIZE: u32 = 50;
const MAX_SUMMARY_BYTES: usize = 300;
/// The filters that are folded until one is in use.
const FOLDED: [&str; 4] = ["receiver", "sender", "since", "until"];
const UNSETTLED: [Delivery; 4] = [Delivery::Queued, Delivery::Ready, Delivery::InFlight, Delivery::Folded];

#[derive(Serialize)]
struct View {
    q: String,
    receiver: String,
    sender: String,
    group: String,
    since: String,
    until: String,
    /// The number of filters in use below the search.
    filters: usize,
    /// The fields of the filter that its form does not show.
    hidden: Vec<HiddenField>,
    receivers: Vec<String>,
    senders: Vec<String>,
    chips: Vec<Chip>,
    is_filtered: bool,
    is_later_page: bool,
    rows: Vec<Row>,
    next: Option<String>,
    first: String,
    searched_back: Option<String>,
    /// The buttons that change all messages of the filter.
    bulk: Vec<BulkButton>,
    /// The change that an operator has just made.
    result: Option<String>,
}

#[derive(Serialize)]
struct BulkButton {
    query: String,
    label: &'static str,
}

#[derive(Serialize)]
struct Chip {
    name: String,
    query: String,
    is_current: bool,
}

/// A notification, or the part of it that is on this page.
#[derive(Serialize)]
struct Row {
    id: i64,
    summary: String,
    state: &'static str,
    sign: &'static str,
    class: &'static str,
    kind: &'static str,
    receiver: String,
    accepted: Moment,
    due: Option<Moment>,
    reason: String,
    /// The reason why it waits; empty if it does not.
    wait: String,
    /// Such as `▮▮▯ 2/3`; empty for a message in one part.
    parts: String,
    /// True if a part was recalled.
    is_recalled: bool,
}

pub(super) async fn page<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Response {
    let fields = Fields::of_query(&uri);
    let wanted = match UrlFilter::read(&fields, &reader.moments.zone) {
        Ok(wanted) => wanted,
        Err(bad) => return Refusal::BadRequest(bad.text(reader.language())).page(&state, &reader.visitor),
    };
    let after = fields.get("after").and_then(|after| after.parse().ok()).map(DeliveryId);
    let found = match search::search(&state, &reader, &wanted, after, PAGE_SIZE).await {
        Ok(found) => found,
        Err(error) => return outbox_failed(&state, &reader, &error),
    };
    if let (Some(id), [_]) = (wanted.id, found.listed.as_slice()) {
        return redirect(&reader.visitor.root, &format!("messages/{id}"));
    }
    let is_ready = |listed: &Listed| listed.state == Delivery::Ready;
    let holds = match found.listed.iter().any(is_ready) {
        true => state.outbox.holds().await,
        false => Ok(Vec::new()),
    };
    let holds = match holds {
        Ok(holds) => holds,
        Err(error) => return outbox_failed(&state, &reader, &error),
    };
    let view = view(&state, &reader, &fields, &wanted, &found, &holds);
    let frame = reader.frame(Place::Messages, reader.words().messages);
    state.pages.html("messages.html", &reader.visitor, &frame, reader.words(), &view).into_response()
}

/// The page for an outbox that does not answer.
pub(super) fn outbox_failed<O>(state: &ConsoleState<O>, reader: &Reader, error: &StoreError) -> Response {
    Refusal::Outbox(error.to_string()).page(state, &reader.visitor)
}

fn view<O>(
    state: &ConsoleState<O>,
    reader: &Reader,
    fields: &Fields,
    wanted: &UrlFilter,
    found: &Found,
    holds: &[Hold],
) -> View {
    let field = |name| fields.get(name).unwrap_or_default().to_owned();
    let is_hidden = |field: &&(String, String)| matches!(field.0.as_str(), "state" | "kind" | "group");
    let hidden = wanted.fields().iter().filter(is_hidden);
    let next = found.next.map(|next| wanted.query(&[("after", &next.to_string())]));
    View {
        q: field("q"),
        receiver: field("receiver"),
        sender: field("sender"),
        group: field("group"),
        since: field("since"),
        until: field("until"),
        filters: FOLDED.iter().filter(|name| !field(name).trim().is_empty()).count(),
        hidden: hidden.map(HiddenField::from).collect(),
        receivers: state.status.receivers().into_iter().map(|receiver| receiver.name.0).collect(),
        senders: state.status.senders().into_iter().map(|sender| sender.name.0).collect(),
        chips: chips(reader, wanted),
        is_filtered: !wanted.is_empty(),
        is_later_page: fields.get("after").is_some(),
        rows: rows(&found.listed, holds, &reader.moments),
        next,
        first: wanted.query(&[]),
        searched_back: found.searched_back.map(|at| local_time(at, &reader.moments.zone)),
        bulk: if found.listed.is_empty() { Vec::new() } else { bulk_buttons(reader, wanted) },
        result: fields.get("done").and_then(|done| result(done, reader.language())),
    }
}

/// The sentence about a change. Its name is in the address, so that a reload of the page shows it again.
fn result(done: &str, language: Language) -> Option<String> {
    let (action, count) = done.split_once('-')?;
    let count: u32 = count.parse().ok()?;
    match action {
        "requeue" => {
            Some(language.choose(format!("Requeued: {count}."), format!("已重新入队：{count} 条。")))
        }
        "discard" => Some(language.choose(format!("Discarded: {count}."), format!("已丢弃：{count} 条。"))),
        _ => None,
    }
}

fn bulk_buttons(reader: &Reader, wanted: &UrlFilter) -> Vec<BulkButton> {
    let words = reader.words();
    let all = [(Action::Requeue, words.requeue_all), (Action::Discard, words.discard_all)];
    let allowed = all.into_iter().filter(|(action, _)| reader.is_operator() && is_allowed(wanted, *action));
    let button =
        |(action, label): (Action, _)| BulkButton { query: wanted.query(&[("do", action.name())]), label };
    allowed.map(button).collect()
}

fn chips(reader: &Reader, wanted: &UrlFilter) -> Vec<Chip> {
    let (words, language) = (reader.words(), reader.language());
    let chip = |name: &str, states: &[Delivery]| Chip {
        name: name.to_owned(),
        query: wanted.with_states(states),
        is_current: wanted.filter.states == states,
    };
    vec![
        chip(words.all, &[]),
        chip(words.waiting, &UNSETTLED),
        chip(&capitalized(state_name(language, Delivery::Dead)), &[Delivery::Dead]),
        chip(&capitalized(state_name(language, Delivery::Delivered)), &[Delivery::Delivered]),
        chip(&capitalized(state_name(language, Delivery::Discarded)), &[Delivery::Discarded]),
    ]
}

/// `name` with a large first letter, as the name of a button.
fn capitalized(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// One row for all neighbouring deliveries of a notification.
fn rows(listed: &[Listed], holds: &[Hold], moments: &Moments) -> Vec<Row> {
    let same = |left: &Listed, right: &Listed| left.notification == right.notification;
    listed.chunk_by(same).filter_map(|parts| row(parts, holds, moments)).collect()
}

fn row(parts: &[Listed], holds: &[Hold], moments: &Moments) -> Option<Row> {
    // The part that needs attention first stands for all of them.
    let shown = parts.iter().min_by_key(|part| (attention(part.state), part.id))?;
    let language = moments.language;
    Some(Row {
        id: shown.id.0,
        summary: shorten(&shown.summary, MAX_SUMMARY_BYTES).into_owned(),
        state: state_name(language, shown.state),
        sign: state_sign(shown.state),
        class: state_class(shown.state),
        kind: status_name(language, shown.status, shown.kind),
        receiver: shown.receiver.0.clone(),
        accepted: moments.at(shown.accepted_at),
        due: shown.due_at.filter(|due| *due > moments.now).map(|due| moments.at(due)),
        reason: shown_reason(shown, language),
        wait: wait(shown, holds, moments.now, language).unwrap_or_default(),
        parts: parts_text(parts),
        is_recalled: parts.iter().any(|part| part.recalled_at.is_some()),
    })
}

fn attention(state: Delivery) -> u8 {
    match state {
        Delivery::Dead => 0,
        Delivery::InFlight => 1,
        Delivery::Ready => 2,
        Delivery::Queued | Delivery::Folded => 3,
        Delivery::Discarded => 4,
        Delivery::Delivered => 5,
    }
}

fn parts_text(parts: &[Listed]) -> String {
    let total = parts.iter().map(|part| usize::from(part.part.total)).max().unwrap_or(1).max(parts.len());
    if total == 1 {
        return String::new();
    }
    let delivered = parts.iter().filter(|part| part.state == Delivery::Delivered).count();
    let boxes =
        if total <= 8 { "▮".repeat(delivered) + &"▯".repeat(total - delivered) } else { String::new() };
    format!("{boxes} {delivered}/{total}")
}
