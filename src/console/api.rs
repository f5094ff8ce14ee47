//! `/api/v1`: the pages as JSON, and the same changes. Field names are those of `wecom-relay outbox --json`.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

use super::{
    bulk::Action,
    change::{self, change_delivery, change_selected, probe_sender},
    fields::Fields,
    filter::{self, UrlFilter},
    message::unknown,
    overview as pages,
    reader::Reader,
    refusal::Refusal,
    search,
    state::ConsoleState,
};
use crate::{
    language::Language,
    outbox::{DeliveryId, DetailJson, ListedJson, Outbox, rfc3339},
    pages::Moments,
};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// `GET /api/v1/overview`
pub(super) async fn overview<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Response {
    let language = Fields::of_query(&uri).get("lang").and_then(Language::parse).unwrap_or_default();
    let moments = Moments { language, ..reader.moments };
    Json(pages::overview(&state, &moments).await).into_response()
}

#[derive(Serialize)]
struct MessagesJson<'a> {
    items: Vec<ListedJson<'a>>,
    /// `after` of the next call.
    next: Option<i64>,
    /// The acceptance of the last message that was looked at, if there may be more.
    examined_to: Option<String>,
    /// True if no older message matches.
    complete: bool,
}

/// `GET /api/v1/messages`
pub(super) async fn messages<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Response {
    let (fields, zone) = (Fields::of_query(&uri), &reader.moments.zone);
    let wanted = match UrlFilter::read(&fields, zone) {
        Ok(wanted) => wanted,
        Err(bad) => return Refusal::BadRequest(bad.text(Language::En)).json(),
    };
    let number = |name| fields.get(name).map(str::parse::<i64>).transpose();
    let (Ok(after), Ok(limit)) = (number("after"), number("limit")) else {
        return Refusal::BadRequest("after and limit are numbers".to_owned()).json();
    };
    let limit = limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT);
    let limit = limit.clamp(1, MAX_LIMIT);
    let found = match search::search(&state, &reader, &wanted, after.map(DeliveryId), limit).await {
        Ok(found) => found,
        Err(error) => return Refusal::Outbox(error.to_string()).json(),
    };
    let answer = MessagesJson {
        items: found.listed.iter().map(|listed| ListedJson::new(listed, zone)).collect(),
        next: found.next.map(|next| next.0),
        examined_to: found.searched_back.map(|at| rfc3339(at, zone)),
        complete: found.next.is_none(),
    };
    Json(answer).into_response()
}

/// `GET /api/v1/messages/{id}`
pub(super) async fn message<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
) -> Response {
    let Ok(number) = id.parse().map(DeliveryId) else { return unknown(&reader, &id).json() };
    match state.outbox.show(number).await {
        Ok(Some(detail)) => match state.outbox.presses(number).await {
            Ok(presses) => Json(DetailJson::new(&detail, &presses, &reader.moments.zone)).into_response(),
            Err(error) => Refusal::Outbox(error.to_string()).json(),
        },
        Ok(None) => unknown(&reader, &id).json(),
        Err(error) => Refusal::Outbox(error.to_string()).json(),
    }
}

/// `POST /api/v1/messages/{id}/requeue`, `POST /api/v1/messages/{id}/discard`
pub(super) async fn change_one<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(action): Extension<Action>,
    Path(id): Path<String>,
) -> Response {
    let changed = match change_delivery(&state, &reader, &id, action).await {
        Ok(changed) => changed,
        Err(refusal) => return refusal.json(),
    };
    match state.outbox.show(changed).await {
        Ok(Some(detail)) => Json(ListedJson::new(&detail.listed, &reader.moments.zone)).into_response(),
        Ok(None) => unknown(&reader, &id).json(),
        Err(error) => Refusal::Outbox(error.to_string()).json(),
    }
}

/// A change of all messages of a filter.
#[derive(Debug)]
struct Bulk {
    /// As in the query of `GET /api/v1/messages`.
    filter: Vec<(String, String)>,
    /// The number of messages that the filter selects.
    expect: usize,
}

/// `POST /api/v1/messages/requeue`, `POST /api/v1/messages/discard`
pub(super) async fn change_all<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Extension(action): Extension<Action>,
    bulk: Result<Json<serde_json::Value>, JsonRejection>,
) -> Response {
    let read = bulk.map_err(|error| error.body_text()).and_then(|Json(value)| read_bulk(&value));
    let Bulk { filter, expect } = match read {
        Ok(bulk) => bulk,
        Err(reason) => return Refusal::BadRequest(reason).json(),
    };
    let wanted = match UrlFilter::read(&Fields(filter), &reader.moments.zone) {
        Ok(wanted) => wanted,
        Err(bad) => return Refusal::BadRequest(bad.text(Language::En)).json(),
    };
    match change_selected(&state, &reader, &wanted, expect, action).await {
        Ok(done) => Json(json!({ "done": done })).into_response(),
        Err(bulk_error) => change::refusal(&bulk_error, Language::En).json(),
    }
}

/// Reads `{ "filter": { "state": "dead", … }, "expect": 4 }`.
fn read_bulk(value: &serde_json::Value) -> Result<Bulk, String> {
    let help = r#"send { "filter": { "state": "dead" }, "expect": 4 }"#;
    let (Some(filter), Some(expect)) = (
        value.get("filter").and_then(serde_json::Value::as_object),
        value.get("expect").and_then(serde_json::Value::as_u64),
    ) else {
        return Err(help.to_owned());
    };
    let pair = |(name, value): (&String, &serde_json::Value)| {
        value.as_str().map(|value| (name.clone(), value.to_owned())).ok_or_else(|| help.to_owned())
    };
    // A mistyped name must not widen the filter.
    if let Some(name) = filter.keys().find(|name| !filter::NAMES.contains(&name.as_str())) {
        return Err(format!("filter.{name} is unknown; the names are {}", filter::NAMES.join(", ")));
    }
    let filter = filter.iter().map(pair).collect::<Result<_, _>>()?;
    Ok(Bulk { filter, expect: usize::try_from(expect).unwrap_or(usize::MAX) })
}

/// `POST /api/v1/senders/{name}/probe`
pub(super) async fn probe<O: Outbox>(
    State(state): State<Arc<ConsoleState<O>>>,
    Extension(reader): Extension<Reader>,
    Path(name): Path<String>,
) -> Response {
    match probe_sender(&state, &reader, &name).await {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "probe": name }))).into_response(),
        Err(refusal) => refusal.json(),
    }
}
